//! What each event says: one type for each name, with the keys of the reference and some of our own. Plain data of the
//! commit that made the fact true.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::decide::{BlockedWhy, ExecutionStatus, HealthStatus, RecommendedAction};
use crate::{
    CorrelationId, HandlerName, StepId, StepName, StepState, TaskId, TaskState, Timestamp, Version, WorkerId,
};

/// A moment in UTC, written as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_millis())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Serialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }
        )*
    };
}

// Parts that many have in common.
payloads! {
    /// The task that events are about; the same value in all of them.
    Subject {
        /// The task.
        task_id: TaskId,
        /// The name of its workflow; `unknown_task` where it could not be found out.
        task_name: Arc<str>,
        /// The namespace of its workflow.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace_name: Option<Arc<str>>,
        /// The version of its workflow.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
        task_version: Option<Version>,
        /// What the task is part of.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
        correlation_id: Option<CorrelationId>,
    }

    /// How a task stands.
    TaskKeys {
        /// The task.
        #[serde(flatten)]
        subject: Arc<Subject>,
        /// Always `Tasker::Task`.
        task_type: &'static str,
        /// What the event is, in the reference's word.
        event_type: &'static str,
        /// When it happened.
        timestamp: Moment,
        /// When the task was created, where that is known.
        started_at: Option<Moment>,
        /// When it was completed.
        completed_at: Option<Moment>,
        /// Seconds from creation to completion.
        total_execution_duration: Option<f64>,
        /// Seconds since creation, unless it is complete.
        current_execution_duration: Option<f64>,
        /// What it works on.
        #[serde(skip_serializing_if = "Option::is_none")]
        task_context: Option<Arc<Value>>,
        /// How its steps stand; where the event settled it, or created it.
        #[serde(flatten)]
        steps: Option<StepCounts>,
    }

    /// Steps of a task, counted.
    StepCounts {
        /// All.
        total_steps: usize,
        /// Complete or resolved.
        completed_steps: usize,
        /// Blocked.
        failed_steps: usize,
        /// All others.
        pending_steps: usize,
    }

    /// A move of a task.
    TaskMove {
        /// The state before; null when the task came into being.
        #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
        from_state: Option<TaskState>,
        /// The state now.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        to_state: TaskState,
        /// When it moved.
        transitioned_at: Moment,
    }

    /// A step and an attempt of it.
    StepKeys {
        /// The task.
        #[serde(flatten)]
        subject: Arc<Subject>,
        /// The step.
        step_id: StepId,
        /// Its name; `unknown_step` where it could not be found out.
        step_name: StepName,
        /// When the attempt was claimed, where this process claimed it.
        started_at: Option<Moment>,
        /// When the step was completed.
        completed_at: Option<Moment>,
        /// Which attempt; 0 before the first.
        attempt_number: u32,
        /// How many there may be, by its template.
        retry_limit: Option<u32>,
        /// What the event is, in the reference's word.
        event_type: &'static str,
        /// When it happened.
        timestamp: Moment,
    }

    /// A move of a step.
    StepMove {
        /// The state before; null when the step came into being.
        #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
        from_state: Option<StepState>,
        /// The state now.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        to_state: StepState,
        /// When it moved.
        transitioned_at: Moment,
    }

    /// What the engine does about a task.
    Orchestration {
        /// The task.
        #[serde(flatten)]
        subject: Arc<Subject>,
        /// What the event is, in the reference's word.
        event_type: &'static str,
        /// Always true.
        orchestration_event: bool,
        /// When it happened.
        timestamp: Moment,
    }
}

// Tasks.
payloads! {
    /// A task was created, paused or resumed.
    TaskPending {
        /// How it stands.
        #[serde(flatten)]
        task: TaskKeys,
        /// The move.
        #[serde(flatten)]
        moved: TaskMove,
        /// Why: `created`, `workflow_paused` or `resumed`.
        reason: Arc<str>,
    }

    /// A task was begun.
    TaskStarted {
        /// How it stands.
        #[serde(flatten)]
        task: TaskKeys,
        /// The move.
        #[serde(flatten)]
        moved: TaskMove,
        /// How many steps it has, where that is known.
        step_count: Option<usize>,
    }

    /// A task is complete.
    TaskCompleted {
        /// How it stands.
        #[serde(flatten)]
        task: TaskKeys,
        /// The move.
        #[serde(flatten)]
        moved: TaskMove,
        /// How many of a hundred steps are complete or resolved.
        completion_percentage: Option<f64>,
        /// How well it does.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        health_status: HealthStatus,
    }

    /// A task went to error.
    TaskFailed {
        /// How it stands.
        #[serde(flatten)]
        task: TaskKeys,
        /// The move.
        #[serde(flatten)]
        moved: TaskMove,
        /// Why.
        error_message: &'static str,
        /// The steps that may never run again by themselves.
        error_steps: Vec<StepName>,
        /// How many these are.
        failed_steps_count: usize,
        /// How many of a hundred steps are complete or resolved.
        completion_percentage: Option<f64>,
        /// How well it does.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        health_status: HealthStatus,
    }

    /// A task in error is tried again.
    TaskRetried {
        /// How it stands.
        #[serde(flatten)]
        task: TaskKeys,
        /// The move.
        #[serde(flatten)]
        moved: TaskMove,
        /// Why.
        retry_reason: Arc<str>,
        /// Who had it tried again.
        triggered_by: Arc<str>,
    }

    /// A task was cancelled.
    TaskCancelled {
        /// How it stands.
        #[serde(flatten)]
        task: TaskKeys,
        /// The move.
        #[serde(flatten)]
        moved: TaskMove,
        /// Who cancelled it, or `all_leaves_cancelled`.
        triggered_by: Arc<str>,
        /// Why, where somebody said so.
        reason: Option<Arc<str>>,
    }

    /// A task in error was declared done.
    TaskResolved {
        /// How it stands.
        #[serde(flatten)]
        task: TaskKeys,
        /// The move.
        #[serde(flatten)]
        moved: TaskMove,
        /// Who declared it.
        resolved_by: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    }

    /// A task has its first wake.
    TaskEnqueued {
        /// How it stands.
        #[serde(flatten)]
        task: TaskKeys,
    }
}

// Steps.
payloads! {
    /// A step came into being, or became pending again.
    StepPending {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// The move.
        #[serde(flatten)]
        moved: StepMove,
        /// Why: `created`, `handed_back`, `snoozed` or `reset`.
        reason: &'static str,
        /// Until when it sleeps.
        #[serde(skip_serializing_if = "Option::is_none")]
        backoff_until: Option<Moment>,
    }

    /// A step was claimed.
    StepRequested {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// The move.
        #[serde(flatten)]
        moved: StepMove,
        /// What it works on.
        #[serde(skip_serializing_if = "Option::is_none")]
        step_inputs: Option<Arc<Value>>,
        /// The steps that it waited for.
        step_dependencies: Vec<StepName>,
        /// Who claimed it.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        worker_id: WorkerId,
    }

    /// User code is about to run.
    StepStarting {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// What runs it.
        handler_class: HandlerName,
    }

    /// A step is complete.
    StepCompleted {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// The move.
        #[serde(flatten)]
        moved: StepMove,
        /// Seconds in user code.
        execution_duration: f64,
        /// What it yielded.
        #[serde(skip_serializing_if = "Option::is_none")]
        step_results: Option<Arc<Value>>,
        /// Who completed it by hand.
        #[serde(skip_serializing_if = "Option::is_none")]
        resolved_by: Option<Arc<str>>,
    }

    /// An attempt failed.
    StepFailed {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// The move.
        #[serde(flatten)]
        moved: StepMove,
        /// Seconds in user code.
        execution_duration: f64,
        /// What went wrong.
        error_message: Arc<str>,
        /// The kind of error.
        error_class: Arc<str>,
        /// The same, under the reference's other key.
        exception_class: Arc<str>,
        /// A code of the handler's choice.
        #[serde(skip_serializing_if = "Option::is_none")]
        error_code: Option<Arc<str>>,
        /// Whether there will be another attempt.
        retryable: bool,
    }

    /// A failed step is tried again.
    StepRetried {
        /// The step; its attempt is the one that follows.
        #[serde(flatten)]
        step: StepKeys,
        /// The move.
        #[serde(flatten)]
        moved: StepMove,
        /// How many attempts there were.
        previous_attempts: u32,
        /// Why.
        retry_reason: &'static str,
        /// How its waits grow.
        backoff_strategy: &'static str,
        /// Who had it tried again; `engine` for the engine itself.
        triggered_by: Arc<str>,
    }

    /// A step was cancelled.
    StepCancelled {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// The move.
        #[serde(flatten)]
        moved: StepMove,
        /// Who cancelled it, or `parent_cancelled`.
        triggered_by: Arc<str>,
        /// Why.
        cancellation_reason: Arc<str>,
    }

    /// A step was declared done, or passed over.
    StepResolved {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// The move.
        #[serde(flatten)]
        moved: StepMove,
        /// Who declared it, or `bypass_steps`.
        resolved_by: Arc<str>,
        /// Why, where somebody said so.
        reason: Option<Arc<str>>,
    }

    /// An outcome came under a claim that no longer counts.
    OutcomeStale {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// What it would have come to: `completed`, `failed`, `handed_back` or `snoozed`.
        outcome: &'static str,
        /// Seconds in user code.
        execution_duration: f64,
    }

    /// User code returned.
    StepHandled {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// What it came to: `completed`, `failed` or `snoozed`.
        outcome: &'static str,
        /// Seconds in user code.
        execution_duration: f64,
    }

    /// A failed step waits.
    StepBackoff {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// Seconds until it may run again.
        backoff_seconds: f64,
        /// `exponential`, or `server_requested` where the handler or a policy asked for it.
        backoff_type: &'static str,
        /// Seconds that were asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<f64>,
    }

    /// A step was passed over.
    StepSkipped {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// Who passed over it, or `bypass_steps`.
        resolved_by: Arc<str>,
        /// Why, where somebody said so.
        reason: Option<Arc<str>>,
    }

    /// A step used up its attempts.
    MaxRetriesReached {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
    }

    /// A step may never run again by itself.
    StepBlocked {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// Why.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        blocked_by: BlockedWhy,
    }

    /// An attempt ended without the verdict of its handler.
    StepExecutionFailed {
        /// The step.
        #[serde(flatten)]
        step: StepKeys,
        /// `WorkerLost`, `Timeout`, `PANIC` or `WorkerShutdown`.
        error_class: Arc<str>,
        /// What happened.
        error_message: Arc<str>,
    }
}

// Orchestration.
payloads! {
    /// Work on a task has begun.
    WorkStarted {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
    }

    /// Steps were found ready, and taken.
    StepsDiscovered {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// Which.
        step_ids: Vec<StepId>,
        /// Their names.
        step_names: Vec<StepName>,
        /// How many.
        step_count: usize,
        /// The same, under the reference's other key.
        viable_count: usize,
        /// Always `concurrent`.
        processing_mode: &'static str,
    }

    /// A task has nothing that can be run now.
    NoViableSteps {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// Why.
        reason: &'static str,
        /// How many steps it has, where that is known.
        total_steps_checked: Option<usize>,
    }

    /// Steps were claimed.
    StepsStarted {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// How many.
        step_count: usize,
        /// Always `concurrent`.
        processing_mode: &'static str,
    }

    /// Outcomes were recorded.
    StepsEnded {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// How many.
        processed_count: usize,
        /// Completed ones among them.
        successful_count: usize,
        /// Failed ones among them.
        failed_count: usize,
    }

    /// A task is settled.
    Finalization {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// Outcomes that came with the call which settled it.
        processed_steps_count: usize,
        /// How it stands.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        execution_status: ExecutionStatus,
        /// How well it does.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        health_status: HealthStatus,
        /// What is to be done.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        recommended_action: RecommendedAction,
        /// How many of a hundred steps are complete or resolved.
        completion_percentage: Option<f64>,
        /// How many steps it has, where that is known.
        total_steps: Option<usize>,
        /// Always none.
        ready_steps: usize,
        /// Blocked steps.
        failed_steps: usize,
        /// Where it ended; null before.
        #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
        final_status: Option<TaskState>,
    }

    /// A task is to be looked at again at once.
    ReenqueueRequested {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// Why.
        reason: &'static str,
    }

    /// A task is to be looked at again later.
    ReenqueueDelayed {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// Why.
        reason: &'static str,
        /// Seconds until then.
        delay_seconds: f64,
        /// When.
        scheduled_for: Moment,
    }

    /// The queue did not take a hint; the storage keeps the wake.
    ReenqueueFailed {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// What was to be told.
        reason: &'static str,
        /// What went wrong.
        error: Arc<str>,
    }

    /// A worker takes up a wake.
    WorkRequested {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// Who.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        worker_id: WorkerId,
    }

    /// A wake was handled.
    WorkHandled {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// Who.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        worker_id: WorkerId,
        /// Seconds.
        execution_duration: f64,
    }

    /// What is stored of a task cannot be read.
    StateUnclear {
        /// The task.
        #[serde(flatten)]
        orchestration: Orchestration,
        /// Why.
        reason: Arc<str>,
    }
}

// The engine itself.
payloads! {
    /// Something was registered.
    Registered {
        /// With whom.
        registry_name: &'static str,
        /// What kind of thing.
        entity_type: &'static str,
        /// Under which name.
        entity_id: Arc<str>,
        /// Which it is.
        entity_class: Arc<str>,
        /// How.
        options: Value,
        /// When.
        registered_at: Moment,
    }

    /// Something was taken out.
    Unregistered {
        /// Of what.
        registry_name: &'static str,
        /// What kind of thing.
        entity_type: &'static str,
        /// Under which name.
        entity_id: Arc<str>,
        /// Which it is.
        entity_class: Arc<str>,
        /// When.
        unregistered_at: Moment,
    }

    /// Something was refused.
    ValidationFailed {
        /// By whom.
        registry_name: &'static str,
        /// What kind of thing.
        entity_type: &'static str,
        /// Under which name.
        entity_id: Arc<str>,
        /// Which it is.
        entity_class: Arc<str>,
        /// Why.
        validation_error: Arc<str>,
        /// When.
        failed_at: Moment,
    }

    /// A registry is being read, or was.
    RegistryRound {
        /// Which.
        registry_name: &'static str,
        /// How many things it holds.
        count: usize,
        /// When.
        timestamp: Moment,
    }

    /// Somebody asked for counts.
    RegistryStats {
        /// Of what.
        registry_name: &'static str,
        /// The counts.
        stats: Value,
        /// When.
        collected_at: Moment,
    }

    /// Metrics are to be written.
    ExportRequested {
        /// Which export.
        export_id: Arc<str>,
        /// In which format.
        format: Arc<str>,
        /// When.
        timestamp: Moment,
    }

    /// Metrics were written.
    ExportCompleted {
        /// Which export.
        export_id: Arc<str>,
        /// In which format.
        format: Arc<str>,
        /// How many series.
        metrics_count: usize,
        /// Milliseconds that it took.
        duration_ms: f64,
        /// When.
        timestamp: Moment,
    }

    /// Metrics could not be written.
    ExportFailed {
        /// Which export.
        export_id: Arc<str>,
        /// In which format.
        format: Arc<str>,
        /// Why.
        error: Arc<str>,
        /// When.
        timestamp: Moment,
    }

    /// Whoever writes metrics has come or gone.
    ExporterChanged {
        /// Under which name.
        plugin_name: Arc<str>,
        /// Which it is.
        plugin_class: Arc<str>,
        /// When.
        timestamp: Moment,
    }

    /// A worker began or ended.
    WorkerChanged {
        /// Which.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        worker_id: WorkerId,
        /// What people call it.
        label: Arc<str>,
        /// When.
        timestamp: Moment,
    }

    /// A worker has stopped beating, and its steps were taken from it.
    WorkerLost {
        /// Which.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        worker_id: WorkerId,
        /// How many steps were taken from it at once.
        step_count: usize,
        /// When.
        timestamp: Moment,
    }

    /// A move that is about to be told of.
    BeforeTransition {
        /// The task.
        task_id: TaskId,
        /// The step, if it moved.
        #[serde(skip_serializing_if = "Option::is_none")]
        step_id: Option<StepId>,
        /// The state before.
        from_state: Option<&'static str>,
        /// The state now.
        to_state: &'static str,
        /// The name of the event that follows.
        transition_event: &'static str,
        /// When.
        timestamp: Moment,
    }

    /// An event that a workflow declares.
    Custom {
        /// Its name.
        #[serde(skip)]
        name: Arc<str>,
        /// The task.
        #[serde(flatten)]
        subject: Arc<Subject>,
        /// The step that published it.
        step_id: StepId,
        /// Its name.
        step_name: StepName,
        /// Always `custom`.
        event_type: &'static str,
        /// When the attempt was recorded.
        timestamp: Moment,
        /// What the step says.
        payload: Arc<Value>,
    }
}
