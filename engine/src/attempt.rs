//! One attempt: runs a handler, and turns whatever happens into an outcome.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use tracing::Instrument as _;

use crate::clock::CallClock;
use crate::custom_event::Publishing;
use crate::definition::BoundStep;
use crate::engine::Shared;
use crate::handler::Spawning;
use crate::inbox::{Finished, Message};
use crate::{
    Call, Claim, Clock, Definition, DynHandler, EngineTypes, Outcome, OutcomeKind, PANIC, Retry, RetryAdvice,
    SpawnedStep, StepError, StepName, StepResult, TIMEOUT, TaskId, payload,
};

/// Everything that turns the result of a handler into an outcome.
pub(crate) struct Attempt {
    pub(crate) task: TaskId,
    pub(crate) claim: Claim,
    pub(crate) bound: Arc<BoundStep>,
    pub(crate) definition: Definition,
    pub(crate) spawned: Spawning,
    pub(crate) published: Publishing,
    pub(crate) clock: Arc<CallClock>,
    pub(crate) seed: u64,
    pub(crate) max_backoff: Duration,
    /// Of steps that do not say so themselves.
    pub(crate) step_timeout: Option<Duration>,
}

impl Attempt {
    /// Runs the handler to its end, and posts how it ended. Never panics, whatever the handler does.
    ///
    /// Each attempt is a task of the runtime, which moves it whole: what is large goes to the heap with the handler.
    pub(crate) async fn run<T: EngineTypes>(self, call: Call, shared: Arc<Shared<T>>) {
        let begun = self.clock.now();
        let name = call.name().clone();
        let span = tracing::info_span!(
            "step",
            task = self.task.0,
            step = %name,
            attempt = self.claim.attempt,
            correlation_id = call.correlation_id(),
        );
        let handler = guarded(&*self.bound.handler, call).instrument(span);
        let result = match self.bound.timeout.or(self.step_timeout) {
            None => handler.await,
            Some(timeout) => Box::pin(self.within(timeout, handler)).await,
        };
        let duration = self.clock.now().since(begun);
        shared.post(Message::Finished(self.finished(result, &name, duration)));
        // Only now may a simulated clock go on: the loop has been told.
        drop(self.clock);
    }

    fn finished(&self, result: StepResult<Value>, name: &StepName, duration: Duration) -> Finished {
        let (kind, spawned) = match result {
            Ok(output) => (OutcomeKind::Completed(Arc::new(output)), self.spawned_steps(name)),
            Err(error) => (self.failed(&error), vec![]),
        };
        let bytes = match &kind {
            OutcomeKind::Completed(value) => payload::size(value),
            _ => 0,
        };
        let Claim { token, step, attempt, .. } = self.claim;
        Finished {
            outcome: Outcome { task: self.task, step, token, attempt, duration, kind, spawned },
            bytes,
            published: self.published.take(),
        }
    }

    /// Past the timeout the handler's future is dropped where it waits.
    async fn within(
        &self,
        timeout: Duration,
        handler: impl Future<Output = StepResult<Value>>,
    ) -> StepResult<Value> {
        let deadline = self.clock.inner().sleep_until(self.clock.now() + timeout);
        tokio::select! {
            biased;
            result = handler => result,
            // The handler is dropped by now, and so awake again: only then may the guard of the deadline go.
            woken = deadline => {
                drop(woken);
                let text = format!("the step took longer than {} s", timeout.as_secs_f64());
                Err(StepError::retryable(text).class(TIMEOUT))
            }
        }
    }

    fn failed(&self, error: &StepError) -> OutcomeKind {
        if let Retry::Snooze(wait) = error.retry() {
            return OutcomeKind::Snooze { until: self.clock.now() + wait };
        }
        let retry = match (error.advice(), &self.bound.retry) {
            (RetryAdvice::Default, Some(policy)) => {
                let mut random = fastrand::Rng::with_seed(self.seed);
                RetryAdvice::After(policy.wait(self.claim.attempt, &mut random))
            }
            (RetryAdvice::After(wait), _) => RetryAdvice::After(wait.min(self.max_backoff)),
            (advice, _) => advice,
        };
        OutcomeKind::Failed { error: error.report(), retry }
    }

    fn spawned_steps(&self, own: &StepName) -> Vec<SpawnedStep> {
        let requests =
            std::mem::take(&mut *self.spawned.lock().expect("nothing panics while it adds a step"));
        let steps = requests.into_iter().map(|request| {
            let policy = request.entry.policy;
            // A step that takes what it spawns more of has had its share.
            let joins = self.definition.joins_of(&request.entry).into_iter().filter(|join| join != own);
            SpawnedStep {
                name: request.name,
                handler: request.entry.name,
                config: Arc::new(request.config),
                retry_limit: policy.retry_limit,
                retryable: policy.retryable,
                after: request.after,
                before: joins.chain(request.before).collect(),
            }
        });
        steps.collect()
    }
}

/// A panic is a failed attempt, and the worker lives. Making the future is the handler's code, too.
fn guarded(handler: &dyn DynHandler, call: Call) -> impl Future<Output = StepResult<Value>> + Send {
    let mut made = catch_unwind(AssertUnwindSafe(|| handler.call(call)));
    poll_fn(move |context| {
        let polled = match &mut made {
            Ok(future) => catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))),
            Err(panic) => return Poll::Ready(Err(panicked(&**panic))),
        };
        polled.unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
    })
}

fn panicked(panic: &(dyn Any + Send)) -> StepError {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text =
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned());
    StepError::retryable(format!("the handler panicked: {text}")).class(PANIC).code(PANIC)
}
