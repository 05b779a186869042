//! What the worker is doing, on one line of a terminal.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tasker::{Event, EventName, EventSink};

use crate::common::lines;

/// Counts what the engine tells.
#[derive(Clone)]
pub(crate) struct Status {
    line: ProgressBar,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    running: AtomicI64,
    steps: AtomicI64,
    failures: AtomicI64,
    stale: AtomicI64,
    tasks: AtomicI64,
}

impl Status {
    pub(crate) fn new(label: &str) -> Self {
        let is_seen = stderr().is_terminal();
        let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style =
            ProgressStyle::with_template("{spinner} {prefix}{msg}").expect("indicatif knows the template");
        let line = ProgressBar::with_draw_target(None, target).with_style(style);
        if !label.is_empty() {
            line.set_prefix(format!("{label}: "));
        }
        if is_seen {
            line.enable_steady_tick(Duration::from_millis(200));
        }
        let status = Self { line, counts: Arc::default() };
        status.show();
        status
    }

    fn show(&self) {
        let of = |count: &AtomicI64| count.load(Ordering::Relaxed);
        let Counts { running, steps, failures, tasks, .. } = &*self.counts;
        self.line.set_message(format!(
            "{} steps run; {} done, {} failed; {} orders settled",
            of(running),
            of(steps),
            of(failures),
            of(tasks)
        ));
    }

    /// Takes the line away. What was done stands in the results.
    pub(crate) fn done(self) -> String {
        self.line.finish_and_clear();
        let Counts { steps, failures, stale, tasks, .. } = &*self.counts;
        let of = |count: &AtomicI64| count.load(Ordering::Relaxed);
        lines([
            ("steps", &of(steps)),
            ("failed_attempts", &of(failures)),
            ("stale_outcomes", &of(stale)),
            ("orders_settled", &of(tasks)),
        ])
    }
}

impl EventSink for Status {
    fn publish(&self, events: &[Event]) {
        let Counts { running, steps, failures, stale, tasks } = &*self.counts;
        let add = |count: &AtomicI64, number| _ = count.fetch_add(number, Ordering::Relaxed);
        for event in events {
            match event.name {
                EventName::StepExecutionRequested => add(running, 1),
                EventName::StepCompleted => {
                    add(running, -1);
                    add(steps, 1);
                }
                EventName::StepFailed => {
                    add(running, -1);
                    add(failures, 1);
                }
                EventName::StepOutcomeStale => {
                    add(running, -1);
                    add(stale, 1);
                }
                // Handed back, or asleep; new steps come into being under the same name.
                EventName::StepInitializeRequested if ran(event) => add(running, -1),
                EventName::TaskCompleted | EventName::TaskFailed | EventName::TaskCancelled => add(tasks, 1),
                _ => {}
            }
        }
        self.show();
    }
}

fn ran(event: &Event) -> bool {
    event.fact.moved().is_some_and(|(from, _)| from == Some("in_progress"))
}
