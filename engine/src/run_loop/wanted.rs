//! Tasks to be looked at: first come, first served.

use std::collections::VecDeque;

use crate::TaskId;
use crate::ids::IdSet;

/// Tasks in the order in which they came to be wanted, each once.
#[derive(Default)]
pub(super) struct Wanted {
    /// Those that were taken out otherwise than from the front stand here still.
    order: VecDeque<TaskId>,
    members: IdSet<TaskId>,
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

    /// Behind all others, unless it stands there already.
    pub(super) fn insert(&mut self, task: TaskId) {
        if self.members.insert(task) {
            self.order.push_back(task);
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

    /// Those that came first, so many at most.
    pub(super) fn take(&mut self, most: usize) -> Vec<TaskId> {
        let mut taken = Vec::with_capacity(most.min(self.members.len()));
        while taken.len() < most
            && let Some(task) = self.order.pop_front()
        {
            if self.members.remove(&task) {
                taken.push(task);
            }
        }
        taken
    }

    /// Now and then, so that the order is never much longer than what is in it.
    fn forget_the_removed(&mut self) {
        if self.order.len() > 2 * self.members.len() + 64 {
            let mut seen = IdSet::default();
            self.order.retain(|task| self.members.contains(task) && seen.insert(*task));
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

    fn wanted(tasks: impl IntoIterator<Item = i64>) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.extend(tasks.into_iter().map(TaskId));
        wanted
    }

    #[test]
    fn who_came_first_is_served_first_and_once() {
        let mut wanted = wanted([5, 3, 9, 3, 5, 1]);
        assert_eq!(wanted.take(2), [TaskId(5), TaskId(3)]);
        wanted.insert(TaskId(5));
        assert_eq!(wanted.take(9), [9, 1, 5].map(TaskId));
        assert!(wanted.is_empty() && wanted.take(1).is_empty());
    }

    #[test]
    fn who_left_and_comes_again_is_served_once() {
        let mut wanted = wanted([1, 2, 3]);
        wanted.remove(&TaskId(1));
        wanted.insert(TaskId(1));
        wanted.retain(|task| task.0 != 2);
        let mut taken = wanted.take(9);
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
        assert!(wanted.order.len() < 200, "{}", wanted.order.len());
        assert_eq!(wanted.take(9), [TaskId(0)]);
    }
}
