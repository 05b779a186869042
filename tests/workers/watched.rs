//! A storage that counts its calls, and does with them what a test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tasker::{
    Advance, Beat, BoundTemplate, Creation, Detail, Due, Intervened, Intervention, MemoryStorage, NewTask,
    Progress, Rescue, Rescued, Storage, StorageError, Swept, TaskId, TaskRecord, Timestamp, Token,
};
use tokio::sync::Notify;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is made.
    Made,
    /// The storage is not there.
    Refused,
    /// It is never answered.
    Unanswered,
}

/// Decides by the name of the operation, and by whether it brings outcomes.
type Decide = Box<dyn Fn(&'static str, bool) -> Fate + Send + Sync>;

/// The memory backend, watched.
pub(crate) struct Watched {
    inner: MemoryStorage,
    decide: Decide,
    calls: Mutex<BTreeMap<&'static str, usize>>,
    /// Told when a call is not answered.
    pub(crate) hangs: Notify,
}

impl Watched {
    pub(crate) fn new(
        inner: &MemoryStorage,
        decide: impl Fn(&'static str, bool) -> Fate + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (calls, hangs) = (Mutex::default(), Notify::new());
        Arc::new(Self { inner: inner.clone(), decide: Box::new(decide), calls, hangs })
    }

    /// How often it was called so.
    pub(crate) fn calls(&self, operation: &'static str) -> usize {
        self.calls.lock().unwrap().get(operation).copied().unwrap_or(0)
    }

    async fn call<A: Send>(
        &self,
        operation: &'static str,
        brings: bool,
        answer: impl Future<Output = Result<A, StorageError>> + Send,
    ) -> Result<A, StorageError> {
        *self.calls.lock().unwrap().entry(operation).or_default() += 1;
        match (self.decide)(operation, brings) {
            Fate::Made => answer.await,
            Fate::Refused => {
                // On a clock that jumps whoever tries again would never let others have their turn.
                tokio::task::yield_now().await;
                Err(StorageError::Unavailable("it is not there".into()))
            }
            Fate::Unanswered => {
                self.hangs.notify_one();
                std::future::pending().await
            }
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Storage for Watched {
    async fn learn(&self, definitions: &[Arc<BoundTemplate>], now: Timestamp) -> Result<(), StorageError> {
        self.call("learn", false, self.inner.learn(definitions, now)).await
    }
    async fn create(&self, tasks: Vec<NewTask>, now: Timestamp) -> Result<Vec<Creation>, StorageError> {
        self.call("create", false, self.inner.create(tasks, now)).await
    }
    async fn advance(&self, call: Advance) -> Result<Vec<Progress>, StorageError> {
        self.call("advance", !call.outcomes.is_empty(), self.inner.advance(call)).await
    }
    async fn intervene(&self, act: Intervention) -> Result<Intervened, StorageError> {
        self.call("intervene", false, self.inner.intervene(act)).await
    }
    async fn beat(&self, beat: Beat) -> Result<Vec<Token>, StorageError> {
        self.call("beat", false, self.inner.beat(beat)).await
    }
    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Rescued>, StorageError> {
        self.call("rescue", false, self.inner.rescue(rescue)).await
    }
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Due, StorageError> {
        self.call("due", false, self.inner.due(now, limit)).await
    }
    async fn sweep(
        &self,
        now: Timestamp,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Swept, StorageError> {
        self.call("sweep", false, self.inner.sweep(now, after, limit)).await
    }
    async fn load(&self, tasks: &[TaskId], detail: Detail) -> Result<Vec<TaskRecord>, StorageError> {
        self.call("load", false, self.inner.load(tasks, detail)).await
    }
    fn records(&self) -> Option<&dyn tasker::records::Records> {
        self.inner.records()
    }
}
