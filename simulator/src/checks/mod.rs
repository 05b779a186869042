//! The rules, checked after every event on whatever it touched.
//!
//! They are written down a second time here, by brute force over what the storage tells of a task, before and after:
//! who may move a row, and when; what a claim is entitled to; who has to come back, and when.

mod acts;
mod advance;
mod audit;
mod care;
mod claims;
mod end;
mod runs;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use tasker_engine::{
    Detail, Event, EventName, StepId, StepRecord, StepState, Storage as _, TaskId, TaskRecord, Timestamp,
    Token, TransitionId, WorkerId,
};
use tasker_storage::memory::MemoryStorage;

use crate::call::{Answer, Call, at_once};
use crate::ledger::Ledger;
use crate::network::ProcessId;

/// A rule that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which rule.
    pub rule: &'static str,
    /// What was found instead.
    pub found: String,
}

impl Violation {
    pub(crate) fn new(rule: &'static str, found: impl Into<String>) -> Self {
        Self { rule, found: found.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}\nfound:  {}", self.rule, self.found)
    }
}

/// What comes of checking.
pub(crate) type Check<T = ()> = Result<T, Violation>;

/// Ends with a violation of the rule unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $rule:literal, $($found:tt)*) => {
        if !$holds {
            return Err(crate::checks::Violation::new($rule, format!($($found)*)));
        }
    };
}
pub(crate) use ensure;

/// Watches over the rules.
pub(crate) struct Checker {
    storage: MemoryStorage,
    /// Every task as it was after the last event that touched it.
    tasks: BTreeMap<TaskId, Seen>,
    identities: BTreeMap<String, TaskId>,
    /// Claims whose outcome was recorded.
    recorded: BTreeSet<Token>,
    /// Rows of the audit trail, and whom they are about.
    rows: BTreeMap<TransitionId, (TaskId, Option<StepId>)>,
    /// What was told of which rows.
    published: BTreeSet<(TransitionId, EventName)>,
    /// When each worker beat last.
    beats: BTreeMap<WorkerId, Timestamp>,
    ledger: Ledger,
    limits: Limits,
    /// Who the processes are as workers, and how much room they have.
    workers: BTreeMap<ProcessId, (WorkerId, usize)>,
    events: u64,
}

/// What holds in the whole simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many steps of a task may run at a time.
    pub(crate) per_task: Option<usize>,
    /// Whether some process may put off a wake because it does not know the task's workflow.
    pub(crate) has_strangers: bool,
}

/// A task as it was seen last.
struct Seen {
    record: Arc<TaskRecord>,
    /// Its wake was lost on purpose, and nobody has looked at it since.
    forgotten: bool,
}

/// A task before and after an event.
struct Change {
    before: Arc<TaskRecord>,
    after: Arc<TaskRecord>,
}

/// Everything is compared from time to time, for what an event does not touch must not change.
const EVENTS_BETWEEN_FULL_CHECKS: u64 = 64;

impl Checker {
    pub(crate) fn new(storage: MemoryStorage, limits: Limits) -> Self {
        Self {
            storage,
            tasks: BTreeMap::new(),
            identities: BTreeMap::new(),
            recorded: BTreeSet::new(),
            rows: BTreeMap::new(),
            published: BTreeSet::new(),
            beats: BTreeMap::new(),
            ledger: Ledger::default(),
            limits,
            workers: BTreeMap::new(),
            events: 0,
        }
    }

    /// A process starts.
    pub(crate) fn starts(&mut self, process: ProcessId, worker: WorkerId, concurrency: usize) {
        self.workers.insert(process, (worker, concurrency));
    }

    /// The storage did something.
    pub(crate) fn event(
        &mut self,
        from: ProcessId,
        call: &Call,
        answer: Option<&Answer>,
        now: Timestamp,
    ) -> Check {
        match (call, answer) {
            (Call::Create(tasks, at), Some(Answer::Create(created))) => self.created(tasks, created, *at)?,
            (Call::Advance(call), Some(Answer::Advance(progress))) => self.advanced(call, progress, now)?,
            (Call::Intervene(act), Some(Answer::Intervene(done))) => self.intervened(act, done, now)?,
            (Call::Beat(beat), Some(Answer::Beat(handed_back))) => self.beaten(beat, handed_back, now)?,
            (Call::Rescue(rescue), Some(Answer::Rescue(rescued))) => self.rescued(*rescue, rescued, now)?,
            (Call::Due(at, limit), Some(Answer::Due(due))) => self.due(*at, *limit, due)?,
            (Call::Sweep(at, after, limit), Some(Answer::Sweep(swept))) => {
                self.swept(*at, *after, *limit, *swept, now)?;
            }
            (Call::Load(..) | Call::Learn(..), Some(_)) => {}
            (_, None) => ensure!(false, "a sound call is not refused", "{from}: {call}"),
            (_, Some(answer)) => ensure!(false, "a call gets the answer to it", "{call}: {answer}"),
        }
        self.events += 1;
        if self.events.is_multiple_of(EVENTS_BETWEEN_FULL_CHECKS) {
            self.nothing_else_changed()
        } else {
            Ok(())
        }
    }

    /// An answer has come to the process that asked.
    pub(crate) fn delivered(&mut self, to: ProcessId, answer: &Answer) {
        if let Answer::Advance(progress) = answer {
            for claim in progress.iter().flat_map(|one| &one.claims) {
                self.ledger.told(to, claim.step, claim.token);
            }
        }
    }

    /// A wake was lost on purpose.
    pub(crate) fn wake_is_lost(&mut self, task: TaskId) -> Check {
        self.look(task, "a lost wake changes nothing else")?;
        if let Some(seen) = self.tasks.get_mut(&task) {
            seen.forgotten = true;
        }
        Ok(())
    }

    /// What an engine tells of itself is true, and told once.
    pub(crate) fn published(&mut self, events: &[Event]) -> Check {
        for event in events {
            let Some(row) = event.transition else { continue };
            let about = self.rows.get(&row).map(|(task, step)| (Some(*task), *step));
            ensure!(
                about == Some((event.task, event.step)),
                "an event is about a row that was written",
                "{event:?}"
            );
            let first = self.published.insert((row, event.name));
            ensure!(first, "an event is told once", "{event:?} is told again");
        }
        Ok(())
    }

    /// The tasks as they were seen last.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Arc<TaskRecord>> {
        self.tasks.values().map(|seen| &seen.record)
    }

    /// Looks at a task again. What it was before is kept as it was, and what it is now keeps the rules of every task.
    fn look(&mut self, task: TaskId, why: &'static str) -> Check<Change> {
        let Some(seen) = self.tasks.get(&task) else {
            return Err(Violation::new("a task is known", format!("{why}: {task}")));
        };
        let before = Arc::clone(&seen.record);
        let after = Arc::new(self.load(task)?);
        audit::goes_on(&before, &after)?;
        self.remember_rows(&before, &after);
        self.tasks.get_mut(&task).expect("it was found above").record = Arc::clone(&after);
        Ok(Change { before, after })
    }

    fn load(&self, task: TaskId) -> Check<TaskRecord> {
        let mut found = at_once(self.storage.load(&[task], Detail::Audit)).unwrap_or_default();
        ensure!(found.len() == 1, "a task that was created is found", "{} of {task}", found.len());
        let record = found.remove(0);
        audit::keeps_the_rules(&record)?;
        Ok(record)
    }

    fn remember_rows(&mut self, before: &TaskRecord, after: &TaskRecord) {
        let new = after.history.iter().skip(before.history.len());
        self.rows.extend(new.map(|row| (row.id, (after.id, None))));
        for (place, step) in after.steps.iter().enumerate() {
            let known = before.steps.get(place).map_or(0, |step| step.history.len());
            let new = step.history.iter().skip(known);
            self.rows.extend(new.map(|row| (row.id, (after.id, Some(step.id)))));
        }
    }

    fn nothing_else_changed(&self) -> Check {
        for (task, seen) in &self.tasks {
            let now = self.load(*task)?;
            ensure!(
                now == *seen.record,
                "an event changes only what it touches",
                "{now:?}\nwas {:?}",
                seen.record
            );
        }
        Ok(())
    }
}

/// The claim under which a step runs, and who holds it.
fn claim_of(step: &StepRecord) -> Option<(Token, WorkerId, Timestamp)> {
    if step.current.state != StepState::InProgress {
        return None;
    }
    let row = step.current.transition?;
    let worker = serde_json::from_value(step.current.metadata.get("worker_id")?.clone()).ok()?;
    Some((Token(row.0), worker, step.current.since?))
}
