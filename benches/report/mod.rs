//! What every bench shares: repeats that take turns, medians, a table, and JSON lines for programs.
#![allow(dead_code, reason = "each bench uses what it needs")]

use std::fs::{File, create_dir_all};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

/// One figure.
#[derive(Clone, Copy)]
pub(crate) struct Measured(pub(crate) f64);

/// So many in that time, a second.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
pub(crate) fn a_second(took: Duration, count: usize) -> Measured {
    Measured(count as f64 / took.as_secs_f64())
}

/// Milliseconds of each, when so many took that long.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
pub(crate) fn millis_each(took: Duration, count: usize) -> Measured {
    Measured(took.as_secs_f64() * 1e3 / count as f64)
}

/// Of so many, as much for each.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
pub(crate) fn each(all: usize, count: usize) -> Measured {
    Measured(all as f64 / count as f64)
}

/// What a bench was asked for.
pub(crate) struct Arguments {
    pub(crate) quick: bool,
    /// Once and small, only to see that it still runs.
    pub(crate) tiny: bool,
    axis: String,
    repeats: usize,
    recorded: bool,
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
        let recorded = arguments.iter().any(|argument| argument == "--recorded");
        Self { quick, tiny, axis, repeats, recorded }
    }
}

/// The table, and the lines for programs.
pub(crate) struct Report {
    axis: String,
    repeats: usize,
    lines: File,
    rows: Vec<[String; 6]>,
    /// Beside what was recorded, if that was asked for.
    recorded: Option<Vec<[String; 6]>>,
}

/// What was once measured of Tasker, the Rails engine, in one process on a machine of this kind (two shared virtual cores),
/// in November 2026 before this engine was begun. Each is the best of its range.
const RECORDED: [(&str, f64); 4] = [
    ("create/postgres", 15.0),
    ("end_to_end/postgres/linear_10/in_flight_64", 10.0),
    ("latency/postgres/linear_10/chain", 87.0),
    ("statements/postgres/in_flight_64", 126.0),
];

/// What the columns of a table say.
const HEAD: [&str; 6] = ["axis", "median", "spread", "beside", "its median", "ratio"];

impl Report {
    pub(crate) fn new(name: &str, arguments: &Arguments) -> Self {
        let folder =
            PathBuf::from(option_env!("CARGO_TARGET_TMPDIR").unwrap_or("target/tmp")).join("../bench");
        create_dir_all(&folder).expect("the target directory can be written");
        let lines =
            File::create(folder.join(format!("{name}.jsonl"))).expect("the target directory can be written");
        println!("{name}: {}", machine());
        Self {
            axis: arguments.axis.clone(),
            repeats: arguments.repeats,
            lines,
            rows: vec![],
            recorded: arguments.recorded.then(Vec::new),
        }
    }

    /// Measures ours and what stands beside it, in turns; the first turn warms up and does not count.
    pub(crate) fn measure(
        &mut self,
        axis: &str,
        unit: &str,
        beside: &str,
        mut turn: impl FnMut() -> (Measured, Measured),
    ) {
        if self.asks_for(axis) && self.repeats > 1 {
            eprintln!("{axis}: warming up");
            turn();
        }
        self.add(axis, unit, beside, self.repeats, turn);
    }

    /// What is counted, not timed, comes out the same each time: once is enough.
    pub(crate) fn count(
        &mut self,
        axis: &str,
        unit: &str,
        beside: &str,
        turn: impl FnMut() -> (Measured, Measured),
    ) {
        self.add(axis, unit, beside, 1, turn);
    }

    /// Whether somebody wants to see it.
    pub(crate) fn asks_for(&self, axis: &str) -> bool {
        axis.contains(&self.axis)
    }

    fn add(
        &mut self,
        axis: &str,
        unit: &str,
        beside: &str,
        repeats: usize,
        mut turn: impl FnMut() -> (Measured, Measured),
    ) {
        if !self.asks_for(axis) {
            return;
        }
        eprintln!("{axis} …");
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
        let row = |beside: &str, beside_value: f64, ratio: f64| {
            [
                axis.to_owned(),
                format!("{} {unit}", figure(value)),
                format!("±{:.0} %", spread * 50.0),
                beside.to_owned(),
                figure(beside_value),
                format!("{ratio:.2}"),
            ]
        };
        self.rows.push(row(beside, beside_value, ratio));
        if let Some(rows) = &mut self.recorded
            && let Some((_, recorded)) = RECORDED.iter().find(|(recorded, _)| *recorded == axis)
        {
            rows.push(row("Rails, as recorded", *recorded, value / recorded));
        }
    }

    pub(crate) fn finish(self) {
        print(&self.rows);
        if let Some(rows) = &self.recorded {
            println!();
            print(rows);
        }
        println!("{}", machine());
    }
}

/// How large the machine is, and how busy: a figure of a busy one is good for its ratio alone.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("{cores} cores, load {}", load.split(' ').next().unwrap_or("unknown"))
}

fn print(rows: &[[String; 6]]) {
    let head = HEAD.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(&head).chain(rows).collect();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
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
    // What is nothing each time does not vary.
    if most == least { 0.0 } else { (most - least) / median(values) }
}
