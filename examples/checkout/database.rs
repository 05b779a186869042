//! Where the tasks are kept: in memory, or with the feature `postgres` in a database.

use std::str::FromStr;

use tasker::prelude::*;
use tasker::{Settings, SystemClock};

use crate::common::{Failure, Progress};

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

/// An engine, and the server that is to live as long as it does.
pub(crate) struct Backend {
    engine: Engine,
    #[cfg(feature = "postgres")]
    _server: Option<tasker::postgres::cluster::Cluster>,
}

impl Backend {
    pub(crate) fn engine(&self) -> Engine {
        self.engine.clone()
    }

    fn in_memory(progress: Progress) -> Result<Self, Failure> {
        let engine = Engine::in_memory_with(SystemClock::default(), progress, Settings::default());
        Ok(Self {
            engine: engine.map_err(EngineError::from)?,
            #[cfg(feature = "postgres")]
            _server: None,
        })
    }

    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_async, reason = "there is something to wait for with a database")]
    pub(crate) async fn open(_: Option<Database>, progress: Progress) -> Result<Self, Failure> {
        Self::in_memory(progress)
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use tasker::StorageError;
    use tasker::postgres::PostgresStorage;
    use tasker::postgres::cluster::{Cluster, Durability};

    use super::*;

    impl Backend {
        pub(crate) async fn open(database: Option<Database>, progress: Progress) -> Result<Self, Failure> {
            let (url, server) = match database {
                None => return Self::in_memory(progress),
                Some(Database::Url(url)) => (url, None),
                Some(Database::Temporary) => {
                    let server = start_server().await?;
                    (server.url("postgres"), Some(server))
                }
            };
            let storage = connected(&url).await.map_err(EngineError::from)?;
            let engine = Engine::on_postgres(storage, SystemClock::default(), progress, Settings::default());
            Ok(Self { engine: engine.map_err(EngineError::from)?, _server: server })
        }
    }

    async fn connected(url: &str) -> Result<PostgresStorage, StorageError> {
        let storage = PostgresStorage::connect(url).await?;
        storage.migrate().await?;
        Ok(storage)
    }

    /// A server whose commits are as durable as any other's.
    async fn start_server() -> Result<Cluster, Failure> {
        let starting = tokio::task::spawn_blocking(|| Cluster::start(Durability::Durable));
        let started = starting.await.expect("a server starts, or says why not");
        started.map_err(|error| Failure::Run(format!("no temporary database: {error}")))
    }
}
