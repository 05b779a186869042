//! Why a schema was not changed.

use std::error::Error;

use tasker_engine::StorageError;

use super::Difference;
use crate::postgres::error::storage_error;

/// The schema was not brought up to date, or not taken back. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The server could not be asked, or gave up in a way that may pass.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The server is older than what our functions are written for.
    #[error("the server is PostgreSQL {found}; 13 or later is needed")]
    OldServer {
        /// Its version.
        found: String,
    },
    /// The server takes no writes.
    #[error("the database is read-only, as a standby is; connect to the primary server to change its schema")]
    ReadOnly,
    /// The search path leads to no schema, or not to the one that it names first.
    #[error(
        "the search path is `{search_path}`, but {}; make it (CREATE SCHEMA), give the user USAGE on it, or name another \
         one (in the URL: ?options[search_path]=NAME)",
        schema.as_ref().map_or_else(
            || "it names no schema that is there and that the user may use".to_owned(),
            |schema| format!("there is no schema `{schema}` that the user may use"))
    )]
    NoSchema {
        /// As the server has it.
        search_path: String,
        /// The schema that is named first and is not there.
        schema: Option<String>,
    },
    /// The tables are there, but in another schema than the first of the search path.
    #[error(
        "new tables would go into the schema `{schema}`, but the search path also leads to the tables in `{found}`; name \
         `{found}` first to use those, or leave it out of the search path"
    )]
    OtherSchema {
        /// The first of the search path.
        schema: String,
        /// Where the tables are.
        found: String,
    },
    /// The user may not do what has to be done.
    #[error("the user `{user}` may not change the schema:{}", listed(missing))]
    Permission {
        /// The user.
        user: String,
        /// What is missing, each with the statement that grants it.
        missing: Vec<String>,
    },
    /// The schema was made by a later version of this program.
    #[error(
        "the schema has migration {number} ({name}), this program knows none after {newest}: it is older than the schema; \
         use the version that made it, or a later one"
    )]
    TooNew {
        /// The number of the migration.
        number: i64,
        /// Its name.
        name: String,
        /// The last one that we know.
        newest: i64,
    },
    /// A migration was applied with another text than ours.
    #[error(
        "migration {number} ({name}) was applied with another text than the one of this program: they are not of one \
         release; use the program that made the schema"
    )]
    Altered {
        /// The number of the migration.
        number: i64,
        /// Its name.
        name: String,
    },
    /// The tables are there, but not as the reference makes them.
    #[error(
        "the schema `{schema}` holds tables of the Rails engine that differ from those this program knows; nothing was \
         changed:{}\nBring the Rails application's database up to its last migration (20250710110830), or change what is \
         listed, and migrate again",
        listed(differences)
    )]
    Differs {
        /// Where they are.
        schema: String,
        /// Every difference.
        differences: Vec<Difference>,
    },
    /// A migration could not be carried out.
    #[error("{migration} failed; nothing was changed")]
    Failed {
        /// Which.
        migration: String,
        /// The server's words.
        source: sqlx::Error,
    },
    /// The database refused a question.
    #[error("the database refused a question about its schema")]
    Database(#[source] Box<dyn Error + Send + Sync>),
}

fn listed(lines: &[impl ToString]) -> String {
    lines.iter().map(|line| format!("\n  - {}", line.to_string())).collect()
}

impl From<sqlx::Error> for MigrateError {
    fn from(error: sqlx::Error) -> Self {
        match storage_error(error) {
            StorageError::Unavailable(error) => Self::Unavailable(error),
            StorageError::Refused(error) | StorageError::Corrupt { source: error, .. } => {
                Self::Database(error)
            }
            other => Self::Database(other.into()),
        }
    }
}

impl MigrateError {
    /// For callers who know errors of storages only.
    pub(in crate::postgres) fn into_storage_error(self) -> StorageError {
        match self {
            Self::Unavailable(source) => StorageError::Unavailable(source),
            error => StorageError::Refused(error.into()),
        }
    }
}
