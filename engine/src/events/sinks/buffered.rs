use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::Counter;
use crate::{Event, EventNames, EventSink, SinkCounts};

/// Gives events to a sink in a thread of its own, so that one that blocks slows nobody. What finds no room is dropped,
/// the newest first, and counted.
///
/// When it is dropped the thread passes on what is left, and ends.
pub struct Buffered {
    shared: Arc<Buffer>,
    wanted: Arc<dyn Fn() -> EventNames + Send + Sync>,
}

struct Buffer {
    /// Guards what waits; held while events are copied in or out.
    state: Mutex<Waiting>,
    /// There is something to pass on, or nothing will come any more.
    filled: Condvar,
    /// Everything was passed on.
    drained: Condvar,
    capacity: usize,
    counter: Counter,
}

#[derive(Default)]
struct Waiting {
    events: Vec<Event>,
    /// Whether the thread has some in its hands.
    passing: bool,
    closed: bool,
}

impl Buffered {
    /// In front of a sink, with room for that many events.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(sink: impl EventSink, capacity: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Buffer {
            state: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            capacity,
            counter: Counter::default(),
        });
        let sink = Arc::new(sink);
        let (buffer, passes_to) = (Arc::clone(&shared), Arc::clone(&sink));
        thread::Builder::new().name("tasker-events".to_owned()).spawn(move || buffer.pass_on(&*passes_to))?;
        Ok(Self { shared, wanted: Arc::new(move || sink.wanted()) })
    }

    /// What became of the events.
    pub fn counts(&self) -> SinkCounts {
        self.shared.counter.counts()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.shared.lock().events.len()
    }

    /// Blocks until everything was passed on, or the time is up; answers which.
    pub fn drain(&self, patience: Duration) -> bool {
        let busy = |waiting: &mut Waiting| waiting.passing || !waiting.events.is_empty();
        let state = self.shared.lock();
        let waited = self.shared.drained.wait_timeout_while(state, patience, busy);
        !waited.expect("nothing panics while it holds the buffer").1.timed_out()
    }
}

impl EventSink for Buffered {
    fn publish(&self, events: &[Event]) {
        let mut state = self.shared.lock();
        let room = self.shared.capacity.saturating_sub(state.events.len()).min(events.len());
        state.events.extend_from_slice(&events[..room]);
        drop(state);
        self.shared.filled.notify_one();
        if let (true, Some(last)) = (room < events.len(), events.last()) {
            self.shared.counter.dropped(events.len() - room, last.at, "a buffer was full");
        }
    }

    fn wanted(&self) -> EventNames {
        (self.wanted)()
    }
}

impl Drop for Buffered {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.filled.notify_one();
    }
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().expect("nothing panics while it holds the buffer")
    }

    /// Until it is closed and empty.
    fn pass_on(&self, sink: &impl EventSink) {
        loop {
            let idle = |waiting: &mut Waiting| waiting.events.is_empty() && !waiting.closed;
            let waited = self.filled.wait_while(self.lock(), idle);
            let mut state = waited.expect("nothing panics while it holds the buffer");
            let events = std::mem::take(&mut state.events);
            state.passing = !events.is_empty();
            let ends = state.closed && events.is_empty();
            drop(state);
            if ends {
                return;
            }
            self.counter.give(sink, &events);
            self.lock().passing = false;
            self.drained.notify_all();
        }
    }
}
