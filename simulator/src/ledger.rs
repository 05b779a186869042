//! What ran, as the handlers themselves wrote it down: nothing that the storage says is believed without it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use tasker_engine::{StepId, TaskId, Token};

use crate::network::ProcessId;

/// One run of a handler, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunId(pub(crate) u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Yields,
    YieldsWhatCannotBeStored,
    Fails,
    FailsForGood,
    AsksForAWait(Duration),
    Snoozes(Duration),
    Panics,
    CutOff,
}

/// One run of a handler.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) process: ProcessId,
    pub(crate) task: TaskId,
    pub(crate) step: StepId,
    pub(crate) claim: Token,
    /// `None` while it is under way.
    pub(crate) end: Option<End>,
    /// Whether the storage holds what it yielded.
    pub(crate) is_recorded: bool,
}

/// All runs, and the claims that processes were told of.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    runs: Vec<Run>,
    /// The claims that each process was told of.
    told: BTreeSet<(ProcessId, StepId, Token)>,
    begun: BTreeSet<Token>,
    active: BTreeMap<ProcessId, usize>,
}

impl Ledger {
    /// A process was told of a claim.
    pub(crate) fn told(&mut self, process: ProcessId, step: StepId, claim: Token) {
        self.told.insert((process, step, claim));
    }

    /// A handler begins. Answers whether it is the first of its claim, and one that its process was told of.
    pub(crate) fn begin(
        &mut self,
        process: ProcessId,
        task: TaskId,
        step: StepId,
        claim: Token,
    ) -> (RunId, bool) {
        *self.active.entry(process).or_default() += 1;
        self.runs.push(Run { process, task, step, claim, end: None, is_recorded: false });
        let is_right = self.begun.insert(claim) && self.told.contains(&(process, step, claim));
        (RunId(self.runs.len() as u64), is_right)
    }

    /// How many handlers run in a process.
    pub(crate) fn active_in(&self, process: ProcessId) -> usize {
        self.active.get(&process).copied().unwrap_or_default()
    }

    /// Answers whether it was under way.
    pub(crate) fn end(&mut self, id: RunId, end: End) -> bool {
        let run = self.run_mut(id).expect("a run that ends has begun");
        if run.end.is_some() {
            return false;
        }
        run.end = Some(end);
        let process = run.process;
        *self.active.get_mut(&process).expect("it runs there") -= 1;
        true
    }

    /// Cuts off all that is under way in a process, and answers what was, in the order in which it began.
    pub(crate) fn cut_off(&mut self, process: ProcessId) -> Vec<RunId> {
        let numbered = (1..).map(RunId).zip(&self.runs);
        let open = numbered.filter(|(_, run)| run.process == process && run.end.is_none());
        let open: Vec<_> = open.map(|(id, _)| id).collect();
        for id in &open {
            self.end(*id, End::CutOff);
        }
        open
    }

    pub(crate) fn run_mut(&mut self, id: RunId) -> Option<&mut Run> {
        let place = usize::try_from(id.0).ok()?.checked_sub(1)?;
        self.runs.get_mut(place)
    }

    /// How many handlers run in living processes.
    pub(crate) fn active(&self) -> usize {
        self.active.values().sum()
    }
}
