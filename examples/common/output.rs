//! What a program prints: tables for people, lines for scripts.

use std::fmt::Display;
use std::io::{ErrorKind, Write, stdout};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::Failure;

/// A column of a table: its title, and by its kind the side on which its cells stand.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    Text(&'static str),
    Number(&'static str),
}

/// A table, on a terminal no wider than that.
pub(crate) fn table<const N: usize>(
    columns: [Column; N],
    rows: impl IntoIterator<Item = [Cell; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    // Some terminals say that they have no width at all.
    if table.width().is_some_and(|width| width >= 40) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(columns.map(|column| {
        let (Column::Text(title) | Column::Number(title)) = column;
        styled(Cell::new(title), |cell| cell.add_attribute(Attribute::Bold))
    }));
    table.add_rows(rows);
    for (column, kind) in table.column_iter_mut().zip(columns) {
        column.set_cell_alignment(match kind {
            Column::Text(_) => CellAlignment::Left,
            Column::Number(_) => CellAlignment::Right,
        });
    }
    table.trim_fmt() + "\n"
}

/// A cell that says whether something is as it has to be.
pub(crate) fn verdict(good: bool, word: &str) -> Cell {
    styled(Cell::new(word), |cell| cell.fg(if good { Color::Green } else { Color::Red }))
}

/// Styles stand on a terminal only, which the table sees to, and never against the wish of `NO_COLOR`.
fn styled(cell: Cell, style: impl FnOnce(Cell) -> Cell) -> Cell {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if unwanted { cell } else { style(cell) }
}

/// `key: value`, one a line.
pub(crate) fn lines<const N: usize>(pairs: [(&str, &dyn Display); N]) -> String {
    pairs.map(|(key, value)| format!("{key}: {value}\n")).concat()
}

/// Prints to standard output. That nobody reads on, as behind `| head`, is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Run(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
