//! Handlers: what runs a step, erased to JSON in and JSON out, and the names under which templates find them.

use std::any::{Any, TypeId, type_name};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::CallClock;
use crate::custom_event::Publishing;
use crate::template::nearest;
use crate::{
    BAD_INPUT, BuildError, CorrelationId, HandlerName, MISSING_OUTPUT, ParentResult, StepError, StepId,
    StepName, StepResult, TaskId, Timestamp, Token,
};

/// Runs one step: the one object-safe face of every handler, typed or foreign.
///
/// Delivery is at least once: a process may die after the work and before its outcome is recorded. Use
/// [`Call::idempotency_key`] towards systems that must not do a thing twice.
#[async_trait]
pub trait DynHandler: Send + Sync + 'static {
    /// Runs one attempt.
    async fn call(&self, call: Call) -> StepResult<Value>;
}

fn _object_safe(_: &dyn DynHandler) {}

/// An async function of a [`Call`] as a handler, for steps that are known only at run time.
///
/// ```
/// use serde_json::json;
/// use tasker_engine::{Call, Definition, handler_fn};
///
/// let double = handler_fn(|call: Call| async move {
///     let number: u64 = call.context()?;
///     Ok(json!(number * 2))
/// });
/// let definition = Definition::builder("sums", "double", "1.0.0").step("double", double).build()?;
/// assert_eq!(definition.template().step_templates.len(), 1);
/// # Ok::<(), tasker_engine::BuildErrors>(())
/// ```
pub fn handler_fn<F, R>(function: F) -> FnHandler<F>
where
    F: Fn(Call) -> R + Send + Sync + 'static,
    R: Future<Output = StepResult<Value>> + Send + 'static,
{
    FnHandler(function)
}

/// See [`handler_fn`].
pub struct FnHandler<F>(F);

impl<F> FnHandler<F>
where
    Self: DynHandler,
{
    /// The same under a name of its own, so that many steps can share it; otherwise it is named after its step.
    pub fn named(self, name: impl Into<HandlerName>) -> Entry {
        Entry::of_value(name, Arc::new(self))
    }
}

#[async_trait]
impl<F, R> DynHandler for FnHandler<F>
where
    F: Fn(Call) -> R + Send + Sync + 'static,
    R: Future<Output = StepResult<Value>> + Send + 'static,
{
    async fn call(&self, call: Call) -> StepResult<Value> {
        (self.0)(call).await
    }
}

/// A type, with its name for messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeKey {
    id: TypeId,
    name: &'static str,
}

impl TypeKey {
    /// Of that type.
    pub fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), name: type_name::<T>() }
    }

    /// Its name, with the path.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for TypeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What a step reads of another one: the output of a handler, or of whoever yields a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputKey {
    /// The output of the step that this handler runs.
    Handler(TypeKey),
    /// The output that is of this type.
    Output(TypeKey),
}

/// How many parents an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Exactly one, which has an output.
    One,
    /// Exactly one, which may have been skipped.
    Optional,
    /// All of them, spawned ones too.
    Many,
}

/// One thing that a handler reads of other steps.
#[derive(Clone, Debug)]
pub struct InputNeed {
    /// Of whom.
    pub key: InputKey,
    /// How many.
    pub arity: Arity,
    /// For messages: "the output of `price_cart`".
    pub says: String,
    /// The handler that would yield it, if it must be that one.
    pub handler: Option<&'static str>,
}

/// Decodes a value to see whether it fits, and says where it does not.
pub type Fits = fn(&Value) -> Result<(), Misfit>;

/// A value that does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() || path == "." { String::new() } else { format!("`{path}`: ") })]
pub struct Misfit {
    /// Where, as `items[0].price`; empty or `.` for the whole.
    pub path: String,
    /// What does not fit.
    pub message: String,
    /// Whether it is a key that its type does not know.
    pub unknown_key: bool,
    /// The keys that its type knows, where it is a struct whose keys are all to be known.
    pub known_keys: &'static [&'static str],
}

impl Misfit {
    /// Of a value, or of the one at a path inside it.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), unknown_key: false, known_keys: &[] }
    }
}

/// Decodes, and tells the path inside the value where that fails.
///
/// # Errors
/// [`Misfit`] with the path.
pub fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, Misfit> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| Misfit::new(error.path().to_string(), error.inner().to_string()))
}

/// Whether a value can be decoded as a `T`.
///
/// # Errors
/// [`Misfit`] with the path.
pub fn fits<T: DeserializeOwned>(value: &Value) -> Result<(), Misfit> {
    decode::<T>(value).map(drop)
}

/// A handler of steps that may be added; behind a function, because two handlers may spawn each other.
pub type SpawnEntry = Arc<dyn Fn() -> Entry + Send + Sync>;

/// Everything a handler needs, told before it runs.
#[derive(Clone, Default)]
pub struct Needs {
    /// Of other steps.
    pub inputs: Vec<InputNeed>,
    /// Shared resources of the engine.
    pub states: Vec<TypeKey>,
    /// What it decodes of the context.
    pub context: Vec<Fits>,
    /// What it decodes of its configuration.
    pub config: Vec<Fits>,
    /// The handlers of steps that it may add.
    pub spawns: Vec<SpawnEntry>,
}

/// Where a handler is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// `module_path!()`.
    pub module: &'static str,
    /// `file!()`.
    pub file: &'static str,
    /// `line!()`.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An absolute path is that of the machine that built the crate: its last parts are enough.
        let parts: Vec<_> = self.file.split(['/', '\\']).collect();
        let short = if self.file.starts_with('/') {
            parts[parts.len().saturating_sub(3)..].join("/")
        } else {
            self.file.into()
        };
        write!(f, "{short}:{}", self.line)
    }
}

/// What a handler says about attempts; a template may say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many attempts there may be.
    pub retry_limit: u32,
    /// Whether a failed attempt may be followed by another.
    pub retryable: bool,
    /// Whether a request may pass over the step.
    pub skippable: bool,
    /// How long an attempt may take, in seconds.
    pub timeout_seconds: Option<u64>,
}

impl Policy {
    /// The reference's: three attempts, retryable, not skippable, no timeout.
    pub const DEFAULT: Self =
        Self { retry_limit: 3, retryable: true, skippable: false, timeout_seconds: None };
}

type Make = dyn Fn(&Value) -> Result<Arc<dyn DynHandler>, Misfit> + Send + Sync;

/// A handler that can be made from a configuration, and what it declares about itself.
#[derive(Clone)]
pub struct Entry {
    /// The short name.
    pub name: HandlerName,
    /// Where it is declared; `None` for one that was inserted by hand.
    pub place: Option<Place>,
    /// The type that declares it; `None` for a foreign one.
    pub handler: Option<TypeKey>,
    /// What it yields; `None` when any JSON.
    pub output: Option<TypeKey>,
    /// What it works on; `None` when on any context.
    pub context: Option<(TypeKey, Fits)>,
    /// What it needs.
    pub needs: Needs,
    /// What it says about attempts.
    pub policy: Policy,
    /// The JSON Schema of its configuration, where there is one.
    pub config_schema: fn() -> Option<Value>,
    make: Arc<Make>,
}

impl Entry {
    /// A handler that is made from its configuration.
    pub fn new(
        name: impl Into<HandlerName>,
        make: impl Fn(&Value) -> Result<Arc<dyn DynHandler>, Misfit> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            place: None,
            handler: None,
            output: None,
            context: None,
            needs: Needs::default(),
            policy: Policy::DEFAULT,
            config_schema: || None,
            make: Arc::new(make),
        }
    }

    /// A handler that is there already, and reads its configuration from the [`Call`].
    pub fn of_value(name: impl Into<HandlerName>, handler: Arc<dyn DynHandler>) -> Self {
        Self::new(name, move |_| Ok(Arc::clone(&handler)))
    }

    /// Makes the handler.
    ///
    /// # Errors
    /// When the configuration does not fit.
    pub fn make(&self, config: &Value) -> Result<Arc<dyn DynHandler>, Misfit> {
        self.needs.config.iter().try_for_each(|fits| fits(config))?;
        (self.make)(config)
    }

    /// The keys of its configuration; none where any configuration will do.
    ///
    /// ```
    /// use tasker::prelude::*;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Charge { gateway: String, retries: u32 }
    /// #[step]
    /// impl Charge {
    ///     async fn process(&self) -> StepResult<String> { Ok(format!("{} {}", self.gateway, self.retries)) }
    /// }
    /// assert_eq!(tasker::Entry::of::<Charge>().config_keys(), ["gateway", "retries"]);
    /// ```
    ///
    /// Where its type derives `JsonSchema`, [`config_schema`](Self::config_schema) says more.
    pub fn config_keys(&self) -> &'static [&'static str] {
        // No struct is made of `true`, and whoever refuses it says what he knows.
        self.make(&Value::Bool(true)).err().map_or(&[], |misfit| misfit.known_keys)
    }

    /// What people and programs are told of it.
    pub fn describe(&self) -> DescribedHandler {
        let Policy { retry_limit, retryable, skippable, timeout_seconds } = self.policy;
        DescribedHandler {
            name: self.name.clone(),
            path: self.path(),
            place: self.place.map(|place| place.to_string()),
            config_keys: self.config_keys(),
            config_schema: (self.config_schema)(),
            reads: self.needs.inputs.iter().map(|need| need.says.clone()).collect(),
            resources: self.needs.states.iter().map(TypeKey::name).collect(),
            retry_limit,
            retryable,
            skippable,
            timeout_seconds,
        }
    }

    /// `module::name`, or the short name where there is no module.
    pub fn path(&self) -> String {
        self.place.map_or_else(|| self.name.to_string(), |place| format!("{}::{}", place.module, self.name))
    }

    fn described(&self) -> String {
        match self.place {
            Some(place) => format!("`{}` ({place})", self.path()),
            None => format!("`{}` (inserted by hand)", self.name),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.handler.is_some() && self.handler == other.handler
    }
}

/// A handler as people and programs are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DescribedHandler {
    /// The short name.
    pub name: HandlerName,
    /// The name with its module.
    pub path: String,
    /// Where it is declared; none for one that was inserted by hand.
    pub place: Option<String>,
    /// The keys of its configuration; none where any configuration will do.
    pub config_keys: &'static [&'static str],
    /// The JSON Schema of its configuration, where its type derives `JsonSchema` (feature `schema`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<Value>,
    /// What it reads of other steps.
    pub reads: Vec<String>,
    /// The shared resources that it takes, by their types.
    pub resources: Vec<&'static str>,
    /// How many attempts it says there may be.
    pub retry_limit: u32,
    /// Whether it says there may be a second one.
    pub retryable: bool,
    /// Whether it says that a request may pass over it.
    pub skippable: bool,
    /// How long it says an attempt may take.
    pub timeout_seconds: Option<u64>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.described())
    }
}

/// Anything that can stand in [`DefinitionBuilder::step`](crate::DefinitionBuilder::step).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run a step with its value as the configuration",
    label = "not a handler that can be written as JSON",
    note = "write `#[derive(serde::Serialize)]` on `{Self}`: its fields become the step's `handler_config`",
    note = "without a value, `.handler::<{Self}>(name)` and `steps({Self})` use the defaults of its fields"
)]
pub trait IntoHandler {
    /// The handler, and its configuration.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    fn into_handler(self, step: &StepName) -> Result<(Entry, Value), String>;
}

impl IntoHandler for Arc<dyn DynHandler> {
    fn into_handler(self, step: &StepName) -> Result<(Entry, Value), String> {
        Ok((Entry::of_value(step.as_str(), self), Value::Null))
    }
}

impl<F> IntoHandler for FnHandler<F>
where
    Self: DynHandler,
{
    fn into_handler(self, step: &StepName) -> Result<(Entry, Value), String> {
        (Arc::new(self) as Arc<dyn DynHandler>).into_handler(step)
    }
}

impl IntoHandler for Entry {
    fn into_handler(self, _: &StepName) -> Result<(Entry, Value), String> {
        Ok((self, Value::Null))
    }
}

/// The handlers that a template's names can mean.
///
/// Several of one name are kept, and refused where the name is used: a test that declares a handler of its own never
/// disturbs the others.
#[derive(Clone, Debug, Default)]
pub struct Handlers {
    by_name: BTreeMap<HandlerName, Vec<Entry>>,
}

impl Handlers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler made elsewhere: a closure, a class of another language, an HTTP step.
    pub fn insert(&mut self, name: impl Into<HandlerName>, handler: Arc<dyn DynHandler>) -> &mut Self {
        self.insert_entry(Entry::of_value(name, handler))
    }

    /// Adds a handler with all that it declares. The same one twice is one.
    pub fn insert_entry(&mut self, entry: Entry) -> &mut Self {
        let entries = self.by_name.entry(entry.name.clone()).or_default();
        if !entries.iter().any(|other| other.is_same(&entry)) {
            entries.push(entry);
        }
        self
    }

    /// Adds a handler in the place of all of its name, and answers those.
    pub fn replace(&mut self, entry: Entry) -> Vec<Entry> {
        self.by_name.insert(entry.name.clone(), vec![entry]).unwrap_or_default()
    }

    /// Takes out all handlers of a short name.
    pub fn remove(&mut self, name: &str) -> Vec<Entry> {
        self.by_name.remove(name).unwrap_or_default()
    }

    /// All handlers, by name.
    pub fn list(&self) -> impl Iterator<Item = &Entry> {
        self.by_name.values().flatten()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// All short names.
    pub fn names(&self) -> impl Iterator<Item = &HandlerName> {
        self.by_name.keys()
    }

    /// The handler of a step, by its short name when only one has it, or by its whole path.
    ///
    /// # Errors
    /// Unknown, with the nearest and the known names; or ambiguous, with every place.
    pub fn find(&self, step: &StepName, name: &HandlerName) -> Result<&Entry, BuildError> {
        let short = name.rsplit("::").next().unwrap_or(name);
        // One that was inserted by hand may have a name with `::` in it, as the reference's classes have.
        let inserted = self.by_name.get(&**name).filter(|_| short != &**name);
        let candidates = inserted.or_else(|| self.by_name.get(short)).into_iter().flatten();
        let fits = |entry: &&Entry| inserted.is_some() || short == &**name || entry.path() == **name;
        let found: Vec<_> = candidates.filter(fits).collect();
        match found[..] {
            [entry] => Ok(entry),
            [] => Err(BuildError::UnknownHandler {
                step: step.clone(),
                handler: name.clone(),
                nearest: nearest(name, self.by_name.keys().map(HandlerName::as_str)),
                known: self.by_name.keys().map(ToString::to_string).collect(),
            }),
            _ => {
                // Linked handlers come in no order that is sure to stay.
                let mut places: Vec<_> = found.iter().map(|entry| entry.described()).collect();
                places.sort();
                Err(BuildError::DuplicateHandler { step: step.clone(), handler: name.clone(), places })
            }
        }
    }
}

/// Shared resources of an engine, by type: a pool, an HTTP client.
#[derive(Clone, Default)]
pub struct Resources(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Resources {
    /// Adds one; another of the same type is replaced.
    pub fn insert<T: Send + Sync + 'static>(&mut self, resource: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(resource));
    }

    /// The one of that type.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.get(&TypeId::of::<T>()).cloned().and_then(|any| any.downcast().ok())
    }

    /// Whether there is one.
    pub fn has(&self, key: TypeKey) -> bool {
        self.0.contains_key(&key.id)
    }
}

/// One attempt of one step: what its handler is given.
#[derive(Clone)]
pub struct Call {
    pub(crate) task: TaskId,
    pub(crate) step: StepId,
    pub(crate) name: StepName,
    pub(crate) attempt: u32,
    pub(crate) token: Token,
    pub(crate) correlation: Option<CorrelationId>,
    pub(crate) context: Arc<Value>,
    pub(crate) config: Arc<Value>,
    pub(crate) parents: Vec<Parent>,
    pub(crate) inputs: Arc<[BoundInput]>,
    pub(crate) resources: Arc<Resources>,
    pub(crate) spawned: Spawning,
    pub(crate) published: Publishing,
    pub(crate) clock: Arc<CallClock>,
}

/// A parent of the step that runs.
#[derive(Clone, Debug)]
pub struct Parent {
    /// Its name.
    pub name: StepName,
    /// What it yielded.
    pub result: ParentResult,
    /// Its place in the template; `None` for a spawned step.
    pub(crate) place: Option<usize>,
    pub(crate) handler: Option<TypeKey>,
    pub(crate) output: Option<TypeKey>,
}

/// The parents that one input of a step takes, as places in the template.
#[derive(Clone, Debug)]
pub(crate) struct BoundInput {
    pub(crate) key: InputKey,
    pub(crate) places: Vec<usize>,
}

/// Steps that a running step asks for.
pub(crate) type Spawning = Arc<Mutex<Vec<SpawnRequest>>>;

/// A step to be added, with the handler that will run it.
pub struct SpawnRequest {
    /// Its name.
    pub name: StepName,
    /// What runs it.
    pub entry: Entry,
    /// Its configuration.
    pub config: Value,
    /// Steps asked for earlier in the same attempt that it waits for.
    pub after: Vec<StepName>,
    /// Steps that wait for it, besides those that take all outputs of its handler; they must wait for the asking step.
    pub before: Vec<StepName>,
}

impl Call {
    /// The task.
    pub const fn task(&self) -> TaskId {
        self.task
    }

    /// The step.
    pub const fn step(&self) -> StepId {
        self.step
    }

    /// The name of the step.
    pub const fn name(&self) -> &StepName {
        &self.name
    }

    /// Which attempt it is, from 1.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The claim under which it runs: another one for each attempt of the step, larger for each later one, and never
    /// used again. A system that remembers the largest one it has seen of a step can turn away an attempt that was taken
    /// for lost and goes on all the same.
    pub const fn token(&self) -> Token {
        self.token
    }

    /// The same for every attempt of this step, and for no other step.
    pub fn idempotency_key(&self) -> String {
        format!("tasker-{}-{}", self.task, self.step)
    }

    /// What the task is part of, for logs and for other systems: the same in every step and every attempt. `None` in a task
    /// that Rails made.
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation.as_ref().map(CorrelationId::as_str)
    }

    /// What the step works on, as JSON.
    pub fn raw_context(&self) -> &Value {
        &self.context
    }

    /// What the step works on.
    ///
    /// # Errors
    /// Permanent, with the path, when it does not fit.
    pub fn context<T: DeserializeOwned>(&self) -> StepResult<T> {
        decode(&self.context).map_err(|misfit| bad_input(format!("context: {misfit}")))
    }

    /// The configuration of the handler, as JSON; null when there is none.
    pub fn raw_config(&self) -> &Value {
        &self.config
    }

    /// The configuration of the handler.
    ///
    /// # Errors
    /// Permanent, with the path, when it does not fit.
    pub fn config<T: DeserializeOwned>(&self) -> StepResult<T> {
        decode(&self.config).map_err(|misfit| bad_input(format!("handler_config: {misfit}")))
    }

    /// The steps that this one waited for.
    pub fn parents(&self) -> &[Parent] {
        &self.parents
    }

    /// What the parent of that name yielded; `None` when there is no such parent, or it was skipped.
    ///
    /// # Errors
    /// Permanent, with the path, when it does not fit.
    pub fn output<T: DeserializeOwned>(&self, parent: &str) -> StepResult<Option<T>> {
        self.parents.iter().find(|found| found.name == *parent).map_or(Ok(None), Parent::output)
    }

    /// The parents that an input takes, ascending by step.
    pub(crate) fn input(&self, key: InputKey) -> impl Iterator<Item = &Parent> {
        let places = self.inputs.iter().find(|input| input.key == key).map(|input| &input.places);
        self.parents.iter().filter(move |parent| match (places, parent.place) {
            (Some(places), Some(place)) => places.contains(&place),
            // Spawned steps have no place in the template: they are known by what runs them.
            _ => match key {
                InputKey::Handler(handler) => parent.handler == Some(handler),
                InputKey::Output(output) => parent.output == Some(output),
            },
        })
    }

    /// A shared resource of the engine.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.resources.get()
    }

    /// The engine's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sleeps by the engine's clock: on a simulated one, no time at all. Not durable; for that see
    /// [`StepError::snooze`].
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + '_ {
        self.clock.sleep_until(self.now() + duration)
    }

    /// Adds a step to the task, which waits for this one; the steps that take all outputs of its handler wait for it.
    /// It is written when this attempt completes. A name that the task has already adds nothing.
    ///
    /// # Errors
    /// When the name was asked for before in this attempt.
    pub fn spawn(&self, request: SpawnRequest) -> StepResult<()> {
        ask_for(&self.spawned, request)
    }

    /// Says that something happened, under the name of an event that the step or its workflow declares. It is told when
    /// this attempt completes and is recorded; of a failed or fenced attempt nothing is told.
    ///
    /// # Errors
    /// Permanent, when the event is not declared or what it says cannot be told.
    pub fn publish(&self, event: &str, payload: impl Serialize) -> StepResult<()> {
        let payload =
            serde_json::to_value(payload).map_err(|error| bad_input(format!("event `{event}`: {error}")))?;
        self.published.publish(&self.name, event, payload)
    }
}

/// Adds a step to those asked for.
pub(crate) fn ask_for(spawned: &Spawning, request: SpawnRequest) -> StepResult<()> {
    let mut spawned = spawned.lock().expect("nothing panics while it adds a step");
    if spawned.iter().any(|other| other.name == request.name) {
        return Err(StepError::permanent(format!("step `{}` was spawned twice", request.name)));
    }
    spawned.push(request);
    Ok(())
}

fn bad_input(text: String) -> StepError {
    StepError::permanent(text).class(BAD_INPUT)
}

impl Parent {
    /// What it yielded; `None` when it was skipped, or resolved without results.
    ///
    /// # Errors
    /// Permanent, with the path, when it does not fit.
    pub fn output<T: DeserializeOwned>(&self) -> StepResult<Option<T>> {
        match &self.result {
            ParentResult::Value(value) => decode(value).map(Some).map_err(|misfit| {
                StepError::permanent(format!("output of step `{}`: {misfit}", self.name))
                    .class(MISSING_OUTPUT)
            }),
            ParentResult::Skipped | ParentResult::Absent => Ok(None),
        }
    }
}
