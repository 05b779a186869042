//! The PostgreSQL backend, and what its tests need.
//!
//! [`PostgresStorage`] keeps tasks in the reference's tables, beside which it has a few of its own; its migrations make
//! them all.
//!
//! [`cluster`] brings up temporary servers, so that tests, examples and benches need no server of their own.

mod advance;
mod clock;
#[cfg(unix)]
pub mod cluster;
mod connect;
mod create;
mod definitions;
mod error;
mod load;
mod migrate;
mod migrations;
mod operate;
mod queue;
mod records;
mod storage;
mod take_over;
mod values;
mod wakes;

pub use connect::ConnectError;
pub use error::DatabaseRefusal;
pub use migrate::{Change, Difference, Done, Hindrance, Migrate, MigrateError, MigrationReport, TablesFound};
pub use queue::PostgresQueue;
pub use records::SqlModel;
/// The driver whose pools, options and errors stand in the signatures of this module.
pub use sqlx;
pub use storage::PostgresStorage;
pub use take_over::{Interrupted, TakenOver};
