//! The build: a definition made of a lock file, its run, and what the audit trail says of the run.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{BuildErrors, DynHandler, Entry, GraphLimits, Request, Settings};

use crate::common::audit::{Ran, ran};
use crate::common::{Backend, Failure, Graph, Progress, completed};
use crate::lock::Lock;

/// A step for each package. None of them is known when this is compiled, so all have one handler.
pub(crate) fn definition(lock: &Lock, journal: Option<Journal>) -> Result<Definition, BuildErrors> {
    let journal = Arc::new(journal);
    let handler: Arc<dyn DynHandler> = Arc::new(handler_fn(move |call| build(call, Arc::clone(&journal))));
    let build = Entry::of_value("build", handler);
    // The file is as large as it is; whoever names it wants it whole.
    let limits = GraphLimits { steps: usize::MAX, edges: usize::MAX };
    let mut definition = Definition::builder("examples", "build_order", "1.0.0").limits(limits);
    for (name, dependencies) in lock.names.iter().zip(&lock.dependencies) {
        let after = dependencies.iter().map(|place| lock.names[*place].as_str());
        definition = definition.step(name.as_str(), build.clone()).after(after);
    }
    definition.build()
}

/// Compiles nothing, but takes a moment. Yields the level of the package: one above the highest that it depends on.
async fn build(call: Call, journal: Arc<Option<Journal>>) -> StepResult<Value> {
    if let Some(journal) = &*journal {
        journal.note(call.name())?;
    }
    call.sleep(Duration::from_millis(5)).await;
    let mut level = 1;
    for dependency in call.parents() {
        let below: Option<usize> = dependency.output()?;
        let below =
            below.ok_or_else(|| StepError::permanent(format!("`{}` is not built", dependency.name)))?;
        level = level.max(below + 1);
    }
    Ok(json!(level))
}

/// A file that says which packages were begun, by whatever process.
pub(crate) struct Journal(File);

impl Journal {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self(file.map_err(|error| Failure::in_file(&path.display().to_string(), &[error]))?))
    }

    /// In one piece, whoever else writes to the file.
    fn note(&self, package: &str) -> std::io::Result<()> {
        (&self.0).write_all(format!("{package}\n").as_bytes())
    }
}

/// Builds everything, or what is left of it: the same graph is the same build, whichever process began it.
pub(crate) async fn run(
    definition: &Definition,
    backend: &Backend,
    lost_after: Duration,
) -> Result<Report, Failure> {
    let progress = Progress::of(definition.template().step_templates.len(), "building");
    let settings =
        Settings { heartbeat_interval: lost_after / 6, worker_lost_after: lost_after, ..Settings::default() };
    let engine = backend.engine(progress.clone(), settings)?;
    let identity = format!("build {}", definition.bound().hash());
    let request = Request { identity: Some(identity), ..Request::new(json!({})) };
    let task = match engine.request(definition, request).await {
        Err(EngineError::Duplicate { task }) => engine.task(task),
        started => started?,
    };
    let report = task.finished().await?;
    progress.done();
    completed(report)
}

/// What the build came to, package by package in the order of the lock file.
pub(crate) struct Built {
    /// How many packages were built one after another: by the lock file, and by what the steps yielded.
    pub(crate) levels: usize,
    /// By the lock file alone: the most packages of which each depends on the one before.
    pub(crate) longest_path: Vec<usize>,
    /// By the audit trail.
    pub(crate) times: Vec<Ran>,
    /// By the audit trail: each package that was begun before another, which it depends on, was built.
    pub(crate) too_early: Vec<(usize, usize)>,
}

impl Built {
    /// Puts what should have been beside what was.
    pub(crate) fn of(lock: &Lock, report: &Report) -> Result<Self, Failure> {
        let graph = Graph::new(lock.dependencies.clone()).expect("a definition with a cycle is not run");
        let (levels, found) = (graph.levels(), highest_level(report)?);
        if found != levels {
            let text = format!("the build came to {found} levels, the lock file has {levels}");
            return Err(Failure::Run(text));
        }
        let ones = vec![1; lock.names.len()];
        let (_, longest_path) = graph.longest_path(&ones).expect("the sum is their number");
        let times = ran(report)?;
        let too_early = too_early(lock, &times);
        Ok(Self { levels, longest_path, times, too_early })
    }
}

fn highest_level(report: &Report) -> Result<usize, EngineError> {
    let mut highest = 0;
    for package in report.steps() {
        highest = highest.max(report.output_of(&package.name)?);
    }
    Ok(highest)
}

fn too_early(lock: &Lock, times: &[Ran]) -> Vec<(usize, usize)> {
    let edges = lock.dependencies.iter().enumerate();
    let edges = edges.flat_map(|(package, of)| of.iter().map(move |dependency| (package, *dependency)));
    // At the earliest in the very call that recorded the dependency, and so in the same microsecond.
    edges.filter(|(package, dependency)| times[*package].begun < times[*dependency].ended).collect()
}
