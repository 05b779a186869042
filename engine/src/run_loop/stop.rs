//! Workers that stop: what runs may end within its grace, then it is cut off.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{RunLoop, Running, Stopping};
use crate::ids::IdSet;
use crate::inbox::Finished;
use crate::{
    Busy, Clock, EngineTypes, ErrorReport, EventName, Outcome, OutcomeKind, RetryAdvice, Timestamp, Token,
    WORKER_SHUTDOWN,
};

impl<T: EngineTypes> RunLoop<T> {
    pub(super) fn stop(&mut self, grace: Duration, done: oneshot::Sender<Busy>) {
        self.serving = self.serving.saturating_sub(1);
        self.shared.tell_of_worker(EventName::WorkerStopped);
        let mut tokens = IdSet::default();
        if self.serving == 0 {
            self.ask_at = None;
            let own = self.running.iter().filter(|(_, running)| !self.waiting.contains_key(&running.task));
            tokens.extend(own.map(|(token, _)| *token));
            let waiting = &self.waiting;
            self.wanted.retain(|task| waiting.contains_key(task));
            self.for_others.clear();
            self.rooms.retain(|task| waiting.contains_key(task));
            self.timers.retain(|(_, task)| waiting.contains_key(task));
            let left: Vec<_> =
                self.received.keys().copied().filter(|task| !waiting.contains_key(task)).collect();
            self.give_back(left);
            tokens.extend(self.finished.iter().map(|finished| finished.outcome.token));
            tokens.extend(&self.sending);
        }
        let until = self.shared.clock.now() + grace;
        self.stopping.push(Stopping { tokens, until, done: Some(done) });
        self.finish_stopping();
    }

    pub(super) fn finish_stopping(&mut self) {
        for stopping in &mut self.stopping {
            if stopping.tokens.is_empty()
                && let Some(done) = stopping.done.take()
            {
                // Whoever asked may not wait for the answer.
                let _ = done.send(self.shared.clock.busy());
            }
        }
        self.stopping.retain(|stopping| stopping.done.is_some());
    }

    pub(super) fn cut_off(&mut self, now: Timestamp) {
        let late: Vec<Token> = self
            .stopping
            .iter()
            .filter(|stopping| stopping.until <= now)
            .flat_map(|stopping| stopping.tokens.iter().copied())
            .collect();
        for token in late {
            let Some(running) = self.remove_running(token) else { continue };
            running.abort.abort();
            let message = "the worker stopped before the step had ended".to_owned();
            let error = ErrorReport { class: WORKER_SHUTDOWN.into(), message, code: None };
            let Running { task, step, attempt, .. } = running;
            let kind = OutcomeKind::Failed { error, retry: RetryAdvice::Default };
            let outcome =
                Outcome { task, step, token, attempt, duration: Duration::ZERO, kind, spawned: vec![] };
            self.finished.push(Finished { outcome, bytes: 0, published: vec![] });
        }
    }

    /// Whoever stops waits for a storage that is away no longer than its grace. What is not recorded then is sent on as
    /// long as the process lives; when it ends, the steps are taken for lost.
    pub(super) fn let_go(&mut self, outcomes: usize) {
        let now = self.shared.clock.now();
        self.cut_off(now);
        let over = |stopping: &mut Stopping| stopping.until <= now;
        for Stopping { done, .. } in self.stopping.extract_if(.., over) {
            tracing::error!(
                outcomes,
                "stopped before the storage came back, with outcomes that it does not know"
            );
            // Whoever asked may not wait for the answer.
            let _ = done.map(|done| done.send(self.shared.clock.busy()));
        }
    }
}
