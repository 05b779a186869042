//! What a configuration came to, and where each value of it comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Configuration, Secret, keys};
use crate::document::{Location, Mistake, Source};
use crate::{IdentityStrategy, Settings, identity};

/// A configuration with the origin of each of its values.
///
/// Written as one line for each value, secrets masked: `execution.heartbeat_interval_seconds = 5  # default`.
#[derive(Clone, Debug)]
pub struct Effective {
    configuration: Configuration,
    /// By path; what is not here is a default.
    origins: BTreeMap<String, Location>,
    warnings: Vec<Mistake>,
}

impl Effective {
    pub(super) const fn new(
        configuration: Configuration,
        origins: BTreeMap<String, Location>,
        warnings: Vec<Mistake>,
    ) -> Self {
        Self { configuration, origins, warnings }
    }

    /// The values.
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Settings that have no effect, one warning each.
    pub fn warnings(&self) -> &[Mistake] {
        &self.warnings
    }

    /// Where a value comes from; `None` when there is no such setting.
    pub fn origin(&self, path: &str) -> Option<Location> {
        let known = || keys::leaves().iter().any(|(leaf, _)| leaf == path);
        let default = || Source::other("default", Some("default")).whole();
        self.origins.get(path).cloned().or_else(|| known().then(default))
    }

    /// Every setting in the order of the sections: its path, its value with secrets masked, its origin.
    pub fn values(&self) -> impl Iterator<Item = (String, Value, Location)> {
        let whole = serde_json::to_value(&self.configuration).unwrap_or_default();
        keys::leaves().iter().filter_map(move |(path, _)| {
            let value = whole.pointer(&format!("/{}", path.replace('.', "/")))?.clone();
            let value = if keys::is_secret(path) && !value.is_null() { Secret::MASK.into() } else { value };
            let origin = self.origin(path)?;
            Some((path.clone(), value, origin))
        })
    }

    /// What of it an engine is made with.
    pub fn settings(&self) -> Settings {
        self.configuration.checked_settings()
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (path, value, origin)) in self.values().enumerate() {
            let line = format!("{path} = {value}");
            write!(f, "{}{line:<60}  # {origin}", if place == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl Configuration {
    /// What of it an engine is made with; the rest of the settings by default.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn settings(&self) -> Result<Settings, super::ConfigErrors> {
        self.validate()?;
        Ok(self.checked_settings())
    }

    fn checked_settings(&self) -> Settings {
        let Self { execution, backoff, engine, .. } = self;
        let limit = execution.max_concurrent_steps_limit;
        let identity: Arc<dyn IdentityStrategy> =
            identity::strategy(engine).expect("the strategy was checked with the rest");
        Settings {
            max_concurrent_steps_limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            max_backoff: Duration::from_secs(backoff.max_backoff_seconds),
            heartbeat_interval: Duration::from_secs(execution.heartbeat_interval_seconds),
            worker_lost_after: Duration::from_secs(execution.worker_lost_after_seconds),
            step_timeout: execution.step_timeout_seconds.map(Duration::from_secs),
            identity,
            ..Settings::default()
        }
    }
}
