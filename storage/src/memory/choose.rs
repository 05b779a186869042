//! Who gets the worker's room, when there is not enough for all that is ready: in turns, so that a task with a thousand
//! steps does not keep the others waiting.

use tasker_engine::{HandlerName, HandlerRoom, Room, Timestamp};

use super::advance::Draft;
use super::store::Store;

/// What is left of a worker's room.
struct RoomLeft {
    total: usize,
    handlers: HandlerRoom,
}

/// Whether a worker takes a step.
enum Taken {
    Yes,
    /// Not now.
    Full,
    /// It never will.
    NoHandler,
}

impl RoomLeft {
    fn take(&mut self, handler: &HandlerName) -> Taken {
        let of_handler = match &mut self.handlers {
            HandlerRoom::Every => None,
            HandlerRoom::Limited(rooms) => rooms.get_mut(handler),
            HandlerRoom::Only(rooms) => match rooms.get_mut(handler) {
                None => return Taken::NoHandler,
                left => left,
            },
        };
        if self.total == 0 || of_handler.as_ref().is_some_and(|left| **left == 0) {
            return Taken::Full;
        }
        self.total -= 1;
        if let Some(left) = of_handler {
            *left -= 1;
        }
        Taken::Yes
    }

    fn has_room_of_its_own(&self, handler: &HandlerName) -> bool {
        match &self.handlers {
            HandlerRoom::Every => false,
            HandlerRoom::Limited(rooms) | HandlerRoom::Only(rooms) => rooms.contains_key(handler),
        }
    }
}

/// When the task is to be looked at again, as far as it was judged.
#[derive(Default)]
pub(super) struct NextLook {
    pub(super) due: Option<Timestamp>,
    /// Some step is left over for want of room: now.
    pub(super) left_over: bool,
    /// Some step is left over only because this worker has no handler for it.
    pub(super) parked: bool,
}

impl NextLook {
    pub(super) fn no_later_than(&mut self, due: Timestamp) {
        self.due = Some(self.due.map_or(due, |had| had.min(due)));
    }
}

/// Leaves as ready what is to be claimed.
pub(super) fn choose(store: &Store, drafts: &mut [Draft], room: Room) {
    let ready: usize = drafts.iter().map(|draft| draft.ready.len()).sum();
    if ready <= room.total && room.handlers == HandlerRoom::Every {
        // What a task's own limit leaves over, its outcomes will move.
        drafts.iter_mut().for_each(|draft| draft.ready.truncate(draft.may_run));
        return;
    }
    let mut left = RoomLeft { total: room.total, handlers: room.handlers };
    let turns = drafts.iter().map(|draft| draft.ready.len()).max().unwrap_or(0);
    let (wanted, others): (Vec<_>, Vec<_>) = (0..drafts.len()).partition(|place| drafts[*place].wanted);
    // How many of each are chosen: they stand in front, for a turn does not look back.
    let mut chosen = vec![0; drafts.len()];
    for turn in 0..turns {
        for draft in wanted.iter().chain(&others) {
            let (chosen, draft) = (&mut chosen[*draft], &mut drafts[*draft]);
            let Some(step) = draft.ready.get(turn).copied().filter(|_| draft.may_run > 0) else { continue };
            let handler = store.task(draft.task).graph.handler(step);
            match left.take(handler) {
                Taken::Yes => {
                    draft.may_run -= 1;
                    draft.ready[*chosen] = step;
                    *chosen += 1;
                }
                Taken::Full => {
                    draft.next.left_over = true;
                    if left.has_room_of_its_own(handler) {
                        draft.progress.no_room.push(handler.clone());
                    }
                }
                Taken::NoHandler => draft.next.parked = true,
            }
        }
    }
    for (draft, chosen) in drafts.iter_mut().zip(chosen) {
        draft.ready.truncate(chosen);
        draft.progress.no_room.sort_unstable();
        draft.progress.no_room.dedup();
    }
}
