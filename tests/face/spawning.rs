//! Steps that are added while their task runs.

use serde::{Deserialize, Serialize};
use tasker::Retry;
use tasker::prelude::*;

use crate::world::{World, on_every_backend};
use crate::{Fetch, Join, Page, Window, run};

on_every_backend! {
    a_join_waits_for_what_was_spawned
    a_join_waits_for_what_spawned_steps_spawn
    a_step_may_add_more_of_what_it_takes
    spawned_steps_may_wait_for_each_other
}

/// Decides at run time how many shards there are.
#[step]
async fn plan(window: Context<Window>, shards: Spawn<Fetch>) -> StepResult<u64> {
    for shard in 1..=window.rows {
        shards.step(format!("fetch_{shard}"), Fetch { shard })?;
    }
    Ok(window.rows)
}
#[derive(Workflow)]
#[workflow(context = Window, steps(Plan, Join))]
struct FanOut;

async fn a_join_waits_for_what_was_spawned(world: World) {
    let report = run::<FanOut>(&world, Window { rows: 4 }).await;
    assert_eq!(report.output::<Plan>().unwrap(), 4);
    assert_eq!(report.output::<Join>().unwrap(), 4 * (1 + 2 + 3 + 4));
    assert_eq!(report.output_of::<Page>("fetch_3").unwrap().rows, 12);
    assert_eq!(run::<FanOut>(&world, Window { rows: 0 }).await.output::<Join>().unwrap(), 0);
}

#[tokio::test]
async fn a_test_reads_what_was_asked_for() {
    let shards = Spawn::collect();
    plan(Context(Window { rows: 2 }), shards.clone()).await.unwrap();
    assert_eq!(shards.names(), ["fetch_1", "fetch_2"]);
    let twice = shards.step("fetch_1", Fetch { shard: 1 }).unwrap_err();
    assert_eq!(twice.retry(), Retry::Never);
}

/// Spawns what spawns: half of the window each.
#[derive(Serialize, Deserialize)]
struct Split {
    from: u64,
    to: u64,
}
#[step]
impl Split {
    async fn process(&self, halves: Spawn<Self>, shards: Spawn<Fetch>) -> StepResult<()> {
        let Self { from, to } = *self;
        if to - from == 1 {
            return shards.step(format!("fetch_{from}"), Fetch { shard: from });
        }
        let middle = from.midpoint(to);
        halves.step(format!("split_{from}_{middle}"), Self { from, to: middle })?;
        halves.step(format!("split_{middle}_{to}"), Self { from: middle, to })
    }
}
#[step]
async fn divide(window: Context<Window>, halves: Spawn<Split>) -> StepResult<()> {
    halves.step("all", Split { from: 1, to: window.rows + 1 })
}
#[derive(Workflow)]
#[workflow(context = Window, steps(Divide, Join))]
struct Divided;

async fn a_join_waits_for_what_spawned_steps_spawn(world: World) {
    let report = run::<Divided>(&world, Window { rows: 5 }).await;
    assert_eq!(report.output::<Join>().unwrap(), 5 * (1 + 2 + 3 + 4 + 5));
    assert_eq!(report.steps().len(), 2 + 5 + 4 + 5);
}

/// Takes the shards of the template, and adds one.
#[step]
async fn one_more(pages: Outputs<Fetch>, more: Spawn<Fetch>) -> StepResult<usize> {
    more.step("more", Fetch { shard: 9 })?;
    Ok(pages.len())
}
#[derive(Workflow)]
#[workflow(context = Window, steps(fetch = Fetch { shard: 1 }, OneMore, Join))]
struct More;

async fn a_step_may_add_more_of_what_it_takes(world: World) {
    let report = run::<More>(&world, Window { rows: 1 }).await;
    assert_eq!((report.output::<OneMore>().unwrap(), report.output::<Join>().unwrap()), (1, 10));
}

/// A chain: each link waits for the one before.
#[step]
async fn chain(links: Spawn<Fetch>) -> StepResult<()> {
    links.step("first", Fetch { shard: 1 })?;
    links.step_after("second", Fetch { shard: 2 }, ["first"])
}
#[derive(Workflow)]
#[workflow(context = Window, steps(Chain, Join))]
struct Chained;

async fn spawned_steps_may_wait_for_each_other(world: World) {
    let report = run::<Chained>(&world, Window { rows: 10 }).await;
    assert_eq!(report.output::<Join>().unwrap(), 30);
    let first = report.step("first").unwrap().id;
    assert!(report.step("second").unwrap().parents.contains(&first));
}
