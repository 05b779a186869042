//! What each key may be: the table behind [`Configuration`](super::Configuration). Defaults are the structs' own.

use std::sync::LazyLock;

use crate::document::shape::{Key, Kind};

const TEXT: Kind = Kind::Text { most: 1000, blank: false };
const ANY_TEXT: Kind = Kind::Text { most: 1000, blank: true };
const TEXTS: Kind = Kind::List { of: &TEXT, least: 0 };
const COUNT: Kind = Kind::Integer { least: 0, most: 1_000_000_000 };
const WAITS: Kind = Kind::List { of: &COUNT, least: 1 };
const FACTOR: Kind = Kind::Number { least: 0.0, most: f64::MAX };
const SECONDS: Kind = Kind::Number { least: 0.001, most: f64::MAX };
const LEVELS: &[&str] = &["debug", "info", "warn", "error", "fatal"];

const fn key(name: &'static str, kind: Kind) -> Key {
    Key::new(name, kind, "")
}

/// The whole.
pub(super) const SECTIONS: &[Key] = &[
    key("auth", Kind::Map("`auth`", AUTH)),
    key("database", Kind::Map("`database`", DATABASE)),
    key("telemetry", Kind::Map("`telemetry`", TELEMETRY)),
    key("engine", Kind::Map("`engine`", ENGINE)),
    key("health", Kind::Map("`health`", HEALTH)),
    key("backoff", Kind::Map("`backoff`", BACKOFF)),
    key("execution", Kind::Map("`execution`", EXECUTION)),
    key("cache", Kind::Map("`cache`", CACHE)),
    key("dependency_graph", Kind::Map("`dependency_graph`", DEPENDENCY_GRAPH)),
];

const AUTH: &[Key] = &[
    key("authentication_enabled", Kind::Bool),
    key("authenticator_class", TEXT).nullable(),
    key("current_user_method", ANY_TEXT),
    key("authenticate_user_method", ANY_TEXT),
    key("authorization_enabled", Kind::Bool),
    key("authorization_coordinator_class", TEXT),
    key("user_class", ANY_TEXT).nullable(),
    key("strategy", ANY_TEXT),
];

const DATABASE: &[Key] = &[
    key("name", TEXT).nullable(),
    key("enable_secondary_database", Kind::Bool),
    key("url", TEXT).nullable(),
];

const TELEMETRY: &[Key] = &[
    key("enabled", Kind::Bool),
    key("service_name", TEXT),
    key("service_version", TEXT),
    key("filter_parameters", TEXTS),
    key("filter_mask", ANY_TEXT),
    key("structured_logging_enabled", Kind::Bool),
    key("correlation_id_header", TEXT),
    key("log_level", Kind::OneOf(LEVELS)),
    key("log_format", Kind::OneOf(&["json", "pretty_json", "logfmt"])),
    key("metrics_enabled", Kind::Bool),
    key("metrics_endpoint", TEXT),
    key("metrics_format", TEXT),
    key("metrics_auth_required", Kind::Bool).nullable(),
    key("performance_monitoring_enabled", Kind::Bool),
    key("slow_query_threshold_seconds", FACTOR),
    key("memory_threshold_mb", COUNT),
    key("event_sampling_rate", Kind::Share),
    key("filtered_events", TEXTS),
    key("max_stored_samples", COUNT),
    key("metrics_retention_hours", COUNT),
    key("prometheus", Kind::Map("`telemetry.prometheus`", PROMETHEUS)),
    key("config", Kind::Map("`telemetry.config`", TELEMETRY_CONFIG)),
];

const PROMETHEUS: &[Key] = &[
    key("endpoint", TEXT).nullable(),
    key("username", TEXT).nullable(),
    key("password", TEXT).nullable(),
    key("job_timeout", COUNT),
    key("export_timeout", COUNT),
    key("retry_attempts", COUNT),
    key("retention_window", COUNT),
    key("safety_margin", COUNT),
    key("metric_prefix", ANY_TEXT),
    key("include_instance_labels", Kind::Bool),
    key("compression", Kind::OneOf(&["snappy", "gzip"])).nullable(),
    key("batch_size", COUNT),
    key("skip_if_unavailable", Kind::Bool),
];

const TELEMETRY_CONFIG: &[Key] = &[
    key("batch_events", Kind::Bool),
    key("buffer_size", COUNT),
    key("flush_interval", COUNT),
    key("filtered_events", TEXTS),
    key("enable_memoization", Kind::Bool),
    key("async_processing", Kind::Bool),
    key("sampling_rate", Kind::Share),
];

const ENGINE: &[Key] = &[
    key("task_handler_directory", TEXT),
    key("task_config_directory", TEXT),
    key("default_module_namespace", TEXT).nullable(),
    key("identity_strategy", TEXT),
    key("identity_strategy_class", TEXT).nullable(),
    key("identity_window_seconds", COUNT),
    key("custom_events_directories", TEXTS),
];

const HEALTH: &[Key] = &[
    key("status_endpoint_requires_auth", Kind::Bool),
    key("ready_requires_authentication", Kind::Bool),
    key("status_requires_authentication", Kind::Bool),
    key("readiness_timeout_seconds", SECONDS),
    key("cache_duration_seconds", Kind::Positive),
    key("error_window_seconds", Kind::Positive),
];

const BACKOFF: &[Key] = &[
    key("default_backoff_seconds", WAITS),
    key("max_backoff_seconds", Kind::Positive),
    key("backoff_multiplier", FACTOR),
    key("jitter_enabled", Kind::Bool),
    key("jitter_max_percentage", Kind::Share),
    key(
        "reenqueue_delays",
        Kind::Map(
            "`backoff.reenqueue_delays`",
            &[
                key("has_ready_steps", COUNT),
                key("waiting_for_dependencies", COUNT),
                key("processing", COUNT),
            ],
        ),
    ),
    key("default_reenqueue_delay", COUNT),
    key("buffer_seconds", COUNT),
];

const EXECUTION: &[Key] = &[
    key("min_concurrent_steps", Kind::Positive),
    key("max_concurrent_steps_limit", Kind::Positive).nullable(),
    key("concurrency_cache_duration", Kind::Positive),
    key("batch_timeout_base_seconds", Kind::Positive),
    key("batch_timeout_per_step_seconds", Kind::Positive),
    key("max_batch_timeout_seconds", Kind::Positive),
    key(
        "connection_pressure_factors",
        Kind::Map(
            "`execution.connection_pressure_factors`",
            &[
                key("low", Kind::Share),
                key("moderate", Kind::Share),
                key("high", Kind::Share),
                key("critical", Kind::Share),
            ],
        ),
    ),
    key("health_assessment_cache_duration", Kind::Positive),
    key("connection_health_log_level", Kind::OneOf(LEVELS)),
    key("step_timeout_seconds", Kind::Positive).nullable(),
    key("heartbeat_interval_seconds", Kind::Positive),
    key("worker_lost_after_seconds", Kind::Positive),
];

const CACHE: &[Key] = &[
    key("default_ttl", Kind::Positive),
    key("adaptive_ttl_enabled", Kind::Bool),
    key("performance_tracking_enabled", Kind::Bool),
    key("hit_rate_smoothing_factor", Kind::Share),
    key("access_frequency_decay_rate", Kind::Share),
    key("min_adaptive_ttl", Kind::Positive),
    key("max_adaptive_ttl", Kind::Positive),
    key("dashboard_cache_ttl", Kind::Positive),
    key("cache_pressure_threshold", Kind::Share),
    key("adaptive_calculation_interval", Kind::Positive),
];

const DEPENDENCY_GRAPH: &[Key] = &[
    key(
        "impact_multipliers",
        Kind::Map(
            "`dependency_graph.impact_multipliers`",
            &[
                key("downstream_weight", COUNT),
                key("blocked_weight", COUNT),
                key("path_length_weight", COUNT),
                key("completed_penalty", COUNT),
                key("blocked_penalty", COUNT),
                key("error_penalty", COUNT),
                key("retry_penalty", COUNT),
            ],
        ),
    ),
    key(
        "severity_multipliers",
        Kind::Map(
            "`dependency_graph.severity_multipliers`",
            &[
                key("error_state", FACTOR),
                key("exhausted_retry_bonus", FACTOR),
                key("dependency_issue", FACTOR),
            ],
        ),
    ),
    key(
        "penalty_constants",
        Kind::Map(
            "`dependency_graph.penalty_constants`",
            &[key("retry_instability", COUNT), key("non_retryable", COUNT), key("exhausted_retry", COUNT)],
        ),
    ),
    key(
        "severity_thresholds",
        Kind::Map(
            "`dependency_graph.severity_thresholds`",
            &[key("critical", COUNT), key("high", COUNT), key("medium", COUNT)],
        ),
    ),
    key(
        "duration_estimates",
        Kind::Map(
            "`dependency_graph.duration_estimates`",
            &[
                key("base_step_seconds", COUNT),
                key("error_penalty_seconds", COUNT),
                key("retry_penalty_seconds", COUNT),
            ],
        ),
    ),
];

/// Keys of the reference that do nothing here, or never did; a whole map by its name.
pub(super) const INERT: &[&str] = &[
    "auth.current_user_method",
    "auth.authenticate_user_method",
    "auth.user_class",
    "auth.strategy",
    "database.name",
    "telemetry.structured_logging_enabled",
    "telemetry.performance_monitoring_enabled",
    "telemetry.memory_threshold_mb",
    "telemetry.event_sampling_rate",
    "telemetry.filtered_events",
    "telemetry.max_stored_samples",
    "telemetry.metrics_retention_hours",
    "telemetry.prometheus",
    "telemetry.config",
    "engine.default_module_namespace",
    "health.status_endpoint_requires_auth",
    "health.ready_requires_authentication",
    "execution.min_concurrent_steps",
    "execution.concurrency_cache_duration",
    "execution.batch_timeout_base_seconds",
    "execution.batch_timeout_per_step_seconds",
    "execution.max_batch_timeout_seconds",
    "execution.connection_pressure_factors",
    "execution.health_assessment_cache_duration",
    "execution.connection_health_log_level",
    "cache.adaptive_ttl_enabled",
    "cache.performance_tracking_enabled",
    "cache.hit_rate_smoothing_factor",
    "cache.access_frequency_decay_rate",
    "cache.min_adaptive_ttl",
    "cache.max_adaptive_ttl",
    "cache.dashboard_cache_ttl",
    "cache.cache_pressure_threshold",
    "cache.adaptive_calculation_interval",
];

/// Keys whose values are never shown.
pub(super) const SECRET: &[&str] = &["database.url", "telemetry.prometheus.password"];

pub(super) fn is_inert(path: &str) -> bool {
    INERT
        .iter()
        .any(|inert| path.strip_prefix(inert).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

pub(super) fn is_secret(path: &str) -> bool {
    SECRET.contains(&path)
}

/// Every key that holds a value, with its path, in the order of the table.
pub(super) fn leaves() -> &'static [(String, Key)] {
    static LEAVES: LazyLock<Vec<(String, Key)>> = LazyLock::new(|| {
        let mut leaves = vec![];
        walk("", SECTIONS, &mut leaves);
        leaves
    });
    fn walk(before: &str, keys: &[Key], leaves: &mut Vec<(String, Key)>) {
        for key in keys {
            let path = if before.is_empty() { key.name.to_owned() } else { format!("{before}.{}", key.name) };
            match key.kind {
                Kind::Map(_, keys) => walk(&path, keys, leaves),
                _ => leaves.push((path, *key)),
            }
        }
    }
    &LEAVES
}
