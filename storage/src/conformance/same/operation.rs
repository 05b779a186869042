//! The calls of a random sequence, as numbers.

/// One call. Times are in milliseconds; tasks, steps and claims are numbers that begin again beyond the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Time goes on.
    Wait(u64),
    /// Learns what is new, and creates tasks in one call.
    Create(Vec<Birth>),
    /// Advances.
    Advance(Wave),
    /// Intervenes.
    Intervene(Deed),
    /// Asks for due wakes.
    Due {
        /// At most.
        limit: usize,
    },
    /// Looks for tasks without a wake.
    Sweep {
        /// Above that task.
        after: Option<usize>,
        /// At most.
        limit: usize,
    },
    /// Loses the wake of a task, in both storages.
    LoseWake(usize),
    /// A sign of life.
    Beat {
        /// Of which worker.
        worker: u8,
        /// Which of all claims it names, newest first, by bits.
        held: u32,
        /// What is older than that is handed back.
        older: u64,
    },
    /// Takes steps from lost workers.
    Rescue {
        /// Lost is who has not beaten for that long.
        silent: u64,
        /// At most.
        limit: usize,
    },
    /// The operation before, once more: its reply was lost.
    Again,
}

/// A task to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Of what.
    pub graph: RandomGraph,
    /// Under the identity of that task; a new one when there is none.
    pub identity: Option<usize>,
    /// Which of its steps are passed over, by bits.
    pub bypass: u8,
}

/// A small graph. Step `s0` is the first; parents are earlier steps, by bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomGraph {
    /// Its steps.
    pub steps: Vec<RandomStep>,
    /// Whether the steps stand in the template from the last to the first.
    pub reversed: bool,
    /// Whether they run one at a time.
    pub one_at_a_time: bool,
}

/// A step of a [`RandomGraph`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomStep {
    /// Which earlier steps it waits for, by bits.
    pub parents: u8,
    /// How many attempts it has.
    pub limit: u32,
    /// Whether it may be tried again.
    pub retryable: bool,
    /// Whether it may be passed over.
    pub skippable: bool,
    /// Which handler runs it.
    pub handler: u8,
}

/// An advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// By which worker.
    pub worker: u8,
    /// What it brings.
    pub outcomes: Vec<Ending>,
    /// Which tasks it wants.
    pub wanted: Vec<usize>,
    /// Room in all.
    pub total: usize,
    /// Room of one task.
    pub per_task: Option<usize>,
    /// Room by handler, for the first handlers; room for every one when there is none.
    pub handlers: Option<Vec<usize>>,
    /// Whether there is room for the other handlers, too.
    pub others: bool,
}

/// How a claim ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Which claim: 0 is the newest.
    pub claim: usize,
    /// Whether it is chosen among all that were ever told, or among those whose steps are still in progress.
    pub any: bool,
    /// Whether it is brought under a token that was never given.
    pub made_up: bool,
    /// How it ended.
    pub how: How,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// With the result of that number, and steps to add.
    Completed(u8, Vec<RandomSpawn>),
    /// With results that cannot be stored.
    Unstorable,
    /// With an error.
    Failed,
    /// With an error that asks for a wait.
    FailedAfter(u64),
    /// With an error for good.
    FailedForGood,
    /// Not at all.
    HandBack,
    /// It sleeps so long, from a moment ago on.
    Snooze(u64),
}

/// A step to add: `n0`, `n1` and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomSpawn {
    /// Its name.
    pub name: u8,
    /// After a spawned step of that name.
    pub after: Option<u8>,
    /// Before that child of the asking step.
    pub before: Option<usize>,
    /// Before that step of the task, child or not.
    pub before_any: Option<usize>,
    /// How many attempts it has.
    pub limit: u32,
}

/// An operator's act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// On which task.
    pub task: usize,
    /// What, to it or to one of its steps.
    pub target: Target,
    /// The state that was seen, by its place among the six.
    pub seen: Option<u8>,
    /// Whether a reason is given.
    pub reason: bool,
}

/// What an act is done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The task: which of the six commands.
    Task(u8),
    /// A step, and which of the seven commands.
    Step(usize, u8),
}
