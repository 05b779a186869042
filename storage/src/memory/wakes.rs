//! Wakes, and the three sets of tasks that are looked for: with a wake, open, and with a running step.
//!
//! A task keeps its own wake and counts; the sets follow when a call is done with it. So they change only when a task
//! enters or leaves one, and not with every step.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use tasker_engine::records::TaskNamespaceId;
use tasker_engine::{Due, Swept, TaskId, Timestamp, Wake, parked_for};

use super::defects::{Defect, makes};
use super::store::Store;

/// The wake of one task.
#[derive(Default)]
pub(super) struct TaskWake {
    due: Option<Timestamp>,
    /// Never lowered, also not when the wake is gone: a message about an old wake must not match a new one.
    generation: i64,
    /// How many times in a row it was put off for want of a handler.
    parked: u32,
}

impl TaskWake {
    pub(super) const fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// As records tell it.
    pub(super) fn told(&self) -> Option<(Timestamp, i64)> {
        self.due.map(|due| (due, self.generation))
    }

    pub(super) const fn set(&mut self, due: Timestamp) {
        self.due = Some(due);
        self.generation += 1;
        self.parked = 0;
    }

    /// The later moment until which it was put off.
    pub(super) fn parked_beyond(&self, now: Timestamp) -> Option<Timestamp> {
        self.due.filter(|due| self.parked > 0 && *due > now)
    }

    /// When it will be due if it is put off now. Whoever looks before that moment does not put it off further: others
    /// may wait for it.
    pub(super) fn parked_until(&self, now: Timestamp) -> Timestamp {
        self.parked_beyond(now).unwrap_or_else(|| now + parked_for(self.parked))
    }

    pub(super) const fn park(&mut self, until: Timestamp) {
        let times = self.parked + 1;
        self.set(until);
        self.parked = times;
    }

    /// Due then, unless it is due earlier.
    pub(super) fn no_later_than(&mut self, due: Timestamp) {
        if self.due.is_none_or(|had| due < had) {
            self.set(due);
        }
    }

    pub(super) const fn clear(&mut self) {
        self.due = None;
        self.parked = 0;
    }
}

/// What of a task the sets depend on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Which never changes.
    pub(super) namespace: TaskNamespaceId,
    pub(super) open: bool,
    pub(super) running: bool,
    pub(super) due: Option<Timestamp>,
}

impl Standing {
    /// Of the same task when it is in none of the sets.
    pub(super) const fn without_sets(self) -> Self {
        Self { namespace: self.namespace, open: false, running: false, due: None }
    }
}

#[derive(Default)]
pub(super) struct Sets {
    /// Of each namespace.
    wakes: BTreeMap<TaskNamespaceId, BTreeSet<(Timestamp, TaskId)>>,
    /// What the sweep looks at: finished tasks cost it nothing.
    open: BTreeSet<TaskId>,
    /// What beats and rescues look at.
    running: BTreeSet<TaskId>,
}

impl Sets {
    pub(super) fn follow(&mut self, task: TaskId, before: Standing, after: Standing) {
        if before.due != after.due {
            let wakes = self.wakes.entry(after.namespace).or_default();
            if let Some(due) = before.due {
                wakes.remove(&(due, task));
            }
            wakes.extend(after.due.map(|due| (due, task)));
        }
        member(&mut self.open, task, before.open, after.open);
        member(&mut self.running, task, before.running, after.running);
    }

    /// Tasks with a running step, ascending.
    pub(super) fn running(&self) -> Vec<TaskId> {
        self.running.iter().copied().collect()
    }
}

fn member(set: &mut BTreeSet<TaskId>, task: TaskId, before: bool, after: bool) {
    match (before, after) {
        (false, true) => drop(set.insert(task)),
        (true, false) => drop(set.remove(&task)),
        _ => {}
    }
}

impl Store {
    pub(super) fn due(&self, now: Timestamp, limit: usize) -> Due {
        let mut lines: Vec<_> = self.sets.wakes.values().map(|wakes| wakes.iter().peekable()).collect();
        let mut wakes = vec![];
        let mut told = true;
        while std::mem::take(&mut told) {
            for line in &mut lines {
                if wakes.len() < limit
                    && let Some((_, task)) = line.next_if(|(due, _)| *due <= now)
                {
                    let (due, generation) =
                        self.task(*task).wake.told().expect("a task in the set has a wake");
                    wakes.push(Wake { due, task: *task, generation });
                    told = true;
                }
            }
        }
        let next = lines.iter_mut().filter_map(|line| line.peek()).map(|(due, _)| *due).min();
        Due { wakes, next }
    }

    pub(super) fn sweep(&mut self, now: Timestamp, after: Option<TaskId>, limit: usize) -> Swept {
        let above = after.map_or(Bound::Unbounded, Bound::Excluded);
        let open = self.sets.open.range((above, Bound::Unbounded)).copied();
        let forgotten: Vec<_> = open
            .filter(|task| self.task(*task).is_forgotten() && !makes(Defect::NoSweep))
            .take(limit)
            .collect();
        for task in &forgotten {
            self.touch(*task, now, |task, _| task.wake.set(now));
        }
        let woken = forgotten.len();
        let next = if woken == limit { forgotten.last().copied().or(after) } else { None };
        Swept { woken, next }
    }
}
