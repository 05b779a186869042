//! Covers [`Storage::create`](tasker_engine::Storage::create): the order of answers, steps and edges, the wake due
//! `now`, tasks with nothing to do, bypassed steps, and "All other steps and tasks have no row yet".

use std::sync::Arc;

use serde_json::json;
use tasker_engine::{Creation, StepState, Storage as _, TaskId, TaskState, Timestamp, audit};

use super::check::{metadata, rows};
use super::fixture::{Scene, Started, at, completed, graph, spawned};

/// Everything that a new task is.
pub async fn created_task_is_pending_without_a_row(scene: Scene) {
    let definition = scene.learn("a -> b").await;
    let request = scene.request(&definition);
    let task = scene.create_one(&definition, request.clone()).await;
    let record = scene.task(&task).await;
    assert_eq!(record.current.state, TaskState::Pending);
    assert_eq!((record.current.transition, record.current.since), (None, None));
    assert_eq!((record.current.sort_key, &record.current.metadata), (0, &json!({})));
    assert_eq!(record.history, []);
    assert_eq!((record.id, record.identity_hash), (task.id, request.identity_hash));
    assert_eq!(record.request, request.request);
    assert_eq!(record.created_at, at(0));
    assert!(!record.complete);
}

/// Everything that a new step is.
pub async fn created_steps_are_pending_without_a_row(scene: Scene) {
    let task = scene.start("a -> b").await;
    let record = scene.task(&task).await;
    for step in &record.steps {
        assert_eq!(
            (step.current.state, step.current.transition),
            (StepState::Pending, None),
            "{}",
            step.name
        );
        assert_eq!((step.attempts, step.backoff_request_seconds), (0, None), "{}", step.name);
        assert_eq!((step.processed_at, step.last_attempted_at), (None, None), "{}", step.name);
        assert_eq!((&*step.results, &step.inputs), (&json!({}), &record.request.context), "{}", step.name);
        assert_eq!(step.history, []);
    }
}

/// The wake of a new task is due at once.
pub async fn created_task_is_due_now(scene: Scene) {
    let definition = scene.learn("a").await;
    scene.storage().create(vec![scene.request(&definition)], at(7)).await.expect("create");
    assert_eq!(scene.due(6).await.wakes, []);
    let due = scene.due(7).await;
    assert_eq!(due.wakes.iter().map(|wake| wake.due).collect::<Vec<_>>(), [at(7)]);
}

/// Ids of steps ascend in the order of the template, whatever the edges say.
pub async fn created_steps_stand_in_the_order_of_the_template(scene: Scene) {
    let task = scene.start("c -> a, b -> a, c -> b").await;
    let record = scene.task(&task).await;
    let names: Vec<_> = record.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["c", "a", "b"]);
    let ids: Vec<_> = record.steps.iter().map(|step| step.id).collect();
    assert_eq!(task.steps.iter().map(|(_, id)| *id).collect::<Vec<_>>(), ids);
}

/// Every edge of the template, and no other.
pub async fn created_edges_are_those_of_the_template(scene: Scene) {
    let task = scene.start("a -> c, b -> c, c -> d, a -> d, e").await;
    let record = scene.task(&task).await;
    let edges: [(&str, &[&str]); 5] =
        [("a", &[]), ("b", &[]), ("c", &["a", "b"]), ("d", &["a", "c"]), ("e", &[])];
    for (step, parents) in edges {
        let mut parents: Vec<_> = parents.iter().map(|name| task.step(name)).collect();
        parents.sort();
        assert_eq!(record.step(step).expect("a step").parents, parents, "{step}");
    }
}

/// Inputs are the context, but for those that a plan changed.
pub async fn created_inputs_are_the_context_or_what_was_given(scene: Scene) {
    let definition = scene.learn("a, b, c").await;
    let mut request = scene.request(&definition);
    request.inputs.insert(1, Arc::new(json!({ "mine": [1, null, "two"] })));
    request.inputs.insert(2, Arc::new(json!(null)));
    let context = Arc::clone(&request.request.context);
    let task = scene.create_one(&definition, request).await;
    assert_eq!(scene.step(&task, "a").await.inputs, context);
    assert_eq!(*scene.step(&task, "b").await.inputs, json!({ "mine": [1, null, "two"] }));
    assert_eq!(*scene.step(&task, "c").await.inputs, json!(null));
}

/// Answers stand in the order of the request, whatever the definitions are.
pub async fn created_tasks_are_answered_in_the_order_of_the_request(scene: Scene) {
    let (one, two) = (scene.learn("a").await, scene.learn(graph("a -> b").named("other")).await);
    let mut requests: Vec<_> = (0..20).map(|n| scene.request(if n % 3 == 0 { &one } else { &two })).collect();
    requests.reverse();
    let answers = scene.create(requests.clone()).await;
    assert_eq!(answers.len(), requests.len());
    for (answer, request) in answers.iter().zip(&requests) {
        let Creation::Created { task, steps, settled: None } = answer else { panic!("{answer:?}") };
        let record = scene.task(*task).await;
        assert_eq!(record.identity_hash, request.identity_hash);
        assert_eq!(record.steps.iter().map(|step| step.id).collect::<Vec<_>>(), *steps);
    }
}

/// Nothing to create is no fault.
pub async fn creating_nothing_is_no_fault(scene: Scene) {
    assert_eq!(scene.create(vec![]).await, []);
    assert_eq!(scene.due(1000).await.wakes, []);
}

/// A task without steps has nothing to wait for.
pub async fn created_task_without_steps_is_complete_at_once(scene: Scene) {
    let definition = scene.learn("").await;
    let answers = scene.create(vec![scene.request(&definition)]).await;
    let [Creation::Created { task, steps, settled: Some(TaskState::Complete) }] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!(*steps, []);
    complete_at_once(&scene, *task, 0).await;
}

async fn complete_at_once(scene: &Scene, task: TaskId, steps: usize) {
    use TaskState as S;
    let record = scene.task(task).await;
    assert_eq!(rows(&record.history), [(S::Pending, S::InProgress, 10), (S::InProgress, S::Complete, 20)]);
    assert_eq!(metadata(&record.history), [audit::task_started(steps), json!({})]);
    assert!(record.history.iter().all(|row| row.at == at(0)));
    assert!(record.complete);
    assert_eq!(record.wake, None);
    assert_eq!(scene.due(1000).await.wakes, []);
}

/// A bypassed step is passed over from the start, and what hangs on it may run.
pub async fn bypassed_step_is_resolved_and_frees_its_children(scene: Scene) {
    let task = bypassing(&scene, "a -> b", &["a"]).await;
    let a = scene.step(&task, "a").await;
    assert_eq!(rows(&a.history), [(StepState::Pending, StepState::ResolvedManually, 10)]);
    assert_eq!(metadata(&a.history), [audit::step_skipped(audit::BYPASS_STEPS, None)]);
    assert_eq!((&*a.results, a.attempts), (&audit::skipped_results(), 0));
    assert_eq!((a.processed, a.processed_at), (true, Some(at(0))));
    let record = scene.task(&task).await;
    assert_eq!((record.current.state, record.current.transition), (TaskState::Pending, None));
    assert_eq!(
        scene.claim_all(&task).await.iter().map(|claim| claim.step).collect::<Vec<_>>(),
        [task.step("b")]
    );
}

/// What a request said is kept as it was said.
pub async fn bypassed_steps_are_kept_in_the_request(scene: Scene) {
    let task = bypassing(&scene, "a, b, c", &["b", "a"]).await;
    assert_eq!(scene.task(&task).await.request.bypass_steps, ["b", "a"]);
}

/// When all steps are passed over there is nothing to do.
pub async fn task_whose_steps_are_all_bypassed_is_complete_at_once(scene: Scene) {
    let definition = scene.learn(graph("a -> b").skippable("a").skippable("b")).await;
    let mut request = scene.request(&definition);
    request.request.bypass_steps = vec!["a".into(), "b".into()];
    let answers = scene.create(vec![request]).await;
    let [Creation::Created { task, settled: Some(TaskState::Complete), .. }] = &answers[..] else {
        panic!("{answers:?}")
    };
    complete_at_once(&scene, *task, 2).await;
}

/// Naming a step twice passes over it once.
pub async fn bypassing_a_step_twice_is_bypassing_it_once(scene: Scene) {
    let task = bypassing(&scene, "a -> b", &["a", "a"]).await;
    assert_eq!(scene.step(&task, "a").await.history.len(), 1);
}

async fn bypassing(scene: &Scene, edges: &str, bypass: &[&str]) -> Started {
    let graph = bypass.iter().fold(graph(edges), |graph, step| graph.skippable(step));
    let definition = scene.learn(graph).await;
    let mut request = scene.request(&definition);
    request.request.bypass_steps = bypass.iter().map(|step| (*step).into()).collect();
    scene.create_one(&definition, request).await
}

/// New tasks ascend in the order of the request, so that two backends serve them in one order.
pub async fn created_tasks_ascend_in_the_order_of_the_request(scene: Scene) {
    let definition = scene.learn("a -> b").await;
    let mut requests: Vec<_> = (0..20).map(|_| scene.request(&definition)).collect();
    // Neither ascending nor descending by identity.
    requests.rotate_left(7);
    requests.reverse();
    let ids: Vec<_> = scene
        .create(requests)
        .await
        .into_iter()
        .map(|one| match one {
            Creation::Created { task, steps, .. } => (task, steps),
            duplicate @ Creation::Duplicate { .. } => panic!("{duplicate:?}"),
        })
        .collect();
    assert!(ids.is_sorted_by(|(one, _), (two, _)| one < two), "{ids:?}");
}

/// Times are kept to the microsecond, be they long ago or far away.
pub async fn created_task_keeps_its_times_to_the_microsecond(scene: Scene) {
    let definition = scene.learn("a").await;
    for micros in [-1, 0, 1, 1_767_225_600_123_456, 4_102_444_799_999_999] {
        let mut request = scene.request(&definition);
        let (asked, now) = (Timestamp::from_micros(micros), Timestamp::from_micros(micros + 7));
        request.request.requested_at = asked;
        let made = scene.storage().create(vec![request], now).await.expect("create").remove(0);
        let Creation::Created { task, .. } = made else { panic!("{made:?}") };
        let record = scene.task(task).await;
        assert_eq!((record.request.requested_at, record.created_at), (asked, now));
        assert_eq!(record.wake.map(|(due, _)| due), Some(now));
    }
}

/// Inputs for a place that the template does not have are nobody's, also when a step is spawned later.
pub async fn created_inputs_beyond_the_template_are_left_out(scene: Scene) {
    let definition = scene.learn("a").await;
    let mut request = scene.request(&definition);
    request.inputs.insert(1, Arc::new(json!("nobody's")));
    let context = Arc::clone(&request.request.context);
    let task = scene.create_one(&definition, request).await;
    let mut outcome = completed(&task, &scene.claim(&task, "a").await, json!({}));
    outcome.spawned = vec![spawned("s", &[], &[])];
    scene.record(outcome).await;
    assert_eq!(scene.step(&task, "s").await.inputs, context);
}
