//! Rows that belong to rows.

use serde_json::json;
use tasker_engine::records::{
    NewAnnotation, NewEdge, Tasks, WorkflowStepEdges, WorkflowStepTransitions, WorkflowSteps,
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
