//! How long a step waits between attempts: policies, open to users.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decide::ReferenceBackoff;
use crate::{BuildError, StepTemplate};

/// Decides how long a step waits after a failed attempt. Its word alone counts: the reference's own wait does not apply.
///
/// Named in a template by its type, with its fields beside it: `retry_policy: {type: fixed, seconds: 3}`. Write your
/// own with `#[typetag::serde(name = "…")]` on the `impl`.
#[typetag::serde(tag = "type")]
pub trait RetryPolicy: Any + Send + Sync {
    /// The wait after that many attempts (the first is 1). Chance is an argument.
    fn wait(&self, attempts: u32, random: &mut fastrand::Rng) -> Duration;
}

/// The same wait every time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Seconds; parts of a second are allowed.
    pub seconds: f64,
}

#[typetag::serde(name = "fixed")]
impl RetryPolicy for Fixed {
    fn wait(&self, _: u32, _: &mut fastrand::Rng) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }
}

/// The reference's configurable back-off: see [`ReferenceBackoff`].
#[typetag::serde(name = "reference")]
impl RetryPolicy for ReferenceBackoff {
    fn wait(&self, attempts: u32, random: &mut fastrand::Rng) -> Duration {
        Self::wait(self, attempts, random)
    }
}

/// The policy that a step of a template names.
pub(crate) fn policy_of(step: &StepTemplate) -> Result<Option<Arc<dyn RetryPolicy>>, BuildError> {
    if step.retry_policy.is_null() {
        return Ok(None);
    }
    let policy: Result<Box<dyn RetryPolicy>, _> = serde_json::from_value(step.retry_policy.clone());
    policy
        .map(|policy| Some(Arc::from(policy)))
        .map_err(|error| BuildError::RetryPolicy { step: step.name.clone(), message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(policy: serde_json::Value) -> StepTemplate {
        StepTemplate { retry_policy: policy, ..StepTemplate::new("pay", "pay") }
    }

    #[test]
    fn a_policy_is_found_by_its_name() {
        let policy = policy_of(&step(json!({ "type": "fixed", "seconds": 0.05 }))).unwrap().unwrap();
        assert_eq!(policy.wait(7, &mut fastrand::Rng::with_seed(1)), Duration::from_millis(50));
        assert!(policy_of(&step(json!(null))).unwrap().is_none());
    }

    #[test]
    fn an_unknown_policy_names_the_known_ones() {
        let Err(error) = policy_of(&step(json!({ "type": "fibonacci" }))) else {
            panic!("there is no such policy")
        };
        assert!(error.to_string().contains("fixed"), "{error}");
    }
}
