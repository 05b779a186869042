//! The nine sections as typed values, with the reference's keys and defaults.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Reenqueue, ReenqueueDelays, ReferenceBackoff};

/// Everything that can be configured: the reference's nine sections.
///
/// A value of it may be written in code; [`Layers`](crate::Layers) reads it from files and variables. Read once, when
/// an engine is made; later changes reach nobody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Who may do what.
    pub auth: Auth,
    /// Where tasks are kept.
    pub database: Database,
    /// Logs, traces and metrics.
    pub telemetry: Telemetry,
    /// Templates, identity, custom events.
    pub engine: Engine,
    /// What monitoring is told.
    pub health: Health,
    /// How long to wait.
    pub backoff: Backoff,
    /// How steps are run.
    pub execution: Execution,
    /// How long values are kept.
    pub cache: Cache,
    /// Weights of the analysis of a task's graph.
    pub dependency_graph: DependencyGraph,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// What is written in place of a secret.
    pub const MASK: &str = "[FILTERED]";

    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Self::MASK)
    }
}

/// A section: its fields with their defaults.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

section! {
    /// Who may do what.
    Auth {
        /// Whether requests must say whose they are.
        authentication_enabled: bool = false,
        /// The name of the authenticator; needed when authentication is enabled.
        authenticator_class: Option<String> = None,
        /// Of no effect.
        current_user_method: String = "current_user".to_owned(),
        /// Of no effect.
        authenticate_user_method: String = "authenticate_user!".to_owned(),
        /// Whether requests need permission.
        authorization_enabled: bool = false,
        /// The name of what gives permission; the default denies everything.
        authorization_coordinator_class: String = "Tasker::Authorization::BaseCoordinator".to_owned(),
        /// Of no effect.
        user_class: Option<String> = None,
        /// Of no effect.
        strategy: String = "none".to_owned(),
    }
}

section! {
    /// Where tasks are kept.
    Database {
        /// Of no effect: there is one database, that of `url`.
        name: Option<String> = None,
        /// Whether tasks are kept in a database of their own; then `url` has to name it.
        enable_secondary_database: bool = false,
        /// The database, as `postgres://user:password@host/name`.
        url: Option<Secret> = None,
    }
}

section! {
    /// Logs, traces and metrics.
    Telemetry {
        /// Whether anything is told at all.
        enabled: bool = true,
        /// The name under which it is told.
        service_name: String = "tasker".to_owned(),
        /// The version under which it is told.
        service_version: String = "0.1.0".to_owned(),
        /// Keys that hold one of these are masked in logs and spans; an empty list masks nothing.
        filter_parameters: Vec<String> = texts(&[
            "passw", "email", "secret", "token", "_key", "crypt", "salt", "certificate", "otp", "ssn",
        ]),
        /// What is written in place of what is masked.
        filter_mask: String = "[FILTERED]".to_owned(),
        /// Of no effect.
        structured_logging_enabled: bool = true,
        /// The header that carries the correlation id.
        correlation_id_header: String = "X-Correlation-ID".to_owned(),
        /// Less important lines are not logged.
        log_level: String = "info".to_owned(),
        /// How a line is written.
        log_format: String = "json".to_owned(),
        /// Whether metrics are recorded.
        metrics_enabled: bool = true,
        /// Shown in a status only.
        metrics_endpoint: String = "/tasker/metrics".to_owned(),
        /// Shown in a status only.
        metrics_format: String = "prometheus".to_owned(),
        /// Whether metrics need permission; `None` follows the switches of `auth`.
        metrics_auth_required: Option<bool> = None,
        /// Of no effect.
        performance_monitoring_enabled: bool = true,
        /// An operation that takes longer is logged as a warning.
        slow_query_threshold_seconds: f64 = 1.0,
        /// Of no effect.
        memory_threshold_mb: u64 = 100,
        /// Of no effect: sampling belongs to the tracing SDK.
        event_sampling_rate: f64 = 1.0,
        /// Of no effect.
        filtered_events: Vec<String> = vec![],
        /// Of no effect.
        max_stored_samples: u64 = 1000,
        /// Of no effect: metrics are not kept in a cache.
        metrics_retention_hours: u64 = 24,
        /// Remote delivery, of no effect: metrics are scraped or pushed by OTLP.
        prometheus: RemoteWrite = RemoteWrite::default(),
        /// Of no effect.
        config: TelemetryDetails = TelemetryDetails::default(),
    }
}

section! {
    /// The reference's remote delivery of metrics. All of it is of no effect.
    RemoteWrite {
        /// Where to.
        endpoint: Option<String> = None,
        /// As whom.
        username: Option<String> = None,
        /// With which password.
        password: Option<Secret> = None,
        /// Seconds.
        job_timeout: u64 = 300,
        /// Seconds.
        export_timeout: u64 = 120,
        /// Times.
        retry_attempts: u64 = 3,
        /// Seconds.
        retention_window: u64 = 300,
        /// Seconds.
        safety_margin: u64 = 60,
        /// In front of every name.
        metric_prefix: String = "tasker".to_owned(),
        /// Whether series name the instance.
        include_instance_labels: bool = true,
        /// `snappy`, `gzip`, or none.
        compression: Option<String> = Some("snappy".to_owned()),
        /// Samples in a request.
        batch_size: u64 = 1000,
        /// Whether an endpoint that is away is no failure.
        skip_if_unavailable: bool = true,
    }
}

section! {
    /// The reference's details of telemetry. All of it is of no effect.
    TelemetryDetails {
        /// Whether events are sent in batches.
        batch_events: bool = false,
        /// Events in a batch.
        buffer_size: u64 = 100,
        /// Seconds.
        flush_interval: u64 = 5,
        /// Events that are left out.
        filtered_events: Vec<String> = vec![],
        /// Whether values are remembered.
        enable_memoization: bool = true,
        /// Whether events are sent in the background.
        async_processing: bool = false,
        /// A share.
        sampling_rate: f64 = 1.0,
    }
}

section! {
    /// Templates, identity, custom events.
    Engine {
        /// Where generated handlers are written.
        task_handler_directory: String = "tasks".to_owned(),
        /// Where templates are looked for.
        task_config_directory: String = "tasker/tasks".to_owned(),
        /// Of no effect.
        default_module_namespace: Option<String> = None,
        /// How requests are told apart: `default`, `hash`, `rails`, or `custom`.
        identity_strategy: String = "default".to_owned(),
        /// The name of the strategy that `custom` means.
        identity_strategy_class: Option<String> = None,
        /// How long an equal request counts as the same, in seconds of the UTC clock; 0 for ever.
        identity_window_seconds: u64 = 60,
        /// Where declarations of custom events are looked for.
        custom_events_directories: Vec<String> = texts(&["config/tasker/events"]),
    }
}

section! {
    /// What monitoring is told.
    Health {
        /// Of no effect.
        status_endpoint_requires_auth: bool = true,
        /// Of no effect: readiness never needs permission.
        ready_requires_authentication: bool = false,
        /// Whether the status needs authentication.
        status_requires_authentication: bool = true,
        /// How long all checks of readiness may take together.
        readiness_timeout_seconds: f64 = 5.0,
        /// How long a status is kept, in seconds.
        cache_duration_seconds: u64 = 15,
        /// Over how many seconds shares of errors are taken.
        error_window_seconds: u64 = 3600,
    }
}

section! {
    /// How long to wait.
    Backoff {
        /// Seconds to wait after the first attempt, the second, and so on.
        default_backoff_seconds: Vec<u64> = vec![1, 2, 4, 8, 16, 32],
        /// No wait is longer, in seconds; also none that a handler asks for.
        max_backoff_seconds: u64 = 300,
        /// Beyond the list: the attempt to this power.
        backoff_multiplier: f64 = 2.0,
        /// Whether waits are spread.
        jitter_enabled: bool = true,
        /// The share by which a wait may be longer or shorter.
        jitter_max_percentage: f64 = 0.1,
        /// Seconds until a foreign queue looks again, by what the task waits for.
        reenqueue_delays: ReenqueueDelays = ReenqueueDelays::default(),
        /// Seconds until a foreign queue looks again, otherwise.
        default_reenqueue_delay: u64 = 30,
        /// Seconds added for a foreign queue to the time at which a step can run.
        buffer_seconds: u64 = 5,
    }
}

impl Backoff {
    /// The policy that these settings describe, for steps that name one: `.retry_policy(backoff.policy())`.
    pub fn policy(&self) -> ReferenceBackoff {
        ReferenceBackoff {
            list: self.default_backoff_seconds.clone(),
            power: self.backoff_multiplier,
            cap: self.max_backoff_seconds,
            jitter: if self.jitter_enabled { self.jitter_max_percentage } else { 0.0 },
        }
    }

    /// When a foreign queue looks at a task again.
    pub const fn reenqueue(&self) -> Reenqueue {
        Reenqueue {
            reenqueue_delays: self.reenqueue_delays,
            default_reenqueue_delay: self.default_reenqueue_delay,
            buffer_seconds: self.buffer_seconds,
        }
    }
}

section! {
    /// How steps are run.
    Execution {
        /// Of no effect.
        min_concurrent_steps: u64 = 3,
        /// How many steps of one task run at a time, over all processes; no limit by default.
        max_concurrent_steps_limit: Option<u64> = None,
        /// Of no effect.
        concurrency_cache_duration: u64 = 30,
        /// Of no effect: there is one deadline, that of a step.
        batch_timeout_base_seconds: u64 = 30,
        /// Of no effect.
        batch_timeout_per_step_seconds: u64 = 5,
        /// Of no effect.
        max_batch_timeout_seconds: u64 = 120,
        /// Of no effect: handlers hold no connection.
        connection_pressure_factors: PressureFactors = PressureFactors::default(),
        /// Of no effect.
        health_assessment_cache_duration: u64 = 30,
        /// Of no effect.
        connection_health_log_level: String = "debug".to_owned(),
        /// How long an attempt may take whose step does not say so itself, in seconds; without end by default.
        step_timeout_seconds: Option<u64> = None,
        /// How often a process tells that it lives, in seconds.
        heartbeat_interval_seconds: u64 = 5,
        /// A process that has not told so for that many seconds is taken for dead.
        worker_lost_after_seconds: u64 = 30,
    }
}

section! {
    /// The reference's shares of free connections, by how many are busy. Of no effect.
    PressureFactors {
        /// Up to half.
        low: f64 = 0.8,
        /// Up to 70 %.
        moderate: f64 = 0.6,
        /// Up to 85 %.
        high: f64 = 0.4,
        /// More.
        critical: f64 = 0.2,
    }
}

section! {
    /// How long values are kept.
    Cache {
        /// Seconds that a value is kept for which nobody says otherwise.
        default_ttl: u64 = 300,
        /// Of no effect.
        adaptive_ttl_enabled: bool = true,
        /// Of no effect.
        performance_tracking_enabled: bool = true,
        /// Of no effect.
        hit_rate_smoothing_factor: f64 = 0.9,
        /// Of no effect.
        access_frequency_decay_rate: f64 = 0.95,
        /// Of no effect.
        min_adaptive_ttl: u64 = 30,
        /// Of no effect.
        max_adaptive_ttl: u64 = 3600,
        /// Of no effect.
        dashboard_cache_ttl: u64 = 120,
        /// Of no effect.
        cache_pressure_threshold: f64 = 0.8,
        /// Of no effect.
        adaptive_calculation_interval: u64 = 30,
    }
}

section! {
    /// Weights of the analysis of a task's graph.
    DependencyGraph {
        /// What makes a path or a failure count.
        impact_multipliers: ImpactMultipliers = ImpactMultipliers::default(),
        /// What makes a step a bottleneck.
        severity_multipliers: SeverityMultipliers = SeverityMultipliers::default(),
        /// What is added for a step's history.
        penalty_constants: PenaltyConstants = PenaltyConstants::default(),
        /// From which score on a word applies.
        severity_thresholds: SeverityThresholds = SeverityThresholds::default(),
        /// How long steps are taken to last.
        duration_estimates: DurationEstimates = DurationEstimates::default(),
    }
}

section! {
    /// What makes a path or a failure count.
    ImpactMultipliers {
        /// For each step below.
        downstream_weight: u64 = 5,
        /// For each blocked step.
        blocked_weight: u64 = 15,
        /// For each step of a path.
        path_length_weight: u64 = 10,
        /// Taken off for each completed step.
        completed_penalty: u64 = 15,
        /// For each blocked step of a path.
        blocked_penalty: u64 = 25,
        /// For each step in error.
        error_penalty: u64 = 30,
        /// For each step in error that was tried.
        retry_penalty: u64 = 10,
    }
}

section! {
    /// What makes a step a bottleneck.
    SeverityMultipliers {
        /// It is in error.
        error_state: f64 = 2.0,
        /// Its attempts are used up.
        exhausted_retry_bonus: f64 = 0.5,
        /// It waits for others.
        dependency_issue: f64 = 1.2,
    }
}

section! {
    /// What is added for a step's history.
    PenaltyConstants {
        /// For each attempt.
        retry_instability: u64 = 3,
        /// It may not be tried again.
        non_retryable: u64 = 10,
        /// Its attempts are used up.
        exhausted_retry: u64 = 20,
    }
}

section! {
    /// From which score on a word applies.
    SeverityThresholds {
        /// `Critical`.
        critical: u64 = 100,
        /// `High`.
        high: u64 = 50,
        /// `Medium`.
        medium: u64 = 20,
    }
}

section! {
    /// How long steps are taken to last.
    DurationEstimates {
        /// Seconds of any step.
        base_step_seconds: u64 = 30,
        /// Seconds more of one in error.
        error_penalty_seconds: u64 = 60,
        /// Seconds more for each further attempt.
        retry_penalty_seconds: u64 = 30,
    }
}
