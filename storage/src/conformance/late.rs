//! Covers what is kept of an outcome that comes under a claim which another row has ended: a note in that row, and no
//! state, result or attempt changes ([`Advance`](tasker_engine::Advance), point 1).

use std::time::Duration;

use serde_json::{Value, json};
use tasker_engine::{
    Claim, Outcome, OutcomeKind, Recording, RetryAdvice, StepCommand, StepState, TaskCommand, TaskRecord,
    Timestamp, audit, payload::Limits,
};

use super::fixture::{AdvanceCall, Scene, Started, at, completed, ended, failed};

const LATE: &str = audit::LATE_OUTCOME;

/// The task as it is but for what came too late, and what did, by step and row.
async fn without_notes(scene: &Scene, task: &Started) -> (TaskRecord, Vec<(usize, usize, Value)>) {
    let mut record = scene.task(task).await;
    let mut notes = vec![];
    for (place, step) in record.steps.iter_mut().enumerate() {
        take_note(&mut step.current.metadata);
        for (number, row) in step.history.iter_mut().enumerate() {
            notes.extend(take_note(&mut row.metadata).map(|note| (place, number, note)));
        }
    }
    (record, notes)
}

fn take_note(metadata: &mut Value) -> Option<Value> {
    metadata.as_object_mut().expect("metadata is an object").remove(LATE)
}

/// What the audit trail is to say of an outcome that came at that second.
fn said(outcome: &Outcome, seconds: u64) -> Value {
    let mut outcome = outcome.clone();
    outcome.make_recordable(&Limits::default());
    audit::late_outcome(&outcome, at(seconds)).expect("a handler ran")
}

/// The outcome is stale, changes nothing, and is kept in that row of the first step.
async fn is_kept_in(scene: &Scene, task: &Started, row: usize, late: Outcome) {
    let before = scene.task(task).await;
    assert_eq!(before.steps[0].current.metadata.get(LATE), None);
    let expected = said(&late, 9);
    assert_eq!(scene.bring_at(late, 9).await, Recording::Stale);
    let (after, notes) = without_notes(scene, task).await;
    assert_eq!(after, before, "nothing else changed");
    assert_eq!(notes, [(0, row, expected)]);
    let current = &scene.task(task).await.steps[0];
    assert_eq!(current.current.metadata.get(LATE).is_some(), row + 1 == current.history.len());
}

/// One of each kind that a handler comes to.
fn endings(task: &Started, claim: &Claim) -> [Outcome; 4] {
    let until: Timestamp = at(90);
    [
        completed(task, claim, json!({ "charged": 4_990, "n": [1e17, -0.0] })),
        failed(task, claim, RetryAdvice::Never),
        failed(task, claim, RetryAdvice::After(Duration::from_secs(60))),
        ended(task, claim, OutcomeKind::Snooze { until }),
    ]
}

/// Whoever cancels a task ends what runs in it; what that comes to is kept.
pub async fn outcome_after_the_task_was_cancelled_is_stale_and_kept(scene: Scene) {
    for kind in 0..4 {
        let task = scene.start("a -> b").await;
        let claim = scene.claim(&task, "a").await;
        scene.act(&task, TaskCommand::Cancel { force: false }).await;
        is_kept_in(&scene, &task, 1, endings(&task, &claim)[kind].clone()).await;
    }
}

/// So does whoever cancels a step.
pub async fn outcome_after_the_step_was_cancelled_is_stale_and_kept(scene: Scene) {
    let task = scene.start("a -> b, c").await;
    let claim = scene.claim(&task, "a").await;
    scene.act_on(&task, "a", StepCommand::Cancel).await;
    is_kept_in(&scene, &task, 1, completed(&task, &claim, json!({ "charged": 4_990 }))).await;
}

/// A rescue fences the slow, also while the step runs under another claim and when it is complete.
pub async fn outcome_of_a_rescued_claim_is_kept_in_the_row_of_the_rescue(scene: Scene) {
    for later in 0..3 {
        let task = scene.start("a -> b").await;
        let slow = scene.claims_by(&task, 1, 1, 0).await.remove(0);
        scene.rescue(5, 100, 5).await;
        if later > 0 {
            let next = scene.claims_by(&task, 2, 1, 8).await.remove(0);
            if later > 1 {
                scene.record_at(completed(&task, &next, json!({ "by": "the next" })), 8).await;
            }
        }
        is_kept_in(&scene, &task, 1, completed(&task, &slow, json!({ "by": "the slow" }))).await;
    }
}

/// The hand-back of a beat, too.
pub async fn outcome_of_a_claim_that_a_beat_handed_back_is_kept(scene: Scene) {
    let task = scene.start("a -> b").await;
    let claim = scene.claims_by(&task, 1, 1, 0).await.remove(0);
    scene.beat(1, &[], 5, 5).await;
    is_kept_in(&scene, &task, 1, failed(&task, &claim, RetryAdvice::Default)).await;
}

/// The first one stays.
pub async fn first_late_outcome_stays(scene: Scene) {
    let task = scene.start("a -> b").await;
    let claim = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Cancel { force: false }).await;
    let [first, second, ..] = endings(&task, &claim);
    let call = AdvanceCall::bringing(first.clone()).and_bringing(second.clone()).at(9);
    let progress = scene.one(call).await;
    assert_eq!(progress.recorded.iter().map(|one| &one.how).collect::<Vec<_>>(), [&Recording::Stale; 2]);
    assert_eq!(scene.bring_at(second, 10).await, Recording::Stale);
    let (_, notes) = without_notes(&scene, &task).await;
    assert_eq!(notes, [(0, 1, said(&first, 9))]);
}

/// A step that was never started has nothing to say.
pub async fn nothing_is_kept_of_a_step_that_is_handed_back_late(scene: Scene) {
    let task = scene.start("a -> b").await;
    let claim = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Cancel { force: false }).await;
    let before = scene.task(&task).await;
    let how = scene.bring_at(ended(&task, &claim, OutcomeKind::HandBack), 9).await;
    assert_eq!(how, Recording::Stale);
    assert_eq!(scene.task(&task).await, before);
}

/// Of results that cannot be stored it is kept that there were some.
pub async fn late_results_that_cannot_be_stored_are_kept_as_their_error(scene: Scene) {
    let task = scene.start("a -> b").await;
    let claim = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Cancel { force: false }).await;
    assert_eq!(scene.bring_at(completed(&task, &claim, json!("\0")), 9).await, Recording::Stale);
    let (_, notes) = without_notes(&scene, &task).await;
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].2["to_state"], StepState::Error.as_str());
    assert_eq!(notes[0].2["error_class"], tasker_engine::NOT_RECORDABLE);
}

/// Several late outcomes in a call with one that counts: each is kept in its own row.
pub async fn late_outcomes_are_kept_beside_one_that_counts(scene: Scene) {
    let task = scene.start("a, b, c").await;
    let claims = scene.claims_by(&task, 1, 9, 0).await;
    scene.act_on(&task, "a", StepCommand::Cancel).await;
    scene.act_on(&task, "b", StepCommand::Cancel).await;
    let outcomes: Vec<_> =
        claims.iter().map(|claim| completed(&task, claim, json!({ "of": claim.attempt }))).collect();
    let call = outcomes
        .iter()
        .fold(AdvanceCall::default().at(9), |call, outcome| call.and_bringing(outcome.clone()));
    let progress = scene.one(call).await;
    assert!(matches!(progress.recorded[2].how, Recording::Recorded(_)), "{progress:?}");
    let (record, notes) = without_notes(&scene, &task).await;
    assert_eq!(notes, [(0, 1, said(&outcomes[0], 9)), (1, 1, said(&outcomes[1], 9))]);
    assert_eq!(record.steps[2].current.state, StepState::Complete);
}

/// The note does not govern the step: it runs again when the row says so, and its phase is that of the row.
pub async fn kept_outcome_does_not_delay_the_next_attempt(scene: Scene) {
    let task = scene.start("a").await;
    let slow = scene.claims_by(&task, 1, 1, 0).await.remove(0);
    scene.rescue(5, 100, 5).await;
    let late = failed(&task, &slow, RetryAdvice::After(Duration::from_secs(9_999)));
    assert_eq!(scene.bring_at(late, 6).await, Recording::Stale);
    assert_eq!(scene.look(&task, 6).await.next_wake, Some(at(7)));
    assert_eq!(scene.claims_by(&task, 2, 1, 7).await.len(), 1);
}
