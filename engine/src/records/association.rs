//! Rows that belong to rows: of a thousand at once, in one statement, or two where a table lies between.
//!
//! ```
//! # use tasker::prelude::*;
//! use tasker::records::{Tasks, WorkflowSteps};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let engine = Engine::in_memory();
//! let records = engine.records().expect("both of our backends have records");
//! let tasks = Tasks::active().limit(1000).rows(records).await?;
//! let steps = Tasks::STEPS.load(records, &tasks).await?;
//! for (task, steps) in tasks.iter().zip(&steps) {
//!     println!("{}: {} steps", task.full_name(), steps.len());
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::{BTreeSet, HashMap};

use super::{
    AnnotationTypes, DependentSystemObjectMaps, DependentSystems, Model, NamedSteps, NamedTasks,
    NamedTasksNamedSteps, RecordError, Scope, StepDagRelationships, Table, TaskAnnotations, TaskNamespaces,
    TaskTransitions, Tasks, WorkflowStepEdges, WorkflowStepTransitions, WorkflowSteps,
};
use crate::StepId;

/// Each row of `A` names one row of `B`.
pub struct BelongsTo<A: Model, B: Model> {
    key: fn(&A::Row) -> B::Id,
    with: fn(Vec<B::Id>) -> Scope<B>,
}

/// Rows of `B` name the row of `A` to which they belong.
pub struct HasMany<A: Model, B: Model> {
    of: fn(Vec<A::Id>) -> Scope<B>,
    key: fn(&B::Row) -> A::Id,
}

/// Rows of `J` lie between those of `A` and of `B`.
pub struct Through<A: Model, J: Model, B: Model> {
    many: HasMany<A, J>,
    one: BelongsTo<J, B>,
}

impl<A: Model, B: Model> BelongsTo<A, B> {
    /// For each row the one that it names; `None` when that went away between two statements.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn load(
        &self,
        records: &(impl Table<B> + ?Sized),
        rows: &[A::Row],
    ) -> Result<Vec<Option<B::Row>>, RecordError> {
        let ids = distinct(rows.iter().map(self.key));
        let found = (self.with)(ids).rows(records).await?;
        let found: HashMap<B::Id, B::Row> = found.into_iter().map(|row| (B::id(&row), row)).collect();
        Ok(rows.iter().map(|row| found.get(&(self.key)(row)).cloned()).collect())
    }
}

impl<A: Model, B: Model> HasMany<A, B> {
    /// For each row those that belong to it, ascending by id.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn load(
        &self,
        records: &(impl Table<B> + ?Sized),
        rows: &[A::Row],
    ) -> Result<Vec<Vec<B::Row>>, RecordError> {
        let ids = distinct(rows.iter().map(A::id));
        let mut found: HashMap<A::Id, Vec<B::Row>> = HashMap::new();
        for row in (self.of)(ids).rows(records).await? {
            found.entry((self.key)(&row)).or_default().push(row);
        }
        Ok(rows.iter().map(|row| found.get(&A::id(row)).cloned().unwrap_or_default()).collect())
    }
}

impl<A: Model, J: Model, B: Model> Through<A, J, B> {
    /// For each row the distinct ones at the other end, ascending by id.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn load(
        &self,
        records: &(impl Table<J> + Table<B> + ?Sized),
        rows: &[A::Row],
    ) -> Result<Vec<Vec<B::Row>>, RecordError> {
        let between = self.many.load(records, rows).await?;
        let keys: Vec<BTreeSet<B::Id>> =
            between.iter().map(|rows| rows.iter().map(self.one.key).collect()).collect();
        let found = (self.one.with)(distinct(keys.iter().flatten().copied())).rows(records).await?;
        let found: HashMap<B::Id, B::Row> = found.into_iter().map(|row| (B::id(&row), row)).collect();
        let of = |keys: BTreeSet<B::Id>| keys.iter().filter_map(|id| found.get(id).cloned()).collect();
        Ok(keys.into_iter().map(of).collect())
    }
}

fn distinct<I: Ord>(ids: impl Iterator<Item = I>) -> Vec<I> {
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Steps of one task that have exactly the same parents.
pub struct Siblings(());

impl Siblings {
    /// For each step the others that have exactly its parents, ascending by id. A step without parents has none.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn load<R>(
        &self,
        records: &R,
        rows: &[super::WorkflowStepRow],
    ) -> Result<Vec<Vec<super::WorkflowStepRow>>, RecordError>
    where
        R: Table<WorkflowSteps> + Table<WorkflowStepEdges> + ?Sized,
    {
        let tasks = distinct(rows.iter().map(|step| step.task_id));
        let mut parents: HashMap<StepId, BTreeSet<StepId>> = HashMap::new();
        for edge in WorkflowStepEdges::of_tasks(tasks).rows(records).await? {
            parents.entry(edge.to_step_id).or_default().insert(edge.from_step_id);
        }
        let mut families: HashMap<&BTreeSet<StepId>, BTreeSet<StepId>> = HashMap::new();
        for (step, parents) in &parents {
            families.entry(parents).or_default().insert(*step);
        }
        let family = |step: StepId| parents.get(&step).and_then(|parents| families.get(parents));
        let siblings = |step: StepId| family(step).into_iter().flatten().filter(move |other| **other != step);
        let ids = distinct(rows.iter().flat_map(|row| siblings(row.workflow_step_id)).copied());
        let found = WorkflowSteps::with_ids(ids).rows(records).await?;
        let found: HashMap<StepId, _> = found.into_iter().map(|row| (row.workflow_step_id, row)).collect();
        let of = |step| siblings(step).filter_map(|sibling| found.get(sibling).cloned()).collect();
        Ok(rows.iter().map(|row| of(row.workflow_step_id)).collect())
    }
}

macro_rules! associations {
    ($($model:ident { $($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)* })*) => {
        $(impl $model {
            $($(#[$doc])* pub const $name: $type = $value;)*
        })*
    };
}

/// `belongs!(column, scope)`.
macro_rules! belongs {
    ($column:ident, $to:ident) => {
        BelongsTo { key: |row| row.$column, with: |ids| $to::with_ids(ids) }
    };
}

/// `many!(model.scope, column)`.
macro_rules! many {
    ($to:ident . $of:ident, $column:ident) => {
        HasMany { of: |ids| $to::$of(ids), key: |row| row.$column }
    };
}

associations! {
    Tasks {
        /// What each is a run of.
        NAMED_TASK: BelongsTo<Self, NamedTasks> = belongs!(named_task_id, NamedTasks);
        /// Their steps.
        STEPS: HasMany<Self, WorkflowSteps> = many!(WorkflowSteps.of_tasks, task_id);
        /// Notes about them.
        ANNOTATIONS: HasMany<Self, TaskAnnotations> = many!(TaskAnnotations.of_tasks, task_id);
        /// Of what kinds these are.
        ANNOTATION_TYPES: Through<Self, TaskAnnotations, AnnotationTypes> =
            Through { many: Self::ANNOTATIONS, one: TaskAnnotations::ANNOTATION_TYPE };
        /// Their moves.
        TRANSITIONS: HasMany<Self, TaskTransitions> = many!(TaskTransitions.of_tasks, task_id);
    }
    WorkflowSteps {
        /// Their tasks.
        TASK: BelongsTo<Self, Tasks> = belongs!(task_id, Tasks);
        /// What they are called, and in which systems.
        NAMED_STEP: BelongsTo<Self, NamedSteps> = belongs!(named_step_id, NamedSteps);
        /// The edges that lead to them.
        INCOMING_EDGES: HasMany<Self, WorkflowStepEdges> = many!(WorkflowStepEdges.to_steps, to_step_id);
        /// The edges that lead from them.
        OUTGOING_EDGES: HasMany<Self, WorkflowStepEdges> = many!(WorkflowStepEdges.from_steps, from_step_id);
        /// The steps that they wait for.
        PARENTS: Through<Self, WorkflowStepEdges, Self> =
            Through { many: Self::INCOMING_EDGES, one: WorkflowStepEdges::FROM_STEP };
        /// The steps that wait for them.
        CHILDREN: Through<Self, WorkflowStepEdges, Self> =
            Through { many: Self::OUTGOING_EDGES, one: WorkflowStepEdges::TO_STEP };
        /// Other steps that have exactly the same parents.
        SIBLINGS: Siblings = Siblings(());
        /// Their moves.
        TRANSITIONS: HasMany<Self, WorkflowStepTransitions> =
            many!(WorkflowStepTransitions.of_steps, workflow_step_id);
        /// Where they stand in their graphs.
        STEP_DAG_RELATIONSHIP: BelongsTo<Self, StepDagRelationships> =
            belongs!(workflow_step_id, StepDagRelationships);
    }
    StepDagRelationships {
        /// The steps.
        WORKFLOW_STEP: BelongsTo<Self, WorkflowSteps> = belongs!(workflow_step_id, WorkflowSteps);
        /// Their tasks.
        TASK: BelongsTo<Self, Tasks> = belongs!(task_id, Tasks);
    }
    WorkflowStepEdges {
        /// The parents.
        FROM_STEP: BelongsTo<Self, WorkflowSteps> = belongs!(from_step_id, WorkflowSteps);
        /// The children.
        TO_STEP: BelongsTo<Self, WorkflowSteps> = belongs!(to_step_id, WorkflowSteps);
    }
    NamedTasks {
        /// Their namespaces.
        TASK_NAMESPACE: BelongsTo<Self, TaskNamespaces> = belongs!(task_namespace_id, TaskNamespaces);
        /// Their runs.
        TASKS: HasMany<Self, Tasks> = many!(Tasks.of_named_tasks, named_task_id);
        /// How steps stand in them.
        NAMED_TASKS_NAMED_STEPS: HasMany<Self, NamedTasksNamedSteps> =
            many!(NamedTasksNamedSteps.of_named_tasks, named_task_id);
        /// What their steps are called.
        NAMED_STEPS: Through<Self, NamedTasksNamedSteps, NamedSteps> =
            Through { many: Self::NAMED_TASKS_NAMED_STEPS, one: NamedTasksNamedSteps::NAMED_STEP };
    }
    NamedSteps {
        /// Their systems.
        DEPENDENT_SYSTEM: BelongsTo<Self, DependentSystems> = belongs!(dependent_system_id, DependentSystems);
        /// Steps of tasks that are called so.
        WORKFLOW_STEPS: HasMany<Self, WorkflowSteps> = many!(WorkflowSteps.of_named_steps, named_step_id);
        /// In which workflows they stand.
        NAMED_TASKS_NAMED_STEPS: HasMany<Self, NamedTasksNamedSteps> =
            many!(NamedTasksNamedSteps.of_named_steps, named_step_id);
    }
    NamedTasksNamedSteps {
        /// The workflows.
        NAMED_TASK: BelongsTo<Self, NamedTasks> = belongs!(named_task_id, NamedTasks);
        /// The steps.
        NAMED_STEP: BelongsTo<Self, NamedSteps> = belongs!(named_step_id, NamedSteps);
    }
    TaskNamespaces {
        /// Workflows in them.
        NAMED_TASKS: HasMany<Self, NamedTasks> = many!(NamedTasks.of_namespaces, task_namespace_id);
    }
    TaskTransitions {
        /// What moved.
        TASK: BelongsTo<Self, Tasks> = belongs!(task_id, Tasks);
    }
    WorkflowStepTransitions {
        /// What moved.
        WORKFLOW_STEP: BelongsTo<Self, WorkflowSteps> = belongs!(workflow_step_id, WorkflowSteps);
        /// The task of that.
        TASK: BelongsTo<Self, Tasks> = belongs!(task_id, Tasks);
    }
    TaskAnnotations {
        /// What they are about.
        TASK: BelongsTo<Self, Tasks> = belongs!(task_id, Tasks);
        /// Of what kinds they are.
        ANNOTATION_TYPE: BelongsTo<Self, AnnotationTypes> = belongs!(annotation_type_id, AnnotationTypes);
    }
    AnnotationTypes {
        /// Notes of those kinds.
        ANNOTATIONS: HasMany<Self, TaskAnnotations> = many!(TaskAnnotations.of_types, annotation_type_id);
    }
    DependentSystems {
        /// What steps are called in them.
        NAMED_STEPS: HasMany<Self, NamedSteps> = many!(NamedSteps.of_systems, dependent_system_id);
        /// Maps in which they are number one.
        OBJECT_MAPS_AS_ONE: HasMany<Self, DependentSystemObjectMaps> =
            many!(DependentSystemObjectMaps.with_system_one, dependent_system_one_id);
        /// Maps in which they are number two.
        OBJECT_MAPS_AS_TWO: HasMany<Self, DependentSystemObjectMaps> =
            many!(DependentSystemObjectMaps.with_system_two, dependent_system_two_id);
    }
    DependentSystemObjectMaps {
        /// Number one.
        DEPENDENT_SYSTEM_ONE: BelongsTo<Self, DependentSystems> =
            belongs!(dependent_system_one_id, DependentSystems);
        /// Number two.
        DEPENDENT_SYSTEM_TWO: BelongsTo<Self, DependentSystems> =
            belongs!(dependent_system_two_id, DependentSystems);
    }
}
