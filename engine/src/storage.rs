//! The narrow waist: what the engine needs of a storage, and nothing more.
//!
//! A storage keeps definitions, tasks, steps, the audit trail and wakes. It judges readiness and settles tasks, by the
//! rules of [`decide`](crate::decide); it knows no handler and runs no code of users.
//!
//! A stranger can write a backend from this page alone, and knows that it is right when the conformance suite passes
//! (feature `conformance` of `tasker-storage`).

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::decide::BlockedWhy;
use crate::payload::{Limits, PayloadError};
use crate::records::Records;
use crate::{
    BoundTemplate, DefinitionHash, HandlerName, StepId, StepName, StepState, TaskId, TaskRecord, TaskRequest,
    TaskState, Timestamp, Token, TransitionId, WorkerId,
};

/// Keeps tasks and moves them.
///
/// # Contract
///
/// - **Atomic.** Every method takes effect whole or not at all; a returned `Ok` is as durable as the backend promises.
/// - **Repeatable.** After [`StorageError::Unavailable`] the effect is unknown; the same call may be made again, and
///   does nothing twice.
/// - **Deterministic.** Answers depend on the stored state and the arguments alone: `now`, random ids and worker ids
///   come in as arguments, so a log of calls replays to the same state. Two backends give the same answers to the same
///   calls, up to a renaming of ids.
/// - **One order of locks.** A call that changes tasks excludes other calls on those tasks until it is done, taking
///   them in ascending order of [`TaskId`]; it judges only what it reads after that.
/// - **Audited.** Every move of a task or step writes one row with its real `from` state, a sort key 10 above the last
///   (10 for the first), the metadata of [`audit`](crate::audit), and is then the one most recent row.
/// - **Checked.** Values pass [`payload::check`](crate::payload::check) before they are stored, and are stored as
///   [`payload::normalise`](crate::payload::normalise) makes them.
/// - **Wakes.** At most one wake a task: the moment at which it is to be looked at again. Each change of it raises its
///   generation.
pub trait Storage: Send + Sync + 'static {
    /// Writes what definitions bring: the namespace, the named task, named steps and their links, and the bound
    /// template under its hash. Learning one again changes nothing. It is a transaction of its own.
    fn learn(
        &self,
        definitions: &[Arc<BoundTemplate>],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// Creates tasks, each with its steps, edges and a wake due `now`, and answers in the order of the request.
    ///
    /// A definition that was not learned is [`StorageError::UnknownDefinition`], and nothing at all is written. A
    /// repeated identity is [`Creation::Duplicate`] for that one alone; of the same identity twice in one call the
    /// first is created. A task without steps is complete at once (rows to `in_progress` and `complete`, no wake). A
    /// bypassed step is `resolved_manually` with [`audit::step_skipped`](crate::audit::step_skipped) and
    /// [`audit::skipped_results`](crate::audit::skipped_results); when all are, so is the task complete. All other
    /// steps and tasks have no row yet.
    fn create(
        &self,
        tasks: Vec<NewTask>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Creation>, StorageError>> + Send;

    /// Moves tasks on by one wave: see [`Advance`].
    fn advance(&self, call: Advance) -> impl Future<Output = Result<Vec<Progress>, StorageError>> + Send;

    /// Carries out an operator's act, as [`decide::plan_intervention`](crate::decide::plan_intervention) decides it on
    /// the task as it stands under the lock. A refused act writes nothing.
    ///
    /// A running step that an act moves is fenced: its outcome will be [`Recording::Stale`].
    fn intervene(&self, act: Intervention) -> impl Future<Output = Result<Intervened, StorageError>> + Send;

    /// Tells that a worker lives, and which claims it holds.
    ///
    /// Claims of this worker that it does not name, and that were made before `hand_back_before`, are handed back (the
    /// reply that told of them was lost): `in_progress` to `pending`, the attempt taken back, the task woken.
    fn beat(&self, beat: Beat) -> impl Future<Output = Result<Vec<HandedBack>, StorageError>> + Send;

    /// Fails the running steps of lost workers: those claimed before `lost_before` by a worker that has not beaten since
    /// then. `in_progress` to `error` with the class [`WORKER_LOST`](crate::WORKER_LOST), retryable, the attempt counted,
    /// the task woken: its other steps may have waited for the room, and it may have to settle. At most `limit` steps a
    /// call, ascending by task and step. Steps whose claim names no worker are left alone.
    fn rescue(&self, rescue: Rescue) -> impl Future<Output = Result<Vec<Rescued>, StorageError>> + Send;

    /// The wakes that are due, in turns between namespaces: of each the earliest (and of those that of the lowest task), then
    /// of each the next one; and when the earliest of all others will be. Changes nothing: an `advance` that wants the
    /// task answers its wake.
    fn due(&self, now: Timestamp, limit: usize) -> impl Future<Output = Result<Due, StorageError>> + Send;

    /// Gives a wake due `now` to tasks that are open, not paused, have no wake and no step in progress: they can move
    /// and nobody knows. Looks at tasks above `after`, in ascending order, until it has given `limit` wakes. What it costs
    /// does not grow with tasks that are settled.
    fn sweep(
        &self,
        now: Timestamp,
        after: Option<TaskId>,
        limit: usize,
    ) -> impl Future<Output = Result<Swept, StorageError>> + Send;

    /// Tasks as they stand, in the order asked for; unknown ones are left out.
    fn load(
        &self,
        tasks: &[TaskId],
        detail: Detail,
    ) -> impl Future<Output = Result<Vec<TaskRecord>, StorageError>> + Send;

    /// The same data as records, where the backend has them. The engine itself never asks.
    fn records(&self) -> Option<&dyn Records> {
        None
    }
}

/// A task to be created.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// What it is made from; learned before.
    pub definition: DefinitionHash,
    /// What makes it the same request as another one; at most 128 characters.
    pub identity_hash: String,
    /// What was asked for.
    pub request: TaskRequest,
    /// Inputs that differ from the context, by the step's place in the template.
    pub inputs: BTreeMap<usize, Arc<Value>>,
}

/// What became of one [`NewTask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is stored.
    Created {
        /// The new task.
        task: TaskId,
        /// Its steps, in the order of the template.
        steps: Vec<StepId>,
        /// `Some` when there is nothing to do.
        settled: Option<TaskState>,
    },
    /// A task of that identity exists; nothing was written.
    Duplicate {
        /// The existing task.
        task: TaskId,
    },
}

/// One wave of any number of tasks: what finished goes in, what may run comes out, in one call and one commit.
///
/// For every task named by an outcome or wanted:
/// 1. **Fence.** An outcome counts only under the current claim of its step. One already recorded under its own token
///    is [`Recording::AlreadyRecorded`], and the claims that this worker holds on that task, but for those that the
///    call brings outcomes of, are told again with all their parents. Any other is [`Recording::Stale`]: no state, result
///    or attempt changes. If it comes under a claim that the step once had, and a handler ran, then what it says is kept
///    as [`audit::late_outcome`](crate::audit::late_outcome) in the metadata of the row that ended the claim; the first
///    one, if there are several. A token given twice in a call counts once; the second is already recorded.
/// 2. **Record.** Rows and columns of the steps: results replace the old ones; a failure merges `error` (the message)
///    and `error_class` into them; a failure that asks for a wait stores it, in whole seconds rounded up, in
///    `backoff_request_seconds`; a permanent one takes `retryable`. Then spawned steps and edges; a name that the task
///    already has adds nothing. An outcome that cannot be recorded fails its step permanently:
///    [`Recording::NotRecordable`].
/// 3. **Judge**, by [`decide::readiness`](crate::decide::readiness): the children of completed steps; every step of
///    wanted tasks and of tasks with a limit (their own, or [`Room::per_task`]). There, steps below a cancelled one are
///    cancelled first.
/// 4. **Claim** what was judged ready, within the [`Room`] and the task's limit, unless the task is settled, paused or a
///    draft. Where there is not room for all, in turns: one step of each wanted task and then of each other, ascending by
///    task; then the next one of each; those of a task ascending. So none keeps the others waiting, however many steps
///    it has. A claim counts the attempt, sets `last_attempted_at`, and clears
///    `backoff_request_seconds`; out of `error` it writes two rows, by way of `pending`. The first claim of a pending
///    task begins it.
/// 5. **Settle** tasks with nothing left to do, by [`decide::settlement`](crate::decide::settlement), unless paused or
///    a draft. A pending task that becomes complete is begun first.
/// 6. **Wake.** Of a settled or paused task the wake is gone. Otherwise, as far as the call judged: ready steps left
///    over give a wake due `now`; if they are left over only because this worker has no handler for them, it is parked:
///    due later, by a delay that doubles each time in a row from [`PARKED_FIRST`] to [`PARKED_MOST`]; one that is parked
///    stays as it is until it is due. Failed, snoozed and handed-back steps give one for when they may run again. The earliest counts. A wanted task without either has no
///    wake left (its wake was answered); one that was not wanted keeps what it had if that is earlier. A task that only
///    waits for running steps, or is at its own limit, needs no wake: its outcomes move it.
#[derive(Clone, Debug)]
pub struct Advance {
    /// Who asks.
    pub worker: WorkerId,
    /// When.
    pub now: Timestamp,
    /// What finished. An outcome whose task does not have that step is stale.
    pub outcomes: Vec<Outcome>,
    /// Tasks to be looked at in full.
    pub wanted: Vec<TaskId>,
    /// What this worker can take.
    pub room: Room,
}

/// How one claimed attempt ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The task.
    pub task: TaskId,
    /// The step.
    pub step: StepId,
    /// The claim.
    pub token: Token,
    /// Which attempt it was.
    pub attempt: u32,
    /// How long user code ran.
    pub duration: Duration,
    /// How it ended.
    pub kind: OutcomeKind,
    /// Steps to add; only with `Completed`.
    pub spawned: Vec<SpawnedStep>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum OutcomeKind {
    /// With results.
    Completed(Arc<Value>),
    /// With an error.
    Failed {
        /// What went wrong.
        error: ErrorReport,
        /// What is known about another attempt.
        retry: RetryAdvice,
    },
    /// The handler was never started; the attempt is taken back.
    HandBack,
    /// It sleeps; the attempt is taken back.
    Snooze {
        /// Until then.
        until: Timestamp,
    },
}

/// What went wrong in an attempt, for people and for statistics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorReport {
    /// The kind: a type's name, or one of [`PANIC`](crate::PANIC) and its like.
    pub class: String,
    /// The text.
    pub message: String,
    /// A code of the user's choice.
    pub code: Option<String>,
}

impl ErrorReport {
    /// What a rescue records.
    pub fn worker_lost() -> Self {
        let message = "the worker that ran the step has stopped beating".to_owned();
        Self { class: WORKER_LOST.to_owned(), message, code: None }
    }
}

/// What a failed attempt says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAdvice {
    /// The reference's wait: min(2^attempts, 30) seconds after the failure.
    Default,
    /// Exactly that long, from the failure on.
    After(Duration),
    /// There is none.
    Never,
}

/// A step that a step asked for while it ran.
///
/// Its parents are the step that asked for it and those of `after`; so it cannot close a cycle, as `after` may name
/// only steps spawned earlier in the same outcome, and `before` only steps that wait for the asking one.
#[derive(Clone, Debug, PartialEq)]
pub struct SpawnedStep {
    /// Its name, unique within the task.
    pub name: StepName,
    /// What runs it.
    pub handler: HandlerName,
    /// Its configuration; null when it has none.
    pub config: Arc<Value>,
    /// How many attempts it may have.
    pub retry_limit: u32,
    /// Whether a failed attempt may be followed by another.
    pub retryable: bool,
    /// Further parents.
    pub after: Vec<StepName>,
    /// Steps that wait for it.
    pub before: Vec<StepName>,
}

/// How many steps a worker can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// In all; 0 when it only brings outcomes.
    pub total: usize,
    /// Of one task in progress at a time, over all workers; a task's own limit holds as well.
    pub per_task: Option<usize>,
    /// By handler.
    pub handlers: HandlerRoom,
}

/// Which handlers a worker has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandlerRoom {
    /// Every one that a step may name.
    Every,
    /// Every one; those for that many steps at most.
    Limited(BTreeMap<HandlerName, usize>),
    /// Those, each for that many steps; an absent one is none.
    Only(BTreeMap<HandlerName, usize>),
}

impl Room {
    /// Room for that many steps of any kind.
    pub const fn of(total: usize) -> Self {
        Self { total, per_task: None, handlers: HandlerRoom::Every }
    }
}

/// What an [`Advance`] did to one task. One for every task touched, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The task.
    pub task: TaskId,
    /// Its outcomes, in the order given.
    pub recorded: Vec<Recorded>,
    /// What this worker is to run now, ascending by step.
    pub claims: Vec<Claim>,
    /// The row that began the task, when this call did.
    pub started: Option<TransitionId>,
    /// Steps below a cancelled one that this call cancelled, ascending.
    pub cancelled: Vec<StepMoved>,
    /// `Some` when the task is in a state that is not open.
    pub settled: Option<Settled>,
    /// How its steps stood, when this call settled it.
    pub ended: Option<Ended>,
    /// The task's wake as this call leaves it, when it wrote one.
    pub next_wake: Option<Timestamp>,
    /// Of the handlers that were given a room of their own, those of whose ready steps some are left over; ascending.
    pub no_room: Vec<HandlerName>,
    /// Whether there is no such task.
    pub gone: bool,
}

impl Progress {
    /// Nothing happened to that task.
    pub const fn nothing(task: TaskId) -> Self {
        Self {
            task,
            recorded: vec![],
            claims: vec![],
            started: None,
            cancelled: vec![],
            settled: None,
            ended: None,
            next_wake: None,
            no_room: vec![],
            gone: false,
        }
    }
}

/// What became of one outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The claim.
    pub token: Token,
    /// What became of it.
    pub how: Recording,
    /// Why the step may never run again by itself, if this call recorded a failure after which it may not.
    pub blocked: Option<BlockedWhy>,
}

impl Recorded {
    /// Of an outcome that leaves the step as it was, or able to go on.
    pub const fn new(token: Token, how: Recording) -> Self {
        Self { token, how, blocked: None }
    }
}

/// What became of an outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Recording {
    /// It was recorded now, by that row.
    Recorded(TransitionId),
    /// It was recorded before, under the same token.
    AlreadyRecorded,
    /// The claim is not the current one: no state, result or attempt changed. A note may have been kept.
    Stale,
    /// It could not be stored as it was, so the step failed permanently, by that row, and the error says why.
    NotRecordable(TransitionId, ErrorReport),
}

/// The settled state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Complete, error, cancelled or resolved.
    pub state: TaskState,
    /// The row, when this call moved it; `None` when it stood there before.
    pub by: Option<TransitionId>,
}

/// How the steps of a task stood when it was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The state before.
    pub from: TaskState,
    /// Steps that are not satisfied: cancelled ones, and, where the task failed, those that are left.
    pub unsatisfied: usize,
    /// The names of the steps for which it failed, ascending by step.
    pub blocked: Vec<StepName>,
}

/// A step that this worker is to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The right to record its outcome.
    pub token: Token,
    /// The step.
    pub step: StepId,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// Whether this call took the step out of `error`: then a row to `pending` stands before the claim's own.
    pub retries: bool,
    /// What its parents yielded, ascending by step; without those that this very call completed.
    pub parents: Vec<(StepId, ParentResult)>,
}

/// What a satisfied parent yielded.
#[derive(Clone, Debug, PartialEq)]
pub enum ParentResult {
    /// A value; JSON null is one.
    Value(Arc<Value>),
    /// Nothing: it was skipped.
    Skipped,
    /// Nothing: it was resolved without results, or the database holds none.
    Absent,
}

/// An operator's act.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervention {
    /// The task.
    pub task: TaskId,
    /// What is to be done.
    pub act: Act,
    /// Who does it; at most 128 characters, not blank.
    pub actor: String,
    /// Why; at most 1024 characters.
    pub reason: Option<String>,
    /// When.
    pub now: Timestamp,
}

/// What is to be done to a task or one of its steps.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// To the task.
    Task {
        /// What.
        command: TaskCommand,
        /// The state that the caller saw; another one is a conflict.
        expected: Option<TaskState>,
    },
    /// To a step of it.
    Step {
        /// The step.
        step: StepId,
        /// What.
        command: StepCommand,
        /// The state that the caller saw; another one is a conflict.
        expected: Option<StepState>,
    },
}

/// What can be done to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskCommand {
    /// Ends it, with every step that is not settled.
    Cancel {
        /// Even when it is complete or resolved; its steps stay as they are.
        force: bool,
    },
    /// Resets every blocked step of a task in `error`.
    Retry,
    /// Declares a task in `error` done; its steps stay as they are. Needs a reason.
    Resolve,
    /// No new claims; what runs is recorded.
    Pause,
    /// Claims again.
    Resume,
}

/// What can be done to a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepCommand {
    /// Ends it, with every unsettled step below it.
    Cancel,
    /// Forgets the rest of its back-off; attempts stay.
    Retry,
    /// Attempts back to none.
    Reset,
    /// Declares it done, with results or without. Needs a reason.
    Resolve {
        /// What it is to have yielded.
        results: Option<Arc<Value>>,
    },
    /// Completes it by hand.
    Complete {
        /// What it is to have yielded.
        results: Arc<Value>,
    },
    /// Passes over a step that may be skipped.
    Skip,
}

/// What became of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervened {
    /// It was done.
    Moved {
        /// The state of the task now.
        task: TaskState,
        /// The rows written for steps, ascending by step.
        steps: Vec<StepMoved>,
        /// The rows written for the task, in order.
        rows: Vec<TaskMoved>,
    },
    /// It was not.
    Not(NotMoved),
}

/// A row that was written for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepMoved {
    /// The step.
    pub step: StepId,
    /// The state before.
    pub from: StepState,
    /// The state now.
    pub to: StepState,
    /// The row.
    pub by: TransitionId,
}

/// A row that was written for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskMoved {
    /// The state before.
    pub from: TaskState,
    /// The state now.
    pub to: TaskState,
    /// The row.
    pub by: TransitionId,
}

/// Why an act changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotMoved {
    /// It stands there already.
    AlreadyThere,
    /// The state found does not allow it.
    Refused(Refusal),
    /// The task is not in the state that the caller saw.
    TaskConflict {
        /// The state found.
        actual: TaskState,
    },
    /// The step is not in the state that the caller saw.
    StepConflict {
        /// The state found.
        actual: StepState,
    },
}

/// Why the state found does not allow an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The task or step is complete, resolved or cancelled.
    #[error("it is finished")]
    Finished,
    /// The task of the step is.
    #[error("its task is finished")]
    TaskFinished,
    /// The step runs: cancel it, or wait for its outcome.
    #[error("it is in progress")]
    InProgress,
    /// It did not fail.
    #[error("it has not failed")]
    NotFailed,
    /// The task is neither pending nor in progress.
    #[error("it is not active")]
    NotActive,
    /// The task is not paused.
    #[error("it is not paused")]
    NotPaused,
    /// The step may not be passed over.
    #[error("the step is not skippable")]
    NotSkippable,
    /// All attempts were used up: reset it.
    #[error("its retries are exhausted; reset it")]
    RetriesExhausted,
    /// It failed for good: reset it.
    #[error("it is not retryable; reset it")]
    NotRetryable,
    /// Why is not said.
    #[error("a reason is required")]
    ReasonRequired,
    /// The task has no such step.
    #[error("the task has no such step")]
    UnknownStep,
}

/// A sign of life: see [`Storage::beat`].
#[derive(Clone, Debug)]
pub struct Beat {
    /// Who.
    pub worker: WorkerId,
    /// A name for people.
    pub label: String,
    /// The claims it holds.
    pub held: Vec<Token>,
    /// Claims made before that, and not held, are handed back.
    pub hand_back_before: Timestamp,
    /// When.
    pub now: Timestamp,
}

/// A claim that a worker held without knowing, and that its beat handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HandedBack {
    /// The claim that no longer counts.
    pub token: Token,
    /// The task.
    pub task: TaskId,
    /// The step.
    pub step: StepId,
    /// The row that ended the claim.
    pub by: TransitionId,
}

/// See [`Storage::rescue`].
#[derive(Clone, Copy, Debug)]
pub struct Rescue {
    /// A worker that has not beaten since then is lost.
    pub lost_before: Timestamp,
    /// At most that many steps.
    pub limit: usize,
    /// When.
    pub now: Timestamp,
}

/// A step taken from a lost worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// The task.
    pub task: TaskId,
    /// The step.
    pub step: StepId,
    /// The claim that no longer counts.
    pub token: Token,
    /// The row that ended it.
    pub by: TransitionId,
    /// Who held it.
    pub worker: WorkerId,
    /// Which attempt it was.
    pub attempt: u32,
    /// Why the step may never run again by itself, if it may not.
    pub blocked: Option<BlockedWhy>,
}

/// The moment at which a task is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wake {
    /// When.
    pub due: Timestamp,
    /// Which.
    pub task: TaskId,
    /// Raised with every change, so that an old message does not forget a newer wake.
    pub generation: i64,
}

/// See [`Storage::due`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Due ones.
    pub wakes: Vec<Wake>,
    /// When the next one after these is due.
    pub next: Option<Timestamp>,
}

/// See [`Storage::sweep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Wakes given.
    pub woken: usize,
    /// Where to go on; `None` when all tasks were looked at.
    pub next: Option<TaskId>,
}

/// How much of a task is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Everything but the audit trail.
    Graph,
    /// With the audit trail.
    Audit,
}

/// The error class of a step whose worker stopped beating.
pub const WORKER_LOST: &str = "WorkerLost";
/// The error class of an outcome that could not be stored.
pub const NOT_RECORDABLE: &str = "NOT_RECORDABLE";
/// The first delay of a wake that the asking worker has no handler for.
pub const PARKED_FIRST: Duration = Duration::from_secs(1);
/// The longest delay of a wake that the asking worker has no handler for.
pub const PARKED_MOST: Duration = Duration::from_secs(60);

/// How long a wake is parked that was parked that many times in a row before.
pub fn parked_for(times: u32) -> Duration {
    PARKED_FIRST.saturating_mul(1 << times.min(6)).min(PARKED_MOST)
}

/// A storage operation that did not take effect, or may not have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The backend could not be reached, or gave up in a way that may pass. The same call may be made again.
    #[error("storage is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// There is no such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// A task names a definition that was not learned.
    #[error("definition {0} was not learned by this storage")]
    UnknownDefinition(DefinitionHash),
    /// A text is longer than its column.
    #[error("`{field}` has {length} characters, at most {max} are allowed")]
    TooLong {
        /// Which.
        field: &'static str,
        /// Allowed.
        max: usize,
        /// Found.
        length: usize,
    },
    /// A text is blank.
    #[error("`{0}` is blank")]
    Blank(&'static str),
    /// A skippable step was expected.
    #[error("bypass_steps names `{0}`, which is not a skippable step of the workflow")]
    Bypass(StepName),
    /// A value cannot be stored.
    #[error("`{field}` cannot be stored")]
    Payload {
        /// Which.
        field: &'static str,
        /// Why.
        #[source]
        error: PayloadError,
    },
    /// What the backend holds cannot be read.
    #[error("{what} cannot be read")]
    Corrupt {
        /// Which row of which table.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The backend refused, and will refuse again.
    #[error("storage refused")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}

impl StorageError {
    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl NewTask {
    /// Checks what every backend checks before it writes: lengths and payloads.
    ///
    /// # Errors
    /// Names the first field that cannot be stored.
    pub fn check(&self, limits: &Limits) -> Result<(), StorageError> {
        let request = &self.request;
        for (field, text) in [
            ("initiator", &request.initiator),
            ("source_system", &request.source_system),
            ("reason", &request.reason),
            ("identity_hash", &self.identity_hash),
        ] {
            at_most(field, text, 128)?;
        }
        if self.identity_hash.trim().is_empty() {
            return Err(StorageError::Blank("identity_hash"));
        }
        for tag in &request.tags {
            storable("tags", &Value::String(tag.clone()), limits)?;
        }
        storable("context", &request.context, limits)?;
        self.inputs.values().try_for_each(|inputs| storable("inputs", inputs, limits))
    }
}

impl Intervention {
    /// Checks what every backend checks before it writes: lengths and payloads.
    ///
    /// # Errors
    /// Names the first field that cannot be stored.
    pub fn check(&self, limits: &Limits) -> Result<(), StorageError> {
        if self.actor.trim().is_empty() {
            return Err(StorageError::Blank("actor"));
        }
        at_most("actor", &self.actor, 128)?;
        storable("actor", &Value::String(self.actor.clone()), limits)?;
        if let Some(reason) = &self.reason {
            at_most("reason", reason, 1024)?;
            storable("reason", &Value::String(reason.clone()), limits)?;
        }
        match &self.act {
            Act::Step { command: StepCommand::Complete { results }, .. }
            | Act::Step { command: StepCommand::Resolve { results: Some(results) }, .. } => {
                storable("results", results, limits)
            }
            _ => Ok(()),
        }
    }
}

fn at_most(field: &'static str, text: &str, max: usize) -> Result<(), StorageError> {
    let length = text.chars().count();
    if length > max { Err(StorageError::TooLong { field, max, length }) } else { storable_text(field, text) }
}

fn storable_text(field: &'static str, text: &str) -> Result<(), StorageError> {
    match text.contains('\0') {
        true => Err(StorageError::Payload { field, error: PayloadError::Nul { at: String::new() } }),
        false => Ok(()),
    }
}

fn storable(field: &'static str, value: &Value, limits: &Limits) -> Result<(), StorageError> {
    crate::payload::check(value, limits).map_err(|error| StorageError::Payload { field, error })
}
