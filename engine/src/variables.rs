//! `${NAME}` in a template's `handler_config`: read from the environment of the process that runs the step.
//!
//! A template is stored, compared and written with the name, never with the value: a key that stands in a variable does
//! not end up in a database, and each worker reads its own. `$${` stands for `${` itself, and values that come from code
//! are escaped so.

use std::borrow::Cow;

use serde_json::Value;

use crate::Misfit;

/// Where variables are looked up.
pub(crate) type LookUp<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables of this process.
pub(crate) fn of_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The value with every variable in its texts replaced.
///
/// # Errors
/// When one is not set, or `${` begins no name.
pub(crate) fn resolve<'a>(value: &'a Value, look_up: LookUp<'_>) -> Result<Cow<'a, Value>, Misfit> {
    if !mentions(value) {
        return Ok(Cow::Borrowed(value));
    }
    let mut copy = value.clone();
    resolve_inside(&mut copy, look_up, &mut String::new())?;
    Ok(Cow::Owned(copy))
}

/// The value as a template has to write it, so that [`resolve`] gives it back.
pub(crate) fn escape(mut value: Value) -> Value {
    if mentions(&value) {
        escape_inside(&mut value);
    }
    value
}

fn mentions(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${"),
        Value::Array(items) => items.iter().any(mentions),
        Value::Object(fields) => fields.values().any(mentions),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn escape_inside(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace("${", "$${"),
        Value::Array(items) => items.iter_mut().for_each(escape_inside),
        Value::Object(fields) => fields.values_mut().for_each(escape_inside),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn resolve_inside(value: &mut Value, look_up: LookUp<'_>, path: &mut String) -> Result<(), Misfit> {
    let length = path.len();
    match value {
        Value::String(text) => {
            *text = resolved(text, look_up).map_err(|message| Misfit::new(&*path, message))?;
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push_str(&format!("[{index}]"));
                resolve_inside(item, look_up, path)?;
                path.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                if length > 0 {
                    path.push('.');
                }
                path.push_str(key);
                resolve_inside(field, look_up, path)?;
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn resolved(text: &str, look_up: LookUp<'_>) -> Result<String, String> {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            done += before;
            done += "${";
            rest = after;
            continue;
        }
        done += before;
        let name = after.split_once('}').filter(|(name, _)| is_name(name));
        let Some((name, after)) = name else {
            return Err("`${` begins no variable; write `${NAME}`, or `$${` for the text itself".to_owned());
        };
        let value = look_up(name);
        done += &value.ok_or_else(|| format!("the environment variable `{name}` is not set"))?;
        rest = after;
    }
    Ok(done + rest)
}

fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    begins && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn look_up(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("example.org".to_owned()),
            "NESTED" => Some("${HOST}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_once_wherever_a_text_stands() {
        let config = json!({ "url": "https://${HOST}/${HOST}", "list": [1, "${NESTED}"], "${HOST}": true });
        let same =
            json!({ "url": "https://example.org/example.org", "list": [1, "${HOST}"], "${HOST}": true });
        assert_eq!(*resolve(&config, &look_up).unwrap(), same);
    }

    #[test]
    fn a_doubled_dollar_stands_for_itself() {
        for (written, meant) in [("$${HOST}", "${HOST}"), ("$$${x", "$${x"), ("$5 {HOST}", "$5 {HOST}")] {
            assert_eq!(*resolve(&json!(written), &look_up).unwrap(), json!(meant), "{written}");
        }
    }

    #[test]
    fn what_is_not_set_or_no_name_is_refused_with_its_path() {
        let refused = |value: Value| resolve(&value, &look_up).unwrap_err().to_string();
        let text = refused(json!({ "a": { "b": [0, "x${MISSING}"] } }));
        assert_eq!(text, "`a.b[1]`: the environment variable `MISSING` is not set");
        for bad in ["${", "${}", "${HOST", "${HOST:-x}", "${9}"] {
            assert!(refused(json!(bad)).contains("begins no variable"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_was_escaped_comes_back(text in "[${}A-Z]{0,12}") {
            let value = json!([text]);
            prop_assert_eq!(resolve(&escape(value.clone()), &look_up).unwrap().into_owned(), value);
        }
    }
}
