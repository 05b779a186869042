//! The storage alone, driven by calls of its contract.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tasker::{
    Advance, Creation, NewTask, Outcome, OutcomeKind, Room, Storage as _, TaskId, Timestamp, WorkerId,
};

use super::Bench;
use crate::graph::Graph;
use crate::report::{Measured, a_second};

impl Bench {
    /// Chains in lockstep, so many tasks a call: what `advance` costs without an engine.
    pub(crate) fn advances(&self, tasks: usize, batch: usize) -> Measured {
        let definition = Graph::linear(10).definition(&Arc::default());
        let storage = self.storage();
        let took = self.run(async move {
            let bound = Arc::clone(definition.bound());
            let now = Timestamp::from_micros(1_800_000_000_000_000);
            storage.learn(&[Arc::clone(&bound)], now).await.expect("learned");
            let mut ids = vec![];
            for first in (0..tasks).step_by(100) {
                let new = (first..tasks.min(first + 100)).map(|_| NewTask {
                    definition: bound.hash().clone(),
                    identity_hash: format!("{:032x}", fastrand::u128(..)),
                    request: request(now),
                    inputs: BTreeMap::new(),
                });
                let created = storage.create(new.collect(), now).await.expect("created");
                ids.extend(created.into_iter().map(|creation| match creation {
                    Creation::Created { task, .. } | Creation::Duplicate { task } => task,
                }));
            }
            let worker = WorkerId::random();
            let began = Instant::now();
            for tasks in ids.chunks(batch) {
                run_chunk(&storage, worker, tasks, now).await;
            }
            began.elapsed()
        });
        a_second(took, tasks * 10)
    }
}

async fn run_chunk(storage: &impl tasker::Storage, worker: WorkerId, tasks: &[TaskId], now: Timestamp) {
    let result = Arc::new(json!(1));
    let mut call =
        Advance { worker, now, outcomes: vec![], wanted: tasks.to_vec(), room: Room::of(tasks.len()) };
    let mut settled = 0;
    while settled < tasks.len() {
        let progress = storage.advance(call).await.expect("advanced");
        settled += progress.iter().filter(|task| task.settled.is_some()).count();
        let claims = progress.iter().flat_map(|task| task.claims.iter().map(|claim| (task.task, claim)));
        let outcomes = claims.map(|(task, claim)| Outcome {
            task,
            step: claim.step,
            token: claim.token,
            attempt: claim.attempt,
            duration: Duration::ZERO,
            kind: OutcomeKind::Completed(Arc::clone(&result)),
            spawned: vec![],
        });
        call = Advance {
            worker,
            now,
            outcomes: outcomes.collect(),
            wanted: vec![],
            room: Room::of(tasks.len()),
        };
    }
}

fn request(now: Timestamp) -> tasker::TaskRequest {
    tasker::TaskRequest {
        context: Arc::new(json!({})),
        requested_at: now,
        initiator: "bench".to_owned(),
        source_system: "bench".to_owned(),
        reason: "bench".to_owned(),
        tags: vec![],
        bypass_steps: vec![],
        correlation_id: None,
    }
}
