//! The workflows that a program knows: by namespace, name and version, several versions side by side.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::template::nearest;
use crate::{
    Definition, DescribedHandler, HandlerName, LinkedWorkflow, NamedRequest, StepName, TaskId, TemplateGraph,
    Version,
};

/// Workflows by namespace, name and version.
///
/// ```
/// use tasker::prelude::*;
/// use tasker::Registry;
/// # #[step] async fn pay() -> StepResult<u64> { Ok(1) }
///
/// let version = |version: &str| Definition::builder("shop", "checkout", version).step("pay", Pay).build();
/// let mut registry = Registry::new();
/// registry.register(version("9.0.0")?, "code")?;
/// registry.register(version("10.0.0")?, "code")?;
/// assert_eq!(registry.latest("shop", "checkout").unwrap().full_name(), "shop/checkout 10.0.0");
/// assert_eq!(registry.find("shop", "checkout", "9.0.0".parse()?)?.full_name(), "shop/checkout 9.0.0");
///
/// let other = Definition::builder("shop", "checkout", "9.0.0").step("pay", Pay).step("once_more", Pay).build()?;
/// let taken = registry.register(other, "orders.yaml:1:7").unwrap_err();
/// assert!(taken.to_string().starts_with("Handler 'checkout' already registered in namespace 'shop' version '9.0.0'."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    workflows: BTreeMap<(String, String), BTreeMap<Version, Registered>>,
    replace: bool,
}

#[derive(Clone, Debug)]
struct Registered {
    definition: Definition,
    place: String,
}

/// What a registry refuses. Nothing of what was refused is registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// There is one of that namespace, name and version. The reference's text, with both places.
    #[error(
        "Handler '{name}' already registered in namespace '{namespace}' version '{version}'. Use replace: true to override. (the one is at {first}, the other at {second})"
    )]
    Taken {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
        /// The version.
        version: Version,
        /// Where the one is that was there.
        first: String,
        /// Where the other is.
        second: String,
    },
    /// There is none of that namespace, name and version. The reference's text.
    #[error("No task handler for {name} in namespace {namespace} and version {version}{}", hint(nearest.as_deref(), versions))]
    Unknown {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
        /// The version.
        version: Version,
        /// What may have been meant.
        nearest: Option<String>,
        /// The versions of that name that there are.
        versions: Vec<Version>,
    },
    /// Tasks are open whose workflow is not registered: they would wait for ever.
    #[error("tasks are open whose workflow is not registered: {}", listed(tasks))]
    OpenTasks {
        /// Which, with the full name of their workflow.
        tasks: Vec<(TaskId, String)>,
    },
    /// The storage keeps no records, so nobody can tell which tasks are open.
    #[error("this storage cannot tell which tasks are open; serve with `OpenTasks::Leave`")]
    NoRecords,
}

fn hint(nearest: Option<&str>, versions: &[Version]) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None if versions.is_empty() => String::new(),
        None => {
            let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
            format!("; there are versions {}", versions.join(", "))
        }
    }
}

fn listed(tasks: &[(TaskId, String)]) -> String {
    const MOST: usize = 20;
    let some: Vec<_> =
        tasks.iter().take(MOST).map(|(task, workflow)| format!("task {task} of {workflow}")).collect();
    let more = tasks.len().saturating_sub(MOST);
    if more == 0 { some.join(", ") } else { format!("{} and {more} more", some.join(", ")) }
}

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// With all workflows that are linked into this program.
    ///
    /// # Errors
    /// When one cannot be built, or two have one namespace, name and version.
    pub fn linked() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut registry = Self::new();
        for linked in LinkedWorkflow::all() {
            registry.register((linked.definition)()?, linked.place.to_string())?;
        }
        Ok(registry)
    }

    /// Whether a workflow takes the place of one that is there.
    #[must_use]
    pub const fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Adds a workflow, and answers the one whose place it took. The place says where it is defined.
    ///
    /// # Errors
    /// When there is one, unless it may be replaced. The same again is no other.
    pub fn register(
        &mut self,
        definition: Definition,
        place: impl Into<String>,
    ) -> Result<Option<Definition>, RegistryError> {
        let place = place.into();
        self.check(&definition, &place)?;
        Ok(self.put(definition, place))
    }

    /// Adds several workflows with their places: all of them, or none.
    ///
    /// # Errors
    /// For each that is taken, also by another of them.
    pub fn register_all(
        &mut self,
        workflows: impl IntoIterator<Item = (Definition, String)>,
    ) -> Result<(), Vec<RegistryError>> {
        let mut changed = self.clone();
        let mut errors = vec![];
        for (definition, place) in workflows {
            match changed.check(&definition, &place) {
                Ok(()) => drop(changed.put(definition, place)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            *self = changed;
            Ok(())
        } else {
            Err(errors)
        }
    }

    fn check(&self, definition: &Definition, place: &str) -> Result<(), RegistryError> {
        let template = definition.template();
        let Some(taken) = self.registered(&template.namespace_name, &template.name, template.version) else {
            return Ok(());
        };
        if self.replace || taken.definition.bound().hash() == definition.bound().hash() {
            return Ok(());
        }
        Err(RegistryError::Taken {
            namespace: template.namespace_name.clone(),
            name: template.name.clone(),
            version: template.version,
            first: taken.place.clone(),
            second: place.to_owned(),
        })
    }

    fn put(&mut self, definition: Definition, place: String) -> Option<Definition> {
        let template = definition.template();
        let (key, version) = ((template.namespace_name.clone(), template.name.clone()), template.version);
        let before = self.workflows.entry(key).or_default().insert(version, Registered { definition, place });
        before.map(|before| before.definition)
    }

    /// Takes a workflow out. Its tasks wait until somebody serves it again: see
    /// [`Engine::serve`](crate::Engine::serve).
    pub fn remove(&mut self, namespace: &str, name: &str, version: Version) -> Option<Definition> {
        let key = (namespace.to_owned(), name.to_owned());
        let versions = self.workflows.get_mut(&key)?;
        let removed = versions.remove(&version);
        if versions.is_empty() {
            self.workflows.remove(&key);
        }
        removed.map(|removed| removed.definition)
    }

    fn registered(&self, namespace: &str, name: &str, version: Version) -> Option<&Registered> {
        self.workflows.get(&(namespace.to_owned(), name.to_owned()))?.get(&version)
    }

    /// The workflow of exactly that namespace, name and version.
    ///
    /// # Errors
    /// Unknown, with what may have been meant.
    pub fn find(&self, namespace: &str, name: &str, version: Version) -> Result<&Definition, RegistryError> {
        if let Some(found) = self.registered(namespace, name, version) {
            return Ok(&found.definition);
        }
        let versions = self.versions(namespace, name).map(|definition| definition.template().version);
        let versions: Vec<_> = versions.collect();
        let near = || nearest(name, self.in_namespace(namespace).map(|(name, _)| name));
        Err(RegistryError::Unknown {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            version,
            nearest: if versions.is_empty() { near() } else { None },
            versions,
        })
    }

    /// The workflow that a request names.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn for_request(&self, request: &NamedRequest) -> Result<&Definition, RegistryError> {
        self.find(&request.namespace, &request.name, request.version)
    }

    /// All versions of a workflow, ascending as numbers.
    pub fn versions(&self, namespace: &str, name: &str) -> impl DoubleEndedIterator<Item = &Definition> {
        let versions = self.workflows.get(&(namespace.to_owned(), name.to_owned()));
        versions.into_iter().flat_map(BTreeMap::values).map(|registered| &registered.definition)
    }

    /// The greatest version of a workflow.
    pub fn latest(&self, namespace: &str, name: &str) -> Option<&Definition> {
        self.versions(namespace, name).next_back()
    }

    /// The namespaces, in order.
    pub fn namespaces(&self) -> Vec<&str> {
        let mut namespaces: Vec<_> = self.workflows.keys().map(|(namespace, _)| &**namespace).collect();
        namespaces.dedup();
        namespaces
    }

    /// All workflows, in the order of namespace, name and version.
    pub fn list(&self) -> impl Iterator<Item = &Definition> {
        self.workflows.values().flat_map(BTreeMap::values).map(|registered| &registered.definition)
    }

    /// The events that the workflows declare, by name; of two of one name the first counts.
    pub fn custom_events(&self) -> Vec<DeclaredEvent> {
        let mut declared = BTreeMap::new();
        for definition in self.list() {
            let template = definition.template();
            let of_steps = template.step_templates.iter().flat_map(|step| {
                step.custom_events.iter().map(|event| (event, step.handler_class.to_string()))
            });
            let own = template.custom_events.iter().map(|event| (event, template.name.clone()));
            for (event, fired_by) in own.chain(of_steps) {
                declared.entry(&event.name).or_insert_with(|| DeclaredEvent {
                    name: event.name.clone(),
                    description: event.description.clone().unwrap_or_else(|| "Custom event".to_owned()),
                    fired_by: vec![fired_by],
                });
            }
        }
        declared.into_values().collect()
    }

    fn in_namespace(&self, wanted: &str) -> impl Iterator<Item = (&str, &BTreeMap<Version, Registered>)> {
        let inside = self.workflows.iter().filter(move |((namespace, _), _)| namespace == wanted);
        inside.map(|((_, name), versions)| (&**name, versions))
    }

    /// How many workflows there are, versions counted each.
    pub fn len(&self) -> usize {
        self.list().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.workflows.is_empty()
    }

    /// What a workflow is made of.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn describe(
        &self,
        namespace: &str,
        name: &str,
        version: Version,
    ) -> Result<DescribedWorkflow, RegistryError> {
        let definition = self.find(namespace, name, version)?;
        let place = self.registered(namespace, name, version).map(|found| found.place.clone());
        Ok(DescribedWorkflow::of(definition, place.unwrap_or_default()))
    }
}

/// An event that a workflow declares, with the reference's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeclaredEvent {
    /// As `order.fulfilled`.
    pub name: String,
    /// For people.
    pub description: String,
    /// The handler of the step that declares it; the workflow's name where that does.
    pub fired_by: Vec<String>,
}

/// A workflow as people and programs are told of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DescribedWorkflow {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The version.
    pub version: Version,
    /// For people.
    pub description: Option<String>,
    /// Where it is defined.
    pub place: String,
    /// What a context must look like; null for anything.
    pub schema: Value,
    /// The steps.
    pub steps: Vec<DescribedStep>,
    /// Who waits for whom.
    pub dependency_graph: TemplateGraph,
}

/// A step as people and programs are told of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DescribedStep {
    /// The name.
    pub name: StepName,
    /// The name of what runs it.
    pub handler_class: HandlerName,
    /// What runs it.
    pub handler: DescribedHandler,
    /// What its handler is made with, with the names of variables in it, not their values.
    pub handler_config: Value,
    /// The external system it talks to.
    pub dependent_system: String,
    /// How many attempts there may be.
    pub default_retry_limit: u32,
    /// Whether there may be a second attempt.
    pub default_retryable: bool,
    /// Whether a request may pass over it.
    pub skippable: bool,
}

impl DescribedWorkflow {
    fn of(definition: &Definition, place: String) -> Self {
        let template = definition.template();
        let steps = template.step_templates.iter().zip(definition.steps());
        let steps = steps.map(|(step, bound)| DescribedStep {
            name: step.name.clone(),
            handler_class: step.handler_class.clone(),
            handler: bound.entry.describe(),
            handler_config: step.handler_config.clone(),
            dependent_system: template.system_of(step).to_owned(),
            default_retry_limit: step.default_retry_limit,
            default_retryable: step.default_retryable,
            skippable: step.skippable,
        });
        Self {
            namespace: template.namespace_name.clone(),
            name: template.name.clone(),
            version: template.version,
            description: template.description.clone(),
            place,
            schema: template.schema.clone(),
            steps: steps.collect(),
            dependency_graph: definition.bound().graph(),
        }
    }
}

impl fmt::Display for DescribedWorkflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {} ({})", self.namespace, self.name, self.version, self.place)?;
        for step in &self.steps {
            write!(f, "\n  {} by {}, {} attempts", step.name, step.handler_class, step.default_retry_limit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Call, handler_fn};

    fn workflow(namespace: &str, name: &str, version: &str, steps: usize) -> Definition {
        let work = || handler_fn(|_: Call| async { Ok(json!(1)) });
        let builder = Definition::builder(namespace, name, version);
        let builder = (0..steps).fold(builder, |builder, step| builder.step(format!("step_{step}"), work()));
        builder.build().unwrap()
    }

    fn registry(workflows: &[(&str, &str, &str)]) -> Registry {
        let mut registry = Registry::new();
        for (namespace, name, version) in workflows {
            registry.register(workflow(namespace, name, version, 1), "code").unwrap();
        }
        registry
    }

    #[test]
    fn one_name_lives_in_two_namespaces_and_many_versions() {
        let registry = registry(&[
            ("payments", "process_refund", "2.1.0"),
            ("customer_success", "process_refund", "1.3.0"),
            ("payments", "process_refund", "10.0.0"),
            ("payments", "process_refund", "9.0.0"),
        ]);
        assert_eq!(registry.namespaces(), ["customer_success", "payments"]);
        let versions: Vec<_> =
            registry.versions("payments", "process_refund").map(Definition::full_name).collect();
        assert_eq!(
            versions,
            [
                "payments/process_refund 2.1.0",
                "payments/process_refund 9.0.0",
                "payments/process_refund 10.0.0"
            ]
        );
        assert_eq!(
            registry.latest("payments", "process_refund").unwrap().template().version,
            Version(10, 0, 0)
        );
        assert!(registry.latest("payments", "refund").is_none());
        assert_eq!(registry.len(), 4);
    }

    #[test]
    fn only_the_exact_version_is_found_and_the_text_is_the_references() {
        let registry = registry(&[("default", "checkout", "1.0.0"), ("default", "checkout", "1.1.0")]);
        assert!(registry.find("default", "checkout", Version(1, 1, 0)).is_ok());
        let text = |name: &str, version| registry.find("default", name, version).unwrap_err().to_string();
        assert_eq!(
            text("checkout", Version(0, 1, 0)),
            "No task handler for checkout in namespace default and version 0.1.0; there are versions 1.0.0, 1.1.0"
        );
        assert_eq!(
            text("chekout", Version(1, 0, 0)),
            "No task handler for chekout in namespace default and version 1.0.0; did you mean `checkout`?"
        );
    }

    #[test]
    fn another_of_the_same_name_is_refused_with_both_places_unless_it_may_replace() {
        let mut registry = registry(&[("shop", "checkout", "1.0.0")]);
        let same = workflow("shop", "checkout", "1.0.0", 1);
        assert!(registry.register(same, "again").is_ok(), "the same is no other");
        let other = workflow("shop", "checkout", "1.0.0", 2);
        let error = registry.register(other.clone(), "orders.yaml:1:7").unwrap_err().to_string();
        assert_eq!(
            error,
            "Handler 'checkout' already registered in namespace 'shop' version '1.0.0'. Use replace: true to override. \
             (the one is at again, the other at orders.yaml:1:7)"
        );
        let mut replacing = registry.replace(true);
        let before = replacing.register(other, "orders.yaml:1:7").unwrap().unwrap();
        assert_eq!(before.template().step_templates.len(), 1);
        assert_eq!(replacing.latest("shop", "checkout").unwrap().template().step_templates.len(), 2);
    }

    #[test]
    fn several_are_registered_whole_or_not_at_all() {
        let mut registry = registry(&[("shop", "checkout", "1.0.0")]);
        let several = |second: &str| {
            [
                (workflow("shop", "refund", "1.0.0", 1), "a".to_owned()),
                (workflow("shop", second, "1.0.0", 2), "b".to_owned()),
            ]
        };
        assert_eq!(registry.register_all(several("checkout")).unwrap_err().len(), 1);
        assert_eq!(registry.len(), 1, "nothing of it");
        assert_eq!(
            registry.register_all(several("refund")).unwrap_err().len(),
            1,
            "they clash among themselves"
        );
        registry.register_all(several("mail")).unwrap();
        assert_eq!(registry.len(), 3);
    }

    #[test]
    fn what_is_removed_is_gone() {
        let mut registry = registry(&[("shop", "checkout", "1.0.0"), ("shop", "checkout", "2.0.0")]);
        assert!(registry.remove("shop", "checkout", Version(1, 0, 0)).is_some());
        assert!(registry.remove("shop", "checkout", Version(1, 0, 0)).is_none());
        assert!(registry.find("shop", "checkout", Version(2, 0, 0)).is_ok());
        assert!(registry.remove("shop", "checkout", Version(2, 0, 0)).is_some());
        assert!(registry.is_empty() && registry.namespaces().is_empty());
    }

    #[test]
    fn declared_events_are_listed_once_with_who_fires_them() {
        let declaring = |version: &str, text: &str| {
            let work = handler_fn(|_: Call| async { Ok(json!(1)) });
            let builder = Definition::builder("shop", "checkout", version).step("work", work);
            builder.custom_event("order.done", text).build().unwrap()
        };
        let mut registry = Registry::new();
        registry.register(declaring("1.0.0", "the first"), "code").unwrap();
        registry.register(declaring("2.0.0", "the second"), "code").unwrap();
        let event = DeclaredEvent {
            name: "order.done".to_owned(),
            description: "the first".to_owned(),
            fired_by: vec!["checkout".to_owned()],
        };
        assert_eq!(registry.custom_events(), [event]);
    }

    #[test]
    fn a_workflow_is_described_with_its_graph() {
        let registry = registry(&[("shop", "checkout", "1.0.0")]);
        let described = registry.describe("shop", "checkout", Version(1, 0, 0)).unwrap();
        let json = serde_json::to_value(&described).unwrap();
        assert_eq!(json["steps"][0]["dependent_system"], "unknown");
        assert_eq!(json["steps"][0]["handler"]["config_keys"], json!([]));
        assert_eq!(json["dependency_graph"]["summary"]["total_steps"], 1);
        assert_eq!(described.to_string(), "shop/checkout 1.0.0 (code)\n  step_0 by step_0, 3 attempts");
    }
}
