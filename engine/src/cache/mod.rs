//! A cache for answers that are expensive: one small trait, an implementation in this process, and what every use of
//! one needs: one computation at a time for a key, counts, and no harm when it fails.

mod cached;
#[cfg(feature = "cache")]
mod local;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

pub use cached::{CacheCounts, Cached};
#[cfg(feature = "cache")]
pub use local::LocalCache;

/// Keeps values for a while. A host may bring its own, shared between processes.
///
/// # Contract
///
/// - A value that was put is got until its time is over, or earlier forgotten for want of room; never longer.
/// - After `remove` it is not got.
/// - Nothing is promised of two processes at once but that a value is got whole.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// What is kept under a key.
    ///
    /// # Errors
    /// When the cache cannot be reached; the caller goes on without.
    async fn get(&self, key: &str) -> Result<Option<Arc<Value>>, CacheError>;

    /// Keeps a value for that long.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn put(&self, key: &str, value: Arc<Value>, ttl: Duration) -> Result<(), CacheError>;

    /// Forgets a value.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn remove(&self, key: &str) -> Result<(), CacheError>;

    /// What it can do, in the reference's words: `distributed_atomic`, `distributed_basic` or `local_only`.
    fn mode(&self) -> &'static str {
        "local_only"
    }
}

/// A cache that could not be reached.
#[derive(Debug, thiserror::Error)]
#[error("the cache failed")]
pub struct CacheError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
