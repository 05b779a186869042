//! How fast the engine is on its in-memory storage, beside the same graphs written by hand with tokio tasks.
//!
//! `scripts/bench` runs it. Axes: `overhead/memory` (microseconds of one thread for a step) and
//! `end_to_end/memory/GRAPH` (steps a second, tasks created, run and settled). Repeats of both sides take turns, so that
//! a noisy machine disturbs both; the ratio is what counts.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its table")]

mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tasker::prelude::*;
use tasker::{Request, StepName};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use report::{Measured, Report};

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

    report.measure("overhead/memory", "us/step", "tokio by hand", arguments.repeats, || {
        let graph = Arc::new(Graph::linear(10));
        let (ours, hand) = (one_thread(), one_thread());
        (
            micros_a_step(ours.block_on(engine_runs(&graph, steps / 4)), steps / 4),
            micros_a_step(hand.block_on(hand_runs(&graph, steps / 4)), steps / 4),
        )
    });
    for (name, graph) in graphs() {
        let graph = Arc::new(graph);
        report.measure(
            &format!("end_to_end/memory/{name}"),
            "steps/s",
            "tokio by hand",
            arguments.repeats,
            || {
                let runtime = two_threads();
                (
                    steps_a_second(runtime.block_on(spawned(engine_runs(&graph, steps))), steps),
                    steps_a_second(runtime.block_on(spawned(hand_runs(&graph, steps))), steps),
                )
            },
        );
    }
    report.finish();
}

fn graphs() -> [(&'static str, Graph); 5] {
    [
        ("linear_10", Graph::linear(10)),
        ("diamond", Graph::diamond()),
        ("fan_out_20", Graph::fan_out(20)),
        ("tree", Graph::tree(5)),
        ("dag_1000", Graph::layered(1000, 20, 7)),
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

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
fn micros_a_step(took: Duration, steps: usize) -> Measured {
    Measured(took.as_secs_f64() * 1e6 / steps as f64)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
fn steps_a_second(took: Duration, steps: usize) -> Measured {
    Measured(steps as f64 / took.as_secs_f64())
}

/// For each node the nodes it waits for, all of them before it.
struct Graph {
    parents: Vec<Vec<usize>>,
}

impl Graph {
    fn linear(length: usize) -> Self {
        Self { parents: (0..length).map(|node| node.checked_sub(1).into_iter().collect()).collect() }
    }

    fn diamond() -> Self {
        Self { parents: vec![vec![], vec![0], vec![0], vec![1, 2]] }
    }

    fn fan_out(width: usize) -> Self {
        let middle = (0..width).map(|_| vec![0]);
        Self { parents: [vec![]].into_iter().chain(middle).chain([(1..=width).collect()]).collect() }
    }

    /// A binary tree, root first.
    fn tree(levels: u32) -> Self {
        let nodes = (1 << levels) - 1;
        Self {
            parents: (0..nodes)
                .map(|node: usize| node.checked_sub(1).map(|place| place / 2).into_iter().collect())
                .collect(),
        }
    }

    /// Layers of equal width; each node waits for up to three of the layer above.
    fn layered(nodes: usize, width: usize, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let parents = (0..nodes).map(|node| {
            let layer = node / width;
            let above = layer.checked_sub(1).map(|layer| layer * width);
            let mut parents: Vec<_> =
                above.into_iter().flat_map(|first| (0..3).map(move |_| first)).collect();
            parents.iter_mut().for_each(|parent| *parent += random.usize(..width));
            parents.sort_unstable();
            parents.dedup();
            parents
        });
        Self { parents: parents.collect() }
    }

    fn len(&self) -> usize {
        self.parents.len()
    }

    fn definition(&self) -> Definition {
        let name = |node: usize| StepName::from(format!("step_{node}"));
        let mut builder = Definition::builder("bench", "graph", "1.0.0");
        for (node, parents) in self.parents.iter().enumerate() {
            let step = handler_fn(|_: Call| async { Ok(json!(1)) });
            builder = builder.step(name(node), step).after(parents.iter().map(|parent| name(*parent)));
        }
        builder.build().expect("a graph of the bench is a DAG")
    }
}

/// As many tasks as make that many steps, at most 500 in flight.
fn tasks_for(graph: &Graph, steps: usize) -> usize {
    (steps / graph.len()).max(1)
}

const IN_FLIGHT: usize = 500;

async fn engine_runs_graph(graph: Arc<Graph>, steps: usize) -> Duration {
    let definition = graph.definition();
    let engine = Engine::in_memory();
    let began = Instant::now();
    let mut left = tasks_for(&graph, steps);
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
    began.elapsed()
}

fn engine_runs(graph: &Arc<Graph>, steps: usize) -> impl Future<Output = Duration> + Send + use<> {
    engine_runs_graph(Arc::clone(graph), steps)
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
