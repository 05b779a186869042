//! Outputs that are not there, and outputs that are null.

use std::sync::Arc;

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{Act, BAD_INPUT, Hooks, Intervened, MISSING_OUTPUT, Request, StepCommand, TaskPlan, TaskState};

use crate::world::{World, on_every_backend};
use crate::{Window, failure, run};

on_every_backend! {
    null_is_a_value_and_only_a_skipped_or_absent_parent_is_none
    an_output_that_is_not_there_is_a_permanent_failure_that_names_the_handler
    an_output_that_does_not_fit_is_one_too
    a_context_that_does_not_fit_is_permanent_with_its_path
}

#[step(skippable)]
async fn gift_wrap(window: Context<Window>) -> StepResult<Option<u64>> {
    Ok(Some(window.rows).filter(|rows| *rows > 1))
}
#[step]
async fn ship(wrapped: Option<Output<GiftWrap>>) -> StepResult<String> {
    Ok(format!("{:?}", wrapped.map(|wrapped| wrapped.0)))
}
#[derive(Workflow)]
#[workflow(namespace = "tests", context = Window, steps(GiftWrap, Ship))]
struct Gift;
#[derive(Workflow)]
#[workflow(namespace = "tests", context = Window, steps(Ship))]
struct Bare;

async fn null_is_a_value_and_only_a_skipped_or_absent_parent_is_none(world: World) {
    assert_eq!(run::<Gift>(&world, Window { rows: 2 }).await.output::<Ship>().unwrap(), "Some(Some(2))");
    assert_eq!(run::<Gift>(&world, Window { rows: 1 }).await.output::<Ship>().unwrap(), "Some(None)");
    assert_eq!(run::<Bare>(&world, Window { rows: 1 }).await.output::<Ship>().unwrap(), "None");
    let request = Request { bypass_steps: vec!["gift_wrap".into()], ..Request::new(json!({ "rows": 2 })) };
    let task = world.engine().request(&Gift::definition().unwrap(), request).await.unwrap().of::<Gift>();
    assert_eq!(task.finished().await.unwrap().output::<Ship>().unwrap(), "None");
}

#[step(retryable = false)]
async fn price(window: Context<Window>) -> StepResult<u64> {
    if window.rows == 0 { Err("no rows".into()) } else { Ok(window.rows) }
}
#[step]
async fn charge(price: Output<Price>) -> StepResult<u64> {
    Ok(*price)
}
#[step]
async fn charge_any(price: Input<u64>) -> StepResult<u64> {
    Ok(*price)
}
#[derive(Workflow)]
#[workflow(context = Window, steps(Price, Charge, ChargeAny after(Price)))]
struct Paid;

/// The task with `price` resolved by hand.
async fn resolved(world: &World, results: Option<Value>) -> Report<Paid> {
    let engine = world.engine();
    let task = engine.start::<Paid>(Window { rows: 0 }).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Error);
    let step = report.step("price").unwrap().id;
    let command = StepCommand::Resolve { results: results.map(Arc::new) };
    let act = Act::Step { step, command, expected: None };
    let done = engine.intervene(task.id(), act, "ada", Some("by hand")).await.unwrap();
    assert!(matches!(done, Intervened::Moved { .. }), "{done:?}");
    task.retry("ada").await.unwrap();
    task.finished().await.unwrap()
}

async fn an_output_that_is_not_there_is_a_permanent_failure_that_names_the_handler(world: World) {
    let report = resolved(&world, None).await;
    assert_eq!(failure(&report, "charge", "error_class"), MISSING_OUTPUT);
    assert!(failure(&report, "charge", "error").contains("the output of `price`"));
    assert_eq!(failure(&report, "charge_any", "error_class"), MISSING_OUTPUT);
    assert!(failure(&report, "charge_any", "error").contains("u64"));
    assert_eq!(report.step("charge").unwrap().attempts, 1);
}

async fn an_output_that_does_not_fit_is_one_too(world: World) {
    let report = resolved(&world, Some(json!("much"))).await;
    assert_eq!(failure(&report, "charge", "error_class"), MISSING_OUTPUT);
    assert!(failure(&report, "charge", "error").contains("output of step `price`"));
    let report = resolved(&world, Some(json!(7))).await;
    assert_eq!(report.output::<Charge>().unwrap(), 7);
}

struct Mangle;
impl Hooks for Mangle {
    fn plan(&self, plan: &mut TaskPlan<'_>) -> Result<(), String> {
        plan.set_inputs("price", json!({ "rows": { "many": true } }))
    }
}
#[derive(Workflow)]
#[workflow(context = Window, hooks = Mangle, steps(Price))]
struct Mangled;

async fn a_context_that_does_not_fit_is_permanent_with_its_path(world: World) {
    let report = run::<Mangled>(&world, Window { rows: 1 }).await;
    assert_eq!(failure(&report, "price", "error_class"), BAD_INPUT);
    assert!(failure(&report, "price", "error").contains("context: `rows`"));
    assert_eq!(report.step("price").unwrap().attempts, 1);
}
