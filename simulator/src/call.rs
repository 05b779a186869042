//! What processes ask of the storage, and its answers, as messages that can be lost, delayed and written down.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tasker_engine::{
    Act, Advance, Beat, BoundTemplate, Creation, Detail, Due, HandedBack, Intervened, Intervention, NewTask,
    Outcome, OutcomeKind, Progress, Recording, Rescue, Rescued, RetryAdvice, Storage, StorageError, Swept,
    TaskId, TaskRecord, Timestamp,
};
use tasker_storage::memory::MemoryStorage;

/// A call of the [`Storage`] contract.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Learn(Vec<Arc<BoundTemplate>>, Timestamp),
    Create(Vec<NewTask>, Timestamp),
    Advance(Advance),
    Intervene(Intervention),
    Beat(Beat),
    Rescue(Rescue),
    Due(Timestamp, usize),
    Sweep(Timestamp, Option<TaskId>, usize),
    Load(Vec<TaskId>, Detail),
}

/// What the storage says to a [`Call`].
#[derive(Debug)]
pub(crate) enum Answer {
    Learn(()),
    Create(Vec<Creation>),
    Advance(Vec<Progress>),
    Intervene(Intervened),
    Beat(Vec<HandedBack>),
    Rescue(Vec<Rescued>),
    Due(Due),
    Sweep(Swept),
    Load(Vec<TaskRecord>),
}

impl Call {
    /// Carries it out.
    pub(crate) fn carry_out(&self, storage: &MemoryStorage) -> Result<Answer, StorageError> {
        match self.clone() {
            Self::Learn(definitions, now) => at_once(storage.learn(&definitions, now)).map(Answer::Learn),
            Self::Create(tasks, now) => at_once(storage.create(tasks, now)).map(Answer::Create),
            Self::Advance(call) => at_once(storage.advance(call)).map(Answer::Advance),
            Self::Intervene(act) => at_once(storage.intervene(act)).map(Answer::Intervene),
            Self::Beat(beat) => at_once(storage.beat(beat)).map(Answer::Beat),
            Self::Rescue(rescue) => at_once(storage.rescue(rescue)).map(Answer::Rescue),
            Self::Due(now, limit) => at_once(storage.due(now, limit)).map(Answer::Due),
            Self::Sweep(now, after, limit) => at_once(storage.sweep(now, after, limit)).map(Answer::Sweep),
            Self::Load(tasks, detail) => at_once(storage.load(&tasks, detail)).map(Answer::Load),
        }
    }
}

/// What a future yields that waits for nothing.
///
/// # Panics
/// When it waits.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("memory answers at once"),
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Learn(definitions, _) => write!(f, "learn {}", definitions.len()),
            Self::Create(tasks, _) => write!(f, "create {}", tasks.len()),
            Self::Advance(call) => {
                f.write_str("advance")?;
                for outcome in &call.outcomes {
                    write!(f, " {}", Ended(outcome))?;
                }
                if !call.wanted.is_empty() {
                    f.write_str(" wanted")?;
                    call.wanted.iter().try_for_each(|task| write!(f, " {task}"))?;
                }
                write!(f, " room {}", call.room.total)
            }
            Self::Intervene(act) => {
                write!(f, "intervene in {}: ", act.task)?;
                match &act.act {
                    Act::Task { command, .. } => write!(f, "{command:?}"),
                    Act::Step { step, command, .. } => write!(f, "{command:?} step {step}"),
                }
            }
            Self::Beat(beat) => {
                f.write_str("beat, holding")?;
                beat.held.iter().try_for_each(|token| write!(f, " #{token}"))
            }
            Self::Rescue(_) => f.write_str("rescue"),
            Self::Due(..) => f.write_str("due"),
            Self::Sweep(..) => f.write_str("sweep"),
            Self::Load(tasks, _) => {
                f.write_str("load")?;
                tasks.iter().try_for_each(|task| write!(f, " {task}"))
            }
        }
    }
}

struct Ended<'a>(&'a Outcome);

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { task, step, token, .. } = self.0;
        write!(f, "{task}/{step}#{token}=")?;
        match &self.0.kind {
            OutcomeKind::Completed(_) => f.write_str("completed")?,
            OutcomeKind::Failed { error, retry } => match retry {
                RetryAdvice::Default => write!(f, "failed({})", error.class)?,
                RetryAdvice::After(wait) => write!(f, "failed({}, again after {wait:?})", error.class)?,
                RetryAdvice::Never => write!(f, "failed({}, for good)", error.class)?,
            },
            OutcomeKind::HandBack => f.write_str("handed-back")?,
            OutcomeKind::Snooze { .. } => f.write_str("snoozed")?,
        }
        self.0.spawned.iter().try_for_each(|step| write!(f, "+{}", step.name))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Learn(()) => f.write_str("learned"),
            Self::Create(created) => write!(f, "{created:?}"),
            Self::Advance(progress) => progress.iter().try_for_each(|one| write!(f, "[{}]", Moved(one))),
            Self::Intervene(Intervened::Moved { task, steps, .. }) => {
                write!(f, "moved, task {task}")?;
                steps.iter().try_for_each(|moved| write!(f, ", {} {}", moved.step, moved.to))
            }
            Self::Intervene(Intervened::Not(why)) => write!(f, "{why:?}"),
            Self::Beat(handed_back) => {
                f.write_str("handed back")?;
                handed_back.iter().try_for_each(|claim| write!(f, " #{}", claim.token))
            }
            Self::Rescue(rescued) => {
                f.write_str("rescued")?;
                rescued.iter().try_for_each(|one| write!(f, " {}/{}#{}", one.task, one.step, one.token))
            }
            Self::Due(due) => {
                f.write_str("due")?;
                due.wakes.iter().try_for_each(|wake| write!(f, " {}", wake.task))
            }
            Self::Sweep(swept) => write!(f, "woken {}", swept.woken),
            Self::Load(tasks) => write!(f, "loaded {}", tasks.len()),
        }
    }
}

struct Moved<'a>(&'a Progress);

impl fmt::Display for Moved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress { task, recorded, claims, settled, gone, .. } = self.0;
        write!(f, "{task}:")?;
        for one in recorded {
            match &one.how {
                Recording::Recorded(_) => write!(f, " #{} recorded", one.token)?,
                Recording::AlreadyRecorded => write!(f, " #{} already recorded", one.token)?,
                Recording::Stale => write!(f, " #{} stale", one.token)?,
                Recording::NotRecordable(..) => write!(f, " #{} not recordable", one.token)?,
            }
        }
        claims
            .iter()
            .try_for_each(|claim| write!(f, " claims {}#{}({})", claim.step, claim.token, claim.attempt))?;
        if let Some(settled) = settled {
            write!(f, " {}", settled.state)?;
        }
        f.write_str(if *gone { " gone" } else { "" })
    }
}
