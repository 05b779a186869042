use std::sync::Arc;

use tokio::sync::broadcast;

use crate::{Event, EventNames, EventSink};

/// Gives events to whoever subscribes, and to nobody when nobody does. A receiver that is too slow is told how many it
/// missed.
///
/// ```
/// # use tasker_engine::{Broadcast, EventSink};
/// let events = Broadcast::new(1_000);
/// assert!(events.wanted().is_empty(), "nothing is built");
/// let mut receiver = events.subscribe();
/// assert!(!events.wanted().is_empty());
/// # assert!(receiver.try_recv().is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Broadcast {
    sender: broadcast::Sender<Arc<Event>>,
}

impl Broadcast {
    /// A receiver may be that many events behind.
    ///
    /// # Panics
    /// When that is none.
    pub fn new(capacity: usize) -> Self {
        Self { sender: broadcast::Sender::new(capacity) }
    }

    /// Whatever is told from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.sender.subscribe()
    }
}

impl EventSink for Broadcast {
    fn publish(&self, events: &[Event]) {
        for event in events {
            // Nobody may be left.
            let _ = self.sender.send(Arc::new(event.clone()));
        }
    }

    fn wanted(&self) -> EventNames {
        if self.sender.receiver_count() == 0 { EventNames::NONE } else { EventNames::FACTS }
    }
}
