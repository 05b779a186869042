//! The workflows that are run, and what their steps do: they write their ledger, take some time, and sometimes fail.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{BuildErrors, DefinitionBuilder, DynHandler, Entry, Policy, SpawnRequest, StepName};

use crate::chance::{happens, mixed};
use crate::ledger::{Ledger, What};

/// So many attempts each step has. Every kill takes one from what runs.
const ATTEMPTS: u32 = 12;

/// What the steps of this process share.
struct Steps {
    ledger: Option<Ledger>,
    seed: u64,
}

/// Every workflow. Whoever only creates tasks has no ledger.
///
/// # Errors
/// None, unless this file is wrong.
pub(crate) fn all(ledger: Option<Ledger>, seed: u64) -> Result<Vec<Definition>, BuildErrors> {
    let steps = Arc::new(Steps { ledger, seed });
    let work = work(&steps);
    Ok(vec![chain(&work)?, diamond(&work)?, fan(&work)?, one_at_a_time(&work)?, spawning(&steps, &work)?])
}

fn chain(work: &Entry) -> Result<Definition, BuildErrors> {
    let builder = Definition::builder("chaos", "chain", "1.0.0").step("s0", work.clone());
    let link = |builder: DefinitionBuilder, place: usize| {
        builder.step(format!("s{place}"), work.clone()).after([format!("s{}", place - 1)])
    };
    (1..6).fold(builder, link).build()
}

fn diamond(work: &Entry) -> Result<Definition, BuildErrors> {
    let work = || work.clone();
    let builder = Definition::builder("chaos", "diamond", "1.0.0").step("a", work());
    let builder = builder.step("b", work()).after(["a"]).step("c", work()).after(["a"]);
    builder.step("d", work()).after(["b", "c"]).build()
}

fn fan(work: &Entry) -> Result<Definition, BuildErrors> {
    let leaves: Vec<_> = (0..16).map(|leaf| format!("leaf_{leaf}")).collect();
    let builder = Definition::builder("chaos", "fan", "1.0.0").step("root", work.clone());
    let leaf =
        |builder: DefinitionBuilder, leaf: &String| builder.step(leaf.as_str(), work.clone()).after(["root"]);
    let builder = leaves.iter().fold(builder, leaf);
    builder.step("join", work.clone()).after(leaves.iter().map(String::as_str)).build()
}

fn one_at_a_time(work: &Entry) -> Result<Definition, BuildErrors> {
    let builder = Definition::builder("other", "one_at_a_time", "1.0.0").one_step_at_a_time();
    ["a", "b", "c", "d"].iter().fold(builder, |builder, name| builder.step(*name, work.clone())).build()
}

fn spawning(steps: &Arc<Steps>, work: &Entry) -> Result<Definition, BuildErrors> {
    let (shared, entry) = (Arc::clone(steps), work.clone());
    let plan = handler_fn(move |call: Call| {
        let (steps, shard) = (Arc::clone(&shared), entry.clone());
        async move {
            let shards = 1 + mixed(&[steps.seed, number(call.task().0)]) % 5;
            for place in 0..shards {
                call.spawn(SpawnRequest {
                    name: StepName::from(format!("shard_{place}")),
                    entry: shard.clone(),
                    config: Value::Null,
                    after: vec![],
                    before: vec!["join".into()],
                })?;
            }
            steps.run(call).await
        }
    });
    let plan = with_attempts(plan.named("plan"));
    let builder =
        Definition::builder("other", "spawning", "1.0.0").step("plan", plan).may_spawn(work.clone());
    builder.step("join", work.clone()).after(["plan"]).build()
}

fn work(steps: &Arc<Steps>) -> Entry {
    let steps = Arc::clone(steps);
    let run = handler_fn(move |call: Call| {
        let steps = Arc::clone(&steps);
        async move { steps.run(call).await }
    });
    let handler: Arc<dyn DynHandler> = Arc::new(run);
    with_attempts(Entry::of_value("work", handler))
}

fn with_attempts(mut entry: Entry) -> Entry {
    entry.policy = Policy { retry_limit: ATTEMPTS, ..Policy::DEFAULT };
    entry
}

impl Steps {
    /// Yields the claim under which it ran, and those under which its parents did, as far as they were told.
    async fn run(&self, call: Call) -> StepResult<Value> {
        let ledger = self.ledger.as_ref().ok_or("whoever only creates tasks runs no step")?;
        ledger.write(&call, What::Started);
        call.sleep(self.takes(&call)).await;
        if self.happens(60, &call, "fail") {
            ledger.write(&call, What::Failed);
            return Err(StepError::retry_after(Duration::from_millis(50), "as it was drawn"));
        }
        if self.happens(25, &call, "snooze") {
            ledger.write(&call, What::Snoozed);
            return Err(StepError::snooze(Duration::from_millis(200)));
        }
        let parents: StepResult<Vec<Value>> = call
            .parents()
            .iter()
            .map(|parent| Ok(json!(parent.output::<Value>()?.map(|output| output["by"].clone()))))
            .collect();
        let output = json!({ "by": call.token(), "parents": parents? });
        ledger.write(&call, What::Completed);
        Ok(output)
    }

    /// Always the same for a step: one that was long when its worker was frozen is long when another runs it, and so is
    /// there when the frozen one wakes.
    fn takes(&self, call: &Call) -> Duration {
        let drawn = mixed(&[self.seed, number(call.step().0), 1]);
        let millis = if drawn % 10 < 7 { (drawn >> 8) % 40 } else { 300 + (drawn >> 8) % 1_200 };
        Duration::from_millis(millis)
    }

    fn happens(&self, per_mille: u64, call: &Call, what: &str) -> bool {
        happens(per_mille, &[self.seed, number(call.token().0), what.len() as u64])
    }
}

fn number(id: i64) -> u64 {
    id.cast_unsigned()
}
