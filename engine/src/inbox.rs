//! What the run loop is told, and how it waits to be told.
//!
//! ```text
//!   attempts ──Finished──┐
//!   Task::finished ──Watch──┼──▶ messages ──▶ run loop (one task of the runtime, alive while there is work)
//!   Worker ──Serve/Stop──┤
//!   queue ──Hints────────┘
//! ```

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::custom_event::Published;
use crate::{Busy, Clock, EngineError, Handled, Outcome, TaskId, TaskState, Timestamp, Wake};

/// One thing that the run loop is told.
pub(crate) enum Message {
    /// An attempt has ended.
    Finished(Finished),
    /// Somebody waits for a task to settle, and has it driven meanwhile.
    Watch { task: TaskId, id: u64, settled: oneshot::Sender<Result<Watched, EngineError>> },
    /// Somebody wants one pass over a task.
    Pass { task: TaskId, id: u64, until: Timestamp, handled: oneshot::Sender<Result<Passed, EngineError>> },
    /// Who watched or wanted a pass has gone.
    Forget { task: TaskId, id: u64 },
    /// A task may be able to move.
    Look(TaskId),
    /// The queue says that tasks may be able to move, or that it lost hints.
    Hints { wakes: Vec<Wake>, missed: bool },
    /// A worker serves every task from now on.
    Serve,
    /// A worker stops: what runs may go on for `grace`, then it is cut off.
    Stop { grace: Duration, done: oneshot::Sender<Busy> },
}

/// How an attempt ended; the outcome's size in bytes is told, so that a batch can be bounded.
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    pub(crate) bytes: usize,
    /// What the attempt published.
    pub(crate) published: Vec<Published>,
}

/// A task has settled, and the time stands still until its watcher has looked.
pub(crate) struct Watched {
    pub(crate) state: TaskState,
    pub(crate) busy: Busy,
}

/// A pass is over, and the time stands still until whoever wanted it has looked.
pub(crate) struct Passed {
    pub(crate) handled: Handled,
    pub(crate) busy: Busy,
}

#[derive(Default)]
pub(crate) struct Inbox {
    /// Guards the messages and the parked loop; held for a few instructions.
    state: Mutex<InboxState>,
}

#[derive(Default)]
struct InboxState {
    messages: Vec<Message>,
    /// Whether a run loop is there to read them. Whoever posts to none starts one.
    alive: bool,
    parked: Option<Waker>,
    /// Held on behalf of a loop that was woken and has not run yet.
    granted: Option<Busy>,
    next_id: u64,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.state.lock().expect("nothing panics while it holds the inbox")
    }

    /// A number that tells watchers apart.
    pub(crate) fn next_id(&self) -> u64 {
        let mut state = self.lock();
        state.next_id += 1;
        state.next_id
    }

    /// Leaves a message. Answers whether a run loop has to be started to read it.
    #[must_use]
    pub(crate) fn post(&self, message: Message, clock: &impl Clock) -> bool {
        let mut state = self.lock();
        let start = !std::mem::replace(&mut state.alive, true);
        state.leave(message, clock);
        start
    }

    /// Leaves a message for a loop that is alive, and drops it otherwise.
    pub(crate) fn post_if_alive(&self, message: Message, clock: &impl Clock) {
        let mut state = self.lock();
        if state.alive {
            state.leave(message, clock);
        }
    }

    /// All messages.
    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.lock().messages)
    }

    /// Ends the loop, unless something was posted.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.lock();
        let empty = state.messages.is_empty();
        state.alive = !empty;
        empty
    }

    /// Gives up `busy` until a message comes, and yields a guard again.
    pub(crate) const fn park(&self, busy: Busy) -> Park<'_> {
        Park { inbox: self, own: Some(busy) }
    }
}

impl InboxState {
    fn leave(&mut self, message: Message, clock: &impl Clock) {
        self.messages.push(message);
        if let Some(waker) = self.parked.take() {
            self.granted = Some(clock.busy());
            waker.wake();
        }
    }
}

/// See [`Inbox::park`].
pub(crate) struct Park<'a> {
    inbox: &'a Inbox,
    /// Given up only when it is certain that no message is there.
    own: Option<Busy>,
}

impl Future for Park<'_> {
    type Output = Busy;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Busy> {
        let mut state = self.inbox.lock();
        if !state.messages.is_empty() {
            state.parked = None;
            let granted = state.granted.take();
            drop(state);
            let busy = granted.or_else(|| self.own.take());
            return Poll::Ready(busy.expect("a parked loop was granted a guard by whoever woke it"));
        }
        state.parked = Some(context.waker().clone());
        drop(state);
        drop(self.own.take());
        Poll::Pending
    }
}

impl Drop for Park<'_> {
    fn drop(&mut self) {
        let mut state = self.inbox.lock();
        state.parked = None;
        let granted = state.granted.take();
        drop(state);
        drop(granted);
    }
}
