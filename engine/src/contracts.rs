//! The four contracts, bundled once, and their erased form: one type in users' signatures, whatever an engine runs on.

use std::sync::Arc;

use async_trait::async_trait;

use crate::records::Records;
use crate::{
    Advance, Beat, BoundTemplate, Clock, Creation, Delivery, Detail, Due, DynClock, Enqueue, EventSink,
    HandedBack, Interest, Intervened, Intervention, NewTask, Progress, Queue, QueueError, Reenqueue, Rescue,
    Rescued, Storage, StorageError, Swept, TaskId, TaskRecord, Timestamp, Wake,
};

/// Names every type that an engine is generic over, so that bounds are written once.
pub trait EngineTypes: 'static {
    /// Keeps tasks.
    type Storage: Storage;
    /// Carries hints.
    type Queue: Queue;
    /// Tells the time.
    type Clock: Clock;
    /// Takes events.
    type Events: EventSink;
}

/// What an engine runs on.
pub struct Parts<T: EngineTypes> {
    /// Keeps tasks.
    pub storage: T::Storage,
    /// Carries hints.
    pub queue: T::Queue,
    /// Tells the time.
    pub clock: T::Clock,
    /// Takes events.
    pub events: T::Events,
}

/// Parts behind pointers: what [`Engine`](crate::Engine) without parameters runs on.
///
/// A call costs an allocation more, some 50 ns.
#[derive(Clone, Copy, Debug)]
pub struct Erased;

impl EngineTypes for Erased {
    type Storage = Arc<dyn DynStorage>;
    type Queue = Arc<dyn DynQueue>;
    type Clock = Arc<dyn DynClock>;
    type Events = Arc<dyn EventSink>;
}

impl<T: EngineTypes> Parts<T> {
    /// The same parts, erased.
    pub fn erased(self) -> Parts<Erased> {
        Parts {
            storage: Arc::new(self.storage),
            queue: Arc::new(self.queue),
            clock: Arc::new(self.clock),
            events: Arc::new(self.events),
        }
    }
}

macro_rules! dyn_storage {
    ($($(#[$doc:meta])* $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        /// The object-safe face of [`Storage`].
        #[async_trait]
        pub trait DynStorage: Send + Sync + 'static {
            $($(#[$doc])* async fn $method(&self, $($argument: $type),*) -> Result<$answer, StorageError>;)*

            /// See [`Storage::records`].
            fn records(&self) -> Option<&dyn Records>;
        }

        #[async_trait]
        impl<S: Storage> DynStorage for S {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer, StorageError> {
                Storage::$method(self, $($argument),*).await
            })*

            fn records(&self) -> Option<&dyn Records> {
                Storage::records(self)
            }
        }

        impl Storage for Arc<dyn DynStorage> {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer, StorageError> {
                DynStorage::$method(&**self, $($argument),*).await
            })*

            fn records(&self) -> Option<&dyn Records> {
                DynStorage::records(&**self)
            }
        }
    };
}

dyn_storage! {
    /// See [`Storage::learn`].
    learn(definitions: &[Arc<BoundTemplate>], now: Timestamp) -> ();
    /// See [`Storage::create`].
    create(tasks: Vec<NewTask>, now: Timestamp) -> Vec<Creation>;
    /// See [`Storage::advance`].
    advance(call: Advance) -> Vec<Progress>;
    /// See [`Storage::intervene`].
    intervene(act: Intervention) -> Intervened;
    /// See [`Storage::beat`].
    beat(beat: Beat) -> Vec<HandedBack>;
    /// See [`Storage::rescue`].
    rescue(rescue: Rescue) -> Vec<Rescued>;
    /// See [`Storage::due`].
    due(now: Timestamp, limit: usize) -> Due;
    /// See [`Storage::sweep`].
    sweep(now: Timestamp, after: Option<TaskId>, limit: usize) -> Swept;
    /// See [`Storage::load`].
    load(tasks: &[TaskId], detail: Detail) -> Vec<TaskRecord>;
}

/// The object-safe face of [`Queue`].
#[async_trait]
pub trait DynQueue: Send + Sync + 'static {
    /// See [`Enqueue::enqueue`].
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError>;
    /// See [`Queue::receive`].
    async fn receive(&self, interest: Interest) -> Result<Delivery, QueueError>;
    /// See [`Queue::try_receive`].
    async fn try_receive(&self, interest: Interest) -> Result<Delivery, QueueError>;
    /// See [`Queue::ack`].
    async fn ack(&self, wakes: &[Wake]) -> Result<(), QueueError>;
    /// See [`Queue::release`].
    async fn release(&self, wakes: &[Wake]) -> Result<(), QueueError>;
    /// See [`Queue::finds_stored_wakes`].
    fn finds_stored_wakes(&self) -> bool;
    /// See [`Queue::reenqueue`].
    fn reenqueue(&self) -> Option<Reenqueue>;
}

#[async_trait]
impl<Q: Queue> DynQueue for Q {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        Enqueue::enqueue(self, wakes).await
    }
    async fn receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        Queue::receive(self, interest).await
    }
    async fn try_receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        Queue::try_receive(self, interest).await
    }
    async fn ack(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        Queue::ack(self, wakes).await
    }
    async fn release(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        Queue::release(self, wakes).await
    }
    fn finds_stored_wakes(&self) -> bool {
        Queue::finds_stored_wakes(self)
    }
    fn reenqueue(&self) -> Option<Reenqueue> {
        Queue::reenqueue(self)
    }
}

impl Enqueue for Arc<dyn DynQueue> {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        DynQueue::enqueue(&**self, wakes).await
    }
}

impl Queue for Arc<dyn DynQueue> {
    async fn receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        DynQueue::receive(&**self, interest).await
    }
    async fn try_receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        DynQueue::try_receive(&**self, interest).await
    }
    async fn ack(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        DynQueue::ack(&**self, wakes).await
    }
    async fn release(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        DynQueue::release(&**self, wakes).await
    }
    fn finds_stored_wakes(&self) -> bool {
        DynQueue::finds_stored_wakes(&**self)
    }
    fn reenqueue(&self) -> Option<Reenqueue> {
        DynQueue::reenqueue(&**self)
    }
}
