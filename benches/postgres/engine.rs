//! Whole engines, on the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tasker::postgres::sqlx::postgres::PgPool;
use tasker::postgres::sqlx::{query, query_scalar};
use tasker::prelude::*;
use tasker::{NoEvents, Request, Settings, TaskId, TaskState};
use tokio::task::JoinSet;

use super::Bench;
use crate::graph::Graph;
use crate::report::{Measured, a_second, millis_each};

/// How long the steps of lone chains took, and how long commits of one row.
pub(crate) struct Lone(Vec<Duration>);

impl Lone {
    pub(crate) fn median(&self) -> Measured {
        self.quantile(50)
    }

    pub(crate) fn slowest(&self) -> Measured {
        self.quantile(99)
    }

    fn quantile(&self, percent: usize) -> Measured {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        millis_each(sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)], 1)
    }
}

impl Bench {
    /// Runs that many tasks, made beforehand, so many at a time; counted are their steps.
    pub(crate) fn engine(&self, graph: &Graph, tasks: usize, in_flight: usize) -> Measured {
        let took = self.prepared(graph, tasks, in_flight).run(self);
        a_second(took, graph.len() * tasks)
    }

    /// Makes that many tasks, and the engine that is to run them.
    pub(super) fn prepared(&self, graph: &Graph, tasks: usize, in_flight: usize) -> Prepared {
        let ran = Arc::<AtomicUsize>::default();
        let definition = graph.definition(&ran);
        let engine = self.made_engine(in_flight * width(graph));
        let (engine, tasks) = self.run(async move {
            let tasks = made_tasks(&engine, &definition, tasks).await;
            (engine, tasks)
        });
        Prepared { engine, steps: graph.len() * tasks.len(), tasks, in_flight, ran }
    }

    /// Creates that many tasks, a hundred in a call.
    pub(crate) fn create(&self, graph: &Graph, tasks: usize) -> Measured {
        let definition = graph.definition(&Arc::default());
        let engine = self.made_engine(1);
        let (took, ids) = self.run(async move {
            engine.learn(&definition).await.expect("the definition is learned");
            let began = Instant::now();
            let ids = made_tasks(&engine, &definition, tasks).await;
            (began.elapsed(), ids)
        });
        self.discard(ids);
        a_second(took, tasks)
    }

    /// Single steps of chains that run alone, and commits of one row right after them.
    pub(crate) fn lone(&self, chains: usize) -> (Lone, Lone) {
        let ends = Arc::<std::sync::Mutex<Vec<Instant>>>::default();
        let noted = Arc::clone(&ends);
        let step = move || {
            let noted = Arc::clone(&noted);
            handler_fn(move |_: Call| {
                noted.lock().expect("nothing panics here").push(Instant::now());
                async { Ok(json!(1)) }
            })
        };
        let mut builder = Definition::builder("bench", "lone", "1.0.0").step("step_0", step());
        for place in 1..10 {
            builder = builder.step(format!("step_{place}"), step()).after([format!("step_{}", place - 1)]);
        }
        let definition = builder.build().expect("a chain");
        let engine = self.made_engine(1);
        let taken = Arc::clone(&ends);
        let steps = self.run(async move {
            let ids = made_tasks(&engine, &definition, chains).await;
            let mut steps = vec![];
            for task in ids {
                taken.lock().expect("nothing panics here").clear();
                assert_eq!(engine.drive(task).await.expect("a task is driven"), TaskState::Complete);
                let times = taken.lock().expect("nothing panics here");
                steps.extend(times.windows(2).map(|pair| pair[1] - pair[0]));
            }
            steps
        });
        (Lone(steps), Lone(self.commit_times(chains * 10)))
    }

    /// Chains that run alone, with their first and last call, for each step.
    pub(crate) fn lone_chain(&self, chains: usize) -> Measured {
        millis_each(self.prepared(&Graph::linear(10), chains, 1).run(self), chains * 10)
    }

    /// How much a count grows in that time, while a worker has nothing to do.
    pub(super) fn idles(&self, seconds: u64, count: impl Fn() -> usize + Send + 'static) -> usize {
        let engine = self.made_engine(1);
        self.run(async move {
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let worker = tokio::spawn(engine.worker().run_until(async {
                let _ = stopped.await;
            }));
            // What it does at the start is not idleness.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let before = count();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let idled = count() - before;
            stop.send(()).expect("the worker still runs");
            worker.await.expect("a worker does not panic");
            idled
        })
    }

    fn made_engine(&self, concurrency: usize) -> Engine {
        let (storage, settings) = (self.storage(), Settings { concurrency, ..Settings::default() });
        self.run(async move {
            let clock = storage.clock().await.expect("the server tells the time");
            Engine::on_postgres(storage, clock, NoEvents, settings).expect("settings of the bench")
        })
    }

    /// Nobody is to look after tasks that were made only to be made.
    fn discard(&self, tasks: Vec<TaskId>) {
        let pool = self.pool.clone();
        self.run(async move {
            let ids: Vec<i64> = tasks.iter().map(|task| task.0).collect();
            query("DELETE FROM tasker_wakes WHERE task_id = ANY ($1)")
                .bind(ids)
                .execute(&pool)
                .await
                .expect("wakes are removed");
        });
    }
}

/// Tasks that are there to be run, and the engine that is to run them.
pub(super) struct Prepared {
    engine: Engine,
    tasks: Vec<TaskId>,
    in_flight: usize,
    steps: usize,
    /// How often a handler was called.
    ran: Arc<AtomicUsize>,
}

impl Prepared {
    /// Runs them, and then looks whether each step ran once.
    pub(super) fn run(&self, bench: &Bench) -> Duration {
        let took = self.run_unchecked(bench);
        let (pool, tasks, steps, ran) =
            (bench.pool.clone(), self.tasks.clone(), self.steps, Arc::clone(&self.ran));
        bench.run(async move { assert_each_ran_once(&pool, &tasks, steps, &ran).await });
        took
    }

    /// To look would be a statement, too.
    pub(super) fn run_unchecked(&self, bench: &Bench) -> Duration {
        let (engine, tasks, in_flight) = (self.engine.clone(), self.tasks.clone(), self.in_flight);
        bench.run(async move {
            let began = Instant::now();
            let mut left = tasks.into_iter();
            let mut running = JoinSet::new();
            let mut drive = |running: &mut JoinSet<_>| {
                if let Some(task) = left.next() {
                    let engine = engine.clone();
                    running.spawn(async move { engine.drive(task).await.expect("a task is driven") });
                }
            };
            for _ in 0..in_flight {
                drive(&mut running);
            }
            while let Some(state) = running.join_next().await {
                assert_eq!(state.expect("a run does not panic"), TaskState::Complete);
                drive(&mut running);
            }
            began.elapsed()
        })
    }
}

async fn made_tasks(engine: &Engine, definition: &Definition, tasks: usize) -> Vec<TaskId> {
    let mut ids = Vec::with_capacity(tasks);
    while ids.len() < tasks {
        let requests = (ids.len()..tasks).take(100).map(|_| Request::new(json!({}))).collect();
        let made = engine.request_many(definition, requests).await.expect("tasks are created");
        ids.extend(made.into_iter().map(|task| task.expect("identities are random").id()));
    }
    ids
}

/// By the handlers' own count, and by the audit trail.
async fn assert_each_ran_once(pool: &PgPool, tasks: &[TaskId], steps: usize, ran: &AtomicUsize) {
    assert_eq!(ran.load(Ordering::Relaxed), steps, "every step runs exactly once");
    let ids: Vec<i64> = tasks.iter().map(|task| task.0).collect();
    let recorded: i64 = query_scalar(
        "SELECT count(*) FROM tasker_workflow_steps AS s
         JOIN tasker_workflow_step_transitions AS t USING (workflow_step_id)
         WHERE s.task_id = ANY ($1) AND s.processed AND s.attempts = 1 AND t.to_state = 'complete'",
    )
    .bind(ids)
    .fetch_one(pool)
    .await
    .expect("a count");
    assert_eq!(usize::try_from(recorded).expect("a count"), steps, "every step is recorded exactly once");
}

/// How many nodes stand equally deep, at most.
fn width(graph: &Graph) -> usize {
    let mut depths = vec![0; graph.len()];
    for (node, parents) in graph.parents.iter().enumerate() {
        depths[node] = parents.iter().map(|parent| depths[*parent] + 1).max().unwrap_or(0);
    }
    let mut at_depth = vec![0; graph.len()];
    depths.iter().for_each(|depth| at_depth[*depth] += 1);
    at_depth.into_iter().max().unwrap_or(0)
}
