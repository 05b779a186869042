//! What all processes of a simulation share: the storage behind a network, chance, and whoever watches over the rules.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use tasker_engine::{Clock as _, SimulatedClock, StorageError, TaskId, Timestamp, Wake};
use tasker_storage::memory::MemoryStorage;

use crate::call::{Answer, Call};
use crate::checks::{Check, Checker, Violation};
use crate::network::{Letter, Network, OFFICE, ProcessId, ReplySlot};
use crate::plan::{Faults, Habits, chance};
use crate::trace::Trace;
use crate::{Counts, panics};

pub(crate) struct World {
    pub(crate) clock: SimulatedClock,
    /// Guards everything; one thread simulates, so nobody ever waits for it.
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) random: Rng,
    pub(crate) network: Network,
    pub(crate) storage: MemoryStorage,
    pub(crate) checker: Checker,
    pub(crate) trace: Trace,
    pub(crate) counts: Counts,
    pub(crate) faults: Faults,
    pub(crate) habits: Habits,
    /// How many slots there are.
    pub(crate) slots: usize,
    /// Tasks that somebody will wait for, and in which slot.
    pub(crate) watchers: Vec<(usize, TaskId, Option<Duration>)>,
    /// Who waits, and for which task.
    pub(crate) watching: BTreeSet<(ProcessId, TaskId)>,
    /// What the office has under way.
    pub(crate) jobs: usize,
    /// Until then nobody reaches the storage.
    pub(crate) outage_until: Timestamp,
    /// Processes that are to die at once.
    pub(crate) dying: Vec<ProcessId>,
    /// The first rule that was broken.
    pub(crate) violation: Option<Violation>,
}

impl World {
    pub(crate) const fn new(clock: SimulatedClock, state: State) -> Self {
        Self { clock, state: Mutex::new(state) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the world")
    }

    /// What is left when all processes are gone.
    pub(crate) fn into_state(self) -> State {
        self.state.into_inner().expect("nothing panics while it holds the world")
    }

    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        let now = self.clock.now();
        self.lock().trace.note(now, what);
    }

    /// Remembers the first rule that is broken.
    pub(crate) fn hold(&self, check: impl FnOnce(&mut State, Timestamp) -> Check) {
        let now = self.clock.now();
        let mut state = self.lock();
        if let Err(violation) = check(&mut state, now) {
            state.violation.get_or_insert(violation);
        }
    }

    /// A call on its way to the storage, and the reply on its way back.
    pub(crate) async fn ask(&self, from: ProcessId, call: Call) -> Result<Answer, StorageError> {
        // Whoever waits for a storage works, as far as time is concerned.
        let _busy = self.clock.busy();
        let reply = ReplySlot::default();
        self.lock().send_request(from, call, reply.clone(), self.clock.now());
        reply.await
    }

    /// Lets letters that can be delivered arrive, one at a time. A hint is handed out.
    pub(crate) fn deliver(&self) -> Option<(usize, Wake)> {
        let now = self.clock.now();
        let mut state = self.lock();
        let State { network, random, .. } = &mut *state;
        match network.take(random) {
            Letter::Request { from, call, reply, reply_lost } => {
                state.serve(from, &call, reply, reply_lost, now);
                None
            }
            Letter::Reply { to, slot, answer } => {
                if let Ok(answer) = &answer {
                    state.checker.delivered(to, answer);
                }
                drop(state);
                slot.fill(answer);
                None
            }
            Letter::Hint { slot, wake } => Some((slot, wake)),
        }
    }
}

impl State {
    fn send_request(&mut self, from: ProcessId, call: Call, reply: ReplySlot, now: Timestamp) {
        let arrives = now + self.delay();
        if now < self.outage_until || chance(&mut self.random, self.faults.request_lost) {
            self.counts.faults += 1;
            self.trace.note(now, format_args!("{from}: {call}: the request is lost"));
            self.network.send(Letter::Reply { to: from, slot: reply, answer: Err(unavailable()) }, arrives);
        } else if chance(&mut self.random, self.faults.request_late) {
            self.counts.faults += 1;
            self.trace.note(now, format_args!("{from}: {call}: the request is late, and given up"));
            let late = arrives + self.delay() + Duration::from_millis(self.random.u64(0..3000));
            self.network.send(Letter::Reply { to: from, slot: reply, answer: Err(unavailable()) }, arrives);
            self.network.send(Letter::Request { from, call, reply: None, reply_lost: false }, late);
        } else {
            let reply_lost = chance(&mut self.random, self.faults.reply_lost);
            self.counts.faults += u64::from(reply_lost);
            self.network.send(Letter::Request { from, call, reply: Some(reply), reply_lost }, arrives);
        }
    }

    /// The storage does what it was asked, and the rules are checked.
    fn serve(
        &mut self,
        from: ProcessId,
        call: &Call,
        reply: Option<ReplySlot>,
        reply_lost: bool,
        now: Timestamp,
    ) {
        let dies = from != OFFICE && chance(&mut self.random, self.faults.crash_at_call);
        let crash = dies.then(|| self.random.bool());
        if crash == Some(true) && reply.is_some() {
            self.trace.note(now, format_args!("{from}: {call}: dies before"));
            self.dying.push(from);
            return;
        }
        let answer = self.carry_out(from, call, reply_lost, now);
        let Some(slot) = reply else { return };
        if crash == Some(false) {
            self.trace.note(now, format_args!("{from}: dies after"));
            self.dying.push(from);
            return;
        }
        let answer = if reply_lost { Err(unavailable()) } else { answer };
        let arrives = now + self.delay();
        self.network.send(Letter::Reply { to: from, slot, answer }, arrives);
    }

    fn carry_out(
        &mut self,
        from: ProcessId,
        call: &Call,
        reply_lost: bool,
        now: Timestamp,
    ) -> Result<Answer, StorageError> {
        self.counts.events += 1;
        let storage = self.storage.clone();
        let Ok(answer) = catch_unwind(AssertUnwindSafe(|| call.carry_out(&storage))) else {
            let why = Violation::new("the storage does not panic", format!("{call}: {}", panics::take()));
            self.violation.get_or_insert(why);
            return Err(unavailable());
        };
        let fate = if reply_lost { " (the reply is lost)" } else { "" };
        answer.iter().for_each(|answer| self.counts.met.count(call, answer));
        match &answer {
            Ok(answer) => self.trace.note(now, format_args!("{from}: {call} -> {answer}{fate}")),
            Err(error) => self.trace.note(now, format_args!("{from}: {call} -> {error}{fate}")),
        }
        if let Err(violation) = self.checker.event(from, call, answer.as_ref().ok(), now) {
            self.violation.get_or_insert(violation);
        }
        answer
    }

    /// How long a letter is under way.
    fn delay(&mut self) -> Duration {
        if chance(&mut self.random, self.faults.delayed) {
            self.faults.longest_delay.mul_f64(self.random.f64())
        } else {
            Duration::ZERO
        }
    }

    /// What the queue makes of hints. It is told whether it takes them; it may say no and take them all the same.
    pub(crate) fn send_hints(&mut self, wakes: &[Wake], now: Timestamp) -> bool {
        let fails = chance(&mut self.random, self.faults.queue_fails);
        if fails && self.random.bool() {
            return false;
        }
        for wake in wakes {
            if chance(&mut self.random, self.faults.hint_lost) {
                continue;
            }
            let copies = if chance(&mut self.random, self.faults.hint_doubled) { 2 } else { 1 };
            for _ in 0..copies {
                let is_delayed = chance(&mut self.random, self.faults.hint_delayed);
                let delay = if is_delayed { self.random.u64(0..20_000) } else { 0 };
                let slot = self.random.usize(..self.slots);
                self.network.send(Letter::Hint { slot, wake: *wake }, now + Duration::from_millis(delay));
            }
        }
        !fails
    }
}

/// What a caller is told when a call, or its answer, is lost.
fn unavailable() -> StorageError {
    StorageError::Unavailable("the connection was lost".into())
}
