//! Published executions with room for all steps, and for a few at a time, on every backend: never longer than they need.
//!
//! Work that is never left lying while a slot is free takes at most the share of each slot and the longest path, one
//! after the other (Graham's bound); a step that is begun late, or a slot that stays empty, shows.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{DynHandler, Entry, NoEvents, Settings, StepState, Timestamp};

use crate::graph::Graph;
use crate::instance::Instance;
use crate::micros::Micros;
use crate::published::{PUBLISHED, published};

/// Room for every step.
const UNLIMITED: usize = 1_000;

#[tokio::test]
async fn published_executions_leave_no_slot_empty_in_memory() {
    for work in all() {
        for slots in [UNLIMITED, 1, 2, 3, 5, 8, 16, 64] {
            let clock = SimulatedClock::new(Timestamp::EPOCH);
            let engine = Engine::in_memory_with(clock, NoEvents, settings(slots)).unwrap();
            work.takes_no_longer_than_it_needs(&engine, slots).await;
        }
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn published_executions_leave_no_slot_empty_on_postgres() {
    use tasker::postgres::PostgresStorage;
    use tasker::postgres::cluster::TestDatabase;

    let database = TestDatabase::empty().await.unwrap();
    let storage = PostgresStorage::connect(&database.url()).await.unwrap();
    storage.migrate().await.unwrap();
    for work in all() {
        for slots in [UNLIMITED, 4] {
            let clock = SimulatedClock::new(Timestamp::EPOCH);
            let engine = Engine::on_postgres(storage.clone(), clock, NoEvents, settings(slots)).unwrap();
            work.takes_no_longer_than_it_needs(&engine, slots).await;
        }
    }
}

fn settings(slots: usize) -> Settings {
    // Nobody else is there to be told that this worker lives, all through an hour of simulated time.
    let (heartbeat_interval, worker_lost_after) = (Duration::from_secs(3600), Duration::from_secs(7200));
    Settings { concurrency: slots, heartbeat_interval, worker_lost_after, ..Settings::default() }
}

/// A published execution, and what it needs.
struct Work {
    name: &'static str,
    definition: Definition,
    /// The sum of all runtimes, in microseconds.
    total: u64,
    longest_path: u64,
}

/// None where they are not there.
fn all() -> Vec<Work> {
    let Some(directory) = published() else { return vec![] };
    let names = PUBLISHED.iter().map(|(name, ..)| *name);
    names
        .map(|name| {
            let text = fs::read_to_string(directory.join(name).with_extension("json")).unwrap();
            Work::of(name, &Instance::parse(&text).unwrap())
        })
        .collect()
}

impl Work {
    fn of(name: &'static str, instance: &Instance) -> Self {
        let runtimes: Vec<u64> = instance.steps.iter().map(|step| step.runtime.0).collect();
        let places: BTreeMap<&str, usize> =
            instance.steps.iter().enumerate().map(|(place, step)| (&*step.id, place)).collect();
        let parents = instance.steps.iter().map(|step| step.parents.iter().map(|id| places[&**id]).collect());
        let (longest_path, _) = Graph::new(parents.collect()).unwrap().longest_path(&runtimes).unwrap();
        let handler: Arc<dyn DynHandler> = Arc::new(handler_fn(|call: Call| async move {
            call.sleep(Duration::from_micros(call.config()?)).await;
            Ok(Value::Null)
        }));
        let sleep = Entry::of_value("sleep", handler);
        let empty = Definition::builder("published", name, "1.0.0");
        let all = instance.steps.iter().fold(empty, |definition, step| {
            let parents = step.parents.iter().map(String::as_str);
            definition.step(step.id.as_str(), sleep.clone()).after(parents).config(step.runtime.0)
        });
        Self { name, definition: all.build().unwrap(), total: runtimes.iter().sum(), longest_path }
    }

    async fn takes_no_longer_than_it_needs(&self, engine: &Engine, slots: usize) {
        let task = engine.start_definition(&self.definition, json!({})).await.unwrap();
        let report = task.finished().await.unwrap();
        assert!(report.is_complete());
        let makespan = u64::try_from(report.makespan().as_micros()).unwrap();
        let Self { name, total, longest_path, .. } = self;
        let says = format!("{name} with {slots} slots takes {} s", Micros(makespan));
        if slots == UNLIMITED {
            assert_eq!(makespan, *longest_path, "{says}");
        }
        let share = total.div_ceil(slots as u64);
        assert!(
            makespan <= share + longest_path,
            "{says}, of {} s and {} s",
            Micros(share),
            Micros(*longest_path)
        );
        assert!(makespan >= share.max(*longest_path), "{says}, which cannot be");
        assert!(most_at_a_time(&report) <= slots, "{says}, and more of them at a time");
    }
}

/// How many steps ran at a time, by the audit trail.
fn most_at_a_time(report: &Report) -> usize {
    let rows = report.steps().iter().flat_map(|step| &step.history);
    let mut moments: Vec<(Timestamp, bool)> =
        rows.map(|row| (row.at, row.to == StepState::InProgress)).collect();
    // What ends at a moment makes room for what begins there.
    moments.sort();
    // Below zero for a moment, where a step takes no time.
    let (mut now, mut most) = (0_isize, 0_isize);
    for (_, begins) in moments {
        if begins {
            now += 1;
            most = most.max(now);
        } else {
            now -= 1;
        }
    }
    most.unsigned_abs()
}
