//! Rows that go, and rows that stay because something needs them.

use serde_json::json;
use tasker_engine::records::{
    AnnotationTypes, Deletion, DependentSystems, NamedSteps, NamedTasks, NamedTasksNamedSteps, NewAnnotation,
    NewNamed, NewNamedStep, NewNamedTask, NewNamedTasksNamedStep, NewObjectMap, RecordError, TaskAnnotations,
    TaskNamespaces,
};

use super::super::Scene;
use super::super::fixture::at;
use super::{Asking, records};

async fn refused(scene: &Scene, row: Deletion) -> &'static str {
    match records(scene).delete(row).await {
        Err(RecordError::InUse { by, .. }) => by,
        other => panic!("{row:?} was to be in use: {other:?}"),
    }
}

/// What needs it is named, and nothing changes.
pub async fn what_is_in_use_stays(scene: Scene) {
    let task = scene.start("x").await;
    let records = records(&scene);
    let (namespace, named_task, named_step, system) = (
        scene.rows(&TaskNamespaces::custom()).await[0].task_namespace_id,
        scene.ids(&NamedTasks::all()).await[0],
        scene.ids(&NamedSteps::all()).await[0],
        scene.ids(&DependentSystems::all()).await[0],
    );
    assert_eq!(refused(&scene, Deletion::TaskNamespace(namespace)).await, "named tasks");
    assert_eq!(refused(&scene, Deletion::NamedTask(named_task)).await, "tasks");
    assert_eq!(refused(&scene, Deletion::NamedStep(named_step)).await, "workflow steps");
    assert_eq!(refused(&scene, Deletion::DependentSystem(system)).await, "named steps");
    assert_eq!(scene.task(&task).await.steps.len(), 1);
    let link = scene.ids(&NamedTasksNamedSteps::all()).await[0];
    records.delete(Deletion::NamedTasksNamedStep(link)).await.unwrap();
    assert_eq!(refused(&scene, Deletion::NamedStep(named_step)).await, "workflow steps");
    scene.drain(&task, 1).await;
}

/// A workflow takes its links along.
pub async fn what_nobody_needs_goes(scene: Scene) {
    let records = records(&scene);
    let new = NewNamedTask { namespace_name: "gone".into(), ..NewNamedTask::new("t") };
    let task = records.find_or_create_named_task(&new, at(0)).await.unwrap().row();
    let new = NewNamedStep { dependent_system_name: "y".into(), name: "s".into(), description: None };
    let step = records.find_or_create_named_steps(&[new], at(0)).await.unwrap().remove(0);
    let link = NewNamedTasksNamedStep::new(task.named_task_id, step.named_step_id);
    records.find_or_create_named_tasks_named_step(&link, at(0)).await.unwrap();
    assert_eq!(refused(&scene, Deletion::NamedStep(step.named_step_id)).await, "named tasks");
    for row in [
        Deletion::NamedTask(task.named_task_id),
        Deletion::NamedStep(step.named_step_id),
        Deletion::DependentSystem(step.dependent_system_id),
        Deletion::TaskNamespace(task.task_namespace_id),
    ] {
        records.delete(row).await.unwrap();
    }
    assert_eq!(scene.ids(&NamedTasks::all()).await, []);
    assert_eq!(scene.ids(&NamedTasksNamedSteps::all()).await, []);
    assert_eq!(scene.ids(&NamedSteps::all()).await, []);
    assert_eq!(scene.ids(&DependentSystems::all()).await, []);
    assert_eq!(scene.ids(&TaskNamespaces::custom()).await, []);
}

/// Tasks may be made of it at any time.
pub async fn learned_names_stay(scene: Scene) {
    scene.learn("x").await;
    let named_task = scene.ids(&NamedTasks::all()).await[0];
    assert_eq!(refused(&scene, Deletion::NamedTask(named_task)).await, "definitions");
    let link = scene.ids(&NamedTasksNamedSteps::all()).await[0];
    records(&scene).delete(Deletion::NamedTasksNamedStep(link)).await.unwrap();
    let named_step = scene.ids(&NamedSteps::all()).await[0];
    assert_eq!(refused(&scene, Deletion::NamedStep(named_step)).await, "definitions");
    scene.start("x").await;
}

/// Until the map goes.
pub async fn system_of_an_object_map_stays(scene: Scene) {
    let records = records(&scene);
    let new = NewObjectMap {
        system_one: "a".into(),
        remote_id_one: "1".into(),
        system_two: "b".into(),
        remote_id_two: "2".into(),
    };
    let map = records.find_or_create_object_map(&new, at(0)).await.unwrap().row();
    for system in [map.dependent_system_one_id, map.dependent_system_two_id] {
        let by = refused(&scene, Deletion::DependentSystem(system)).await;
        assert_eq!(by, "dependent system object maps");
    }
    records.delete(Deletion::ObjectMap(map.dependent_system_object_map_id)).await.unwrap();
    records.delete(Deletion::DependentSystem(map.dependent_system_two_id)).await.unwrap();
    assert_eq!(scene.ids(&DependentSystems::all()).await, [map.dependent_system_one_id]);
}

/// Of other kinds none goes.
pub async fn annotation_type_goes_with_its_annotations(scene: Scene) {
    let task = scene.start("x").await;
    let records = records(&scene);
    let mut rows = vec![];
    for kind in ["a", "a", "b"] {
        let new = NewAnnotation { task_id: task.id, annotation_type: kind.into(), annotation: json!(kind) };
        rows.push(records.annotate(&new, at(0)).await.unwrap());
    }
    records.delete(Deletion::AnnotationType(rows[0].annotation_type_id)).await.unwrap();
    assert_eq!(scene.ids(&TaskAnnotations::all()).await, [rows[2].task_annotation_id]);
    assert_eq!(scene.ids(&AnnotationTypes::all()).await, [rows[2].annotation_type_id]);
    records.delete(Deletion::Annotation(rows[2].task_annotation_id)).await.unwrap();
    assert_eq!(scene.ids(&TaskAnnotations::all()).await, []);
    let again = records.find_or_create_annotation_type(&NewNamed::new("a"), at(1)).await.unwrap().row();
    assert_ne!(again.annotation_type_id, rows[0].annotation_type_id, "numbers are not used again");
}

/// Of every kind.
pub async fn deleting_what_is_not_there_is_told(scene: Scene) {
    for row in [
        Deletion::TaskNamespace((-1).into()),
        Deletion::NamedTask((-1).into()),
        Deletion::NamedStep((-1).into()),
        Deletion::NamedTasksNamedStep((-1).into()),
        Deletion::DependentSystem((-1).into()),
        Deletion::ObjectMap((-1).into()),
        Deletion::AnnotationType((-1).into()),
        Deletion::Annotation((-1).into()),
    ] {
        let error = records(&scene).delete(row).await.unwrap_err();
        assert!(matches!(error, RecordError::NotFound { id: -1, .. }), "{row:?}: {error}");
    }
}
