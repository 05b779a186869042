//! What comes from where.

use std::time::Duration;

use serde_json::json;
use tasker::{Configuration, Layers};

use crate::file;

#[test]
fn each_value_comes_from_the_topmost_layer_that_has_it() {
    let base = file(
        "layers",
        "tasker.toml",
        "[backoff]\nmax_backoff_seconds = 1\nbuffer_seconds = 1\njitter_enabled = \"no\"\n\
         [execution]\nheartbeat_interval_seconds = 1\n[backoff.reenqueue_delays]\nprocessing = 1\n",
    );
    file("layers", "tasker.test.toml", "[backoff]\nmax_backoff_seconds = 2\nbuffer_seconds = 2\n");
    let variables =
        [("TASKER_BACKOFF_MAX_BACKOFF_SECONDS", "3"), ("TASKER_HEALTH_READINESS_TIMEOUT_SECONDS", "7")];
    let layers = Layers::new().file(base).environment("test").variables(variables);
    let effective = layers.set("execution.step_timeout_seconds", 4).load().unwrap();
    let Configuration { backoff, execution, health, .. } = effective.configuration();
    assert_eq!((backoff.max_backoff_seconds, backoff.buffer_seconds, backoff.jitter_enabled), (3, 2, false));
    assert_eq!(
        (backoff.reenqueue_delays.processing, backoff.reenqueue_delays.waiting_for_dependencies),
        (1, 45)
    );
    assert_eq!((execution.step_timeout_seconds, execution.heartbeat_interval_seconds), (Some(4), 1));
    assert!((health.readiness_timeout_seconds - 7.0).abs() < f64::EPSILON, "whole numbers are numbers");
    let origin = |path: &str| effective.origin(path).map(|origin| origin.to_string());
    assert_eq!(
        origin("backoff.max_backoff_seconds").unwrap(),
        "TASKER_BACKOFF_MAX_BACKOFF_SECONDS (variable)"
    );
    assert!(origin("backoff.buffer_seconds").unwrap().ends_with("tasker.test.toml:3:18 (environment file)"));
    assert!(origin("backoff.jitter_enabled").unwrap().ends_with("tasker.toml:4:18 (file)"));
    assert_eq!(origin("execution.step_timeout_seconds").unwrap(), "code");
    assert_eq!(origin("cache.default_ttl").unwrap(), "default");
    assert_eq!(origin("cache.no_such"), None);
}

#[test]
fn an_engine_is_made_with_it() {
    let layers = Layers::new()
        .set("execution.max_concurrent_steps_limit", 7)
        .set("execution.heartbeat_interval_seconds", 2)
        .set("execution.worker_lost_after_seconds", 9)
        .set("execution.step_timeout_seconds", 11)
        .set("backoff.max_backoff_seconds", 13)
        .set("engine.identity_strategy", "hash")
        .set("engine.identity_window_seconds", 0);
    let settings = layers.load().unwrap().settings();
    let seconds = Duration::from_secs;
    assert_eq!(settings.max_concurrent_steps_limit, Some(7));
    assert_eq!((settings.heartbeat_interval, settings.worker_lost_after), (seconds(2), seconds(9)));
    assert_eq!((settings.step_timeout, settings.max_backoff), (Some(seconds(11)), seconds(13)));
    assert_eq!(format!("{:?}", settings.identity), "Hash { window_seconds: 0 }");
    let default = Layers::new().load().unwrap().settings();
    assert_eq!(default.max_concurrent_steps_limit, None, "without end unless it is set");
}

#[test]
fn it_is_shown_with_origins_and_without_secrets() {
    let variables = [("TASKER_DATABASE_URL", "postgres://user:hunter2@db/x")];
    let effective = Layers::new().variables(variables).load().unwrap();
    let text = format!("{effective}\n{effective:?}");
    assert!(!text.contains("hunter2"), "{text}");
    let line = text.lines().find(|line| line.starts_with("database.url")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>().join(" "),
        "database.url = \"[FILTERED]\" # TASKER_DATABASE_URL (variable)"
    );
    assert!(
        text.lines().any(|line| line.starts_with("cache.default_ttl = 300") && line.ends_with("# default"))
    );
    let url = effective.configuration().database.url.as_ref().unwrap();
    assert_eq!(url.expose(), "postgres://user:hunter2@db/x");
}

#[test]
fn a_setting_without_effect_is_one_warning_and_a_default_is_none() {
    assert!(Layers::new().load().unwrap().warnings().is_empty());
    let layers = Layers::new().set("telemetry.prometheus", json!({ "endpoint": "x", "batch_size": 2 }));
    let effective = layers.set("execution.min_concurrent_steps", 4).load().unwrap();
    let warnings: Vec<_> = effective.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "code: execution.min_concurrent_steps: has no effect",
            "code: telemetry.prometheus.batch_size: has no effect",
            "code: telemetry.prometheus.endpoint: has no effect",
        ]
    );
}

#[test]
fn lists_come_from_variables_too() {
    let read = |text: &str| {
        let effective = Layers::new().variables([("TASKER_BACKOFF_DEFAULT_BACKOFF_SECONDS", text)]).load();
        effective.unwrap().configuration().backoff.default_backoff_seconds.clone()
    };
    assert_eq!(read("1, 5,25"), [1, 5, 25]);
    assert_eq!(read("[2, 4]"), [2, 4]);
}

#[test]
fn every_key_of_the_nine_sections_has_a_variable_and_a_default() {
    let effective = Layers::new().load().unwrap();
    let values: Vec<_> = effective.values().collect();
    let whole = serde_json::to_value(Configuration::default()).unwrap();
    assert_eq!(
        values.len(),
        leaves(&whole),
        "each field of the structs is in the table, and each key has a field"
    );
    assert_eq!(values.len(), 118);
    let mut names: Vec<_> = values.iter().map(|(path, ..)| path.replace('.', "_")).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), values.len(), "no two settings share a variable");
}

fn leaves(value: &serde_json::Value) -> usize {
    value.as_object().map_or(1, |fields| fields.values().map(leaves).sum())
}

#[cfg(feature = "yaml")]
#[test]
fn yaml_says_the_same_as_toml() {
    let yaml = file("yaml", "tasker.yaml", "backoff:\n  max_backoff_seconds: 60\n  jitter_enabled: no\n");
    let toml = file("yaml", "tasker.toml", "[backoff]\nmax_backoff_seconds = 60\njitter_enabled = false\n");
    let read = |path| Layers::new().file(path).load().unwrap().configuration().clone();
    assert_eq!(read(yaml), read(toml));
    let empty = file("yaml", "empty.yml", "# nothing differs\n");
    assert_eq!(read(empty), Configuration::default());
}

#[test]
fn every_key_stands_in_the_guide_and_in_the_list_of_differences() {
    let read =
        |document: &str| std::fs::read_to_string(format!("{}/docs/{document}", env!("CARGO_MANIFEST_DIR")));
    let (guide, differences) = (read("configuration.md").unwrap(), read("rails-compatibility.md").unwrap());
    for (path, ..) in Layers::new().load().unwrap().values() {
        let words: Vec<_> = path.split('.').collect();
        assert!(guide.contains(&format!("`{}`", words[1])), "{path} in the guide");
        let last = words.last().unwrap();
        assert!(differences.contains(&format!("`{last}`")), "{path} in the list of differences");
    }
}
