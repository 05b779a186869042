//! What is particular to this backend. What every backend promises stands in the conformance suite.

mod cost;
mod invariants;
mod operations;
mod particular;
mod properties;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_engine::{
    Advance, BoundTemplate, Claim, Creation, GraphLimits, NewTask, Outcome, OutcomeKind, Progress, Room,
    SpawnedStep, StepId, StepTemplate, TaskId, TaskRequest, Template, Timestamp, Version, WorkerId,
};

use super::MemoryStorage;

const WORKER: WorkerId = WorkerId::numbered(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH + Duration::from_secs(seconds)
}

/// A workflow of so many steps; `parents` says which steps each waits for.
fn workflow(steps: usize, parents: impl Fn(usize) -> Vec<usize>) -> Template {
    let mut template = Template::new("tests", "workflow", Version(1, 0, 0));
    template.step_templates = (0..steps)
        .map(|place| {
            let mut step = StepTemplate::new(name(place), "work");
            step.depends_on_steps = parents(place).into_iter().map(|parent| name(parent).into()).collect();
            step
        })
        .collect();
    template
}

fn name(place: usize) -> String {
    format!("s{place}")
}

fn chain(steps: usize) -> Template {
    workflow(steps, |place| place.checked_sub(1).into_iter().collect())
}

/// Learns a workflow and makes tasks of it; identities are counted on from task to task.
fn start(storage: &MemoryStorage, template: Template, many: usize) -> Vec<(TaskId, Vec<StepId>)> {
    let limits = GraphLimits { steps: 100_000, edges: 1_000_000 };
    let bound = Arc::new(BoundTemplate::new(template, limits).expect("the test's own workflow is sound"));
    let mut store = storage.store();
    store.learn(&[Arc::clone(&bound)], at(0)).expect("it has no configuration");
    let taken = store.identities.len();
    let tasks = (0..many).map(|number| request(&bound, format!("task {}", taken + number))).collect();
    let created = store.create(tasks, at(0)).expect("it was learned");
    let ids = created.into_iter().map(|creation| match creation {
        Creation::Created { task, steps, .. } => (task, steps),
        Creation::Duplicate { task } => panic!("task {task} is there already"),
    });
    ids.collect()
}

fn request(definition: &BoundTemplate, identity_hash: String) -> NewTask {
    let request = TaskRequest {
        context: Arc::new(json!({})),
        requested_at: at(0),
        initiator: "tests".into(),
        source_system: "tests".into(),
        reason: "tests".into(),
        tags: vec![],
        bypass_steps: vec![],
        correlation_id: None,
    };
    NewTask { definition: definition.hash().clone(), identity_hash, request, inputs: BTreeMap::new() }
}

fn call(outcomes: Vec<Outcome>, wanted: Vec<TaskId>) -> Advance {
    Advance { worker: WORKER, now: at(1), outcomes, wanted, room: Room::of(100_000) }
}

fn ended(task: TaskId, claim: &Claim, kind: OutcomeKind) -> Outcome {
    let (step, token, attempt) = (claim.step, claim.token, claim.attempt);
    Outcome { task, step, token, attempt, duration: Duration::from_millis(5), kind, spawned: vec![] }
}

fn completed(task: TaskId, claim: &Claim) -> Outcome {
    ended(task, claim, OutcomeKind::Completed(Arc::new(Value::Null)))
}

fn spawned(name: &str, before: &[&str]) -> SpawnedStep {
    SpawnedStep {
        name: name.into(),
        handler: "work".into(),
        config: Arc::new(Value::Null),
        retry_limit: 3,
        retryable: true,
        after: vec![],
        before: before.iter().map(|name| (*name).into()).collect(),
    }
}

/// The one task that a call was about.
fn only(mut progress: Vec<Progress>) -> Progress {
    assert_eq!(progress.len(), 1, "{progress:?}");
    progress.remove(0)
}
