//! The memory backend behind one deliberate defect, and a count of its answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tasker_engine::records::Records;
use tasker_engine::{
    Advance, Beat, BoundTemplate, Claim, Creation, Detail, Due, HandedBack, Intervened, Intervention,
    NewTask, NotMoved, OutcomeKind, Progress, Recording, Rescue, Rescued, RetryAdvice, Room, StepId, Storage,
    StorageError, Swept, TaskId, TaskRecord, TaskState, Timestamp, Token,
};
use tasker_storage::conformance::Harness;
use tasker_storage::memory::MemoryStorage;

/// What is wrong with a [`Broken`] storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Nothing: the wrapper itself is sound.
    None,
    /// An outcome counts under the latest claim of its step, whatever its token says.
    NoFence,
    /// The next wake that falls due is not told.
    WakeForgotten,
    /// A settled task is not told to be.
    SettleMissed,
    /// Every attempt is told to be the first.
    AttemptNotCounted,
    /// An identity is made unique before it is looked for.
    DuplicateStored,
    /// What a worker was given is given to the next one as well.
    ClaimsDoubled,
    /// A worker is given more than it has room for.
    RoomIgnored,
    /// A wait that was asked for is forgotten.
    WaitForgotten,
    /// Steps that are spawned get lost.
    SpawnLost,
    /// What the caller saw is not compared.
    ConflictIgnored,
    /// What a beat does not name stays claimed.
    NothingHandedBack,
    /// Lost workers stay lost.
    NothingRescued,
    /// Only the first outcome of a call is recorded.
    OutcomesLost,
    /// Parents are not told.
    ParentsForgotten,
    /// Tasks are loaded in the order of their ids.
    LoadSorted,
}

pub(crate) type Tally = Arc<Mutex<BTreeMap<String, usize>>>;

/// Makes storages with that defect.
pub(crate) struct Breaks {
    pub(crate) defect: Defect,
    pub(crate) tally: Tally,
}

pub(crate) fn breaks(defect: Defect) -> Breaks {
    Breaks { defect, tally: Tally::default() }
}

impl Harness for Breaks {
    type Storage = Broken;

    async fn storage(&self) -> Broken {
        let (inner, tally) = (MemoryStorage::new(), self.tally.clone());
        Broken { inner, defect: self.defect, seen: Mutex::default(), tally }
    }

    async fn lose_wake(&self, storage: &Broken, task: TaskId) {
        storage.inner.lose_wake(task);
    }

    async fn make_draft(&self, storage: &Broken, task: TaskId) {
        storage.inner.make_draft(task);
    }
}

/// The memory backend behind one defect.
pub(crate) struct Broken {
    inner: MemoryStorage,
    defect: Defect,
    seen: Mutex<Seen>,
    /// How often each kind of answer was given.
    tally: Tally,
}

/// What went through a [`Broken`] storage.
#[derive(Default)]
struct Seen {
    /// How many tasks were to be created.
    identities: usize,
    /// The latest claim of each step.
    current: BTreeMap<StepId, Token>,
    /// The claims that the last call told, by task.
    told: BTreeMap<TaskId, Vec<Claim>>,
}

impl Broken {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("nothing panics while it holds this")
    }

    fn count(&self, kind: &str, times: usize) {
        *self
            .tally
            .lock()
            .expect("nothing panics while it holds this")
            .entry(kind.to_owned())
            .or_default() += times;
    }

    fn count_in(&self, progress: &Progress) {
        for recorded in &progress.recorded {
            let kind = match recorded.how {
                Recording::Recorded(_) => "recorded",
                Recording::AlreadyRecorded => "already_recorded",
                Recording::Stale => "stale",
                Recording::NotRecordable(..) => "not_recordable",
            };
            self.count(kind, 1);
        }
        self.count("claim", progress.claims.len());
        self.count("begun", usize::from(progress.started.is_some()));
        if let Some(settled) = progress.settled {
            self.count(settled.state.as_str(), 1);
        }
    }

    /// The call as the defect understands it.
    fn spoilt(&self, mut call: Advance) -> Advance {
        match self.defect {
            Defect::NoFence => {
                for outcome in &mut call.outcomes {
                    outcome.token = self.seen().current.get(&outcome.step).copied().unwrap_or(outcome.token);
                }
            }
            Defect::RoomIgnored => call.room = Room::of(call.room.total.max(1)),
            Defect::WaitForgotten => {
                for outcome in &mut call.outcomes {
                    if let OutcomeKind::Failed { retry: retry @ RetryAdvice::After(_), .. } =
                        &mut outcome.kind
                    {
                        *retry = RetryAdvice::Default;
                    }
                }
            }
            Defect::SpawnLost => call.outcomes.iter_mut().for_each(|outcome| outcome.spawned.clear()),
            Defect::OutcomesLost => call.outcomes.truncate(1),
            _ => {}
        }
        call
    }

    /// The answer as the defect tells it.
    fn misreported(&self, progress: &mut Progress) {
        let mut seen = self.seen();
        for claim in &mut progress.claims {
            seen.current.insert(claim.step, claim.token);
            match self.defect {
                Defect::AttemptNotCounted => claim.attempt = 1,
                Defect::ParentsForgotten => claim.parents.clear(),
                _ => {}
            }
        }
        match self.defect {
            Defect::SettleMissed => progress.settled = None,
            Defect::ClaimsDoubled => {
                let fresh = progress.claims.clone();
                progress.claims.extend(seen.told.insert(progress.task, fresh).unwrap_or_default());
            }
            _ => {}
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Storage for Broken {
    async fn learn(&self, definitions: &[Arc<BoundTemplate>], now: Timestamp) -> Result<(), StorageError> {
        self.inner.learn(definitions, now).await
    }

    async fn create(&self, mut tasks: Vec<NewTask>, now: Timestamp) -> Result<Vec<Creation>, StorageError> {
        if self.defect == Defect::DuplicateStored {
            for task in &mut tasks {
                let mut seen = self.seen();
                seen.identities += 1;
                task.identity_hash += &format!(" {}", seen.identities);
            }
        }
        let created = self.inner.create(tasks, now).await?;
        for one in &created {
            self.count(if matches!(one, Creation::Created { .. }) { "created" } else { "duplicate" }, 1);
        }
        Ok(created)
    }

    async fn advance(&self, call: Advance) -> Result<Vec<Progress>, StorageError> {
        let mut progress = self.inner.advance(self.spoilt(call)).await?;
        progress.iter().for_each(|progress| self.count_in(progress));
        progress.iter_mut().for_each(|progress| self.misreported(progress));
        Ok(progress)
    }

    async fn intervene(&self, mut act: Intervention) -> Result<Intervened, StorageError> {
        use tasker_engine::Act;
        if self.defect == Defect::ConflictIgnored {
            match &mut act.act {
                Act::Task { expected, .. } => *expected = None,
                Act::Step { expected, .. } => *expected = None,
            }
        }
        let done = self.inner.intervene(act).await?;
        let kind = match &done {
            Intervened::Moved { task: TaskState::ResolvedManually, .. } => "resolved_manually",
            Intervened::Moved { .. } => "moved",
            Intervened::Not(NotMoved::AlreadyThere) => "already_there",
            Intervened::Not(NotMoved::Refused(_)) => "refused",
            Intervened::Not(_) => "conflict",
        };
        self.count(kind, 1);
        Ok(done)
    }

    async fn beat(&self, mut beat: Beat) -> Result<Vec<HandedBack>, StorageError> {
        if self.defect == Defect::NothingHandedBack {
            beat.hand_back_before = Timestamp::from_micros(i64::MIN);
        }
        let tokens = self.inner.beat(beat).await?;
        self.count("handed_back", tokens.len());
        Ok(tokens)
    }

    async fn rescue(&self, mut rescue: Rescue) -> Result<Vec<Rescued>, StorageError> {
        if self.defect == Defect::NothingRescued {
            rescue.lost_before = Timestamp::from_micros(i64::MIN);
        }
        let rescued = self.inner.rescue(rescue).await?;
        self.count("rescued", rescued.len());
        Ok(rescued)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Due, StorageError> {
        let mut due = self.inner.due(now, limit).await?;
        self.count("due", due.wakes.len());
        if self.defect == Defect::WakeForgotten {
            due.wakes.pop();
        }
        Ok(due)
    }

    async fn sweep(
        &self,
        now: Timestamp,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Swept, StorageError> {
        let swept = self.inner.sweep(now, after, limit).await?;
        self.count("swept", swept.woken);
        Ok(swept)
    }

    async fn load(&self, tasks: &[TaskId], detail: Detail) -> Result<Vec<TaskRecord>, StorageError> {
        let mut tasks = tasks.to_vec();
        if self.defect == Defect::LoadSorted {
            tasks.sort();
        }
        let loaded = self.inner.load(&tasks, detail).await?;
        let steps = loaded.iter().flat_map(|task| &task.steps);
        self.count("spawned", steps.filter(|step| step.binding.spawned_by.is_some()).count());
        Ok(loaded)
    }

    fn records(&self) -> Option<&dyn Records> {
        self.inner.records()
    }
}
