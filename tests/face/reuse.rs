//! Handlers that are not tied to others.

use serde::{Deserialize, Serialize};
use tasker::BuildError;
use tasker::prelude::*;

use crate::world::{World, on_every_backend};
use crate::{Fetch, Page, Window, run};

on_every_backend! {
    one_handler_runs_behind_many_parents_on_many_contexts
}

/// Any parent that yields a `Page` will do.
#[step]
async fn count(page: Input<Page>) -> StepResult<u64> {
    Ok(page.rows)
}

/// Any context with `rows` will do.
#[step]
async fn read_file(Part(window): Part<Window>) -> StepResult<Page> {
    Ok(Page { shard: 0, rows: window.rows })
}

#[derive(Serialize, Deserialize)]
struct Wide {
    rows: u64,
    more: String,
}

#[derive(Workflow)]
#[workflow(context = Window, steps(fetch = Fetch { shard: 7 }, Count))]
struct FromFetch;
#[derive(Workflow)]
#[workflow(context = Window, steps(ReadFile, Count))]
struct FromFile;
#[derive(Workflow)]
#[workflow(context = Wide, steps(ReadFile, Count))]
struct FromWide;
#[derive(Workflow)]
#[workflow(context = Window, steps(fetch = Fetch { shard: 7 }, ReadFile, Count after(fetch)))]
struct FromTheNamedOne;
#[derive(Workflow)]
#[workflow(context = Window, steps(fetch = Fetch { shard: 7 }, ReadFile, Count))]
struct FromEither;

async fn one_handler_runs_behind_many_parents_on_many_contexts(world: World) {
    assert_eq!(run::<FromFetch>(&world, Window { rows: 3 }).await.output::<Count>().unwrap(), 21);
    assert_eq!(run::<FromFile>(&world, Window { rows: 3 }).await.output::<Count>().unwrap(), 3);
    assert_eq!(run::<FromTheNamedOne>(&world, Window { rows: 3 }).await.output::<Count>().unwrap(), 21);
    let wide = Wide { rows: 4, more: String::new() };
    assert_eq!(run::<FromWide>(&world, wide).await.output::<Count>().unwrap(), 4);
}

#[test]
fn two_producers_of_one_type_are_refused_when_built() {
    let errors = FromEither::definition().unwrap_err().errors;
    let [BuildError::AmbiguousInput { step, from, .. }] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((step.as_str(), from.len()), ("count", 2));
}
