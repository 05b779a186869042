//! What the run came to, as the reports tell it.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::Cell;
use tasker::StepState;

use crate::common::{Column, Failure, lines, table, verdict};
use crate::run::Served;

/// Why orders may be blocked, by the codes of the steps' errors: told even when no order was.
const REASONS: [&str; 6] =
    ["empty_cart", "bad_quantity", "unknown_product", "out_of_stock", "card_declined", "unavailable"];

/// Orders that ended alike.
#[derive(Default)]
struct Alike<'a> {
    orders: usize,
    retries: u32,
    /// The first of them: the order, the step at which it ended, and what that step says.
    first: Option<(&'a str, &'a str, &'a str)>,
}

/// All orders, by how they ended.
pub(crate) struct Results<'a> {
    orders: usize,
    complete: Alike<'a>,
    blocked: BTreeMap<String, Alike<'a>>,
    steps: usize,
    took: Duration,
}

impl<'a> Results<'a> {
    /// Counts. Each order must have been completed or blocked.
    pub(crate) fn of(served: &'a [Served], took: Duration) -> Result<Self, Failure> {
        let blocked = REASONS.map(|reason| (reason.to_owned(), Alike::default())).into();
        let mut results = Self { orders: served.len(), complete: Alike::default(), blocked, steps: 0, took };
        for order in served {
            let steps = order.report.steps().iter();
            results.steps += steps.filter(|step| step.current.state == StepState::Complete).count();
            results.count(order)?;
        }
        Ok(results)
    }

    fn count(&mut self, Served { id, report }: &'a Served) -> Result<(), Failure> {
        let (alike, at) = if report.is_complete() {
            (&mut self.complete, ("", ""))
        } else {
            // Where several steps are blocked, the first of them counts.
            let Some((step, why)) = report.blocked().next() else {
                let text = format!("order {id} was neither completed nor blocked: it is {}", report.state());
                return Err(Failure::Run(text));
            };
            let code = report.step(step).and_then(|step| step.current.metadata["error_code"].as_str());
            let reason = code.unwrap_or("other").to_lowercase();
            (self.blocked.entry(reason).or_default(), (step.as_str(), why))
        };
        alike.orders += 1;
        alike.retries += report.retries();
        alike.first.get_or_insert((id, at.0, at.1));
        Ok(())
    }

    fn retries(&self) -> u32 {
        self.complete.retries + self.blocked.values().map(|alike| alike.retries).sum::<u32>()
    }

    /// For people: one row for each way to end.
    pub(crate) fn overview(&self) -> String {
        let columns = [
            Column::Text("ended"),
            Column::Number("orders"),
            Column::Number("retries"),
            Column::Text("at step"),
            Column::Text("first"),
            Column::Text("because"),
        ];
        let blocked = self.blocked.iter().map(|(reason, alike)| {
            (verdict(false, &format!("blocked: {}", reason.replace('_', " "))), alike)
        });
        let rows = std::iter::once((verdict(true, "complete"), &self.complete)).chain(blocked);
        let rows = rows.filter(|(_, alike)| alike.orders > 0).map(|(ended, alike)| {
            let (order, step, why) = alike.first.unwrap_or_default();
            [
                ended,
                Cell::new(alike.orders),
                Cell::new(alike.retries),
                Cell::new(step),
                Cell::new(order),
                Cell::new(why),
            ]
        });
        table(columns, rows)
    }

    /// For scripts.
    pub(crate) fn figures(&self, malformed: usize) -> String {
        let blocked: String =
            self.blocked.iter().map(|(why, alike)| format!("blocked_{why}: {}\n", alike.orders)).collect();
        lines([("orders", &self.orders), ("complete", &self.complete.orders)])
            + &blocked
            + &lines([
                ("malformed", &malformed),
                ("retries", &self.retries()),
                ("steps", &self.steps),
                ("steps_per_second", &self.steps_per_second()),
            ])
    }

    fn steps_per_second(&self) -> u64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { (self.steps as f64 / seconds).round() as u64 } else { 0 }
    }
}
