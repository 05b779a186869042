//! Connecting to the database that a URL names, and what to do when that fails.

use std::error::Error;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use tasker_engine::StorageError;

use super::error::storage_error;

/// A connection that was not used for that long is tried before it is used.
const QUIET: Duration = Duration::from_secs(1);

/// A database that could not be connected to. The source of the [`StorageError`] that
/// [`PostgresStorage::connect`](super::PostgresStorage::connect) returns. Never shows the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is no URL of a PostgreSQL database.
    #[error("the URL of the database is not one; it looks like postgres://user:password@host:5432/database")]
    Url(#[source] Box<dyn Error + Send + Sync>),
    /// Nobody answers there.
    #[error("no PostgreSQL server answers at {address}; is it running, and does it listen there?")]
    NoServer {
        /// Host and port, or the directory of a socket.
        address: String,
        /// What the connection ended in.
        source: sqlx::Error,
    },
    /// The server does not let that user in.
    #[error(
        "the server at {address} turned the user `{user}` away; check the name, the password and pg_hba.conf"
    )]
    TurnedAway {
        /// Host and port, or the directory of a socket.
        address: String,
        /// The user.
        user: String,
        /// The server's words.
        source: sqlx::Error,
    },
    /// The server has no such database.
    #[error(
        "the server at {address} has no database `{database}`; make it, for instance with `createdb {database}`"
    )]
    NoDatabase {
        /// Host and port, or the directory of a socket.
        address: String,
        /// The database.
        database: String,
        /// The server's words.
        source: sqlx::Error,
    },
}

/// A pool on the database that a URL names. Tries one connection first: a pool would try again and again where nobody
/// listens.
pub(super) async fn connect(url: &str) -> Result<PgPool, StorageError> {
    let options = options(url).map_err(|error| StorageError::Refused(error.into()))?;
    let probe = PgConnection::connect_with(&options).await.map_err(|error| not_connected(&options, error))?;
    probe.close().await.map_err(storage_error)?;
    let pool = PgPoolOptions::new()
        // To try a connection before each call would cost a round trip. One that was in use a moment ago is there; if it
        // is not, the call says that it may be made again.
        .test_before_acquire(false)
        .before_acquire(|connection, since| {
            Box::pin(async move {
                if since.idle_for > QUIET {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    pool.connect_with(options).await.map_err(storage_error)
}

fn options(url: &str) -> Result<PgConnectOptions, ConnectError> {
    // The driver takes any scheme.
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(ConnectError::Url("it does not begin with postgres:// or postgresql://".into()));
    }
    url.parse().map_err(|error: sqlx::Error| ConnectError::Url(error.into()))
}

fn not_connected(options: &PgConnectOptions, source: sqlx::Error) -> StorageError {
    let address = options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |socket| format!("{} (port {})", socket.display(), options.get_port()),
    );
    let code = source.as_database_error().and_then(|refused| refused.code());
    match code.as_deref() {
        Some("28000" | "28P01") => {
            let user = options.get_username().to_owned();
            StorageError::Refused(ConnectError::TurnedAway { address, user, source }.into())
        }
        Some("3D000") => {
            let database = options.get_database().unwrap_or(options.get_username()).to_owned();
            StorageError::Refused(ConnectError::NoDatabase { address, database, source }.into())
        }
        None if matches!(source, sqlx::Error::Io(_)) => {
            StorageError::Unavailable(ConnectError::NoServer { address, source }.into())
        }
        _ => storage_error(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_url_of_a_database_is_refused_without_showing_it() {
        for text in ["not a url", "", "mysql://u:secret@h/d", "postgres://u:secret@h:port/d", "u:secret@h"] {
            let error = options(text).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(matches!(error, ConnectError::Url(_)) && !told.contains("secret"), "{told}");
        }
        assert!(options("postgresql://u:secret@h/d").is_ok());
    }
}
