//! From a scope to its rows.

use std::collections::HashSet;
use std::hash::Hash;

use tasker_engine::Timestamp;
use tasker_engine::records::{Direction, Model, Scope};

use super::super::store::Store;

/// A model as what the store holds.
pub(in crate::memory) trait MemoryModel: Model {
    /// A row that was not copied yet.
    type Handle<'a>: Copy;

    /// Every row.
    fn all(store: &Store) -> Vec<Self::Handle<'_>>;

    /// What a row has to fulfil. What can be said once for all rows is said before the first.
    fn condition<'a>(store: &'a Store, filter: &'a Self::Filter) -> Condition<'a, Self>;

    /// What rows are sorted by.
    fn key(handle: Self::Handle<'_>, column: Self::Column) -> Vec<Key>;

    /// The id of a row.
    fn id_of(handle: Self::Handle<'_>) -> Self::Id;

    /// The row.
    fn row(store: &Store, handle: Self::Handle<'_>) -> Self::Row;
}

/// Whether a row fulfils a filter.
pub(super) type Condition<'a, M> = Box<dyn Fn(<M as MemoryModel>::Handle<'a>) -> bool + 'a>;

/// The rows of a scope, in order.
pub(super) fn select<'a, M: MemoryModel>(store: &'a Store, scope: &'a Scope<M>) -> Vec<M::Handle<'a>> {
    let conditions: Vec<_> = scope.filters.iter().map(|filter| M::condition(store, filter)).collect();
    let sort_key = |handle: &M::Handle<'a>| {
        let by = scope.order.map(|order| M::key(*handle, order.by)).unwrap_or_default();
        (by, M::id_of(*handle))
    };
    let descends = scope.order.is_some_and(|order| order.direction == Direction::Descending);
    let all = M::all(store);
    let begins_after = match scope.after {
        None => None,
        Some(row) => match all.iter().find(|handle| M::id_of(**handle) == row) {
            None => return vec![],
            Some(handle) => Some(sort_key(handle)),
        },
    };
    let mut found: Vec<_> = all
        .into_iter()
        .filter(|handle| conditions.iter().all(|condition| condition(*handle)))
        .map(|handle| (sort_key(&handle), handle))
        .filter(|(key, _)| {
            begins_after.as_ref().is_none_or(|after| if descends { key < after } else { key > after })
        })
        .collect();
    found.sort_by(|(one, _), (next, _)| if descends { next.cmp(one) } else { one.cmp(next) });
    let limit = scope.limit.map_or(usize::MAX, as_size);
    found.into_iter().map(|(_, handle)| handle).skip(as_size(scope.offset)).take(limit).collect()
}

fn as_size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A value to sort by. Only values of one kind are ever compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::memory) enum Key {
    /// Also whether a value is absent, ahead of the value.
    Flag(bool),
    /// A number, or an id.
    Number(i64),
    /// Compared byte by byte.
    Text(String),
    /// A moment.
    Moment(Timestamp),
    /// A version.
    Version(Vec<u64>),
}

impl Key {
    pub(super) fn number(number: impl Into<i64>) -> Vec<Self> {
        vec![Self::Number(number.into())]
    }

    pub(super) fn flag(flag: bool) -> Vec<Self> {
        vec![Self::Flag(flag)]
    }

    pub(super) fn text(text: &str) -> Vec<Self> {
        vec![Self::Text(text.to_owned())]
    }

    pub(super) fn moment(moment: Timestamp) -> Vec<Self> {
        vec![Self::Moment(moment)]
    }

    /// Absent values come after all others.
    pub(super) fn maybe<T>(value: Option<T>, key: impl FnOnce(T) -> Vec<Self>) -> Vec<Self> {
        let absent = Self::Flag(value.is_none());
        [absent].into_iter().chain(value.map(key).unwrap_or_default()).collect()
    }
}

/// The condition that something of a row is among those.
pub(super) fn among<'a, M: MemoryModel, T: Copy + Eq + Hash + 'a>(
    values: &[T],
    of: impl Fn(M::Handle<'a>) -> T + 'a,
) -> Condition<'a, M> {
    let values: HashSet<T> = values.iter().copied().collect();
    Box::new(move |handle| values.contains(&of(handle)))
}

/// A model whose rows stand in the catalogue as they are told.
macro_rules! catalogued {
    ($model:ident: $row:ident in $table:ident, $filter:ident($s:ident, $f:ident) => $condition:expr, $column:ident($r:ident, $c:ident) => $key:expr) => {
        impl $crate::memory::records::model::MemoryModel for $model {
            type Handle<'a> = &'a $row;

            fn all(store: &$crate::memory::store::Store) -> Vec<&$row> {
                store.catalogue.$table.rows().collect()
            }

            fn condition<'a>(
                $s: &'a $crate::memory::store::Store,
                $f: &'a $filter,
            ) -> $crate::memory::records::model::Condition<'a, Self> {
                $condition
            }

            fn key($r: &$row, $c: $column) -> Vec<$crate::memory::records::model::Key> {
                $key
            }

            fn id_of(row: &$row) -> Self::Id {
                <Self as tasker_engine::records::Model>::id(row)
            }

            fn row(_store: &$crate::memory::store::Store, row: &$row) -> $row {
                row.clone()
            }
        }
    };
}

pub(super) use catalogued;
