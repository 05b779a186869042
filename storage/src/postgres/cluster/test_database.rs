//! One database for one test.
//!
//! Its statements are not checked by sqlx's macros: they are about servers and databases, and most hold a name that is
//! made here, which cannot be bound.

use std::error::Error;
use std::{env, thread};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tasker_engine::StorageError;
use tokio::runtime;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::super::error::storage_error;
use super::super::migrate::{Migrate, MigrateError, migrate};
use super::super::migrations;
use super::{Cluster, ClusterError, Durability};

/// The environment variable that names the server for tests, by the URL of a database on it whose user may
/// create others.
pub const TEST_DATABASE_URL: &str = "TASKER_TEST_DATABASE_URL";

/// A database of its own for one test, removed on drop.
///
/// It lies on the server that the environment variable [`TEST_DATABASE_URL`] names; without one, on a
/// [`Cluster`] that this process starts when it first needs it, and that its watchdog removes when the
/// process ends.
///
/// # Drop
///
/// Removes the database, whoever is still connected, and waits for that. What goes wrong then is logged and
/// otherwise passed over, for it must not hide why a test failed.
///
/// # Examples
///
/// ```no_run
/// use sqlx::{Connection, PgConnection, PgPool};
/// use tasker_storage::postgres::cluster::TestDatabase;
///
/// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
/// let database = TestDatabase::cloned("orders, version 1", |options| async move {
///     let mut connection = PgConnection::connect_with(&options).await?;
///     sqlx::raw_sql("CREATE TABLE orders (id bigint PRIMARY KEY)").execute(&mut connection).await?;
///     Ok::<_, sqlx::Error>(())
/// })
/// .await?;
/// let pool = PgPool::connect_with(database.options()).await?;
/// sqlx::query("INSERT INTO orders VALUES (1)").execute(&pool).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// A database without anything in it.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start`] if there is no server yet; [`ClusterError::Server`] if the one there is refuses.
    pub async fn empty() -> Result<Self, ClusterError> {
        Self::empty_on(&server_url().await?).await
    }

    /// As [`empty`](Self::empty), on the server that `server` is the URL of a database of.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Server`] if the server cannot be reached, or refuses.
    pub async fn empty_on(server: &str) -> Result<Self, ClusterError> {
        Self::create(server, "template0").await
    }

    /// A copy of the template called `key`, which `prepare` fills when the server has none of that name.
    ///
    /// However many threads and processes ask for a template at once, one of them prepares it, and the others
    /// wait. It stays on the server; so a key should change with what `prepare` does, for instance contain a
    /// hash of it. A template whose preparation failed, or was cut off, is prepared again from the start.
    ///
    /// # Errors
    ///
    /// As [`empty`](Self::empty), and [`ClusterError::Prepare`] with the error of `prepare`.
    pub async fn cloned<Prepare, Prepared, E>(key: &str, prepare: Prepare) -> Result<Self, ClusterError>
    where
        Prepare: FnOnce(PgConnectOptions) -> Prepared + Send,
        Prepared: Future<Output = Result<(), E>> + Send,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self::cloned_on(&server_url().await?, key, prepare).await
    }

    /// As [`cloned`](Self::cloned), on the server that `server` is the URL of a database of.
    ///
    /// # Errors
    ///
    /// As [`cloned`](Self::cloned).
    pub async fn cloned_on<Prepare, Prepared, E>(
        server: &str,
        key: &str,
        prepare: Prepare,
    ) -> Result<Self, ClusterError>
    where
        Prepare: FnOnce(PgConnectOptions) -> Prepared + Send,
        Prepared: Future<Output = Result<(), E>> + Send,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let template = prepared_template(server, key, prepare).await?;
        Self::create(server, &template).await
    }

    /// A copy of a database with the schema of the backend, which is made once for each version of the schema.
    ///
    /// # Errors
    ///
    /// As [`cloned`](Self::cloned).
    pub async fn migrated() -> Result<Self, ClusterError> {
        Self::migrated_on(&server_url().await?).await
    }

    /// As [`migrated`](Self::migrated), on the server that `server` is the URL of a database of.
    ///
    /// # Errors
    ///
    /// As [`cloned`](Self::cloned).
    pub async fn migrated_on(server: &str) -> Result<Self, ClusterError> {
        let key = format!("tasker schema {:x}", migrations::fingerprint());
        Self::cloned_on(server, &key, |options| async move {
            let pool = PgPool::connect_with(options).await.map_err(storage_error)?;
            migrate(&pool, Migrate::default()).await.map_err(MigrateError::into_storage_error)?;
            pool.close().await;
            Ok::<_, StorageError>(())
        })
        .await
    }

    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL, for a program that is started by a test.
    #[must_use]
    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }

    /// What to connect to it with.
    ///
    /// # Panics
    ///
    /// Never: a URL that sqlx does not understand would have been refused when the database was made.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        options(&self.url()).expect("the server was reached by a URL of the same form")
    }

    async fn create(server: &str, template: &str) -> Result<Self, ClusterError> {
        let mut connection = connect(server).await?;
        // A random name, because process ids come round again and a server may outlive a process that was
        // killed.
        let name: String =
            sqlx::query_scalar("SELECT 'tasker_test_' || replace(gen_random_uuid()::text, '-', '')")
                .fetch_one(&mut connection)
                .await
                .map_err(failed_to("choose the name of a database"))?;
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        execute(&mut connection, "create a database", create).await?;
        Ok(Self { server: server.to_owned(), name })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A runtime of its own, for the one we are dropped in cannot be waited for, and there may be none.
        // Joined, because the end of the process would cut it off.
        let removal = thread::Builder::new().spawn(move || {
            if let Err(error) = remove(&server, &name) {
                tracing::warn!(error = &*error, database = name, "a test's database was left behind");
            }
        });
        let _ = removal.map(thread::JoinHandle::join);
    }
}

fn remove(server: &str, name: &str) -> Result<(), Box<dyn Error>> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut connection = connect(server).await?;
        Ok(drop_database(&mut connection, name).await?)
    })
}

/// The URL of the server that tests use; starts this process's own when the environment names none.
async fn server_url() -> Result<String, ClusterError> {
    /// Never dropped, as statics are not: the watchdog removes it when the process ends.
    static OWN: OnceCell<Cluster> = OnceCell::const_new();

    if let Ok(url) = env::var(TEST_DATABASE_URL) {
        return Ok(url);
    }
    let start = || async {
        let started = spawn_blocking(|| Cluster::start(Durability::Fast)).await;
        started.unwrap_or_else(|stopped| Err(ClusterError::Watchdog(stopped.into())))
    };
    Ok(OWN.get_or_try_init(start).await?.url("postgres"))
}

/// The name of the template called `key`, prepared by the first who asks for it.
async fn prepared_template<Prepare, Prepared, E>(
    server: &str,
    key: &str,
    prepare: Prepare,
) -> Result<String, ClusterError>
where
    Prepare: FnOnce(PgConnectOptions) -> Prepared + Send,
    Prepared: Future<Output = Result<(), E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let mut connection = connect(server).await?;
    let hash: i64 = sqlx::query_scalar("SELECT hashtextextended($1, 0)")
        .bind(key)
        .fetch_one(&mut connection)
        .await
        .map_err(failed_to("hash the name of a template"))?;
    let name = format!("tasker_template_{hash:016x}");

    // Given back when this connection closes, on whatever way out.
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(hash)
        .execute(&mut connection)
        .await
        .map_err(failed_to("wait for a template"))?;
    if !is_prepared(&mut connection, &name).await? {
        drop_database(&mut connection, &name).await?;
        execute(&mut connection, "create a template", format!("CREATE DATABASE {name} TEMPLATE template0"))
            .await?;
        let prepared = prepare(options(&with_database(server, &name))?).await;
        prepared.map_err(|error| ClusterError::Prepare { key: key.to_owned(), source: error.into() })?;
        seal(&mut connection, &name).await?;
    }
    connection.close().await.map_err(failed_to("let go of a template"))?;
    Ok(name)
}

/// Whether a template is there and complete: it is marked as a template last.
async fn is_prepared(connection: &mut PgConnection, name: &str) -> Result<bool, ClusterError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)")
        .bind(name)
        .fetch_one(connection)
        .await
        .map_err(failed_to("look for a template"))
}

/// Marks a template as complete and keeps it free of connections, since one that is in use cannot be copied.
async fn seal(connection: &mut PgConnection, name: &str) -> Result<(), ClusterError> {
    const ACTION: &str = "seal a template";
    execute(connection, ACTION, format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await?;
    // A pool that `prepare` dropped may close its connections later.
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
        .bind(name)
        .execute(&mut *connection)
        .await
        .map_err(failed_to(ACTION))?;
    execute(connection, ACTION, format!("ALTER DATABASE {name} IS_TEMPLATE true")).await
}

async fn drop_database(connection: &mut PgConnection, name: &str) -> Result<(), ClusterError> {
    execute(connection, "drop a database", format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
}

/// Runs a statement that takes no parameters. The names in it are made here, of letters and digits.
async fn execute(
    connection: &mut PgConnection,
    action: &'static str,
    statement: String,
) -> Result<(), ClusterError> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map_err(failed_to(action))?;
    Ok(())
}

async fn connect(url: &str) -> Result<PgConnection, ClusterError> {
    options(url)?.connect().await.map_err(failed_to("connect to the server for tests"))
}

fn options(url: &str) -> Result<PgConnectOptions, ClusterError> {
    url.parse().map_err(failed_to("understand the URL of a database"))
}

fn failed_to(action: &'static str) -> impl FnOnce(sqlx::Error) -> ClusterError {
    move |source| ClusterError::Server { action, source }
}

/// The URL of another database on the server that `url` names one of.
fn with_database(url: &str, database: &str) -> String {
    let (address, query) = match url.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (url, String::new()),
    };
    let (scheme, rest) = address.split_once("://").unwrap_or(("postgres", address));
    let host = rest.split_once('/').map_or(rest, |(host, _)| host);
    format!("{scheme}://{host}/{database}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_is_replaced() {
        for (url, expected) in [
            ("postgres://u:p@h:1/old?host=/a/b", "postgres://u:p@h:1/new?host=/a/b"),
            ("postgresql://h/old", "postgresql://h/new"),
            ("postgres://u@h", "postgres://u@h/new"),
            ("postgres:///old?host=/tmp", "postgres:///new?host=/tmp"),
            ("postgres://u@%2Ftmp%2Fx:5432/old", "postgres://u@%2Ftmp%2Fx:5432/new"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
