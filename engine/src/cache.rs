//! A cache for answers that are expensive: one small trait, an implementation in this process, and what every use of
//! one needs: one computation at a time for a key, counts, and no harm when it fails.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{DynClock, Timestamp};

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

/// The default: values in the memory of this process, by its clock, at most so many.
///
/// When there is no room, the value goes that would end first.
pub struct LocalCache {
    clock: Arc<dyn DynClock>,
    most: usize,
    /// Guards the values; held for a look or a change.
    values: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    value: Arc<Value>,
    until: Timestamp,
}

impl LocalCache {
    /// For at most that many values.
    pub fn new(clock: Arc<dyn DynClock>, most: usize) -> Self {
        Self { clock, most, values: Mutex::default() }
    }

    fn values(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.values.lock().expect("nothing panics while it holds the values")
    }
}

impl fmt::Debug for LocalCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalCache({} of {})", self.values().len(), self.most)
    }
}

#[async_trait]
impl Cache for LocalCache {
    async fn get(&self, key: &str) -> Result<Option<Arc<Value>>, CacheError> {
        let now = self.clock.dyn_now();
        let mut values = self.values();
        match values.get(key) {
            Some(kept) if kept.until > now => Ok(Some(Arc::clone(&kept.value))),
            Some(_) => {
                values.remove(key);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    async fn put(&self, key: &str, value: Arc<Value>, ttl: Duration) -> Result<(), CacheError> {
        let now = self.clock.dyn_now();
        let mut values = self.values();
        if values.len() >= self.most && !values.contains_key(key) {
            values.retain(|_, kept| kept.until > now);
        }
        if values.len() >= self.most && !values.contains_key(key) {
            let first = values.iter().min_by_key(|(_, kept)| kept.until).map(|(key, _)| key.clone());
            first.and_then(|key| values.remove(&key));
        }
        if self.most > 0 {
            values.insert(key.to_owned(), Kept { value, until: now + ttl });
        }
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.values().remove(key);
        Ok(())
    }
}

/// A cache in use: computes what is missing, once for all who ask at a time, and counts.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tasker::{Cached, LocalCache, SystemClock};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let cached = Cached::new(Arc::new(LocalCache::new(Arc::new(SystemClock::default()), 1000)));
/// let count = || async { Ok::<u64, String>(41 + 1) };
/// assert_eq!(cached.get_or("answer", Duration::from_secs(15), count).await, Ok(42));
/// assert_eq!(cached.get_or("answer", Duration::from_secs(15), count).await, Ok(42));
/// assert_eq!((cached.counts().hits, cached.counts().misses), (1, 1));
/// # }
/// ```
pub struct Cached {
    cache: Arc<dyn Cache>,
    /// Who computes what at the moment. Guards the map alone; each entry goes when its last waiter does.
    flights: Mutex<Flights>,
    hits: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
}

/// How a cache was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheCounts {
    /// Asked for and found.
    pub hits: u64,
    /// Asked for and computed.
    pub misses: u64,
    /// Times at which the cache failed, or held what could not be read; nobody else noticed.
    pub failures: u64,
}

impl Cached {
    /// Of that cache.
    pub fn new(cache: Arc<dyn Cache>) -> Self {
        Self {
            cache,
            flights: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// The value under a key; computed and kept for that long when it is not there. Whoever asks meanwhile waits for it.
    /// Failures of the computation are answered, and never kept.
    ///
    /// # Errors
    /// Those of the computation.
    pub async fn get_or<T, E, F>(
        &self,
        key: &str,
        ttl: Duration,
        compute: impl FnOnce() -> F + Send,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Send,
        E: Send,
        F: Future<Output = Result<T, E>> + Send,
    {
        if let Some(found) = self.found(key).await {
            return Ok(found);
        }
        let flight = self.flight(key);
        let _alone = flight.alone.lock().await;
        match self.found(key).await {
            Some(found) => Ok(found),
            None => self.computed(key, ttl, compute).await,
        }
    }

    async fn computed<T, E, F>(
        &self,
        key: &str,
        ttl: Duration,
        compute: impl FnOnce() -> F + Send,
    ) -> Result<T, E>
    where
        T: Serialize + Send,
        E: Send,
        F: Future<Output = Result<T, E>> + Send,
    {
        self.misses.fetch_add(1, Ordering::Relaxed);
        let value = compute().await?;
        let kept = match serde_json::to_value(&value) {
            Ok(json) => self.cache.put(key, Arc::new(json), ttl).await,
            Err(error) => Err(CacheError(error.into())),
        };
        self.noticed(key, kept);
        Ok(value)
    }

    /// Forgets a value.
    pub async fn remove(&self, key: &str) {
        let removed = self.cache.remove(key).await;
        self.noticed(key, removed);
    }

    /// How it was used.
    pub fn counts(&self) -> CacheCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheCounts { hits: read(&self.hits), misses: read(&self.misses), failures: read(&self.failures) }
    }

    /// What the cache can do, in the reference's words.
    pub fn mode(&self) -> &'static str {
        self.cache.mode()
    }

    async fn found<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let got = self.cache.get(key).await;
        let value = self.noticed(key, got).flatten()?;
        let read = T::deserialize(&*value).map_err(|error| CacheError(error.into()));
        let read = self.noticed(key, read)?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(read)
    }

    /// A cache that fails is none, and is counted.
    fn noticed<T>(&self, key: &str, result: Result<T, CacheError>) -> Option<T> {
        result
            .map_err(|error| {
                self.failures.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(key, error = &error as &dyn std::error::Error, "going on without the cache");
            })
            .ok()
    }

    fn flight<'a>(&'a self, key: &'a str) -> Flight<'a> {
        let alone = Arc::clone(self.flights().entry(key.to_owned()).or_default());
        Flight { cached: self, key, alone }
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().expect("nothing panics while it holds the flights")
    }
}

type Flights = HashMap<String, Arc<tokio::sync::Mutex<()>>>;

/// One of those who want the value of a key, and wait for one another; also one who was dropped while he waited.
struct Flight<'a> {
    cached: &'a Cached,
    key: &'a str,
    alone: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = self.cached.flights();
        // The map's and this one: nobody can take another meanwhile, for that needs the lock.
        if Arc::strong_count(&self.alone) == 2 {
            flights.remove(self.key);
        }
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cached({}, {:?})", self.mode(), self.counts())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use serde_json::json;

    use super::*;
    use crate::{Clock as _, SimulatedClock};

    const TTL: Duration = Duration::from_secs(15);

    fn cached(clock: &SimulatedClock) -> Cached {
        Cached::new(Arc::new(LocalCache::new(Arc::new(clock.clone()), 2)))
    }

    async fn number(cached: &Cached, key: &str, computed: &AtomicUsize) -> usize {
        let compute = || async { Ok::<_, String>(computed.fetch_add(1, Ordering::SeqCst)) };
        cached.get_or(key, TTL, compute).await.unwrap()
    }

    #[tokio::test]
    async fn a_value_is_kept_until_its_time_is_over_and_no_longer() {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let (cached, computed) = (cached(&clock), AtomicUsize::new(0));
        assert_eq!(number(&cached, "a", &computed).await, 0);
        assert_eq!(number(&cached, "a", &computed).await, 0);
        drop(clock.sleep_until(Timestamp::EPOCH + TTL).await);
        assert_eq!(number(&cached, "a", &computed).await, 1);
        cached.remove("a").await;
        assert_eq!(number(&cached, "a", &computed).await, 2);
        assert_eq!(cached.counts(), CacheCounts { hits: 1, misses: 3, failures: 0 });
    }

    #[tokio::test]
    async fn there_are_never_more_values_than_there_is_room() {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let cache = LocalCache::new(Arc::new(clock), 2);
        for (key, seconds) in [("a", 30), ("b", 10), ("c", 20)] {
            cache.put(key, Arc::new(json!(1)), Duration::from_secs(seconds)).await.unwrap();
        }
        let has = async |key| cache.get(key).await.unwrap().is_some();
        assert!(has("a").await && !has("b").await && has("c").await, "what would end first went");
    }

    #[tokio::test]
    async fn many_who_ask_at_once_cause_one_computation() {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let cached = Arc::new(cached(&clock));
        let (begun, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
        let ask = || {
            let (cached, begun, go) = (Arc::clone(&cached), Arc::clone(&begun), Arc::clone(&go));
            tokio::spawn(async move {
                let compute = || async {
                    begun.fetch_add(1, Ordering::SeqCst);
                    go.notified().await;
                    Ok::<_, String>(7)
                };
                cached.get_or("a", TTL, compute).await
            })
        };
        let asked: Vec<_> = (0..20).map(|_| ask()).collect();
        while begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        go.notify_one();
        for asked in asked {
            assert_eq!(asked.await.unwrap(), Ok(7));
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert_eq!(cached.counts().misses, 1);
        assert!(cached.flights().is_empty(), "nothing is left of it");
    }

    #[tokio::test]
    async fn a_failed_computation_is_not_kept() {
        let cached = cached(&SimulatedClock::new(Timestamp::EPOCH));
        let failed = cached.get_or::<u64, _, _>("a", TTL, || async { Err("away") }).await;
        assert_eq!(failed, Err("away"));
        assert_eq!(cached.get_or("a", TTL, || async { Ok::<_, String>(1) }).await, Ok(1));
    }

    struct Broken;

    #[async_trait]
    impl Cache for Broken {
        async fn get(&self, _: &str) -> Result<Option<Arc<Value>>, CacheError> {
            Err(CacheError("away".into()))
        }
        async fn put(&self, _: &str, _: Arc<Value>, _: Duration) -> Result<(), CacheError> {
            Err(CacheError("away".into()))
        }
        async fn remove(&self, _: &str) -> Result<(), CacheError> {
            Err(CacheError("away".into()))
        }
    }

    #[tokio::test]
    async fn a_cache_that_fails_is_none_and_counted() {
        let (cached, computed) = (Cached::new(Arc::new(Broken)), AtomicUsize::new(0));
        assert_eq!(number(&cached, "a", &computed).await, 0);
        assert_eq!(number(&cached, "a", &computed).await, 1);
        cached.remove("a").await;
        assert_eq!(cached.counts(), CacheCounts { hits: 0, misses: 2, failures: 7 });
    }

    #[tokio::test]
    async fn what_cannot_be_read_back_is_computed_again() {
        let cached = cached(&SimulatedClock::new(Timestamp::EPOCH));
        assert_eq!(
            cached.get_or("a", TTL, || async { Ok::<_, String>("text".to_owned()) }).await.unwrap(),
            "text"
        );
        assert_eq!(cached.get_or("a", TTL, || async { Ok::<_, String>(5) }).await.unwrap(), 5);
    }
}
