//! A bar that shows how far a run is, told by the engine's events.

use std::io::{IsTerminal, stderr, stdout};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tasker::{Event, EventName, EventSink};

/// Counts completed steps on a bar. It stands on a terminal only, never among output that goes elsewhere.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar for so many steps.
    pub(crate) fn of(steps: usize, what: &str) -> Self {
        let target = if stdout().is_terminal() && stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template("{msg} {bar:40.green} {pos}/{len}")
            .expect("the template is one that indicatif knows");
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target).with_style(style);
        Self(bar.with_message(what.to_owned()))
    }

    /// Takes the bar away: what was reached stands in the results.
    pub(crate) fn done(self) {
        self.0.finish_and_clear();
    }
}

impl EventSink for Progress {
    fn publish(&self, events: &[Event]) {
        let completed = events.iter().filter(|event| event.name == EventName::StepCompleted);
        self.0.inc(completed.count() as u64);
    }
}
