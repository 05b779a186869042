//! The default cache: values in the memory of this process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{Cache, CacheError};
use crate::{DynClock, Timestamp};

/// The default: values in the memory of this process, by its clock, at most so many. What is asked for often stays when
/// there is no room for all.
pub struct LocalCache {
    clock: Arc<dyn DynClock>,
    values: moka::sync::Cache<String, Kept>,
}

#[derive(Clone)]
struct Kept {
    value: Arc<Value>,
    /// By the engine's clock, which may be simulated; the library's own knows only the system's.
    until: Timestamp,
}

impl LocalCache {
    /// For at most that many values.
    pub fn new(clock: Arc<dyn DynClock>, most: u64) -> Self {
        Self { clock, values: moka::sync::Cache::new(most) }
    }
}

impl fmt::Debug for LocalCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalCache({})", self.values.entry_count())
    }
}

#[async_trait]
impl Cache for LocalCache {
    async fn get(&self, key: &str) -> Result<Option<Arc<Value>>, CacheError> {
        let Some(kept) = self.values.get(key) else { return Ok(None) };
        if kept.until > self.clock.dyn_now() {
            return Ok(Some(kept.value));
        }
        self.values.invalidate(key);
        Ok(None)
    }

    async fn put(&self, key: &str, value: Arc<Value>, ttl: Duration) -> Result<(), CacheError> {
        let until = self.clock.dyn_now() + ttl;
        self.values.insert(key.to_owned(), Kept { value, until });
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.values.invalidate(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Clock as _, SimulatedClock};

    #[tokio::test]
    async fn a_value_is_kept_until_its_time_is_over_and_no_longer() {
        const TTL: Duration = Duration::from_secs(15);
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let cache = LocalCache::new(Arc::new(clock.clone()), 9);
        let get = async || cache.get("a").await.unwrap().map(|value| (*value).clone());
        cache.put("a", Arc::new(json!(1)), TTL).await.unwrap();
        drop(clock.sleep_until(Timestamp::EPOCH + TTL - Duration::from_micros(1)).await);
        assert_eq!(get().await, Some(json!(1)));
        drop(clock.sleep_until(Timestamp::EPOCH + TTL).await);
        assert_eq!(get().await, None);
        cache.put("a", Arc::new(json!(2)), TTL).await.unwrap();
        assert_eq!(get().await, Some(json!(2)), "it may come back");
        cache.remove("a").await.unwrap();
        assert_eq!(get().await, None);
    }

    #[tokio::test]
    async fn there_are_never_more_values_than_there_is_room() {
        let cache = LocalCache::new(Arc::new(SimulatedClock::new(Timestamp::EPOCH)), 10);
        for key in 0..1000 {
            cache.put(&key.to_string(), Arc::new(json!(key)), Duration::from_secs(60)).await.unwrap();
        }
        cache.values.run_pending_tasks();
        assert_eq!(cache.values.entry_count(), 10);
    }
}
