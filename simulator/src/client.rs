//! The parts that an engine runs on, as a process of a simulation has them.

use std::sync::Arc;

use tasker_engine::{
    Advance, Beat, BoundTemplate, Clock as _, Creation, Delivery, Detail, Due, EngineTypes, Enqueue, Event,
    EventSink, HandedBack, Interest, Intervened, Intervention, MemoryQueue, NewTask, Progress, Queue,
    QueueError, Rescue, Rescued, Storage, StorageError, Swept, TaskId, TaskRecord, Timestamp, Wake,
};

use crate::call::{Answer, Call};
use crate::clock::Ahead;
use crate::network::ProcessId;
use crate::plan::chance;
use crate::world::World;

/// Names the parts.
pub(crate) struct Simulated;

impl EngineTypes for Simulated {
    type Storage = Client;
    type Queue = Hints;
    type Clock = Ahead;
    type Events = Listener;
}

/// The storage, at the other end of a network.
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) process: ProcessId,
}

macro_rules! asks {
    ($($(#[$lint:meta])* $method:ident = $call:ident($($argument:ident: $type:ty),*) -> $answer:ty, $asked:expr;)*) => {
        #[deny(clippy::missing_trait_methods)]
        impl Storage for Client {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer, StorageError> {
                match self.world.ask(self.process, $asked).await? {
                    Answer::$call(answer) => Ok(answer),
                    other => unreachable!("another call was answered: {other:?}"),
                }
            })*

            /// No engine asks for them.
            fn records(&self) -> Option<&dyn tasker_engine::records::Records> {
                None
            }
        }
    };
}

asks! {
    learn = Learn(definitions: &[Arc<BoundTemplate>], now: Timestamp) -> (), Call::Learn(definitions.to_vec(), now);
    create = Create(tasks: Vec<NewTask>, now: Timestamp) -> Vec<Creation>, Call::Create(tasks, now);
    advance = Advance(call: Advance) -> Vec<Progress>, Call::Advance(call);
    intervene = Intervene(act: Intervention) -> Intervened, Call::Intervene(act);
    beat = Beat(beat: Beat) -> Vec<HandedBack>, Call::Beat(beat);
    rescue = Rescue(rescue: Rescue) -> Vec<Rescued>, Call::Rescue(rescue);
    due = Due(now: Timestamp, limit: usize) -> Due, Call::Due(now, limit);
    sweep = Sweep(now: Timestamp, after: Option<TaskId>, limit: usize) -> Swept, Call::Sweep(now, after, limit);
    load = Load(tasks: &[TaskId], detail: Detail) -> Vec<TaskRecord>, Call::Load(tasks.to_vec(), detail);
}

/// A queue that loses, doubles, delays and reorders: what a process tells it comes to any process, some time, or never.
#[derive(Clone)]
pub(crate) struct Hints {
    pub(crate) world: Arc<World>,
    /// What has come to this process.
    pub(crate) arrived: MemoryQueue,
}

impl Hints {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), arrived: MemoryQueue::new(Arc::new(world.clock.clone())) }
    }

    fn fails(&self) -> bool {
        let mut state = self.world.lock();
        let odds = state.faults.queue_fails;
        chance(&mut state.random, odds)
    }
}

impl Enqueue for Hints {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        let now = self.world.clock.now();
        if self.world.lock().send_hints(wakes, now) { Ok(()) } else { Err(unreachable_queue()) }
    }
}

impl Queue for Hints {
    async fn receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        if self.fails() { Err(unreachable_queue()) } else { self.arrived.receive(interest).await }
    }

    async fn try_receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        if self.fails() { Err(unreachable_queue()) } else { self.arrived.try_receive(interest).await }
    }

    async fn ack(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        if self.fails() { Err(unreachable_queue()) } else { self.arrived.ack(wakes).await }
    }
}

fn unreachable_queue() -> QueueError {
    QueueError("the queue cannot be reached".into())
}

/// Hears what an engine tells of itself.
pub(crate) struct Listener {
    pub(crate) world: Arc<World>,
}

impl EventSink for Listener {
    fn publish(&self, events: &[Event]) {
        self.world.hold(|state, _| state.checker.published(events));
    }
}
