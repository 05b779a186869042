//! Rows that are written beside what the engine writes.

use serde_json::{Value, json};
use tasker_engine::records::{
    AnnotationTypes, DependentSystemObjectMaps, DependentSystems, Fault, Kept, NamedSteps, NamedTasks,
    NamedTasksNamedSteps, NewAnnotation, NewNamed, NewNamedStep, NewNamedTask, NewNamedTasksNamedStep,
    NewObjectMap, RecordError, TaskAnnotations, TaskNamespaces,
};

use super::super::Scene;
use super::super::fixture::{all_at_once, at};
use super::{Asking, faults, records};

fn named_step(system: &str, name: &str) -> NewNamedStep {
    NewNamedStep { dependent_system_name: system.into(), name: name.into(), description: None }
}

fn object_map(system_one: &str, one: &str, system_two: &str, two: &str) -> NewObjectMap {
    NewObjectMap {
        system_one: system_one.into(),
        remote_id_one: one.into(),
        system_two: system_two.into(),
        remote_id_two: two.into(),
    }
}

/// Blanks around the name belong to it, and `default` is there from the beginning.
pub async fn namespace_is_written_once(scene: Scene) {
    let records = records(&scene);
    let new = NewNamed { description: Some("money".into()), ..NewNamed::new("payments") };
    let Kept::Created(written) = records.find_or_create_task_namespace(&new, at(1)).await.unwrap() else {
        panic!("it was not there")
    };
    assert_eq!((written.created_at, written.description.as_deref()), (at(1), Some("money")));
    let again = records.find_or_create_task_namespace(&NewNamed::new("payments"), at(2)).await.unwrap();
    assert_eq!(again, Kept::Found(written));
    assert!(matches!(again.created("name"), Err(RecordError::Invalid(_))), "as the reference refuses it");
    records.find_or_create_task_namespace(&NewNamed::new("  payments  "), at(2)).await.unwrap();
    let found = records.find_or_create_task_namespace(&NewNamed::new("default"), at(2)).await.unwrap();
    assert_eq!(found.row().task_namespace_id.0, 1);
    let names: Vec<_> = scene.rows(&TaskNamespaces::custom()).await.into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["payments", "  payments  "]);
}

/// With the defaults of the reference.
pub async fn named_task_brings_its_namespace_and_stays_as_it_is(scene: Scene) {
    let records = records(&scene);
    let plain = records.find_or_create_named_task(&NewNamedTask::new("import"), at(0)).await.unwrap().row();
    assert_eq!((plain.full_name(), &*plain.configuration), ("default.import@0.1.0".into(), &json!({})));
    let new = NewNamedTask {
        namespace_name: "shop".into(),
        description: Some("sells".into()),
        configuration: json!({ "concurrent": false }).as_object().unwrap().clone(),
        ..NewNamedTask::new("import")
    };
    let written = records.find_or_create_named_task(&new, at(1)).await.unwrap().row();
    assert_eq!(written.namespace_name, "shop");
    assert_eq!((written.description.as_deref(), written.concurrent()), (Some("sells"), false));
    let other = NewNamedTask { description: None, configuration: Default::default(), ..new };
    assert_eq!(records.find_or_create_named_task(&other, at(2)).await.unwrap(), Kept::Found(written));
    assert_eq!(scene.ids(&NamedTasks::named("import")).await.len(), 2);
}

/// What is no object is replaced.
pub async fn configuration_is_merged_all_the_way_down(scene: Scene) {
    let records = records(&scene);
    let configuration = json!({ "a": { "b": 1, "c": [1] }, "d": 1e17 });
    let new = NewNamedTask {
        configuration: configuration.as_object().unwrap().clone(),
        ..NewNamedTask::new("import")
    };
    let id = records.find_or_create_named_task(&new, at(0)).await.unwrap().row().named_task_id;
    let changes = json!({ "a": { "c": 2, "e": null }, "f": {} });
    let row = records.update_config(id, changes.as_object().unwrap(), at(5)).await.unwrap();
    let expected = json!({ "a": { "b": 1, "c": 2, "e": null }, "d": 100_000_000_000_000_000_u64, "f": {} });
    assert_eq!((&*row.configuration, row.updated_at), (&expected, at(5)));
    assert_eq!(scene.rows(&NamedTasks::with_ids([id])).await, [row]);
    let refused = records.update_config((-1).into(), &Default::default(), at(5)).await.unwrap_err();
    assert!(matches!(refused, RecordError::NotFound { .. }), "{refused}");
    let unstorable = json!({ "\0": 1 });
    let refused = records.update_config(id, unstorable.as_object().unwrap(), at(6)).await.unwrap_err();
    assert_eq!(faults(refused)[0].0, "configuration");
}

/// One row for each that was asked for; the same for the same.
pub async fn named_steps_come_in_the_order_asked_for(scene: Scene) {
    let records = records(&scene);
    let asked = [
        named_step("warehouse", "pick"),
        named_step("bank", "charge"),
        named_step("warehouse", "pick"),
        named_step("bank", "pick"),
    ];
    let rows = records.find_or_create_named_steps(&asked, at(0)).await.unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| (row.dependent_system_name.as_str(), row.name.as_str())).collect();
    assert_eq!(told, [("warehouse", "pick"), ("bank", "charge"), ("warehouse", "pick"), ("bank", "pick")]);
    assert_eq!(rows[0], rows[2]);
    assert_ne!(rows[0].named_step_id, rows[3].named_step_id, "unique in its system");
    assert_eq!(scene.ids(&NamedSteps::all()).await.len(), 3);
    assert!(records.find_or_create_named_steps(&[], at(0)).await.unwrap().is_empty());
}

/// Options count only for a new row.
pub async fn link_is_found_unchanged(scene: Scene) {
    let records = records(&scene);
    let task = records.find_or_create_named_task(&NewNamedTask::new("import"), at(0)).await.unwrap().row();
    let step = records.find_or_create_named_steps(&[named_step("bank", "charge")], at(0)).await.unwrap();
    let new = NewNamedTasksNamedStep::new(task.named_task_id, step[0].named_step_id);
    let written = records.find_or_create_named_tasks_named_step(&new, at(0)).await.unwrap().row();
    assert_eq!((written.default_retry_limit, written.default_retryable, written.skippable), (3, true, false));
    assert_eq!((written.task_name.as_str(), written.step_name.as_str()), ("import", "charge"));
    let other = NewNamedTasksNamedStep { default_retry_limit: 7, skippable: true, ..new };
    let found = records.find_or_create_named_tasks_named_step(&other, at(1)).await.unwrap();
    assert_eq!(found, Kept::Found(written));
    let scope = NamedTasksNamedSteps::named_steps_for_named_task(task.named_task_id);
    assert_eq!(scene.ids(&scope).await.len(), 1);
}

/// The missing one is named.
pub async fn link_to_nothing_is_refused(scene: Scene) {
    let records = records(&scene);
    let task = records.find_or_create_named_task(&NewNamedTask::new("import"), at(0)).await.unwrap().row();
    for (task, step, field) in
        [((-1).into(), (-1).into(), "named_task"), (task.named_task_id, (-1).into(), "named_step")]
    {
        let new = NewNamedTasksNamedStep::new(task, step);
        let refused = records.find_or_create_named_tasks_named_step(&new, at(0)).await.unwrap_err();
        assert_eq!(faults(refused), [(field, Fault::MustExist)]);
    }
}

/// Stored in one order; ids that changed places are another thing.
pub async fn object_map_is_found_whichever_way_round(scene: Scene) {
    let records = records(&scene);
    for name in ["bank", "warehouse"] {
        records.find_or_create_dependent_system(&NewNamed::new(name), at(0)).await.unwrap();
    }
    let map = records.find_or_create_object_map(&object_map("warehouse", "w1", "bank", "b1"), at(0)).await;
    let Kept::Created(map) = map.unwrap() else { panic!("it was not there") };
    assert!(map.dependent_system_one_id < map.dependent_system_two_id);
    assert_eq!((map.remote_id_one.as_str(), map.remote_id_two.as_str()), ("b1", "w1"));
    for again in [object_map("bank", "b1", "warehouse", "w1"), object_map("warehouse", "w1", "bank", "b1")] {
        let found = records.find_or_create_object_map(&again, at(1)).await.unwrap();
        assert_eq!(found, Kept::Found(map.clone()));
    }
    let swapped = object_map("bank", "w1", "warehouse", "b1");
    assert!(matches!(records.find_or_create_object_map(&swapped, at(1)).await.unwrap(), Kept::Created(_)));
    assert_eq!(map.remote_id_in(map.dependent_system_two_id), Some("w1"));
}

/// The lower id comes first.
pub async fn object_map_within_one_system_is_found_whichever_way_round(scene: Scene) {
    let records = records(&scene);
    let map = records.find_or_create_object_map(&object_map("bank", "z", "bank", "a"), at(0)).await.unwrap();
    let Kept::Created(map) = map else { panic!("it was not there") };
    assert_eq!((map.remote_id_one.as_str(), map.remote_id_two.as_str()), ("a", "z"));
    let again =
        records.find_or_create_object_map(&object_map("bank", "a", "bank", "z"), at(0)).await.unwrap();
    assert_eq!(again, Kept::Found(map));
}

/// Not the systems either.
pub async fn object_map_without_an_id_writes_nothing(scene: Scene) {
    let records = records(&scene);
    let refused = records.find_or_create_object_map(&object_map("bank", " ", "warehouse", ""), at(0)).await;
    let expected = [("remote_id_one", Fault::Blank), ("remote_id_two", Fault::Blank)];
    assert_eq!(faults(refused.unwrap_err()), expected);
    assert_eq!(scene.ids(&DependentSystems::all()).await, []);
    assert_eq!(scene.ids(&DependentSystemObjectMaps::all()).await, []);
}

/// Two may say the same.
pub async fn annotation_brings_its_type_and_may_be_null(scene: Scene) {
    let task = scene.start("x").await;
    for _ in 0..2 {
        let new = NewAnnotation { task_id: task.id, annotation_type: "note".into(), annotation: Value::Null };
        let row = records(&scene).annotate(&new, at(3)).await.unwrap();
        assert_eq!((row.annotation_type_name.as_str(), &*row.annotation), ("note", &Value::Null));
        assert_eq!((row.created_at, row.updated_at), (at(3), at(3)));
    }
    assert_eq!(scene.ids(&AnnotationTypes::named("note")).await.len(), 1);
    assert_eq!(scene.ids(&TaskAnnotations::of_tasks([task.id])).await.len(), 2);
}

/// And be storable.
pub async fn annotation_can_be_changed_and_must_be_about_a_task(scene: Scene) {
    let task = scene.start("x").await;
    let records = records(&scene);
    let new =
        NewAnnotation { task_id: task.id, annotation_type: "note".into(), annotation: json!({ "a": 1 }) };
    let row = records.annotate(&new, at(0)).await.unwrap();
    let changed = records.update_annotation(row.task_annotation_id, &json!([1e17]), at(1)).await.unwrap();
    assert_eq!(*changed.annotation, json!([100_000_000_000_000_000_u64]));
    assert_eq!((changed.created_at, changed.updated_at), (at(0), at(1)));
    let refused = records.update_annotation(row.task_annotation_id, &json!("\0"), at(2)).await.unwrap_err();
    assert_eq!(faults(refused)[0].0, "annotation");
    assert_eq!(scene.rows(&TaskAnnotations::all()).await, [changed]);
    let refused = records.update_annotation((-1).into(), &json!(1), at(2)).await.unwrap_err();
    assert!(matches!(refused, RecordError::NotFound { .. }), "{refused}");
    let nobody =
        NewAnnotation { task_id: (-1).into(), annotation_type: "fresh".into(), annotation: json!(1) };
    let refused = records.annotate(&nobody, at(2)).await.unwrap_err();
    assert_eq!(faults(refused), [("task", Fault::MustExist)]);
    assert_eq!(scene.ids(&AnnotationTypes::named("fresh")).await, [], "nothing was written");
}

/// By their fields.
pub async fn faults_are_told_together_and_nothing_is_written(scene: Scene) {
    let records = records(&scene);
    let long = |letters: usize| "ü".repeat(letters);
    let new = NewNamed { name: long(65), description: Some(long(256)) };
    let expected = [("name", Fault::TooLong { max: 64 }), ("description", Fault::TooLong { max: 255 })];
    assert_eq!(faults(records.find_or_create_task_namespace(&new, at(0)).await.unwrap_err()), expected);
    assert_eq!(faults(records.find_or_create_dependent_system(&new, at(0)).await.unwrap_err()), expected);
    assert_eq!(faults(records.find_or_create_annotation_type(&new, at(0)).await.unwrap_err()), expected);
    for blank in ["", " \t\n"] {
        let refused = records.find_or_create_annotation_type(&NewNamed::new(blank), at(0)).await.unwrap_err();
        assert_eq!(faults(refused), [("name", Fault::Blank)]);
    }
    let nul = records.find_or_create_dependent_system(&NewNamed::new("a\0"), at(0)).await.unwrap_err();
    assert!(matches!(&faults(nul)[..], [("name", Fault::NotStorable(_))]));
    for version in ["1", "1.0", "v1.0.0", "1.0.0-beta", "1.0.0\n", "1..0", " 1.0.0"] {
        let new =
            NewNamedTask { namespace_name: "new".into(), version: version.into(), ..NewNamedTask::new("x") };
        let refused = records.find_or_create_named_task(&new, at(0)).await.unwrap_err();
        assert_eq!(faults(refused), [("version", Fault::NotAVersion)], "{version:?}");
    }
    let new = NewNamedTask { namespace_name: " ".into(), ..NewNamedTask::new("") };
    let refused = records.find_or_create_named_task(&new, at(0)).await.unwrap_err();
    assert_eq!(faults(refused), [("task_namespace", Fault::Blank), ("name", Fault::Blank)]);
    let refused =
        records.find_or_create_named_steps(&[named_step("new", "ok"), named_step("", "")], at(0)).await;
    let expected = [("dependent_system", Fault::Blank), ("name", Fault::Blank)];
    assert_eq!(faults(refused.unwrap_err()), expected);
    let link = NewNamedTasksNamedStep {
        default_retry_limit: 0,
        ..NewNamedTasksNamedStep::new((-1).into(), (-1).into())
    };
    let refused = records.find_or_create_named_tasks_named_step(&link, at(0)).await.unwrap_err();
    assert_eq!(faults(refused), [("default_retry_limit", Fault::TooSmall { min: 1 })]);
    assert_eq!(scene.ids(&TaskNamespaces::custom()).await, []);
    assert_eq!(scene.ids(&DependentSystems::all()).await, []);
    assert_eq!(scene.ids(&AnnotationTypes::all()).await, []);
}

/// Letters are counted, not bytes.
pub async fn longest_texts_are_written(scene: Scene) {
    let records = records(&scene);
    let long = |letters: usize| "ü".repeat(letters);
    let new = NewNamed { name: long(64), description: Some(long(255)) };
    records.find_or_create_task_namespace(&new, at(0)).await.unwrap();
    records.find_or_create_dependent_system(&new, at(0)).await.unwrap();
    records.find_or_create_annotation_type(&new, at(0)).await.unwrap();
    let version = "0123456789.012.3".to_owned();
    let new = NewNamedTask { namespace_name: long(64), version, ..NewNamedTask::new(long(64)) };
    records.find_or_create_named_task(&new, at(0)).await.unwrap();
    records.find_or_create_named_steps(&[named_step(&long(64), &long(128))], at(0)).await.unwrap();
    let map = object_map(&long(64), &long(128), &long(64), &long(128));
    records.find_or_create_object_map(&map, at(0)).await.unwrap();
}

/// Eight callers who want one row at once: one of them writes it, and all are told the same.
macro_rules! at_once {
    ($scene:ident, $call:ident, $new:expr) => {{
        let calls = (0..8).map(|_| {
            let scene = $scene.clone();
            async move { records(&scene).$call(&$new, at(0)).await.expect("a row") }
        });
        let kept = all_at_once(calls).await;
        let created = kept.iter().filter(|kept| matches!(kept, Kept::Created(_))).count();
        let rows: Vec<_> = kept.into_iter().map(Kept::row).collect();
        assert!(rows.iter().all(|row| *row == rows[0]), "{rows:?}");
        assert_eq!(created, 1, "{}", stringify!($call));
    }};
}

/// Of every kind of row.
pub async fn many_who_want_one_row_at_once_get_the_same(scene: Scene) {
    at_once!(scene, find_or_create_task_namespace, NewNamed::new("n"));
    at_once!(
        scene,
        find_or_create_named_task,
        NewNamedTask { namespace_name: "m".into(), ..NewNamedTask::new("t") }
    );
    at_once!(scene, find_or_create_dependent_system, NewNamed::new("y"));
    at_once!(scene, find_or_create_annotation_type, NewNamed::new("k"));
    at_once!(scene, find_or_create_object_map, object_map("q", "1", "p", "2"));
    at_once!(scene, find_or_create_object_map, object_map("p", "3", "q", "4"));
    let calls = (0..8).map(|number: usize| {
        let scene = scene.clone();
        // In any order.
        let mut new = vec![named_step("r", "a"), named_step("s", "b"), named_step("r", "c")];
        new.rotate_left(number % 3);
        async move { records(&scene).find_or_create_named_steps(&new, at(0)).await.expect("rows") }
    });
    for mut rows in all_at_once(calls).await {
        rows.sort_by_key(|row| row.named_step_id);
        assert_eq!(rows, scene.rows(&NamedSteps::all()).await);
    }
    let step = scene.rows(&NamedSteps::named("a")).await[0].named_step_id;
    let task = scene.rows(&NamedTasks::named("t")).await[0].named_task_id;
    at_once!(scene, find_or_create_named_tasks_named_step, NewNamedTasksNamedStep::new(task, step));
}
