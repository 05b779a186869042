//! Rows that belong to rows.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::json;
use tasker_engine::records::{
    AnnotationTypes, DependentSystemObjectMaps, DependentSystems, Model, NamedSteps, NamedTasks,
    NamedTasksNamedSteps, NewAnnotation, NewEdge, NewObjectMap, RecordError, Records, Scope,
    StepDagRelationships, Table, TaskAnnotations, TaskNamespaces, TaskTransitions, Tasks, WorkflowStepEdges,
    WorkflowStepTransitions, WorkflowSteps,
};

use super::super::Scene;
use super::super::fixture::at;
use super::{Asking, records};

/// In the order in which they were given, also twice.
pub async fn rows_of_many_are_loaded_for_each(scene: Scene) {
    let one = scene.start("a -> b").await;
    let two = scene.start("c").await;
    scene.claim(&two, "c").await;
    let records = records(&scene);
    let rows = scene.rows(&Tasks::all().descending(tasker_engine::records::TaskColumn::TaskId)).await;
    let rows = [rows[0].clone(), rows[1].clone(), rows[0].clone()];
    let steps = Tasks::STEPS.load(records, &rows).await.unwrap();
    let names: Vec<Vec<_>> =
        steps.iter().map(|steps| steps.iter().map(|step| step.name.as_str()).collect()).collect();
    assert_eq!(names, [vec!["c"], vec!["a", "b"], vec!["c"]]);
    let moves = Tasks::TRANSITIONS.load(records, &rows).await.unwrap();
    assert_eq!(moves.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
    let named = Tasks::NAMED_TASK.load(records, &rows).await.unwrap();
    assert!(
        named.iter().zip(&rows).all(|(named, row)| named.as_ref().unwrap().full_name() == row.full_name())
    );
    let steps = scene.rows(&WorkflowSteps::of_tasks([one.id, two.id])).await;
    let owners = WorkflowSteps::TASK.load(records, &steps).await.unwrap();
    assert!(owners.iter().zip(&steps).all(|(owner, step)| owner.as_ref().unwrap().task_id == step.task_id));
    let rows = scene.rows(&WorkflowStepTransitions::for_task(two.id)).await;
    let moved = WorkflowStepTransitions::WORKFLOW_STEP.load(records, &rows).await.unwrap();
    assert_eq!(moved[0].as_ref().unwrap().workflow_step_id, two.step("c"));
}

/// The reference has one for each edge.
pub async fn parents_and_children_are_distinct_and_ascend(scene: Scene) {
    let task = scene.start("a -> d, c -> d, b -> d, d -> e").await;
    let steps = scene.rows(&WorkflowSteps::for_task(task.id)).await;
    let parents = WorkflowSteps::PARENTS.load(records(&scene), &steps).await.unwrap();
    let children = WorkflowSteps::CHILDREN.load(records(&scene), &steps).await.unwrap();
    let place = |name: &str| steps.iter().position(|step| step.name == name).unwrap();
    let ids = |rows: &[tasker_engine::records::WorkflowStepRow]| -> Vec<_> {
        rows.iter().map(|row| row.workflow_step_id).collect()
    };
    let mut expected = [task.step("a"), task.step("b"), task.step("c")];
    expected.sort();
    assert_eq!(ids(&parents[place("d")]), expected);
    assert_eq!(ids(&children[place("d")]), [task.step("e")]);
    assert_eq!(ids(&children[place("a")]), [task.step("d")]);
    assert!(parents[place("a")].is_empty() && children[place("e")].is_empty());
}

/// As the scope of one step tells them.
pub async fn siblings_of_many_steps_are_those_of_each(scene: Scene) {
    let task = scene.start("p -> a, q -> a, p -> b, q -> b, p -> c, p -> d").await;
    let other = scene.start("p -> a, p -> b").await;
    let steps = scene.rows(&WorkflowSteps::of_tasks([task.id, other.id])).await;
    let siblings = WorkflowSteps::SIBLINGS.load(records(&scene), &steps).await.unwrap();
    for (step, siblings) in steps.iter().zip(siblings) {
        let edges = scene.rows(&WorkflowStepEdges::siblings_of(step.workflow_step_id)).await;
        let mut expected: Vec<_> = edges.iter().map(|edge| edge.to_step_id).collect();
        expected.sort();
        expected.dedup();
        let found: Vec<_> = siblings.iter().map(|sibling| sibling.workflow_step_id).collect();
        assert_eq!(found, expected, "{}", step.name);
    }
}

/// Nothing is missing.
pub async fn tasks_come_with_all_that_belongs_to_them(scene: Scene) {
    let task = scene.start("a -> b").await;
    scene.start("").await;
    let records = records(&scene);
    let new = NewAnnotation { task_id: task.id, annotation_type: "note".into(), annotation: json!(1) };
    records.annotate(&new, at(0)).await.unwrap();
    let edge = NewEdge::provides(task.step("a"), task.step("b"));
    records.create_edge(&edge, at(0)).await.unwrap();
    scene.claim(&task, "a").await;
    let all = Tasks::all().with_all_associated(records).await.unwrap();
    assert_eq!(all.len(), 2);
    let one = &all[0];
    assert_eq!(one.task.task_id, task.id);
    assert_eq!(one.named_task.named_task_id, one.task.named_task_id);
    assert_eq!(one.task_namespace.name, one.task.namespace_name);
    assert_eq!(one.task_annotations[0].annotation_type_name, "note");
    assert_eq!(one.task_transitions.len(), 1);
    let [a, b] = &one.workflow_steps[..] else { panic!("{one:?}") };
    assert_eq!((a.named_step.name.as_str(), b.named_step.name.as_str()), ("a", "b"));
    assert_eq!((&a.parents[..], &a.children[..]), (&[][..], &[task.step("b")][..]));
    assert_eq!((&b.parents[..], &b.children[..]), (&[task.step("a")][..], &[][..]));
    assert!(all[1].workflow_steps.is_empty());
}

/// And ask nothing that could fail.
pub async fn associations_of_nothing_are_nothing(scene: Scene) {
    let records = records(&scene);
    assert!(Tasks::STEPS.load(records, &[]).await.unwrap().is_empty());
    assert!(Tasks::NAMED_TASK.load(records, &[]).await.unwrap().is_empty());
    assert!(WorkflowSteps::PARENTS.load(records, &[]).await.unwrap().is_empty());
    assert!(WorkflowSteps::SIBLINGS.load(records, &[]).await.unwrap().is_empty());
    assert!(Tasks::all().with_all_associated(records).await.unwrap().is_empty());
}

/// A backend whose statements are counted.
struct Counted<'a> {
    records: &'a dyn Records,
    statements: AtomicUsize,
}

impl Counted<'_> {
    fn one_more(&self) -> &dyn Records {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.records
    }
}

#[async_trait]
impl<M: Model> Table<M> for Counted<'_>
where
    for<'r> dyn Records + 'r: Table<M>,
{
    async fn rows(&self, scope: &Scope<M>) -> Result<Vec<M::Row>, RecordError> {
        Table::<M>::rows(self.one_more(), scope).await
    }

    async fn ids(&self, scope: &Scope<M>) -> Result<Vec<M::Id>, RecordError> {
        Table::<M>::ids(self.one_more(), scope).await
    }

    async fn count(&self, scope: &Scope<M>) -> Result<u64, RecordError> {
        Table::<M>::count(self.one_more(), scope).await
    }

    async fn exists(&self, scope: &Scope<M>) -> Result<bool, RecordError> {
        Table::<M>::exists(self.one_more(), scope).await
    }
}

/// Whatever it is, and whatever it loads.
pub async fn association_of_a_thousand_rows_takes_two_statements_at_most(scene: Scene) {
    let definition = scene.learn("p -> a, p -> b").await;
    let tasks = (0..1000).map(|_| scene.request(&definition)).collect();
    scene.storage().create(tasks, at(0)).await.expect("created");
    let task = scene.rows(&Tasks::all().limit(1)).await.remove(0);
    let new = NewAnnotation { task_id: task.task_id, annotation_type: "note".into(), annotation: json!(1) };
    records(&scene).annotate(&new, at(0)).await.unwrap();
    let map = NewObjectMap {
        system_one: "a".into(),
        remote_id_one: "1".into(),
        system_two: "b".into(),
        remote_id_two: "2".into(),
    };
    records(&scene).find_or_create_object_map(&map, at(0)).await.unwrap();
    let counted = Counted { records: records(&scene), statements: AtomicUsize::new(0) };
    macro_rules! count {
        ($($model:ident { $($name:ident: $most:literal),* $(,)? })*) => {
            $({
                let rows = scene.rows(&$model::all().limit(1000)).await;
                $(
                    counted.statements.store(0, Ordering::Relaxed);
                    let loaded = $model::$name.load(&counted, &rows).await.unwrap();
                    assert_eq!(loaded.len(), rows.len());
                    let statements = counted.statements.load(Ordering::Relaxed);
                    assert_eq!(statements, $most, "{}::{}", stringify!($model), stringify!($name));
                )*
            })*
        };
    }
    count! {
        Tasks { NAMED_TASK: 1, STEPS: 1, ANNOTATIONS: 1, ANNOTATION_TYPES: 2, TRANSITIONS: 1 }
        WorkflowSteps {
            TASK: 1, NAMED_STEP: 1, INCOMING_EDGES: 1, OUTGOING_EDGES: 1, PARENTS: 2, CHILDREN: 2, SIBLINGS: 2,
            TRANSITIONS: 1, STEP_DAG_RELATIONSHIP: 1,
        }
        WorkflowStepEdges { FROM_STEP: 1, TO_STEP: 1 }
        NamedTasks { TASK_NAMESPACE: 1, TASKS: 1, NAMED_TASKS_NAMED_STEPS: 1, NAMED_STEPS: 2 }
        NamedSteps { DEPENDENT_SYSTEM: 1, WORKFLOW_STEPS: 1, NAMED_TASKS_NAMED_STEPS: 1 }
        NamedTasksNamedSteps { NAMED_TASK: 1, NAMED_STEP: 1 }
        TaskNamespaces { NAMED_TASKS: 1 }
        TaskTransitions { TASK: 1 }
        WorkflowStepTransitions { WORKFLOW_STEP: 1, TASK: 1 }
        TaskAnnotations { TASK: 1, ANNOTATION_TYPE: 1 }
        AnnotationTypes { ANNOTATIONS: 1 }
        DependentSystems { NAMED_STEPS: 1, OBJECT_MAPS_AS_ONE: 1, OBJECT_MAPS_AS_TWO: 1 }
        DependentSystemObjectMaps { DEPENDENT_SYSTEM_ONE: 1, DEPENDENT_SYSTEM_TWO: 1 }
        StepDagRelationships { WORKFLOW_STEP: 1, TASK: 1 }
    }
}
