//! Where the tasks are kept: in memory, or with the feature `postgres` in a database.

use std::str::FromStr;

use tasker::prelude::*;
use tasker::{Clock, EventSink, Settings, SystemClock};

use super::Failure;

/// The argument by which a program is told.
#[derive(clap::Args)]
pub(crate) struct Kept {
    /// Keep the tasks in this PostgreSQL database, or in a temporary one; in memory otherwise
    #[arg(long, value_name = "URL|temporary")]
    pub(crate) database: Option<Database>,
}

/// A database, as the arguments name it. Without the feature there is none that can be named.
#[derive(Clone)]
pub(crate) enum Database {
    /// Made for this run, and gone with it.
    #[cfg(feature = "postgres")]
    Temporary,
    /// One that is there.
    #[cfg(feature = "postgres")]
    Url(String),
}

impl FromStr for Database {
    type Err = &'static str;

    #[cfg(not(feature = "postgres"))]
    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Err("this program was built without databases; build it with `--features postgres`")
    }

    #[cfg(feature = "postgres")]
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "temporary" => Ok(Self::Temporary),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Self::Url(url.to_owned()))
            }
            _ => Err("neither `temporary` nor a URL like postgres://user@host/database"),
        }
    }
}

/// Makes the engines of a program. Has to live as long as they do.
pub(crate) enum Backend {
    Memory,
    #[cfg(feature = "postgres")]
    Database(postgres::Opened),
}

impl Backend {
    /// Whatever is wrong with a database is told here, before any work.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unused_async, reason = "there is something to wait for with a database")
    )]
    pub(crate) async fn open(database: Option<&Database>) -> Result<Self, Failure> {
        match database {
            None => Ok(Self::Memory),
            #[cfg(feature = "postgres")]
            Some(database) => Ok(Self::Database(postgres::Opened::open(database).await?)),
            #[cfg(not(feature = "postgres"))]
            Some(database) => match *database {},
        }
    }

    /// Where a temporary database is, for others who are to work there meanwhile.
    #[cfg(feature = "postgres")]
    pub(crate) fn temporary_url(&self) -> Option<String> {
        match self {
            Self::Memory => None,
            Self::Database(opened) => opened.temporary_url(),
        }
    }

    /// An engine on the time that all go by who work there: this machine's, or the database server's.
    pub(crate) fn engine(&self, events: impl EventSink, settings: Settings) -> Result<Engine, EngineError> {
        match self {
            Self::Memory => Ok(Engine::in_memory_with(SystemClock::default(), events, settings)?),
            #[cfg(feature = "postgres")]
            Self::Database(opened) => opened.engine_on(opened.clock(), events, settings),
        }
    }

    /// An engine on a clock of the program's own.
    pub(crate) fn engine_on(
        &self,
        clock: impl Clock,
        events: impl EventSink,
        settings: Settings,
    ) -> Result<Engine, EngineError> {
        match self {
            Self::Memory => Ok(Engine::in_memory_with(clock, events, settings)?),
            #[cfg(feature = "postgres")]
            Self::Database(opened) => opened.engine_on(clock, events, settings),
        }
    }
}

#[cfg(feature = "postgres")]
pub(crate) mod postgres {
    use tasker::ServerClock;
    use tasker::postgres::PostgresStorage;
    use tasker::postgres::cluster::{Cluster, Durability};

    use super::*;

    /// A database, and the server that is to live as long as it is used.
    pub(crate) struct Opened {
        storage: PostgresStorage,
        clock: ServerClock,
        server: Option<Cluster>,
    }

    impl Opened {
        pub(super) async fn open(database: &Database) -> Result<Self, Failure> {
            let (url, server) = match database {
                Database::Url(url) => (url.clone(), None),
                Database::Temporary => {
                    let server = start_server().await?;
                    (url_on(&server), Some(server))
                }
            };
            let (storage, clock) = connected(&url).await?;
            Ok(Self { storage, clock, server })
        }

        pub(super) fn temporary_url(&self) -> Option<String> {
            self.server.as_ref().map(url_on)
        }

        pub(super) fn clock(&self) -> ServerClock {
            self.clock.clone()
        }

        pub(super) fn engine_on(
            &self,
            clock: impl Clock,
            events: impl EventSink,
            settings: Settings,
        ) -> Result<Engine, EngineError> {
            Ok(Engine::on_postgres(self.storage.clone(), clock, events, settings)?)
        }
    }

    async fn connected(url: &str) -> Result<(PostgresStorage, ServerClock), EngineError> {
        let storage = PostgresStorage::connect(url).await?;
        storage.migrate().await?;
        let clock = storage.clock().await?;
        Ok((storage, clock))
    }

    /// A server whose commits are as durable as any other's.
    async fn start_server() -> Result<Cluster, Failure> {
        let starting = tokio::task::spawn_blocking(|| Cluster::start(Durability::Durable));
        let started = starting.await.expect("a server starts, or says why not");
        started.map_err(|error| Failure::Run(format!("no temporary database: {error}")))
    }

    fn url_on(server: &Cluster) -> String {
        server.url("postgres")
    }
}
