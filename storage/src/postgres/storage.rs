//! The backend as a whole: one method of the contract, one module.

use std::sync::Arc;

use sqlx::postgres::PgPool;
use tasker_engine::payload::Limits;
use tasker_engine::records::Records;
use tasker_engine::{
    Advance, Beat, BoundTemplate, Creation, Detail, Due, HandedBack, Intervened, Intervention, NewTask,
    Progress, Rescue, Rescued, Storage, StorageError, Swept, TaskId, TaskRecord, Timestamp,
};

use super::connect;
use super::definitions::Templates;
use super::migrate::{Migrate, MigrateError, MigrationReport, migrate, revert};

/// Tasks in a PostgreSQL database, 13 or later; what has returned is as durable as the server's commits are.
///
/// # Order of locks
///
/// Whatever changes tasks locks their rows in `tasker_tasks` first (`FOR NO KEY UPDATE`, ascending), and touches
/// nothing else of them before it has all; names of steps that are spawned come after, in their own order. So no two
/// calls wait for each other in a circle, and two that finish the last steps of one task see each other.
///
/// # Connections
///
/// A call takes one connection of the pool for as long as it lasts; handlers hold none.
/// [`advance`](Storage::advance), [`create`](Storage::create), [`due`](Storage::due) and [`sweep`](Storage::sweep)
/// are one statement each. Clones share the pool.
#[derive(Clone, Debug)]
pub struct PostgresStorage {
    pub(super) pool: PgPool,
    pub(super) limits: Limits,
    /// Bound templates that were read before, shared by all tasks made from them.
    pub(super) templates: Arc<Templates>,
}

impl PostgresStorage {
    /// Connects to the database that a URL names: `postgres://user:password@host:port/database`. Its schema is taken as
    /// it is; [`migrate`](Self::migrate) brings it up to date.
    ///
    /// The tables are those of the first schema of the search path: `public`, unless the server or the URL says
    /// otherwise (`?options[search_path]=app`).
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the server cannot be reached, [`StorageError::Refused`] when the URL is
    /// none or the server turns us away; the source is a [`ConnectError`](super::ConnectError), which says what to do.
    pub async fn connect(url: &str) -> Result<Self, StorageError> {
        connect::connect(url).await.map(Self::from)
    }

    /// Brings the schema of the database up to date: an empty one, one of an earlier release, or one that Rails made.
    /// Does nothing when it is; two who migrate at once wait for each other.
    ///
    /// # Errors
    /// [`StorageError::Refused`] of a [`MigrateError`], which says what is in the way and what to do. Nothing was changed
    /// then.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        let report = self.migrate_with(Migrate::default()).await.map_err(MigrateError::into_storage_error)?;
        for hindrance in &report.hindered {
            tracing::warn!(%hindrance, "a constraint is missing in the tables that Rails made");
        }
        Ok(())
    }

    /// As [`migrate`](Self::migrate), for operators: with choices, and with a report.
    ///
    /// # Errors
    /// Why nothing was changed, and what to do.
    pub async fn migrate_with(&self, options: Migrate) -> Result<MigrationReport, MigrateError> {
        migrate(&self.pool, options).await
    }

    /// Takes the schema back to the migration of that number, or away altogether with 0, and with it whatever the later
    /// migrations brought: tables with all that they hold. What Rails made is left as it was found.
    ///
    /// # Errors
    /// As [`migrate_with`](Self::migrate_with).
    pub async fn revert(&self, target: i64) -> Result<(), MigrateError> {
        revert(&self.pool, target).await
    }

    /// Other limits for the values that are stored.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The connections that it uses.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl From<PgPool> for PostgresStorage {
    fn from(pool: PgPool) -> Self {
        Self { pool, limits: Limits::default(), templates: Arc::default() }
    }
}

impl Storage for PostgresStorage {
    async fn learn(&self, definitions: &[Arc<BoundTemplate>], now: Timestamp) -> Result<(), StorageError> {
        self.learn_definitions(definitions, now).await
    }

    async fn create(&self, tasks: Vec<NewTask>, now: Timestamp) -> Result<Vec<Creation>, StorageError> {
        self.create_tasks(&tasks, now).await
    }

    async fn advance(&self, call: Advance) -> Result<Vec<Progress>, StorageError> {
        self.advance_tasks(call).await
    }

    async fn intervene(&self, act: Intervention) -> Result<Intervened, StorageError> {
        self.carry_out(&act).await
    }

    async fn beat(&self, beat: Beat) -> Result<Vec<HandedBack>, StorageError> {
        self.note_beat(&beat).await
    }

    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Rescued>, StorageError> {
        self.rescue_steps(rescue).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Due, StorageError> {
        self.due_wakes(now, limit).await
    }

    async fn sweep(
        &self,
        now: Timestamp,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Swept, StorageError> {
        self.wake_forgotten(now, after, limit).await
    }

    async fn load(&self, tasks: &[TaskId], detail: Detail) -> Result<Vec<TaskRecord>, StorageError> {
        self.load_tasks(tasks, detail).await
    }

    fn records(&self) -> Option<&dyn Records> {
        Some(self)
    }
}
