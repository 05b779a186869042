//! Random scopes, as numbers that mean the same on every backend.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tasker_engine::Timestamp;
use tasker_engine::records::{Direction, Order, Scope};

use super::super::fixture::at;
use super::models::Asked;
use super::names::Names;
use super::world::SECONDS;

/// A scope to be asked.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    filters: Vec<Pick>,
    order: Option<(usize, bool)>,
    pub(super) after: Option<usize>,
    pub(super) offset: Option<u32>,
    pub(super) limit: Option<u32>,
}

/// A filter, by numbers.
#[derive(Clone, Debug)]
pub(super) struct Pick {
    /// Which filter.
    pub(super) kind: usize,
    /// Of what.
    pub(super) of: usize,
    /// And of how many more.
    pub(super) more: usize,
    /// When, in seconds.
    when: u64,
    /// Which of a few words or states.
    pub(super) word: usize,
}

pub(super) fn draws() -> impl Strategy<Value = Draw> {
    let pick = (0..64usize, 0..1000usize, 0..6usize, 0..=SECONDS, 0..6usize);
    let pick = pick.prop_map(|(kind, of, more, when, word)| Pick { kind, of, more, when, word });
    let order = option::of((0..16usize, any::<bool>()));
    let after = option::weighted(0.3, 0..40usize);
    let offset = option::weighted(0.3, 0..10u32);
    let limit = option::weighted(0.5, prop_oneof![Just(0u32), 1..30u32, Just(u32::MAX)]);
    (vec(pick, 0..4), order, after, offset, limit).prop_map(|(filters, order, after, offset, limit)| Draw {
        filters,
        order,
        after,
        offset,
        limit,
    })
}

impl Draw {
    /// The scope without its page, on the backend whose rows have these names.
    pub(super) fn scope<M: Asked>(&self, names: &Names) -> Scope<M> {
        let order = self.order.map(|(column, descends)| Order {
            by: M::COLUMNS[column % M::COLUMNS.len()],
            direction: if descends { Direction::Descending } else { Direction::Ascending },
        });
        let filters = self.filters.iter().map(|pick| M::filter(pick, names)).collect();
        Scope { filters, order, ..Scope::all() }
    }
}

impl Pick {
    /// The moment; some are between two at which something happens, some at one.
    pub(super) fn moment(&self) -> Timestamp {
        match self.more % 2 {
            0 => at(self.when),
            _ => Timestamp::from_micros(at(self.when).as_micros() + 1),
        }
    }

    /// A moment after that, or before it now and then.
    pub(super) fn later(&self) -> Timestamp {
        at((self.when + 10 * u64::try_from(self.word).expect("small")).saturating_sub(10))
    }

    /// Some of those rows, and now and then one that is not there.
    pub(super) fn some<I: From<i64>>(&self, ids: &[i64]) -> Vec<I> {
        let chosen =
            (0..=self.more).filter_map(|next| ids.get((self.of + 7 * next) % (ids.len() + 1)).copied());
        chosen.chain((self.word == 0).then_some(-1)).map(I::from).collect()
    }

    /// One of those rows, or one that is not there.
    pub(super) fn one<I: From<i64>>(&self, ids: &[i64]) -> I {
        ids.get(self.of % (ids.len() + 1)).copied().unwrap_or(-1).into()
    }

    /// One of those words.
    pub(super) fn word<'a>(&self, words: &[&'a str]) -> &'a str {
        words[self.word % words.len()]
    }
}
