//! What can be stored: JSON that PostgreSQL's `jsonb` holds without loss, within limits.
//!
//! Every backend checks and normalises alike, so that a value read back is the same whatever stored it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Number, Value};

use crate::{ErrorReport, NOT_RECORDABLE, Outcome, OutcomeKind, RetryAdvice, SpawnedStep};

/// How large a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of its JSON text.
    pub bytes: usize,
    /// Arrays and objects inside each other.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 20, depth: 128 }
    }
}

/// A value that cannot be stored. `at` is a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// PostgreSQL's text cannot hold it.
    #[error("the text at `{at}` contains U+0000, which PostgreSQL cannot store")]
    Nul {
        /// Where.
        at: String,
    },
    /// Deeper than allowed.
    #[error("the value is nested deeper than {max} levels, at `{at}`")]
    TooDeep {
        /// Where.
        at: String,
        /// Allowed.
        max: usize,
    },
    /// Larger than allowed.
    #[error("the value has {bytes} bytes of JSON, at most {max} are allowed")]
    TooLarge {
        /// Found.
        bytes: usize,
        /// Allowed.
        max: usize,
    },
}

/// Checks that a value can be stored.
///
/// # Errors
/// Says what is wrong, and where.
pub fn check(value: &Value, limits: &Limits) -> Result<(), PayloadError> {
    check_inside(value, limits, 0, &mut Vec::new())?;
    let bytes = size(value);
    if bytes > limits.bytes {
        return Err(PayloadError::TooLarge { bytes, max: limits.bytes });
    }
    Ok(())
}

/// Bytes of a value's JSON text.
pub fn size(value: &Value) -> usize {
    let mut size = Size(0);
    serde_json::to_writer(&mut size, value).expect("a JSON value is written to a counter");
    size.0
}

/// Counts what would be written.
struct Size(usize);

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

enum Place<'a> {
    Key(&'a str),
    Index(usize),
}

fn pointer(path: &[Place<'_>]) -> String {
    path.iter()
        .map(|place| match place {
            Place::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Place::Index(index) => format!("/{index}"),
        })
        .collect()
}

fn check_inside<'a>(
    value: &'a Value,
    limits: &Limits,
    depth: usize,
    path: &mut Vec<Place<'a>>,
) -> Result<(), PayloadError> {
    let nul = |text: &str, path: &[Place<'_>]| match text.contains('\0') {
        true => Err(PayloadError::Nul { at: pointer(path) }),
        false => Ok(()),
    };
    let deeper = |path: &[Place<'_>]| match depth >= limits.depth {
        true => Err(PayloadError::TooDeep { at: pointer(path), max: limits.depth }),
        false => Ok(()),
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) => nul(text, path),
        Value::Array(items) => {
            deeper(path)?;
            for (index, item) in items.iter().enumerate() {
                path.push(Place::Index(index));
                check_inside(item, limits, depth + 1, path)?;
                path.pop();
            }
            Ok(())
        }
        Value::Object(fields) => {
            deeper(path)?;
            for (key, field) in fields {
                path.push(Place::Key(key));
                nul(key, path)?;
                check_inside(field, limits, depth + 1, path)?;
                path.pop();
            }
            Ok(())
        }
    }
}

/// The value as `jsonb` gives it back: `1e17` is the integer 100000000000000000, and `-0.0` is `0.0`.
///
/// ```
/// use serde_json::json;
/// use tasker_engine::payload::normalise;
///
/// let mut value = json!({ "big": 1e17, "zero": -0.0, "half": 0.5 });
/// normalise(&mut value);
/// assert_eq!(value, json!({ "big": 100_000_000_000_000_000_u64, "zero": 0.0, "half": 0.5 }));
/// ```
pub fn normalise(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(same) = as_numeric(number) {
                *number = same;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(fields) => fields.values_mut().for_each(normalise),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// What a float becomes by way of PostgreSQL's `numeric`; `None` when it stays as it is.
fn as_numeric(number: &Number) -> Option<Number> {
    if !number.is_f64() {
        return None;
    }
    let float = number.as_f64()?;
    if float == 0.0 && float.is_sign_negative() {
        return Number::from_f64(0.0);
    }
    // Written with an exponent, a whole number comes back without a fraction, and so as an integer where it fits.
    if float.fract() != 0.0 || !number.to_string().contains('e') {
        return None;
    }
    let digits = format!("{float:.0}");
    digits.parse::<u64>().map(Number::from).or_else(|_| digits.parse::<i64>().map(Number::from)).ok()
}

/// Shares a normalised value; clones it only when something changes.
pub fn normalised(value: &Arc<Value>) -> Arc<Value> {
    if !needs_normalising(value) {
        return Arc::clone(value);
    }
    let mut copy = (**value).clone();
    normalise(&mut copy);
    Arc::new(copy)
}

fn needs_normalising(value: &Value) -> bool {
    match value {
        Value::Number(number) => as_numeric(number).is_some(),
        Value::Array(items) => items.iter().any(needs_normalising),
        Value::Object(fields) => fields.values().any(needs_normalising),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

impl Outcome {
    /// Makes the outcome storable, in place: values are normalised, texts cut, and what cannot be stored becomes a
    /// permanent failure, which is returned.
    pub fn make_recordable(&mut self, limits: &Limits) -> Option<ErrorReport> {
        let fault = match &mut self.kind {
            OutcomeKind::Completed(value) => match check(value, limits) {
                Ok(()) => {
                    *value = normalised(value);
                    spawn_fault(&self.spawned, limits)
                }
                Err(error) => Some(error.to_string()),
            },
            OutcomeKind::Failed { error, .. } => {
                error.make_storable();
                None
            }
            OutcomeKind::HandBack | OutcomeKind::Snooze { .. } => None,
        }?;
        Some(self.fail_as_not_recordable(&fault))
    }

    /// Turns the outcome into a permanent failure of class [`NOT_RECORDABLE`].
    pub fn fail_as_not_recordable(&mut self, fault: &str) -> ErrorReport {
        let message = format!("the outcome cannot be recorded: {fault}");
        let mut error =
            ErrorReport { class: NOT_RECORDABLE.into(), message, code: Some(NOT_RECORDABLE.into()) };
        error.make_storable();
        self.spawned.clear();
        self.kind = OutcomeKind::Failed { error: error.clone(), retry: RetryAdvice::Never };
        error
    }
}

/// Why these steps cannot be added, as far as that can be said without their task.
fn spawn_fault(spawned: &[SpawnedStep], limits: &Limits) -> Option<String> {
    let mut earlier = BTreeSet::new();
    spawned.iter().find_map(|step| {
        let fault = step.fault(limits).or_else(|| {
            let unknown = step.after.iter().find(|parent| !earlier.contains(parent))?;
            Some(format!("`{}` is to wait for `{unknown}`, which was not spawned before it", step.name))
        });
        fault.or_else(|| (!earlier.insert(&step.name)).then(|| format!("`{}` is spawned twice", step.name)))
    })
}

impl SpawnedStep {
    fn fault(&self, limits: &Limits) -> Option<String> {
        for (what, text, max) in [("name", self.name.as_str(), 128), ("handler", &self.handler, 255)] {
            let length = text.chars().count();
            if length > max {
                return Some(format!(
                    "the {what} of a spawned step has {length} characters, at most {max} are allowed"
                ));
            }
            if text.contains('\0') || text.trim().is_empty() {
                return Some(format!("the {what} of a spawned step is blank or contains U+0000"));
            }
        }
        if self.retry_limit == 0 {
            return Some(format!(
                "`{}` has a retry limit of 0: it counts attempts, so it must be at least 1",
                self.name
            ));
        }
        check(&self.config, limits).err().map(|error| error.to_string())
    }
}

/// Texts of errors are cut here, in bytes: they stand in audit rows and results.
const ERROR_TEXT: usize = 16 << 10;

impl ErrorReport {
    fn make_storable(&mut self) {
        for text in [Some(&mut self.class), Some(&mut self.message), self.code.as_mut()].into_iter().flatten()
        {
            if text.len() > ERROR_TEXT {
                let cut = text.floor_char_boundary(ERROR_TEXT);
                text.truncate(cut);
                text.push('…');
            }
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_nul_is_found_with_its_place() {
        let error = check(&json!({ "a": [1, { "b/c": "x\0" }] }), &Limits::default()).unwrap_err();
        assert_eq!(error, PayloadError::Nul { at: "/a/1/b~1c".into() });
        let in_key = check(&json!({ "a\0": 1 }), &Limits::default()).unwrap_err();
        assert!(matches!(in_key, PayloadError::Nul { .. }));
    }

    #[test]
    fn size_counts_bytes_of_json() {
        let limits = Limits { bytes: 10, ..Limits::default() };
        assert_eq!(check(&json!("12345678"), &limits), Ok(()));
        assert_eq!(check(&json!("123456789"), &limits), Err(PayloadError::TooLarge { bytes: 11, max: 10 }));
    }

    #[test]
    fn depth_is_counted_in_containers() {
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(check(&nested(128), &Limits::default()), Ok(()));
        assert!(matches!(check(&nested(129), &Limits::default()), Err(PayloadError::TooDeep { .. })));
    }

    #[test]
    fn floats_become_what_numeric_makes_of_them() {
        for (float, same) in [
            (1e17, json!(100_000_000_000_000_000_u64)),
            (-1e17, json!(-100_000_000_000_000_000_i64)),
            (1e300, json!(1e300)),
            (-0.0, json!(0.0)),
            (1.0, json!(1.0)),
            (1e-7, json!(1e-7)),
        ] {
            let mut value = json!(float);
            normalise(&mut value);
            assert_eq!(value, same, "{float}");
        }
    }
}
