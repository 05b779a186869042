//! What rows are called by what they are, where their ids differ from backend to backend.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tasker_engine::records::{
    AnnotationTypes, DependentSystemObjectMaps, DependentSystems, Model, NamedSteps, NamedTasks,
    NamedTasksNamedSteps, Records, TaskAnnotations, TaskNamespaces, TaskTransitions, Tasks,
    WorkflowStepEdges, WorkflowStepTransitions, WorkflowSteps,
};

/// The names of all rows of one backend. The lists hold ids in the order of their names, so that a place in them means
/// the same row everywhere.
#[derive(Default)]
pub struct Names {
    names: HashMap<(&'static str, i64), String>,
    hashes: Vec<String>,
    pub(super) tasks: Vec<i64>,
    pub(super) steps: Vec<i64>,
    pub(super) edges: Vec<i64>,
    pub(super) named_tasks: Vec<i64>,
    pub(super) named_steps: Vec<i64>,
    pub(super) links: Vec<i64>,
    pub(super) namespaces: Vec<i64>,
    pub(super) systems: Vec<i64>,
    pub(super) object_maps: Vec<i64>,
    pub(super) annotation_types: Vec<i64>,
    pub(super) annotations: Vec<i64>,
    pub(super) task_transitions: Vec<i64>,
    pub(super) step_transitions: Vec<i64>,
}

/// Columns that hold ids, and of what.
const IDS: [(&str, &str); 14] = [
    ("task_id", Tasks::NAME),
    ("workflow_step_id", WorkflowSteps::NAME),
    ("from_step_id", WorkflowSteps::NAME),
    ("to_step_id", WorkflowSteps::NAME),
    ("named_task_id", NamedTasks::NAME),
    ("named_step_id", NamedSteps::NAME),
    ("task_namespace_id", TaskNamespaces::NAME),
    ("dependent_system_id", DependentSystems::NAME),
    ("dependent_system_one_id", DependentSystems::NAME),
    ("dependent_system_two_id", DependentSystems::NAME),
    ("dependent_system_object_map_id", DependentSystemObjectMaps::NAME),
    ("annotation_type_id", AnnotationTypes::NAME),
    ("task_annotation_id", TaskAnnotations::NAME),
    ("claim", WorkflowStepTransitions::NAME),
];

impl Names {
    /// Reads all rows and names them, those first after which others are named.
    ///
    /// # Panics
    /// When the backend fails, or two rows have one name.
    pub async fn of(records: &dyn Records) -> Self {
        let mut names = Self::default();
        macro_rules! name {
            ($($list:ident: $model:ident by $($column:literal),*;)*) => {
                $(
                    let rows = $model::all().rows(records).await.expect("rows");
                    names.$list = names.add::<$model>(&rows, &[$($column),*]);
                )*
            };
        }
        name! {
            namespaces: TaskNamespaces by "name";
            named_tasks: NamedTasks by "namespace_name", "name", "version";
            systems: DependentSystems by "name";
            named_steps: NamedSteps by "dependent_system_name", "name";
            links: NamedTasksNamedSteps by "named_task_id", "named_step_id";
            tasks: Tasks by "identity_hash";
            steps: WorkflowSteps by "task_id", "name";
            edges: WorkflowStepEdges by "from_step_id", "to_step_id";
            task_transitions: TaskTransitions by "task_id", "sort_key";
            step_transitions: WorkflowStepTransitions by "workflow_step_id", "sort_key";
            annotation_types: AnnotationTypes by "name";
            annotations: TaskAnnotations by "task_id", "annotation_type_id", "created_at";
            object_maps: DependentSystemObjectMaps
                by "dependent_system_one_id", "dependent_system_two_id", "remote_id_one", "remote_id_two";
        }
        names.hashes = names.tasks.iter().map(|id| names.names[&(Tasks::NAME, *id)].clone()).collect();
        names
    }

    fn add<M: Model>(&mut self, rows: &[M::Row], columns: &[&str]) -> Vec<i64> {
        let named = rows.iter().map(|row| {
            let told = self.renamed::<M>(row);
            let words = columns.iter().map(|column| match &told[*column] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            (words.collect::<Vec<_>>().join("/"), M::id(row).into())
        });
        let mut named: Vec<(String, i64)> = named.collect();
        named.sort();
        assert!(named.windows(2).all(|pair| pair[0].0 != pair[1].0), "two {}s have one name", M::NAME);
        self.names.extend(named.iter().map(|(name, id)| ((M::NAME, *id), name.clone())));
        named.into_iter().map(|(_, id)| id).collect()
    }

    /// An identity, or one that no task has.
    pub(super) fn hash(&self, number: usize) -> String {
        self.hashes.get(number % (self.hashes.len() + 1)).cloned().unwrap_or_default()
    }

    /// A row as JSON, with names for ids.
    ///
    /// # Panics
    /// When a row is no JSON object.
    pub fn renamed<M: Model>(&self, row: &M::Row) -> Value {
        let Ok(Value::Object(mut told)) = serde_json::to_value(row) else { panic!("a row is an object") };
        if let Some(id) = told.get("id").and_then(Value::as_i64) {
            told.insert("id".into(), self.name(M::NAME, id));
        }
        self.rename(&mut told);
        if let Some(Value::Object(metadata)) = told.get_mut("metadata") {
            self.rename(metadata);
        }
        // The one row that is there before anything was written.
        if M::NAME == TaskNamespaces::NAME && told["name"] == "default" {
            told.insert("created_at".into(), Value::Null);
            told.insert("updated_at".into(), Value::Null);
        }
        Value::Object(told)
    }

    /// Whatever is told, as JSON with names for ids.
    ///
    /// # Panics
    /// When it is no JSON.
    pub(super) fn told(&self, what: &impl Serialize) -> Value {
        fn rename(names: &Names, value: &mut Value) {
            match value {
                Value::Array(items) => items.iter_mut().for_each(|item| rename(names, item)),
                Value::Object(fields) => names.rename(fields),
                _ => {}
            }
        }
        let mut told = serde_json::to_value(what).expect("it is JSON");
        rename(self, &mut told);
        told
    }

    fn rename(&self, told: &mut Map<String, Value>) {
        for (column, model) in IDS {
            if let Some(id) = told.get(column).and_then(Value::as_i64) {
                told.insert(column.into(), self.name(model, id));
            }
        }
        for column in ["parent_step_ids", "child_step_ids"] {
            for id in told.get_mut(column).and_then(Value::as_array_mut).into_iter().flatten() {
                *id = self.name(WorkflowSteps::NAME, id.as_i64().expect("a list of ids"));
            }
        }
    }

    fn name(&self, model: &'static str, id: i64) -> Value {
        self.names.get(&(model, id)).map_or_else(|| json!(format!("{model} {id}")), |name| json!(name))
    }
}
