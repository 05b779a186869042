//! One workflow written three ways is one definition.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{BuildErrors, LinkedWorkflow, StepTemplate, Template, Version};

use crate::world::{World, on_every_backend};
use crate::{Fetch, Join, Page, Window, run, run_built};

on_every_backend! {
    give_one_answer
    join_as_many_as_there_are
    are_checked_when_read_if_known_only_at_run_time
    refuse_a_context_that_does_not_fit_before_a_task_exists
}

#[derive(Workflow)]
#[workflow(namespace = "reports", name = "shards", version = "1.0.0", context = Window,
    steps(fetch_1 = Fetch { shard: 1 }, fetch_2 = Fetch { shard: 2 }, fetch_3 = Fetch { shard: 3 }, Join))]
struct Shards;

fn built(shards: u64) -> Result<Definition, BuildErrors> {
    let builder = Definition::builder("reports", "shards", "1.0.0").context::<Window>();
    let builder =
        (1..=shards).fold(builder, |builder, shard| builder.step(format!("fetch_{shard}"), Fetch { shard }));
    builder.step("join", Join).after((1..=shards).map(|shard| format!("fetch_{shard}"))).build()
}

fn read() -> Result<Definition, BuildErrors> {
    let mut template = Template::new("reports", "shards", Version(1, 0, 0));
    template.step_templates = (1..=3)
        .map(|shard| StepTemplate {
            handler_config: json!({ "shard": shard }),
            default_retry_limit: 5,
            timeout_seconds: Some(30),
            ..StepTemplate::new(format!("fetch_{shard}"), "fetch")
        })
        .chain([StepTemplate::new("join", "join")])
        .collect();
    Definition::from_template(template, &Handlers::new().with::<Fetch>().with::<Join>())
}

#[test]
fn give_one_template() {
    let typed = Shards::definition().unwrap();
    assert_eq!(typed.template(), built(3).unwrap().template());
    assert_eq!(typed.template(), read().unwrap().template());
    assert_eq!(typed.bound().hash(), read().unwrap().bound().hash());
    assert_eq!(typed.template().step_templates[3].depends_on_steps, ["fetch_1", "fetch_2", "fetch_3"]);
}

#[test]
fn give_one_template_without_configurations_too() {
    #[derive(Serialize, Deserialize)]
    struct Greet {
        #[serde(default = "world")]
        whom: String,
    }
    fn world() -> String {
        "world".to_owned()
    }
    #[step]
    impl Greet {
        async fn process(&self) -> StepResult<String> {
            Ok(format!("hello {}", self.whom))
        }
    }
    #[derive(Workflow)]
    #[workflow(context = Value, steps(Greet))]
    struct Greeting;

    let built =
        Definition::builder("default", "greeting", "0.1.0").handler::<Greet>("greet").build().unwrap();
    let mut template = Template::new("default", "greeting", Version(0, 1, 0));
    template.step_templates = vec![StepTemplate::new("greet", "greet")];
    let read = Definition::from_template(template, &Handlers::new().with::<Greet>()).unwrap();
    assert_eq!(Greeting::definition().unwrap().template(), built.template());
    assert_eq!(built.template(), read.template());
}

async fn give_one_answer(world: World) {
    let typed = run::<Shards>(&world, Window { rows: 10 }).await;
    assert_eq!(typed.output::<Join>().unwrap(), 60);
    assert_eq!(typed.output_at::<Fetch>("fetch_2").unwrap(), Page { shard: 2, rows: 20 });
    for definition in [built(3).unwrap(), read().unwrap()] {
        let report = run_built(&world, &definition, Window { rows: 10 }).await;
        assert_eq!(report.output::<Join>().unwrap(), 60);
        assert_eq!(report.output_at::<Fetch>("fetch_2").unwrap().rows, 20);
    }
}

async fn join_as_many_as_there_are(world: World) {
    let report = run_built(&world, &built(20).unwrap(), Window { rows: 1 }).await;
    assert_eq!(report.output::<Join>().unwrap(), 210);
}

async fn are_checked_when_read_if_known_only_at_run_time(world: World) {
    let report = run_built(&world, &built(2).unwrap(), Window { rows: 1 }).await;
    let ambiguous = report.output::<Fetch>().unwrap_err().to_string();
    assert!(ambiguous.contains("`fetch_1`, `fetch_2`") && ambiguous.contains("output_at"), "{ambiguous}");
    let other = report.output_at::<Join>("fetch_1").unwrap_err().to_string();
    assert!(other.contains("`join` runs no step `fetch_1`"), "{other}");
    assert!(report.output_at::<Fetch>("fetch_9").is_err());
}

async fn refuse_a_context_that_does_not_fit_before_a_task_exists(world: World) {
    for definition in [built(2).unwrap(), read().unwrap()] {
        let engine = world.engine();
        let refused =
            engine.start_definition(&definition, json!({ "rows": "many" })).await.unwrap_err().to_string();
        assert!(refused.contains("`rows`"), "{refused}");
    }
}

#[test]
fn are_linked() {
    let found =
        LinkedWorkflow::all().find(|linked| linked.type_name == "Shards").expect("the derive submits it");
    assert!(found.place.file.ends_with("three_faces.rs"), "{}", found.place);
    assert_eq!((found.definition)().unwrap().full_name(), "reports/shards 1.0.0");
}
