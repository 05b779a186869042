use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use super::Counter;
use crate::{Event, EventSink, Mask, SinkCounts};

/// Writes each event as a line of JSON: see [`Event::to_json`]. Values under sensitive keys are masked. Writing takes its
/// time: put it behind [`Buffered`](crate::Buffered) when that matters.
pub struct JsonLines<W> {
    /// Held while a line is written.
    to: Mutex<W>,
    mask: Mask,
    counter: Counter,
}

impl JsonLines<File> {
    /// At the end of a file, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn append(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::to(OpenOptions::new().create(true).append(true).open(path)?))
    }
}

impl<W: Write + Send + 'static> JsonLines<W> {
    /// To whatever takes bytes.
    pub fn to(to: W) -> Self {
        Self { to: Mutex::new(to), mask: Mask::default(), counter: Counter::default() }
    }

    /// With other sensitive keys than the reference's.
    #[must_use]
    pub fn masking(mut self, mask: Mask) -> Self {
        self.mask = mask;
        self
    }

    /// What became of the events.
    pub fn counts(&self) -> SinkCounts {
        self.counter.counts()
    }

    fn write(&self, events: &[Event]) -> io::Result<()> {
        let mut to = self.to.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for event in events {
            let mut json = event.to_json();
            self.mask.apply(&mut json);
            serde_json::to_writer(&mut *to, &json)?;
            to.write_all(b"\n")?;
        }
        to.flush()
    }
}

impl<W: Write + Send + 'static> EventSink for JsonLines<W> {
    fn publish(&self, events: &[Event]) {
        match (self.write(events), events.last()) {
            (Ok(()), _) => self.counter.delivered(events.len()),
            (Err(error), Some(last)) => self.counter.dropped(events.len(), last.at, &error.to_string()),
            (Err(_), None) => {}
        }
    }
}
