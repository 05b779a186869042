//! Random operations on random workflows: the rules hold after each call, the fence lets nothing stale through, the same
//! calls give the same answers, and no task is lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use tasker_engine::decide::{Readiness, readiness};
use tasker_engine::{
    Act, Advance, Beat, Claim, Detail, ErrorReport, HandlerRoom, Intervention, Outcome, OutcomeKind,
    Recording, Rescue, RetryAdvice, Room, StepCommand, StepRecord, StepState, TaskCommand, TaskId,
    TaskRecord, Template, Timestamp, Token, WorkerId,
};

use super::super::MemoryStorage;
use super::invariants::Watch;
use super::operations::{Operation, operation, template};
use super::{at, call, completed, ended, spawned, start};

/// A storage with its tasks, and what its workers know.
struct World {
    storage: MemoryStorage,
    now: Timestamp,
    tasks: Vec<TaskId>,
    /// Every claim that was ever told, to whom and of which task.
    told: Vec<(WorkerId, TaskId, Claim)>,
    watch: Watch,
    /// All answers, to be compared with those of another run.
    answers: Vec<String>,
}

impl World {
    fn new(templates: &[Template]) -> Self {
        let storage = MemoryStorage::new();
        let started = templates.iter().flat_map(|template| start(&storage, template.clone(), 2));
        let tasks = started.map(|(task, _)| task).collect();
        Self { storage, now: at(0), tasks, told: vec![], watch: Watch::default(), answers: vec![] }
    }

    fn records(&self) -> Vec<TaskRecord> {
        self.storage.store().load(&self.tasks, Detail::Audit)
    }

    fn task(&self, number: u8) -> TaskId {
        self.tasks[usize::from(number) % self.tasks.len()]
    }

    fn perform(&mut self, operation: &Operation) {
        match operation {
            Operation::Advance { worker, bring, wanted, total, only, twice } => {
                let outcomes = bring.iter().filter_map(|(claim, kind)| self.outcome(*claim, *kind)).collect();
                let mut call = call(outcomes, wanted.iter().map(|task| self.task(*task)).collect());
                if *twice {
                    call.outcomes.extend(call.outcomes.clone());
                }
                call.worker = WorkerId::numbered((*worker).into());
                call.room = Room::of(*total);
                if let Some(handler) = only {
                    let room = [(format!("handler {}", handler % 4).into(), usize::from(handler % 3))];
                    call.room.handlers = HandlerRoom::Only(room.into());
                }
                self.advance(call);
            }
            Operation::TaskAct { task, command } => {
                use TaskCommand as C;
                let commands = [
                    C::Pause,
                    C::Resume,
                    C::Resume,
                    C::Retry,
                    C::Resolve,
                    C::Cancel { force: false },
                    C::Cancel { force: true },
                ];
                let command = commands[usize::from(*command) % commands.len()];
                self.intervene(self.task(*task), Act::Task { command, expected: None });
            }
            Operation::StepAct { task, step, command } => self.act_on_step(self.task(*task), *step, *command),
            Operation::Beat { worker, forgets } => self.beat(WorkerId::numbered((*worker).into()), *forgets),
            Operation::Rescue { limit } => {
                let lost_before = self.now - Duration::from_secs(30);
                let rescued =
                    self.storage.store().rescue(Rescue { lost_before, limit: *limit, now: self.now });
                self.answer(&rescued);
            }
            Operation::Sweep => {
                let swept = self.storage.store().sweep(self.now, None, 100);
                assert_eq!(swept.woken, 0, "no task is ever forgotten");
            }
            Operation::Wait { seconds } => self.now = self.now + Duration::from_secs(*seconds),
        }
        let records = self.records();
        self.watch.check(&self.storage.store(), &records, self.now);
    }

    fn answer(&mut self, answer: &impl std::fmt::Debug) {
        self.answers.push(format!("{answer:?}"));
    }

    /// An outcome of a claim that was told once, whether it is current or not.
    fn outcome(&self, claim: u16, kind: u8) -> Option<Outcome> {
        let (_, task, claim) = self.told.get(usize::from(claim) % self.told.len().max(1))?;
        let error = ErrorReport { class: "Boom".into(), message: "it went off".into(), code: None };
        let failed = |retry| OutcomeKind::Failed { error, retry };
        let mut outcome = completed(*task, claim);
        outcome.kind = match kind % 12 {
            0 => failed(RetryAdvice::Default),
            1 => failed(RetryAdvice::After(Duration::from_millis(u64::from(kind) * 100))),
            2 => failed(RetryAdvice::Never),
            3 => OutcomeKind::HandBack,
            4 => OutcomeKind::Snooze { until: self.now + Duration::from_secs(u64::from(kind)) },
            5 => OutcomeKind::Completed(Arc::new(json!("\0"))),
            _ => outcome.kind,
        };
        if kind % 12 > 9 {
            let mut second = spawned(&format!("more {}", kind % 5), &[]);
            second.after = vec!["more".into()];
            outcome.spawned = vec![spawned("more", &[&format!("s{}", kind % 7)]), second];
            outcome.spawned.truncate(usize::from(kind % 3));
        }
        Some(outcome)
    }

    fn advance(&mut self, mut call: Advance) {
        call.now = self.now;
        let before = self.records();
        let mut fresh = HashSet::new();
        let expected: Vec<_> =
            call.outcomes.iter().map(|outcome| fence(&before, outcome, &mut fresh)).collect();
        let (brought, wanted, worker) = (call.outcomes.clone(), call.wanted.clone(), call.worker);
        let parked_beyond = |task: &TaskId| self.storage.store().task(*task).wake.parked_beyond(self.now);
        let parked: Vec<_> = self.tasks.iter().map(|task| parked_beyond(task).is_some()).collect();
        let progress = self.storage.store().advance(call);
        self.answer(&progress);
        for ((task, before), was_parked) in self.records().iter().zip(&before).zip(parked) {
            let told = progress.iter().find(|told| told.task == task.id).and_then(|told| told.next_wake);
            let is_wanted = wanted.contains(&task.id);
            wake_follows(before, task, told, !is_wanted || was_parked && is_left_over(task, self.now));
        }
        assert!(progress.is_sorted_by(|one, next| one.task < next.task));
        for (outcome, expected) in brought.iter().zip(expected) {
            let task =
                progress.iter().find(|task| task.task == outcome.task).expect("each task touched is told");
            let same = task.recorded.iter().filter(|recorded| recorded.token == outcome.token);
            let told: Vec<_> = same.map(|recorded| Fenced::of(&recorded.how)).collect();
            assert!(told.contains(&expected), "{outcome:?}: {told:?}, not {expected:?}");
        }
        for task in progress {
            assert!(task.claims.is_sorted_by(|one, next| one.step < next.step));
            self.told.extend(task.claims.into_iter().map(|claim| (worker, task.task, claim)));
        }
    }

    fn intervene(&mut self, task: TaskId, act: Act) {
        let act =
            Intervention { task, act, actor: "tests".into(), reason: Some("because".into()), now: self.now };
        let done = self.storage.store().intervene(&act).expect("the task is there and the act can be stored");
        self.answer(&done);
    }

    fn act_on_step(&mut self, task: TaskId, step: u8, command: u8) {
        let record = self.storage.store().load(&[task], Detail::Graph).remove(0);
        let Some(step) = record.steps.get(usize::from(step) % record.steps.len().max(1)) else { return };
        let results = Arc::new(json!({ "by": "hand" }));
        let command = match command % 8 {
            0 => StepCommand::Cancel,
            1 => StepCommand::Retry,
            2 | 3 => StepCommand::Reset,
            4 => StepCommand::Resolve { results: None },
            5 => StepCommand::Resolve { results: Some(results) },
            6 => StepCommand::Complete { results },
            _ => StepCommand::Skip,
        };
        self.intervene(task, Act::Step { step: step.id, command, expected: None });
    }

    fn beat(&mut self, worker: WorkerId, forgets: u8) {
        let own =
            self.told.iter().filter(|(holder, _, _)| *holder == worker).map(|(_, _, claim)| claim.token);
        let held = own.filter(|token| token.0 % 4 != i64::from(forgets % 8)).collect();
        let hand_back_before = self.now - Duration::from_secs(5);
        let beat = Beat { worker, label: "tests".into(), held, hand_back_before, now: self.now };
        let back = self.storage.store().beat(&beat).expect("the label can be stored");
        self.answer(&back);
    }

    /// Does all that is left to do, and finds every task settled.
    fn drain(&mut self) {
        for task in self.tasks.clone() {
            self.intervene(task, Act::Task { command: TaskCommand::Resume, expected: None });
        }
        self.now = self.now + Duration::from_secs(3600);
        self.storage.store().rescue(Rescue { lost_before: self.now, limit: usize::MAX, now: self.now });
        for _ in 0..1000 {
            let due = self.storage.store().due(Timestamp::from_micros(i64::MAX), usize::MAX);
            let Some(last) = due.wakes.last() else { break };
            self.now = self.now.max(last.due);
            let mut next = call(vec![], due.wakes.iter().map(|wake| wake.task).collect());
            while !next.wanted.is_empty() || !next.outcomes.is_empty() {
                next.now = self.now;
                let progress = self.storage.store().advance(next);
                let claims =
                    progress.iter().flat_map(|task| task.claims.iter().map(|claim| (task.task, claim)));
                next = call(claims.map(|(task, claim)| ended_well(task, claim)).collect(), vec![]);
            }
        }
        for task in self.records() {
            assert!(!task.current.state.is_open(), "task {} is lost: {task:#?}", task.id);
        }
    }
}

fn ended_well(task: TaskId, claim: &Claim) -> Outcome {
    ended(task, claim, OutcomeKind::Completed(Arc::new(json!({ "attempt": claim.attempt }))))
}

/// Whether a step could run and was not claimed, and not because of the task's own limit.
fn is_left_over(task: &TaskRecord, now: Timestamp) -> bool {
    let is_ready =
        |step: &StepRecord| readiness(&step.facts(), task.parents_satisfied(step), now) == Readiness::Ready;
    let has_room = task.template.concurrent || task.steps.iter().all(|step| !step.in_process);
    has_room && task.steps.iter().any(is_ready)
}

/// A wake is answered, or stays as it is, unless there is an earlier reason: that of a task which was not wanted, or one
/// that was parked and could again not be taken by whoever looked.
fn wake_follows(before: &TaskRecord, after: &TaskRecord, told: Option<Timestamp>, stays: bool) {
    let due = |task: &TaskRecord| task.wake.map(|(due, _)| due);
    let kept = before.wake.filter(|_| stays && after.current.state.is_open() && !after.is_paused());
    match told {
        None => assert_eq!(after.wake, kept, "task {}", after.id),
        Some(told) => {
            assert_eq!(due(after), Some(told), "task {}", after.id);
            assert!(kept.is_none_or(|(kept, _)| told < kept), "task {}", after.id);
        }
    }
}

/// What an outcome has to be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fenced {
    Counts,
    AlreadyRecorded,
    Stale,
}

impl Fenced {
    const fn of(how: &Recording) -> Self {
        match how {
            Recording::Recorded(_) | Recording::NotRecordable(..) => Self::Counts,
            Recording::AlreadyRecorded => Self::AlreadyRecorded,
            Recording::Stale => Self::Stale,
        }
    }
}

/// By the audit trail alone, as it was before the call.
fn fence(before: &[TaskRecord], outcome: &Outcome, fresh: &mut HashSet<Token>) -> Fenced {
    let task = before.iter().find(|task| task.id == outcome.task).expect("a task of this world");
    let Some(step) = task.position(outcome.step).map(|place| &task.steps[place]) else {
        return Fenced::Stale;
    };
    let Some(claimed) = step.history.iter().position(|row| row.id.0 == outcome.token.0) else {
        return Fenced::Stale;
    };
    let ended = step.history.get(claimed + 1);
    match ended {
        None if step.current.state == StepState::InProgress && fresh.insert(outcome.token) => Fenced::Counts,
        None => Fenced::AlreadyRecorded,
        Some(row) if row.metadata.get("claim") == Some(&json!(outcome.token)) => Fenced::AlreadyRecorded,
        Some(_) => Fenced::Stale,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_hold_after_every_call(templates in vec(template(), 1..3), operations in vec(operation(), 1..60)) {
        let mut world = World::new(&templates);
        let mut again = World::new(&templates);
        for operation in &operations {
            world.perform(operation);
            again.perform(operation);
        }
        prop_assert_eq!(&world.answers, &again.answers, "the same calls, the same answers");
        prop_assert_eq!(world.records(), again.records());
        world.drain();
    }
}
