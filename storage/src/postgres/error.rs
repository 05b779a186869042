//! What went wrong at the database, as a caller can act on it.
//!
//! ```text
//! driver's error ──▶ may it pass?  ──▶ Unavailable: the same call may be made again
//!                        └── no ─────▶ Refused: and what there is to do
//! ```
//!
//! Nobody is shown SQL. A constraint stands for a sentence ([`constraints`]), and of everything else that the database
//! says only its code and its message are kept: its details hold values of users.

mod constraints;

use std::borrow::Cow;
use std::error::Error;

use sqlx::error::DatabaseError;
use tasker_engine::StorageError;

use constraints::Violation;

/// What the database said against a call.
///
/// It is the source of [`StorageError::Refused`] and [`StorageError::Unavailable`] where the database itself answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct DatabaseRefusal {
    code: String,
    constraint: Option<String>,
    text: Cow<'static, str>,
}

impl DatabaseRefusal {
    /// The SQLSTATE: five characters, the first two of which are its class.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The constraint, or unique index, that would be violated.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref()
    }
}

/// Tells what may pass from what will not. Whatever cuts the connection leaves the effect unknown, and the call may be
/// made again.
pub(super) fn storage_error(error: sqlx::Error) -> StorageError {
    match error {
        sqlx::Error::Database(said) => refusal(&*said),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StorageError::Unavailable(error.into()),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => corrupt("an answer", error),
        _ => StorageError::Refused(error.into()),
    }
}

/// What the database holds, or answered, cannot be read.
pub(super) fn corrupt(
    what: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> StorageError {
    StorageError::Corrupt { what: what.into(), source: source.into() }
}

fn refusal(said: &dyn DatabaseError) -> StorageError {
    let code = said.code().unwrap_or_default().into_owned();
    let constraint = said.constraint().map(ToOwned::to_owned);
    let (passes, text) = match constraint.as_deref().and_then(constraints::violation) {
        Some(Violation::Raced(what)) => (true, what.into()),
        Some(Violation::Broken(rule)) => (false, rule.into()),
        None => (may_pass(&code), advice(&code).map_or_else(|| said.message().to_owned().into(), Cow::from)),
    };
    let refusal = Box::new(DatabaseRefusal { code, constraint, text });
    if passes { StorageError::Unavailable(refusal) } else { StorageError::Refused(refusal) }
}

/// Whether what this SQLSTATE says is a matter of the moment.
fn may_pass(code: &str) -> bool {
    let class = code.get(..2).unwrap_or_default();
    matches!(
        (class, code),
        // Connection, rollback for the sake of others, insufficient resources, system error (of a disk, for instance).
        ("08" | "40" | "53" | "58", _)
        // Not a lock that was waited for, but one that was not to be; a server that is read-only, as a standby is; a
        // statement that was cancelled or took longer than somebody allows, a transaction or session that was ended
        // for want of work; a server that goes down or comes up.
        | (_, "55P03" | "25006" | "25P03" | "25P04" | "57014" | "57P01" | "57P02" | "57P03" | "57P05")
    )
}

/// What there is to do, where the database's own words do not tell.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "3F000" | "42P01" | "42703" | "42704" | "42883" => {
            "the schema is not there, or not the one of this program: bring it up to date with `migrate`, and see that \
             the `search_path` of the database's user leads to it"
        }
        "42501" => {
            "the database's user may not do this: it needs the right to use the schema, to execute its functions, and to \
             read and write its tables and sequences"
        }
        "25000" | "25001" => {
            "tasks are moved at the isolation level read committed only: set `default_transaction_isolation` of the \
             database's user to it"
        }
        "26000" | "42P05" => {
            "the session does not know our prepared statements: a pooler between us and the database has to carry them \
             along (PgBouncer does from 1.21 on, with `max_prepared_statements`), or to keep one session a connection"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for code in [
            "40001", "40P01", "08006", "57P01", "57P03", "53300", "53100", "25006", "25P03", "57014", "55P03",
        ] {
            assert!(may_pass(code), "{code}");
        }
        for code in ["23505", "22001", "42P01", "42501", "22P05", "XX000", "25000", "57P04", "28P01", ""] {
            assert!(!may_pass(code), "{code:?}");
        }
    }

    #[test]
    fn a_lost_connection_is_transient() {
        let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(storage_error(sqlx::Error::Io(lost)).is_transient());
        assert!(storage_error(sqlx::Error::PoolTimedOut).is_transient());
        assert!(!storage_error(sqlx::Error::RowNotFound).is_transient());
    }
}
