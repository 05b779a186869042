//! A template taken out of its document, as far as it can be, and where each part of it stands.

use serde_json::Value;

use crate::document::shape::Findings;
use crate::document::{Data, Fault, Location, Node, Pair};
use crate::template::nearest;
use crate::{
    BuildError, CustomEvent, Entry, HandlerName, Handlers, Policy, SchemaMode, StepName, StepTemplate,
    Template,
};

/// A template, the handlers of its steps, and the nodes that they come from.
pub(super) struct Draft<'a> {
    pub(super) template: Template,
    pub(super) entries: Vec<Option<Entry>>,
    pub(super) errors: Vec<BuildError>,
    root: &'a Node,
    /// Of the steps in `template`, in their order.
    steps: Vec<&'a Node>,
}

/// `run: {handler, config}` becomes `handler_class` and `handler_config`, also in environments.
pub(super) fn unfold_runs(root: &mut Node, findings: &mut Findings) {
    let Data::Map(pairs) = &mut root.data else { return };
    for pair in pairs {
        match (&*pair.key, &mut pair.node.data) {
            ("step_templates", Data::List(steps)) => {
                steps.iter_mut().for_each(|step| unfold_run(step, findings));
            }
            ("environments", Data::Map(environments)) => {
                environments.iter_mut().for_each(|environment| unfold_runs(&mut environment.node, findings));
            }
            _ => {}
        }
    }
}

fn unfold_run(step: &mut Node, findings: &mut Findings) {
    let Data::Map(pairs) = &mut step.data else { return };
    let Some(place) = pairs.iter().position(|pair| pair.key == "run") else { return };
    let Pair { node: run, .. } = pairs.remove(place);
    for (short, long) in [("handler", "handler_class"), ("config", "handler_config")] {
        let Some(pair) = run.pair(short) else { continue };
        match pairs.iter().find(|own| own.key == long) {
            Some(own) => {
                let one = if short == "handler" { "run.handler" } else { "run.config" };
                findings.mistake(&own.at, Fault::Conflict { one, other: long });
            }
            None => pairs.push(Pair { key: long.to_owned(), ..pair.clone() }),
        }
    }
}

/// Every step, and every step that one waits for, must be in `named_steps`, if it is there.
pub(super) fn check_named_steps(root: &Node, findings: &mut Findings) {
    let Some(named) = root.get("named_steps") else { return };
    let named: Vec<_> = named.items().iter().filter_map(Node::as_text).collect();
    let near = |name: &str| nearest(name, named.iter().copied());
    for step in step_nodes(root) {
        let name = step.get("name").and_then(|node| Some((node, node.as_text()?)));
        if let Some((node, name)) = name.filter(|(_, name)| !named.contains(name)) {
            findings.mistake(&node.at, Fault::StepNotListed { step: name.to_owned(), nearest: near(name) });
        }
        for (node, name) in dependencies(step).filter(|(_, name)| !named.contains(name)) {
            let fault = Fault::DependencyNotListed { step: name.to_owned(), nearest: near(name) };
            findings.mistake(&node.at, fault);
        }
    }
}

fn step_nodes(root: &Node) -> &[Node] {
    root.get("step_templates").map_or(&[], Node::items)
}

fn dependencies(step: &Node) -> impl Iterator<Item = (&Node, &str)> {
    let listed = step.get("depends_on_steps").map_or(&[][..], Node::items);
    let nodes = step.get("depends_on_step").into_iter().chain(listed);
    nodes.filter_map(|node| Some((node, node.as_text()?)))
}

impl<'a> Draft<'a> {
    /// Takes what is there; what is not there, or of the wrong kind, was told before and is left out.
    pub(super) fn of(root: &'a Node, handlers: &Handlers) -> Self {
        let text = |key: &str| root.text(key).map(ToOwned::to_owned);
        let mut template = Template::new(
            text("namespace_name").unwrap_or_else(|| "default".to_owned()),
            text("name").unwrap_or_default(),
            root.text("version").and_then(|text| text.parse().ok()).unwrap_or_default(),
        );
        template.description = text("description");
        template.default_dependent_system = text("default_dependent_system");
        template.concurrent = root.get("concurrent").and_then(Node::as_bool).unwrap_or(true);
        template.schema = value(root, "schema");
        if root.text("schema_mode") == Some("strict") {
            template.schema_mode = SchemaMode::Strict;
        }
        template.custom_events = events(root);
        let mut draft = Self { template, entries: vec![], errors: vec![], root, steps: vec![] };
        step_nodes(root).iter().for_each(|node| draft.add(node, handlers));
        draft
    }

    fn add(&mut self, node: &'a Node, handlers: &Handlers) {
        let Some(name) = node.text("name").map(StepName::from) else { return };
        let handler = node.text("handler_class").map(HandlerName::from);
        let found = match &handler {
            Some(handler) => {
                handlers.find(&name, handler).cloned().map_err(|error| self.errors.push(error)).ok()
            }
            // Of the wrong kind: told before.
            None if node.get("handler_class").is_some() => None,
            None => {
                self.errors.push(BuildError::NoHandler(name.clone()));
                None
            }
        };
        let policy = found.as_ref().map_or(Policy::DEFAULT, |entry| entry.policy);
        self.template.step_templates.push(step(node, name, handler, policy));
        self.entries.push(found);
        self.steps.push(node);
    }

    /// Where the workflow is named.
    pub(super) fn at(&self) -> &'a Location {
        self.root.get("name").map_or(&self.root.at, |name| &name.at)
    }

    /// Where that mistake was made.
    pub(super) fn locate(&self, error: &BuildError) -> &'a Location {
        self.found(error).unwrap_or_else(|| self.at())
    }

    fn found(&self, error: &BuildError) -> Option<&'a Location> {
        match error {
            BuildError::DuplicateStep(name) => {
                let second = |step: &&&Node| step.text("name") == Some(name);
                self.steps.iter().filter(second).nth(1)?.get("name").map(|name| &name.at)
            }
            BuildError::SelfDependency(name) => self.dependency(name, name),
            BuildError::UnknownDependency { step, dependency, .. } => self.dependency(step, dependency),
            BuildError::Cycle { path } => match &path[..] {
                [first, second, ..] => self.dependency(second, first),
                _ => None,
            },
            BuildError::HandlerConfig { step, misfit } => {
                let step = self.step(step)?;
                let config = step.get("handler_config").map(|config| config.along(&misfit.path));
                config.or_else(|| self.key(step, "handler_class"))
            }
            BuildError::RetryPolicy { step, .. } => self.key(self.step(step)?, "retry_policy"),
            BuildError::UnknownHandler { step, .. }
            | BuildError::DuplicateHandler { step, .. }
            | BuildError::OtherContext { step, .. }
            | BuildError::MissingInput { step, .. }
            | BuildError::AmbiguousInput { step, .. }
            | BuildError::SkippableParent { step, .. }
            | BuildError::NoHandler(step) => self.key(self.step(step)?, "handler_class"),
            BuildError::Schema(misfit) => {
                let path = misfit.path.replace('/', ".");
                self.root.get("schema").map(|schema| schema.along(&path))
            }
            BuildError::CustomEvent { name, .. } => {
                let of = |node: &'a Node| node.get("custom_events").map_or(&[][..], Node::items);
                let mut events = self.steps.iter().flat_map(|step| of(step)).chain(of(self.root));
                events.find(|event| event.text("name") == Some(name))?.get("name").map(|name| &name.at)
            }
            BuildError::TooLarge { .. } => self.root.pair("step_templates").map(|pair| &pair.at),
            _ => None,
        }
    }

    fn step(&self, name: &StepName) -> Option<&'a Node> {
        self.steps.iter().copied().find(|step| step.text("name") == Some(name))
    }

    /// That key's value; the step's name where the step has no such key.
    fn key(&self, step: &'a Node, key: &str) -> Option<&'a Location> {
        step.get(key).or_else(|| step.get("name")).map(|node| &node.at)
    }

    /// Where a step says that it waits for another; the step's name where only its handler says so.
    fn dependency(&self, step: &StepName, on: &StepName) -> Option<&'a Location> {
        let step = self.step(step)?;
        let said = dependencies(step).find(|(_, name)| on == *name).map(|(node, _)| &node.at);
        said.or_else(|| self.key(step, "name"))
    }
}

fn step(node: &Node, name: StepName, handler: Option<HandlerName>, policy: Policy) -> StepTemplate {
    let text = |key: &str| node.text(key).map(ToOwned::to_owned);
    let flag = |key: &str| node.get(key).and_then(Node::as_bool);
    let mut step = StepTemplate::new(name, handler.unwrap_or_else(|| HandlerName::from("")));
    step.description = text("description");
    step.dependent_system = text("dependent_system");
    step.default_retryable = flag("default_retryable").unwrap_or(policy.retryable);
    let limit = node.get("default_retry_limit").and_then(Node::as_u64);
    step.default_retry_limit =
        limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(policy.retry_limit);
    step.skippable = flag("skippable").unwrap_or(policy.skippable);
    step.depends_on_step = node.text("depends_on_step").map(StepName::from);
    let listed = node.get("depends_on_steps").map_or(&[][..], Node::items);
    step.depends_on_steps = listed.iter().filter_map(Node::as_text).map(StepName::from).collect();
    step.handler_config = node.get("handler_config").map_or(Value::Null, Node::to_value);
    step.timeout_seconds = match node.get("timeout_seconds") {
        Some(seconds) => seconds.as_u64(),
        None => policy.timeout_seconds,
    };
    step.retry_policy = value(node, "retry_policy");
    step.custom_events = events(node);
    step
}

/// The map under that key; null where there is none.
fn value(node: &Node, key: &str) -> Value {
    node.get(key).filter(|node| matches!(node.data, Data::Map(_))).map_or(Value::Null, Node::to_value)
}

fn events(node: &Node) -> Vec<CustomEvent> {
    let events = node.get("custom_events").map_or(&[][..], Node::items);
    let event = |event: &Node| {
        let description = event.text("description").map(ToOwned::to_owned);
        Some(CustomEvent { name: event.text("name")?.to_owned(), description })
    };
    events.iter().filter_map(event).collect()
}
