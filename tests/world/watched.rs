//! A storage that counts its calls, and does with each what a test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tasker::{
    Advance, Beat, BoundTemplate, Creation, Detail, Due, DynStorage, HandedBack, Intervened, Intervention,
    NewTask, Progress, Rescue, Rescued, StorageError, Swept, TaskId, TaskRecord, Timestamp,
};
use tokio::sync::Notify;

/// A call that is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The name of the operation.
    pub(crate) operation: &'static str,
    /// Whether it brings outcomes.
    pub(crate) brings: bool,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is made, and answered.
    Made,
    /// It is made, and its reply is lost.
    Lost,
    /// The storage is not there: nothing is made.
    Away,
    /// It is refused for good.
    Refused,
    /// It is never answered, and not made.
    Unanswered,
}

type Decide = Box<dyn FnMut(Asked) -> Fate + Send>;

/// A storage, watched. What tests read with [`Detail::Audit`] passes by.
pub(crate) struct Watched {
    inner: Arc<dyn DynStorage>,
    decide: Mutex<Decide>,
    calls: Mutex<BTreeMap<&'static str, usize>>,
    /// Told when a call is not answered.
    pub(crate) hangs: Notify,
}

impl Watched {
    pub(crate) fn new(
        inner: Arc<dyn DynStorage>,
        decide: impl FnMut(Asked) -> Fate + Send + 'static,
    ) -> Arc<Self> {
        let (decide, calls) = (Mutex::new(Box::new(decide) as Decide), Mutex::default());
        Arc::new(Self { inner, decide, calls, hangs: Notify::new() })
    }

    /// How often it was called so.
    pub(crate) fn calls(&self, operation: &'static str) -> usize {
        self.calls.lock().unwrap().get(operation).copied().unwrap_or(0)
    }

    async fn call<A: Send>(
        &self,
        asked: Asked,
        answer: impl Future<Output = Result<A, StorageError>> + Send,
    ) -> Result<A, StorageError> {
        *self.calls.lock().unwrap().entry(asked.operation).or_default() += 1;
        let fate = (self.decide.lock().unwrap())(asked);
        match fate {
            Fate::Made => answer.await,
            Fate::Lost => answer.await.and_then(|_| Err(unavailable())),
            Fate::Away => {
                // On a clock that jumps whoever tries again would never let others have their turn.
                tokio::task::yield_now().await;
                Err(unavailable())
            }
            Fate::Refused => Err(StorageError::Refused("it takes no outcome".into())),
            Fate::Unanswered => {
                self.hangs.notify_one();
                std::future::pending().await
            }
        }
    }
}

fn unavailable() -> StorageError {
    StorageError::Unavailable("the connection was lost".into())
}

macro_rules! watched {
    ($($method:ident($($argument:ident: $type:ty),*) -> $answer:ty, $brings:expr;)*) => {
        #[async_trait]
        impl DynStorage for Watched {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer, StorageError> {
                let asked = Asked { operation: stringify!($method), brings: $brings };
                self.call(asked, self.inner.$method($($argument),*)).await
            })*
            async fn load(&self, tasks: &[TaskId], detail: Detail) -> Result<Vec<TaskRecord>, StorageError> {
                match detail {
                    Detail::Graph => {
                        let asked = Asked { operation: "load", brings: false };
                        self.call(asked, self.inner.load(tasks, detail)).await
                    }
                    Detail::Audit => self.inner.load(tasks, detail).await,
                }
            }
            fn records(&self) -> Option<&dyn tasker::records::Records> {
                self.inner.records()
            }
        }
    };
}

watched! {
    learn(definitions: &[Arc<BoundTemplate>], now: Timestamp) -> (), false;
    create(tasks: Vec<NewTask>, now: Timestamp) -> Vec<Creation>, false;
    advance(call: Advance) -> Vec<Progress>, !call.outcomes.is_empty();
    intervene(act: Intervention) -> Intervened, false;
    beat(beat: Beat) -> Vec<HandedBack>, false;
    rescue(rescue: Rescue) -> Vec<Rescued>, false;
    due(now: Timestamp, limit: usize) -> Due, false;
    sweep(now: Timestamp, after: Option<TaskId>, limit: usize) -> Swept, false;
}
