//! Storage backends of tasker: memory, PostgreSQL, and the suite that defines what a backend is.

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(all(feature = "cluster", not(feature = "postgres")))]
#[path = "postgres/unprepared.rs"]
pub mod postgres;
