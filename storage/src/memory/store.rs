//! What one storage holds, behind its lock.

use std::collections::HashMap;
use std::sync::Arc;

use tasker_engine::payload::Limits;
use tasker_engine::{BoundTemplate, DefinitionHash, StorageError, TaskId, Timestamp, WorkerId};

use super::advance::Draft;
use super::catalogue::Catalogue;
use super::graph::Learned;
use super::task::{Ids, Pen, Task};
use super::wakes::Sets;

#[derive(Default)]
pub(super) struct Store {
    pub(super) limits: Limits,
    pub(super) definitions: HashMap<DefinitionHash, Arc<Learned>>,
    pub(super) identities: HashMap<Arc<str>, TaskId>,
    /// Task 1 is the first. None is ever removed.
    #[expect(clippy::vec_box, reason = "a list that grows under the lock moves pointers, not tasks")]
    tasks: Vec<Box<Task>>,
    pub(super) ids: Ids,
    pub(super) catalogue: Catalogue,
    pub(super) sets: Sets,
    /// When each worker beat last.
    pub(super) workers: HashMap<WorkerId, Timestamp>,
    /// Room that is used again from call to call.
    freed: Vec<usize>,
    /// The same.
    pub(super) drafts: Vec<Draft>,
}

impl Store {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(super) fn learn(
        &mut self,
        definitions: &[Arc<BoundTemplate>],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let fresh = definitions.iter().filter(|bound| !self.definitions.contains_key(bound.hash()));
        let mut fresh: Vec<_> =
            fresh.map(|bound| Learned::new(bound, &self.limits)).collect::<Result<_, _>>()?;
        for learned in &mut fresh {
            learned.enter(&mut self.catalogue, now);
        }
        self.definitions
            .extend(fresh.into_iter().map(|learned| (learned.bound().hash().clone(), learned.into())));
        Ok(())
    }

    /// Every task, ascending.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().map(|task| &**task)
    }

    pub(super) fn find(&self, task: TaskId) -> Option<&Task> {
        self.tasks.get(place(task)?).map(|task| &**task)
    }

    /// A task that is known to be there.
    pub(super) fn task(&self, task: TaskId) -> &Task {
        self.find(task).expect("no task is ever removed")
    }

    /// Adds a task, whose id was drawn last.
    pub(super) fn add(&mut self, task: Task) {
        self.sets.follow(task.id, task.standing().without_sets(), task.standing());
        self.tasks.push(Box::new(task));
    }

    /// Works on one task; `None` when there is no such task.
    pub(super) fn touch<T>(
        &mut self,
        task: TaskId,
        now: Timestamp,
        work: impl FnOnce(&mut Task, &mut Pen<'_>) -> T,
    ) -> Option<T> {
        let task = self.tasks.get_mut(place(task)?)?;
        let before = task.standing();
        self.freed.clear();
        let mut pen = Pen { ids: &mut self.ids, catalogue: &mut self.catalogue, now, freed: &mut self.freed };
        let answer = work(task, &mut pen);
        self.sets.follow(task.id, before, task.standing());
        Some(answer)
    }
}

fn place(task: TaskId) -> Option<usize> {
    usize::try_from(task.0.checked_sub(1)?).ok()
}
