//! How fast the engine is on its in-memory storage, beside the same graphs written by hand with tokio tasks.
//!
//! `scripts/bench` runs it. Axes: `overhead/memory` (microseconds of one thread for a step) and
//! `end_to_end/memory/GRAPH` (steps a second, tasks created, run and settled). Repeats of both sides take turns, so that
//! a noisy machine disturbs both; the ratio is what counts.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its table")]

mod graph;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tasker::prelude::*;
use tasker::{NoEvents, Request, Settings, SystemClock};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use graph::Graph;
use report::{Measured, Report, a_second, millis_each};

fn main() {
    let arguments = report::Arguments::parse();
    let mut report = Report::new("memory", &arguments);
    let steps = if arguments.tiny {
        2_000
    } else if arguments.quick {
        100_000
    } else {
        400_000
    };

    report.measure("overhead/memory", "us/step", "tokio by hand", || {
        let graph = Arc::new(Graph::linear(10));
        let (ours, hand) = (one_thread(), one_thread());
        (
            micros_a_step(ours.block_on(engine_runs(&graph, steps / 4, WIDE)), steps / 4),
            micros_a_step(hand.block_on(hand_runs(&graph, steps / 4)), steps / 4),
        )
    });
    for (name, graph, concurrency) in graphs() {
        let graph = Arc::new(graph);
        report.measure(&format!("end_to_end/memory/{name}"), "steps/s", "tokio by hand", || {
            let runtime = two_threads();
            (
                a_second(runtime.block_on(spawned(engine_runs(&graph, steps, concurrency))), steps),
                a_second(runtime.block_on(spawned(hand_runs(&graph, steps))), steps),
            )
        });
    }
    report.finish();
}

/// As many steps may run as could, as by hand; or so few that tasks wait for one another.
const WIDE: usize = 100_000;
const NARROW: usize = 256;

fn graphs() -> [(&'static str, Graph, usize); 8] {
    [
        ("linear_10", Graph::linear(10), WIDE),
        ("linear_10/narrow", Graph::linear(10), NARROW),
        ("diamond", Graph::diamond(), WIDE),
        ("fan_out_20", Graph::fan_out(20), WIDE),
        ("fan_in_100", Graph::fan_in(100), WIDE),
        ("tree", Graph::tree(5), WIDE),
        ("dag_1000", Graph::layered(1000, 20, 7), WIDE),
        ("dag_1000/narrow", Graph::layered(1000, 20, 7), NARROW),
    ]
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime of one thread starts")
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime of two threads starts")
}

/// Runs it as a task of the runtime: the thread that blocks on a runtime is none of its workers.
async fn spawned(run: impl Future<Output = Duration> + Send + 'static) -> Duration {
    tokio::spawn(run).await.expect("a run does not panic")
}

fn micros_a_step(took: Duration, steps: usize) -> Measured {
    Measured(millis_each(took, steps).0 * 1e3)
}

/// As many tasks as make that many steps, at most 500 in flight.
fn tasks_for(graph: &Graph, steps: usize) -> usize {
    (steps / graph.len()).max(1)
}

const IN_FLIGHT: usize = 500;

async fn engine_runs_graph(graph: Arc<Graph>, steps: usize, concurrency: usize) -> Duration {
    let ran = Arc::default();
    let definition = graph.definition(&ran);
    let settings = Settings { concurrency, ..Settings::default() };
    let engine = Engine::in_memory_with(SystemClock::default(), NoEvents, settings);
    let engine = engine.expect("settings of the bench");
    let began = Instant::now();
    let tasks = tasks_for(&graph, steps);
    let mut left = tasks;
    let mut running = tokio::task::JoinSet::new();
    while left > 0 || !running.is_empty() {
        let more = left.min(IN_FLIGHT.saturating_sub(running.len()));
        if more > IN_FLIGHT / 4 || (more > 0 && more == left) {
            left -= more;
            let requests = (0..more).map(|_| Request::new(json!({}))).collect();
            let tasks = engine.request_many(&definition, requests).await.expect("tasks are created");
            for task in tasks {
                let (engine, task) = (engine.clone(), task.expect("identities are random").id());
                running.spawn(async move { engine.drive(task).await.expect("a task is driven") });
            }
        }
        if let Some(state) = running.join_next().await {
            assert_eq!(state.expect("a run does not panic"), tasker::TaskState::Complete);
        }
    }
    let took = began.elapsed();
    assert_eq!(ran.load(Ordering::Relaxed), tasks * graph.len(), "every step runs exactly once");
    took
}

fn engine_runs(
    graph: &Arc<Graph>,
    steps: usize,
    concurrency: usize,
) -> impl Future<Output = Duration> + Send + use<> {
    engine_runs_graph(Arc::clone(graph), steps, concurrency)
}

/// One run of a graph by hand: who finishes a node starts the children that waited for it alone.
struct Run {
    graph: Arc<Graph>,
    children: Arc<Vec<Vec<usize>>>,
    waits: Vec<AtomicUsize>,
    left: AtomicUsize,
    done: std::sync::Mutex<Option<oneshot::Sender<()>>>,
}

fn start_node(run: Arc<Run>, node: usize) {
    tokio::spawn(async move {
        std::hint::black_box(json!(1));
        for child in &run.children[node] {
            if run.waits[*child].fetch_sub(1, Ordering::AcqRel) == 1 {
                start_node(Arc::clone(&run), *child);
            }
        }
        if run.left.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(done) = run.done.lock().expect("nothing panics here").take()
        {
            done.send(()).expect("somebody waits for the run");
        }
    });
}

async fn hand_runs_graph(graph: Arc<Graph>, steps: usize) -> Duration {
    let mut children = vec![vec![]; graph.len()];
    for (node, parents) in graph.parents.iter().enumerate() {
        parents.iter().for_each(|parent| children[*parent].push(node));
    }
    let children = Arc::new(children);
    let began = Instant::now();
    let mut left = tasks_for(&graph, steps);
    let mut running = tokio::task::JoinSet::new();
    while left > 0 || !running.is_empty() {
        while left > 0 && running.len() < IN_FLIGHT {
            left -= 1;
            let (done, finished) = oneshot::channel();
            let run = Arc::new(Run {
                waits: graph.parents.iter().map(|parents| AtomicUsize::new(parents.len())).collect(),
                left: AtomicUsize::new(graph.len()),
                children: Arc::clone(&children),
                done: std::sync::Mutex::new(Some(done)),
                graph: Arc::clone(&graph),
            });
            let roots = run.graph.parents.iter().enumerate().filter(|(_, parents)| parents.is_empty());
            roots.for_each(|(node, _)| start_node(Arc::clone(&run), node));
            running.spawn(finished);
        }
        running.join_next().await;
    }
    began.elapsed()
}

fn hand_runs(graph: &Arc<Graph>, steps: usize) -> impl Future<Output = Duration> + Send + use<> {
    hand_runs_graph(Arc::clone(graph), steps)
}
