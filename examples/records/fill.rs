//! Fills a storage: tasks of all kinds, and what people and other programs note beside them.

use std::time::Duration;

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::records::{NewAnnotation, NewNamedTask, NewObjectMap, RecordError, Records};
use tasker::{Act, Clock as _, Request, TaskCommand, TaskId, Timestamp};
use tokio::task::JoinSet;

use crate::common::{Failure, Progress};
use crate::kinds::{Kind, Order, definitions};

/// So many tasks are created in one call, and looked at side by side.
const BATCH: u32 = 500;
/// Longer than any of these tasks runs.
const BUDGET: Duration = Duration::from_secs(120);

pub(crate) async fn fill(engine: &Engine, tasks: u32) -> Result<(), Failure> {
    let progress = Progress::of_tasks(usize::try_from(tasks).expect("a count"), "filling");
    let records = engine.records().expect("both backends have records");
    let now = engine.clock().now();
    let definitions = definitions()?;
    for (turn, first) in (0..tasks).step_by(usize::try_from(BATCH).expect("a size")).enumerate() {
        let definition = &definitions[turn % definitions.len()];
        let numbers = first..tasks.min(first + BATCH);
        let requests = numbers.clone().map(request).collect();
        let started = engine.request_many(definition, requests).await?;
        let mut ids = vec![];
        for (number, task) in numbers.zip(started) {
            ids.push((number, task?.id()));
        }
        run(engine, &ids).await?;
        note(records, &ids, now).await.map_err(|error| Failure::Run(error.to_string()))?;
    }
    catalogue(records, now).await.map_err(|error| Failure::Run(error.to_string()))?;
    progress.done();
    Ok(())
}

fn request(number: u32) -> Request {
    let kind = Kind::of(number);
    let context = serde_json::to_value(Order { number, kind }).expect("plain data");
    Request { initiator: "records".into(), source_system: "example".into(), ..Request::new(context) }
}

/// Looks at those that are to run, side by side, and lets an operator act on the others.
async fn run(engine: &Engine, tasks: &[(u32, TaskId)]) -> Result<(), Failure> {
    let mut running = JoinSet::new();
    for (number, task) in tasks.iter().copied() {
        let engine = engine.clone();
        running.spawn(async move {
            let kind = Kind::of(number);
            if kind.is_run() {
                engine.handle(task, BUDGET).await?;
            }
            let command = match kind {
                Kind::Cancelled => TaskCommand::Cancel { force: false },
                Kind::Paused => TaskCommand::Pause,
                Kind::Resolved => TaskCommand::Resolve,
                _ => return Ok(()),
            };
            let act = Act::Task { command, expected: None };
            engine.intervene(task, act, "operator", Some("as agreed")).await.map(drop)
        });
    }
    while let Some(done) = running.join_next().await {
        done.expect("nothing ends it before its end")?;
    }
    Ok(())
}

/// Every seventh task gets a note.
async fn note(records: &dyn Records, tasks: &[(u32, TaskId)], now: Timestamp) -> Result<(), RecordError> {
    for (number, task_id) in tasks.iter().filter(|(number, _)| number % 7 == 0) {
        let annotation: Value = json!({ "priority": number % 3, "by": "ada" });
        let new = NewAnnotation { task_id: *task_id, annotation_type: "triage".into(), annotation };
        records.annotate(&new, now).await?;
    }
    Ok(())
}

/// A workflow that nobody runs yet, and one thing that two systems know.
async fn catalogue(records: &dyn Records, now: Timestamp) -> Result<(), RecordError> {
    records.find_or_create_named_task(&NewNamedTask::new("nightly"), now).await?;
    let map = NewObjectMap {
        system_one: "shop".into(),
        remote_id_one: "order 1".into(),
        system_two: "bank".into(),
        remote_id_two: "payment 7".into(),
    };
    records.find_or_create_object_map(&map, now).await?;
    Ok(())
}
