//! What is wrong with settings is told before anything runs, all of it at once.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::payload::{self, PayloadError};
use crate::{HandlerName, Settings};

/// Settings that no engine can run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsErrors {
    /// At least one.
    pub errors: Vec<SettingsError>,
}

impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings cannot be used:")?;
        self.errors.iter().try_for_each(|error| write!(f, "\n  - {error}"))
    }
}

impl std::error::Error for SettingsErrors {}

/// One mistake in settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// With nothing of it, nothing would ever be done.
    #[error("`{setting}` is zero, and nothing would ever be done; {instead}")]
    Zero {
        /// Which one.
        setting: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// Workers that live would be taken for dead.
    #[error(
        "`worker_lost_after` is {lost_after:?} and `heartbeat_interval` {interval:?}: workers that live would be taken \
         for dead; it must be the longer one, by several times"
    )]
    LostBeforeTheNextBeat {
        /// `worker_lost_after`.
        lost_after: Duration,
        /// `heartbeat_interval`.
        interval: Duration,
    },
    /// Its steps would never be run here, and nobody would know why.
    #[error(
        "`handler_rooms` gives `{0}` no room; leave it out of the handlers of this process, or give it at least 1"
    )]
    NoRoom(HandlerName),
    /// No storage could take note of it.
    #[error("`label` cannot be stored: {0}")]
    Label(PayloadError),
}

impl Settings {
    /// Checks what every engine checks before it is made.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn check(&self) -> Result<(), SettingsErrors> {
        let errors: Vec<_> = self
            .zeros()
            .chain(self.no_rooms())
            .chain(self.lost_before_the_next_beat())
            .chain(self.odd_label())
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(SettingsErrors { errors }) }
    }

    fn zeros(&self) -> impl Iterator<Item = SettingsError> {
        let at_least_one = "write at least 1";
        let none = "write `None` for no limit, or at least 1";
        [
            ("concurrency", self.concurrency == 0, at_least_one),
            ("max_concurrent_steps_limit", self.max_concurrent_steps_limit == Some(0), none),
            ("limits.bytes", self.limits.bytes == 0, at_least_one),
            ("limits.depth", self.limits.depth == 0, at_least_one),
            (
                "poll",
                self.poll == Some(Duration::ZERO),
                "write `None` for never, or how long to wait in between",
            ),
            ("batch_outcomes", self.batch_outcomes == 0, at_least_one),
            ("calls_at_once", self.calls_at_once == Some(0), at_least_one),
            ("heartbeat_interval", self.heartbeat_interval.is_zero(), "write how long to wait in between"),
        ]
        .into_iter()
        .filter(|(_, is_zero, _)| *is_zero)
        .map(|(setting, _, instead)| SettingsError::Zero { setting, instead })
    }

    fn no_rooms(&self) -> impl Iterator<Item = SettingsError> {
        let rooms = self.handler_rooms.iter().filter(|(_, room)| **room == 0);
        rooms.map(|(handler, _)| SettingsError::NoRoom(handler.clone()))
    }

    fn lost_before_the_next_beat(&self) -> Option<SettingsError> {
        let (lost_after, interval) = (self.worker_lost_after, self.heartbeat_interval);
        (lost_after <= interval).then_some(SettingsError::LostBeforeTheNextBeat { lost_after, interval })
    }

    fn odd_label(&self) -> Option<SettingsError> {
        payload::check(&Value::from(self.label.as_str()), &self.limits).err().map(SettingsError::Label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Limits;

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_worker_is_not_lost_before_its_next_beat() {
        let interval = Settings::default().heartbeat_interval;
        for lost_after in [Duration::ZERO, interval - Duration::from_micros(1), interval] {
            let settings = Settings { worker_lost_after: lost_after, ..Settings::default() };
            let errors = vec![SettingsError::LostBeforeTheNextBeat { lost_after, interval }];
            assert_eq!(settings.check(), Err(SettingsErrors { errors }));
        }
        let just_longer =
            Settings { worker_lost_after: interval + Duration::from_micros(1), ..Settings::default() };
        assert_eq!(just_longer.check(), Ok(()));
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let settings = Settings {
            concurrency: 0,
            max_concurrent_steps_limit: Some(0),
            limits: Limits { bytes: 0, depth: 0 },
            poll: Some(Duration::ZERO),
            batch_outcomes: 0,
            heartbeat_interval: Duration::ZERO,
            worker_lost_after: Duration::ZERO,
            label: "a\0b".into(),
            handler_rooms: [("mail".into(), 0), ("print".into(), 1)].into(),
            ..Settings::default()
        };
        let errors = settings.check().unwrap_err().errors;
        let zeros = errors.iter().filter_map(|error| match error {
            SettingsError::Zero { setting, .. } => Some(*setting),
            _ => None,
        });
        assert_eq!(
            zeros.collect::<Vec<_>>(),
            [
                "concurrency",
                "max_concurrent_steps_limit",
                "limits.bytes",
                "limits.depth",
                "poll",
                "batch_outcomes",
                "heartbeat_interval"
            ]
        );
        assert_eq!(errors[7], SettingsError::NoRoom("mail".into()));
        assert!(matches!(errors[8], SettingsError::LostBeforeTheNextBeat { .. }), "{errors:?}");
        assert!(matches!(errors[9], SettingsError::Label(_)), "{errors:?}");
        assert_eq!(errors.len(), 10);
    }
}
