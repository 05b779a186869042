//! Templates: a workflow as plain data, with the reference's keys.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{CustomEvent, DefinitionHash, HandlerName, Misfit, StepName};

/// A workflow as plain data: what a YAML file holds, what is stored, compared and sent.
///
/// It says nothing about whether its handlers exist; a [`Definition`](crate::Definition) does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The namespace; at most 64 characters.
    #[serde(default = "default_namespace")]
    pub namespace_name: String,
    /// The name within the namespace; at most 64 characters.
    pub name: String,
    /// Three dotted numbers, as `1.0.0`; at most 16 characters.
    #[serde(default)]
    pub version: Version,
    /// For people; at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The system of the steps that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_dependent_system: Option<String>,
    /// Whether several steps of one task may be in progress at a time.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub concurrent: bool,
    /// What a context must look like, as JSON Schema 2020-12; anything when null.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub schema: Value,
    /// How [`schema`](Self::schema) is read.
    #[serde(default, skip_serializing_if = "SchemaMode::is_standard")]
    pub schema_mode: SchemaMode,
    /// Events that its steps publish besides the engine's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_events: Vec<CustomEvent>,
    /// The steps. Their order has no meaning for execution; it is the order of their ids.
    #[serde(default)]
    pub step_templates: Vec<StepTemplate>,
}

/// One step of a [`Template`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTemplate {
    /// Unique within the template; at most 128 characters.
    pub name: StepName,
    /// The handler that runs it.
    pub handler_class: HandlerName,
    /// For people; at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The external system it talks to; at most 64 characters. `unknown` when neither it nor the template names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependent_system: Option<String>,
    /// Whether a failed attempt may be followed by another.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub default_retryable: bool,
    /// How many attempts there may be in all; at least 1.
    #[serde(default = "default_retry_limit")]
    pub default_retry_limit: u32,
    /// Whether a request may pass over it.
    #[serde(default, skip_serializing_if = "is_no")]
    pub skippable: bool,
    /// One step that it waits for. A bound template has it in `depends_on_steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on_step: Option<StepName>,
    /// The steps that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on_steps: Vec<StepName>,
    /// What its handler is made with. In its texts `${NAME}` is read from the environment of the process that runs the
    /// step, and `$${` stands for `${` itself.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub handler_config: Value,
    /// How long an attempt may take, in seconds; without end when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// How long it waits between attempts: a [`RetryPolicy`](crate::RetryPolicy) by its name; the reference's wait when
    /// null.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub retry_policy: Value,
    /// Events that it publishes besides the engine's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_events: Vec<CustomEvent>,
}

/// How the schema of a context is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaMode {
    /// As JSON Schema 2020-12 says; its defaults are stored with the context.
    #[default]
    Standard,
    /// With the reference's verdicts: every property without a default is required, others are refused, of the formats
    /// only `date-time`, `ipv4`, `ipv6` and `uri` count. Defaults are not stored.
    Strict,
}

impl SchemaMode {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}

fn default_namespace() -> String {
    "default".to_owned()
}
const fn default_retry_limit() -> u32 {
    3
}
const fn yes() -> bool {
    true
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_yes(value: &bool) -> bool {
    *value
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_no(value: &bool) -> bool {
    !*value
}

impl Template {
    /// An empty template.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, version: Version) -> Self {
        Self {
            namespace_name: namespace.into(),
            name: name.into(),
            version,
            description: None,
            default_dependent_system: None,
            concurrent: true,
            schema: Value::Null,
            schema_mode: SchemaMode::Standard,
            custom_events: vec![],
            step_templates: vec![],
        }
    }

    /// The system of one of its steps.
    pub fn system_of<'a>(&'a self, step: &'a StepTemplate) -> &'a str {
        step.dependent_system.as_deref().or(self.default_dependent_system.as_deref()).unwrap_or("unknown")
    }
}

impl StepTemplate {
    /// A step with the defaults of the reference.
    pub fn new(name: impl Into<StepName>, handler: impl Into<HandlerName>) -> Self {
        Self {
            name: name.into(),
            handler_class: handler.into(),
            description: None,
            dependent_system: None,
            default_retryable: true,
            default_retry_limit: default_retry_limit(),
            skippable: false,
            depends_on_step: None,
            depends_on_steps: vec![],
            handler_config: Value::Null,
            timeout_seconds: None,
            retry_policy: Value::Null,
            custom_events: vec![],
        }
    }

    /// Every step that it waits for, once each: the single one first, then the list.
    pub fn dependencies(&self) -> Vec<&StepName> {
        let mut seen = BTreeSet::new();
        self.depends_on_step.iter().chain(&self.depends_on_steps).filter(|name| seen.insert(*name)).collect()
    }
}

/// The version of a workflow: three numbers, compared as numbers.
///
/// ```
/// use tasker_engine::Version;
/// assert!("9.0.0".parse::<Version>()? < "10.0.0".parse()?);
/// # Ok::<(), tasker_engine::BadVersion>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32, pub u32);

impl Default for Version {
    fn default() -> Self {
        Self(0, 1, 0)
    }
}

/// A text that is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version `{0}` is not three dotted numbers of at most 16 characters, as `1.0.0`")]
pub struct BadVersion(pub String);

impl FromStr for Version {
    type Err = BadVersion;
    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let bad = || BadVersion(text.to_owned());
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let canonical = part == "0" || !part.starts_with('0');
            (plain && canonical).then(|| part.parse().ok()).flatten().ok_or_else(bad)
        };
        match text.split('.').collect::<Vec<_>>()[..] {
            [major, minor, patch] if text.len() <= 16 => {
                Ok(Self(number(major)?, number(minor)?, number(patch)?))
            }
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How large a workflow may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphLimits {
    /// Steps.
    pub steps: usize,
    /// Edges.
    pub edges: usize,
}

impl Default for GraphLimits {
    fn default() -> Self {
        Self { steps: 10_000, edges: 100_000 }
    }
}

/// One mistake of a template, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A step waits for one that is not there.
    #[error("step `{step}` waits for `{dependency}`, which is not a step of this workflow{}", near(nearest.as_deref()))]
    UnknownDependency {
        /// Who waits.
        step: StepName,
        /// For what.
        dependency: StepName,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A step waits for itself.
    #[error("step `{0}` waits for itself")]
    SelfDependency(StepName),
    /// Steps wait for each other.
    #[error("steps wait for each other: {}", path.iter().map(StepName::as_str).collect::<Vec<_>>().join(" → "))]
    Cycle {
        /// From a step along its dependants back to itself.
        path: Vec<StepName>,
    },
    /// Two steps have one name.
    #[error("two steps are named `{0}`; give one another name")]
    DuplicateStep(StepName),
    /// The version is not one.
    #[error(transparent)]
    Version(#[from] BadVersion),
    /// A text does not fit its column.
    #[error("{place} has {length} characters, at most {max} are allowed")]
    TooLong {
        /// Which text.
        place: String,
        /// Found.
        length: usize,
        /// Allowed.
        max: usize,
    },
    /// A name is empty, blank, or holds U+0000.
    #[error("{place} is blank or contains U+0000")]
    BadName {
        /// Which text.
        place: String,
    },
    /// More steps or edges than allowed.
    #[error("the workflow has {found} {what}, at most {max} are allowed")]
    TooLarge {
        /// `steps` or `edges`.
        what: &'static str,
        /// Found.
        found: usize,
        /// Allowed.
        max: usize,
    },
    /// A limit that lets a step never run.
    #[error("step `{0}` has a retry limit of 0: it counts attempts, so it must be at least 1")]
    RetryLimit(StepName),
    /// No handler has that name.
    #[error("step `{step}`: no handler `{handler}`{}; known: {}", near(nearest.as_deref()), list(known))]
    UnknownHandler {
        /// Of which step.
        step: StepName,
        /// The name.
        handler: HandlerName,
        /// What may have been meant.
        nearest: Option<String>,
        /// All that are known.
        known: Vec<String>,
    },
    /// Several handlers have that name.
    #[error("step `{step}`: `{handler}` means {} handlers: {}; write the whole path, or give one another name", places.len(), places.join(" and "))]
    DuplicateHandler {
        /// Of which step.
        step: StepName,
        /// The name.
        handler: HandlerName,
        /// Where each is declared.
        places: Vec<String>,
    },
    /// A step names no handler.
    #[error("step `{0}` names no handler; write `handler_class`, or `handler` below `run`")]
    NoHandler(StepName),
    /// A configuration does not fit its handler.
    #[error("step `{step}`: handler_config: {misfit}")]
    HandlerConfig {
        /// Of which step.
        step: StepName,
        /// What does not fit.
        misfit: Misfit,
    },
    /// An environment changes a step that is not there.
    #[error("environment `{environment}` changes step `{step}`, which is not a step of this workflow{}", near(nearest.as_deref()))]
    UnknownStep {
        /// The environment.
        environment: String,
        /// The step.
        step: StepName,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// The schema of the context is none.
    #[error("schema: {0}")]
    Schema(Misfit),
    /// A declared event cannot have its name.
    #[error("custom event `{name}`: {why}")]
    CustomEvent {
        /// The name.
        name: String,
        /// Why not.
        why: String,
    },
    /// A retry policy is unknown, or its fields do not fit.
    #[error("step `{step}`: retry_policy: {message}")]
    RetryPolicy {
        /// Of which step.
        step: StepName,
        /// What does not fit.
        message: String,
    },
    /// A step works on another context than its workflow.
    #[error(
        "step `{step}` works on `{context}`, its workflow on `{workflow}`; take `Part<…>` to read a part of any context"
    )]
    OtherContext {
        /// The step.
        step: StepName,
        /// Its context.
        context: String,
        /// The workflow's.
        workflow: String,
    },
    /// Nothing yields what a step reads.
    #[error("step `{step}` reads {input}, but no step of this workflow yields it{}", handler.as_ref().map(|name| format!("; add a step with handler `{name}`")).unwrap_or_default())]
    MissingInput {
        /// The step.
        step: StepName,
        /// What it reads.
        input: String,
        /// The handler that would yield it.
        handler: Option<String>,
    },
    /// Several steps yield what a step reads once.
    #[error("step `{step}` reads {input}, and {} all yield it; say which with `after` or `depends_on_steps`, or read all with `Outputs<…>`", from.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    AmbiguousInput {
        /// The step.
        step: StepName,
        /// What it reads.
        input: String,
        /// Who yields it.
        from: Vec<StepName>,
    },
    /// A step reads the output of one that may be passed over.
    #[error("step `{step}` reads {input} of `{parent}`, which may be skipped; take `Option<Output<…>>`")]
    SkippableParent {
        /// The step.
        step: StepName,
        /// What it reads.
        input: String,
        /// The step that may be skipped.
        parent: StepName,
    },
    /// The builder was called in the wrong order, or given something that is not JSON.
    #[error("{0}")]
    Builder(String),
}

fn near(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

/// The known name that a misspelt one is nearest to. One that lacks its first or last words is near, too.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = known.into_iter().filter_map(|other| Some((distance(name, other)?, other)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, other)| other.to_owned())
}

/// How many letters lie between a name and a known one, or a part of that; `None` when too many for a slip.
fn distance(name: &str, known: &str) -> Option<usize> {
    let letters = name.chars().count();
    let slips = |other: &str| {
        let most = 1 + name.len().max(other.len()) / 4;
        // Comparing costs the product of the lengths, and names may be a stranger's.
        if letters.abs_diff(other.chars().count()) > most {
            return None;
        }
        let slips = strsim::damerau_levenshtein(name, other);
        (slips <= most).then_some(slips)
    };
    let parts = known.match_indices('_').flat_map(|(at, _)| [&known[..at], &known[at + 1..]]);
    let part = parts.filter(|part| part.len() > 3).filter_map(|part| Some(1 + slips(part)?)).min();
    slips(known).into_iter().chain(part).min()
}

/// All mistakes of a definition, told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildErrors {
    /// The workflow.
    pub workflow: String,
    /// At least one.
    pub errors: Vec<BuildError>,
}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workflow {} cannot be built:", self.workflow)?;
        self.errors.iter().try_for_each(|error| write!(f, "\n  - {error}"))
    }
}

impl std::error::Error for BuildErrors {}

/// A template whose graph was checked: names, lengths, edges, no cycle; every edge stands in `depends_on_steps`.
///
/// It is what storages keep: its hash is its identity, and a task keeps the one it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundTemplate {
    template: Arc<Template>,
    hash: DefinitionHash,
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
}

impl BoundTemplate {
    /// Checks the graph of a template.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn new(template: Template, limits: GraphLimits) -> Result<Self, BuildErrors> {
        let (template, mut errors) = (normal(template), Vec::new());
        check_texts(&template, &mut errors);
        let (parents, children) = edges(&template, &mut errors);
        check_size(&parents, limits, &mut errors);
        errors.extend(cycles(&template, &children));
        if errors.is_empty() {
            let hash = hash(&template);
            Ok(Self { template: Arc::new(template), hash, parents, children })
        } else {
            Err(BuildErrors { workflow: full_name(&template), errors })
        }
    }

    /// The template, in its normal form.
    pub const fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// Its identity.
    pub const fn hash(&self) -> &DefinitionHash {
        &self.hash
    }

    /// The steps.
    pub fn steps(&self) -> &[StepTemplate] {
        &self.template.step_templates
    }

    /// For each step the places of the steps it waits for, ascending.
    pub fn parents(&self) -> &[Vec<usize>] {
        &self.parents
    }

    /// For each step the places of the steps that wait for it, ascending.
    pub fn children(&self) -> &[Vec<usize>] {
        &self.children
    }

    /// How many of its steps may be in progress at a time; `None` is no limit.
    pub fn task_limit(&self) -> Option<usize> {
        (!self.template.concurrent).then_some(1)
    }
}

/// `namespace/name 1.0.0`, as errors and reports write it.
pub(crate) fn full_name(template: &Template) -> String {
    format!("{}/{} {}", template.namespace_name, template.name, template.version)
}

/// The single dependency moves into the list; repeated ones go.
fn normal(mut template: Template) -> Template {
    for step in &mut template.step_templates {
        step.depends_on_steps = step.dependencies().into_iter().cloned().collect();
        step.depends_on_step = None;
    }
    template
}

fn check_texts(template: &Template, errors: &mut Vec<BuildError>) {
    let mut text = |place: &dyn Fn() -> String, text: &str, max: usize, may_be_blank: bool| {
        let length = text.chars().count();
        if length > max {
            errors.push(BuildError::TooLong { place: place(), length, max });
        } else if text.contains('\0') || (!may_be_blank && text.trim().is_empty()) {
            errors.push(BuildError::BadName { place: place() });
        }
    };
    text(&|| "namespace_name".into(), &template.namespace_name, 64, false);
    text(&|| "name".into(), &template.name, 64, false);
    text(&|| "version".into(), &template.version.to_string(), 16, false);
    text(&|| "description".into(), template.description.as_deref().unwrap_or_default(), 255, true);
    for step in &template.step_templates {
        let of = |key: &'static str| move || format!("step `{}`: {key}", shortened(&step.name));
        text(&of("name"), &step.name, 128, false);
        text(&of("handler_class"), &step.handler_class, 255, false);
        text(&of("description"), step.description.as_deref().unwrap_or_default(), 255, true);
        text(&of("dependent_system"), template.system_of(step), 64, false);
    }
    for step in template.step_templates.iter().filter(|step| step.default_retry_limit == 0) {
        errors.push(BuildError::RetryLimit(step.name.clone()));
    }
    let events = template.step_templates.iter().flat_map(|step| &step.custom_events);
    for event in template.custom_events.iter().chain(events) {
        let fault = event.fault();
        errors.extend(fault.map(|why| BuildError::CustomEvent { name: event.name.clone(), why }));
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= 64 {
        name.to_owned()
    } else {
        name.chars().take(61).chain("...".chars()).collect()
    }
}

type Adjacency = Vec<Vec<usize>>;

fn edges(template: &Template, errors: &mut Vec<BuildError>) -> (Adjacency, Adjacency) {
    let steps = &template.step_templates;
    let mut places: HashMap<&StepName, usize> = HashMap::with_capacity(steps.len());
    for (place, step) in steps.iter().enumerate() {
        if places.insert(&step.name, place).is_some() {
            errors.push(BuildError::DuplicateStep(step.name.clone()));
        }
    }
    let mut parents = vec![Vec::new(); steps.len()];
    let mut children = vec![Vec::new(); steps.len()];
    for (place, step) in steps.iter().enumerate() {
        for dependency in &step.depends_on_steps {
            match places.get(dependency) {
                Some(_) if *dependency == step.name => {
                    errors.push(BuildError::SelfDependency(step.name.clone()))
                }
                Some(parent) => {
                    parents[place].push(*parent);
                    children[*parent].push(place);
                }
                None => errors.push(BuildError::UnknownDependency {
                    step: step.name.clone(),
                    dependency: dependency.clone(),
                    nearest: nearest(dependency, steps.iter().map(|step| step.name.as_str())),
                }),
            }
        }
    }
    parents.iter_mut().for_each(|list| list.sort_unstable());
    (parents, children)
}

fn check_size(parents: &[Vec<usize>], limits: GraphLimits, errors: &mut Vec<BuildError>) {
    let edges = parents.iter().map(Vec::len).sum::<usize>();
    for (what, found, max) in [("steps", parents.len(), limits.steps), ("edges", edges, limits.edges)] {
        if found > max {
            errors.push(BuildError::TooLarge { what, found, max });
        }
    }
}

/// One shortest cycle for each knot of steps that wait for each other.
fn cycles(template: &Template, children: &[Vec<usize>]) -> Vec<BuildError> {
    let pairs = children.iter().enumerate().flat_map(|(from, to)| to.iter().map(move |to| (from, *to)));
    let mut graph: DiGraph<(), (), usize> = DiGraph::with_capacity(children.len(), 0);
    for _ in children {
        graph.add_node(());
    }
    for (from, to) in pairs {
        graph.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
    }
    // Not Tarjan's algorithm, which petgraph has recurse: a long chain would exhaust the stack of a worker thread.
    let knots = kosaraju_scc(&graph).into_iter().filter(|knot| knot.len() > 1);
    let knots = knots.map(|knot| knot.into_iter().map(NodeIndex::index).collect::<BTreeSet<_>>());
    knots
        .map(|knot| {
            let path = shortest_cycle(&knot, children).into_iter();
            BuildError::Cycle {
                path: path.map(|place| template.step_templates[place].name.clone()).collect(),
            }
        })
        .collect()
}

fn shortest_cycle(knot: &BTreeSet<usize>, children: &[Vec<usize>]) -> Vec<usize> {
    let start = *knot.first().expect("a knot has steps");
    let mut came_from = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(here) = queue.pop_front() {
        for next in children[here].iter().copied().filter(|next| knot.contains(next)) {
            if next == start {
                let mut path = vec![start, here];
                while let Some(before) = came_from.get(path.last().expect("the path has a start")) {
                    path.push(*before);
                }
                path.reverse();
                return path;
            }
            if let Entry::Vacant(unseen) = came_from.entry(next) {
                unseen.insert(here);
                queue.push_back(next);
            }
        }
    }
    unreachable!("every step of a knot lies on a cycle")
}

/// SHA-256 of the canonical JSON, in lower-case hex.
fn hash(template: &Template) -> DefinitionHash {
    let value = serde_json::to_value(template).expect("a template is JSON");
    let digest = Sha256::digest(canonical_json(&value));
    DefinitionHash::from(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// JSON text that depends on the value alone: keys sorted by bytes, no blanks, numbers by value (`1.0` is `1`).
pub(crate) fn canonical_json(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            let fields = sorted
                .into_iter()
                .map(|(key, field)| format!("{}:{}", Value::from(key.as_str()), canonical_json(field)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical_json).collect::<Vec<_>>().join(","))
        }
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => "0".to_owned(),
            Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(steps: &[(&str, &[&str])]) -> Template {
        let mut template = Template::new("shop", "checkout", Version(1, 0, 0));
        template.step_templates = steps
            .iter()
            .map(|(name, after)| StepTemplate {
                depends_on_steps: after.iter().map(|name| StepName::from(*name)).collect(),
                ..StepTemplate::new(*name, "handler")
            })
            .collect();
        template
    }

    fn errors(template: Template) -> Vec<BuildError> {
        BoundTemplate::new(template, GraphLimits::default()).unwrap_err().errors
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let mut bad = template(&[("a", &["a"]), ("b", &["aa"]), ("b", &[])]);
        bad.name = "x".repeat(65);
        bad.step_templates[2].default_retry_limit = 0;
        let found = errors(bad);
        assert!(matches!(&found[0], BuildError::TooLong { place, length: 65, max: 64 } if place == "name"));
        assert!(found.contains(&BuildError::RetryLimit("b".into())));
        assert!(found.contains(&BuildError::SelfDependency("a".into())));
        assert!(found.contains(&BuildError::DuplicateStep("b".into())));
        let unknown = found.iter().find(|error| matches!(error, BuildError::UnknownDependency { .. }));
        assert!(unknown.unwrap().to_string().contains("did you mean `a`?"), "{unknown:?}");
    }

    /// As long as the columns of the tables, counted in characters.
    #[test]
    fn every_text_has_a_limit_and_names_may_not_be_blank() {
        type Set = fn(&mut Template, String);
        let texts: [(&str, usize, bool, Set); 7] = [
            ("namespace_name", 64, false, |template, text| template.namespace_name = text),
            ("name", 64, false, |template, text| template.name = text),
            ("description", 255, true, |template, text| template.description = Some(text)),
            ("step `a`: handler_class", 255, false, |template, text| {
                template.step_templates[0].handler_class = text.into();
            }),
            ("step `a`: description", 255, true, |template, text| {
                template.step_templates[0].description = Some(text);
            }),
            ("step `a`: dependent_system", 64, false, |template, text| {
                template.step_templates[0].dependent_system = Some(text);
            }),
            ("name", 128, false, |template, text| template.step_templates[0].name = text.into()),
        ];
        for (field, limit, may_be_blank, set) in texts {
            let with = |text: String| {
                let mut template = template(&[("a", &[])]);
                set(&mut template, text);
                BoundTemplate::new(template, GraphLimits::default()).map_err(|refused| refused.errors)
            };
            assert!(with("ü".repeat(limit)).is_ok(), "{field}");
            match &with("ü".repeat(limit + 1)).unwrap_err()[..] {
                [BuildError::TooLong { place, length, max }] => {
                    assert_eq!((*length, *max), (limit + 1, limit), "{field}");
                    assert!(place.ends_with(field), "{place}");
                }
                other => panic!("{field}: {other:?}"),
            }
            for blank in ["", " \t\n"] {
                let refused = with(blank.into());
                assert_eq!(refused.is_ok(), may_be_blank, "{field}: {refused:?}");
            }
            let nul = with("a\0b".into()).unwrap_err();
            assert!(matches!(&nul[..], [BuildError::BadName { .. }]), "{field}: {nul:?}");
        }
    }

    #[test]
    fn a_version_longer_than_its_column_is_refused() {
        let of = |version| Template { version, ..template(&[]) };
        let long = errors(of(Version(1_000_000, 1_000_000, 1_000)));
        assert!(matches!(&long[..], [BuildError::TooLong { length: 20, max: 16, .. }]), "{long:?}");
    }

    #[test]
    fn a_cycle_is_told_with_its_path() {
        let path = |steps: &[(&str, &[&str])]| match &errors(template(steps))[..] {
            [BuildError::Cycle { path }] => path.iter().map(StepName::as_str).collect::<Vec<_>>().join(" "),
            other => panic!("{other:?}"),
        };
        assert_eq!(path(&[("a", &["c"]), ("b", &["a"]), ("c", &["b"]), ("d", &["c"])]), "a b c a");
        assert_eq!(path(&[("x", &[]), ("a", &["b", "x"]), ("b", &["a"])]), "a b a");
    }

    #[test]
    fn two_knots_are_two_errors() {
        let found = errors(template(&[("a", &["b"]), ("b", &["a"]), ("c", &["d"]), ("d", &["c"])]));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_graph_over_the_limit_is_refused() {
        let small = GraphLimits { steps: 2, edges: 1 };
        let many = template(&[("a", &[]), ("b", &["a"]), ("c", &["a"])]);
        let found = BoundTemplate::new(many, small).unwrap_err().errors;
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn the_single_dependency_joins_the_list() {
        let mut single = template(&[("a", &[]), ("b", &[])]);
        single.step_templates[1].depends_on_step = Some("a".into());
        let listed = template(&[("a", &[]), ("b", &["a"])]);
        let bind = |template| BoundTemplate::new(template, GraphLimits::default()).unwrap();
        assert_eq!(bind(single).hash(), bind(listed).hash());
    }

    #[test]
    fn versions_are_three_plain_numbers() {
        for bad in [
            "1",
            "1.2",
            "1.2.3.4",
            "v1.0.0",
            "1.0.0-rc1",
            "01.0.0",
            "1..0",
            "",
            "4294967296.0.0",
            "1000000.1000000.1000000",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
        assert_eq!("1.20.3".parse(), Ok(Version(1, 20, 3)));
    }

    #[test]
    fn canonical_json_depends_on_the_value_alone() {
        let one = serde_json::json!({ "b": 1.0, "a": [1, "x", -0.0, 9007199254740993_u64, 1234567890123456.0, 0.5] });
        let same = r#"{"a":[1,"x",0,9007199254740993,1234567890123456,0.5],"b":1}"#;
        assert_eq!(canonical_json(&one), same);
    }
}
