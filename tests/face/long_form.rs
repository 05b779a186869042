//! The long form: `#[derive(StepHandler)]` beside `impl Step`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{BuildError, Policy, StepTemplate, Template, Version};

use crate::world::{World, on_every_backend};
use crate::{Fetch, Join, Window, run_built};

on_every_backend! {
    reach_what_was_declared_and_store_what_they_say
    generic_handlers_are_registered_by_hand
}

struct Pool(u64);

/// Everything that the long form can declare.
#[derive(StepHandler)]
#[step(name = "audit", depends_on(Price), optional(Join), all(Fetch), state(Pool), spawns(Price))]
struct Audit;

#[step]
async fn price(window: Context<Window>) -> StepResult<u64> {
    Ok(window.rows)
}

impl Step for Audit {
    type Context = Window;
    type Output = u64;

    async fn process(&self, step: &StepContext<Self>) -> StepResult<u64> {
        step.spawn::<Price>()?.step("late", Price)?;
        let rows: u64 = step.outputs_of::<Fetch>()?.values().map(|page| page.rows).sum();
        let joined = step.optional_output_of::<Join>()?.unwrap_or_default();
        Ok(step.context()?.rows + step.output_of::<Price>()? + rows + joined + step.state::<Pool>()?.0.0)
    }

    fn process_results(&self, step: &StepContext<Self>, output: u64) -> StepResult<Value> {
        assert_eq!(step.name().as_str(), "audit");
        Ok(json!(output * 10))
    }
}

#[derive(Workflow)]
#[workflow(context = Window, steps(Price, fetch = Fetch { shard: 2 }, Audit))]
struct Audited;

async fn reach_what_was_declared_and_store_what_they_say(world: World) {
    let engine = world.engine().state(Pool(1));
    let report = engine.start::<Audited>(Window { rows: 3 }).await.unwrap().finished().await.unwrap();
    assert_eq!(report.output::<Audit>().unwrap(), (3 + 3 + 6 + 1) * 10);
    assert_eq!(report.output_of::<u64>("late").unwrap(), 3);
    let refused = world.engine().start::<Audited>(Window { rows: 3 }).await.unwrap_err();
    assert!(matches!(refused, EngineError::MissingState { .. }), "{refused}");
}

/// A generic handler, registered for each use.
#[derive(StepHandler, Serialize, Deserialize)]
#[serde(bound = "")]
struct Echo<T: tasker::Payload> {
    #[serde(skip)]
    of: std::marker::PhantomData<fn() -> T>,
}
impl<T: tasker::Payload> Step for Echo<T> {
    type Context = T;
    type Output = T;
    async fn process(&self, step: &StepContext<Self>) -> StepResult<T> {
        step.context()
    }
}

async fn generic_handlers_are_registered_by_hand(world: World) {
    let mut template = Template::new("tests", "echo", Version(1, 0, 0));
    template.step_templates = vec![StepTemplate::new("echo", "echo")];
    let none = Definition::from_template(template.clone(), &Handlers::new()).unwrap_err();
    assert!(matches!(none.errors[..], [BuildError::UnknownHandler { .. }]));
    let handlers = Handlers::new().with::<Echo<Window>>();
    let definition = Definition::from_template(template, &handlers).unwrap();
    assert_eq!(
        run_built(&world, &definition, Window { rows: 8 }).await.output::<Echo<Window>>().unwrap().rows,
        8
    );
}

#[test]
fn options_reach_the_policy() {
    #[step(retryable = false, skippable, timeout_seconds = 7, retry_limit = 2)]
    async fn strict() -> StepResult<()> {
        Ok(())
    }
    let definition = Definition::builder("tests", "policy", "1.0.0").step("strict", Strict).build().unwrap();
    let step = &definition.template().step_templates[0];
    let found = Policy {
        retry_limit: step.default_retry_limit,
        retryable: step.default_retryable,
        skippable: step.skippable,
        timeout_seconds: step.timeout_seconds,
    };
    let wanted = Policy { retry_limit: 2, retryable: false, skippable: true, timeout_seconds: Some(7) };
    assert_eq!(found, wanted);
}
