use std::sync::Arc;

use super::Counter;
use crate::{Event, EventNames, EventSink, SinkCounts};

/// Gives events to several sinks, in their order. The panic of one is counted, and the others hear all the same.
#[derive(Default)]
pub struct FanOut {
    sinks: Vec<(Arc<dyn EventSink>, Counter)>,
}

impl FanOut {
    /// To nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// And to this one.
    #[must_use]
    pub fn to(mut self, sink: impl EventSink) -> Self {
        self.sinks.push((Arc::new(sink), Counter::default()));
        self
    }

    /// What became of the events, by sink.
    pub fn counts(&self) -> Vec<SinkCounts> {
        self.sinks.iter().map(|(_, counter)| counter.counts()).collect()
    }
}

impl EventSink for FanOut {
    fn publish(&self, events: &[Event]) {
        self.sinks.iter().for_each(|(sink, counter)| counter.give(&**sink, events));
    }

    fn wanted(&self) -> EventNames {
        self.sinks.iter().fold(EventNames::NONE, |all, (sink, _)| all.and(sink.wanted()))
    }
}
