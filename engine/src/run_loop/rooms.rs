//! The rooms of handlers: how many steps of each may run here at a time, and who waits for one.

use std::collections::BTreeMap;

use super::wanted::Wanted;
use crate::{HandlerName, HandlerRoom, TaskId};

/// Those handlers that have a room.
pub(super) struct Rooms(BTreeMap<HandlerName, Room>);

struct Room {
    of: usize,
    running: usize,
    /// Tasks that were looked at when there was none left, and have a step for it.
    waiting: Wanted,
}

impl Room {
    /// More may run than there was room for: claims that were told again after a lost reply.
    const fn left(&self) -> usize {
        self.of.saturating_sub(self.running)
    }
}

impl Rooms {
    pub(super) fn new(rooms: &BTreeMap<HandlerName, usize>) -> Self {
        let room = |of: &usize| Room { of: *of, running: 0, waiting: Wanted::default() };
        Self(rooms.iter().map(|(handler, of)| (handler.clone(), room(of))).collect())
    }

    /// As the storage is told.
    pub(super) fn left(&self) -> HandlerRoom {
        if self.0.is_empty() {
            return HandlerRoom::Every;
        }
        HandlerRoom::Limited(self.0.iter().map(|(handler, room)| (handler.clone(), room.left())).collect())
    }

    pub(super) fn take(&mut self, handler: &HandlerName) {
        if let Some(room) = self.0.get_mut(handler) {
            room.running += 1;
        }
    }

    pub(super) fn give_back(&mut self, handler: &HandlerName) {
        if let Some(room) = self.0.get_mut(handler) {
            room.running -= 1;
        }
    }

    /// A task waits until there is room for a step of that handler.
    pub(super) fn wait(&mut self, handler: &HandlerName, task: TaskId) {
        if let Some(room) = self.0.get_mut(handler) {
            room.waiting.insert(task);
        }
    }

    /// Those that have waited longest, as many as there is room for.
    pub(super) fn next(&mut self) -> Vec<TaskId> {
        self.0.values_mut().flat_map(|room| room.waiting.take(room.left(), |_| None)).collect()
    }

    pub(super) fn is_waiting(&self, task: TaskId) -> bool {
        self.0.values().any(|room| room.waiting.contains(&task))
    }

    /// How many wait, at most.
    pub(super) fn waiting(&self) -> usize {
        self.0.values().map(|room| room.waiting.len()).sum()
    }

    pub(super) fn retain(&mut self, mut keeps: impl FnMut(&TaskId) -> bool) {
        self.0.values_mut().for_each(|room| room.waiting.retain(&mut keeps));
    }
}
