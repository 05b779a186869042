//! The table of all events: name, payload, severity, who tells it, and what it means. Everything else about names reads it.

use std::fmt;

use serde::{Serialize, Serializer};

use super::payload::*;
use crate::template::nearest;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For whoever looks closely.
    Debug,
    /// All is well.
    Info,
    /// Somebody may want to look.
    Warn,
    /// Somebody has to look.
    Error,
}

impl Severity {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who tells an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Emitter {
    /// The call that creates tasks.
    Create,
    /// The run loop, of what a wave made true.
    Advance,
    /// An operator's act.
    Intervene,
    /// Whoever looks after lost workers and lost replies.
    Care,
    /// Whoever runs a handler.
    Attempt,
    /// An engine that is built or serves a registry.
    Engine,
    /// A worker.
    Worker,
    /// Whoever renders metrics.
    Telemetry,
}

macro_rules! catalogue {
    (
        facts { $($fact:ident($payload:ident) = $text:literal, $severity:ident, [$($emitter:ident),+], $says:literal;)* }
        aliases { $($alias:ident = $alias_text:literal, $alias_severity:ident, of [$($of:ident),+], $alias_says:literal;)* }
    ) => {
        /// The name of an event, as the reference writes it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum EventName {
            $(#[doc = $says] $fact,)*
            $(#[doc = $alias_says] $alias,)*
            /// An event that a workflow declares; its own name stands with it.
            Custom,
        }

        impl EventName {
            /// The facts: each is told once.
            pub const FACTS: &'static [Self] = &[$(Self::$fact,)*];
            /// Other names of facts, delivered to whoever asks for exactly that name.
            pub const ALIASES: &'static [Self] = &[$(Self::$alias,)*];

            /// The dotted name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$fact => $text,)*
                    $(Self::$alias => $alias_text,)*
                    Self::Custom => "custom",
                }
            }

            /// How much it matters.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$fact => Severity::$severity,)*
                    $(Self::$alias => Severity::$alias_severity,)*
                    Self::Custom => Severity::Info,
                }
            }

            /// What it means.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$fact => $says,)*
                    $(Self::$alias => $alias_says,)*
                    Self::Custom => "An event that a workflow declares.",
                }
            }

            /// Who tells it.
            pub const fn fired_by(self) -> &'static [Emitter] {
                match self {
                    $(Self::$fact => &[$(Emitter::$emitter),+],)*
                    $(Self::$alias => &[],)*
                    Self::Custom => &[Emitter::Attempt],
                }
            }

            /// The facts that an alias stands for; none for a fact.
            pub const fn stands_for(self) -> &'static [Self] {
                match self {
                    $(Self::$alias => &[$(Self::$of),+],)*
                    _ => &[],
                }
            }

            /// The JSON Schema of its payload.
            #[cfg(feature = "schema")]
            pub fn schema(self) -> schemars::Schema {
                match self {
                    $(Self::$fact => schemars::schema_for!($payload),)*
                    Self::TaskBeforeTransition | Self::StepBeforeTransition => {
                        schemars::schema_for!(BeforeTransition)
                    }
                    Self::Custom => schemars::schema_for!(Custom),
                    alias => alias.stands_for()[0].schema(),
                }
            }
        }

        /// What happened, and everything that is said about it.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Fact {
            $(#[doc = $says] $fact(Box<$payload>),)*
            /// A move, under the name of an alias.
            BeforeTransition(Box<BeforeTransition>),
            /// An event that a workflow declares.
            Custom(Box<Custom>),
        }

        impl Fact {
            /// The name of the fact.
            pub fn name(&self) -> EventName {
                match self {
                    $(Self::$fact(_) => EventName::$fact,)*
                    Self::BeforeTransition(moved) if moved.step_id.is_some() => EventName::StepBeforeTransition,
                    Self::BeforeTransition(_) => EventName::TaskBeforeTransition,
                    Self::Custom(_) => EventName::Custom,
                }
            }
        }
    };
}

catalogue! {
    facts {
        TaskInitializeRequested(TaskPending) = "task.initialize_requested", Info, [Create, Intervene],
            "A task was created, paused or resumed.";
        TaskStartRequested(TaskStarted) = "task.start_requested", Info, [Create, Advance],
            "A task was begun: its first step was claimed, or there is none.";
        TaskCompleted(TaskCompleted) = "task.completed", Info, [Create, Advance], "A task is complete.";
        TaskFailed(TaskFailed) = "task.failed", Error, [Advance], "A task went to error.";
        TaskRetryRequested(TaskRetried) = "task.retry_requested", Warn, [Intervene],
            "A task in error is tried again.";
        TaskCancelled(TaskCancelled) = "task.cancelled", Warn, [Advance, Intervene], "A task was cancelled.";
        TaskResolvedManually(TaskResolved) = "task.resolved_manually", Info, [Intervene],
            "A task in error was declared done.";

        StepInitializeRequested(StepPending) = "step.initialize_requested", Info,
            [Create, Advance, Intervene, Care],
            "A step came into being, was handed back, put to sleep or reset.";
        StepExecutionRequested(StepRequested) = "step.execution_requested", Info, [Advance],
            "A step was claimed.";
        StepBeforeHandle(StepStarting) = "step.before_handle", Debug, [Attempt], "User code is about to run.";
        StepCompleted(StepCompleted) = "step.completed", Info, [Advance, Intervene], "A step is complete.";
        StepFailed(StepFailed) = "step.failed", Error, [Advance, Care], "An attempt failed.";
        StepRetryRequested(StepRetried) = "step.retry_requested", Warn, [Advance, Intervene],
            "A failed step is tried again.";
        StepCancelled(StepCancelled) = "step.cancelled", Warn, [Advance, Intervene], "A step was cancelled.";
        StepResolvedManually(StepResolved) = "step.resolved_manually", Info, [Create, Intervene],
            "A step was declared done, or passed over.";
        StepOutcomeStale(OutcomeStale) = "step.outcome_stale", Warn, [Advance],
            "An outcome came under a claim that no longer counts; nothing changed.";

        WorkflowTaskStarted(WorkStarted) = "workflow.task_started", Debug, [Create, Advance],
            "Work on a task has begun.";
        WorkflowStepFailed(StepBlocked) = "workflow.step_failed", Error, [Advance, Care],
            "A step failed and may never run again by itself.";
        WorkflowViableStepsDiscovered(StepsDiscovered) = "workflow.viable_steps_discovered", Debug, [Advance],
            "Steps were found ready, and taken.";
        WorkflowNoViableSteps(NoViableSteps) = "workflow.no_viable_steps", Debug, [Advance],
            "A task was looked at, is not settled, and has nothing that can be run here now.";
        WorkflowOrchestrationRequested(WorkRequested) = "workflow.orchestration_requested", Debug, [Advance],
            "A worker takes up the wake of a task.";
        WorkflowTaskFinalizationStarted(Finalization) = "workflow.task_finalization_started", Debug,
            [Create, Advance], "A task has nothing left to do; the event that says how it ended follows.";
        WorkflowTaskFinalizationCompleted(Finalization) = "workflow.task_finalization_completed", Debug,
            [Create, Advance], "A task is settled.";
        WorkflowTaskReenqueueRequested(ReenqueueRequested) = "workflow.task_reenqueue_requested", Debug,
            [Advance, Intervene], "A task is to be looked at again at once.";
        WorkflowTaskReenqueueFailed(ReenqueueFailed) = "workflow.task_reenqueue_failed", Error,
            [Create, Advance, Intervene], "The queue did not take a hint; the storage keeps the wake.";
        WorkflowTaskReenqueueDelayed(ReenqueueDelayed) = "workflow.task_reenqueue_delayed", Debug, [Advance],
            "A task is to be looked at again later.";
        WorkflowTaskStateUnclear(StateUnclear) = "workflow.task_state_unclear", Error, [Advance],
            "What is stored of a task cannot be read.";
        WorkflowStepExecutionFailed(StepExecutionFailed) = "workflow.step_execution_failed", Warn,
            [Advance, Care],
            "An attempt ended without the verdict of its handler: a panic, a timeout, a lost or stopped worker.";
        WorkflowStepsExecutionStarted(StepsStarted) = "workflow.steps_execution_started", Debug, [Advance],
            "Steps of a task were claimed.";
        WorkflowStepsExecutionCompleted(StepsEnded) = "workflow.steps_execution_completed", Debug, [Advance],
            "Outcomes of a task were recorded.";

        ObservabilityTaskHandle(WorkHandled) = "observability.task.handle", Debug, [Advance],
            "The wake of a task was handled.";
        ObservabilityTaskEnqueue(TaskEnqueued) = "observability.task.enqueue", Info, [Create],
            "A task has its first wake.";
        ObservabilityStepHandle(StepHandled) = "observability.step.handle", Debug, [Attempt],
            "User code returned, whatever becomes of its outcome.";
        ObservabilityStepBackoff(StepBackoff) = "observability.step.backoff", Warn, [Advance, Care],
            "A failed step waits for its next attempt.";
        ObservabilityStepSkip(StepSkipped) = "observability.step.skip", Info, [Create, Intervene],
            "A step was passed over.";
        ObservabilityStepMaxRetriesReached(MaxRetriesReached) = "observability.step.max_retries_reached", Error,
            [Advance, Care], "A step failed and has no attempt left.";

        HandlerRegistered(Registered) = "handler.registered", Info, [Engine], "A workflow is served.";
        HandlerUnregistered(Unregistered) = "handler.unregistered", Info, [Engine],
            "A workflow is served no longer.";
        HandlerValidationFailed(ValidationFailed) = "handler.validation_failed", Error, [Engine],
            "A workflow that was to be served cannot be.";
        PluginRegistered(Registered) = "plugin.registered", Info, [Engine],
            "A policy, a strategy or a sink is used.";
        PluginUnregistered(Unregistered) = "plugin.unregistered", Info, [Engine],
            "A policy, a strategy or a sink is used no longer.";
        PluginValidationFailed(ValidationFailed) = "plugin.validation_failed", Error, [Engine],
            "A policy, a strategy or a sink was refused.";
        SubscriberRegistered(Registered) = "subscriber.registered", Info, [Engine],
            "Somebody is told of events.";
        SubscriberUnregistered(Unregistered) = "subscriber.unregistered", Info, [Engine],
            "Somebody is told of events no longer.";
        SubscriberValidationFailed(ValidationFailed) = "subscriber.validation_failed", Error, [Engine],
            "A subscriber was refused.";
        RegistrySyncRequested(RegistryRound) = "registry.sync_requested", Info, [Engine],
            "A registry is being read.";
        RegistryHealthCheck(RegistryRound) = "registry.health_check", Info, [Engine],
            "A health report looked at what is served.";
        RegistryStatsCollected(RegistryStats) = "registry.stats_collected", Info, [Engine],
            "Somebody asked for the counts of what is served.";
        RegistryCrossDiscovery(RegistryRound) = "registry.cross_discovery", Info, [Engine],
            "Templates were matched with handlers.";
        RegistryCoordinationComplete(RegistryRound) = "registry.coordination_complete", Info, [Engine],
            "All workflows of a registry are served.";

        TelemetryExportRequested(ExportRequested) = "tasker.telemetry.export_requested", Info, [Telemetry],
            "Metrics are to be written.";
        TelemetryExportCompleted(ExportCompleted) = "tasker.telemetry.export_completed", Info, [Telemetry],
            "Metrics were written.";
        TelemetryExportFailed(ExportFailed) = "tasker.telemetry.export_failed", Error, [Telemetry],
            "Metrics could not be written.";
        TelemetryPluginRegistered(ExporterChanged) = "tasker.telemetry.plugin_registered", Info, [Telemetry],
            "Whoever writes metrics was attached.";
        TelemetryPluginUnregistered(ExporterChanged) = "tasker.telemetry.plugin_unregistered", Info, [Telemetry],
            "Whoever writes metrics was detached.";

        WorkerStarted(WorkerChanged) = "worker.started", Info, [Worker], "A worker serves every task.";
        WorkerStopped(WorkerChanged) = "worker.stopped", Info, [Worker], "A worker was told to stop.";
        WorkerLost(WorkerLost) = "worker.lost", Error, [Care],
            "A worker has stopped beating, and its steps were taken from it.";
    }
    aliases {
        TaskBeforeTransition = "task.before_transition", Info,
            of [TaskInitializeRequested, TaskStartRequested, TaskCompleted, TaskFailed, TaskRetryRequested,
                TaskCancelled, TaskResolvedManually],
            "The move of a task, told ahead of its own event.";
        StepBeforeTransition = "step.before_transition", Info,
            of [StepInitializeRequested, StepExecutionRequested, StepCompleted, StepFailed, StepRetryRequested,
                StepCancelled, StepResolvedManually],
            "The move of a step, told ahead of its own event.";
        StepHandle = "step.handle", Info, of [ObservabilityStepHandle], "`observability.step.handle`.";
        WorkflowTaskCompleted = "workflow.task_completed", Debug, of [TaskCompleted], "`task.completed`.";
        WorkflowTaskFailed = "workflow.task_failed", Debug, of [TaskFailed], "`task.failed`.";
        WorkflowStepCompleted = "workflow.step_completed", Debug, of [StepCompleted], "`step.completed`.";
        WorkflowTaskReenqueueStarted = "workflow.task_reenqueue_started", Debug,
            of [WorkflowTaskReenqueueRequested], "`workflow.task_reenqueue_requested`.";
        WorkflowViableStepsBatchReady = "workflow.viable_steps_batch_ready", Debug,
            of [WorkflowViableStepsDiscovered], "`workflow.viable_steps_discovered`.";
        ObservabilityTaskFinalize = "observability.task.finalize", Info,
            of [WorkflowTaskFinalizationCompleted], "`workflow.task_finalization_completed`.";
        ObservabilityStepFindViable = "observability.step.find_viable", Info,
            of [WorkflowViableStepsDiscovered, WorkflowNoViableSteps],
            "`workflow.viable_steps_discovered` or `workflow.no_viable_steps`.";
    }
}

impl EventName {
    /// Facts and aliases.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::FACTS.iter().chain(Self::ALIASES).copied()
    }

    /// Whether it is another name of a fact.
    pub const fn is_alias(self) -> bool {
        !self.stands_for().is_empty()
    }

    /// The words before the last dot: `task`, `observability.step`.
    pub fn namespace(self) -> &'static str {
        self.as_str().rsplit_once('.').map_or("custom", |(namespace, _)| namespace)
    }

    /// Those whose name or description holds a text, whatever its case.
    ///
    /// ```
    /// use tasker_engine::EventName;
    ///
    /// let found: Vec<_> = EventName::search("Stopped BEATING").map(EventName::as_str).collect();
    /// assert_eq!(found, ["worker.lost"]);
    /// ```
    pub fn search(text: &str) -> impl Iterator<Item = Self> {
        let text = text.to_lowercase();
        Self::all().filter(move |name| {
            name.as_str().contains(&text) || name.description().to_lowercase().contains(&text)
        })
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for EventName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A text that is no event's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no event `{name}`{}", nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
pub struct UnknownEvent {
    /// The text.
    pub name: String,
    /// What may have been meant.
    pub nearest: Option<&'static str>,
}

impl UnknownEvent {
    /// Whether it is so near to a name that nobody means anything else.
    pub(super) fn is_a_slip(&self) -> bool {
        self.nearest.is_some_and(|near| strsim::osa_distance(&self.name, near) <= 2)
    }
}

impl std::str::FromStr for EventName {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        let found = Self::all().find(|name| name.as_str() == text);
        found.ok_or_else(|| {
            let near = nearest(text, Self::all().map(Self::as_str));
            let nearest = near.and_then(|near| Self::all().map(Self::as_str).find(|name| *name == near));
            UnknownEvent { name: text.to_owned(), nearest }
        })
    }
}
