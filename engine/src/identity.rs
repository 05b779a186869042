//! What makes two requests the same: strategies, open to users.
//!
//! ```
//! use std::sync::Arc;
//!
//! use serde_json::json;
//! use tasker::prelude::*;
//! use tasker::{NoEvents, Settings, SystemClock, identity};
//!
//! # #[step] async fn pay() -> StepResult<u64> { Ok(1) }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings { identity: Arc::new(identity::Hash { window_seconds: 0 }), ..Settings::default() };
//! let engine = Engine::in_memory_with(SystemClock::default(), NoEvents, settings)?;
//! let definition = Definition::builder("shop", "pay", "1.0.0").step("pay", Pay).build()?;
//! let task = engine.start_definition(&definition, json!({ "order": 7 })).await?;
//! match engine.start_definition(&definition, json!({ "order": 7 })).await {
//!     Err(EngineError::Duplicate { task: existing }) => assert_eq!(existing, task.id()),
//!     other => panic!("{other:?}"),
//! }
//! # Ok(()) }
//! ```

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value, json};
use sha2::{Digest, Sha256};

use crate::config;
use crate::template::canonical_json;
use crate::{TaskRequest, Template, Timestamp};

/// Tells when two requests are the same: of equal identities only the first makes a task.
///
/// Named in a configuration as `engine.identity_strategy`. Write your own with `#[typetag::serde(name = "…")]` on the
/// `impl`, set `identity_strategy` to `custom` and `identity_strategy_class` to that name.
#[typetag::serde(tag = "type")]
pub trait IdentityStrategy: Any + fmt::Debug + Send + Sync {
    /// The identity of a request; at most 128 characters.
    fn identity(&self, request: &Identified<'_>) -> String;
}

/// A request whose identity is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Identified<'a> {
    /// Of which workflow.
    pub template: &'a Template,
    /// The request as it will be stored: its context normalised, with defaults.
    pub request: &'a TaskRequest,
    /// The JSON text of the context as it was sent, if it is known.
    pub sent: Option<&'a str>,
}

/// The strategy `default`: every request is another. A random UUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unique;

#[typetag::serde(name = "default")]
impl IdentityStrategy for Unique {
    fn identity(&self, _: &Identified<'_>) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}

/// The strategy `hash`: requests of one workflow, version and sender with equal contexts are the same within a window of
/// time. Lower-case hex SHA-256 of canonical JSON; the stored row makes the same again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hash {
    /// How long the window is, in seconds of the UTC clock; 0 for ever. A window begins at a whole multiple, so that
    /// with 60 seconds 10:00:59 and 10:01:00 are in two.
    pub window_seconds: u64,
}

impl Default for Hash {
    fn default() -> Self {
        Self { window_seconds: 60 }
    }
}

#[typetag::serde(name = "hash")]
impl IdentityStrategy for Hash {
    fn identity(&self, Identified { template, request, .. }: &Identified<'_>) -> String {
        let mut bypassed: Vec<_> = request.bypass_steps.iter().map(|step| step.as_str()).collect();
        bypassed.sort_unstable();
        bypassed.dedup();
        let text = canonical_json(&json!({
            "bypass_steps": bypassed,
            "context": *request.context,
            "initiator": request.initiator,
            "name": template.name,
            "namespace": template.namespace_name,
            "reason": request.reason,
            "requested_at": self.window(request.requested_at),
            "source_system": request.source_system,
            "version": template.version,
        }));
        hex(&text)
    }
}

impl Hash {
    /// The second at which the window begins; none when time does not count.
    fn window(self, at: Timestamp) -> Option<i64> {
        let seconds = i64::try_from(self.window_seconds).unwrap_or(i64::MAX);
        (seconds > 0).then(|| at.as_micros().div_euclid(1_000_000).div_euclid(seconds) * seconds)
    }
}

/// The strategy `rails`: the reference's recipe, byte for byte, with times in UTC, so that a Rails application on the
/// same database and this engine take a request for the same. It leaves out namespace and version, and depends on the
/// order in which the keys of the context were sent: give [`Request::sent`](crate::Request), else sorted keys are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rails;

#[typetag::serde(name = "rails")]
impl IdentityStrategy for Rails {
    fn identity(&self, Identified { template, request, sent }: &Identified<'_>) -> String {
        let as_sent = sent.and_then(|text| serde_json::from_str::<Ordered>(text).ok());
        let mut context = String::new();
        as_sent.unwrap_or_else(|| Ordered::of(&request.context)).write(&mut context);
        let text = |text: &str| {
            let mut written = String::new();
            write_text(&mut written, text);
            written
        };
        let bypassed: Vec<_> = request.bypass_steps.iter().map(|step| text(step)).collect();
        // `2025-03-04T05:06:07.000000Z` to `2025-03-04 05:06`.
        let moment = request.requested_at.to_string();
        let minute = moment.get(..16).unwrap_or(&moment).replace('T', " ");
        hex(&format!(
            r#"{{"name":{},"initiator":{},"source_system":{},"context":{context},"reason":{},"bypass_steps":[{}],"requested_at":{}}}"#,
            text(&template.name),
            text(&request.initiator),
            text(&request.source_system),
            text(&request.reason),
            bypassed.join(","),
            text(&minute),
        ))
    }
}

fn hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The strategy that a configuration names.
///
/// # Errors
/// With the reference's texts, when there is none.
pub(crate) fn strategy(section: &config::Engine) -> Result<Arc<dyn IdentityStrategy>, String> {
    match (&*section.identity_strategy, &section.identity_strategy_class) {
        ("default", _) => Ok(Arc::new(Unique)),
        ("hash", _) => Ok(Arc::new(Hash { window_seconds: section.identity_window_seconds })),
        ("rails", _) => Ok(Arc::new(Rails)),
        ("custom", Some(class)) => {
            let found: Result<Box<dyn IdentityStrategy>, _> =
                serde_json::from_value(json!({ "type": class }));
            found.map(Arc::from).map_err(|error| format!("Invalid identity_strategy_class: {error}"))
        }
        ("custom", None) => {
            Err("Custom identity strategy selected but no identity_strategy_class provided".to_owned())
        }
        (other, _) => Err(format!("Unknown identity_strategy: {other}; known: default, hash, rails, custom")),
    }
}

/// JSON that keeps the order of its keys.
enum Ordered {
    Plain(Value),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Ordered {
    fn of(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Object(fields) => {
                Self::Map(fields.iter().map(|(key, field)| (key.clone(), Self::of(field))).collect())
            }
            plain => Self::Plain(plain.clone()),
        }
    }

    fn write(&self, to: &mut String) {
        match self {
            Self::Plain(Value::String(text)) => write_text(to, text),
            Self::Plain(value) => to.push_str(&value.to_string()),
            Self::List(items) => {
                to.push('[');
                for (place, item) in items.iter().enumerate() {
                    to.push_str(if place == 0 { "" } else { "," });
                    item.write(to);
                }
                to.push(']');
            }
            Self::Map(fields) => {
                to.push('{');
                for (place, (key, field)) in fields.iter().enumerate() {
                    to.push_str(if place == 0 { "" } else { "," });
                    write_text(to, key);
                    to.push(':');
                    field.write(to);
                }
                to.push('}');
            }
        }
    }
}

/// As Rails writes a text: what could end a script is escaped.
fn write_text(to: &mut String, text: &str) {
    for letter in Value::from(text).to_string().chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                to.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => to.push(letter),
        }
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Ordered;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Ordered, E> {
        Ok(Ordered::Plain(Value::Null))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Ordered, E> {
        Ok(Ordered::Plain(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Ordered, E> {
        Ok(Ordered::Plain(value.into()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Ordered, E> {
        Ok(Ordered::Plain(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Ordered, E> {
        Ok(Ordered::Plain(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Ordered, E> {
        Ok(Ordered::Plain(value.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ordered, A::Error> {
        let mut list = vec![];
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Ordered::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Ordered, A::Error> {
        let mut map = vec![];
        while let Some(field) = fields.next_entry()? {
            map.push(field);
        }
        Ok(Ordered::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StepName, Version};

    fn template() -> Template {
        Template::new("shop", "id", Version(1, 0, 0))
    }

    fn request(context: Value) -> TaskRequest {
        TaskRequest {
            context: Arc::new(context),
            requested_at: "2025-03-04T05:06:07Z".parse().unwrap(),
            initiator: "i".to_owned(),
            source_system: "s".to_owned(),
            reason: "r".to_owned(),
            tags: vec![],
            bypass_steps: vec![],
            correlation_id: None,
        }
    }

    fn hashed(template: &Template, request: &TaskRequest) -> String {
        Hash::default().identity(&Identified { template, request, sent: None })
    }

    #[test]
    fn rails_gives_the_verified_hash_of_the_reference() {
        let sent = r#"{ "b": 1, "a": "x<y>&z" }"#;
        let request = request(serde_json::from_str(sent).unwrap());
        let identified = Identified { template: &template(), request: &request, sent: Some(sent) };
        let verified = "91642e2078d4d96679adbbb285fd429a0df2186167b9876ae9c3c695cb9488a2";
        assert_eq!(Rails.identity(&identified), verified);
        assert_ne!(Rails.identity(&Identified { sent: None, ..identified }), verified, "order counts");
    }

    #[test]
    fn two_namespaces_or_versions_never_collide() {
        let request = request(json!({ "a": 1 }));
        let other = |change: fn(&mut Template)| {
            let mut template = template();
            change(&mut template);
            hashed(&template, &request)
        };
        let own = hashed(&template(), &request);
        assert_eq!(own.len(), 64);
        assert_ne!(own, other(|template| template.namespace_name = "other".to_owned()));
        assert_ne!(own, other(|template| template.version = Version(1, 0, 1)));
        assert_eq!(own, other(|template| template.description = Some("text".to_owned())));
    }

    #[test]
    fn the_value_counts_not_how_it_is_written() {
        let one = request(json!({ "a": 1.0, "b": [true, null], "c": 9_007_199_254_740_993_u64 }));
        let same: Value = serde_json::from_str(r#"{"c":9007199254740993,"b":[true,null],"a":1}"#).unwrap();
        assert_eq!(hashed(&template(), &one), hashed(&template(), &request(same)));
        let near = request(json!({ "a": 1.0, "b": [true, null], "c": 9_007_199_254_740_992_u64 }));
        assert_ne!(hashed(&template(), &one), hashed(&template(), &near));
    }

    #[test]
    fn the_order_of_bypassed_steps_and_tags_do_not_count() {
        let mut one = request(json!({}));
        let mut other = one.clone();
        one.bypass_steps = ["b", "a", "b"].map(StepName::from).to_vec();
        other.bypass_steps = ["a", "b"].map(StepName::from).to_vec();
        other.tags = vec!["tag".to_owned()];
        assert_eq!(hashed(&template(), &one), hashed(&template(), &other));
        other.bypass_steps.clear();
        assert_ne!(hashed(&template(), &one), hashed(&template(), &other));
    }

    #[test]
    fn a_window_begins_at_a_whole_minute_and_may_last_for_ever() {
        let at = |text: &str, window_seconds: u64| {
            let request = TaskRequest { requested_at: text.parse().unwrap(), ..request(json!({})) };
            Hash { window_seconds }.identity(&Identified {
                template: &template(),
                request: &request,
                sent: None,
            })
        };
        let early = "2025-03-04T10:00:00Z";
        assert_eq!(at(early, 60), at("2025-03-04T10:00:59Z", 60));
        assert_ne!(at("2025-03-04T10:00:59Z", 60), at("2025-03-04T10:01:00Z", 60));
        assert_eq!(at(early, 0), at("2026-01-01T00:00:00Z", 0));
        assert_eq!(at("1969-12-31T23:59:01Z", 60), at("1969-12-31T23:59:59Z", 60));
    }

    #[test]
    fn a_configuration_names_its_strategy() {
        let named = |name: &str, class: Option<&str>| {
            strategy(&config::Engine {
                identity_strategy: name.to_owned(),
                identity_strategy_class: class.map(ToOwned::to_owned),
                ..config::Engine::default()
            })
            .map(|strategy| format!("{strategy:?}"))
        };
        assert_eq!(named("hash", None).unwrap(), "Hash { window_seconds: 60 }");
        assert_eq!(named("custom", Some("rails")).unwrap(), "Rails");
        assert_eq!(
            named("custom", None).unwrap_err(),
            "Custom identity strategy selected but no identity_strategy_class provided"
        );
        let unknown = named("custom", Some("Foo::Bar")).unwrap_err();
        assert!(
            unknown.starts_with("Invalid identity_strategy_class: unknown variant `Foo::Bar`"),
            "{unknown}"
        );
        assert!(named("sha1", None).unwrap_err().starts_with("Unknown identity_strategy: sha1"));
    }
}
