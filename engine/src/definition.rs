//! Definitions: templates whose handlers were found, configurations parsed and edges checked.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::handler::{BoundInput, fits};
use crate::hooks::NoHooks;
use crate::schema::ContextSchema;
use crate::template::full_name;
use crate::{
    Arity, BoundTemplate, BuildError, BuildErrors, CustomEvent, DynHandler, Entry, Fits, GraphLimits,
    HandlerName, Handlers, Hooks, InputKey, InputNeed, IntoHandler, Misfit, RetryPolicy, SchemaMode,
    StepName, StepTemplate, Template, TypeKey, Version, variables,
};

/// A workflow that can run: the one value in which every way of writing one ends.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct Definition {
    inner: Arc<Inner>,
}

struct Inner {
    bound: Arc<BoundTemplate>,
    steps: Vec<Arc<BoundStep>>,
    spawns: HashMap<HandlerName, Entry>,
    context: Vec<(Option<StepName>, Fits)>,
    schema: Option<ContextSchema>,
    hooks: Arc<dyn Hooks>,
}

/// What runs one step.
pub(crate) struct BoundStep {
    pub(crate) entry: Entry,
    pub(crate) handler: Arc<dyn DynHandler>,
    pub(crate) config: Arc<Value>,
    pub(crate) inputs: Arc<[BoundInput]>,
    pub(crate) retry: Option<Arc<dyn RetryPolicy>>,
    pub(crate) timeout: Option<Duration>,
}

impl Definition {
    /// Starts a definition that is put together at run time.
    pub fn builder(namespace: &str, name: &str, version: &str) -> DefinitionBuilder {
        DefinitionBuilder::new(namespace, name, version)
    }

    /// Finds the handlers of a template by their names.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn from_template(template: Template, handlers: &Handlers) -> Result<Self, BuildErrors> {
        let mut errors = vec![];
        let find = |step: &StepTemplate| handlers.find(&step.name, &step.handler_class).cloned();
        let found = template.step_templates.iter().map(find);
        let found = found.map(|entry| entry.map_err(|error| errors.push(error)).ok()).collect();
        Self::bound_to(template, found, errors)
    }

    /// A template with the handlers that were found for it; `errors` tells why others were not.
    pub(crate) fn bound_to(
        template: Template,
        found: Vec<Option<Entry>>,
        errors: Vec<BuildError>,
    ) -> Result<Self, BuildErrors> {
        bind(template, found, None, Arc::new(NoHooks), GraphLimits::default(), errors)
    }

    /// Plain data: what is stored, compared and sent. Every edge stands in it.
    pub fn template(&self) -> &Template {
        self.inner.bound.template()
    }

    /// The same with its hash and its graph.
    pub fn bound(&self) -> &Arc<BoundTemplate> {
        &self.inner.bound
    }

    /// `namespace/name 1.0.0`.
    pub fn full_name(&self) -> String {
        full_name(self.template())
    }

    /// The graph as a Mermaid flow chart.
    pub fn to_mermaid(&self) -> String {
        crate::diagram::mermaid(self.template())
    }

    pub(crate) fn steps(&self) -> &[Arc<BoundStep>] {
        &self.inner.steps
    }

    pub(crate) fn hooks(&self) -> &Arc<dyn Hooks> {
        &self.inner.hooks
    }

    /// What may run steps that are added while a task runs.
    pub(crate) fn spawnable(&self, handler: &HandlerName) -> Option<&Entry> {
        self.inner.spawns.get(handler)
    }

    /// The steps that wait for a spawned one: they take all outputs of its handler, or of what it may spawn in turn.
    pub(crate) fn joins_of(&self, spawned: &Entry) -> Vec<StepName> {
        let handlers: Vec<_> = spawned
            .handler
            .into_iter()
            .chain(spawnable_from(spawned).iter().filter_map(|entry| entry.handler))
            .map(InputKey::Handler)
            .collect();
        let takes = |step: &BoundStep| {
            let mut needs = step.entry.needs.inputs.iter();
            needs.any(|need| need.arity == Arity::Many && handlers.contains(&need.key))
        };
        let steps = self.inner.steps.iter().zip(self.inner.bound.steps());
        steps.filter(|(bound, _)| takes(bound)).map(|(_, step)| step.name.clone()).collect()
    }

    /// What the template says of a context.
    pub(crate) fn schema(&self) -> Option<&ContextSchema> {
        self.inner.schema.as_ref()
    }

    /// Whether every step can read what it takes of a context.
    pub(crate) fn check_context(&self, context: &Value) -> Result<(), (Option<StepName>, Misfit)> {
        let mut checks = self.inner.context.iter();
        checks.try_for_each(|(step, fits)| fits(context).map_err(|misfit| (step.clone(), misfit)))
    }

    /// The shared resources that its steps take, with the step.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&StepName, TypeKey)> {
        let steps = self.inner.steps.iter().zip(self.inner.bound.steps());
        steps.flat_map(|(bound, step)| bound.entry.needs.states.iter().map(move |key| (&step.name, *key)))
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Definition({}, {} steps)", self.full_name(), self.inner.steps.len())
    }
}

/// Puts a definition together at run time.
pub struct DefinitionBuilder {
    template: Template,
    entries: Vec<Entry>,
    errors: Vec<BuildError>,
    context: Option<(TypeKey, Fits)>,
    hooks: Arc<dyn Hooks>,
    limits: GraphLimits,
}

impl DefinitionBuilder {
    fn new(namespace: &str, name: &str, version: &str) -> Self {
        let (version, errors) = match version.parse() {
            Ok(version) => (version, vec![]),
            Err(bad) => (Version::default(), vec![BuildError::Version(bad)]),
        };
        Self {
            template: Template::new(namespace, name, version),
            entries: vec![],
            errors,
            context: None,
            hooks: Arc::new(NoHooks),
            limits: GraphLimits::default(),
        }
    }

    /// What the workflow works on. A context that does not fit is refused when a task is started.
    #[must_use]
    pub fn context<C: serde::de::DeserializeOwned + 'static>(mut self) -> Self {
        self.context = Some((TypeKey::of::<C>(), fits::<C>));
        self
    }

    /// What a context must look like, as JSON Schema 2020-12, besides what its type says. Its defaults are stored with
    /// the context. Needs the feature `schema` to start tasks.
    #[must_use]
    pub fn schema(mut self, schema: Value) -> Self {
        self.template.schema = schema;
        self
    }

    /// What the workflow works on, checked by the JSON Schema of its type, whose defaults are stored with the context.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// use tasker::schemars::{self, JsonSchema};
    /// # #[step] async fn pay() -> StepResult<u64> { Ok(1) }
    ///
    /// #[derive(JsonSchema, serde::Serialize, serde::Deserialize)]
    /// struct Order {
    ///     #[schemars(range(min = 1))]
    ///     cents: u64,
    ///     #[serde(default)]
    ///     express: bool,
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = Definition::builder("shop", "checkout", "1.0.0").context_by_schema::<Order>();
    /// let definition = builder.step("pay", Pay).build()?;
    /// let engine = Engine::in_memory();
    /// let refused = engine.start_definition(&definition, serde_json::json!({ "cents": 0 })).await.unwrap_err();
    /// assert!(matches!(refused, EngineError::Schema { .. }), "{refused}");
    /// let task = engine.start_definition(&definition, serde_json::json!({ "cents": 5 })).await?;
    /// assert_eq!(task.finished().await?.record().request.context["express"], false);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn context_by_schema<C: serde::de::DeserializeOwned + schemars::JsonSchema + 'static>(self) -> Self {
        self.context::<C>().schema(schemars::schema_for!(C).to_value())
    }

    /// How the schema is read.
    #[must_use]
    pub const fn schema_mode(mut self, mode: SchemaMode) -> Self {
        self.template.schema_mode = mode;
        self
    }

    /// Declares an event that steps publish besides the engine's own.
    #[must_use]
    pub fn custom_event(mut self, name: impl Into<String>, description: impl Into<String>) -> Self {
        let (name, description) = (name.into(), Some(description.into()));
        self.template.custom_events.push(CustomEvent { name, description });
        self
    }

    /// For people.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.template.description = Some(text.into());
        self
    }

    /// At most one step of a task is in progress at a time, over all workers.
    #[must_use]
    pub fn one_step_at_a_time(mut self) -> Self {
        self.template.concurrent = false;
        self
    }

    /// Adds a step. The fields of a typed handler become its `handler_config`.
    #[must_use]
    pub fn step(mut self, name: impl Into<StepName>, handler: impl IntoHandler) -> Self {
        let name = name.into();
        match handler.into_handler(&name) {
            Ok((entry, config)) => self.push(name, entry, config),
            Err(message) => {
                let misfit = Misfit::new("", message);
                self.errors.push(BuildError::HandlerConfig { step: name, misfit });
            }
        }
        self
    }

    fn push(&mut self, name: StepName, entry: Entry, config: Value) {
        let policy = entry.policy;
        self.template.step_templates.push(StepTemplate {
            default_retry_limit: policy.retry_limit,
            default_retryable: policy.retryable,
            skippable: policy.skippable,
            timeout_seconds: policy.timeout_seconds,
            handler_config: variables::escape(config),
            ..StepTemplate::new(name, entry.name.clone())
        });
        self.entries.push(entry);
    }

    /// The step added last waits for these.
    #[must_use]
    pub fn after<I: IntoIterator<Item: Into<StepName>>>(self, steps: I) -> Self {
        let steps: Vec<StepName> = steps.into_iter().map(Into::into).collect();
        self.last("after", |step| step.depends_on_steps.extend(steps))
    }

    /// How many attempts the step added last may have.
    #[must_use]
    pub fn retry_limit(self, limit: u32) -> Self {
        self.last("retry_limit", |step| step.default_retry_limit = limit)
    }

    /// A failed attempt of the step added last is not followed by another.
    #[must_use]
    pub fn not_retryable(self) -> Self {
        self.last("not_retryable", |step| step.default_retryable = false)
    }

    /// A request may pass over the step added last.
    #[must_use]
    pub fn skippable(self) -> Self {
        self.last("skippable", |step| step.skippable = true)
    }

    /// How long an attempt of the step added last may take, in whole seconds.
    #[must_use]
    pub fn timeout_seconds(self, seconds: u64) -> Self {
        self.last("timeout_seconds", |step| step.timeout_seconds = Some(seconds))
    }

    /// How long the step added last waits between attempts.
    #[must_use]
    pub fn retry_policy(mut self, policy: impl RetryPolicy) -> Self {
        match serde_json::to_value(&policy as &dyn RetryPolicy) {
            Ok(policy) => self.last("retry_policy", |step| step.retry_policy = policy),
            Err(error) => {
                self.errors.push(BuildError::Builder(format!("retry_policy: {error}")));
                self
            }
        }
    }

    /// The external system that the step added last talks to.
    #[must_use]
    pub fn dependent_system(self, system: impl Into<String>) -> Self {
        let system = system.into();
        self.last("dependent_system", |step| step.dependent_system = Some(system))
    }

    /// The configuration of the step added last.
    #[must_use]
    pub fn config(mut self, config: impl Serialize) -> Self {
        match serde_json::to_value(config) {
            Ok(config) => self.last("config", |step| step.handler_config = variables::escape(config)),
            Err(error) => {
                self.errors.push(BuildError::Builder(format!("config: {error}")));
                self
            }
        }
    }

    fn last(mut self, method: &str, change: impl FnOnce(&mut StepTemplate)) -> Self {
        match self.template.step_templates.last_mut() {
            Some(step) => change(step),
            None => self.errors.push(BuildError::Builder(format!("`{method}` before the first step"))),
        }
        self
    }

    /// Allows the step added last to add steps that this handler runs.
    #[must_use]
    pub fn may_spawn(mut self, handler: Entry) -> Self {
        match self.entries.last_mut() {
            Some(entry) => entry.needs.spawns.push(Arc::new(move || handler.clone())),
            None => self.errors.push(BuildError::Builder("`may_spawn` before the first step".to_owned())),
        }
        self
    }

    /// Code that is called when a task is planned and when it has settled.
    #[must_use]
    pub fn hooks(mut self, hooks: impl Hooks) -> Self {
        self.hooks = Arc::new(hooks);
        self
    }

    /// Allows a larger graph, or only a smaller one.
    #[must_use]
    pub const fn limits(mut self, limits: GraphLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// All mistakes at once, each with its place.
    pub fn build(self) -> Result<Definition, BuildErrors> {
        let entries = self.entries.into_iter().map(Some).collect();
        bind(self.template, entries, self.context, self.hooks, self.limits, self.errors)
    }
}

/// The one way into a [`Definition`].
fn bind(
    mut template: Template,
    found: Vec<Option<Entry>>,
    context: Option<(TypeKey, Fits)>,
    hooks: Arc<dyn Hooks>,
    limits: GraphLimits,
    mut errors: Vec<BuildError>,
) -> Result<Definition, BuildErrors> {
    let workflow = full_name(&template);
    let context = context.or_else(|| found.iter().flatten().find_map(|entry| entry.context));
    check_contexts(&template, &found, context.map(|(key, _)| key), &mut errors);
    let inputs = infer_edges(&mut template, &found, &mut errors);
    let handlers = make_handlers(&template, &found, &mut errors);
    let schema = ContextSchema::of(&template).map_err(|misfit| errors.push(BuildError::Schema(misfit)));
    let bound = match BoundTemplate::new(template, limits) {
        Ok(bound) => Some(Arc::new(bound)),
        Err(more) => {
            errors.extend(more.errors);
            None
        }
    };
    let (Some(bound), Ok(schema), true) = (bound, schema, errors.is_empty()) else {
        return Err(BuildErrors { workflow, errors });
    };
    let parts = bound.steps().iter().zip(found.iter().flatten());
    let parts = parts
        .flat_map(|(step, entry)| entry.needs.context.iter().map(|fits| (Some(step.name.clone()), *fits)));
    let context = context.into_iter().map(|(_, fits)| (None, fits)).chain(parts).collect();
    let spawns = found.iter().flatten().flat_map(spawnable_from);
    let spawns = spawns.map(|entry| (entry.name.clone(), entry)).collect();
    let steps =
        found.into_iter().flatten().zip(handlers.into_iter().flatten()).zip(inputs).zip(bound.steps());
    let steps = steps
        .map(|(((entry, Made { handler, config, retry }), inputs), step)| {
            Arc::new(BoundStep {
                entry,
                handler,
                retry,
                config,
                inputs: inputs.into(),
                timeout: step.timeout_seconds.map(Duration::from_secs),
            })
        })
        .collect();
    Ok(Definition { inner: Arc::new(Inner { bound, steps, spawns, context, schema, hooks }) })
}

fn check_contexts(
    template: &Template,
    entries: &[Option<Entry>],
    workflow: Option<TypeKey>,
    errors: &mut Vec<BuildError>,
) {
    let Some(workflow) = workflow else { return };
    for (step, entry) in template.step_templates.iter().zip(entries) {
        let Some((own, _)) = entry.as_ref().and_then(|entry| entry.context) else { continue };
        if own != workflow {
            errors.push(BuildError::OtherContext {
                step: step.name.clone(),
                context: own.name().to_owned(),
                workflow: workflow.name().to_owned(),
            });
        }
    }
}

/// Adds the edges that the handlers' inputs ask for, and says which parents each input takes.
///
/// Of the explicit parents those that yield it; when there are none, all steps that do.
fn infer_edges(
    template: &mut Template,
    entries: &[Option<Entry>],
    errors: &mut Vec<BuildError>,
) -> Vec<Vec<BoundInput>> {
    let producers = Producers::of(entries);
    let places: HashMap<StepName, usize> =
        template.step_templates.iter().enumerate().map(|(place, step)| (step.name.clone(), place)).collect();
    let names: Vec<StepName> = template.step_templates.iter().map(|step| step.name.clone()).collect();
    let skippable: Vec<bool> = template.step_templates.iter().map(|step| step.skippable).collect();
    let mut bound = Vec::with_capacity(entries.len());
    // Whoever has no handler may be the one that yields what others miss.
    let complete = entries.iter().all(Option::is_some);
    for (place, (step, entry)) in template.step_templates.iter_mut().zip(entries).enumerate() {
        let explicit: Vec<usize> =
            step.dependencies().iter().filter_map(|name| places.get(*name).copied()).collect();
        let mut inputs = vec![];
        for need in entry.iter().flat_map(|entry| &entry.needs.inputs) {
            let from = producers.choose(need, place, &explicit);
            let is_own =
                entry.as_ref().and_then(|entry| entry.handler).map(InputKey::Handler) == Some(need.key);
            let wrong = wrong_number(need, is_own, &step.name, &from, &names);
            let is_missing = |error: &BuildError| matches!(error, BuildError::MissingInput { .. });
            errors.extend(wrong.filter(|error| complete || !is_missing(error)));
            errors.extend(may_be_skipped(need, &step.name, &from, &names, &skippable));
            let spawners = producers.spawners_for(need).filter(|spawner| *spawner != place);
            for parent in from.iter().copied().chain(spawners) {
                if !step.depends_on_steps.contains(&names[parent])
                    && step.depends_on_step.as_ref() != Some(&names[parent])
                {
                    step.depends_on_steps.push(names[parent].clone());
                }
            }
            inputs.push(BoundInput { key: need.key, places: from });
        }
        bound.push(inputs);
    }
    bound
}

/// The handlers of all steps that may come of one that this handler runs: those that it spawns, and what they spawn.
fn spawnable_from(entry: &Entry) -> Vec<Entry> {
    let mut found: Vec<Entry> = vec![];
    let mut open = entry.needs.spawns.clone();
    while let Some(next) = open.pop() {
        let next = next();
        if !found.iter().any(|other| other.name == next.name && other.handler == next.handler) {
            open.extend(next.needs.spawns.iter().cloned());
            found.push(next);
        }
    }
    found
}

/// Who yields what.
struct Producers {
    by_key: HashMap<InputKey, Vec<usize>>,
    spawners: HashMap<TypeKey, Vec<usize>>,
}

impl Producers {
    fn of(entries: &[Option<Entry>]) -> Self {
        let mut by_key: HashMap<InputKey, Vec<usize>> = HashMap::new();
        let mut spawners: HashMap<TypeKey, Vec<usize>> = HashMap::new();
        for (place, entry) in entries.iter().enumerate() {
            let Some(entry) = entry else { continue };
            let keys =
                entry.handler.map(InputKey::Handler).into_iter().chain(entry.output.map(InputKey::Output));
            for key in keys {
                by_key.entry(key).or_default().push(place);
            }
            for spawned in spawnable_from(entry).iter().filter_map(|spawned| spawned.handler) {
                spawners.entry(spawned).or_default().push(place);
            }
        }
        Self { by_key, spawners }
    }

    fn choose(&self, need: &InputNeed, place: usize, explicit: &[usize]) -> Vec<usize> {
        let all = self.by_key.get(&need.key).map_or(&[][..], Vec::as_slice);
        let mut named: Vec<usize> = all.iter().copied().filter(|parent| explicit.contains(parent)).collect();
        if named.is_empty() {
            named = all.iter().copied().filter(|parent| *parent != place).collect();
        }
        named
    }

    /// The steps that may add what an input takes: it waits for them, too.
    fn spawners_for(&self, need: &InputNeed) -> impl Iterator<Item = usize> {
        let spawners = match (need.arity, need.key) {
            (Arity::Many, InputKey::Handler(handler)) => self.spawners.get(&handler),
            _ => None,
        };
        spawners.into_iter().flatten().copied()
    }
}

fn wrong_number(
    need: &InputNeed,
    is_own: bool,
    step: &StepName,
    from: &[usize],
    names: &[StepName],
) -> Option<BuildError> {
    match (need.arity, from.len()) {
        (Arity::One, 0) if is_own => Some(BuildError::SelfDependency(step.clone())),
        (Arity::One, 0) => Some(BuildError::MissingInput {
            step: step.clone(),
            input: need.says.clone(),
            handler: need.handler.map(ToOwned::to_owned),
        }),
        (Arity::One | Arity::Optional, 2..) => Some(BuildError::AmbiguousInput {
            step: step.clone(),
            input: need.says.clone(),
            from: from.iter().map(|place| names[*place].clone()).collect(),
        }),
        _ => None,
    }
}

fn may_be_skipped(
    need: &InputNeed,
    step: &StepName,
    from: &[usize],
    names: &[StepName],
    skippable: &[bool],
) -> Option<BuildError> {
    match (need.arity, from) {
        (Arity::One, [parent]) if skippable[*parent] => Some(BuildError::SkippableParent {
            step: step.clone(),
            input: need.says.clone(),
            parent: names[*parent].clone(),
        }),
        _ => None,
    }
}

/// A handler that was made, with the configuration it was made of and its step's retry policy.
struct Made {
    handler: Arc<dyn DynHandler>,
    config: Arc<Value>,
    retry: Option<Arc<dyn RetryPolicy>>,
}

fn make_handlers(
    template: &Template,
    entries: &[Option<Entry>],
    errors: &mut Vec<BuildError>,
) -> Vec<Option<Made>> {
    let steps = template.step_templates.iter().zip(entries);
    let made = steps.map(|(step, entry)| {
        let entry = entry.as_ref()?;
        let config = variables::resolve(&step.handler_config, &variables::of_process);
        let handler = config.and_then(|config| Ok((entry.make(&config)?, Arc::new(config.into_owned()))));
        let handler = handler.map_err(|misfit| BuildError::HandlerConfig { step: step.name.clone(), misfit });
        let retry = crate::retry::policy_of(step);
        match (handler, retry) {
            (Ok((handler, config)), Ok(retry)) => Some(Made { handler, config, retry }),
            (handler, retry) => {
                errors.extend(handler.err());
                errors.extend(retry.err());
                None
            }
        }
    });
    made.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Call, handler_fn};

    fn nothing() -> impl IntoHandler {
        handler_fn(|_: Call| async { Ok(json!(null)) })
    }

    #[test]
    fn a_builder_tells_all_mistakes_at_once() {
        let error = Definition::builder("shop", &"n".repeat(65), "1.0")
            .after(["nobody"])
            .step("a", nothing())
            .after(["b"])
            .step("b", nothing())
            .after(["a", "c"])
            .retry_limit(0)
            .build()
            .unwrap_err();
        let has = |wanted: fn(&BuildError) -> bool| assert!(error.errors.iter().any(wanted), "{error}");
        has(|error| matches!(error, BuildError::Version(_)));
        has(|error| matches!(error, BuildError::Builder(text) if text.contains("before the first step")));
        has(|error| matches!(error, BuildError::TooLong { .. }));
        has(|error| matches!(error, BuildError::UnknownDependency { dependency, .. } if *dependency == "c"));
        has(|error| matches!(error, BuildError::Cycle { path } if path.len() == 3));
        has(|error| matches!(error, BuildError::RetryLimit(step) if *step == "b"));
    }

    #[test]
    fn an_unknown_handler_names_the_near_and_the_known_ones() {
        let mut template = Template::new("shop", "checkout", Version(1, 0, 0));
        template.step_templates = vec![StepTemplate::new("a", "fetsch")];
        let handler: Arc<dyn DynHandler> = Arc::new(handler_fn(|_: Call| async { Ok(json!(1)) }));
        let mut handlers = Handlers::new();
        handlers.insert("fetch", Arc::clone(&handler)).insert("charge", handler);
        let errors = Definition::from_template(template, &handlers).unwrap_err().errors;
        let [BuildError::UnknownHandler { nearest, known, .. }] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!(nearest.as_deref(), Some("fetch"));
        assert_eq!(known, &["charge", "fetch"]);
    }
}
