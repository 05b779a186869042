//! Whatever a stranger writes: never a panic.

use proptest::prelude::*;
use serde_json::{Value, json};
use tasker::{Configuration, Layers};

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just(0.0), Just(0.5), Just(1e300), Just(-1.0)].prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        Just(json!([])),
        Just(json!([1, "x", {}])),
        Just(json!({ "a": { "b": 1 } })),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let known = Layers::new().load().unwrap().values().map(|(path, ..)| path).collect::<Vec<_>>();
    prop_oneof![prop::sample::select(known), "[a-z]{1,9}(\\.[a-z_]{0,9}){0,3}", Just("backoff".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn any_values_at_any_paths_are_taken_whole_or_refused_by_name(
        set in prop::collection::vec((path(), value()), 1..6),
        variables in prop::collection::vec((path(), "\\PC{0,6}"), 0..4),
    ) {
        let names = variables.iter().map(|(path, text)| (format!("TASKER_{}", path.replace('.', "_").to_uppercase()), text.as_str()));
        let layers = set.iter().fold(Layers::new().variables(names), |layers, (path, value)| layers.set(path, value));
        match layers.load() {
            Ok(effective) => {
                prop_assert!(effective.configuration().validate().is_ok());
                let _ = effective.settings();
            }
            Err(errors) => prop_assert!(!errors.mistakes.is_empty()),
        }
    }

    #[test]
    fn any_text_as_toml_is_taken_or_refused(text in "(\\[[a-z]{1,9}\\]\n|[a-z_]{1,9} = [0-9\"a-z\\[\\]{}=.,]{0,9}\n|\\PC{0,9}\n){0,9}") {
        let path = crate::file("mutated", "t.toml", &text);
        let defaults = Configuration::default();
        if let Ok(effective) = Layers::new().file(path).load() {
            prop_assert_eq!(effective.configuration(), &defaults, "no word of it is a setting");
        }
    }
}
