//! Sinks that pass events on: to several, to some, in the background, as text.

mod broadcast;
mod buffered;
mod fan_out;
mod filtered;
mod json_lines;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::Serialize;

pub use broadcast::Broadcast;
pub use buffered::Buffered;
pub use fan_out::FanOut;
pub use filtered::Filtered;
pub use json_lines::JsonLines;

use super::{Event, EventSink};
use crate::Timestamp;

/// What became of the events that a sink was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SinkCounts {
    /// Passed on.
    pub delivered: u64,
    /// Lost because there was no room, or they could not be written.
    pub dropped: u64,
    /// Lost because whoever they were for panicked.
    pub panicked: u64,
}

/// Counts, kept while others read them.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    delivered: AtomicU64,
    dropped: AtomicU64,
    panicked: AtomicU64,
    /// When a loss was logged last, in microseconds of the engine's time.
    logged_at: AtomicI64,
}

/// How far apart losses are logged, in microseconds.
const LOG_EVERY: i64 = 60_000_000;

impl Counter {
    pub(crate) fn delivered(&self, events: usize) {
        self.delivered.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Counts a loss, and says so once a minute.
    pub(crate) fn dropped(&self, events: usize, at: Timestamp, why: &str) {
        self.dropped.fetch_add(events as u64, Ordering::Relaxed);
        self.say(at, why);
    }

    /// Counts what was lost by a panic, and says so once a minute.
    pub(crate) fn panicked(&self, events: usize, at: Timestamp, why: &str) {
        self.panicked.fetch_add(events as u64, Ordering::Relaxed);
        self.say(at, why);
    }

    fn say(&self, at: Timestamp, why: &str) {
        let (last, now) = (self.logged_at.load(Ordering::Relaxed), at.as_micros());
        if last == 0 || now - last >= LOG_EVERY {
            self.logged_at.store(now.max(1), Ordering::Relaxed);
            let SinkCounts { dropped, panicked, .. } = self.counts();
            tracing::warn!(why, dropped, panicked, "events were lost");
        }
    }

    pub(crate) fn counts(&self) -> SinkCounts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SinkCounts {
            delivered: of(&self.delivered),
            dropped: of(&self.dropped),
            panicked: of(&self.panicked),
        }
    }

    /// Gives events to a sink. Its panic is counted, and ends here.
    pub(crate) fn give(&self, sink: &(impl EventSink + ?Sized), events: &[Event]) {
        let Some(last) = events.last() else { return };
        match catch_unwind(AssertUnwindSafe(|| sink.publish(events))) {
            Ok(()) if sink.counts_itself() => {}
            Ok(()) => self.delivered(events.len()),
            Err(_) => self.panicked(events.len(), last.at, "a sink panicked"),
        }
    }
}
