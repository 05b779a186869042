//! From a claim to a running handler.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{RunLoop, Running};
use crate::attempt::Attempt;
use crate::clock::CallClock;
use crate::custom_event::Publishing;
use crate::handler::Spawning;
use crate::ids::IdMap;
use crate::inbox::Finished;
use crate::known::KnownTask;
use crate::telling::Telling;
use crate::{Call, Claim, Clock, DynClock, EngineTypes, Outcome, OutcomeKind, StepId, TaskId, Token};

impl<T: EngineTypes> RunLoop<T> {
    pub(super) fn start(
        &mut self,
        task: TaskId,
        known: Option<&Arc<KnownTask>>,
        claim: Claim,
        outputs: &IdMap<StepId, Arc<Value>>,
    ) {
        let parents = known.and_then(|known| known.parents(claim.step, &claim.parents, outputs));
        let runnable = known.and_then(|known| known.runnable(claim.step));
        let (Some(known), Some(runnable), Some(parents)) = (known, runnable, parents) else {
            self.shared.known().forget(task);
            self.hand_back(task, &claim);
            return;
        };
        // A repeated call tells again of claims whose reply was lost, and may have claimed more besides.
        if self.room() == 0 {
            self.hand_back(task, &claim);
            return;
        }
        let handler = runnable.handler.clone();
        let shared = Arc::clone(&self.shared);
        let clock = Arc::clone(&shared.clock) as Arc<dyn DynClock>;
        let clock = Arc::new(CallClock::new(clock, shared.clock.busy()));
        let (spawned, published) = (Spawning::default(), Publishing::new(known.definition.clone()));
        let call = Call {
            task,
            step: claim.step,
            name: runnable.name.clone(),
            attempt: claim.attempt,
            token: claim.token,
            correlation: known.correlation.clone(),
            context: Arc::clone(runnable.context),
            config: Arc::clone(&runnable.bound.config),
            parents,
            inputs: Arc::clone(&runnable.bound.inputs),
            resources: shared.resources(),
            spawned: Arc::clone(&spawned),
            published: published.clone(),
            clock: Arc::clone(&clock),
        };
        self.attempts += 1;
        let attempt = Attempt {
            task,
            bound: Arc::clone(runnable.bound),
            definition: known.definition.clone(),
            spawned,
            published,
            clock,
            seed: shared.settings.seed.wrapping_add(self.attempts),
            max_backoff: shared.settings.max_backoff,
            step_timeout: shared.settings.step_timeout,
            claim,
        };
        let Claim { token, step, attempt: number, .. } = attempt.claim;
        Telling::before_handle(&self.shared, task, &attempt.claim, &handler);
        let abort = tokio::spawn(attempt.run(call, shared)).abort_handle();
        self.rooms.take(&handler);
        self.running.insert(token, Running { task, step, handler, attempt: number, abort });
        *self.running_of.entry(task).or_default() += 1;
        if self.beat_at.is_none() {
            self.beat_at = Some(self.shared.clock.now() + self.shared.settings.heartbeat_interval);
        }
    }

    pub(super) fn holds(&self, token: Token) -> bool {
        self.running.contains_key(&token)
            || self.sending.contains(&token)
            || self.ended_here().any(|ended| ended == token)
    }

    /// The claims whose outcomes are not under way.
    pub(super) fn ended_here(&self) -> impl Iterator<Item = Token> {
        let refused = self.refused.iter().map(|(_, refused)| refused);
        self.finished.iter().chain(refused).map(|finished| finished.outcome.token)
    }

    pub(super) fn hand_back(&mut self, task: TaskId, claim: &Claim) {
        let Claim { token, step, attempt, .. } = *claim;
        let outcome = Outcome {
            task,
            step,
            token,
            attempt,
            duration: Duration::ZERO,
            kind: OutcomeKind::HandBack,
            spawned: vec![],
        };
        self.finished.push(Finished { outcome, bytes: 0, published: vec![] });
    }
}
