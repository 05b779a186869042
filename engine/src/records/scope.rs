//! A scope is a value: which rows of a model, in which order, from where on and how many.

use std::fmt::{Debug, Display};
use std::hash::Hash;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{RecordError, Table};

/// A table, view or function of the reference as a model: what its rows are, what may be asked of them, and by what they
/// may be sorted. The types that implement it have no values of interest; they are where scopes begin:
/// `Tasks::active()`.
pub trait Model: Clone + Debug + PartialEq + Send + Sync + Sized + 'static {
    /// What its rows are called, in errors.
    const NAME: &'static str;
    /// What tells two rows apart.
    type Id: Copy
        + Debug
        + Display
        + Ord
        + Hash
        + From<i64>
        + Into<i64>
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
    /// A row.
    type Row: Clone + Debug + PartialEq + Serialize + Send + Sync + 'static;
    /// One condition of a scope.
    type Filter: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What rows may be sorted by.
    type Column: Copy + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The id of a row.
    fn id(row: &Self::Row) -> Self::Id;
}

/// Which rows of a model are asked for. Scopes chain; whatever is chained narrows, so any two combine.
///
/// It is plain data: it can be logged, compared, and sent as JSON.
///
/// ```
/// use tasker_engine::records::{Scope, Tasks};
///
/// let scope = Tasks::active().in_namespace("shop").limit(50);
/// let sent = serde_json::to_string(&scope)?;
/// assert_eq!(sent, r#"{"filters":["active",{"in_namespace":"shop"}],"limit":50}"#);
/// assert_eq!(serde_json::from_str::<Scope<Tasks>>(&sent)?, scope);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
pub struct Scope<M: Model> {
    /// Conditions that all hold.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<M::Filter>,
    /// What the rows are sorted by: a column, and then the id in the same direction. By id when `None`.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub order: Option<Order<M::Column>>,
    /// The row after which the page begins, in that order as it stands now; when there is no such row, the page is
    /// empty.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub after: Option<M::Id>,
    /// How many rows are passed over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: u32,
    /// How many rows there are at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A column, and whether it ascends. Absent values come last in ascending order and first in descending order; texts are
/// compared byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order<C> {
    /// What is sorted by.
    pub by: C,
    /// Where it begins.
    #[serde(default)]
    pub direction: Direction,
}

/// Where an order begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// With the smallest.
    #[default]
    #[serde(rename = "asc")]
    Ascending,
    /// With the largest.
    #[serde(rename = "desc")]
    Descending,
}

const fn none<T>() -> Option<T> {
    None
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl<M: Model> Default for Scope<M> {
    fn default() -> Self {
        Self::all()
    }
}

impl<M: Model> Scope<M> {
    /// Every row.
    pub const fn all() -> Self {
        Self { filters: vec![], order: None, after: None, offset: 0, limit: None }
    }

    /// Narrowed by one more condition; `None` is no condition.
    #[must_use]
    pub fn filter(mut self, filter: impl Into<Option<M::Filter>>) -> Self {
        self.filters.extend(filter.into());
        self
    }

    /// Narrowed by all that another scope says; its order and page count where it has them.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.filters.extend(other.filters);
        Self {
            filters: self.filters,
            order: other.order.or(self.order),
            after: other.after.or(self.after),
            offset: if other.offset == 0 { self.offset } else { other.offset },
            limit: other.limit.or(self.limit),
        }
    }

    /// Sorted by a column, the smallest first.
    #[must_use]
    pub fn ascending(mut self, by: M::Column) -> Self {
        self.order = Some(Order { by, direction: Direction::Ascending });
        self
    }

    /// Sorted by a column, the largest first.
    #[must_use]
    pub fn descending(mut self, by: M::Column) -> Self {
        self.order = Some(Order { by, direction: Direction::Descending });
        self
    }

    /// At most so many rows.
    #[must_use]
    pub const fn limit(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Without the first so many rows. The cost grows with the number: [`after`](Self::after) does without that.
    #[must_use]
    pub const fn offset(mut self, rows: u32) -> Self {
        self.offset = rows;
        self
    }

    /// Only what comes after that row in the order of the scope: the next page after one that ended with it.
    #[must_use]
    pub const fn after(mut self, row: M::Id) -> Self {
        self.after = Some(row);
        self
    }

    /// The same condition and order without a page: for a total.
    #[must_use]
    pub fn unpaged(self) -> Self {
        Self { after: None, offset: 0, limit: None, ..self }
    }

    /// The rows, in order.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn rows(&self, records: &(impl Table<M> + ?Sized)) -> Result<Vec<M::Row>, RecordError> {
        records.rows(self).await
    }

    /// Their ids, in order.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn ids(&self, records: &(impl Table<M> + ?Sized)) -> Result<Vec<M::Id>, RecordError> {
        records.ids(self).await
    }

    /// How many rows there are, on this page if it is one.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn count(&self, records: &(impl Table<M> + ?Sized)) -> Result<u64, RecordError> {
        records.count(self).await
    }

    /// Whether there is any row, on this page if it is one.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn exists(&self, records: &(impl Table<M> + ?Sized)) -> Result<bool, RecordError> {
        records.exists(self).await
    }

    /// The first row in order, if there is any.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn first(&self, records: &(impl Table<M> + ?Sized)) -> Result<Option<M::Row>, RecordError> {
        let limit = self.limit.map_or(1, |limit| limit.min(1));
        Ok(records.rows(&self.clone().limit(limit)).await?.pop())
    }
}
