//! How fast the engine is on PostgreSQL, beside what PostgreSQL itself needs for the same rows.
//!
//! `scripts/bench` runs it, on a server of its own whose commits are durable. Repeats of both sides take turns. Beside
//! ours stand the floor (`benches/floor.sql`) and durable commits of one row on one connection.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its table")]

mod graph;
#[path = "postgres/mod.rs"]
mod on_postgres;
mod report;

use graph::Graph;
use on_postgres::{Bench, Lone};
use report::{Arguments, Measured, Report};

/// How much is run for one figure.
struct Sizes {
    /// Tasks of what runs alone.
    few: usize,
    /// Tasks of what runs beside others.
    many: usize,
    /// Tasks in the tables of a database that has grown.
    finished: usize,
    seconds: u64,
}

impl Sizes {
    const fn of(arguments: &Arguments) -> Self {
        match (arguments.tiny, arguments.quick) {
            (true, _) => Self { few: 3, many: 12, finished: 20, seconds: 1 },
            (_, true) => Self { few: 30, many: 600, finished: 50_000, seconds: 4 },
            _ => Self { few: 200, many: 3_000, finished: 1_000_000, seconds: 10 },
        }
    }
}

fn main() {
    let arguments = Arguments::parse();
    let sizes = Sizes::of(&arguments);
    let mut report = Report::new("postgres", &arguments);
    let bench = Bench::start();
    floors(&bench, &mut report, &sizes);
    throughput(&bench, &mut report, &sizes);
    latency(&bench, &mut report, &sizes);
    counts(&bench, &mut report, &sizes);
    growth(&bench, &mut report, &sizes);
    report.finish();
}

/// What the floor itself costs, so that nobody raises a ratio by slowing it.
fn floors(bench: &Bench, report: &mut Report, sizes: &Sizes) {
    for (batch, tasks) in [(64, sizes.many), (1, sizes.few)] {
        let axis = format!("floor/postgres/batch_{batch}");
        report.measure(&axis, "steps/s", "commits of one row/s", || {
            (bench.floor(tasks, batch), bench.commits(10 * sizes.few))
        });
    }
}

fn throughput(bench: &Bench, report: &mut Report, sizes: &Sizes) {
    let many = sizes.many;
    report.measure("create/postgres", "tasks/s", "floor", || {
        (bench.create(&Graph::linear(10), many), bench.floor_creates(many))
    });
    report.measure("advance/postgres/batch_100", "steps/s", "floor", || {
        (bench.advances(many, 100), bench.floor(many, 100))
    });
    for (in_flight, tasks) in [(64, many), (500, 2 * many)] {
        let axis = format!("end_to_end/postgres/linear_10/in_flight_{in_flight}");
        report.measure(&axis, "steps/s", "floor", || {
            (bench.engine(&Graph::linear(10), tasks, in_flight), bench.floor(tasks, in_flight))
        });
    }
    for (name, graph, in_flight) in graphs() {
        let tasks = (10 * many / graph.len()).max(1);
        report.measure(&format!("end_to_end/postgres/{name}"), "steps/s", "floor of chains", || {
            (bench.engine(&graph, tasks, in_flight), bench.floor(many, 64))
        });
    }
}

fn graphs() -> [(&'static str, Graph, usize); 6] {
    [
        ("linear_5", Graph::linear(5), 64),
        ("diamond", Graph::diamond(), 64),
        ("fan_out_20", Graph::fan_out(20), 64),
        ("fan_in_100", Graph::fan_in(100), 64),
        ("tree", Graph::tree(5), 64),
        ("dag_1000", Graph::layered(1000, 20, 7), 8),
    ]
}

fn latency(bench: &Bench, report: &mut Report, sizes: &Sizes) {
    report.measure("latency/postgres/linear_10/chain", "ms/step", "floor of one step", || {
        (bench.lone_chain(sizes.few), bench.floor_of_one_step(sizes.few))
    });
    for (axis, of) in [("p50", Lone::median as fn(&Lone) -> _), ("p99", Lone::slowest)] {
        let axis = format!("latency/postgres/linear_10/{axis}");
        report.measure(&axis, "ms/step", "a commit of one row", || {
            let (ours, commit) = bench.lone(sizes.few);
            (of(&ours), of(&commit))
        });
    }
}

/// What is counted comes out the same each time.
fn counts(bench: &Bench, report: &mut Report, sizes: &Sizes) {
    for in_flight in [1, 64] {
        let tasks = if in_flight == 1 { sizes.few } else { sizes.many };
        report.count(&format!("wal/postgres/in_flight_{in_flight}"), "bytes/step", "floor", || {
            bench.wal(tasks, in_flight)
        });
    }
    report.count("statements/postgres/wave", "statements", "at most", || {
        (bench.statements_a_wave(sizes.few), Measured(1.0))
    });
    report.count("statements/postgres/in_flight_64", "statements/step", "at most", || {
        (bench.statements_a_step(sizes.many, 64), Measured(1.0))
    });
    report.count("statements/postgres/idle", "statements/s", "at most", || {
        (bench.idle(sizes.seconds), Measured(1.0))
    });
}

fn growth(bench: &Bench, report: &mut Report, sizes: &Sizes) {
    let axes = [1, 64].map(|in_flight| format!("grown/postgres/{}/in_flight_{in_flight}", sizes.finished));
    if !axes.iter().any(|axis| report.asks_for(axis)) {
        return;
    }
    let grown = bench.grown(sizes.finished);
    let chain = Graph::linear(10);
    report.measure(&axes[0], "ms/step", "with empty tables", || {
        (grown.lone_chain(sizes.few), bench.lone_chain(sizes.few))
    });
    report.measure(&axes[1], "steps/s", "with empty tables", || {
        (grown.engine(&chain, sizes.many, 64), bench.engine(&chain, sizes.many, 64))
    });
}
