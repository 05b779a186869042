//! The PostgreSQL backend, and what its tests need.
//!
//! [`cluster`] brings up temporary servers, so that tests, examples and benches need no server of their own.

#[cfg(unix)]
pub mod cluster;
