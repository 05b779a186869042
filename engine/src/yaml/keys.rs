//! The keys of a template: one table that reading, messages and the published JSON Schema share.

use serde_json::{Value, json};

use crate::document::json_schema;
use crate::document::shape::{Key, Kind};

const fn text(most: usize) -> Kind {
    Kind::Text { most, blank: false }
}
const PROSE: Kind = Kind::Text { most: 255, blank: true };
const STEP_NAME: Kind = text(128);
const STEP_NAMES: Kind = Kind::List { of: &STEP_NAME, least: 0 };
const LIMIT: Kind = Kind::Integer { least: 1, most: 2_147_483_647 };
const SECONDS: Kind = Kind::Integer { least: 1, most: 4_294_967_295 };
const EVENTS: Kind = Kind::List { of: &EVENT, least: 0 };
const EVENT: Kind = Kind::Map(
    "a custom event",
    &[
        Key::new("name", text(255), "Words with dots between them, as `order.fulfilled`.").required(),
        Key::new("description", PROSE, "For people."),
    ],
);

const RUN: Kind = Kind::Map(
    "`run`",
    &[
        Key::new("handler", text(255), "The handler that runs the step."),
        Key::new("config", Kind::Any, "What the handler is made with."),
    ],
);

const STEP_KEYS: &[Key] = &[
    Key::new("name", STEP_NAME, "Unique within the workflow.").required(),
    Key::new(
        "handler_class",
        text(255),
        "The handler that runs the step, by its short name or its whole path.",
    ),
    Key::new("run", RUN, "`handler_class` and `handler_config`, shorter."),
    Key::new("description", PROSE, "For people."),
    Key::new(
        "dependent_system",
        text(64),
        "The external system it talks to; else `default_dependent_system`.",
    ),
    Key::new(
        "default_retryable",
        Kind::Bool,
        "Whether a failed attempt may be followed by another; else what the handler says, or true.",
    ),
    Key::new(
        "default_retry_limit",
        LIMIT,
        "How many attempts there may be in all; else what the handler says, or 3.",
    ),
    Key::new(
        "skippable",
        Kind::Bool,
        "Whether a request may pass over it; else what the handler says, or false.",
    ),
    Key::new("depends_on_step", STEP_NAME, "One step that it waits for."),
    Key::new("depends_on_steps", STEP_NAMES, "The steps that it waits for.").default("[]"),
    Key::new(
        "handler_config",
        Kind::Any,
        "What its handler is made with. `${NAME}` is read from the process environment, `$${` is `${` itself.",
    ),
    Key::new("custom_events", EVENTS, "Events that it publishes besides the engine's own.").default("[]"),
    Key::new(
        "timeout_seconds",
        SECONDS,
        "How long an attempt may take; null for without end. Else what the handler says.",
    )
    .nullable(),
    Key::new(
        "retry_policy",
        Kind::Object,
        "How long it waits between attempts: `{type: fixed, seconds: 3}`.",
    )
    .nullable(),
];
const STEP: Kind = Kind::Map("a step", STEP_KEYS);
const STEPS: Kind = Kind::List { of: &STEP, least: 0 };

/// Every key of a template but `environments`. A template needs the first two.
const OWN_KEYS: [Key; 13] = [
    Key::new("name", text(64), "The name within the namespace."),
    Key::new("step_templates", STEPS, "The steps."),
    Key::new("namespace_name", text(64), "The namespace.").default("\"default\""),
    Key::new("version", Kind::Version, "Three dotted numbers.").default("\"0.1.0\""),
    Key::new("description", PROSE, "For people."),
    Key::new("task_handler_class", text(255), "The class that the Rails engine makes; of no effect here."),
    Key::new("module_namespace", text(255), "The module of that class; of no effect here.").nullable(),
    Key::new("default_dependent_system", text(64), "The system of the steps that name none.")
        .default("\"unknown\""),
    Key::new("concurrent", Kind::Bool, "Whether several steps of one task may be in progress at a time.")
        .default("true"),
    Key::new("named_steps", STEP_NAMES, "All names of steps that may be used, if they are to be checked twice."),
    Key::new("schema", Kind::Object, "What a context must look like, as JSON Schema 2020-12."),
    Key::new(
        "schema_mode",
        Kind::OneOf(&["standard", "strict"]),
        "`strict` reads the schema as the Rails engine does: every property without a default is required, others \
         are refused.",
    )
    .default("\"standard\""),
    Key::new("custom_events", EVENTS, "Events that its steps publish besides the engine's own.").default("[]"),
];

const TEMPLATE_KEYS: [Key; 14] = {
    const ENVIRONMENTS: Key = Key::new(
        "environments",
        Kind::Named(&Kind::Map("an environment", &OWN_KEYS)),
        "What differs in an environment: maps are merged, steps by their names, lists replaced.",
    );
    let mut keys = [ENVIRONMENTS; 14];
    let mut place = 0;
    while place < OWN_KEYS.len() {
        keys[place] = if place < 2 { OWN_KEYS[place].required() } else { OWN_KEYS[place] };
        place += 1;
    }
    keys
};

/// A template as a file.
pub(super) const TEMPLATE: Kind = Kind::Map("a template", &TEMPLATE_KEYS);

/// The format of a template as JSON Schema 2020-12, for editors. Published as `docs/template.schema.json`.
///
/// ```
/// let schema = tasker_engine::template_schema();
/// assert_eq!(schema["required"], serde_json::json!(["name", "step_templates"]));
/// ```
pub fn template_schema() -> Value {
    let mut schema = json_schema(&TEMPLATE);
    let says_its_handler = json!([
        { "required": ["handler_class"] },
        { "required": ["run"], "properties": { "run": { "required": ["handler"] } } },
    ]);
    schema["properties"]["step_templates"]["items"]["oneOf"] = says_its_handler;
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "A workflow template of tasker".into();
    schema
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::document::Source;
    use crate::yaml::parse::{YamlLimits, parse};

    const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/template.schema.json");

    fn as_json(path: &str) -> Value {
        let text = fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let source = Source::file(path, &text, None);
        parse(&source, &text, YamlLimits::default(), &mut vec![]).unwrap().to_value()
    }

    /// With `TASKER_BLESS=1` it is written anew.
    #[test]
    fn the_published_schema_is_that_of_the_code() {
        let text = format!("{:#}\n", template_schema());
        if std::env::var_os("TASKER_BLESS").is_some() {
            fs::write(PUBLISHED, &text).unwrap();
        }
        let published = fs::read_to_string(PUBLISHED).unwrap_or_default();
        assert!(published == text, "run this test with TASKER_BLESS=1 to write docs/template.schema.json");
    }

    #[test]
    fn editors_accept_good_templates_and_refuse_bad_ones() {
        let validator = jsonschema::draft202012::new(&template_schema()).unwrap();
        for good in ["process_order", "customer_analytics", "integration_yaml_example", "shapes/dummy_task"] {
            let template = as_json(&format!("tests/data/templates/{good}.yaml"));
            let errors: Vec<_> = validator.iter_errors(&template).map(|error| error.to_string()).collect();
            assert_eq!(errors, [""; 0], "{good}");
        }
        for (pointer, bad) in [
            ("/nam", json!("x")),
            ("/version", json!("v1")),
            ("/step_templates/0/default_retry_limit", json!(0)),
            ("/step_templates/0/run", json!({ "handler": "x" })),
            ("/step_templates/0/depend_on", json!([])),
        ] {
            let mut template = as_json("tests/data/templates/shapes/dummy_task.yaml");
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            template.pointer_mut(parent).unwrap()[key] = bad;
            assert!(!validator.is_valid(&template), "{pointer}");
        }
    }
}
