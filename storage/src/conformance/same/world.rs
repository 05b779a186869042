//! Plays operations on two storages, and knows by number what their answers told of.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_engine::{
    Act, Advance, Beat, BoundTemplate, Creation, Detail, ErrorReport, HandlerName, HandlerRoom, Intervention,
    NewTask, Outcome, OutcomeKind, Progress, Rescue, RetryAdvice, Room, SpawnedStep, StepCommand, StepName,
    StepState, Storage, StorageError, TaskCommand, TaskId, TaskRecord, TaskState, Timestamp, Token,
};

use super::super::fixture::{ACTOR, Graph, RAN, REASON, at, graph, worker};
use super::super::{Harness, Scene, check};
use super::Difference;
use super::names::Names;
use super::operation::{Birth, Deed, Ending, How, Operation, RandomGraph, RandomSpawn, Target, Wave};

/// A claim that was told, by numbers.
#[derive(Clone, Copy, Debug)]
struct Told {
    task: i64,
    step: i64,
    token: i64,
    attempt: u32,
}

pub(super) struct World<'a, A: Harness, B: Harness> {
    one: &'a Scene<A>,
    two: &'a Scene<B>,
    /// The ids of each.
    names: (Names, Names),
    now: Timestamp,
    before: Option<Operation>,
    identities: usize,
    /// Whether a call may be repeated with the same identities.
    requests: Vec<NewTask>,
    /// What both told last, by number of the task.
    tasks: Vec<TaskRecord>,
    claims: Vec<Told>,
}

type Answer<T> = Result<T, StorageError>;

impl<'a, A: Harness, B: Harness> World<'a, A, B> {
    pub(super) fn new(one: &'a Scene<A>, two: &'a Scene<B>) -> Self {
        Self {
            one,
            two,
            names: Default::default(),
            now: at(0),
            before: None,
            identities: 0,
            requests: vec![],
            tasks: vec![],
            claims: vec![],
        }
    }

    pub(super) async fn play(&mut self, operation: &Operation) -> Result<(), Difference> {
        let again = *operation == Operation::Again;
        let operation = if again { self.before.clone() } else { Some(operation.clone()) };
        let Some(operation) = operation else { return Ok(()) };
        self.before = Some(operation.clone());
        match operation {
            Operation::Wait(millis) => self.now = self.now + Duration::from_millis(millis),
            Operation::Create(births) => self.create(&births, again).await?,
            Operation::Advance(wave) => self.advance(&wave).await?,
            Operation::Intervene(deed) => self.intervene(&deed).await?,
            Operation::Due { limit } => {
                let (one, two) =
                    (self.one.storage().due(self.now, limit), self.two.storage().due(self.now, limit));
                let (one, two) = (one.await, two.await);
                same("due", one.map(|due| self.names.0.due(due)), two.map(|due| self.names.1.due(due)))?;
            }
            Operation::Sweep { after, limit } => self.sweep(after, limit).await?,
            Operation::LoseWake(task) => {
                let Some(task) = self.task(task) else { return Ok(()) };
                self.one.lose_wake(self.names.0.task(task)).await;
                self.two.lose_wake(self.names.1.task(task)).await;
            }
            Operation::Beat { worker, held, older } => self.beat(worker, held, older).await?,
            Operation::Rescue { silent, limit } => self.rescue(silent, limit).await?,
            Operation::Again => {}
        }
        self.compare_tasks().await
    }

    /// The number of a task; none when there are no tasks.
    fn task(&self, number: usize) -> Option<i64> {
        number.checked_rem(self.tasks.len()).map(number_of)
    }

    async fn create(&mut self, births: &[Birth], again: bool) -> Result<(), Difference> {
        let definitions: Vec<_> = births.iter().map(|birth| definition(&birth.graph)).collect();
        let one = self.one.storage().learn(&definitions, self.now).await;
        same("learn", one, self.two.storage().learn(&definitions, self.now).await)?;
        if !again {
            let requests = births.iter().zip(&definitions);
            self.requests = requests.map(|(birth, definition)| self.request(birth, definition)).collect();
        }
        let one = self.one.storage().create(self.requests.clone(), self.now).await;
        let two = self.two.storage().create(self.requests.clone(), self.now).await;
        let renamed = |names: &mut Names, created: Answer<Vec<Creation>>| {
            created.map(|all| all.into_iter().map(|one| names.creation(one)).collect::<Vec<_>>())
        };
        let (one, two) = (renamed(&mut self.names.0, one), renamed(&mut self.names.1, two));
        if let Some(created) = same("create", one, two)? {
            let new = created.iter().filter(|one| matches!(one, Creation::Created { .. }));
            for _ in new {
                self.tasks.push(self.placeholder());
            }
        }
        Ok(())
    }

    /// Stands for a new task until it is loaded.
    fn placeholder(&self) -> TaskRecord {
        let request = &self.requests[0];
        TaskRecord {
            id: TaskId(number_of(self.tasks.len())),
            identity_hash: String::new(),
            template: Arc::clone(graph("").bound().template()),
            definition: request.definition.clone(),
            request: request.request.clone(),
            current: tasker_engine::Current {
                state: TaskState::Pending,
                metadata: json!({}),
                since: None,
                sort_key: 0,
                transition: None,
            },
            complete: false,
            steps: vec![],
            history: vec![],
            wake: None,
            created_at: self.now,
        }
    }

    fn request(&mut self, birth: &Birth, definition: &BoundTemplate) -> NewTask {
        let known = birth.identity.and_then(|number| number.checked_rem(self.tasks.len()));
        let identity = known.map(|place| self.tasks[place].identity_hash.clone());
        self.identities += 1;
        let names = definition.steps().iter().enumerate();
        let bypassed =
            names.filter(|(place, _)| birth.bypass >> place & 1 == 1).map(|(_, step)| step.name.clone());
        let mut request = self.one.request(definition);
        request.identity_hash = identity.unwrap_or_else(|| format!("random-{}", self.identities));
        request.request.context = Arc::new(json!({ "number": self.identities }));
        request.request.bypass_steps = bypassed.collect();
        request
    }

    async fn advance(&mut self, wave: &Wave) -> Result<(), Difference> {
        let one = self.one.storage().advance(self.wave(wave, &self.names.0)).await;
        let two = self.two.storage().advance(self.wave(wave, &self.names.1)).await;
        let renamed = |names: &mut Names, progress: Answer<Vec<Progress>>| {
            progress.map(|all| all.into_iter().map(|one| names.progress(one)).collect::<Vec<_>>())
        };
        let (one, two) = (renamed(&mut self.names.0, one), renamed(&mut self.names.1, two));
        for progress in same("advance", one, two)?.unwrap_or_default() {
            for claim in &progress.claims {
                let (token, step, attempt) = (claim.token.0, claim.step.0, claim.attempt);
                if self.claims.iter().all(|told| told.token != token) {
                    self.claims.push(Told { task: progress.task.0, step, token, attempt });
                }
            }
        }
        Ok(())
    }

    fn wave(&self, wave: &Wave, names: &Names) -> Advance {
        let handlers = match &wave.handlers {
            None => HandlerRoom::Every,
            Some(rooms) => {
                let rooms = rooms.iter().enumerate().map(|(number, room)| (handler(number), *room));
                HandlerRoom::Only(rooms.collect::<BTreeMap<_, _>>())
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
        let from_the_end = ending.claim.checked_rem(self.claims.len())?;
        let told = self.claims[self.claims.len() - 1 - from_the_end];
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
                (OutcomeKind::Snooze { until: self.now + Duration::from_millis(*millis) }, vec![])
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

    async fn intervene(&mut self, deed: &Deed) -> Result<(), Difference> {
        let (Some(one), Some(two)) = (self.act(deed, &self.names.0), self.act(deed, &self.names.1)) else {
            return Ok(());
        };
        let (one, two) = (self.one.storage().intervene(one).await, self.two.storage().intervene(two).await);
        let one = one.map(|done| self.names.0.intervened(done));
        same("intervene", one, two.map(|done| self.names.1.intervened(done))).map(drop)
    }

    fn act(&self, deed: &Deed, names: &Names) -> Option<Intervention> {
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

    async fn sweep(&mut self, after: Option<usize>, limit: usize) -> Result<(), Difference> {
        let after = after.and_then(|task| self.task(task));
        let one = self.one.storage().sweep(self.now, after.map(|task| self.names.0.task(task)), limit).await;
        let two = self.two.storage().sweep(self.now, after.map(|task| self.names.1.task(task)), limit).await;
        let one = one.map(|swept| self.names.0.swept(swept));
        same("sweep", one, two.map(|swept| self.names.1.swept(swept))).map(drop)
    }

    async fn beat(&mut self, number: u8, held: u32, older: u64) -> Result<(), Difference> {
        let newest = self.claims.iter().rev().take(32).enumerate();
        let held: Vec<_> =
            newest.filter(|(place, _)| held >> place & 1 == 1).map(|(_, told)| told.token).collect();
        let beat = |names: &Names| Beat {
            worker: worker(number.into()),
            label: "random".into(),
            held: held.iter().map(|token| names.token(*token)).collect(),
            hand_back_before: self.now - Duration::from_millis(older),
            now: self.now,
        };
        let one = self.one.storage().beat(beat(&self.names.0)).await;
        let two = self.two.storage().beat(beat(&self.names.1)).await;
        let one = one.map(|tokens| self.names.0.handed_back(tokens));
        same("beat", one, two.map(|tokens| self.names.1.handed_back(tokens))).map(drop)
    }

    async fn rescue(&mut self, silent: u64, limit: usize) -> Result<(), Difference> {
        let rescue = Rescue { lost_before: self.now - Duration::from_millis(silent), limit, now: self.now };
        let (one, two) = (self.one.storage().rescue(rescue).await, self.two.storage().rescue(rescue).await);
        let one = one.map(|all| all.into_iter().map(|one| self.names.0.rescued(one)).collect::<Vec<_>>());
        let two = two.map(|all| all.into_iter().map(|two| self.names.1.rescued(two)).collect::<Vec<_>>());
        same("rescue", one, two).map(drop)
    }

    /// Every task as it stands, with its audit trail.
    async fn compare_tasks(&mut self) -> Result<(), Difference> {
        let one = loaded(self.one.storage(), &mut self.names.0, self.tasks.len()).await;
        let two = loaded(self.two.storage(), &mut self.names.1, self.tasks.len()).await;
        for (one, two) in one.iter().zip(&two) {
            same(&format!("task {}", one.id), Ok(one), Ok(two))?;
        }
        self.tasks = one;
        Ok(())
    }
}

async fn loaded(storage: &impl Storage, names: &mut Names, tasks: usize) -> Vec<TaskRecord> {
    let ids: Vec<_> = (0..tasks).map(|task| names.task(number_of(task))).collect();
    let records = storage.load(&ids, Detail::Audit).await.expect("load");
    assert_eq!(records.len(), tasks, "every task that was created is loaded");
    records
        .into_iter()
        .map(|record| {
            check::record(&record);
            names.record(record)
        })
        .collect()
}

/// The answer of both, or how they differ. Errors are the same when they are of one kind.
fn same<T: PartialEq + Debug>(what: &str, one: Answer<T>, two: Answer<T>) -> Result<Option<T>, Difference> {
    match (&one, &two) {
        (Ok(first), Ok(second)) if first == second => return Ok(one.ok()),
        (Err(first), Err(second)) if discriminant(first) == discriminant(second) && !first.is_transient() => {
            return Ok(None);
        }
        _ => {}
    }
    Err(Difference { at: 0, what: what.to_owned(), one: format!("{one:?}"), two: format!("{two:?}") })
}

fn number_of(place: usize) -> i64 {
    i64::try_from(place).expect("few")
}

fn handler(number: usize) -> HandlerName {
    format!("h{number}").into()
}

/// The template of a random graph; equal graphs are one definition.
fn definition(random: &RandomGraph) -> Arc<BoundTemplate> {
    let places = 0..random.steps.len();
    let order: Vec<_> = if random.reversed { places.rev().collect() } else { places.collect() };
    let names: Vec<_> = order.iter().map(|place| format!("s{place}")).collect();
    let empty: Graph = graph(&names.join(", "));
    let graph = random.steps.iter().enumerate().fold(empty, |graph, (place, random)| {
        graph.with(&format!("s{place}"), |step| {
            let parents = (0..place.min(8)).filter(|parent| random.parents >> parent & 1 == 1);
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
