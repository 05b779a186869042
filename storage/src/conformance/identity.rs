//! Covers [`Storage::create`](tasker_engine::Storage::create): definitions that were not learned, repeated
//! identities, and what is refused before anything is written ("Checked", "Atomic").

use std::sync::Arc;

use serde_json::json;
use tasker_engine::{Creation, NewTask, Storage as _, StorageError, TaskId};

use super::fixture::{Scene, at, graph, values};

fn task_of(creation: &Creation) -> TaskId {
    match creation {
        Creation::Created { task, .. } | Creation::Duplicate { task } => *task,
    }
}

/// The second request of an identity is told which task it is.
pub async fn repeated_identity_is_a_duplicate_of_the_first(scene: Scene) {
    let definition = scene.learn("a -> b").await;
    let request = scene.request(&definition);
    let first = scene.create(vec![request.clone()]).await;
    let before = scene.task(task_of(&first[0])).await;
    let mut again = request;
    again.request.context = Arc::new(json!({ "another": "context" }));
    let second = scene.storage().create(vec![again], at(9)).await.expect("create");
    assert_eq!(second, [Creation::Duplicate { task: task_of(&first[0]) }]);
    assert_eq!(scene.task(before.id).await, before);
    assert_eq!(scene.due(1000).await.wakes.len(), 1);
}

/// The rest of a call stands.
pub async fn duplicates_do_not_keep_others_from_being_created(scene: Scene) {
    let definition = scene.learn("a").await;
    let old: Vec<_> = (0..5).map(|_| scene.request(&definition)).collect();
    let first = scene.create(old.clone()).await;
    let mixed: Vec<_> = old.into_iter().flat_map(|old| [scene.request(&definition), old]).collect();
    let answers = scene.create(mixed).await;
    assert_eq!(answers.len(), 10);
    for (place, pair) in answers.chunks(2).enumerate() {
        assert!(matches!(pair[0], Creation::Created { .. }), "{pair:?}");
        assert_eq!(pair[1], Creation::Duplicate { task: task_of(&first[place]) });
    }
    assert_eq!(scene.due(1000).await.wakes.len(), 10);
}

/// Within one call the first of an identity wins.
pub async fn repeated_identity_in_one_call_creates_the_first(scene: Scene) {
    let definition = scene.learn("a").await;
    let mut twins = vec![scene.request(&definition); 3];
    for (number, twin) in twins.iter_mut().enumerate() {
        twin.request.context = Arc::new(json!({ "twin": number }));
    }
    let answers = scene.create(twins).await;
    let first = task_of(&answers[0]);
    assert!(matches!(answers[0], Creation::Created { .. }), "{answers:?}");
    assert_eq!(answers[1..], [Creation::Duplicate { task: first }, Creation::Duplicate { task: first }]);
    assert_eq!(*scene.task(first).await.request.context, json!({ "twin": 0 }));
}

/// An identity is one over all definitions, and for ever: also after the task is finished.
pub async fn identity_is_taken_by_other_definitions_and_finished_tasks(scene: Scene) {
    let (one, two) = (scene.learn("a").await, scene.learn(graph("a -> b").named("other")).await);
    let mine = scene.request(&one);
    let first = scene.create_one(&one, mine.clone()).await;
    scene.drain(&first, 0).await;
    let other = NewTask { definition: two.hash().clone(), ..mine };
    assert_eq!(scene.create(vec![other]).await, [Creation::Duplicate { task: first.id }]);
}

/// After a lost reply the same call may be made again.
pub async fn creating_again_after_a_lost_reply_creates_nothing_twice(scene: Scene) {
    let definition = scene.learn("a -> b").await;
    let requests: Vec<_> = (0..30).map(|_| scene.request(&definition)).collect();
    let first = scene.create(requests.clone()).await;
    let again = scene.create(requests).await;
    let expected: Vec<_> = first.iter().map(|one| Creation::Duplicate { task: task_of(one) }).collect();
    assert_eq!(again, expected);
    assert_eq!(scene.due(1000).await.wakes.len(), 30);
}

/// A definition that nobody learned stops the whole call.
pub async fn unknown_definition_creates_nothing_at_all(scene: Scene) {
    let (known, unknown) = (scene.learn("a").await, graph("a -> b").named("nobody").bound());
    let requests = vec![scene.request(&known), scene.request(&unknown), scene.request(&known)];
    let refused = scene.storage().create(requests.clone(), at(0)).await;
    assert!(
        matches!(&refused, Err(StorageError::UnknownDefinition(hash)) if hash == unknown.hash()),
        "{refused:?}"
    );
    assert_eq!(scene.due(1000).await.wakes, []);
    scene.learn(graph("a -> b").named("nobody")).await;
    let created = scene.create(requests).await;
    assert!(created.iter().all(|one| matches!(one, Creation::Created { .. })), "{created:?}");
}

/// What makes a request one that is refused.
type Spoil = fn(&mut NewTask);

/// One bad request, between two good ones, is refused with its field and leaves nothing.
async fn refused(
    scene: &Scene,
    spoil: impl FnOnce(&mut NewTask),
    expected: impl FnOnce(&StorageError) -> bool,
) {
    let definition = scene.learn(graph("a, b").skippable("a")).await;
    let mut requests: Vec<_> = (0..3).map(|_| scene.request(&definition)).collect();
    spoil(&mut requests[1]);
    let error = scene.storage().create(requests, at(0)).await.expect_err("refused");
    assert!(expected(&error), "{error:?}");
    assert_eq!(scene.due(1000).await.wakes, [], "{error}");
}

/// Only skippable steps of the workflow may be passed over.
pub async fn bypassing_what_is_not_skippable_creates_nothing(scene: Scene) {
    for name in ["b", "nobody"] {
        let bypass = |task: &mut NewTask| task.request.bypass_steps = vec!["a".into(), name.into()];
        refused(&scene, bypass, |error| matches!(error, StorageError::Bypass(step) if step == name)).await;
    }
}

/// Texts are as long as their columns, counted in characters.
pub async fn too_long_texts_create_nothing(scene: Scene) {
    let spoils: [(&str, Spoil); 4] = [
        ("initiator", |task| task.request.initiator = "ü".repeat(129)),
        ("source_system", |task| task.request.source_system = "ü".repeat(129)),
        ("reason", |task| task.request.reason = "ü".repeat(129)),
        ("identity_hash", |task| task.identity_hash = "ü".repeat(129)),
    ];
    for (name, spoil) in spoils {
        refused(
            &scene,
            spoil,
            |error| matches!(error, StorageError::TooLong { field, max: 128, length: 129 } if *field == name),
        )
        .await;
    }
}

/// The longest texts that fit come back whole.
pub async fn longest_texts_are_stored(scene: Scene) {
    let definition = scene.learn("a").await;
    let mut request = scene.request(&definition);
    for text in [
        &mut request.identity_hash,
        &mut request.request.initiator,
        &mut request.request.source_system,
        &mut request.request.reason,
    ] {
        *text = "ü".repeat(128);
    }
    request.request.tags = vec!["".into(), "two words".into(), "ü".repeat(500), "\u{1f980}".into()];
    let task = scene.create_one(&definition, request.clone()).await;
    let record = scene.task(&task).await;
    assert_eq!((record.request, record.identity_hash), (request.request, request.identity_hash));
}

/// A request without identity is none.
pub async fn blank_identity_creates_nothing(scene: Scene) {
    for blank in ["", " \t\n"] {
        let spoil = |task: &mut NewTask| blank.clone_into(&mut task.identity_hash);
        refused(&scene, spoil, |error| matches!(error, StorageError::Blank("identity_hash"))).await;
    }
}

/// U+0000 in any text.
pub async fn nul_in_any_text_creates_nothing(scene: Scene) {
    let spoils: [(&str, Spoil); 5] = [
        ("initiator", |task| task.request.initiator = "a\0b".into()),
        ("source_system", |task| task.request.source_system = "a\0b".into()),
        ("reason", |task| task.request.reason = "a\0b".into()),
        ("identity_hash", |task| task.identity_hash = "a\0b".into()),
        ("tags", |task| task.request.tags = vec!["fine".into(), "a\0b".into()]),
    ];
    for (name, spoil) in spoils {
        refused(
            &scene,
            spoil,
            |error| matches!(error, StorageError::Payload { field, .. } if *field == name),
        )
        .await;
    }
}

/// A context or inputs that cannot be stored.
pub async fn unstorable_contexts_and_inputs_create_nothing(scene: Scene) {
    for (what, value) in values::unstorable() {
        let value = Arc::new(value);
        let context = |task: &mut NewTask| task.request.context = Arc::clone(&value);
        refused(&scene, context, |error| {
            assert!(matches!(error, StorageError::Payload { field: "context", .. }), "{what}: {error:?}");
            true
        })
        .await;
        let inputs = |task: &mut NewTask| drop(task.inputs.insert(1, Arc::clone(&value)));
        refused(&scene, inputs, |error| matches!(error, StorageError::Payload { field: "inputs", .. })).await;
    }
}
