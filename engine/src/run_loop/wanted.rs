//! Tasks to be looked at: first come, first served, in turns between namespaces.

use std::collections::VecDeque;

use crate::TaskId;
use crate::ids::IdSet;

/// Tasks in the order in which they came to be wanted, each once.
#[derive(Default)]
pub(super) struct Wanted {
    /// Those whose line is not known yet. Who was taken out otherwise than in his turn stands in his place still.
    fresh: VecDeque<TaskId>,
    /// The one whose turn it is stands first. None is empty.
    lines: VecDeque<Line>,
    members: IdSet<TaskId>,
}

/// Tasks of one namespace; `None` is of those of which it is not known.
struct Line {
    namespace: Option<Box<str>>,
    tasks: VecDeque<TaskId>,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn contains(&self, task: &TaskId) -> bool {
        self.members.contains(task)
    }

    /// Behind all others of its namespace, unless it stands there already.
    pub(super) fn insert(&mut self, task: TaskId) {
        if self.members.insert(task) {
            self.fresh.push_back(task);
        }
    }

    pub(super) fn remove(&mut self, task: &TaskId) {
        self.members.remove(task);
        self.forget_the_removed();
    }

    pub(super) fn retain(&mut self, keeps: impl FnMut(&TaskId) -> bool) {
        self.members.retain(keeps);
        self.forget_the_removed();
    }

    /// In no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &TaskId> {
        self.members.iter()
    }

    /// Those whose turn it is, so many at most: of each namespace that which came first, then of each the next one. The
    /// next call goes on where this one ended.
    pub(super) fn take<'n>(
        &mut self,
        most: usize,
        namespace: impl Fn(TaskId) -> Option<&'n str>,
    ) -> Vec<TaskId> {
        self.line_up(namespace);
        let mut taken = Vec::with_capacity(most.min(self.members.len()));
        while taken.len() < most
            && let Some(mut line) = self.lines.pop_front()
        {
            let first = std::iter::from_fn(|| line.tasks.pop_front()).find(|task| self.members.remove(task));
            taken.extend(first);
            if !line.tasks.is_empty() {
                self.lines.push_back(line);
            }
        }
        taken
    }

    fn line_up<'n>(&mut self, namespace: impl Fn(TaskId) -> Option<&'n str>) {
        for task in self.fresh.drain(..).filter(|task| self.members.contains(task)) {
            let namespace = namespace(task);
            match self.lines.iter_mut().find(|line| line.namespace.as_deref() == namespace) {
                Some(line) => line.tasks.push_back(task),
                None => self
                    .lines
                    .push_back(Line { namespace: namespace.map(Box::from), tasks: VecDeque::from([task]) }),
            }
        }
    }

    /// Now and then, so that the lines are never much longer than what is in them.
    fn forget_the_removed(&mut self) {
        let lines = self.lines.iter().map(|line| line.tasks.len());
        if self.fresh.len() + lines.sum::<usize>() > 2 * self.members.len() + 64 {
            let mut seen = IdSet::default();
            let mut stays = |task: &TaskId| self.members.contains(task) && seen.insert(*task);
            self.lines.iter_mut().for_each(|line| line.tasks.retain(&mut stays));
            self.fresh.retain(stays);
            self.lines.retain(|line| !line.tasks.is_empty());
        }
    }
}

impl<'a> Extend<&'a TaskId> for Wanted {
    fn extend<I: IntoIterator<Item = &'a TaskId>>(&mut self, tasks: I) {
        tasks.into_iter().for_each(|task| self.insert(*task));
    }
}

impl Extend<TaskId> for Wanted {
    fn extend<I: IntoIterator<Item = TaskId>>(&mut self, tasks: I) {
        tasks.into_iter().for_each(|task| self.insert(task));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(wanted: &mut Wanted, most: usize) -> Vec<TaskId> {
        wanted.take(most, |_| None)
    }

    fn wanted(tasks: impl IntoIterator<Item = i64>) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.extend(tasks.into_iter().map(TaskId));
        wanted
    }

    #[test]
    fn who_came_first_is_served_first_and_once() {
        let mut wanted = wanted([5, 3, 9, 3, 5, 1]);
        assert_eq!(take(&mut wanted, 2), [TaskId(5), TaskId(3)]);
        wanted.insert(TaskId(5));
        assert_eq!(take(&mut wanted, 9), [9, 1, 5].map(TaskId));
        assert!(wanted.is_empty() && take(&mut wanted, 1).is_empty());
    }

    #[test]
    fn who_left_and_comes_again_is_served_once() {
        let mut wanted = wanted([1, 2, 3]);
        wanted.remove(&TaskId(1));
        wanted.insert(TaskId(1));
        wanted.retain(|task| task.0 != 2);
        let mut taken = take(&mut wanted, 9);
        taken.sort();
        assert_eq!(taken, [1, 3].map(TaskId));
    }

    #[test]
    fn the_order_does_not_grow_with_those_that_left() {
        let mut wanted = wanted([0]);
        for task in 1..10_000 {
            wanted.insert(TaskId(task));
            wanted.remove(&TaskId(task));
        }
        assert!(wanted.fresh.len() < 200, "{}", wanted.fresh.len());
        assert_eq!(take(&mut wanted, 9), [TaskId(0)]);
    }

    #[test]
    fn namespaces_take_turns_and_go_on_where_they_were() {
        let namespace = |task: TaskId| Some(if task.0 % 10 == 0 { "few" } else { "crowd" });
        let mut wanted = wanted((1..=9).chain([10, 20, 30]));
        let mut taken = vec![];
        for _ in 0..6 {
            taken.extend(wanted.take(1, namespace));
        }
        assert_eq!(taken, [1, 10, 2, 20, 3, 30].map(TaskId));
        assert_eq!(wanted.take(9, namespace), [4, 5, 6, 7, 8, 9].map(TaskId));
        assert!(wanted.lines.is_empty());
    }
}
