//! What is under way between processes, the storage and the queue.
//!
//! A letter is delivered in any order among those whose moment has come; so calls that are made at the same time take
//! effect in every order, sooner or later.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use tasker_engine::{StorageError, Timestamp, Wake};

use crate::call::{Answer, Call};

/// A start of a process, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProcessId(pub(crate) usize);

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// The process that creates tasks and operates; it does not die.
pub(crate) const OFFICE: ProcessId = ProcessId(0);

/// Something under way.
pub(crate) enum Letter {
    /// To the storage.
    Request {
        from: ProcessId,
        call: Call,
        /// Where the reply goes; `None` when the caller has been told that it failed.
        reply: Option<ReplySlot>,
        /// The reply will be lost.
        reply_lost: bool,
    },
    /// From the storage.
    Reply { to: ProcessId, slot: ReplySlot, answer: Result<Answer, StorageError> },
    /// From the queue, to whoever runs in that slot.
    Hint { slot: usize, wake: Wake },
}

/// All that is under way.
#[derive(Default)]
pub(crate) struct Network {
    due: Vec<Letter>,
    later: BTreeMap<(Timestamp, u64), Letter>,
    sent: u64,
}

impl Network {
    pub(crate) fn send(&mut self, letter: Letter, arrives: Timestamp) {
        self.sent += 1;
        self.later.insert((arrives, self.sent), letter);
    }

    /// How many can be delivered.
    pub(crate) fn due(&mut self, now: Timestamp) -> usize {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            self.due.push(entry.remove());
        }
        self.due.len()
    }

    /// Any one of those that can be delivered.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn take(&mut self, random: &mut Rng) -> Letter {
        let place = random.usize(..self.due.len());
        self.due.swap_remove(place)
    }

    /// When the next one arrives that has not yet.
    pub(crate) fn next_arrival(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((arrives, _), _)| *arrives)
    }
}

/// Where a caller waits for a reply.
#[derive(Clone, Default)]
pub(crate) struct ReplySlot {
    /// Guards the reply and who waits for it; held for a few instructions.
    state: Arc<Mutex<SlotState>>,
}

#[derive(Default)]
struct SlotState {
    answer: Option<Result<Answer, StorageError>>,
    waker: Option<Waker>,
}

impl ReplySlot {
    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().expect("nothing panics while it holds the slot")
    }

    /// Lets the caller go on, if it is still there.
    pub(crate) fn fill(&self, answer: Result<Answer, StorageError>) {
        let mut state = self.lock();
        state.answer = Some(answer);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Future for ReplySlot {
    type Output = Result<Answer, StorageError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.lock();
        match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
