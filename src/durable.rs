//! Engines on a PostgreSQL database.

use std::sync::Arc;
use std::time::Duration;

use tasker_engine::{
    Clock, DynClock, Engine, EngineError, Erased, EventSink, NoEvents, Parts, Settings, SettingsErrors,
};
use tasker_storage::postgres::{PostgresQueue, PostgresStorage};

/// How often an engine looks for what other processes did of which it was not notified.
const POLL: Duration = Duration::from_secs(2);

/// A server works on several calls at the same time; more of them than this made it slower where it was measured.
const CALLS_AT_ONCE: usize = 2;

/// Makes engines that keep their tasks in PostgreSQL. In the [`prelude`](crate::prelude), so that
/// `Engine::postgres(url)` stands where `Engine::in_memory()` stood, and nothing else changes.
pub trait Postgres: Sized {
    /// Connects, brings the schema up to date, and makes an engine on the server's clock, which all processes that share
    /// the database go by ([`PostgresStorage::clock`]).
    ///
    /// # Errors
    /// When the server cannot be reached or turns us away, or the schema is newer than this program.
    fn postgres(url: &str) -> impl Future<Output = Result<Self, EngineError>> + Send;

    /// An engine on a database whose schema is up to date, with a clock, a sink of events and settings of your choice.
    /// Its workers hear at once what other processes leave there; without a [`Settings::poll`] they look every two
    /// seconds besides.
    ///
    /// # Errors
    /// When the settings cannot be used.
    fn on_postgres(
        storage: PostgresStorage,
        clock: impl Clock,
        events: impl EventSink,
        settings: Settings,
    ) -> Result<Self, SettingsErrors>;
}

impl Postgres for Engine {
    async fn postgres(url: &str) -> Result<Self, EngineError> {
        let storage = PostgresStorage::connect(url).await?;
        storage.migrate().await?;
        let clock = storage.clock().await?;
        Ok(Self::on_postgres(storage, clock, NoEvents, Settings::default())?)
    }

    fn on_postgres(
        storage: PostgresStorage,
        clock: impl Clock,
        events: impl EventSink,
        settings: Settings,
    ) -> Result<Self, SettingsErrors> {
        let clock: Arc<dyn DynClock> = Arc::new(clock);
        let poll = settings.poll.unwrap_or(POLL);
        let queue = PostgresQueue::new(&storage, Arc::clone(&clock), poll);
        let parts: Parts<Erased> =
            Parts { storage: Arc::new(storage), queue: Arc::new(queue), clock, events: Arc::new(events) };
        let calls_at_once = settings.calls_at_once.or(Some(CALLS_AT_ONCE));
        Self::new(parts, Settings { poll: Some(poll), calls_at_once, ..settings })
    }
}
