//! The audit trail of one order.

use std::fmt::Display;

use comfy_table::Cell;
use serde_json::Value;
use tasker::{Timestamp, Transition};

use crate::common::{Column, lines, table};
use crate::run::Served;

/// A row of the trail: when it was written, where it stands among those of the same moment, and its cells.
struct Row {
    at: Timestamp,
    rank: usize,
    cells: [String; 4],
}

impl Row {
    fn new<S: Display>(of: &str, rank: usize, row: &Transition<S>) -> Self {
        let from = row.from.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { at: row.at, rank, cells: [of.to_owned(), from, row.to.to_string(), says(&row.metadata)] }
    }
}

/// Every move that the order's task and its steps made, and what came of it.
pub(crate) fn trail(order: &Served) -> String {
    let record = order.report.record();
    let columns = [
        Column::Text("step"),
        Column::Text("from"),
        Column::Text("to"),
        Column::Text("at"),
        Column::Text("what the row says"),
    ];
    let rows = rows(order).into_iter().map(|Row { at, cells: [of, from, to, says], .. }| {
        [Cell::new(of), Cell::new(from), Cell::new(to), Cell::new(at), Cell::new(says)]
    });
    table(columns, rows)
        + "\n"
        + &lines([
            ("order", &order.id),
            ("task", &record.id),
            ("state", &order.report.state()),
            ("result", &result(order)),
            ("retries", &order.report.retries()),
        ])
}

/// By time. One call may make several moves: then the task goes first when it begins and last when it ends, and steps
/// stand in the order of the workflow.
fn rows(order: &Served) -> Vec<Row> {
    let record = order.report.record();
    let ends = record.steps.len() + 1;
    let of_task = record.history.iter().enumerate();
    let of_task = of_task.map(|(place, row)| Row::new("(the order)", if place == 0 { 0 } else { ends }, row));
    let of_steps = record
        .steps
        .iter()
        .zip(1..)
        .flat_map(|(step, rank)| step.history.iter().map(move |row| Row::new(&step.name, rank, row)));
    let mut rows: Vec<_> = of_task.chain(of_steps).collect();
    rows.sort_by_key(|row| (row.at, row.rank));
    rows
}

/// Its keys and values. Those that only machines can use are left out.
fn says(metadata: &Value) -> String {
    let keys = metadata.as_object().into_iter().flatten();
    let told = keys.filter(|(key, _)| !["claim", "worker_id", "error_class"].contains(&key.as_str()));
    let told = told.map(|(key, value)| match value {
        Value::String(text) => format!("{key}: {text}"),
        value => format!("{key}: {value}"),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// What was written to the customer, or why nothing was.
fn result(order: &Served) -> String {
    let written = order.report.output_of("notify");
    written.unwrap_or_else(|_| {
        let blocked = order.report.blocked().map(|(step, why)| format!("{step}: {why}"));
        blocked.collect::<Vec<_>>().join("; ")
    })
}
