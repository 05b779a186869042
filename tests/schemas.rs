//! Schemas that handlers derive for their configuration.

use serde_json::{Value, json};
use tasker::Entry;
use tasker::prelude::*;
use tasker::schemars::{self, JsonSchema};

/// What a charge needs.
#[derive(serde::Deserialize, JsonSchema)]
struct Charge {
    gateway: String,
    #[schemars(range(max = 5))]
    retries: u32,
}

#[step]
impl Charge {
    async fn process(&self) -> StepResult<String> {
        Ok(format!("{} {}", self.gateway, self.retries))
    }
}

#[derive(serde::Deserialize, JsonSchema)]
struct Limits {
    #[serde(default)]
    most: u64,
}

#[step]
async fn limited(limits: Config<Limits>) -> StepResult<u64> {
    Ok(limits.most)
}

#[derive(serde::Deserialize)]
struct Plain {
    key: String,
}

#[step]
impl Plain {
    async fn process(&self) -> StepResult<String> {
        Ok(self.key.clone())
    }
}

fn schema_of<H: tasker::Step>() -> Value {
    serde_json::to_value(Entry::of::<H>().describe()).unwrap()["config_schema"].take()
}

#[test]
fn handler_that_derives_a_schema_is_described_with_it() {
    let schema = schema_of::<Charge>();
    assert_eq!(schema["required"], json!(["gateway", "retries"]));
    assert_eq!(schema["properties"]["retries"]["maximum"], 5);
    assert_eq!(schema["description"], "What a charge needs.");
}

#[test]
fn configuration_that_a_function_takes_is_described_too() {
    assert_eq!(schema_of::<Limited>()["properties"]["most"]["format"], "uint64");
}

#[test]
fn handler_without_a_schema_is_described_by_its_keys_alone() {
    assert_eq!(schema_of::<Plain>(), Value::Null);
    assert_eq!(Entry::of::<Plain>().describe().config_keys, ["key"]);
}
