//! Ids of one storage, and the numbers by which both are compared: the order in which answers told of them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use tasker_engine::{
    Claim, Creation, Current, Due, ErrorReport, HandedBack, Intervened, NOT_RECORDABLE, Progress, Recorded,
    Recording, Rescued, Settled, SpawnedBy, StepId, StepMoved, StepRecord, Swept, TaskId, TaskMoved,
    TaskRecord, Token, Transition, TransitionId,
};

/// One kind of id.
#[derive(Default)]
struct Ids {
    numbers: HashMap<i64, i64>,
    ids: Vec<i64>,
}

impl Ids {
    fn number(&mut self, id: i64) -> i64 {
        let next = i64::try_from(self.ids.len()).expect("few ids");
        let number = *self.numbers.entry(id).or_insert(next);
        if number == next {
            self.ids.push(id);
        }
        number
    }

    /// The id of a number; one that no storage gives when there is none.
    fn id(&self, number: i64) -> i64 {
        usize::try_from(number).ok().and_then(|place| self.ids.get(place)).copied().unwrap_or(i64::MAX - 7)
    }
}

/// The ids of one storage.
#[derive(Default)]
pub(super) struct Names {
    tasks: Ids,
    steps: Ids,
    tokens: Ids,
    task_rows: Ids,
    step_rows: Ids,
    /// The last wake of each task, by number: its due time and its generation.
    wakes: HashMap<i64, Option<(i64, i64)>>,
    /// The highest generation seen of each task.
    generations: HashMap<i64, i64>,
}

/// The text in place of one that a backend chose.
const SOME_TEXT: &str = "(a text of the backend)";

impl Names {
    pub(super) fn task(&self, number: i64) -> TaskId {
        TaskId(self.tasks.id(number))
    }

    pub(super) fn step(&self, number: i64) -> StepId {
        StepId(self.steps.id(number))
    }

    pub(super) fn token(&self, number: i64) -> Token {
        Token(self.tokens.id(number))
    }

    fn of_task(&mut self, task: TaskId) -> TaskId {
        TaskId(self.tasks.number(task.0))
    }

    fn of_step(&mut self, step: StepId) -> StepId {
        StepId(self.steps.number(step.0))
    }

    fn of_token(&mut self, token: Token) -> Token {
        Token(self.tokens.number(token.0))
    }

    fn of_task_row(&mut self, row: TransitionId) -> TransitionId {
        TransitionId(self.task_rows.number(row.0))
    }

    fn of_step_row(&mut self, row: TransitionId) -> TransitionId {
        TransitionId(self.step_rows.number(row.0))
    }

    pub(super) fn creation(&mut self, creation: Creation) -> Creation {
        match creation {
            Creation::Created { task, steps, settled } => Creation::Created {
                task: self.of_task(task),
                steps: steps.into_iter().map(|step| self.of_step(step)).collect(),
                settled,
            },
            Creation::Duplicate { task } => Creation::Duplicate { task: self.of_task(task) },
        }
    }

    pub(super) fn progress(&mut self, progress: Progress) -> Progress {
        let Progress { task, recorded, claims, started, cancelled, settled, ended, next_wake, no_room, gone } =
            progress;
        Progress {
            task: self.of_task(task),
            recorded: recorded.into_iter().map(|recorded| self.recorded(recorded)).collect(),
            claims: claims.into_iter().map(|claim| self.claim(claim)).collect(),
            started: started.map(|row| self.of_task_row(row)),
            cancelled: cancelled.into_iter().map(|moved| self.step_moved(moved)).collect(),
            settled: settled
                .map(|Settled { state, by }| Settled { state, by: by.map(|row| self.of_task_row(row)) }),
            ended,
            next_wake,
            no_room,
            gone,
        }
    }

    fn recorded(&mut self, Recorded { token, how, blocked }: Recorded) -> Recorded {
        let how = match how {
            Recording::Recorded(row) => Recording::Recorded(self.of_step_row(row)),
            Recording::NotRecordable(row, error) => {
                let error = ErrorReport { message: SOME_TEXT.into(), ..error };
                Recording::NotRecordable(self.of_step_row(row), error)
            }
            other @ (Recording::AlreadyRecorded | Recording::Stale) => other,
        };
        Recorded { token: self.of_token(token), how, blocked }
    }

    fn step_moved(&mut self, moved: StepMoved) -> StepMoved {
        StepMoved { step: self.of_step(moved.step), by: self.of_step_row(moved.by), ..moved }
    }

    fn claim(&mut self, Claim { token, step, attempt, retries, parents }: Claim) -> Claim {
        let parents = parents.into_iter().map(|(parent, result)| (self.of_step(parent), result)).collect();
        Claim { token: self.of_token(token), step: self.of_step(step), attempt, retries, parents }
    }

    pub(super) fn intervened(&mut self, intervened: Intervened) -> Intervened {
        match intervened {
            Intervened::Moved { task, steps, rows } => Intervened::Moved {
                task,
                steps: steps.into_iter().map(|moved| self.step_moved(moved)).collect(),
                rows: rows
                    .into_iter()
                    .map(|moved| TaskMoved { by: self.of_task_row(moved.by), ..moved })
                    .collect(),
            },
            not @ Intervened::Not(_) => not,
        }
    }

    pub(super) fn due(&mut self, mut due: Due) -> Due {
        for wake in &mut due.wakes {
            wake.task = self.of_task(wake.task);
            wake.generation = 0;
        }
        due
    }

    pub(super) fn swept(&mut self, Swept { woken, next }: Swept) -> Swept {
        Swept { woken, next: next.map(|task| self.of_task(task)) }
    }

    pub(super) fn handed_back(&mut self, claims: Vec<HandedBack>) -> Vec<HandedBack> {
        let renamed = claims.into_iter().map(|HandedBack { token, task, step, by }| HandedBack {
            token: self.of_token(token),
            task: self.of_task(task),
            step: self.of_step(step),
            by: self.of_step_row(by),
        });
        let mut renamed: Vec<_> = renamed.collect();
        renamed.sort();
        renamed
    }

    pub(super) fn rescued(&mut self, rescued: Rescued) -> Rescued {
        let Rescued { task, step, token, by, .. } = rescued;
        Rescued {
            task: self.of_task(task),
            step: self.of_step(step),
            token: self.of_token(token),
            by: self.of_step_row(by),
            ..rescued
        }
    }

    /// The task with its ids renamed; its generation is held to what was seen before, and left out.
    pub(super) fn record(&mut self, mut task: TaskRecord) -> TaskRecord {
        task.id = self.of_task(task.id);
        self.follow_wake(&task);
        task.wake = task.wake.map(|(due, _)| (due, 0));
        rename(&mut task.current, &mut task.history, &mut self.task_rows, &mut self.tokens);
        for step in &mut task.steps {
            self.step_record(step);
        }
        task
    }

    fn step_record(&mut self, step: &mut StepRecord) {
        step.id = self.of_step(step.id);
        for parent in &mut step.parents {
            *parent = self.of_step(*parent);
        }
        if let Some(SpawnedBy { step, .. }) = &mut step.binding.spawned_by {
            *step = self.of_step(*step);
        }
        if step.results.get("error_class").is_some_and(|class| class == NOT_RECORDABLE) {
            let mut results = (*step.results).clone();
            results["error"] = SOME_TEXT.into();
            step.results = Arc::new(results);
        }
        rename(&mut step.current, &mut step.history, &mut self.step_rows, &mut self.tokens);
    }

    fn follow_wake(&mut self, task: &TaskRecord) {
        let now = task.wake.map(|(due, generation)| (due.as_micros(), generation));
        let before = self.wakes.insert(task.id.0, now).flatten();
        let Some((due, generation)) = now else { return };
        let highest = self.generations.entry(task.id.0).or_insert(i64::MIN);
        let same = before.is_some_and(|(before, _)| before == due) && generation == *highest;
        assert!(
            same || generation > *highest,
            "the generation of task {} rises: {before:?}, {now:?}",
            task.id
        );
        *highest = generation;
    }
}

fn rename<S>(current: &mut Current<S>, history: &mut [Transition<S>], rows: &mut Ids, tokens: &mut Ids) {
    for row in history {
        row.id = TransitionId(rows.number(row.id.0));
        rename_in(&mut row.metadata, tokens);
    }
    current.transition = current.transition.map(|row| TransitionId(rows.number(row.0)));
    rename_in(&mut current.metadata, tokens);
}

/// A row names its claim; and says in a text of the backend why an outcome could not be recorded.
fn rename_in(metadata: &mut Value, tokens: &mut Ids) {
    if let Some(claim) = metadata.get("claim").and_then(Value::as_i64) {
        metadata["claim"] = tokens.number(claim).into();
    }
    if metadata.get("error_class").is_some_and(|class| class == NOT_RECORDABLE) {
        metadata["error_message"] = SOME_TEXT.into();
    }
}
