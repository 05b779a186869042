//! A bar that shows how far a run is, told by the engine's events.

use std::io::{IsTerminal, stderr, stdout};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tasker::{Event, EventName, EventSink};

/// Counts on a bar what is done. It stands on a terminal only, never among output that goes elsewhere.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    counts: fn(EventName) -> bool,
}

impl Progress {
    /// A bar for so many steps, which counts those that are complete.
    pub(crate) fn of(steps: usize, what: &str) -> Self {
        Self::counting(steps, what, |event| event == EventName::StepCompleted)
    }

    /// A bar for so many tasks, which counts those that have ended, well or not.
    pub(crate) fn of_tasks(tasks: usize, what: &str) -> Self {
        Self::counting(tasks, what, |event| matches!(event, EventName::TaskCompleted | EventName::TaskFailed))
    }

    fn counting(number: usize, what: &str, counts: fn(EventName) -> bool) -> Self {
        let target = if stdout().is_terminal() && stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template("{msg} {bar:40.green} {pos}/{len}")
            .expect("the template is one that indicatif knows");
        let bar = ProgressBar::with_draw_target(Some(number as u64), target).with_style(style);
        Self { bar: bar.with_message(what.to_owned()), counts }
    }

    /// Takes the bar away: what was reached stands in the results.
    pub(crate) fn done(self) {
        self.bar.finish_and_clear();
    }
}

impl EventSink for Progress {
    fn publish(&self, events: &[Event]) {
        let counted = events.iter().filter(|event| (self.counts)(event.name));
        self.bar.inc(counted.count() as u64);
    }
}
