//! What is refused, and how.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use tasker::prelude::*;
use tasker::{Fault, TemplateReader, UnknownKeys, YamlLimits};

use crate::named;

fn told(text: &str) -> Vec<String> {
    let errors = TemplateReader::new(&named(["work", "charge"])).text("t", text).unwrap_err();
    errors.mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn every_kind_of_mistake_is_told_at_once_with_its_place() {
    let text = "\
name: 7
namespace: shop
version: v1.0
concurrent: yes
step_templates:
  - name: a
    handler_class: chrage
    depends_on_step: b
  - name: b
    handler_class: work
    depends_on_steps: [a, bb, b]
    default_retry_limit: 0
    retry_policy: { type: fibonacci }
  - name: b
    run: { handler: work, confg: {} }
  - depends_on_step: a
  - name: c
    description: 1.5
    custom_events: [{ name: fulfilled }]
";
    let told = told(text);
    let starts = [
        "t:1:7: `name` must be a text (write \"7\" if a text is meant), not the number 7",
        "t:2:1: `namespace` is not a key of a template; did you mean `namespace_name`?",
        "t:3:10: version `v1.0` is not three dotted numbers",
        "t:4:13: `concurrent` must be true or false (write `true`), not the text `yes`",
        "t:7:20: step `a`: no handler `chrage` (did you mean `charge`?); known: charge, work",
        "t:11:27: step `b` waits for `bb`, which is not a step of this workflow (did you mean `b`?)",
        "t:11:31: step `b` waits for itself",
        "t:12:26: `default_retry_limit` is the number 0; it must be a whole number from 1 to 2147483647",
        "t:13:19: step `b`: retry_policy: unknown variant `fibonacci`",
        "t:14:11: two steps are named `b`",
        "t:15:27: `confg` is not a key of `run`; did you mean `config`?",
        "t:16:5: a step needs the key `name`",
        "t:17:11: step `c` names no handler",
        "t:18:18: `description` must be a text",
        "t:19:29: custom event `fulfilled`: Custom event name must contain a namespace",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (mistake, start) in told.iter().zip(starts) {
        assert!(mistake.starts_with(start), "{mistake}\n{start}");
    }
}

#[test]
fn of_very_many_mistakes_the_first_hundred_are_shown() {
    let keys: String = (0..30_000).map(|key| format!("k{key}: 1\n")).collect();
    let errors = TemplateReader::new(&named(["work"])).text("t", &keys).unwrap_err();
    assert_eq!(errors.mistakes.len(), 30_002, "and two keys are missing");
    let text = errors.to_string();
    assert!(text.starts_with("Invalid task handler configuration: 30002 mistakes\nt:1:1: "), "{text}");
    assert!(text.ends_with("\nand 29902 more"), "{text}");
}

#[test]
fn a_cycle_is_told_where_it_closes() {
    let step = |name: &str, after: &str| {
        format!("  - {{ name: {name}, handler_class: work, depends_on_step: {after} }}\n")
    };
    let text = format!("name: n\nstep_templates:\n{}{}{}", step("a", "c"), step("b", "a"), step("c", "b"));
    assert_eq!(told(&text), ["t:4:54: steps wait for each other: a → b → c → a"]);
}

#[test]
fn a_list_of_mistakes_shows_the_lines() {
    let errors = Definition::from_yaml("name: n\nstep_templats: []\n", &Handlers::new()).unwrap_err();
    let text = errors.to_string();
    assert_eq!(
        text,
        "Invalid task handler configuration: 2 mistakes\n\
         template:1:1: a template needs the key `step_templates`\n     1 | name: n\n\
         template:2:1: `step_templats` is not a key of a template; did you mean `step_templates`?\n     2 | step_templats: []"
    );
}

#[test]
fn named_steps_are_checked_with_the_texts_of_the_reference() {
    let text = "
name: n
named_steps: [charge, mail]
step_templates:
  - { name: chrage, handler_class: work }
  - { name: mail, handler_class: work, depends_on_step: chrage }
";
    assert_eq!(
        told(text),
        [
            "t:5:13: Step template name 'chrage' is not in the named_steps list; did you mean `charge`?",
            "t:6:57: Dependency step 'chrage' is not in the named_steps list; did you mean `charge`?",
        ]
    );
}

#[test]
fn one_thing_said_twice_is_refused() {
    let text = "name: n\nstep_templates:\n  - { name: a, handler_class: work, run: { handler: work } }\n";
    assert_eq!(told(text), ["t:3:16: `run.handler` and `handler_class` say the same; keep one of them"]);
}

#[test]
fn unknown_keys_can_be_left_out_with_a_warning_each() {
    let text = "
name: n
handler_config: { sla_seconds: 45 }
step_templates:
  - { name: a, handler_class: work, retires: 3 }
";
    let handlers = named(["work"]);
    let file = TemplateReader::new(&handlers).unknown_keys(UnknownKeys::Warn).text("t", text).unwrap();
    let warnings: Vec<_> = file.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["t:3:1: `handler_config` is not a key of a template", "t:5:37: `retires` is not a key of a step"]
    );
    assert_eq!(TemplateReader::new(&handlers).text("t", text).unwrap_err().mistakes.len(), 2);
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only what it reads is of interest")]
struct Gateway {
    url: String,
    #[serde(default)]
    retries: u32,
    #[serde(default)]
    card: Card,
}
#[derive(Deserialize, Default)]
#[expect(dead_code, reason = "only what it reads is of interest")]
struct Card {
    #[serde(default)]
    currency: String,
}
#[step]
impl Gateway {
    async fn process(&self) -> StepResult<u64> {
        Ok(1)
    }
}

fn gateway(config: &str) -> Result<Definition, tasker::TemplateErrors> {
    let text = format!(
        "name: n\nstep_templates:\n  - name: a\n    handler_class: gateway\n    handler_config:\n{config}"
    );
    Definition::from_yaml(&text, &Handlers::new().with::<Gateway>())
}

#[test]
fn a_configuration_is_read_by_its_handler_when_it_is_loaded() {
    let told = |config: &str| gateway(config).unwrap_err().mistakes[0].to_string();
    assert_eq!(
        told("      url: x\n      retries: many\n"),
        "template:7:16: step `a`: handler_config: `retries`: invalid type: string \"many\", expected u32"
    );
    let both = gateway("      ur: x\n").unwrap_err().mistakes;
    let both: Vec<_> = both.iter().map(ToString::to_string).collect();
    let [unknown, missing] = &both[..] else { panic!("{both:?}") };
    assert!(unknown.ends_with(
        "handler_config: `ur`: no such key in the configuration of this handler; did you mean `url`?"
    ));
    assert!(missing.ends_with("handler_config: missing field `url`"));
}

#[test]
fn sizes_depths_and_encodings_are_bounded() {
    let handlers = named(["work"]);
    let refused = |bytes: &[u8]| {
        let path = scratch("bounds").join("t.yaml");
        fs::write(&path, bytes).unwrap();
        let errors = TemplateReader::new(&handlers).file(&path).unwrap_err();
        errors.mistakes[0].fault.clone()
    };
    let large = format!("name: n\ndescription: {}\nstep_templates: []\n", "x".repeat(10 << 20));
    assert!(matches!(refused(large.as_bytes()), Fault::TooLarge { what: "bytes", .. }));
    assert!(matches!(refused("[".repeat(100_000).as_bytes()), Fault::TooDeep { .. }));
    assert!(matches!(refused(b"name: \xff\n"), Fault::Encoding(_)));
    assert!(matches!(
        refused("\u{feff}name: n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().as_slice()),
        Fault::Encoding(_)
    ));
    let tight = TemplateReader::new(&handlers).limits(YamlLimits { values: 5, ..YamlLimits::default() });
    let errors = tight.text("t", "name: n\nstep_templates: [1, 2, 3]\n").unwrap_err();
    assert!(matches!(errors.mistakes[0].fault, Fault::TooLarge { what: "values", .. }));
}

/// A directory of its own, empty.
fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("templates").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn a_directory_loads_whole_or_not_at_all() {
    let directory = scratch("directory");
    let template =
        |name: &str| format!("name: {name}\nstep_templates:\n  - {{ name: a, handler_class: work }}\n");
    fs::create_dir(directory.join("below")).unwrap();
    fs::write(directory.join("one.yaml"), template("same")).unwrap();
    fs::write(directory.join("below/two.yml"), template("same")).unwrap();
    fs::write(directory.join("three.yaml"), template("other").replace("work", "wrok")).unwrap();
    fs::write(directory.join("readme.md"), "no template").unwrap();
    let handlers = named(["work"]);
    let errors = TemplateReader::new(&handlers).directory(&directory).unwrap_err();
    let told: Vec<_> = errors.mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("three.yaml:3:31: step `a`: no handler `wrok`"), "{told:?}");
    assert!(
        told[1].contains("one.yaml:1:7: workflow default/same 0.1.0 is defined here, and at "),
        "{told:?}"
    );
    assert!(told[1].ends_with("two.yml:1:7"), "{told:?}");
    let missing = TemplateReader::new(&handlers).directory(directory.join("nowhere")).unwrap_err();
    assert!(matches!(missing.mistakes[0].fault, Fault::Unreadable(_)));
}

#[test]
fn every_unknown_key_of_a_configuration_is_told_or_left_out() {
    let config = "      type: api\n      url: x\n      retris: 1\n      card: { curency: EUR }\n";
    let told: Vec<_> = gateway(config).unwrap_err().mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "template:8:7: step `a`: handler_config: `retris`: no such key in the configuration of this handler; did you mean `retries`?",
            "template:9:15: step `a`: handler_config: `card.curency`: no such key in the configuration of this handler",
        ]
    );
    let text = format!(
        "name: n\nstep_templates:\n  - name: a\n    handler_class: gateway\n    handler_config:\n{config}"
    );
    let handlers = Handlers::new().with::<Gateway>();
    let file = TemplateReader::new(&handlers).unknown_keys(UnknownKeys::Warn).text("t", &text).unwrap();
    assert_eq!(file.warnings.len(), 2);
    let kept = &file.definition.template().step_templates[0].handler_config;
    assert_eq!(*kept, serde_json::json!({ "type": "api", "url": "x", "card": {} }));
}
