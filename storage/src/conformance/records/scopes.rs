//! What scopes mean.

use std::time::Duration;

use serde_json::json;
use tasker_engine::records::{
    NamedTaskColumn, NamedTasks, NewAnnotation, NewNamedTask, Scope, StepDagRelationships, TaskColumn,
    TaskTransitions, Tasks, WorkflowStepColumn, WorkflowStepEdges, WorkflowStepTransitions, WorkflowSteps,
};
use tasker_engine::{RetryAdvice, StepState, TaskCommand, TaskState, Timestamp};

use super::super::Scene;
use super::super::fixture::{Started, StepSituation, TaskSituation, at, failed};
use super::{Asking, records};

async fn note(scene: &Scene, task: &Started, kind: &str, says: serde_json::Value) {
    let new = NewAnnotation { task_id: task.id, annotation_type: kind.into(), annotation: says };
    records(scene).annotate(&new, at(0)).await.expect("annotated");
}

/// The reference takes the type of one annotation and the value of another.
pub async fn annotation_has_the_type_and_the_value_at_once(scene: Scene) {
    let (one, two) = (scene.start("x").await, scene.start("x").await);
    note(&scene, &one, "priority", json!({ "level": "high" })).await;
    note(&scene, &two, "priority", json!({ "level": "low" })).await;
    note(&scene, &two, "mood", json!({ "level": "high" })).await;
    let found = Tasks::by_annotation(" priority ", "level", "high");
    assert_eq!(scene.ids(&found).await, [one.id]);
    assert_eq!(scene.ids(&Tasks::by_annotation("nothing", "level", "high")).await, []);
}

/// The reference tells it as often as annotations match, by two.
pub async fn task_is_found_once_however_many_annotations_match(scene: Scene) {
    let task = scene.start("x").await;
    for _ in 0..3 {
        note(&scene, &task, "note", json!({ "k": "v" })).await;
    }
    let found = Tasks::by_annotation("note", "k", "v");
    assert_eq!(scene.ids(&found).await, [task.id]);
    assert_eq!(found.count(records(&scene)).await.unwrap(), 1);
}

/// Also with quotes and blanks in the key.
pub async fn annotation_key_is_cleaned_and_values_are_compared_as_text(scene: Scene) {
    let task = scene.start("x").await;
    let says = json!({ "n-1_a": 5, "t": true, "l": [1, { "b": 2, "a": "x" }], "z": null, "f": 1e-7 });
    note(&scene, &task, "note", says).await;
    for (key, value) in [
        ("n-1_a", "5"),
        ("' n-1_a\"; --", "5"),
        ("t", "true"),
        ("l", r#"[1, {"a": "x", "b": 2}]"#),
        ("f", "0.0000001"),
    ] {
        // The last key has two dashes at its end, which count.
        let found = scene.ids(&Tasks::by_annotation("note", key, value)).await;
        let expected = if key.ends_with("--") { vec![] } else { vec![task.id] };
        assert_eq!(found, expected, "{key} = {value}");
    }
    assert_eq!(scene.ids(&Tasks::by_annotation("note", "'n-1_a'", 5)).await, [task.id]);
    for (key, value) in [("z", "null"), ("z", ""), ("none", "5"), ("n-1_a", "5.0")] {
        assert_eq!(scene.ids(&Tasks::by_annotation("note", key, value)).await, [], "{key} = {value}");
    }
}

/// The reference misses what has no row yet.
pub async fn fresh_tasks_and_steps_are_pending(scene: Scene) {
    let task = scene.start("x").await;
    let begun = scene.task_in(TaskSituation::InProgress).await;
    assert_eq!(scene.ids(&Tasks::by_current_state(TaskState::Pending)).await, [task.id]);
    assert_eq!(scene.ids(&Tasks::by_current_state(TaskState::InProgress)).await, [begun.id]);
    assert_eq!(scene.ids(&WorkflowSteps::by_current_state(StepState::Pending)).await, [task.step("x")]);
    assert_eq!(scene.ids(&Tasks::by_current_state(None)).await.len(), 2, "no state is no condition");
    assert_eq!(scene.rows(&Tasks::with_ids([task.id])).await[0].status, TaskState::Pending);
    assert_eq!(scene.rows(&WorkflowSteps::for_task(task.id)).await[0].status, StepState::Pending);
}

/// In every situation that a task can be in.
pub async fn active_tasks_are_those_that_are_pending_or_in_progress(scene: Scene) {
    use TaskSituation as S;
    for situation in [
        S::Pending,
        S::InProgress,
        S::Paused,
        S::Resumed,
        S::Complete,
        S::Error,
        S::Cancelled,
        S::ResolvedManually,
    ] {
        let task = scene.task_in(situation).await;
        let found = scene.ids(&Tasks::active().with_ids([task.id])).await;
        let expected = if situation.state().is_open() { vec![task.id] } else { vec![] };
        assert_eq!(found, expected, "{situation:?}");
    }
}

/// Rows of it, too, and each task once.
pub async fn tasks_are_completed_since_when_some_step_is(scene: Scene) {
    let task = scene.start("a, b, c").await;
    scene.start("a").await;
    for step in ["a", "b"] {
        let claim = scene.claim_at(&task, step, 5).await;
        scene.record_at(super::super::fixture::completed(&task, &claim, json!({})), 5).await;
    }
    let before = Timestamp::from_micros(at(5).as_micros() - 1);
    assert_eq!(scene.rows(&Tasks::completed_since(before)).await.len(), 1);
    assert_eq!(scene.ids(&Tasks::completed_since(at(5))).await, [], "not at that very moment");
}

/// A failure that was retried is none any more.
pub async fn failed_since_asks_for_the_current_state(scene: Scene) {
    let task = scene.start("x").await;
    let claim = scene.claim(&task, "x").await;
    scene.record_at(failed(&task, &claim, RetryAdvice::Never), 5).await;
    for (since, found) in [(4, true), (5, false)] {
        let (tasks, steps) = (Tasks::failed_since(at(since)), WorkflowSteps::failed_since(at(since)));
        assert_eq!(scene.ids(&tasks).await.len(), usize::from(found), "{since}");
        assert_eq!(scene.ids(&steps).await.len(), usize::from(found), "{since}");
    }
    assert_eq!(scene.ids(&WorkflowSteps::failed()).await, [task.step("x")]);
    scene.act(&task, TaskCommand::Retry).await;
    assert_eq!(scene.ids(&Tasks::failed_since(at(0))).await, []);
    assert_eq!(scene.ids(&WorkflowSteps::failed().failed_since(at(0))).await, []);
}

/// The reference raises.
pub async fn pending_steps_do_not_run(scene: Scene) {
    let task = scene.start("a, b").await;
    scene.claim(&task, "a").await;
    assert_eq!(scene.ids(&WorkflowSteps::pending()).await, [task.step("b")]);
    assert_eq!(scene.ids(&WorkflowSteps::pending().for_task(task.id).named("a")).await, []);
}

/// The two of one family combine.
pub async fn resolved_steps_are_completed_but_not_completed_since(scene: Scene) {
    let resolved = scene.step_in(StepSituation::ResolvedManually).await;
    let complete = scene.step_in(StepSituation::Complete).await;
    let (resolved, complete) = (resolved.step("x"), complete.step("x"));
    assert_eq!(scene.ids(&WorkflowSteps::completed()).await, [resolved, complete]);
    let since = Timestamp::from_micros(at(0).as_micros() - 1);
    assert_eq!(scene.ids(&WorkflowSteps::completed().completed_since(since)).await, [complete]);
    assert_eq!(scene.ids(&WorkflowSteps::completed().failed()).await, []);
}

/// The reference compares texts, and can neither count them nor narrow them.
pub async fn versions_are_compared_as_numbers(scene: Scene) {
    for (namespace, name, version) in [
        ("shop", "checkout", "9.0.0"),
        ("shop", "checkout", "10.0.0"),
        ("shop", "checkout", "2.11.0"),
        ("shop", "refund", "1.0.0"),
        ("ops", "checkout", "1.2.10"),
        ("ops", "checkout", "1.2.9"),
    ] {
        let new = NewNamedTask {
            namespace_name: namespace.into(),
            version: version.into(),
            ..NewNamedTask::new(name)
        };
        records(&scene).find_or_create_named_task(&new, at(0)).await.expect("written");
    }
    let latest = NamedTasks::latest_versions().ascending(NamedTaskColumn::FullName);
    let told: Vec<_> = scene.rows(&latest).await.iter().map(|row| row.full_name()).collect();
    assert_eq!(told, ["shop.checkout@10.0.0", "shop.refund@1.0.0", "ops.checkout@1.2.10"]);
    assert_eq!(latest.count(records(&scene)).await.unwrap(), 3);
    assert_eq!(scene.ids(&latest.clone().in_namespace("shop")).await.len(), 2);
    assert_eq!(scene.ids(&latest.with_version("9.0.0")).await.len(), 0, "narrowed, not chosen again");
}

/// The step itself is none, nor are steps with some of its parents, or more.
pub async fn siblings_have_exactly_the_same_parents(scene: Scene) {
    let task = scene.start("p -> a, q -> a, p -> b, q -> b, p -> c, p -> d, q -> d, r -> d, p -> e").await;
    let into = |name: &str| WorkflowStepEdges::siblings_of(task.step(name));
    let edges = scene.rows(&into("a")).await;
    let mut found: Vec<_> = edges.iter().map(|edge| edge.to_step_id).collect();
    found.dedup();
    assert_eq!(found, [task.step("b")], "one sibling, by two edges");
    assert_eq!(edges.len(), 2);
    let found = scene.rows(&into("c")).await;
    assert_eq!(found.iter().map(|edge| edge.to_step_id).collect::<Vec<_>>(), [task.step("e")]);
    for none in ["d", "p"] {
        assert_eq!(scene.ids(&into(none)).await, [], "{none}");
    }
    assert_eq!(scene.ids(&into("a").from_steps([task.step("p")])).await.len(), 1, "filters apply");
}

/// Depth is the shortest way, not the longest.
pub async fn places_in_a_graph_are_told_by_the_view(scene: Scene) {
    let task = scene.start("a -> b -> c, a -> c, a -> d, lone").await;
    let step = |name: &str| task.step(name);
    let all = || StepDagRelationships::for_task(task.id);
    let names = |ids: &[&str]| {
        let mut ids: Vec<_> = ids.iter().map(|name| step(name)).collect();
        ids.sort();
        ids
    };
    assert_eq!(scene.ids(&all().root_steps()).await, names(&["a", "lone"]));
    assert_eq!(scene.ids(&all().leaf_steps()).await, names(&["c", "d", "lone"]));
    assert_eq!(scene.ids(&all().with_parents()).await, names(&["b", "c", "d"]));
    assert_eq!(scene.ids(&all().with_children()).await, names(&["a", "b"]));
    assert_eq!(scene.ids(&StepDagRelationships::siblings_of(step("b"))).await, names(&["d"]));
    assert_eq!(scene.ids(&StepDagRelationships::siblings_of(step("a"))).await, [], "a root has none");
    let c = scene.rows(&StepDagRelationships::with_ids([step("c")])).await.remove(0);
    assert_eq!((c.parent_step_ids, c.child_step_ids), (names(&["a", "b"]), vec![]));
    assert_eq!((c.parent_count, c.child_count, c.min_depth_from_root), (2, 0, Some(1)));
    assert!(!c.is_root_step && c.is_leaf_step);
    let b = scene.rows(&StepDagRelationships::with_ids([step("b")])).await.remove(0);
    assert!(b.has_parents() && b.has_children() && !b.is_leaf_step);
}

/// The reference raises.
pub async fn edges_to_children_are_found_by_their_name(scene: Scene) {
    let task = scene.start("a -> b -> c, z -> c").await;
    let step = |name: &str| task.step(name);
    let ends = |edges: Vec<tasker_engine::records::WorkflowStepEdgeRow>| -> Vec<_> {
        edges.iter().map(|edge| (edge.from_step_id, edge.to_step_id)).collect()
    };
    let into_children = scene.rows(&WorkflowStepEdges::provides_to_children(step("b"))).await;
    assert_eq!(ends(into_children), [(step("b"), step("c")), (step("z"), step("c"))]);
    assert_eq!(ends(scene.rows(&WorkflowStepEdges::children_of(step("a"))).await), [(step("a"), step("b"))]);
    assert_eq!(ends(scene.rows(&WorkflowStepEdges::parents_of(step("b"))).await), [(step("a"), step("b"))]);
    assert_eq!(scene.ids(&WorkflowStepEdges::provides_edges().of_tasks([task.id])).await.len(), 3);
}

/// Texts do not fail, numbers are compared by value.
pub async fn transitions_are_found_by_metadata(scene: Scene) {
    let task = scene.start("x").await;
    let claim = scene.claim(&task, "x").await;
    scene.record_at(failed(&task, &claim, RetryAdvice::Default), 1).await;
    scene.claim_at(&task, "x", 9).await;
    let all = || WorkflowStepTransitions::for_task(task.id);
    for (scope, many) in [
        (all(), 4),
        (all().with_metadata_value("attempt_number", 2), 1),
        (all().with_metadata_value("attempt_number", "2"), 1),
        (all().with_metadata_value("attempt_number", 2.0), 1),
        (all().with_metadata_value("error_class", "Boom"), 1),
        (all().with_metadata_value("error_class", json!({ "no": "ne" })), 0),
        (all().with_metadata_key("claim"), 1),
        (all().with_metadata_key("'claim"), 0),
        (all().for_attempt(1), 2),
        (all().to_state(StepState::Error).most_recent(), 0),
        (all().in_time_range(at(1), at(1)), 1),
        (all().in_time_range(at(1), at(0)), 0),
    ] {
        assert_eq!(scene.ids(&scope).await.len(), many, "{scope:?}");
    }
}

/// The reference raises.
pub async fn retries_are_moves_to_pending_after_an_error(scene: Scene) {
    let task = scene.start("x, y").await;
    for second in [0, 5, 20] {
        let claim = scene.claim_at(&task, "x", second).await;
        let retry = RetryAdvice::After(Duration::from_secs(1));
        scene.record_at(failed(&task, &claim, retry), second + 1).await;
    }
    scene.claim(&task, "y").await;
    let found = scene.rows(&WorkflowStepTransitions::retry_transitions()).await;
    assert_eq!(found.len(), 2, "each once: {found:?}");
    assert!(found.iter().all(|row| row.step_name == "x" && row.to_state == StepState::Pending));
}

/// By sort key.
pub async fn recent_transitions_come_last_first(scene: Scene) {
    let task = scene.task_in(TaskSituation::Complete).await;
    let found = scene.rows(&TaskTransitions::recent().of_tasks([task.id])).await;
    let told: Vec<_> = found.iter().map(|row| (row.to_state, row.most_recent)).collect();
    assert_eq!(told, [(TaskState::Complete, true), (TaskState::InProgress, false)]);
    let last =
        TaskTransitions::recent().to_state(TaskState::InProgress).first(records(&scene)).await.unwrap();
    assert_eq!(last.map(|row| row.sort_key), Some(10));
}

/// Also with a limit of nothing.
pub async fn page_beyond_the_end_is_empty(scene: Scene) {
    scene.start_many("x", 3).await;
    for scope in [Tasks::all().offset(3), Tasks::all().offset(u32::MAX), Tasks::all().limit(0)] {
        assert_eq!(scene.ids(&scope).await, []);
        assert_eq!(scope.count(records(&scene)).await.unwrap(), 0);
        assert!(!scope.exists(records(&scene)).await.unwrap());
        assert_eq!(scope.first(records(&scene)).await.unwrap(), None);
        assert_eq!(scope.unpaged().count(records(&scene)).await.unwrap(), 3);
    }
}

/// It is nowhere in the order.
pub async fn page_after_a_row_that_is_not_there_is_empty(scene: Scene) {
    scene.start_many("x", 3).await;
    assert_eq!(scene.ids(&Tasks::all().after((-1).into())).await, []);
}

/// Whatever they are sorted by, with many equal values.
pub async fn pages_one_after_another_are_the_whole(scene: Scene) {
    let tasks = scene.start_many("x, y", 7).await;
    scene.claim(&tasks[3], "x").await;
    scene.complete(&tasks[5], "y", json!({})).await;
    for column in WorkflowStepColumn::ALL {
        for scope in [WorkflowSteps::all().ascending(*column), WorkflowSteps::all().descending(*column)] {
            let whole = scene.ids(&scope).await;
            let mut pages = scene.ids(&scope.clone().limit(4)).await;
            while pages.len() < whole.len() {
                let last = *pages.last().expect("a page");
                let page = scene.ids(&scope.clone().limit(4).after(last)).await;
                assert!(!page.is_empty(), "{scope:?} ends early");
                pages.extend(page);
            }
            assert_eq!(pages, whole, "{scope:?}");
        }
    }
}

/// As the reference's database has it.
pub async fn absent_values_come_last_ascending_and_first_descending(scene: Scene) {
    let task = scene.start("a, b").await;
    scene.complete(&task, "b", json!({})).await;
    let (a, b) = (task.step("a"), task.step("b"));
    let by = WorkflowStepColumn::ProcessedAt;
    assert_eq!(scene.ids(&WorkflowSteps::all().ascending(by)).await, [b, a]);
    assert_eq!(scene.ids(&WorkflowSteps::all().descending(by)).await, [a, b]);
}

/// It is plain data.
pub async fn scope_that_was_sent_as_json_finds_the_same(scene: Scene) {
    scene.start_many("x", 3).await;
    let scope = Tasks::active().created_since(at(0) - Duration::from_secs(1)).limit(2);
    let scope = scope.descending(TaskColumn::CreatedAt);
    let sent: Scope<Tasks> = serde_json::from_value(serde_json::to_value(&scope).unwrap()).unwrap();
    assert_eq!(scene.ids(&sent).await, scene.ids(&scope).await);
    assert_eq!(scene.ids(&sent).await.len(), 2);
}

/// And nothing fails.
pub async fn text_that_cannot_be_stored_finds_nothing(scene: Scene) {
    scene.start("x").await;
    for scope in [
        Tasks::in_namespace("\0"),
        Tasks::with_task_name("a\0b"),
        Tasks::with_version("\0"),
        Tasks::with_identity_hash("\0"),
        Tasks::by_annotation("\0", "k", "v"),
        Tasks::by_annotation("note", "k", "\0"),
    ] {
        assert_eq!(scene.ids(&scope).await, [], "{scope:?}");
    }
    assert_eq!(scene.ids(&TaskTransitions::all().with_metadata_value("\0", "\0")).await, []);
}

/// Everything is before the end of time and after its beginning.
pub async fn moments_beyond_all_time_are_compared_as_well(scene: Scene) {
    scene.start("x").await;
    let (first, last) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
    assert_eq!(scene.ids(&Tasks::created_since(first)).await.len(), 1);
    assert_eq!(scene.ids(&Tasks::created_since(last)).await, []);
    assert_eq!(scene.ids(&TaskTransitions::in_time_range(first, last)).await.len(), 0);
}
