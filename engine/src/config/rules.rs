//! What has to hold between settings.

use super::Configuration;
use crate::document::shape::Findings;
use crate::document::{Fault, Location, Mistake};
use crate::identity;

/// Checks what no single value shows. `said` tells where a value comes from; `None` for a default.
pub(super) fn check(
    configuration: &Configuration,
    said: &dyn Fn(&str) -> Option<Location>,
    findings: &mut Findings,
) {
    let mut rules = Rules { said, findings };
    let Configuration { auth, database, engine, execution, cache, .. } = configuration;
    if let Some(limit) = execution.max_concurrent_steps_limit
        && execution.min_concurrent_steps > limit
        // The default of a setting without effect is nobody's mistake.
        && said("execution.min_concurrent_steps").is_some()
    {
        let text = format!(
            "min_concurrent_steps ({}) cannot exceed max_concurrent_steps_limit ({limit})",
            execution.min_concurrent_steps
        );
        rules.broken(&["execution.min_concurrent_steps", "execution.max_concurrent_steps_limit"], text);
    }
    let (most, base) = (execution.max_batch_timeout_seconds, execution.batch_timeout_base_seconds);
    if most <= base {
        let text = format!(
            "max_batch_timeout_seconds ({most}) must be greater than batch_timeout_base_seconds ({base})"
        );
        rules.broken(&["execution.max_batch_timeout_seconds", "execution.batch_timeout_base_seconds"], text);
    }
    let (beat, lost) = (execution.heartbeat_interval_seconds, execution.worker_lost_after_seconds);
    if lost <= beat {
        let text = format!(
            "worker_lost_after_seconds ({lost}) must be greater than heartbeat_interval_seconds ({beat}): \
             else whoever lives is taken for dead"
        );
        rules.broken(&["execution.worker_lost_after_seconds", "execution.heartbeat_interval_seconds"], text);
    }
    let (least, most) = (cache.min_adaptive_ttl, cache.max_adaptive_ttl);
    if least >= most {
        let text = format!("min_adaptive_ttl ({least}) must be less than max_adaptive_ttl ({most})");
        rules.broken(&["cache.min_adaptive_ttl", "cache.max_adaptive_ttl"], text);
    }
    if auth.authentication_enabled && auth.authenticator_class.is_none() {
        let text = "Authentication enabled but no authenticator_class configured".to_owned();
        rules.broken(&["auth.authentication_enabled", "auth.authenticator_class"], text);
    }
    if database.enable_secondary_database && database.url.is_none() {
        let text = "a database of its own is enabled, but `database.url` does not name it".to_owned();
        rules.broken(&["database.enable_secondary_database", "database.url"], text);
    }
    if let Err(error) = identity::strategy(engine) {
        let paths = ["engine.identity_strategy", "engine.identity_strategy_class"];
        rules.broken(&paths, Fault::IdentityStrategy(error));
    }
}

struct Rules<'a> {
    said: &'a dyn Fn(&str) -> Option<Location>,
    findings: &'a mut Findings,
}

impl Rules<'_> {
    /// At the first of these settings that somebody made.
    fn broken(&mut self, paths: &[&str], fault: impl Into<Fault>) {
        let said = paths.iter().find_map(|path| Some((*path, (self.said)(path)?)));
        let (path, at) = said.unwrap_or_else(|| {
            (paths[0], crate::document::Source::other("default", Some("default")).whole())
        });
        self.findings.mistakes.push(Mistake { path: path.to_owned(), ..Mistake::new(&at, fault) });
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::Setting(text)
    }
}
