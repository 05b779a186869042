//! Operations as arguments of real calls, from what both storages told so far.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_engine::{
    Act, Advance, BoundTemplate, ErrorReport, HandlerName, HandlerRoom, Intervention, Outcome, OutcomeKind,
    RetryAdvice, Room, SpawnedStep, StepCommand, StepName, StepState, TaskCommand, TaskRecord, TaskState,
    Timestamp, Token,
};

use super::super::fixture::{ACTOR, Graph, RAN, REASON, graph, worker};
use super::names::Names;
use super::operation::{Deed, Ending, How, RandomGraph, RandomSpawn, Target, Wave};

/// A claim that was told, by numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) task: i64,
    pub(super) step: i64,
    pub(super) token: i64,
    pub(super) attempt: u32,
}

/// What answers told so far, by numbers.
pub(super) struct Known {
    pub(super) now: Timestamp,
    /// How many identities were given.
    pub(super) identities: usize,
    /// What both told last, by number of the task.
    pub(super) tasks: Vec<TaskRecord>,
    /// Every claim that was ever told.
    pub(super) claims: Vec<Told>,
}

impl Known {
    /// The tokens chosen among the newest.
    pub(super) fn held(&self, bits: u32) -> Vec<i64> {
        let newest = self.claims.iter().rev().enumerate();
        newest.filter(|(place, _)| chosen(bits, *place)).map(|(_, told)| told.token).collect()
    }

    /// The number of a task; none when there are no tasks.
    pub(super) fn task(&self, number: usize) -> Option<i64> {
        number.checked_rem(self.tasks.len()).map(number_of)
    }

    pub(super) fn wave(&self, wave: &Wave, names: &Names) -> Advance {
        let handlers = match &wave.handlers {
            None => HandlerRoom::Every,
            Some(rooms) => {
                let rooms = rooms.iter().enumerate().map(|(number, room)| (handler(number), *room));
                let rooms = rooms.collect::<BTreeMap<_, _>>();
                if wave.others { HandlerRoom::Limited(rooms) } else { HandlerRoom::Only(rooms) }
            }
        };
        Advance {
            worker: worker(wave.worker.into()),
            now: self.now,
            outcomes: wave.outcomes.iter().filter_map(|ending| self.outcome(ending, names)).collect(),
            wanted: wave
                .wanted
                .iter()
                .filter_map(|task| self.task(*task))
                .map(|task| names.task(task))
                .collect(),
            room: Room { total: wave.total, per_task: wave.per_task, handlers },
        }
    }

    fn outcome(&self, ending: &Ending, names: &Names) -> Option<Outcome> {
        let told = self.told(ending)?;
        let (kind, spawned) = match &ending.how {
            How::Completed(results, spawned) => {
                let spawned = spawned.iter().map(|step| self.spawned(step, told)).collect();
                (OutcomeKind::Completed(Arc::new(result(*results))), spawned)
            }
            How::Unstorable => (OutcomeKind::Completed(Arc::new(json!(["\0"]))), vec![]),
            How::Failed => (fault(RetryAdvice::Default), vec![]),
            How::FailedAfter(millis) => (fault(RetryAdvice::After(Duration::from_millis(*millis))), vec![]),
            How::FailedForGood => (fault(RetryAdvice::Never), vec![]),
            How::HandBack => (OutcomeKind::HandBack, vec![]),
            How::Snooze(millis) => {
                (OutcomeKind::Snooze { until: self.now - MOMENT + Duration::from_millis(*millis) }, vec![])
            }
        };
        Some(Outcome {
            task: names.task(told.task),
            step: names.step(told.step),
            token: if ending.made_up { Token(i64::MAX) } else { names.token(told.token) },
            attempt: told.attempt,
            duration: RAN,
            kind,
            spawned,
        })
    }

    /// The claim that ends; none when there is none to choose from.
    fn told(&self, ending: &Ending) -> Option<Told> {
        let newest_first = self.claims.iter().rev().filter(|told| ending.any || self.runs(told));
        let newest_first: Vec<_> = newest_first.copied().collect();
        Some(newest_first[ending.claim.checked_rem(newest_first.len())?])
    }

    /// Whether its step is in progress; under this claim, or a later one.
    fn runs(&self, told: &Told) -> bool {
        let task = usize::try_from(told.task).ok().and_then(|place| self.tasks.get(place));
        let step = task.and_then(|task| task.steps.iter().find(|step| step.id.0 == told.step));
        step.is_some_and(|step| step.in_process)
    }

    fn spawned(&self, spawn: &RandomSpawn, asking: Told) -> SpawnedStep {
        let steps = usize::try_from(asking.task)
            .ok()
            .and_then(|place| self.tasks.get(place))
            .map_or(&[][..], |t| &t.steps);
        let children: Vec<_> =
            steps.iter().filter(|step| step.parents.iter().any(|parent| parent.0 == asking.step)).collect();
        let child =
            spawn.before.and_then(|place| Some(children[place.checked_rem(children.len())?].name.clone()));
        let any =
            spawn.before_any.and_then(|place| Some(steps[place.checked_rem(steps.len())?].name.clone()));
        let mut before: Vec<_> = child.into_iter().chain(any).collect();
        before.dedup();
        let name = |number: u8| StepName::from(format!("n{number}"));
        SpawnedStep {
            name: name(spawn.name),
            handler: handler(usize::from(spawn.name) % 3),
            config: Arc::new(json!({ "n": spawn.name })),
            retry_limit: spawn.limit,
            retryable: true,
            after: spawn.after.map(name).into_iter().collect(),
            before,
        }
    }

    pub(super) fn act(&self, deed: &Deed, names: &Names) -> Option<Intervention> {
        let task = self.task(deed.task)?;
        let seen = deed.seen.map(usize::from);
        let act = match deed.target {
            Target::Task(command) => Act::Task {
                command: task_command(command),
                expected: seen.map(|place| TaskState::ALL[place % 6]),
            },
            Target::Step(step, command) => {
                let steps = &self.tasks[usize::try_from(task).ok()?].steps;
                let step = steps.get(step.checked_rem(steps.len().max(1))?).map_or(-1, |step| step.id.0);
                let expected = seen.map(|place| StepState::ALL[place % 6]);
                Act::Step { step: names.step(step), command: step_command(command), expected }
            }
        };
        let reason = deed.reason.then(|| REASON.to_owned());
        Some(Intervention { task: names.task(task), act, actor: ACTOR.into(), reason, now: self.now })
    }
}

/// How long ago the shortest snooze was over when it was recorded.
const MOMENT: Duration = Duration::from_secs(5);

fn handler(number: usize) -> HandlerName {
    format!("h{number}").into()
}

/// The template of a random graph; equal graphs are one definition.
pub(super) fn definition(random: &RandomGraph) -> Arc<BoundTemplate> {
    let places = 0..random.steps.len();
    let order: Vec<_> = if random.reversed { places.rev().collect() } else { places.collect() };
    let names: Vec<_> = order.iter().map(|place| format!("s{place}")).collect();
    let empty: Graph = graph(&names.join(", "));
    let graph = random.steps.iter().enumerate().fold(empty, |graph, (place, random)| {
        graph.with(&format!("s{place}"), |step| {
            let parents = (0..place).filter(|parent| chosen(random.parents.into(), *parent));
            step.depends_on_steps = parents.map(|parent| StepName::from(format!("s{parent}"))).collect();
            step.default_retry_limit = random.limit;
            step.default_retryable = random.retryable;
            step.skippable = random.skippable;
            step.handler_class = handler(random.handler.into());
        })
    });
    if random.one_at_a_time { graph.one_at_a_time().bound() } else { graph.bound() }
}

fn fault(retry: RetryAdvice) -> OutcomeKind {
    let error = ErrorReport { class: "Boom".into(), message: "it went off".into(), code: None };
    OutcomeKind::Failed { error, retry }
}

fn result(number: u8) -> Value {
    match number {
        0 => json!({}),
        1 => json!(null),
        2 => json!({ "n": 1e17, "m": [-0.0] }),
        3 => json!([1, "two"]),
        4 => json!({ "skipped": true }),
        _ => json!({ "number": number }),
    }
}

fn task_command(number: u8) -> TaskCommand {
    match number % 6 {
        0 => TaskCommand::Pause,
        1 => TaskCommand::Resume,
        2 => TaskCommand::Retry,
        3 => TaskCommand::Cancel { force: false },
        4 => TaskCommand::Resolve,
        _ => TaskCommand::Cancel { force: true },
    }
}

fn step_command(number: u8) -> StepCommand {
    match number % 7 {
        0 => StepCommand::Cancel,
        1 => StepCommand::Retry,
        2 => StepCommand::Reset,
        3 => StepCommand::Skip,
        4 => StepCommand::Complete { results: Arc::new(json!({ "by": "hand" })) },
        5 => StepCommand::Resolve { results: None },
        _ => StepCommand::Resolve { results: Some(Arc::new(json!({ "by": "hand" }))) },
    }
}

pub(super) fn number_of(place: usize) -> i64 {
    i64::try_from(place).expect("few")
}

/// Bit by bit, whether a place was chosen.
pub(super) fn chosen(bits: u32, place: usize) -> bool {
    u32::try_from(place).ok().and_then(|place| bits.checked_shr(place)).unwrap_or(0) & 1 == 1
}
