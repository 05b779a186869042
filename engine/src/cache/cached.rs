//! A cache in use.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cache, CacheError};
use crate::records::{Model, RecordError, Scope, Table};

/// A cache in use: computes what is missing, once for all who ask at a time, and counts.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tasker::records::Tasks;
/// use tasker::{Cached, InMemory, LocalCache, SystemClock};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cached = Cached::new(Arc::new(LocalCache::new(Arc::new(SystemClock::default()), 1000)));
/// let ttl = Duration::from_secs(15);
/// let answer = || async { Ok::<u64, std::io::Error>(41 + 1) };
/// assert_eq!(cached.get_or("answer", ttl, answer).await?, 42);
/// assert_eq!(cached.get_or("answer", ttl, answer).await?, 42);
/// assert_eq!((cached.counts().hits, cached.counts().misses), (1, 1));
///
/// let engine = tasker::Engine::in_memory();
/// let records = engine.records().expect("memory has records");
/// assert_eq!(cached.count(&Tasks::active(), records, ttl).await?, 0);
/// # Ok(()) }
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

    /// How many rows of a scope there are: what a status asks for every few seconds, and a database counts for long.
    ///
    /// # Errors
    /// Those of the records.
    pub async fn count<M: Model>(
        &self,
        scope: &Scope<M>,
        records: &(impl Table<M> + ?Sized),
        ttl: Duration,
    ) -> Result<u64, RecordError> {
        self.get_or(&format!("count {} {scope:?}", M::NAME), ttl, || scope.count(records)).await
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

    use async_trait::async_trait;
    use serde_json::Value;

    use super::*;

    const TTL: Duration = Duration::from_secs(15);

    /// Keeps everything, for ever.
    #[derive(Default)]
    struct Plain(Mutex<HashMap<String, Arc<Value>>>);

    #[async_trait]
    impl Cache for Plain {
        async fn get(&self, key: &str) -> Result<Option<Arc<Value>>, CacheError> {
            Ok(self.0.lock().unwrap().get(key).cloned())
        }
        async fn put(&self, key: &str, value: Arc<Value>, _: Duration) -> Result<(), CacheError> {
            self.0.lock().unwrap().insert(key.to_owned(), value);
            Ok(())
        }
        async fn remove(&self, key: &str) -> Result<(), CacheError> {
            self.0.lock().unwrap().remove(key);
            Ok(())
        }
    }

    fn cached() -> Cached {
        Cached::new(Arc::new(Plain::default()))
    }

    async fn number(cached: &Cached, key: &str, computed: &AtomicUsize) -> usize {
        let compute = || async { Ok::<_, String>(computed.fetch_add(1, Ordering::SeqCst)) };
        cached.get_or(key, TTL, compute).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_missing_is_computed_once_and_counted() {
        let (cached, computed) = (cached(), AtomicUsize::new(0));
        assert_eq!(number(&cached, "a", &computed).await, 0);
        assert_eq!(number(&cached, "a", &computed).await, 0);
        assert_eq!(number(&cached, "b", &computed).await, 1);
        cached.remove("a").await;
        assert_eq!(number(&cached, "a", &computed).await, 2);
        assert_eq!(cached.counts(), CacheCounts { hits: 1, misses: 3, failures: 0 });
    }

    #[tokio::test]
    async fn many_who_ask_at_once_cause_one_computation() {
        let cached = Arc::new(cached());
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
        let cached = cached();
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
        let cached = cached();
        assert_eq!(
            cached.get_or("a", TTL, || async { Ok::<_, String>("text".to_owned()) }).await.unwrap(),
            "text"
        );
        assert_eq!(cached.get_or("a", TTL, || async { Ok::<_, String>(5) }).await.unwrap(), 5);
    }
}
