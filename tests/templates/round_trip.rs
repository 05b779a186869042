//! Definition → YAML → the same definition.

use proptest::prelude::*;
use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{Fixed, SchemaMode, TemplateReader};

use crate::{all_handlers, data, named};

#[test]
fn every_template_of_the_examples_comes_back() {
    let handlers = all_handlers();
    for file in TemplateReader::new(&handlers).directory(data()).unwrap() {
        let text = file.definition.to_yaml();
        let again =
            Definition::from_yaml(&text, &handlers).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        assert_eq!(again.template(), file.definition.template(), "{text}");
    }
}

#[step(retry_limit = 7, skippable, timeout_seconds = 9)]
async fn careful() -> StepResult<u64> {
    Ok(1)
}

#[test]
fn what_a_step_says_against_its_handler_comes_back() {
    let handlers = Handlers::new().with::<Careful>();
    let mut template = tasker::Template::new("n", "n", tasker::Version(1, 0, 0));
    template.step_templates = vec![tasker::StepTemplate::new("a", "careful")];
    let definition = Definition::from_template(template, &handlers).unwrap();
    let text = definition.to_yaml();
    assert!(text.contains("timeout_seconds: null") && text.contains("skippable: false"), "{text}");
    assert_eq!(Definition::from_yaml(&text, &handlers).unwrap().template(), definition.template());
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,8}",
        "\\PC{1,12}",
        "[ \\-:#&*!|>'\"%@`{}\\[\\],\n\t\u{85}\u{2028}\u{feff}0-9.~]{1,8}"
    ]
    .prop_filter("a name", |word| !word.trim().is_empty())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON", |number| number.is_finite()).prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(word(), inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_can_be_built_comes_back(
        names in prop::collection::btree_set(word(), 1..5),
        configs in prop::collection::vec(json_value(), 5),
        limits in prop::collection::vec(1..9u32, 5),
        name in word(), description in word(), strict: bool, schema in prop::option::of(Just(json!({ "type": "object" }))),
    ) {
        let mut builder = Definition::builder("tests", &name, "1.2.3").description(description);
        if let Some(schema) = schema {
            builder = builder.schema(schema);
        }
        if strict {
            builder = builder.schema_mode(SchemaMode::Strict).one_step_at_a_time();
        }
        builder = builder.custom_event("order.done", "what: #ever");
        let names: Vec<_> = names.into_iter().collect();
        for (place, step) in names.iter().enumerate() {
            let handler = tasker::handler_fn(|_: Call| async { Ok(json!(1)) }).named("work");
            builder = builder.step(step.as_str(), handler).config(&configs[place]).retry_limit(limits[place]);
            builder = builder.after(names[..place].iter().map(String::as_str)).dependent_system("a: b");
            builder = if place % 2 == 0 { builder.retry_policy(Fixed { seconds: 0.5 }) } else { builder.timeout_seconds(3) };
        }
        let definition = builder.build().unwrap();
        let text = definition.to_yaml();
        let again = Definition::from_yaml(&text, &named(["work"]));
        let again = again.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        prop_assert_eq!(again.template(), definition.template(), "{}", text);
    }
}
