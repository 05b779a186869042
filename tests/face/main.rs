//! Whole workflows as a user writes them: typed, built and from templates; what steps take, yield and refuse. What
//! runs, runs on every backend; what is refused before it is built, and what names mean, needs no storage.

#[path = "../world/mod.rs"]
mod world;

mod absence;
mod arguments;
mod failures;
mod long_form;
mod refusals;
mod registration;
mod reuse;
mod spawning;
mod three_faces;

use serde::{Deserialize, Serialize};
use tasker::prelude::*;
use world::World;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Window {
    rows: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    shard: u64,
    rows: u64,
}

/// One shard of the window.
#[derive(Serialize, Deserialize)]
struct Fetch {
    shard: u64,
}

#[step(retry_limit = 5, timeout_seconds = 30)]
impl Fetch {
    async fn process(&self, window: Context<Window>) -> StepResult<Page> {
        Ok(Page { shard: self.shard, rows: window.rows * self.shard })
    }
}

/// Joins what all shards fetched.
#[step]
async fn join(pages: Outputs<Fetch>) -> StepResult<u64> {
    Ok(pages.values().map(|page| page.rows).sum())
}

async fn run<W: Workflow>(world: &World, context: W::Context) -> Report<W> {
    world.engine().start::<W>(context).await.unwrap().finished().await.unwrap()
}

async fn run_built(world: &World, definition: &Definition, context: impl Serialize + Send) -> Report {
    world.engine().start_definition(definition, context).await.unwrap().finished().await.unwrap()
}

/// What is stored of the last failure of a step.
fn failure<'a, W>(report: &'a Report<W>, step: &str, key: &str) -> &'a str {
    let results = &report.step(step).expect("there is such a step").results;
    results[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {results}"))
}
