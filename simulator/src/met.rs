//! What simulations came to, by kind: one that never meets what matters proves nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use tasker_engine::{Creation, Intervened, NotMoved, OutcomeKind, Progress, Recording};

use crate::call::{Answer, Call};

/// How often each kind of answer was given, by a name for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met(BTreeMap<&'static str, u64>);

impl Met {
    /// How often that was met.
    pub fn times(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or_default()
    }

    fn meet(&mut self, kind: &'static str, times: usize) {
        if times > 0 {
            *self.0.entry(kind).or_default() += times as u64;
        }
    }

    pub(crate) fn count(&mut self, call: &Call, answer: &Answer) {
        match (call, answer) {
            (_, Answer::Create(created)) => {
                let duplicates =
                    created.iter().filter(|one| matches!(one, Creation::Duplicate { .. })).count();
                self.meet("duplicate", duplicates);
                self.meet("created", created.len() - duplicates);
            }
            (Call::Advance(call), Answer::Advance(progress)) => {
                let kinds = call.outcomes.iter().map(|outcome| match outcome.kind {
                    OutcomeKind::Completed(_) => "completed",
                    OutcomeKind::Failed { .. } => "failed",
                    OutcomeKind::HandBack => "handed back unstarted",
                    OutcomeKind::Snooze { .. } => "snoozed",
                });
                kinds.for_each(|kind| self.meet(kind, 1));
                self.meet("spawned", call.outcomes.iter().map(|outcome| outcome.spawned.len()).sum());
                progress.iter().for_each(|one| self.count_in(one));
            }
            (_, Answer::Intervene(Intervened::Moved { .. })) => self.meet("intervened", 1),
            (_, Answer::Intervene(Intervened::Not(NotMoved::AlreadyThere))) => self.meet("already there", 1),
            (_, Answer::Intervene(Intervened::Not(NotMoved::Refused(_)))) => self.meet("refused", 1),
            (_, Answer::Intervene(Intervened::Not(_))) => self.meet("conflict", 1),
            (_, Answer::Beat(handed_back)) => self.meet("handed back by a beat", handed_back.len()),
            (_, Answer::Rescue(rescued)) => self.meet("rescued", rescued.len()),
            (_, Answer::Sweep(swept)) => self.meet("swept", swept.woken),
            _ => {}
        }
    }

    fn count_in(&mut self, progress: &Progress) {
        for recorded in &progress.recorded {
            let kind = match recorded.how {
                Recording::Recorded(_) => "recorded",
                Recording::AlreadyRecorded => "already recorded",
                Recording::Stale => "stale",
                Recording::NotRecordable(..) => "not recordable",
            };
            self.meet(kind, 1);
        }
        self.meet("claimed", progress.claims.len());
        if let Some(settled) = progress.settled.filter(|settled| settled.by.is_some()) {
            self.meet(settled.state.as_str(), 1);
        }
    }
}

impl AddAssign<&Self> for Met {
    fn add_assign(&mut self, more: &Self) {
        more.0.iter().for_each(|(kind, times)| *self.0.entry(kind).or_default() += times);
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.0.iter().map(|(kind, times)| format!("{kind} {times}")).collect();
        f.write_str(&kinds.join(", "))
    }
}
