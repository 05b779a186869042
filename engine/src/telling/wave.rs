//! What is told of a wave: the facts of one commit, task by task, each in the order in which it was made true.
//!
//! ```text
//! what ended ▸ what was cancelled in passing ▸ the task began ▸ what was claimed ▸ how the task was settled,
//! or when it is looked at again
//! ```

use std::time::Duration;

use super::step::Attempted;
use super::task::Cause;
use super::{About, Facts, Row};
use crate::custom_event::Published;
use crate::engine::Shared;
use crate::events::payload::{
    Custom, NoViableSteps, ReenqueueDelayed, ReenqueueRequested, StateUnclear, StepMove, StepRequested,
    StepStarting, StepsDiscovered, StepsEnded, StepsStarted, WorkHandled, WorkRequested,
};
use crate::ids::IdMap;
use crate::{
    Claim, EngineTypes, EventName, Fact, HandlerName, Moment, Outcome, OutcomeKind, Progress, Recording,
    StepState, TaskId, TaskState, Timestamp, Token, TransitionId, audit, reason,
};

use EventName as N;

/// What the run loop remembers for the sake of what it tells.
#[derive(Default)]
pub(crate) struct Telling {
    /// When each attempt that runs here was claimed; only while somebody listens.
    claimed: IdMap<Token, Timestamp>,
    /// When the last wave was sent.
    begun: Option<Timestamp>,
    /// What attempts have published, until their outcomes are recorded.
    published: IdMap<Token, Vec<Published>>,
}

/// One call and what came of it.
pub(crate) struct Wave<'a> {
    pub(crate) outcomes: &'a [Outcome],
    pub(crate) wanted: &'a [TaskId],
    /// Whether it only parks wakes.
    pub(crate) parks: bool,
}

impl Telling {
    /// A wave is sent.
    pub(crate) const fn begins(&mut self, at: Timestamp) {
        self.begun = Some(at);
    }

    /// Keeps what an attempt has published.
    pub(crate) fn keep(&mut self, token: Token, published: Vec<Published>) {
        if !published.is_empty() {
            self.published.insert(token, published);
        }
    }

    /// Tells that wakes are taken up.
    pub(crate) fn taken_up<T: EngineTypes>(shared: &Shared<T>, tasks: &[TaskId]) {
        let Some(mut facts) = shared.facts().filter(|_| !tasks.is_empty()) else { return };
        for task in tasks {
            let about = About::known(*task, shared.known().get(*task).as_ref());
            let orchestration = facts.orchestration(&about.subject, "orchestration_requested");
            let worker_id = shared.settings.worker;
            facts.add(N::WorkflowOrchestrationRequested, Row::of_task(*task, None), || {
                Fact::WorkflowOrchestrationRequested(Box::new(WorkRequested { orchestration, worker_id }))
            });
        }
        shared.publish(facts);
    }

    /// Tells what the storage answered. `runs` says whether attempts of a task run here still.
    pub(crate) fn wave<T: EngineTypes>(
        &mut self,
        shared: &Shared<T>,
        wave: &Wave<'_>,
        progress: &[Progress],
        runs: impl Fn(TaskId) -> bool,
    ) {
        let Some(mut facts) = shared.facts() else {
            self.claimed.clear();
            self.published.clear();
            return;
        };
        let outcomes: IdMap<Token, &Outcome> =
            wave.outcomes.iter().map(|outcome| (outcome.token, outcome)).collect();
        for task in progress.iter().filter(|task| !task.gone) {
            let about = About::known(task.task, shared.known().get(task.task).as_ref());
            let processed = self.ended(&mut facts, &about, task, &outcomes);
            facts.moved_in_passing(&about, task);
            self.claimed(shared, &mut facts, &about, &task.claims);
            let wanted = wave.wanted.contains(&task.task);
            facts.rest(&about, task, processed, wave, wanted && !runs(task.task));
            if wanted {
                let took = self.begun.map_or(Duration::ZERO, |begun| facts.at.since(begun));
                facts.handled_wake(&about, shared.settings.worker, took);
            }
        }
        shared.publish(facts);
    }

    /// What became of the outcomes of a task; answers how many were recorded.
    fn ended(
        &mut self,
        facts: &mut Facts,
        about: &About,
        progress: &Progress,
        outcomes: &IdMap<Token, &Outcome>,
    ) -> usize {
        let (mut processed, mut successful, mut failed) = (0, 0, 0);
        for recorded in &progress.recorded {
            let Some(outcome) = outcomes.get(&recorded.token) else { continue };
            let published = self.published.remove(&recorded.token).unwrap_or_default();
            let attempted = Attempted {
                step: outcome.step,
                attempt: outcome.attempt,
                by: None,
                claimed_at: self.claimed.remove(&recorded.token),
                duration: outcome.duration,
            };
            let refused;
            let (by, kind) = match &recorded.how {
                Recording::Stale => {
                    facts.attempt_stale(about, &attempted, &outcome.kind);
                    continue;
                }
                Recording::Recorded(by) => (Some(*by), &outcome.kind),
                // By an earlier call of this process, whose reply was lost: nobody has told it.
                Recording::AlreadyRecorded => (None, &outcome.kind),
                Recording::NotRecordable(by, error) => {
                    refused = OutcomeKind::Failed { error: error.clone(), retry: crate::RetryAdvice::Never };
                    (Some(*by), &refused)
                }
            };
            let attempted = Attempted { by, ..attempted };
            processed += 1;
            successful += usize::from(matches!(kind, OutcomeKind::Completed(_)));
            failed += usize::from(matches!(kind, OutcomeKind::Failed { .. }));
            facts.attempt_recorded(about, &attempted, kind, recorded.blocked);
            if matches!(kind, OutcomeKind::Completed(_)) {
                published.into_iter().for_each(|event| facts.custom(about, &attempted, event));
                if !outcome.spawned.is_empty() {
                    let spawned = about.spawned_by(outcome.step);
                    spawned.into_iter().for_each(|step| facts.step_created(about, step));
                }
            }
        }
        if processed > 0 {
            let orchestration = facts.orchestration(&about.subject, "steps_execution_completed");
            facts.add(N::WorkflowStepsExecutionCompleted, Row::of_task(about.task(), None), || {
                Fact::WorkflowStepsExecutionCompleted(Box::new(StepsEnded {
                    orchestration,
                    processed_count: processed,
                    successful_count: successful,
                    failed_count: failed,
                }))
            });
        }
        processed
    }

    fn claimed<T: EngineTypes>(
        &mut self,
        shared: &Shared<T>,
        facts: &mut Facts,
        about: &About,
        claims: &[Claim],
    ) {
        if claims.is_empty() {
            return;
        }
        let row = Row::of_task(about.task(), None);
        let orchestration = facts.orchestration(&about.subject, "viable_steps_discovered");
        facts.add(N::WorkflowViableStepsDiscovered, row, || {
            Fact::WorkflowViableStepsDiscovered(Box::new(StepsDiscovered {
                orchestration,
                step_ids: claims.iter().map(|claim| claim.step).collect(),
                step_names: claims.iter().map(|claim| about.step_name(claim.step)).collect(),
                step_count: claims.len(),
                viable_count: claims.len(),
                processing_mode: "concurrent",
            }))
        });
        for claim in claims {
            self.claimed.insert(claim.token, facts.at);
            facts.claimed(about, claim, shared.settings.worker);
        }
        let orchestration = facts.orchestration(&about.subject, "steps_execution_started");
        facts.add(N::WorkflowStepsExecutionStarted, row, || {
            Fact::WorkflowStepsExecutionStarted(Box::new(StepsStarted {
                orchestration,
                step_count: claims.len(),
                processing_mode: "concurrent",
            }))
        });
    }

    /// Tells that user code is about to run.
    pub(crate) fn before_handle<T: EngineTypes>(
        shared: &Shared<T>,
        task: TaskId,
        claim: &Claim,
        handler: &HandlerName,
    ) {
        let Some(mut facts) = shared.facts() else { return };
        let about = About::known(task, shared.known().get(task).as_ref());
        let at = facts.at;
        let row = Row::of_step(task, claim.step, Some(TransitionId(claim.token.0)));
        facts.add(N::StepBeforeHandle, row, || {
            let step = about.step_keys(claim.step, claim.attempt, "before_handle", at);
            Fact::StepBeforeHandle(Box::new(StepStarting { step, handler_class: handler.clone() }))
        });
        shared.publish(facts);
    }

    /// Tells that user code returned.
    pub(crate) fn handled<T: EngineTypes>(&self, shared: &Shared<T>, outcome: &Outcome) {
        let Some(mut facts) = shared.facts() else { return };
        let about = About::known(outcome.task, shared.known().get(outcome.task).as_ref());
        let attempted = Attempted {
            step: outcome.step,
            attempt: outcome.attempt,
            by: None,
            claimed_at: self.claimed.get(&outcome.token).copied(),
            duration: outcome.duration,
        };
        facts.handled(&about, &attempted, &outcome.kind);
        shared.publish(facts);
    }

    /// Tells that a task cannot be read.
    pub(crate) fn unclear<T: EngineTypes>(shared: &Shared<T>, task: TaskId, why: &str) {
        let Some(mut facts) = shared.facts() else { return };
        let about = About::known(task, shared.known().get(task).as_ref());
        let orchestration = facts.orchestration(&about.subject, "task_state_unclear");
        facts.add(N::WorkflowTaskStateUnclear, Row::of_task(task, None), || {
            Fact::WorkflowTaskStateUnclear(Box::new(StateUnclear { orchestration, reason: why.into() }))
        });
        shared.publish(facts);
    }
}

impl Facts {
    /// The task began; and steps below a cancelled one ended with it.
    fn moved_in_passing(&mut self, about: &About, progress: &Progress) {
        let cause = Cause { actor: audit::PARENT_CANCELLED, reason: Some("step_cancelled") };
        for moved in &progress.cancelled {
            self.step_cancelled(about, *moved, &cause);
        }
        if let Some(by) = progress.started {
            self.task_started(about, TaskState::Pending, Some(by));
        }
    }

    fn claimed(&mut self, about: &About, claim: &Claim, worker_id: crate::WorkerId) {
        if claim.retries {
            self.step_retried(about, claim.step, claim.attempt, None, audit::ENGINE);
        }
        let at = self.at;
        let row = Row::of_step(about.task(), claim.step, Some(TransitionId(claim.token.0)));
        self.add(N::StepExecutionRequested, row, || {
            let step = about.step_keys(claim.step, claim.attempt, "started", at);
            Fact::StepExecutionRequested(Box::new(StepRequested {
                step: crate::events::payload::StepKeys { started_at: Some(Moment(at)), ..step },
                moved: StepMove {
                    from_state: Some(StepState::Pending),
                    to_state: StepState::InProgress,
                    transitioned_at: Moment(at),
                },
                step_inputs: about.inputs(claim.step),
                step_dependencies: about.parents(claim.step),
                worker_id,
            }))
        });
    }

    /// How the task ended, or when it is looked at again.
    fn rest(&mut self, about: &About, progress: &Progress, processed: usize, wave: &Wave<'_>, idle: bool) {
        match (progress.settled, &progress.ended) {
            (Some(settled), Some(ended)) => {
                return self.task_settled(about, settled.state, settled.by, ended, processed);
            }
            (Some(_), None) => return,
            (None, _) => {}
        }
        if idle && progress.claims.is_empty() {
            let orchestration = self.orchestration(&about.subject, "no_viable_steps");
            self.add(N::WorkflowNoViableSteps, Row::of_task(about.task(), None), || {
                Fact::WorkflowNoViableSteps(Box::new(NoViableSteps {
                    orchestration,
                    reason: "No steps ready for execution",
                    total_steps_checked: about.total_steps(),
                }))
            });
        }
        if let Some(due) = progress.next_wake {
            self.looked_at_again(about, due, wave.parks);
        }
    }

    fn looked_at_again(&mut self, about: &About, due: Timestamp, parks: bool) {
        let (at, row) = (self.at, Row::of_task(about.task(), None));
        if due <= at {
            let orchestration = self.orchestration(&about.subject, "task_reenqueue_requested");
            let reason = reason::READY_STEPS_AVAILABLE;
            self.add(N::WorkflowTaskReenqueueRequested, row, || {
                Fact::WorkflowTaskReenqueueRequested(Box::new(ReenqueueRequested { orchestration, reason }))
            });
            return;
        }
        let orchestration = self.orchestration(&about.subject, "task_reenqueue_delayed");
        self.add(N::WorkflowTaskReenqueueDelayed, row, || {
            Fact::WorkflowTaskReenqueueDelayed(Box::new(ReenqueueDelayed {
                orchestration,
                reason: if parks { reason::PENDING_STEPS_REMAINING } else { reason::RETRY_BACKOFF },
                delay_seconds: due.since(at).as_secs_f64(),
                scheduled_for: Moment(due),
            }))
        });
    }

    fn handled_wake(&mut self, about: &About, worker_id: crate::WorkerId, took: Duration) {
        let orchestration = self.orchestration(&about.subject, "handle");
        self.add(N::ObservabilityTaskHandle, Row::of_task(about.task(), None), || {
            let execution_duration = took.as_secs_f64();
            Fact::ObservabilityTaskHandle(Box::new(WorkHandled {
                orchestration,
                worker_id,
                execution_duration,
            }))
        });
    }

    /// What a step published, once its attempt is recorded.
    fn custom(&mut self, about: &About, attempted: &Attempted, event: Published) {
        let at = self.at;
        let row = Row::of_step(about.task(), attempted.step, attempted.by);
        self.add(N::Custom, row, || {
            Fact::Custom(Box::new(Custom {
                name: event.name,
                subject: std::sync::Arc::clone(&about.subject),
                step_id: attempted.step,
                step_name: about.step_name(attempted.step),
                event_type: "custom",
                timestamp: Moment(at),
                payload: event.payload,
            }))
        });
    }
}
