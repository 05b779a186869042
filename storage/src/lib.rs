//! Storage backends of tasker: memory, PostgreSQL, and the suite that defines what a backend is.

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
