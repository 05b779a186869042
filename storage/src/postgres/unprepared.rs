//! What there is of the PostgreSQL backend before its statements are prepared: temporary servers, and the schema.
//!
//! sqlx's macros check each statement of the backend while it is compiled, against what `scripts/prepare` wrote about it.
//! To write that, the script needs a server with the schema, so these parts can be built by themselves.

#[cfg(unix)]
pub mod cluster;
mod error;
#[expect(dead_code, reason = "the rest of it serves the backend")]
mod migrate;
mod migrations;

pub use error::DatabaseRefusal;
pub use migrate::{Change, Difference, Done, Hindrance, Migrate, MigrateError, MigrationReport, TablesFound};
