//! Whether an engine lives and can work: for probes of whoever runs it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::{Clock, Engine, EngineTypes, EventName, Moment, SinkCounts, Storage};

/// Whether it lives: that it answers at all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Liveness {
    /// Always true.
    pub alive: bool,
    /// When.
    pub timestamp: Moment,
    /// Always `tasker`.
    pub service: &'static str,
}

/// Whether it can work. As JSON it has the reference's keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadinessReport {
    /// Whether every check is healthy.
    pub ready: bool,
    /// What was looked at.
    pub checks: BTreeMap<&'static str, Check>,
    /// The same for people.
    pub message: String,
    /// When.
    pub timestamp: Moment,
    /// Seconds that it took.
    pub check_duration: f64,
    /// The checks that are not healthy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_checks: Vec<&'static str>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Whether it is as it should be.
    pub status: CheckStatus,
    /// What was found.
    pub message: String,
    /// Milliseconds that it took.
    pub response_time_ms: f64,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// As it should be.
    Healthy,
    /// Not so.
    Unhealthy,
}

impl Check {
    fn healthy(message: impl Into<String>, took: Duration) -> Self {
        Self {
            status: CheckStatus::Healthy,
            message: message.into(),
            response_time_ms: took.as_secs_f64() * 1000.0,
            error: None,
        }
    }

    fn unhealthy(message: impl Into<String>, error: impl Into<String>, took: Duration) -> Self {
        Self { status: CheckStatus::Unhealthy, error: Some(error.into()), ..Self::healthy(message, took) }
    }
}

impl<T: EngineTypes> Engine<T> {
    /// Whether it lives. Asks nobody.
    pub fn liveness(&self) -> Liveness {
        Liveness { alive: true, timestamp: Moment(self.shared.clock.now()), service: "tasker" }
    }

    /// Whether it can work: asks the storage something small, and looks at what it serves and tells. Answers within the
    /// limit (`health.readiness_timeout_seconds`), also when the storage does not.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tasker::prelude::*;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let ready = Engine::in_memory().readiness(Duration::from_secs(5)).await;
    /// assert!(ready.ready, "{}", ready.message);
    /// # }
    /// ```
    pub async fn readiness(&self, limit: Duration) -> ReadinessReport {
        let shared = &self.shared;
        let begun = shared.clock.now();
        // Time stands still while the storage works, on a clock that jumps.
        let _busy = shared.clock.busy();
        let late = shared.clock.sleep_until(begun + limit);
        let (database, in_time) = tokio::select! {
            biased;
            answer = shared.storage.due(begun, 0) => {
                let took = shared.clock.now().since(begun);
                let check = match answer {
                    Ok(_) => Check::healthy("Database connection active", took),
                    Err(error) => {
                        let source = std::error::Error::source(&error).map(ToString::to_string);
                        let reason = source.unwrap_or_else(|| error.to_string());
                        Check::unhealthy(format!("Database connection failed: {reason}"), error.to_string(), took)
                    }
                };
                (check, true)
            }
            woken = late => {
                drop(woken);
                (Check::unhealthy("Database connection failed: no answer", "Timeout", limit), false)
            }
        };
        let checks: BTreeMap<_, _> = [
            ("database", database),
            // A cache within the process cannot fail.
            ("cache", Check::healthy("No shared cache configured", Duration::ZERO)),
            ("sinks", self.check_sinks()),
            ("registry", self.check_registry()),
        ]
        .into();
        let unhealthy = checks.iter().filter(|(_, check)| check.status == CheckStatus::Unhealthy);
        let failed_checks: Vec<_> = unhealthy.map(|(name, _)| *name).collect();
        let ready = failed_checks.is_empty();
        let message = match (ready, in_time) {
            (true, _) => "System is ready".to_owned(),
            (false, true) => "System is not ready".to_owned(),
            (false, false) => {
                format!("Readiness check timed out after {} seconds", limit.as_secs_f64())
            }
        };
        let now = shared.clock.now();
        ReadinessReport {
            ready,
            checks,
            message,
            timestamp: Moment(now),
            check_duration: now.since(begun).as_secs_f64(),
            failed_checks,
        }
    }

    /// What is lost on the way to a sink is no reason not to work, but is told.
    fn check_sinks(&self) -> Check {
        let lost = self
            .sink_counts()
            .into_iter()
            .map(|(_, SinkCounts { dropped, panicked, .. })| dropped + panicked);
        let lost: u64 = lost.sum();
        Check::healthy(format!("{lost} events were lost"), Duration::ZERO)
    }

    fn check_registry(&self) -> Check {
        let served = self.shared.served.lock().expect("nothing panics while it compares names").len();
        self.shared.tell_of_registry(EventName::RegistryHealthCheck, served);
        Check::healthy(format!("{served} workflows are served"), Duration::ZERO)
    }
}
