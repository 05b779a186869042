//! What one call is about, and how it is cut.

use crate::{HandlerRoom, Outcome, Room, TaskId};

/// What goes to the storage in one call.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) wanted: Vec<TaskId>,
    pub(super) room: Room,
}

/// A call about fewer outcomes and tasks than this gains nothing from being made beside another one.
const WORTH_A_CALL: usize = 12;

impl Batch {
    fn len(&self) -> usize {
        self.outcomes.len() + self.wanted.len()
    }

    /// Deals the tasks to as many calls as are worth it, up to so many, each with its share of the room. Rooms of handlers
    /// are not shared out: a call that had none left for what is ready there would leave the task for later.
    pub(super) fn dealt(self, calls: usize) -> Vec<Self> {
        let calls = calls.min(self.len() / WORTH_A_CALL);
        if calls < 2 || self.room.handlers != HandlerRoom::Every {
            return vec![self];
        }
        let (whole, room) = (self.len(), self.room.clone());
        let empty = Self { outcomes: vec![], wanted: vec![], room: Room { total: 0, ..room.clone() } };
        let mut parts = vec![empty; calls];
        let part = |task: TaskId| usize::try_from(task.0.unsigned_abs()).unwrap_or(usize::MAX) % calls;
        self.outcomes.into_iter().for_each(|outcome| parts[part(outcome.task)].outcomes.push(outcome));
        self.wanted.into_iter().for_each(|task| parts[part(task)].wanted.push(task));
        parts.retain(|part| part.len() > 0);
        parts.iter_mut().for_each(|part| part.room.total = room.total * part.len() / whole);
        // What is left over by rounding.
        parts[0].room.total += room.total - parts.iter().map(|part| part.room.total).sum::<usize>();
        parts
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn batch(wanted: usize, room: usize) -> Batch {
        let wanted = (1..).take(wanted).map(TaskId).collect();
        Batch { outcomes: vec![], wanted, room: Room::of(room) }
    }

    #[test]
    fn each_task_is_in_one_call_and_the_room_is_shared_out() {
        for (tasks, room, calls) in [(100, 77, 2), (101, 3, 3), (50, 0, 4), (1_000, 1_000, 7)] {
            let parts = batch(tasks, room).dealt(calls);
            assert_eq!(parts.len(), calls);
            assert_eq!(parts.iter().map(|part| part.room.total).sum::<usize>(), room);
            let mut dealt: Vec<_> = parts.into_iter().flat_map(|part| part.wanted).collect();
            dealt.sort_unstable();
            assert_eq!(dealt, batch(tasks, room).wanted);
        }
    }

    #[test]
    fn a_small_wave_and_one_with_rooms_of_handlers_goes_in_one_call() {
        assert_eq!(batch(1, 1).dealt(2).len(), 1);
        assert_eq!(batch(2 * WORTH_A_CALL - 1, 100).dealt(2).len(), 1);
        let mut limited = batch(100, 100);
        limited.room.handlers = HandlerRoom::Limited(BTreeMap::new());
        assert_eq!(limited.dealt(2).len(), 1);
    }
}
