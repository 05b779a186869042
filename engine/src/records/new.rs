//! What is to be written, and what is wrong with it: checked before anything is.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    AnnotationTypeId, DependentSystemId, DependentSystemObjectMapRow, Fault, Faults, FieldFault, NamedStepId,
    NamedTaskId, RecordError, WorkflowStepEdgeRow,
};
use crate::payload::{self, Limits};
use crate::{StepId, StepTemplate, TaskId, Template};

/// What became of a row that was to be there once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept<R> {
    /// It was written.
    Created(R),
    /// It was there, and stays as it was.
    Found(R),
}

impl<R> Kept<R> {
    /// The row, whether it was there or not.
    pub fn row(self) -> R {
        match self {
            Self::Created(row) | Self::Found(row) => row,
        }
    }

    /// The row, if it was not there.
    ///
    /// # Errors
    /// [`Fault::Taken`] of that field.
    pub fn created(self, field: &'static str) -> Result<R, RecordError> {
        match self {
            Self::Created(row) => Ok(row),
            Self::Found(_) => Err(RecordError::invalid(field, Fault::Taken)),
        }
    }
}

/// Gathers what is wrong.
#[derive(Default)]
struct Check(Vec<FieldFault>);

impl Check {
    fn fault(&mut self, field: &'static str, fault: Fault) -> &mut Self {
        self.0.push(FieldFault { field, fault });
        self
    }

    /// A text that has to be there, of at most so many characters.
    fn present(&mut self, field: &'static str, text: &str, max: usize) -> &mut Self {
        if text.trim().is_empty() {
            self.fault(field, Fault::Blank);
        }
        self.text(field, text, max)
    }

    fn text(&mut self, field: &'static str, text: &str, max: usize) -> &mut Self {
        if text.chars().count() > max {
            self.fault(field, Fault::TooLong { max });
        }
        if text.contains('\0') {
            self.fault(field, Fault::NotStorable("it contains U+0000".to_owned()));
        }
        self
    }

    fn maybe_text(&mut self, field: &'static str, text: Option<&str>, max: usize) -> &mut Self {
        if let Some(text) = text {
            self.text(field, text, max);
        }
        self
    }

    fn value(&mut self, field: &'static str, value: &Value, limits: &Limits) -> &mut Self {
        if let Err(error) = payload::check(value, limits) {
            self.fault(field, error.into());
        }
        self
    }

    fn end(&mut self) -> Result<(), RecordError> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(RecordError::Invalid(Faults(std::mem::take(&mut self.0)))),
        }
    }
}

/// Something that has a name and nothing else: a namespace, a system, a kind of annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNamed {
    /// At most 64 characters, not blank; blanks around it belong to it.
    pub name: String,
    /// For people; at most 255 characters.
    #[serde(default)]
    pub description: Option<String>,
}

impl NewNamed {
    /// Of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), description: None }
    }

    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self) -> Result<(), RecordError> {
        let mut check = Check::default();
        check.present("name", &self.name, 64);
        check.maybe_text("description", self.description.as_deref(), 255).end()
    }
}

/// A workflow of one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNamedTask {
    /// The namespace; found or written as well.
    #[serde(default = "default_namespace")]
    pub namespace_name: String,
    /// At most 64 characters, not blank.
    pub name: String,
    /// Three dotted numbers; at most 16 characters.
    #[serde(default = "default_version")]
    pub version: String,
    /// For people; at most 255 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// What its readers make of it; `concurrent` is the one key that the reference knows.
    #[serde(default)]
    pub configuration: Map<String, Value>,
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn default_version() -> String {
    "0.1.0".to_owned()
}

impl NewNamedTask {
    /// Of that name, in the namespace `default`, of the version `0.1.0`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            namespace_name: default_namespace(),
            name: name.into(),
            version: default_version(),
            description: None,
            configuration: Map::new(),
        }
    }

    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self, limits: &Limits) -> Result<(), RecordError> {
        let mut check = Check::default();
        check.present("task_namespace", &self.namespace_name, 64).present("name", &self.name, 64);
        check.present("version", &self.version, 16);
        if !is_version(&self.version) {
            check.fault("version", Fault::NotAVersion);
        }
        check.maybe_text("description", self.description.as_deref(), 255);
        check.value("configuration", &Value::Object(self.configuration.clone()), limits).end()
    }
}

/// Three groups of digits. Unlike [`Version`](crate::Version), the reference takes leading zeros.
fn is_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The name of a step in a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNamedStep {
    /// The system; found or written as well.
    pub dependent_system_name: String,
    /// At most 128 characters, not blank.
    pub name: String,
    /// For people; at most 255 characters.
    #[serde(default)]
    pub description: Option<String>,
}

impl NewNamedStep {
    /// Those that a template brings, in its order.
    pub fn of_template(template: &Template) -> Vec<Self> {
        let of_step = |step: &StepTemplate| Self {
            dependent_system_name: template.system_of(step).to_owned(),
            name: step.name.to_string(),
            description: step.description.clone(),
        };
        template.step_templates.iter().map(of_step).collect()
    }

    /// Checks many that are to be written together.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, in their order.
    pub fn check(steps: &[Self]) -> Result<(), RecordError> {
        let mut check = Check::default();
        for step in steps {
            check.present("dependent_system", &step.dependent_system_name, 64);
            check.present("name", &step.name, 128);
            check.maybe_text("description", step.description.as_deref(), 255);
        }
        check.end()
    }
}

/// A step of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNamedTasksNamedStep {
    /// The workflow.
    pub named_task_id: NamedTaskId,
    /// The step.
    pub named_step_id: NamedStepId,
    /// Whether a request may pass over it.
    #[serde(default)]
    pub skippable: bool,
    /// Whether a failed attempt may be followed by another.
    #[serde(default = "yes")]
    pub default_retryable: bool,
    /// How many attempts there may be; at least 1.
    #[serde(default = "three")]
    pub default_retry_limit: i32,
}

const fn yes() -> bool {
    true
}

const fn three() -> i32 {
    3
}

impl NewNamedTasksNamedStep {
    /// With the reference's defaults.
    pub const fn new(named_task_id: NamedTaskId, named_step_id: NamedStepId) -> Self {
        Self {
            named_task_id,
            named_step_id,
            skippable: false,
            default_retryable: true,
            default_retry_limit: three(),
        }
    }

    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self) -> Result<(), RecordError> {
        let mut check = Check::default();
        if self.default_retry_limit < 1 {
            check.fault("default_retry_limit", Fault::TooSmall { min: 1 });
        }
        check.end()
    }
}

/// One thing in two systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewObjectMap {
    /// One system; found or written as well.
    pub system_one: String,
    /// What the thing is called there; at most 128 characters, not blank.
    pub remote_id_one: String,
    /// The other system; found or written as well.
    pub system_two: String,
    /// What the thing is called there; at most 128 characters, not blank.
    pub remote_id_two: String,
}

impl NewObjectMap {
    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self) -> Result<(), RecordError> {
        let mut check = Check::default();
        check.present("dependent_system_one", &self.system_one, 64);
        check.present("dependent_system_two", &self.system_two, 64);
        check.present("remote_id_one", &self.remote_id_one, 128);
        check.present("remote_id_two", &self.remote_id_two, 128).end()
    }

    /// The two ends in the order in which they are stored, whichever way round they were given.
    pub fn in_order(&self, one: DependentSystemId, two: DependentSystemId) -> [(DependentSystemId, &str); 2] {
        let mut ends = [(one, self.remote_id_one.as_str()), (two, self.remote_id_two.as_str())];
        ends.sort_unstable();
        ends
    }
}

impl DependentSystemObjectMapRow {
    /// What the thing is called in a system; `None` when the map is not about that.
    pub fn remote_id_in(&self, system: DependentSystemId) -> Option<&str> {
        if self.dependent_system_one_id == system {
            Some(&self.remote_id_one)
        } else {
            (self.dependent_system_two_id == system).then_some(&*self.remote_id_two)
        }
    }
}

/// A note about a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAnnotation {
    /// The task.
    pub task_id: TaskId,
    /// Of what kind it is; found or written as well. At most 64 characters, not blank.
    pub annotation_type: String,
    /// What it says; null is allowed.
    #[serde(default)]
    pub annotation: Value,
}

impl NewAnnotation {
    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self, limits: &Limits) -> Result<(), RecordError> {
        let mut check = Check::default();
        check.present("annotation_type", &self.annotation_type, 64);
        check.value("annotation", &self.annotation, limits).end()
    }
}

/// Checks what an annotation is to say from now on.
///
/// # Errors
/// When it cannot be stored.
pub fn check_annotation(annotation: &Value, limits: &Limits) -> Result<(), RecordError> {
    Check::default().value("annotation", annotation, limits).end()
}

/// Checks what is to go into a configuration.
///
/// # Errors
/// When it cannot be stored.
pub fn check_configuration(changes: &Map<String, Value>, limits: &Limits) -> Result<(), RecordError> {
    Check::default().value("configuration", &Value::Object(changes.clone()), limits).end()
}

/// An edge between two steps of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEdge {
    /// The parent.
    pub from_step_id: StepId,
    /// The child.
    pub to_step_id: StepId,
    /// What the parent is to the child; not blank.
    #[serde(default = "provides")]
    pub name: String,
}

fn provides() -> String {
    WorkflowStepEdgeRow::PROVIDES.to_owned()
}

impl NewEdge {
    /// One named `provides`.
    pub fn provides(from_step_id: StepId, to_step_id: StepId) -> Self {
        Self { from_step_id, to_step_id, name: provides() }
    }

    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self) -> Result<(), RecordError> {
        Check::default().present("name", &self.name, usize::MAX).end()
    }
}

/// What is to be changed of a task; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskChange {
    /// Why it was asked for; at most 128 characters.
    #[serde(default)]
    pub reason: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
}

impl TaskChange {
    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self, limits: &Limits) -> Result<(), RecordError> {
        let mut check = Check::default();
        check.maybe_text("reason", self.reason.as_deref(), 128);
        if let Some(tags) = &self.tags {
            check.value("tags", &Value::from(tags.as_slice()), limits);
        }
        check.end()
    }
}

/// What is to be changed of a step; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepChange {
    /// How many attempts there may be; at least 1.
    #[serde(default)]
    pub retry_limit: Option<i32>,
    /// What its handler is given.
    #[serde(default)]
    pub inputs: Option<Arc<Value>>,
}

impl StepChange {
    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self, limits: &Limits) -> Result<(), RecordError> {
        let mut check = Check::default();
        if self.retry_limit.is_some_and(|limit| limit < 1) {
            check.fault("retry_limit", Fault::TooSmall { min: 1 });
        }
        if let Some(inputs) = &self.inputs {
            check.value("inputs", inputs, limits);
            if !inputs.is_object() {
                check.fault("inputs", Fault::NotAnObject);
            }
        }
        check.end()
    }
}

/// A row that is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletion {
    /// A namespace without workflows.
    TaskNamespace(super::TaskNamespaceId),
    /// A workflow that has no tasks, and was never learned.
    NamedTask(NamedTaskId),
    /// A name that no step has, and no workflow.
    NamedStep(NamedStepId),
    /// A step of a workflow.
    NamedTasksNamedStep(super::NamedTasksNamedStepId),
    /// A system without names of steps and without maps.
    DependentSystem(DependentSystemId),
    /// A map.
    ObjectMap(super::ObjectMapId),
    /// A kind of annotations, with all of that kind.
    AnnotationType(AnnotationTypeId),
    /// An annotation.
    Annotation(super::AnnotationId),
}

impl Deletion {
    /// What is to go, in words, and its number.
    pub const fn what(self) -> (&'static str, i64) {
        match self {
            Self::TaskNamespace(id) => ("task namespace", id.0),
            Self::NamedTask(id) => ("named task", id.0),
            Self::NamedStep(id) => ("named step", id.0),
            Self::NamedTasksNamedStep(id) => ("named task's named step", id.0),
            Self::DependentSystem(id) => ("dependent system", id.0),
            Self::ObjectMap(id) => ("dependent system object map", id.0),
            Self::AnnotationType(id) => ("annotation type", id.0),
            Self::Annotation(id) => ("task annotation", id.0),
        }
    }
}

/// Puts changes into a configuration: objects are merged, all the way down, anything else replaces what was there.
///
/// ```
/// use serde_json::json;
/// use tasker_engine::records::merged;
///
/// let configuration = json!({ "retry": { "limit": 3, "jitter": true } });
/// let changes = json!({ "retry": { "limit": 5 }, "concurrent": false });
/// assert_eq!(
///     merged(&configuration, changes.as_object().unwrap()),
///     json!({ "retry": { "limit": 5, "jitter": true }, "concurrent": false })
/// );
/// ```
pub fn merged(configuration: &Value, changes: &Map<String, Value>) -> Value {
    // The reference's default is a text of two braces.
    let mut fields = configuration.as_object().cloned().unwrap_or_default();
    for (key, change) in changes {
        let value = match (fields.get(key), change) {
            (Some(old @ Value::Object(_)), Value::Object(inner)) => merged(old, inner),
            _ => change.clone(),
        };
        fields.insert(key.clone(), value);
    }
    Value::Object(fields)
}

/// The distinct systems that names of steps belong to, in the order in which everybody writes them.
pub fn systems_of(steps: &[NewNamedStep]) -> BTreeSet<&str> {
    steps.iter().map(|step| step.dependent_system_name.as_str()).collect()
}
