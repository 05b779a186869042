//! What went wrong at the database, as a caller can act on it.

use std::error::Error;

use tasker_engine::StorageError;

/// Tells what may pass from what will not. Whatever cuts the connection leaves the effect unknown, and the call may be
/// made again.
pub(super) fn storage_error(error: sqlx::Error) -> StorageError {
    match &error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StorageError::Unavailable(error.into()),
        sqlx::Error::Database(refused) if refused.code().is_some_and(|code| may_pass(&code)) => {
            StorageError::Unavailable(error.into())
        }
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => corrupt("an answer", error),
        _ => StorageError::Refused(error.into()),
    }
}

/// Whether what this SQLSTATE says is a matter of the moment.
fn may_pass(code: &str) -> bool {
    let class = code.get(..2).unwrap_or_default();
    matches!(
        (class, code),
        // Connection, rollback for the sake of others, insufficient resources, system error (of a disk, for instance).
        ("08" | "40" | "53" | "58", _)
        // Not a lock that was waited for, but one that was not to be; a server that is read-only, as a standby is; a
        // statement that was cancelled or took longer than somebody allows, as did a transaction in which nothing was
        // done; a server that goes down or comes up.
        | (_, "55P03" | "25006" | "25P03" | "25P04" | "57014" | "57P01" | "57P02" | "57P03" | "57P05")
    )
}

/// What the database holds, or answered, cannot be read.
pub(super) fn corrupt(
    what: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> StorageError {
    StorageError::Corrupt { what: what.into(), source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for code in ["40001", "40P01", "08006", "57P01", "53300", "25006", "25P03", "57014"] {
            assert!(may_pass(code), "{code}");
        }
        for code in ["23505", "22001", "42P01", "22P05", "XX000", "25000", ""] {
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
