//! What differs in an environment.

use serde_json::{Value, json};
use tasker::{BuildError, Definition, Fault, TemplateReader, UnknownKeys};

use crate::{all_handlers, named, read};

fn definition(environment: Option<&str>) -> Definition {
    let handlers = all_handlers();
    let mut reader = TemplateReader::new(&handlers);
    if let Some(environment) = environment {
        reader = reader.environment(environment);
    }
    reader.text("api.yaml", &read("integration_yaml_example.yaml")).unwrap().definition
}

fn config(definition: &Definition) -> Value {
    definition.template().step_templates[0].handler_config.clone()
}

#[test]
fn is_laid_over_the_rest_by_step_and_key() {
    assert_eq!(
        config(&definition(None)),
        json!({ "type": "api", "url": "https://api.ecommerce.com/cart", "params": { "cart_id": 1 } })
    );
    assert_eq!(
        config(&definition(Some("development"))),
        json!({
            "type": "api", "url": "http://localhost:3000/api/cart", "params": { "cart_id": 1, "debug": true },
        })
    );
    let test = definition(Some("test"));
    assert_eq!(test.template().step_templates.len(), 5);
    assert_eq!(test.template().step_templates[4].depends_on_step, None, "edges are as before, in one list");
}

#[test]
fn wants_its_variables() {
    let handlers = all_handlers();
    let reader = TemplateReader::new(&handlers).environment("production");
    let errors = reader.text("api.yaml", &read("integration_yaml_example.yaml")).unwrap_err();
    let [first, second] = &errors.mistakes[..] else { panic!("{errors}") };
    assert_eq!(
        first.to_string(),
        "api.yaml:45:85: step `fetch_cart`: handler_config: `params.api_key`: the environment variable \
         `ECOMMERCE_API_KEY` is not set"
    );
    assert!(second.to_string().starts_with("api.yaml:47:"), "{second}");
}

const SMALL: &str = "
name: n
step_templates:
  - { name: charge, handler_class: work, depends_on_steps: [] }
  - { name: mail, handler_class: work, depends_on_steps: [charge] }
environments:
  production:
    concurrent: false
    step_templates:
      - { name: chrage, default_retry_limit: 9 }
  test:
    step_templates:
      - { name: mail, depends_on_steps: [], default_retry_limit: 9, retry_limt: 3 }
";

#[test]
fn is_checked_even_when_another_is_wanted() {
    let handlers = named(["work"]);
    let errors = TemplateReader::new(&handlers).environment("test").text("t", SMALL).unwrap_err();
    let told: Vec<_> = errors.mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "t:10:17: environment `production` changes step `chrage`, which is not a step of this workflow (did you mean `charge`?)",
            "t:13:69: `retry_limt` is not a key of a step; did you mean `default_retry_limit`?",
        ]
    );
    assert!(matches!(errors.mistakes[0].fault, Fault::Build(BuildError::UnknownStep { .. })));
}

#[test]
fn replaces_lists_and_flags() {
    let handlers = named(["work"]);
    let text = SMALL.replace("chrage", "charge").replace(", retry_limt: 3", "");
    let read = |environment: &str| {
        let reader = TemplateReader::new(&handlers).environment(environment);
        reader.text("t", &text).unwrap().definition.template().clone()
    };
    let (production, test) = (read("production"), read("test"));
    assert!(!production.concurrent && test.concurrent);
    assert_eq!(production.step_templates[0].default_retry_limit, 9);
    assert!(test.step_templates[1].depends_on_steps.is_empty());
    assert_eq!(production.step_templates[1].depends_on_steps, ["charge"]);
}

#[test]
fn that_does_not_exist_is_refused_where_the_others_stand() {
    let handlers = all_handlers();
    let text = read("integration_yaml_example.yaml");
    let reader = TemplateReader::new(&handlers).environment("prodution");
    let errors = reader.clone().text("api.yaml", &text).unwrap_err();
    let [mistake] = &errors.mistakes[..] else { panic!("{errors}") };
    assert_eq!(
        mistake.to_string(),
        "api.yaml:30:3: there is no environment `prodution` here; did you mean `production`?; known: development, \
         test, production; write `prodution: {}` if nothing differs there"
    );
    let file = reader.unknown_keys(UnknownKeys::Warn).text("api.yaml", &text).unwrap();
    assert_eq!(file.warnings.len(), 1);
    let everywhere = TemplateReader::new(&handlers).environment("anywhere");
    assert!(
        everywhere.text("t", &read("shapes/tree.yaml")).is_ok(),
        "without environments it is the same everywhere"
    );
}
