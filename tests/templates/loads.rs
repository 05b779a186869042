//! What loads.

use serde_json::json;
use tasker::prelude::*;
use tasker::{Policy, TemplateReader};

use crate::{all_handlers, data, finished, named, read};

#[test]
fn every_template_of_the_examples_loads_in_one_call() {
    let handlers = all_handlers();
    let files = TemplateReader::new(&handlers).directory(data()).unwrap();
    let loaded: Vec<_> = files
        .iter()
        .map(|file| {
            let steps = file.definition.bound().steps().len();
            let edges: usize = file.definition.bound().parents().iter().map(Vec::len).sum();
            (file.definition.full_name(), steps, edges)
        })
        .collect();
    let expected = [
        ("blog_examples/customer_analytics 1.0.0", 8, 8),
        ("ecommerce/order_processing 1.0.1", 4, 3),
        ("inventory/stock_management 1.0.1", 2, 1),
        ("customer/user_onboarding 1.0.1", 2, 1),
        ("api_tests/api_task/integration_yaml_example 0.1.0", 5, 4),
        ("blog_examples/monitored_checkout 1.0.0", 5, 4),
        ("ecommerce/process_order 1.0.0", 5, 4),
        ("customer_success/process_refund 1.3.0", 5, 4),
        ("payments/process_refund 2.1.0", 4, 3),
        ("shapes/configurable_failure 1.0.0", 4, 3),
        ("shapes/diamond 1.0.0", 7, 7),
        ("default/dummy_task 0.1.0", 4, 2),
        ("shapes/linear 1.0.0", 6, 5),
        ("shapes/mixed 1.0.0", 9, 9),
        ("shapes/parallel_merge 1.0.0", 7, 6),
        ("shapes/tree 1.0.0", 8, 10),
        ("blog_examples/user_registration 1.0.0", 5, 5),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(name, steps, edges)| ((*name).to_owned(), *steps, *edges)).collect();
    assert_eq!(loaded, expected);
    assert!(files.iter().all(|file| file.warnings.is_empty()));
    assert!(files[0].at.to_string().ends_with("customer_analytics.yaml:2:7"), "{}", files[0].at);
}

#[tokio::test]
async fn what_was_loaded_runs() {
    let definition = Definition::from_yaml(&read("shapes/mixed.yaml"), &named(["work"])).unwrap();
    let report = finished(&definition, json!({})).await;
    assert!(report.is_complete());
}

#[test]
fn the_short_form_says_the_same_as_the_references_keys() {
    let text = |step: &str| format!("name: n\nstep_templates:\n  - {{ name: a, {step} }}\n");
    let handlers = named(["work"]);
    let short = Definition::from_yaml(&text("run: { handler: work, config: { x: 1 } }"), &handlers).unwrap();
    let long =
        Definition::from_yaml(&text("handler_class: work, handler_config: { x: 1 }"), &handlers).unwrap();
    assert_eq!(short.bound().hash(), long.bound().hash());
    assert_eq!(short.full_name(), "default/n 0.1.0");
}

#[test]
fn a_step_without_a_system_has_that_of_the_template_or_none() {
    let text = "name: n\nstep_templates:\n  - { name: a, handler_class: work }\n  - { name: b, handler_class: work, dependent_system: bank }\n";
    let system = |text: &str| {
        let definition = Definition::from_yaml(text, &named(["work"])).unwrap();
        let template = definition.template().clone();
        template.step_templates.iter().map(|step| template.system_of(step).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(system(text), ["unknown", "bank"]);
    assert_eq!(system(&format!("{text}default_dependent_system: shop\n")), ["shop", "bank"]);
}

#[step(retry_limit = 7, skippable, timeout_seconds = 9)]
async fn careful() -> StepResult<u64> {
    Ok(1)
}

#[test]
fn what_a_step_does_not_say_its_handler_says() {
    let handlers = Handlers::new().with::<Careful>();
    let step = |more: &str| {
        let text = format!("name: n\nstep_templates:\n  - {{ name: a, handler_class: careful{more} }}\n");
        let definition = Definition::from_yaml(&text, &handlers).unwrap();
        let step = &definition.template().step_templates[0];
        Policy {
            retry_limit: step.default_retry_limit,
            retryable: step.default_retryable,
            skippable: step.skippable,
            timeout_seconds: step.timeout_seconds,
        }
    };
    let says = Policy { retry_limit: 7, retryable: true, skippable: true, timeout_seconds: Some(9) };
    assert_eq!(step(""), says);
    assert_eq!(
        step(", default_retry_limit: 2, skippable: false, timeout_seconds: null"),
        Policy { retry_limit: 2, skippable: false, timeout_seconds: None, ..says }
    );
}

#[tokio::test]
async fn variables_are_read_when_the_handler_is_made_and_never_stored() {
    // The runner of the tests sets it.
    let value = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let text = "name: n\nstep_templates:\n  - name: a\n    handler_class: work\n    handler_config: { here: 'in ${CARGO_MANIFEST_DIR}', text: '$${X}' }\n";
    let definition = Definition::from_yaml(text, &named(["work"])).unwrap();
    let stored = &definition.template().step_templates[0].handler_config;
    assert_eq!(*stored, json!({ "here": "in ${CARGO_MANIFEST_DIR}", "text": "$${X}" }));
    let report = finished(&definition, json!({})).await;
    let given: serde_json::Value = report.output_of("a").unwrap();
    assert_eq!(given["config"], json!({ "here": format!("in {value}"), "text": "${X}" }));
}

#[tokio::test]
async fn a_text_from_code_is_no_variable() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Shell {
        script: String,
    }
    #[step]
    impl Shell {
        async fn process(&self) -> StepResult<String> {
            Ok(self.script.clone())
        }
    }
    let shell = Shell { script: "echo ${NOT_SET} $${X}".to_owned() };
    let definition = Definition::builder("tests", "shell", "1.0.0").step("a", shell).build().unwrap();
    let report = finished(&definition, json!({})).await;
    assert_eq!(report.output_of::<String>("a").unwrap(), "echo ${NOT_SET} $${X}");
}
