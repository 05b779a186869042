//! What a backend answers about one model.

use async_trait::async_trait;

use super::{Model, RecordError, Scope};

/// The rows of one model, read by scopes. Each call is one statement on a database, and sees one moment.
#[async_trait]
pub trait Table<M: Model>: Send + Sync {
    /// The rows, in order.
    async fn rows(&self, scope: &Scope<M>) -> Result<Vec<M::Row>, RecordError>;

    /// Their ids, in order.
    async fn ids(&self, scope: &Scope<M>) -> Result<Vec<M::Id>, RecordError>;

    /// How many there are.
    async fn count(&self, scope: &Scope<M>) -> Result<u64, RecordError>;

    /// Whether there is any.
    async fn exists(&self, scope: &Scope<M>) -> Result<bool, RecordError>;
}
