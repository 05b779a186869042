//! What every bench shares: repeats that take turns, medians, a table, and JSON lines for programs.

use std::fs::{File, create_dir_all};
use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

/// One figure.
#[derive(Clone, Copy)]
pub(crate) struct Measured(pub(crate) f64);

/// What a bench was asked for.
pub(crate) struct Arguments {
    pub(crate) quick: bool,
    /// Once and small, only to see that it still runs.
    pub(crate) tiny: bool,
    pub(crate) axis: String,
    pub(crate) repeats: usize,
}

impl Arguments {
    /// Cargo passes `--bench`; run as a test (`cargo test --benches`) it does not, and then once and small is enough.
    pub(crate) fn parse() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let tiny = !arguments.iter().any(|argument| argument == "--bench");
        let axis =
            arguments.iter().skip_while(|argument| *argument != "--axis").nth(1).cloned().unwrap_or_default();
        let repeats = if tiny {
            1
        } else if quick {
            3
        } else {
            5
        };
        Self { quick, tiny, axis, repeats }
    }
}

pub(crate) struct Report {
    axis: String,
    lines: File,
    rows: Vec<[String; 6]>,
}

impl Report {
    pub(crate) fn new(name: &str, arguments: &Arguments) -> Self {
        let folder =
            PathBuf::from(option_env!("CARGO_TARGET_TMPDIR").unwrap_or("target/tmp")).join("../bench");
        create_dir_all(&folder).expect("the target directory can be written");
        let lines =
            File::create(folder.join(format!("{name}.jsonl"))).expect("the target directory can be written");
        Self { axis: arguments.axis.clone(), lines, rows: vec![] }
    }

    /// Measures ours and what stands beside it, in turns; the first turn warms up and does not count.
    pub(crate) fn measure(
        &mut self,
        axis: &str,
        unit: &str,
        beside: &str,
        repeats: usize,
        mut turn: impl FnMut() -> (Measured, Measured),
    ) {
        if !axis.contains(&self.axis) {
            return;
        }
        eprintln!("{axis} …");
        if repeats > 1 {
            turn();
        }
        let (ours, theirs): (Vec<f64>, Vec<f64>) =
            (0..repeats).map(|_| turn()).map(|(a, b)| (a.0, b.0)).unzip();
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
        let (value, spread) = (median(&ours), spread(&ours));
        let (beside_value, ratio) = (median(&theirs), median(&ratios));
        let line = json!({
            "axis": axis, "value": value, "unit": unit, "spread": spread,
            "beside": beside, "beside_value": beside_value, "ratio": ratio,
        });
        writeln!(self.lines, "{line}").expect("the target directory can be written");
        self.rows.push([
            axis.to_owned(),
            format!("{} {unit}", figure(value)),
            format!("±{:.0} %", spread * 50.0),
            beside.to_owned(),
            figure(beside_value),
            format!("{ratio:.2}"),
        ]);
    }

    pub(crate) fn finish(self) {
        let head = ["axis", "median", "spread", "beside", "its median", "ratio"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(&head).chain(&self.rows).collect();
        let widths: Vec<usize> = (0..6)
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        for row in rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}

fn figure(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The distance from the least to the greatest, over the median.
fn spread(values: &[f64]) -> f64 {
    let (least, most) = values
        .iter()
        .fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(*value), most.max(*value)));
    (most - least) / median(values)
}
