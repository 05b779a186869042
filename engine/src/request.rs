//! Requests: built in code, or read from a stranger's JSON; and what one would come to, without storing anything.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::document::shape::{Findings, Key, Kind, Path, check};
use crate::document::{Node, Source, node_of};
use crate::engine::planned;
use crate::{
    Definition, Engine, EngineError, EngineTypes, HandlerName, Misfit, Request, StepName, StorageError,
    Timestamp, Version,
};

/// The fluent form: `Request::new(context).initiator("shop").tag("urgent")`.
impl Request {
    /// With a context of any type.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn of(context: impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_value(context).map(Self::new)
    }

    /// Makes it the same as every other one of that identity, whatever the engine's strategy says.
    #[must_use]
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// When it was asked for.
    #[must_use]
    pub const fn requested_at(mut self, at: Timestamp) -> Self {
        self.requested_at = Some(at);
        self
    }

    /// Who asks.
    #[must_use]
    pub fn initiator(mut self, who: impl Into<String>) -> Self {
        self.initiator = who.into();
        self
    }

    /// From where.
    #[must_use]
    pub fn source_system(mut self, system: impl Into<String>) -> Self {
        self.source_system = system.into();
        self
    }

    /// Why.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// A word to find it by.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// What the task is part of.
    #[must_use]
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Passes over a skippable step.
    #[must_use]
    pub fn bypass(mut self, step: impl Into<StepName>) -> Self {
        self.bypass_steps.push(step.into());
        self
    }
}

/// A request that names its workflow: the reference's fields, as a stranger sends them.
///
/// ```
/// use tasker::NamedRequest;
///
/// let named = NamedRequest::from_json(r#"{ "name": "checkout", "context": { "order": 7 }, "tags": ["urgent"] }"#)?;
/// assert_eq!((&*named.namespace, named.version.to_string()), ("default", "0.1.0".to_owned()));
/// assert_eq!((&*named.request.initiator, named.request.tags.len()), ("unknown", 1));
///
/// let errors = NamedRequest::from_json(r#"{ "nam": "checkout", "context": " ", "tags": "urgent" }"#).unwrap_err();
/// assert_eq!(errors.to_string(), "\
/// `context`: can't be blank
/// `nam`: `nam` is not a key of a request; did you mean `name`?
/// `name`: requires task name
/// `tags`: `tags` must be a list (write [urgent]), not the text `urgent`");
/// # Ok::<(), tasker::RequestErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct NamedRequest {
    /// The namespace; `default` by default.
    pub namespace: String,
    /// The workflow.
    pub name: String,
    /// Its version, exactly; 0.1.0 by default.
    pub version: Version,
    /// The rest.
    pub request: Request,
}

/// Everything that is wrong with a request, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestErrors(pub Vec<Misfit>);

impl fmt::Display for RequestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, misfit) in self.0.iter().enumerate() {
            write!(f, "{}{misfit}", if place == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for RequestErrors {}

const TEXT: Kind = Kind::Text { most: 128, blank: true };
const WORDS: Kind = Kind::List { of: &TEXT, least: 0 };
const REQUEST: Kind = Kind::Map(
    "a request",
    &[
        Key::new("name", Kind::Text { most: 64, blank: false }, "The workflow."),
        Key::new("namespace", Kind::Text { most: 64, blank: false }, "Its namespace."),
        Key::new("version", Kind::Version, "Its version."),
        Key::new("context", Kind::Any, "What it works on."),
        Key::new("initiator", TEXT, "Who asks."),
        Key::new("source_system", TEXT, "From where."),
        Key::new("reason", TEXT, "Why."),
        Key::new("tags", WORDS, "Words to find it by."),
        Key::new("bypass_steps", WORDS, "Steps to pass over."),
        Key::new("requested_at", Kind::Text { most: 64, blank: true }, "When.").nullable(),
        // The reference takes these two, and does nothing with them.
        Key::new("status", Kind::Any, "Of no effect."),
        Key::new("complete", Kind::Any, "Of no effect."),
    ],
);

impl NamedRequest {
    /// Reads a request. The order of the context's keys is kept for the identity strategy `rails`.
    ///
    /// # Errors
    /// All that is wrong, each with its field.
    pub fn from_json(text: &str) -> Result<Self, RequestErrors> {
        #[derive(Deserialize)]
        struct AsSent<'a> {
            #[serde(borrow)]
            context: Option<&'a RawValue>,
        }
        let value = serde_json::from_str::<Value>(text);
        let value = value.map_err(|error| RequestErrors(vec![Misfit::new("", error.to_string())]))?;
        let mut named = Self::from_value(&value)?;
        let sent = serde_json::from_str::<AsSent<'_>>(text).ok().and_then(|sent| sent.context);
        named.request.sent = sent.map(|context| context.get().to_owned());
        Ok(named)
    }

    /// Reads a request that was parsed already.
    ///
    /// # Errors
    /// All that is wrong, each with its field.
    pub fn from_value(value: &Value) -> Result<Self, RequestErrors> {
        let at = Source::other("request", None).whole();
        let node = node_of(value, &at);
        let mut findings = Findings { with_paths: true, ..Findings::default() };
        check(&node, &REQUEST, &Path::Root, &mut findings);
        let mut misfits: Vec<_> = findings
            .mistakes
            .into_iter()
            .map(|mistake| Misfit::new(mistake.path, mistake.fault.to_string()))
            .collect();
        if value.is_object() {
            misfits.extend(missing(&node));
        }
        let requested_at = node.text("requested_at").map(str::parse::<Timestamp>).transpose();
        let requested_at = requested_at
            .map_err(|error| misfits.push(Misfit::new("requested_at", error.to_string())))
            .unwrap_or_default();
        if !misfits.is_empty() {
            misfits.sort_by(|one, other| one.path.cmp(&other.path));
            return Err(RequestErrors(misfits));
        }
        Ok(Self::taken(&node, requested_at))
    }

    fn taken(node: &Node, requested_at: Option<Timestamp>) -> Self {
        let text = |key: &str, default: &str| node.text(key).unwrap_or(default).to_owned();
        let words = |key: &str| {
            let items = node.get(key).map_or(&[][..], Node::items);
            items.iter().filter_map(Node::as_text)
        };
        let context = node.get("context").map_or(Value::Null, Node::to_value);
        Self {
            namespace: text("namespace", "default"),
            name: text("name", ""),
            version: node.text("version").and_then(|text| text.parse().ok()).unwrap_or_default(),
            request: Request {
                requested_at,
                initiator: text("initiator", "unknown"),
                source_system: text("source_system", "unknown"),
                reason: text("reason", "unknown"),
                tags: words("tags").map(ToOwned::to_owned).collect(),
                bypass_steps: words("bypass_steps").map(StepName::from).collect(),
                ..Request::new(context)
            },
        }
    }
}

/// With the reference's texts.
fn missing(node: &Node) -> Vec<Misfit> {
    let name = node.get("name").is_none().then(|| Misfit::new("name", "requires task name"));
    let is_blank = match node.get("context").map(Node::to_value) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(_) => false,
    };
    let is_object = node.get("context").is_some_and(|context| context.to_value().is_object());
    let context = if is_blank {
        Some(Misfit::new("context", "can't be blank"))
    } else {
        (!is_object).then(|| Misfit::new("context", "must be an object"))
    };
    name.into_iter().chain(context).collect()
}

/// What a request would come to: see [`Engine::plan`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestPlan {
    /// The workflow, as `shop/checkout 1.0.0`.
    pub workflow: String,
    /// The identity that the task would have; another at each call where the strategy draws it.
    pub identity: String,
    /// The context as it would be stored, with the defaults of its schema.
    pub context: Arc<Value>,
    /// The steps in the order of their ids.
    pub steps: Vec<PlannedStep>,
}

/// A step as it would be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStep {
    /// Its name.
    pub name: StepName,
    /// What would run it.
    pub handler: HandlerName,
    /// The steps that it would wait for.
    pub depends_on: Vec<StepName>,
    /// How many attempts it would have.
    pub retry_limit: u32,
    /// Whether the request passes over it.
    pub skipped: bool,
    /// Its inputs, where a hook gave it other ones than the context.
    pub inputs: Option<Arc<Value>>,
}

impl<T: EngineTypes> Engine<T> {
    /// A dry run: checks a request as a start would, and tells what would be written. Nothing is; whether there is a task
    /// of that identity already is not looked up.
    ///
    /// ```
    /// use serde_json::json;
    /// use tasker::Request;
    /// use tasker::prelude::*;
    /// # #[step] async fn price_cart() -> StepResult<u64> { Ok(1) }
    /// # #[step(skippable)] async fn send_mail(cents: Output<PriceCart>) -> StepResult<u64> { Ok(*cents) }
    ///
    /// let builder = Definition::builder("shop", "checkout", "1.0.0");
    /// let definition = builder.step("price", PriceCart).step("mail", SendMail).build()?;
    /// let request = Request::new(json!({})).initiator("docs").bypass("mail");
    /// let plan = Engine::in_memory().plan(&definition, request)?;
    /// assert_eq!(plan.steps[1].depends_on, ["price"]);
    /// assert!(plan.steps[1].skipped && !plan.steps[0].skipped);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Engine::request`], but for duplicates and a storage that fails.
    pub fn plan(&self, definition: &Definition, request: Request) -> Result<RequestPlan, EngineError> {
        let settings = self.settings();
        let now = crate::Clock::now(self.clock());
        let task = planned(definition, request, now, &*settings.identity)?;
        task.check(&settings.limits)?;
        let bypassed = &task.request.bypass_steps;
        let steps = definition.bound().steps();
        let skippable = |name: &StepName| steps.iter().any(|step| step.name == **name && step.skippable);
        if let Some(name) = bypassed.iter().find(|name| !skippable(name)) {
            return Err(StorageError::Bypass(name.clone()).into());
        }
        let steps = steps.iter().enumerate().map(|(place, step)| PlannedStep {
            name: step.name.clone(),
            handler: step.handler_class.clone(),
            depends_on: step.depends_on_steps.clone(),
            retry_limit: step.default_retry_limit,
            skipped: bypassed.contains(&step.name),
            inputs: task.inputs.get(&place).cloned(),
        });
        Ok(RequestPlan {
            workflow: definition.full_name(),
            identity: task.identity_hash,
            context: Arc::clone(&task.request.context),
            steps: steps.collect(),
        })
    }
}
