//! What workflows and steps are called, and what is noted beside tasks: the tables that no wave moves.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use serde_json::{Value, json};
use tasker_engine::records::{
    AnnotationTypeRow, DependentSystemId, DependentSystemObjectMapRow, DependentSystemRow, NamedStepId,
    NamedStepRow, NamedTaskId, NamedTaskRow, NamedTasksNamedStepRow, TaskAnnotationRow, TaskNamespaceId,
    TaskNamespaceRow,
};
use tasker_engine::{StepTemplate, Template, Timestamp};

/// The system of steps that name none.
const UNKNOWN: &str = "unknown";

/// A row with what no two rows of its table have in common.
pub(super) trait Shelved {
    type Key: Eq + Hash;
    fn key(&self) -> Self::Key;
}

/// A table: rows by their number, and by what is unique of them.
pub(super) struct Shelf<R: Shelved> {
    rows: BTreeMap<i64, R>,
    numbers: HashMap<R::Key, i64>,
    last: i64,
}

impl<R: Shelved> Default for Shelf<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), numbers: HashMap::new(), last: 0 }
    }
}

impl<R: Shelved> Shelf<R> {
    pub(super) fn rows(&self) -> impl Iterator<Item = &R> {
        self.rows.values()
    }

    pub(super) fn get(&self, number: i64) -> Option<&R> {
        self.rows.get(&number)
    }

    /// A row whose key is not to be changed.
    pub(super) fn get_mut(&mut self, number: i64) -> Option<&mut R> {
        self.rows.get_mut(&number)
    }

    /// Says whether it was there.
    pub(super) fn remove(&mut self, number: i64) -> bool {
        let removed = self.rows.remove(&number);
        removed.is_some_and(|row| self.numbers.remove(&row.key()).is_some())
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&R) -> bool) {
        let gone = self.rows.iter().filter(|(_, row)| !keep(row)).map(|(number, _)| *number);
        for number in gone.collect::<Vec<_>>() {
            self.remove(number);
        }
    }

    pub(super) fn find(&self, key: &R::Key) -> Option<&R> {
        self.numbers.get(key).and_then(|number| self.rows.get(number))
    }

    /// Adds a row, which is told its number.
    pub(super) fn add(&mut self, make: impl FnOnce(i64) -> R) -> &R {
        self.last += 1;
        let row = make(self.last);
        self.numbers.insert(row.key(), self.last);
        self.rows.entry(self.last).insert_entry(row).into_mut()
    }

    pub(super) fn find_or_add(&mut self, key: &R::Key, make: impl FnOnce(i64) -> R) -> &R {
        match self.numbers.get(key) {
            Some(number) => &self.rows[number],
            None => self.add(make),
        }
    }
}

/// All tables that no wave moves.
pub(super) struct Catalogue {
    pub(super) namespaces: Shelf<TaskNamespaceRow>,
    pub(super) named_tasks: Shelf<NamedTaskRow>,
    pub(super) systems: Shelf<DependentSystemRow>,
    pub(super) named_steps: Shelf<NamedStepRow>,
    pub(super) links: Shelf<NamedTasksNamedStepRow>,
    pub(super) annotation_types: Shelf<AnnotationTypeRow>,
    pub(super) annotations: Shelf<TaskAnnotationRow>,
    pub(super) object_maps: Shelf<DependentSystemObjectMapRow>,
}

impl Default for Catalogue {
    /// With the default namespace, which is number one everywhere.
    fn default() -> Self {
        let mut catalogue = Self {
            namespaces: Shelf::default(),
            named_tasks: Shelf::default(),
            systems: Shelf::default(),
            named_steps: Shelf::default(),
            links: Shelf::default(),
            annotation_types: Shelf::default(),
            annotations: Shelf::default(),
            object_maps: Shelf::default(),
        };
        catalogue.namespace("default", Timestamp::EPOCH);
        catalogue
    }
}

impl Catalogue {
    pub(super) fn namespace(&mut self, name: &str, now: Timestamp) -> TaskNamespaceId {
        let row = |id: i64| TaskNamespaceRow {
            task_namespace_id: id.into(),
            name: name.to_owned(),
            description: None,
            created_at: now,
            updated_at: now,
        };
        self.namespaces.find_or_add(&name.to_owned(), row).task_namespace_id
    }

    pub(super) fn system(&mut self, name: &str, now: Timestamp) -> DependentSystemId {
        let row = |id: i64| DependentSystemRow {
            dependent_system_id: id.into(),
            name: name.to_owned(),
            description: None,
            created_at: now,
            updated_at: now,
        };
        self.systems.find_or_add(&name.to_owned(), row).dependent_system_id
    }

    pub(super) fn named_step(
        &mut self,
        system: &str,
        name: &str,
        description: Option<&str>,
        now: Timestamp,
    ) -> NamedStepId {
        let system_id = self.system(system, now);
        let row = |id: i64| NamedStepRow {
            named_step_id: id.into(),
            dependent_system_id: system_id,
            dependent_system_name: system.to_owned(),
            name: name.to_owned(),
            description: description.map(ToOwned::to_owned),
            created_at: now,
            updated_at: now,
        };
        self.named_steps.find_or_add(&(system_id, name.to_owned()), row).named_step_id
    }

    /// The name of a step that was spawned: it belongs to no system that anybody named.
    pub(super) fn spawned_step(&mut self, name: &str, now: Timestamp) -> NamedStepId {
        self.named_step(UNKNOWN, name, None, now)
    }

    /// What a template brings: its namespace, itself, and its steps in order.
    pub(super) fn enter(
        &mut self,
        template: &Template,
        now: Timestamp,
    ) -> (TaskNamespaceId, NamedTaskId, Vec<NamedStepId>) {
        let namespace = self.namespace(&template.namespace_name, now);
        let named_task = self.template(namespace, template, now);
        let steps = template.step_templates.iter().map(|step| {
            let system = template.system_of(step);
            let named_step = self.named_step(system, &step.name, step.description.as_deref(), now);
            self.link(named_task, &template.name, named_step, step, now);
            named_step
        });
        let steps = steps.collect();
        (namespace, named_task, steps)
    }

    fn template(&mut self, namespace: TaskNamespaceId, template: &Template, now: Timestamp) -> NamedTaskId {
        let version = template.version.to_string();
        let key = (namespace, template.name.clone(), version.clone());
        let row = |id: i64| NamedTaskRow {
            named_task_id: id.into(),
            task_namespace_id: namespace,
            namespace_name: template.namespace_name.clone(),
            name: template.name.clone(),
            version,
            description: template.description.clone(),
            configuration: Arc::new(configuration(template)),
            created_at: now,
            updated_at: now,
        };
        self.named_tasks.find_or_add(&key, row).named_task_id
    }

    fn link(
        &mut self,
        named_task: NamedTaskId,
        task_name: &str,
        named_step: NamedStepId,
        step: &StepTemplate,
        now: Timestamp,
    ) {
        self.links.find_or_add(&(named_task, named_step), |id| NamedTasksNamedStepRow {
            id: id.into(),
            named_task_id: named_task,
            task_name: task_name.to_owned(),
            named_step_id: named_step,
            step_name: step.name.to_string(),
            skippable: step.skippable,
            default_retryable: step.default_retryable,
            default_retry_limit: i32::try_from(step.default_retry_limit).unwrap_or(i32::MAX),
            created_at: now,
            updated_at: now,
        });
    }
}

/// The one key of it that the reference reads.
fn configuration(template: &Template) -> Value {
    if template.concurrent { json!({}) } else { json!({ "concurrent": false }) }
}

impl Shelved for TaskNamespaceRow {
    type Key = String;
    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Shelved for NamedTaskRow {
    type Key = (TaskNamespaceId, String, String);
    fn key(&self) -> Self::Key {
        (self.task_namespace_id, self.name.clone(), self.version.clone())
    }
}

impl Shelved for DependentSystemRow {
    type Key = String;
    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Shelved for NamedStepRow {
    type Key = (DependentSystemId, String);
    fn key(&self) -> Self::Key {
        (self.dependent_system_id, self.name.clone())
    }
}

impl Shelved for NamedTasksNamedStepRow {
    type Key = (NamedTaskId, NamedStepId);
    fn key(&self) -> Self::Key {
        (self.named_task_id, self.named_step_id)
    }
}

impl Shelved for AnnotationTypeRow {
    type Key = String;
    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Shelved for TaskAnnotationRow {
    type Key = i64;
    fn key(&self) -> i64 {
        self.task_annotation_id.0
    }
}

impl Shelved for DependentSystemObjectMapRow {
    type Key = (DependentSystemId, DependentSystemId, String, String);
    fn key(&self) -> Self::Key {
        (
            self.dependent_system_one_id,
            self.dependent_system_two_id,
            self.remote_id_one.clone(),
            self.remote_id_two.clone(),
        )
    }
}
