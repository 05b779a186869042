//! JSON as `jsonb` sees it: how values compare, and what they are as text.

use serde_json::{Number, Value};

/// Whether two values are the same: numbers by value, whatever they are written like.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let found =
                |(key, value): (&String, &Value)| other.get(key).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(found)
        }
        _ => one == other,
    }
}

fn same_number(one: &Number, other: &Number) -> bool {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one == other,
        _ => one.as_f64() == other.as_f64(),
    }
}

/// A value as `->>` gives it: a text without its quotes, null as nothing.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        _ => Some(written(value)),
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Number(number) => plain(number),
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            // Short keys come first.
            fields.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            let fields = fields
                .into_iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), written(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}

/// A number without an exponent.
fn plain(number: &Number) -> String {
    let text = number.to_string();
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let Ok(exponent) = exponent.parse::<i32>() else { return text };
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let point = exponent + i32::try_from(whole.len()).expect("a number of few digits");
    let digits = format!("{whole}{fraction}");
    match usize::try_from(point) {
        Ok(point) if point >= digits.len() => format!("{sign}{digits:0<point$}"),
        Ok(point) if point > 0 => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
        _ => format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-point).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_the_same_by_value() {
        assert!(same(&json!({ "a": [2, 1.0] }), &json!({ "a": [2.0, 1] })));
        assert!(!same(&json!(u64::MAX), &json!(u64::MAX - 1)), "also where floats cannot tell them apart");
        assert!(!same(&json!("2"), &json!(2)));
        assert!(!same(&json!({ "a": 1 }), &json!({ "a": 1, "b": 1 })));
    }

    #[test]
    fn values_are_written_as_jsonb_writes_them() {
        for (value, text) in [
            (json!(1.5), "1.5"),
            (json!(1e-7), "0.0000001"),
            (json!(-1.25e-7), "-0.000000125"),
            (json!(1.5e20), "150000000000000000000"),
            (json!(true), "true"),
            (json!("a \"b\""), "a \"b\""),
            (json!({ "bb": [1, "x"], "a": null, "c": {} }), r#"{"a": null, "c": {}, "bb": [1, "x"]}"#),
        ] {
            assert_eq!(as_text(&value).as_deref(), Some(text));
        }
        assert_eq!(as_text(&Value::Null), None);
    }
}
