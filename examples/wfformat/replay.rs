//! One replay: the definition made of a file, its run, and what the run is compared with.

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tasker::prelude::*;
use tasker::{BuildError, BuildErrors, DynHandler, Entry, GraphLimits, Settings, Timestamp};

use crate::common::audit::ran;
use crate::common::{Backend, Failure, Graph, Progress, completed};
use crate::instance::Instance;
use crate::micros::Micros;

/// A file that was replayed.
pub(crate) struct Replay {
    /// With its path, as it was named.
    pub(crate) file: String,
    /// Without the path.
    pub(crate) name: String,
    /// By the file: how many steps come one after another, at most.
    pub(crate) levels: usize,
    /// By the file: the greatest sum of runtimes of steps that come one after another.
    pub(crate) longest_path: Micros,
    /// By the audit trail: from the first start to the last end.
    pub(crate) makespan: Micros,
    report: Report,
}

/// Runs what stands in a file, and computes what must come out of it.
pub(crate) async fn replay(
    path: &Path,
    backend: &Backend,
    concurrency: NonZeroUsize,
) -> Result<Replay, Failure> {
    let file = path.display().to_string();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).map_err(|error| Failure::in_file(&file, &[error]))?;
    let instance = Instance::parse(&text).map_err(|mistakes| Failure::in_file(&file, &mistakes))?;
    let definition =
        definition(&instance).map_err(|errors| Failure::in_file(&file, &placed(&errors, &instance)))?;
    let (levels, longest_path) =
        expected(&instance).map_err(|mistake| Failure::in_file(&file, &[mistake]))?;

    let report = completed(run(&definition, &name, backend, concurrency).await?)?;
    Ok(Replay { file, name, levels, longest_path, makespan: report.makespan().into(), report })
}

/// One step for each of the file, under its id, all of them with the same handler.
fn definition(instance: &Instance) -> Result<Definition, BuildErrors> {
    let handler: Arc<dyn DynHandler> = Arc::new(handler_fn(sleep));
    let sleep = Entry::of_value("sleep", handler);
    // The file is as large as it is; whoever names it wants it whole.
    let limits = GraphLimits { steps: usize::MAX, edges: usize::MAX };
    let empty = Definition::builder("examples", "wfformat", "1.5.0").limits(limits);
    let all = instance.steps.iter().fold(empty, |definition, step| {
        definition
            .step(step.id.as_str(), sleep.clone())
            .after(step.parents.iter().map(String::as_str))
            .config(Recorded { micros: step.runtime.0 })
    });
    all.build()
}

/// How long a step took when it was recorded.
#[derive(Serialize, Deserialize)]
struct Recorded {
    micros: u64,
}

async fn sleep(call: Call) -> StepResult<Value> {
    let recorded: Recorded = call.config()?;
    call.sleep(Micros(recorded.micros).into()).await;
    Ok(Value::Null)
}

const HOUR: Duration = Duration::from_secs(3600);

/// On a clock that jumps to the next sleeper. Without a limit there is room for every step that is ready.
async fn run(
    definition: &Definition,
    name: &str,
    backend: &Backend,
    concurrency: NonZeroUsize,
) -> Result<Report, EngineError> {
    let progress = Progress::of(definition.template().step_templates.len(), name);
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let settings = Settings {
        concurrency: concurrency.get(),
        // Nobody else lives in the time of this clock, and every sign of life would be a call to the database.
        heartbeat_interval: HOUR,
        worker_lost_after: 24 * HOUR,
        ..Settings::default()
    };
    let engine = backend.engine_on(clock, progress.clone(), settings)?;
    let report = engine.start_definition(definition, serde_json::json!({})).await?.finished().await;
    progress.done();
    report
}

/// Levels and longest path by the file alone, without the engine.
fn expected(instance: &Instance) -> Result<(usize, Micros), &'static str> {
    let places: HashMap<&str, usize> =
        instance.steps.iter().enumerate().map(|(place, step)| (&*step.id, place)).collect();
    let parents =
        instance.steps.iter().map(|step| step.parents.iter().map(|parent| places[&**parent]).collect());
    let graph = Graph::new(parents.collect()).ok_or("steps wait for each other")?;
    let runtimes: Vec<u64> = instance.steps.iter().map(|step| step.runtime.0).collect();
    let (longest, _) = graph.longest_path(&runtimes).ok_or(TOO_LONG)?;
    let fits = i64::try_from(longest).is_ok();
    if fits { Ok((graph.levels(), Micros(longest))) } else { Err(TOO_LONG) }
}

const TOO_LONG: &str = "the longest path takes more microseconds than 63 bits hold";

/// What the engine says against a definition, with the places in the file.
fn placed(errors: &BuildErrors, instance: &Instance) -> Vec<String> {
    let placed = errors.errors.iter().map(|error| {
        let places = match error {
            BuildError::UnknownDependency { step, .. }
            | BuildError::SelfDependency(step)
            | BuildError::DuplicateStep(step) => instance.places_of(step),
            BuildError::Cycle { path } => path.first().map_or(String::new(), |step| instance.places_of(step)),
            _ => "workflow.specification.tasks".to_owned(),
        };
        format!("{places}: {error}")
    });
    placed.collect()
}

impl Replay {
    pub(crate) fn steps(&self) -> usize {
        self.report.steps().len()
    }

    pub(crate) fn edges(&self) -> usize {
        self.report.steps().iter().map(|step| step.parents.len()).sum()
    }

    pub(crate) fn diagram(&self) -> String {
        self.report.to_mermaid()
    }

    /// When some step of the longest path was begun late, or early.
    pub(crate) fn wrong(&self) -> Option<Failure> {
        let Self { file, longest_path, makespan, .. } = self;
        let why = || {
            Failure::Run(format!("{file}: the makespan is {makespan} s, the longest path {longest_path} s"))
        };
        (makespan != longest_path).then(why)
    }

    /// Writes when each step began and ended, in seconds since the first start, as the audit trail has it.
    pub(crate) fn write_audit(&self, path: &Path) -> Result<(), Failure> {
        let ran = ran(&self.report)?;
        let write = || -> csv::Result<()> {
            let mut audit = csv::Writer::from_path(path)?;
            audit.write_record(["step", "start_s", "end_s"])?;
            for (step, ran) in self.report.steps().iter().zip(&ran) {
                let (start, end) = (Micros::from(ran.begun), Micros::from(ran.ended));
                audit.write_record([&*step.name, &start.to_string(), &end.to_string()])?;
            }
            Ok(audit.flush()?)
        };
        write().map_err(|error| Failure::in_file(&path.display().to_string(), &[error]))
    }
}
