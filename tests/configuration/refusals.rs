//! What is refused, and how.

use tasker::{Configuration, Fault, Layers};

use crate::{file, refused};

#[test]
fn ten_mistakes_are_ten_lines_that_name_key_layer_place_and_range() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/bad/tasker.toml");
    let lines = refused(&Layers::new().file(file));
    let expected = [
        "3:27 (file): backoff.default_backoff_seconds: default_backoff_seconds must be a list that is not empty (got: a list)",
        "4:23 (file): backoff.max_backoff_seconds: max_backoff_seconds must be positive (got: 0)",
        "5:25 (file): backoff.jitter_max_percentage: jitter_max_percentage must be between 0.0 and 1.0 (got: 1.5)",
        "6:18 (file): backoff.jitter_enabled: jitter_enabled must be true or false (got: off)",
        "9:24 (file): execution.min_concurrent_steps: min_concurrent_steps must be positive (got: 0)",
        "10:1 (file): execution.max_concurrent_step_limit: `max_concurrent_step_limit` is not a key of `execution`; did you mean `max_concurrent_steps_limit`?",
        "11:30 (file): execution.heartbeat_interval_seconds: worker_lost_after_seconds (30) must be greater than heartbeat_interval_seconds (60): else whoever lives is taken for dead",
        "14:21 (file): engine.identity_strategy: Unknown identity_strategy: sha1; known: default, hash, rails, custom",
        "17:7 (file): database.url: url must be a text (got: [FILTERED])",
        "19:2 (file): cash: `cash` is not a key of the configuration; did you mean `cache`?",
    ];
    let told: Vec<_> = lines.iter().map(|line| line.rsplit_once("bad/tasker.toml:").unwrap().1).collect();
    assert_eq!(told, expected, "{lines:#?}");
}

#[test]
fn the_texts_of_the_reference_are_kept() {
    let says = |layers: Layers, text: &str| {
        let lines = refused(&layers);
        assert!(lines.iter().any(|line| line.ends_with(text)), "{text}: {lines:?}");
    };
    let set = |path: &str, value: serde_json::Value| Layers::new().set(path, value);
    says(
        set("execution.min_concurrent_steps", 9.into()).set("execution.max_concurrent_steps_limit", 3),
        "min_concurrent_steps (9) cannot exceed max_concurrent_steps_limit (3)",
    );
    says(
        set("execution.max_batch_timeout_seconds", 30.into()),
        "max_batch_timeout_seconds (30) must be greater than batch_timeout_base_seconds (30)",
    );
    says(
        set("execution.connection_pressure_factors.low", "much".into()),
        "connection_pressure_factors[low] must be between 0.0 and 1.0 (got: much)",
    );
    says(set("cache.default_ttl", (-1).into()), "default_ttl must be positive (got: -1)");
    says(
        set("cache.min_adaptive_ttl", 3600.into()),
        "min_adaptive_ttl (3600) must be less than max_adaptive_ttl (3600)",
    );
    says(
        set("auth.authentication_enabled", true.into()),
        "Authentication enabled but no authenticator_class configured",
    );
    says(
        set("engine.identity_strategy", "custom".into()),
        "Custom identity strategy selected but no identity_strategy_class provided",
    );
    assert!(set("execution.max_concurrent_steps_limit", 1.into()).load().is_ok(), "a default offends nobody");
}

#[test]
fn a_configuration_in_code_is_checked_too() {
    assert!(Configuration::default().validate().is_ok());
    let mut configuration = Configuration::default();
    configuration.backoff.max_backoff_seconds = 0;
    configuration.execution.heartbeat_interval_seconds = 31;
    let errors = configuration.settings().unwrap_err();
    assert_eq!(errors.mistakes.len(), 2, "{errors}");
    assert!(errors.mistakes.iter().all(|mistake| mistake.at.layer() == Some("code")));
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let lines = refused(&Layers::new().file("no/such.toml"));
    assert!(lines[0].starts_with("no/such.toml (file): cannot be read: "), "{lines:?}");
    let there = file("unreadable", "tasker.toml", "");
    let lines = refused(&Layers::new().file(&there).environment("prodution"));
    assert!(lines[0].contains("tasker.prodution.toml (environment file): cannot be read: "), "{lines:?}");
    let lines = refused(&Layers::new().environment("production"));
    assert!(lines[0].contains("no file that the environment `production` could stand beside"), "{lines:?}");
    let other = file("unreadable", "tasker.ini", "");
    assert!(refused(&Layers::new().file(other))[0].contains("the name of a configuration ends in .toml"));
    let broken = file("unreadable", "broken.toml", "a = [1,\nb = = 2\n[x\n");
    let errors = Layers::new().file(broken).load().unwrap_err();
    assert!(
        errors.mistakes.iter().filter(|mistake| matches!(mistake.fault, Fault::Syntax(_))).count() > 1,
        "{errors}"
    );
}

#[test]
fn a_variable_that_nearly_is_a_setting_is_refused_and_others_are_left_alone() {
    let variables = [
        ("TASKER_BACKOFF_MAX_BACKOF_SECONDS", "3"),
        ("TASKER_TELEMETRIE_ENABLED", "true"),
        ("TASKER_CACHE_DEFAULT_TTL", "soon"),
        ("TASKER_ADVISORY_DB", "somewhere"),
        ("TASKER_ENGINE_IDENTITY_STRATEGY", ""),
        ("HOME", "/home"),
    ];
    assert_eq!(
        refused(&Layers::new().variables(variables)),
        [
            "TASKER_BACKOFF_MAX_BACKOF_SECONDS (variable): `TASKER_BACKOFF_MAX_BACKOF_SECONDS` is not a key of the configuration; did you mean `TASKER_BACKOFF_MAX_BACKOFF_SECONDS`?",
            "TASKER_TELEMETRIE_ENABLED (variable): `TASKER_TELEMETRIE_ENABLED` is not a key of the configuration; did you mean `TASKER_TELEMETRY_ENABLED`?",
            "TASKER_CACHE_DEFAULT_TTL (variable): cache.default_ttl: default_ttl must be positive (got: soon)",
        ]
    );
}
