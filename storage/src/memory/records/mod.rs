//! Records: scopes are evaluated row by row, in the plainest way there is. What they mean is defined here.

mod annotations;
mod catalogue;
mod dag;
mod json;
mod model;
mod read;
mod steps;
mod systems;
mod tasks;
mod transitions;
mod write;

use async_trait::async_trait;
use tasker_engine::records::{RecordError, Records, Scope, Table};

use self::model::{MemoryModel, select};
use super::MemoryStorage;

impl Records for MemoryStorage {}

#[async_trait]
impl<M: MemoryModel> Table<M> for MemoryStorage {
    async fn rows(&self, scope: &Scope<M>) -> Result<Vec<M::Row>, RecordError> {
        let store = self.store();
        Ok(select(&store, scope).into_iter().map(|handle| M::row(&store, handle)).collect())
    }

    async fn ids(&self, scope: &Scope<M>) -> Result<Vec<M::Id>, RecordError> {
        Ok(select(&self.store(), scope).into_iter().map(M::id_of).collect())
    }

    async fn count(&self, scope: &Scope<M>) -> Result<u64, RecordError> {
        Ok(u64::try_from(select(&self.store(), scope).len()).expect("a count of rows in memory"))
    }

    async fn exists(&self, scope: &Scope<M>) -> Result<bool, RecordError> {
        Ok(!select(&self.store(), scope).is_empty())
    }
}
