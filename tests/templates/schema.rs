//! Contexts against the schema of their template.

use serde_json::json;
use tasker::prelude::*;
use tasker::{BuildError, Storage as _, TaskId};

use crate::{all_handlers, named, read};

#[tokio::test]
async fn defaults_are_stored_with_the_context() {
    let definition = Definition::from_yaml(&read("customer_analytics.yaml"), &all_handlers()).unwrap();
    let engine = Engine::in_memory();
    let context = json!({ "date_range": { "start_date": "2024-01-15", "end_date": "2024-01-20" } });
    let task = engine.start_definition(&definition, context).await.unwrap();
    let stored = engine.storage().load(&[task.id()], tasker::Detail::Graph).await.unwrap();
    let context = &stored[0].request.context;
    assert_eq!(context["notification_channels"], json!(["#data-team"]));
    assert_eq!(context["quality_thresholds"]["min_order_records"], 50);
    assert_eq!(stored[0].steps[0].inputs, *context, "and given to the steps");
}

#[tokio::test]
async fn a_context_that_does_not_fit_is_refused_whole_and_leaves_nothing() {
    let definition = Definition::from_yaml(&read("customer_analytics.yaml"), &all_handlers()).unwrap();
    let engine = Engine::in_memory();
    let context = json!({ "date_range": { "start_date": "soon" }, "processing_mode": "fast" });
    let error = engine.start_definition(&definition, context).await.unwrap_err();
    let EngineError::Schema { misfits, .. } = &error else { panic!("{error}") };
    let mut pointers: Vec<_> = misfits.iter().map(|misfit| misfit.path.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/date_range", "/date_range/start_date", "/processing_mode"], "{error}");
    let kept = engine.storage().load(&[TaskId(1)], tasker::Detail::Graph).await.unwrap();
    assert!(kept.is_empty());
}

#[tokio::test]
async fn strict_is_as_the_reference_was() {
    let text = read("shapes/dummy_task.yaml");
    let engine = Engine::in_memory();
    let extra = json!({ "dummy": true, "more": 1 });
    let standard = Definition::from_yaml(&text, &named(["work"])).unwrap();
    assert!(engine.start_definition(&standard, extra.clone()).await.is_ok());
    let strict = Definition::from_yaml(&(text + "schema_mode: strict\n"), &named(["work"])).unwrap();
    assert!(matches!(engine.start_definition(&strict, extra).await, Err(EngineError::Schema { .. })));
}

#[test]
fn what_is_no_schema_is_refused_at_its_place() {
    let text = "name: n\nschema:\n  properties:\n    a:\n      minimum: one\nstep_templates: []\n";
    let errors = Definition::from_yaml(text, &Handlers::new()).unwrap_err();
    let [mistake] = &errors.mistakes[..] else { panic!("{errors}") };
    assert!(matches!(mistake.fault, tasker::Fault::Build(BuildError::Schema(_))));
    assert!(mistake.to_string().starts_with("template:5:16: schema: "), "{mistake}");
}
