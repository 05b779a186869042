//! A task as its starter sees it, and what became of it.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::analysis::{Circle, TaskAnalysis, TaskGraph};
use crate::config::DependencyGraph;
use crate::decide::{step_phase, task_phase};
use crate::handler::decode;
use crate::{
    Act, Engine, EngineError, EngineTypes, Erased, Intervened, StepName, StepPhase, StepRecord, StepState,
    TaskCommand, TaskId, TaskPhase, TaskRecord, TaskState, Timestamp, diagram,
};

/// For tasks whose workflow is known only at run time: what they yield is checked when it is read.
#[derive(Clone, Copy, Debug)]
pub struct Dynamic;

/// A task that was started, or found. `W` is its workflow.
pub struct Task<W = Dynamic, T: EngineTypes = Erased> {
    engine: Engine<T>,
    id: TaskId,
    of: PhantomData<fn() -> W>,
}

impl<W, T: EngineTypes> fmt::Debug for Task<W, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.id)
    }
}

impl<W, T: EngineTypes> Task<W, T> {
    pub(crate) const fn new(engine: Engine<T>, id: TaskId) -> Self {
        Self { engine, id, of: PhantomData }
    }

    /// The same task, seen as a run of that workflow. Reading an output that it does not have is an error then.
    pub fn of<V>(self) -> Task<V, T> {
        Task::new(self.engine, self.id)
    }

    /// The task.
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// Drives the task until it is settled, and tells what became of it.
    ///
    /// # Errors
    /// When the storage fails for good. A task that ends in `error` is no error: see [`Report::state`].
    ///
    /// # Cancel safety
    /// As [`Engine::drive`].
    pub async fn finished(&self) -> Result<Report<W>, EngineError> {
        let settled = self.engine.watch(self.id).await?;
        let report = self.report().await;
        // A simulated clock stood still until the report was made.
        drop(settled.busy);
        report
    }

    /// The task as it stands, with its audit trail; drives nothing.
    ///
    /// # Errors
    /// When there is no such task, or the storage fails.
    pub async fn report(&self) -> Result<Report<W>, EngineError> {
        let report = self.engine.report(self.id).await?;
        Ok(Report { record: report.record, now: report.now, of: PhantomData })
    }

    /// Ends the task; what runs is fenced off.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn cancel(&self, actor: &str, reason: Option<&str>) -> Result<Intervened, EngineError> {
        self.act(TaskCommand::Cancel { force: false }, actor, reason).await
    }

    /// Takes no new steps; what runs is recorded.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn pause(&self, actor: &str, reason: Option<&str>) -> Result<Intervened, EngineError> {
        self.act(TaskCommand::Pause, actor, reason).await
    }

    /// Takes steps again.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn resume(&self, actor: &str) -> Result<Intervened, EngineError> {
        self.act(TaskCommand::Resume, actor, None).await
    }

    /// Resets every blocked step of a task in `error`.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn retry(&self, actor: &str) -> Result<Intervened, EngineError> {
        self.act(TaskCommand::Retry, actor, None).await
    }

    async fn act(
        &self,
        command: TaskCommand,
        actor: &str,
        reason: Option<&str>,
    ) -> Result<Intervened, EngineError> {
        self.engine.intervene(self.id, Act::Task { command, expected: None }, actor, reason).await
    }
}

/// What became of a task: a snapshot with its audit trail.
pub struct Report<W = Dynamic> {
    record: TaskRecord,
    now: Timestamp,
    of: PhantomData<fn() -> W>,
}

impl Report {
    pub(crate) const fn new(record: TaskRecord, now: Timestamp) -> Self {
        Self { record, now, of: PhantomData }
    }
}

impl<W> Report<W> {
    /// The state of the task.
    pub const fn state(&self) -> TaskState {
        self.record.current.state
    }

    /// Whether the task is complete.
    pub const fn is_complete(&self) -> bool {
        matches!(self.state(), TaskState::Complete)
    }

    /// What the task is doing.
    pub fn phase(&self) -> TaskPhase {
        task_phase(&self.record, self.now)
    }

    /// Everything that is stored of it.
    pub const fn record(&self) -> &TaskRecord {
        &self.record
    }

    /// The steps, in the order of the template, then spawned ones.
    pub fn steps(&self) -> &[StepRecord] {
        &self.record.steps
    }

    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&StepRecord> {
        self.record.step(name)
    }

    /// What a step is doing.
    pub fn step_phase(&self, step: &StepRecord) -> StepPhase {
        step_phase(step, self.record.parents_satisfied(step), self.now)
    }

    /// What the step of that name yielded.
    ///
    /// # Errors
    /// When there is no such step, it is not complete, or its output is of another type.
    pub fn output_of<O: DeserializeOwned>(&self, name: &str) -> Result<O, EngineError> {
        let fail = |message| EngineError::Output { task: self.record.id, message };
        let Some(step) = self.step(name) else { return Err(fail(format!("no step is named `{name}`"))) };
        if !step.current.state.is_satisfied() {
            let why = self.error_of(name).map(|error| format!(": {error}")).unwrap_or_default();
            return Err(fail(format!("step `{name}` has no output, it is {}{why}", step.current.state)));
        }
        decode(&step.results).map_err(|misfit| fail(format!("output of step `{name}`: {misfit}")))
    }

    /// The text of the last failure of the step of that name.
    pub fn error_of(&self, name: &str) -> Option<&str> {
        self.step(name)?.results.get("error").and_then(Value::as_str)
    }

    /// The steps that may never run again by themselves, with why the last attempt failed.
    pub fn blocked(&self) -> impl Iterator<Item = (&StepName, &str)> {
        let blocked = self.steps().iter().filter(|step| step.facts().blocked().is_some());
        blocked.map(|step| {
            (&step.name, step.results.get("error").and_then(Value::as_str).unwrap_or("no attempt is left"))
        })
    }

    /// Attempts beyond the first ones, over all steps.
    pub fn retries(&self) -> u32 {
        self.steps().iter().map(|step| step.attempts.saturating_sub(1)).sum()
    }

    /// From the first claim to the last outcome; zero when nothing ran.
    pub fn makespan(&self) -> Duration {
        let rows = || self.steps().iter().flat_map(|step| &step.history);
        let first = rows().filter(|row| row.to == StepState::InProgress).map(|row| row.at).min();
        let last = rows().filter(|row| row.from == Some(StepState::InProgress)).map(|row| row.at).max();
        first.zip(last).map_or(Duration::ZERO, |(first, last)| last.since(first))
    }

    /// The graph of the task: levels, longest ways, what holds up what.
    ///
    /// # Errors
    /// When steps wait for each other, as only another program can write them.
    pub fn graph(&self) -> Result<TaskGraph<'_>, Circle> {
        TaskGraph::of(&self.record)
    }

    /// The analysis of the reference, with the weights of a configuration: critical ways, parallelism, error chains and
    /// bottlenecks.
    ///
    /// # Errors
    /// As [`graph`](Self::graph).
    pub fn analysis(&self, weights: &DependencyGraph) -> Result<TaskAnalysis, Circle> {
        TaskAnalysis::of(&self.record, self.now, weights)
    }

    /// The task as a Mermaid flow chart, its steps coloured by what they are doing.
    pub fn to_mermaid(&self) -> String {
        diagram::mermaid_of_task(&self.record, |step| self.step_phase(step))
    }
}

/// All that is stored of the task, with its `phase` and the `phase` of each step.
impl<W> Serialize for Report<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = |value: Result<Value, serde_json::Error>| value.map_err(S::Error::custom);
        let mut report = json(serde_json::to_value(&self.record))?;
        report["phase"] = json(serde_json::to_value(self.phase()))?;
        for (place, step) in self.steps().iter().enumerate() {
            report["steps"][place]["phase"] = json(serde_json::to_value(self.step_phase(step)))?;
        }
        report.serialize(serializer)
    }
}

impl<W> fmt::Debug for Report<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("task", &self.record.id)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
