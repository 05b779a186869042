//! Covers "Checked": values pass `payload::check` before they are stored, and are stored as `payload::normalise`
//! makes them, wherever they come in: contexts, inputs, results of handlers and of operators, configurations of
//! spawned steps.

use std::sync::Arc;

use serde_json::{Value, json};
use tasker_engine::{
    ErrorReport, Intervention, NOT_RECORDABLE, OutcomeKind, ParentResult, Recording, RetryAdvice,
    StepCommand, StepState, Storage as _, StorageError, payload,
};

use super::fixture::{AdvanceCall, Scene, act_on_step, completed, ended, graph, spawned, values};

/// The suite's own table is right about which values can be stored.
pub async fn tables_of_values_are_what_check_and_normalise_say(_: Scene) {
    let limits = payload::Limits::default();
    for (what, value) in values::unstorable() {
        assert!(payload::check(&value, &limits).is_err(), "{what}");
    }
    for (what, value) in values::storable() {
        assert_eq!(payload::check(&value, &limits), Ok(()), "{what}");
    }
    for (value, normal) in values::normalised() {
        let mut made = value;
        payload::normalise(&mut made);
        values::assert_same(&made, &normal);
    }
}

/// Results come back as they were, to the child that reads them and to whoever loads the task.
pub async fn results_at_the_limits_come_back_as_they_were(scene: Scene) {
    for (what, value) in values::storable() {
        let task = scene.start("a -> b").await;
        scene.complete(&task, "a", value.clone()).await;
        values::assert_same(&scene.step(&task, "a").await.results, &value);
        let read = &scene.claim(&task, "b").await.parents;
        assert_eq!(*read, [(task.step("a"), ParentResult::Value(Arc::new(value)))], "{what}");
    }
}

/// Contexts and inputs come back as they were.
pub async fn contexts_at_the_limits_come_back_as_they_were(scene: Scene) {
    let definition = scene.learn("a, b").await;
    for (what, value) in values::storable().into_iter().filter(|(_, value)| value.is_object()) {
        let mut request = scene.request(&definition);
        request.request.context = Arc::new(value.clone());
        request.inputs.insert(1, Arc::new(value.clone()));
        let task = scene.create_one(&definition, request).await;
        let record = scene.task(&task).await;
        assert_eq!(*record.request.context, value, "{what}");
        assert_eq!((&*record.steps[0].inputs, &*record.steps[1].inputs), (&value, &value), "{what}");
    }
}

/// One table of numbers, through every door.
pub async fn numbers_are_normalised_wherever_they_come_in(scene: Scene) {
    let definition = scene.learn("a -> b, c, d").await;
    for (value, normal) in values::normalised() {
        let (value, normal) = (json!({ "n": value }), json!({ "n": normal }));
        let mut request = scene.request(&definition);
        request.request.context = Arc::new(value.clone());
        request.inputs.insert(1, Arc::new(value.clone()));
        let task = scene.create_one(&definition, request).await;
        scene.complete(&task, "a", value.clone()).await;
        let results = Arc::new(value.clone());
        scene.act_on(&task, "c", StepCommand::Complete { results: Arc::clone(&results) }).await;
        scene.act_on(&task, "d", StepCommand::Resolve { results: Some(results) }).await;
        let record = scene.task(&task).await;
        values::assert_same(&record.request.context, &normal);
        values::assert_same(&record.steps[0].inputs, &normal);
        values::assert_same(&record.steps[1].inputs, &normal);
        for name in ["a", "c", "d"] {
            values::assert_same(&record.step(name).expect("a step").results, &normal);
        }
        match &scene.claim(&task, "b").await.parents[..] {
            [(_, ParentResult::Value(read))] => values::assert_same(read, &normal),
            other => panic!("{other:?}"),
        }
    }
}

/// A result that cannot be stored fails its step for good, and says so.
pub async fn unstorable_results_fail_their_step_for_good(scene: Scene) {
    for (what, value) in values::unstorable() {
        let task = scene.start("a -> b, c").await;
        let claim = scene.claim(&task, "a").await;
        let how = scene.bring_at(completed(&task, &claim, value), 1).await;
        let Recording::NotRecordable(row, error) = how else { panic!("{what}: {how:?}") };
        assert_eq!(
            (error.class.as_str(), error.code.as_deref()),
            (NOT_RECORDABLE, Some(NOT_RECORDABLE)),
            "{what}"
        );
        let a = scene.step(&task, "a").await;
        assert_eq!(
            (a.current.state, a.current.transition, a.retryable),
            (StepState::Error, Some(row), false)
        );
        assert_eq!(*a.results, json!({ "error": error.message, "error_class": NOT_RECORDABLE }));
    }
}

/// One odd output among ninety-nine others: only its step fails.
pub async fn unrecordable_outcome_does_not_stop_the_others(scene: Scene) {
    let task = scene.start(super::fixture::Graph::wide(100)).await;
    let claims = scene.claim_all(&task).await;
    assert_eq!(claims.len(), 100);
    let mut call = AdvanceCall::default();
    for (place, claim) in claims.iter().enumerate() {
        let results = if place == 57 { json!({ "odd": "\0" }) } else { json!({ "place": place }) };
        call = call.and_bringing(completed(&task, claim, results));
    }
    let progress = scene.one(call).await;
    for (place, (recorded, claim)) in progress.recorded.iter().zip(&claims).enumerate() {
        assert_eq!(recorded.token, claim.token);
        let odd = matches!(recorded.how, Recording::NotRecordable(..));
        assert_eq!(odd, place == 57, "{place}: {recorded:?}");
        assert!(odd || matches!(recorded.how, Recording::Recorded(_)), "{place}: {recorded:?}");
    }
    for (place, step) in scene.task(&task).await.steps.iter().enumerate() {
        match place {
            57 => assert_eq!(step.current.state, StepState::Error),
            _ => assert_eq!(
                (step.current.state, &*step.results),
                (StepState::Complete, &json!({ "place": place }))
            ),
        }
    }
}

/// Texts of errors are made storable: U+0000 is replaced, and what is too long is cut.
pub async fn error_texts_are_made_storable(scene: Scene) {
    let task = scene.start("a, b").await;
    let texts = [("a", "no\0thing".to_owned(), "no\u{fffd}thing"), ("b", "x".repeat(1 << 20), "xxx")];
    for (name, text, beginning) in texts {
        let claim = scene.claim(&task, name).await;
        let error = ErrorReport { class: text.clone(), message: text.clone(), code: Some(text) };
        scene.record(ended(&task, &claim, OutcomeKind::Failed { error, retry: RetryAdvice::Default })).await;
        let step = scene.step(&task, name).await;
        let row = &step.current.metadata;
        let keys = [&row["error_class"], &row["error_message"], &row["error_code"]];
        for stored in keys.into_iter().chain([&step.results["error"], &step.results["error_class"]]) {
            let stored = stored.as_str().expect("a text");
            assert!(stored.starts_with(beginning) && !stored.contains('\0'), "{name}");
            assert!(stored.len() < 20_000, "{name}: {} bytes", stored.len());
        }
    }
}

/// An operator's results are checked before anything is written.
pub async fn unstorable_results_of_operators_are_refused(scene: Scene) {
    let task = scene.start("a").await;
    let before = scene.task(&task).await;
    for (what, value) in values::unstorable() {
        let results = Arc::new(value);
        for command in [
            StepCommand::Complete { results: Arc::clone(&results) },
            StepCommand::Resolve { results: Some(results) },
        ] {
            let refused = scene.storage().intervene(act_on_step(&task, task.step("a"), command)).await;
            assert!(
                matches!(refused, Err(StorageError::Payload { field: "results", .. })),
                "{what}: {refused:?}"
            );
        }
    }
    assert_eq!(scene.task(&task).await, before);
}

/// Who acts and why are texts like any other.
pub async fn unstorable_actors_and_reasons_are_refused(scene: Scene) {
    let task = scene.start("a").await;
    let before = scene.task(&task).await;
    let spoils: [fn(&mut Intervention); 6] = [
        |act| act.actor = " \t".into(),
        |act| act.actor = String::new(),
        |act| act.actor = "ü".repeat(129),
        |act| act.actor = "al\0ice".into(),
        |act| act.reason = Some("ü".repeat(1025)),
        |act| act.reason = Some("be\0cause".into()),
    ];
    let fields = ["actor", "actor", "actor", "actor", "reason", "reason"];
    for (spoil, name) in spoils.into_iter().zip(fields) {
        let mut act = act_on_step(&task, task.step("a"), StepCommand::Cancel);
        spoil(&mut act);
        match scene.storage().intervene(act).await {
            Err(
                StorageError::Blank(field)
                | StorageError::TooLong { field, .. }
                | StorageError::Payload { field, .. },
            ) => {
                assert_eq!(field, name);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(scene.task(&task).await, before);
}

/// The longest actor and reason that fit stand in the row.
pub async fn longest_actors_and_reasons_are_stored(scene: Scene) {
    let task = scene.start("a, b").await;
    let mut act = act_on_step(&task, task.step("a"), StepCommand::Resolve { results: None });
    (act.actor, act.reason) = ("ü".repeat(128), Some("ü".repeat(1024)));
    scene.intervene(act.clone()).await;
    let row = scene.step(&task, "a").await.current.metadata;
    assert_eq!((&row["resolved_by"], &row["reason"]), (&json!(act.actor), &json!(act.reason)));
}

/// The configuration of a spawned step: normalised, or the whole outcome is not recordable.
pub async fn configurations_of_spawned_steps_are_checked(scene: Scene) {
    let spawning = |config: Value| {
        let mut step = spawned("s", &[], &[]);
        step.config = Arc::new(config);
        step
    };
    let task = scene.start(graph("a, b")).await;
    let mut outcome = completed(&task, &scene.claim(&task, "a").await, json!({}));
    outcome.spawned = vec![spawning(json!({ "n": [1e17, -0.0] }))];
    scene.record(outcome).await;
    let config = scene.step(&task, "s").await.binding.config;
    values::assert_same(&config, &json!({ "n": [100_000_000_000_000_000_u64, 0.0] }));
    for (what, value) in values::unstorable() {
        let task = scene.start(graph("a, b")).await;
        let mut outcome = completed(&task, &scene.claim(&task, "a").await, json!({}));
        outcome.spawned = vec![spawning(value)];
        let how = scene.bring_at(outcome, 0).await;
        assert!(matches!(how, Recording::NotRecordable(..)), "{what}: {how:?}");
        assert_eq!(scene.task(&task).await.steps.len(), 2, "{what}");
    }
}
