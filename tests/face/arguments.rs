//! What a step takes.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tasker::TypeKey;
use tasker::prelude::*;

use crate::world::{World, on_every_backend};
use crate::{Fetch, Join, Page, Window, run};

on_every_backend! {
    reach_a_step_whatever_they_are
    a_missing_resource_is_refused_at_start_with_its_step
    of_a_users_own_making_declare_like_any_other
}

struct Pool(AtomicU64);
#[derive(Serialize, Deserialize)]
struct Rate {
    cents: u64,
}
#[derive(Deserialize)]
struct Rows {
    rows: u64,
}
type Ctx = Context<Window>;
type Out<T> = Result<T, StepError>;

/// Documented.
#[expect(clippy::too_many_arguments, reason = "one of each kind")]
#[step(name = "all.of.them", retry_limit = 9)]
async fn everything(
    window: Ctx,
    pool: State<Pool>,
    rate: Config<Rate>,
    page: &Output<Fetch>,
    joined: Option<Output<Join>>,
    pages: Outputs<Fetch>,
    Part(Rows { rows }): Part<Rows>,
    call: &Call,
) -> Out<Vec<u64>> {
    pool.0.0.fetch_add(1, Ordering::Relaxed);
    Ok(vec![
        window.rows,
        rate.cents,
        page.rows,
        joined.map_or(0, |joined| *joined),
        pages.get("fetch").map_or(0, |page| page.rows),
        rows,
        u64::from(call.attempt()),
    ])
}

fn definition() -> Definition {
    let builder = Definition::builder("tests", "arguments", "1.0.0").context::<Window>();
    let builder = builder.step("fetch", Fetch { shard: 2 }).handler::<Join>("join");
    builder.step("everything", Everything).config(Rate { cents: 1000 }).build().unwrap()
}

async fn reach_a_step_whatever_they_are(world: World) {
    let engine = world.engine().state(Pool(AtomicU64::new(0)));
    let task = engine.start_definition(&definition(), Window { rows: 4 }).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.output::<Everything>().unwrap(), [4, 1000, 8, 8, 8, 4, 1]);
    assert_eq!(report.step("everything").unwrap().retry_limit, 9);
}

async fn a_missing_resource_is_refused_at_start_with_its_step(world: World) {
    let refused = world.engine().start_definition(&definition(), Window { rows: 4 }).await.unwrap_err();
    let EngineError::MissingState { step, resource, .. } = refused else { panic!("{refused}") };
    assert_eq!((step.as_str(), resource), ("everything", TypeKey::of::<Pool>().name()));
}

#[test]
fn a_configuration_that_does_not_fit_is_refused_with_its_path() {
    let builder = Definition::builder("tests", "arguments", "1.0.0").context::<Window>();
    let builder = builder.step("fetch", Fetch { shard: 2 }).step("join", Join);
    let builder = builder.step("everything", Everything).config(json!({ "cents": -1 }));
    let builder = builder.step("again", Fetch { shard: 1 }).config(json!({ "shard": [] }));
    let text = builder.build().unwrap_err().to_string();
    assert!(text.contains("step `everything`: handler_config: `cents`"), "{text}");
    assert!(text.contains("step `again`: handler_config: `shard`"), "{text}");
}

#[tokio::test]
async fn a_step_is_a_plain_function() {
    let window = Context(Window { rows: 3 });
    assert_eq!(Fetch { shard: 2 }.process(window).await.unwrap().rows, 6);
    let pages =
        Outputs(vec![("a".into(), Page { shard: 1, rows: 1 }), ("b".into(), Page { shard: 2, rows: 5 })]);
    assert_eq!(crate::join(pages).await.unwrap(), 6);
}

/// Built of two others.
struct Sums {
    of: u64,
}
impl Argument for Sums {
    type On = <Context<Window> as Argument>::On;
    type Dependencies =
        (<Context<Window> as Argument>::Dependencies, <Output<Join> as Argument>::Dependencies);
    fn declare(needs: &mut Needs) {
        Context::<Window>::declare(needs);
        Output::<Join>::declare(needs);
    }
    fn extract(call: &Call) -> StepResult<Self> {
        let window = Context::<Window>::extract(call)?;
        Ok(Self { of: window.rows + *Output::<Join>::extract(call)? })
    }
}
#[step]
async fn summed(sums: Sums) -> StepResult<u64> {
    Ok(sums.of)
}
#[derive(Workflow)]
#[workflow(context = Window, steps(fetch = Fetch { shard: 3 }, Join, Summed))]
struct Own;

async fn of_a_users_own_making_declare_like_any_other(world: World) {
    assert_eq!(Own::definition().unwrap().template().step_templates[2].depends_on_steps, ["join"]);
    assert_eq!(run::<Own>(&world, Window { rows: 5 }).await.output::<Summed>().unwrap(), 20);
}
