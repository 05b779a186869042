//! Covers point 6 of [`Advance`](tasker_engine::Advance), sentence by sentence, but for parking; "Wakes" of the
//! contract (at most one a task, generations rise); and [`Progress::next_wake`](tasker_engine::Progress::next_wake).

use std::time::Duration;

use serde_json::json;
use tasker_engine::{OutcomeKind, RetryAdvice, StepCommand, TaskCommand};

use super::fixture::{AdvanceCall, Scene, TaskSituation, at, completed, ended, failed};

/// "Of a settled or paused task the wake is gone", and it is not given back by looking.
pub async fn settled_and_paused_tasks_have_no_wake(scene: Scene) {
    for situation in TaskSituation::ALL {
        let task = scene.task_in(situation).await;
        if !situation.is_open() || situation == TaskSituation::Paused {
            assert_eq!(scene.wake(&task).await, None, "{situation:?}");
            let progress = scene.look(&task, 5).await;
            assert_eq!((progress.next_wake, scene.wake(&task).await), (None, None), "{situation:?}");
        }
    }
}

/// The wake of a new task goes when it is paused, and comes back due when it is resumed.
pub async fn pause_takes_the_wake_and_resume_gives_one_due_now(scene: Scene) {
    let task = scene.start("a").await;
    scene.act(&task, TaskCommand::Pause).await;
    assert_eq!(scene.wake(&task).await, None);
    let mut resume = super::fixture::act_on_task(&task, TaskCommand::Resume);
    resume.now = at(9);
    scene.intervene(resume).await;
    assert_eq!(scene.wake(&task).await, Some(at(9)));
}

/// A task that becomes settled by an outcome loses the wake it had.
pub async fn settling_takes_the_wake(scene: Scene) {
    let task = scene.start("a, b").await;
    let a = scene.claim(&task, "a").await;
    assert!(scene.wake(&task).await.is_some(), "b is left over");
    scene.act_on(&task, "b", StepCommand::Cancel).await;
    scene.record(completed(&task, &a, json!({}))).await;
    assert_eq!(scene.wake(&task).await, None);
    assert_eq!(scene.due(9999).await.wakes, []);
}

/// "Ready steps left over give a wake due now": no room at all, or too little.
pub async fn ready_steps_left_over_give_a_wake_due_now(scene: Scene) {
    for room in [0, 1] {
        let task = scene.start("a, b").await;
        let progress = scene.one(AdvanceCall::wanting(&task).at(5).room(room)).await;
        assert_eq!((progress.next_wake, scene.wake(&task).await), (Some(at(5)), Some(at(5))), "room {room}");
    }
}

/// Also below what completed, in a task that is not wanted.
pub async fn ready_children_left_over_give_a_wake_due_now(scene: Scene) {
    let task = scene.start("a -> b").await;
    let a = scene.claim(&task, "a").await;
    assert_eq!(scene.wake(&task).await, None);
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &a, json!({}))).at(5).room(0)).await;
    assert_eq!((progress.next_wake, scene.wake(&task).await), (Some(at(5)), Some(at(5))));
}

/// Also when other tasks took all the room, whichever way a task came into the call.
pub async fn every_task_with_ready_steps_left_over_is_woken_when_room_runs_out(scene: Scene) {
    let tasks = scene.start_many("a -> b", 3).await;
    let a = scene.claim(&tasks[1], "a").await;
    let call = AdvanceCall::wanting(&tasks[0]).and_wanting(&tasks[2]).and_bringing(completed(
        &tasks[1],
        &a,
        json!({}),
    ));
    let progress = scene.advance(call.at(5).room(1)).await;
    assert_eq!(progress.iter().map(|one| one.claims.len()).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(
        progress.iter().map(|one| one.next_wake).collect::<Vec<_>>(),
        [None, Some(at(5)), Some(at(5))]
    );
}

/// "Failed … steps give one for when they may run again", though the task was not wanted.
pub async fn failed_step_gives_a_wake_for_its_next_attempt(scene: Scene) {
    let task = scene.start("a").await;
    let a = scene.claim(&task, "a").await;
    let progress =
        scene.one(AdvanceCall::bringing(failed(&task, &a, RetryAdvice::Default)).at(5).room(0)).await;
    assert_eq!((progress.next_wake, scene.wake(&task).await), (Some(at(7)), Some(at(7))));
}

/// A moment finer than a second is kept.
pub async fn wakes_are_due_to_the_microsecond(scene: Scene) {
    let task = scene.start("a").await;
    let a = scene.claim(&task, "a").await;
    let wait = Duration::from_micros(1_234_567);
    scene.record(failed(&task, &a, RetryAdvice::After(wait))).await;
    assert_eq!(scene.wake(&task).await, Some(at(0) + wait));
}

/// "Snoozed … steps".
pub async fn snoozed_step_gives_a_wake_for_its_end(scene: Scene) {
    let task = scene.start("a").await;
    let a = scene.claim(&task, "a").await;
    let progress = scene
        .one(AdvanceCall::bringing(ended(&task, &a, OutcomeKind::Snooze { until: at(86_400) })).room(0))
        .await;
    assert_eq!((progress.next_wake, scene.wake(&task).await), (Some(at(86_400)), Some(at(86_400))));
}

/// "Handed-back steps" may run again at once.
pub async fn handed_back_step_gives_a_wake_due_now(scene: Scene) {
    let task = scene.start("a").await;
    let a = scene.claim(&task, "a").await;
    let progress =
        scene.one(AdvanceCall::bringing(ended(&task, &a, OutcomeKind::HandBack)).at(5).room(0)).await;
    assert_eq!((progress.next_wake, scene.wake(&task).await), (Some(at(5)), Some(at(5))));
}

/// A step that will never run again gives none.
pub async fn blocked_step_gives_no_wake(scene: Scene) {
    let task = scene.start("a, b").await;
    let claims = scene.claim_all(&task).await;
    let progress =
        scene.one(AdvanceCall::bringing(failed(&task, &claims[0], RetryAdvice::Never)).at(5)).await;
    assert_eq!((progress.next_wake, scene.wake(&task).await), (None, None), "b runs, and moves it");
}

/// "The earliest counts": of two failures in one call.
pub async fn earliest_of_several_reasons_counts(scene: Scene) {
    let task = scene.start("a, b, c").await;
    let claims = scene.claim_all(&task).await;
    let after = |claim, seconds| failed(&task, claim, RetryAdvice::After(Duration::from_secs(seconds)));
    let call = AdvanceCall::bringing(after(&claims[0], 30)).and_bringing(after(&claims[1], 20));
    let call = call.and_bringing(after(&claims[2], 40));
    assert_eq!(scene.one(call).await.next_wake, Some(at(20)));
    assert_eq!(scene.wake(&task).await, Some(at(20)));
}

/// Ready steps left over are earlier than any failure.
pub async fn ready_step_left_over_is_earlier_than_a_failed_one(scene: Scene) {
    let task = scene.start("a, b").await;
    let a = scene.claim(&task, "a").await;
    let call = AdvanceCall::bringing(failed(&task, &a, RetryAdvice::Default)).and_wanting(&task);
    assert_eq!(scene.one(call.at(5).room(0)).await.next_wake, Some(at(5)));
}

/// "A wanted task without either has no wake left": it only waits for what runs.
pub async fn wanted_task_that_only_waits_for_running_steps_has_no_wake_left(scene: Scene) {
    let task = scene.start("a -> b").await;
    let progress = scene.one(AdvanceCall::wanting(&task).at(1)).await;
    assert_eq!((progress.claims.len(), progress.next_wake), (1, None));
    assert_eq!(scene.wake(&task).await, None);
    assert_eq!(scene.look(&task, 2).await.next_wake, None);
}

/// A wanted task whose steps wait is told when the first of them may run.
pub async fn wanted_task_in_back_off_has_a_wake_for_its_end(scene: Scene) {
    let task = scene.start("a, b").await;
    let claims = scene.claim_all(&task).await;
    let after = |claim, seconds| failed(&task, claim, RetryAdvice::After(Duration::from_secs(seconds)));
    scene.record(after(&claims[0], 100)).await;
    scene.record(after(&claims[1], 50)).await;
    let progress = scene.one(AdvanceCall::wanting(&task).at(10)).await;
    assert_eq!((progress.claims.len(), scene.wake(&task).await), (0, Some(at(50))));
    let progress = scene.one(AdvanceCall::wanting(&task).at(50)).await;
    assert_eq!((progress.claims.len(), scene.wake(&task).await), (1, Some(at(100))));
}

/// "One that was not wanted keeps what it had if that is earlier".
pub async fn unwanted_task_keeps_an_earlier_wake(scene: Scene) {
    let task = scene.start("a, b, c").await;
    let claims = scene.claim_all(&task).await;
    let after = |claim, seconds| failed(&task, claim, RetryAdvice::After(Duration::from_secs(seconds)));
    let told = [(&claims[0], 30, Some(30)), (&claims[1], 50, None), (&claims[2], 10, Some(10))];
    let mut due = None;
    for (claim, wait, written) in told {
        let progress = scene.one(AdvanceCall::bringing(after(claim, wait)).room(0)).await;
        assert_eq!(progress.next_wake, written.map(at), "only a wake that is written is told");
        due = progress.next_wake.or(due);
        assert_eq!(scene.wake(&task).await, due, "after a wait of {wait} s");
    }
}

/// An outcome that gives no reason for a wake leaves the one that is there.
pub async fn unwanted_task_keeps_its_wake_when_nothing_new_waits(scene: Scene) {
    let task = scene.start("a -> c, b").await;
    let claims = scene.claim_all(&task).await;
    scene.record(failed(&task, &claims[1], RetryAdvice::After(Duration::from_secs(30)))).await;
    let before = scene.task(&task).await.wake;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &claims[0], json!({}))).at(5)).await;
    assert_eq!(progress.claims.len(), 1);
    assert_eq!(scene.task(&task).await.wake, before);
}

/// A stale outcome moves nothing, and so wakes nobody.
pub async fn stale_outcome_leaves_the_wake(scene: Scene) {
    let task = scene.start("a, b").await;
    let a = scene.claim(&task, "a").await;
    scene.act_on(&task, "a", StepCommand::Cancel).await;
    let before = scene.task(&task).await.wake;
    scene.bring_at(completed(&task, &a, json!({})), 5).await;
    assert_eq!(scene.task(&task).await.wake, before);
    assert!(before.is_some());
}

/// "Each change of it raises its generation", also over a time without a wake.
pub async fn generations_rise_with_every_change(scene: Scene) {
    let task = scene.start("a").await;
    let mut generations = Vec::new();
    for seconds in 1..6 {
        generations.extend(scene.task(&task).await.wake.map(|(_, generation)| generation));
        scene.look(&task, seconds).await;
    }
    for round in 1..4 {
        let claim = scene.claim_at(&task, "a", 10 * round).await;
        assert_eq!(scene.wake(&task).await, None);
        scene.record_at(ended(&task, &claim, OutcomeKind::HandBack), 10 * round + 1).await;
        generations.extend(scene.task(&task).await.wake.map(|(_, generation)| generation));
    }
    assert_eq!(generations.len(), 8);
    assert!(generations.is_sorted_by(|one, next| one < next), "{generations:?}");
}

/// The wake told by `load` is the one told by `due`.
pub async fn wake_is_the_same_whoever_tells_it(scene: Scene) {
    let task = scene.start("a").await;
    scene.look(&task, 5).await;
    let due = scene.due(5).await.wakes;
    let told: Vec<_> = due.iter().map(|wake| (wake.task, Some((wake.due, wake.generation)))).collect();
    assert_eq!(told, [(task.id, scene.task(&task).await.wake)]);
}

/// Whatever ends in a paused task, it is not woken.
pub async fn outcomes_of_a_paused_task_give_no_wake(scene: Scene) {
    let task = scene.start("a -> x, b, c, d").await;
    let claims = scene.claim_all(&task).await;
    scene.act(&task, TaskCommand::Pause).await;
    let outcomes = [
        completed(&task, &claims[0], json!({})),
        failed(&task, &claims[1], RetryAdvice::Default),
        ended(&task, &claims[2], OutcomeKind::HandBack),
        ended(&task, &claims[3], OutcomeKind::Snooze { until: at(60) }),
    ];
    for outcome in outcomes {
        let progress = scene.one(AdvanceCall::bringing(outcome).at(1)).await;
        assert_eq!((progress.claims, progress.next_wake, progress.settled), (vec![], None, None));
        assert_eq!(scene.wake(&task).await, None);
    }
    scene.act(&task, TaskCommand::Resume).await;
    let claims = scene.one(AdvanceCall::wanting(&task).at(60)).await.claims;
    assert_eq!(claims.len(), 4, "the child, and what failed, was handed back and slept");
}

/// A sleep that is over before it is recorded: the step may run now.
pub async fn step_snoozed_until_a_moment_ago_gives_a_wake_due_now(scene: Scene) {
    let task = scene.start("a").await;
    let a = scene.claim(&task, "a").await;
    let outcome = ended(&task, &a, OutcomeKind::Snooze { until: at(3) });
    let progress = scene.one(AdvanceCall::bringing(outcome).at(5).room(0)).await;
    assert_eq!((progress.next_wake, scene.wake(&task).await), (Some(at(5)), Some(at(5))));
    assert_eq!(scene.claim_at(&task, "a", 5).await.attempt, 1);
}
