//! Covers [`Storage::intervene`](tasker_engine::Storage::intervene): every task situation with every [`TaskCommand`],
//! every step situation with every [`StepCommand`], against tables written by hand; what was seen against what is
//! found; the fence of running steps.

use std::sync::Arc;

use serde_json::json;
use tasker_engine::{
    Act, Intervened, Intervention, NotMoved, Recording, Refusal, StepCommand, StepState, Storage as _,
    StorageError, TaskCommand, TaskId, TaskState,
};

use super::fixture::{
    Scene, Started, StepSituation, TaskSituation, act_on_step, act_on_task, at, completed, graph,
};

use NotMoved::AlreadyThere;
use Refusal::{
    Finished, InProgress, NotActive, NotFailed, NotPaused, NotRetryable, NotSkippable, ReasonRequired,
    RetriesExhausted, TaskFinished, UnknownStep,
};

/// What a table says of one pair.
#[derive(Clone, Copy, Debug)]
enum Expect<S> {
    /// It moves there.
    To(S),
    /// It stands there.
    Already,
    /// It is refused.
    No(Refusal),
}

use Expect::{Already, No, To};

const TASK_COMMANDS: [TaskCommand; 6] = [
    TaskCommand::Cancel { force: false },
    TaskCommand::Cancel { force: true },
    TaskCommand::Retry,
    TaskCommand::Resolve,
    TaskCommand::Pause,
    TaskCommand::Resume,
];

/// For each command, by situation.
#[rustfmt::skip]
fn task_table(situation: TaskSituation) -> [Expect<TaskState>; 6] {
    use TaskSituation as S;
    use TaskState::{Cancelled, Pending, ResolvedManually};
    match situation {
        //                      cancel         by force       retry          resolve               pause          resume
        S::Pending          => [To(Cancelled), To(Cancelled), No(NotFailed), No(NotFailed),        To(Pending),   Already],
        S::Draft            => [To(Cancelled), To(Cancelled), No(NotFailed), No(NotFailed),        To(Pending),   Already],
        S::InProgress       => [To(Cancelled), To(Cancelled), No(NotFailed), No(NotFailed),        To(Pending),   Already],
        S::Paused           => [To(Cancelled), To(Cancelled), No(NotFailed), No(NotFailed),        Already,       To(Pending)],
        S::Resumed          => [To(Cancelled), To(Cancelled), No(NotFailed), No(NotFailed),        To(Pending),   Already],
        S::Complete         => [No(Finished),  To(Cancelled), No(Finished),  No(Finished),         No(Finished),  No(Finished)],
        S::Error            => [To(Cancelled), To(Cancelled), To(Pending),   To(ResolvedManually), No(NotActive), No(NotPaused)],
        S::Cancelled        => [Already,       Already,       No(Finished),  No(Finished),         No(Finished),  No(Finished)],
        S::ResolvedManually => [No(Finished),  To(Cancelled), No(Finished),  Already,              No(Finished),  No(Finished)],
    }
}

fn step_commands() -> [StepCommand; 7] {
    [
        StepCommand::Cancel,
        StepCommand::Retry,
        StepCommand::Reset,
        StepCommand::Resolve { results: None },
        StepCommand::Resolve { results: Some(Arc::new(json!({ "by": "hand" }))) },
        StepCommand::Complete { results: Arc::new(json!({ "by": "hand" })) },
        StepCommand::Skip,
    ]
}

/// For each command, by situation; the step is skippable.
#[rustfmt::skip]
fn step_table(situation: StepSituation) -> [Expect<StepState>; 7] {
    use StepSituation as S;
    use StepState::{Cancelled, Complete, Pending, ResolvedManually as Resolved};
    match situation {
        //                      cancel         retry                  reset           resolve         with results    complete        skip
        S::Pending          => [To(Cancelled), No(NotFailed),         No(NotFailed),  To(Resolved),   To(Resolved),   To(Complete),   To(Resolved)],
        S::Reset            => [To(Cancelled), No(NotFailed),         Already,        To(Resolved),   To(Resolved),   To(Complete),   To(Resolved)],
        S::InProgress       => [To(Cancelled), No(InProgress),        No(InProgress), No(InProgress), No(InProgress), No(InProgress), No(InProgress)],
        S::Complete         => [No(Finished),  No(Finished),          No(Finished),   No(Finished),   No(Finished),   Already,        No(Finished)],
        S::Failed           => [To(Cancelled), To(Pending),           To(Pending),    To(Resolved),   To(Resolved),   To(Complete),   To(Resolved)],
        S::Exhausted        => [To(Cancelled), No(RetriesExhausted),  To(Pending),    To(Resolved),   To(Resolved),   To(Complete),   To(Resolved)],
        S::Permanent        => [To(Cancelled), No(NotRetryable),      To(Pending),    To(Resolved),   To(Resolved),   To(Complete),   To(Resolved)],
        S::Cancelled        => [Already,       No(Finished),          No(Finished),   No(Finished),   No(Finished),   No(Finished),   No(Finished)],
        S::ResolvedManually => [No(Finished),  No(Finished),          No(Finished),   Already,        Already,        No(Finished),   Already],
        S::Skipped          => [No(Finished),  No(Finished),          No(Finished),   Already,        Already,        No(Finished),   Already],
    }
}

/// The answer is as the table says; one that moved nothing left everything as it was.
async fn holds<S: Copy>(
    scene: &Scene,
    task: &Started,
    act: Intervention,
    expect: Expect<S>,
    what: &str,
) -> Option<S> {
    let before = scene.task(task).await;
    let found = scene.intervene(act).await;
    let refused = match expect {
        To(state) => {
            assert!(matches!(found, Intervened::Moved { .. }), "{what}: {found:?}");
            return Some(state);
        }
        Already => AlreadyThere,
        No(refusal) => NotMoved::Refused(refusal),
    };
    assert_eq!(found, Intervened::Not(refused), "{what}");
    assert_eq!(scene.task(task).await, before, "{what}: a refused act writes nothing");
    None
}

/// Nine situations, six commands.
pub async fn task_commands_do_what_the_table_says(scene: Scene) {
    for situation in TaskSituation::ALL {
        for (command, expect) in TASK_COMMANDS.into_iter().zip(task_table(situation)) {
            let what = format!("{situation:?}, {command:?}");
            let task = scene.task_in(situation).await;
            let rows = scene.task(&task).await.history.len();
            if let Some(state) = holds(&scene, &task, act_on_task(&task, command), expect, &what).await {
                let record = scene.task(&task).await;
                assert_eq!((record.current.state, record.history.len()), (state, rows + 1), "{what}");
            }
        }
    }
}

/// Ten situations, seven commands.
pub async fn step_commands_do_what_the_table_says(scene: Scene) {
    for situation in StepSituation::ALL.into_iter().chain([StepSituation::Skipped]) {
        for (command, expect) in step_commands().into_iter().zip(step_table(situation)) {
            let what = format!("{situation:?}, {command:?}");
            let task = scene.step_of_in(graph("x, other").skippable("x"), situation).await;
            let rows = scene.step(&task, "x").await.history.len();
            let act = act_on_step(&task, task.step("x"), command);
            if let Some(state) = holds(&scene, &task, act, expect, &what).await {
                let x = scene.step(&task, "x").await;
                assert_eq!((x.current.state, x.history.len()), (state, rows + 1), "{what}");
                assert_eq!(
                    x.backoff_request_seconds, None,
                    "{what}: a step that moves loses its requested wait"
                );
            }
        }
    }
}

/// Only skippable steps are passed over; whatever else stands in the way is told first.
pub async fn step_that_is_not_skippable_is_not_skipped(scene: Scene) {
    for situation in StepSituation::ALL {
        let task = scene.step_in(situation).await;
        let act = act_on_step(&task, task.step("x"), StepCommand::Skip);
        let expect: Expect<StepState> = match step_table(situation)[6] {
            To(_) => No(NotSkippable),
            other => other,
        };
        holds(&scene, &task, act, expect, &format!("{situation:?}")).await;
    }
}

/// A finished task takes no act on its steps, whatever the step and the command.
pub async fn steps_of_a_finished_task_are_left_alone(scene: Scene) {
    for situation in [TaskSituation::Complete, TaskSituation::Cancelled, TaskSituation::ResolvedManually] {
        let task = scene.task_in(situation).await;
        for command in step_commands() {
            let what = format!("{situation:?}, {command:?}");
            let act = act_on_step(&task, task.step("x"), command);
            holds::<StepState>(&scene, &task, act, No(TaskFinished), &what).await;
        }
    }
}

/// An errored task goes back to `pending` in the same call.
pub async fn act_on_a_step_reopens_an_errored_task(scene: Scene) {
    for (command, expect) in step_commands().into_iter().zip(step_table(StepSituation::Permanent)) {
        let task = scene.task_in(TaskSituation::Error).await;
        let expect = if command == StepCommand::Skip { No(NotSkippable) } else { expect };
        let what = format!("{command:?}");
        let mut act = act_on_step(&task, task.step("x"), command);
        act.now = at(9);
        if holds(&scene, &task, act, expect, &what).await.is_some() {
            let record = scene.task(&task).await;
            let last = record.history.last().expect("a row");
            assert_eq!((last.from, last.to), (Some(TaskState::Error), TaskState::Pending), "{what}");
            assert_eq!(record.wake.map(|(due, _)| due), Some(at(9)), "{what}: all acts wake the task");
        }
    }
}

/// Declaring something done needs a reason; nothing else does.
pub async fn resolving_needs_a_reason(scene: Scene) {
    for reason in [None, Some(String::new()), Some(" \t".to_owned())] {
        let task = scene.task_in(TaskSituation::Error).await;
        let resolve_step = act_on_step(&task, task.step("x"), StepCommand::Resolve { results: None });
        for mut act in [act_on_task(&task, TaskCommand::Resolve), resolve_step] {
            act.reason.clone_from(&reason);
            let what = format!("{reason:?}");
            holds::<TaskState>(&scene, &task, act, No(ReasonRequired), &what).await;
        }
    }
    for command in TASK_COMMANDS.into_iter().filter(|command| *command != TaskCommand::Resolve) {
        let task = scene.task_in(TaskSituation::Error).await;
        let mut act = act_on_task(&task, command);
        act.reason = None;
        let found = scene.intervene(act).await;
        assert_ne!(found, Intervened::Not(NotMoved::Refused(ReasonRequired)), "{command:?}");
    }
}

/// A caller that names the state it saw is told when another is found, before anything else: nine situations, six
/// commands, six states that may have been seen. Who saw the right one is answered as the table says.
pub async fn task_that_changed_meanwhile_is_a_conflict(scene: Scene) {
    let seeing = |task: &Started, command, seen| {
        let act = Act::Task { command, expected: Some(seen) };
        Intervention { act, ..act_on_task(task, command) }
    };
    for situation in TaskSituation::ALL {
        let task = scene.task_in(situation).await;
        let before = scene.task(&task).await;
        let conflict = Intervened::Not(NotMoved::TaskConflict { actual: situation.state() });
        for seen in TaskState::ALL.into_iter().filter(|seen| *seen != situation.state()) {
            for command in TASK_COMMANDS {
                let found = scene.intervene(seeing(&task, command, seen)).await;
                assert_eq!(found, conflict, "{situation:?}, {command:?}, seen {seen}");
            }
        }
        assert_eq!(scene.task(&task).await, before, "{situation:?}");
        for (command, expect) in TASK_COMMANDS.into_iter().zip(task_table(situation)) {
            let task = scene.task_in(situation).await;
            let act = seeing(&task, command, situation.state());
            holds(&scene, &task, act, expect, &format!("{situation:?}, {command:?}")).await;
        }
    }
}

/// The same for steps: ten situations, seven commands, six states.
pub async fn step_that_changed_meanwhile_is_a_conflict(scene: Scene) {
    let seeing = |task: &Started, command: StepCommand, seen| {
        let step = task.step("x");
        let act = Act::Step { step, command: command.clone(), expected: Some(seen) };
        Intervention { act, ..act_on_step(task, step, command) }
    };
    for situation in StepSituation::ALL.into_iter().chain([StepSituation::Skipped]) {
        let task = scene.step_of_in(graph("x, other").skippable("x"), situation).await;
        let before = scene.task(&task).await;
        let conflict = Intervened::Not(NotMoved::StepConflict { actual: situation.state() });
        for seen in StepState::ALL.into_iter().filter(|seen| *seen != situation.state()) {
            for command in step_commands() {
                let found = scene.intervene(seeing(&task, command.clone(), seen)).await;
                assert_eq!(found, conflict, "{situation:?}, {command:?}, seen {seen}");
            }
        }
        assert_eq!(scene.task(&task).await, before, "{situation:?}");
        for (command, expect) in step_commands().into_iter().zip(step_table(situation)) {
            let task = scene.step_of_in(graph("x, other").skippable("x"), situation).await;
            let act = seeing(&task, command.clone(), situation.state());
            holds(&scene, &task, act, expect, &format!("{situation:?}, {command:?}")).await;
        }
    }
}

/// Steps of a task that is held are acted on as those of any other, and nobody is woken: two ways to be held, ten
/// situations, seven commands.
pub async fn steps_of_a_held_task_are_acted_on_and_nobody_is_woken(scene: Scene) {
    for draft in [false, true] {
        // Nothing of a draft has run.
        let situations = StepSituation::ALL.into_iter().chain([StepSituation::Skipped]);
        let situations = situations.filter(|situation| !draft || *situation == StepSituation::Pending);
        for situation in situations {
            for (command, expect) in step_commands().into_iter().zip(step_table(situation)) {
                let what = format!("draft: {draft}, {situation:?}, {command:?}");
                let task = scene.step_of_in(graph("x, other").skippable("x"), situation).await;
                match draft {
                    true => scene.make_draft(&task).await,
                    false => scene.act(&task, TaskCommand::Pause).await,
                }
                let act = act_on_step(&task, task.step("x"), command);
                let moved = holds(&scene, &task, act, expect, &what).await;
                let record = scene.task(&task).await;
                assert!(record.is_held(), "{what}");
                assert_eq!(record.wake, None, "{what}");
                if let Some(state) = moved {
                    assert_eq!(record.step("x").map(|x| x.current.state), Some(state), "{what}");
                }
            }
        }
    }
}

/// A task that is not there is an error; a step that the task does not have is a refusal.
pub async fn unknown_tasks_and_steps_are_told(scene: Scene) {
    let (task, other) = (scene.start("a").await, scene.start("a").await);
    let nowhere = TaskId(i64::MAX);
    let on_task = act_on_task(nowhere, TaskCommand::Pause);
    let on_step = act_on_step(nowhere, task.step("a"), StepCommand::Cancel);
    for act in [on_task, on_step] {
        let found = scene.storage().intervene(act).await;
        assert!(matches!(found, Err(StorageError::UnknownTask(id)) if id == nowhere), "{found:?}");
    }
    for step in [other.step("a"), tasker_engine::StepId(i64::MAX)] {
        let act = act_on_step(&task, step, StepCommand::Cancel);
        holds::<StepState>(&scene, &task, act, No(UnknownStep), "another task's step").await;
    }
}

/// The fence: a running step that an act moved does not take its outcome.
pub async fn running_step_that_an_act_moves_is_fenced(scene: Scene) {
    for whole in [true, false] {
        let task = scene.start("a -> b, c").await;
        let claim = scene.claim(&task, "a").await;
        match whole {
            true => scene.act(&task, TaskCommand::Cancel { force: false }).await,
            false => scene.act_on(&task, "a", StepCommand::Cancel).await,
        }
        assert_eq!(scene.bring_at(completed(&task, &claim, json!({})), 1).await, Recording::Stale);
        let a = scene.step(&task, "a").await;
        assert_eq!((a.current.state, &*a.results), (StepState::Cancelled, &json!({})));
    }
}

/// After a lost reply an act may be sent again; it is not done twice.
pub async fn act_sent_again_is_not_done_twice(scene: Scene) {
    for situation in StepSituation::ALL {
        for command in step_commands() {
            let task = scene.step_of_in(graph("x, other").skippable("x"), situation).await;
            let act = act_on_step(&task, task.step("x"), command.clone());
            if matches!(scene.intervene(act.clone()).await, Intervened::Moved { .. }) {
                let before = scene.task(&task).await;
                let again = scene.intervene(act).await;
                assert!(matches!(again, Intervened::Not(_)), "{situation:?}, {command:?}: {again:?}");
                assert_eq!(scene.task(&task).await, before, "{situation:?}, {command:?}");
            }
        }
    }
}
