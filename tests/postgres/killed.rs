//! A process is killed, as by `kill -9`, while steps run that a step of it spawned. Another one, which knows of the
//! workflow nothing but its handlers, finishes the task.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tasker::postgres::PostgresStorage;
use tasker::postgres::cluster::TestDatabase;
use tasker::prelude::*;
use tasker::{Binding, NoEvents, Settings, StepId, StepState, TaskId, WORKER_LOST};

const SHARDS: u64 = 20;

#[derive(Serialize, Deserialize)]
struct Window {
    rows: u64,
}

/// Decides at run time how many shards there are.
#[step]
async fn plan(window: Context<Window>, shards: Spawn<Fetch>) -> StepResult<u64> {
    for shard in 1..=SHARDS {
        shards.step(format!("fetch_{shard}"), Fetch { shard })?;
    }
    Ok(window.rows)
}

#[derive(Serialize, Deserialize)]
struct Fetch {
    shard: u64,
}

#[step]
impl Fetch {
    async fn process(&self, window: Context<Window>) -> StepResult<u64> {
        if self.shard == 17 && Killed::is_this_process() {
            // All the others have ended, and are recorded.
            Killed::tell("fetch_17 runs");
            std::future::pending::<()>().await;
        }
        Ok(window.rows * self.shard)
    }
}

#[step]
async fn join(plan: Output<Plan>, pages: Outputs<Fetch>) -> StepResult<u64> {
    Ok(*plan + pages.values().sum::<u64>())
}

#[derive(Workflow)]
#[workflow(namespace = "tests", name = "fan_out", version = "1.0.0", context = Window, steps(Plan, Join))]
struct FanOut;

/// Soon taken for dead. One shard after another, and the seventeenth last of those that the first process runs.
fn settings() -> Settings {
    Settings {
        concurrency: 1,
        heartbeat_interval: Duration::from_millis(200),
        worker_lost_after: Duration::from_secs(2),
        ..Settings::default()
    }
}

async fn engine(url: &str) -> Engine {
    let storage = PostgresStorage::connect(url).await.unwrap();
    let clock = storage.clock().await.unwrap();
    Engine::on_postgres(storage, clock, NoEvents, settings()).unwrap()
}

#[test]
fn a_process_that_dies_after_a_step_has_spawned_others_leaves_them_to_another() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(url) = Killed::url() {
        runtime.block_on(async {
            let task = engine(&url).await.start::<FanOut>(Window { rows: 10 }).await.unwrap();
            Killed::tell(&format!("task {}", task.id()));
            task.finished().await.unwrap();
        });
        return;
    }

    let database = runtime.block_on(TestDatabase::migrated()).unwrap();
    let mut killed = Killed::spawn(
        "killed::a_process_that_dies_after_a_step_has_spawned_others_leaves_them_to_another",
        &database.url(),
    );
    let task = TaskId(killed.says("task ").parse().unwrap());
    killed.says("fetch_17 runs");
    killed.kill();

    runtime.block_on(async {
        // It learns no workflow, and finds what to run in the database: by the template, and by what was spawned.
        let handlers = Handlers::new().with::<Plan>().with::<Fetch>().with::<Join>();
        let engine = engine(&database.url()).await.handlers(handlers);
        let before = engine.report(task).await.unwrap();
        assert_eq!(before.step("fetch_16").unwrap().current.state, StepState::Complete);
        assert_eq!(before.step("fetch_17").unwrap().current.state, StepState::InProgress);
        let report = engine.task(task).finished().await.unwrap();
        assert!(report.is_complete());
        assert_eq!(report.output_of::<u64>("join").unwrap(), 10 + 10 * SHARDS * (SHARDS + 1) / 2);
        check(&report);
    });
}

/// Nothing was lost and nothing ran twice but the shard that was under way, which says so; and each shard is bound to
/// what it was spawned as.
fn check(report: &Report) {
    assert_eq!(report.steps().len(), 2 + 20);
    let plan = report.step("plan").unwrap().id;
    for step in report.steps() {
        let claims = step.history.iter().filter(|row| row.to == StepState::InProgress).count();
        let expected = if step.name == "fetch_17" { 2 } else { 1 };
        assert_eq!((claims, step.attempts), (expected, u32::try_from(expected).unwrap()), "{}", step.name);
        if let Some(shard) = step.name.strip_prefix("fetch_") {
            is_shard(shard.parse().unwrap(), plan, &step.binding);
        }
    }
    let lost = report.step("fetch_17").unwrap();
    let lost: Vec<_> = lost.history.iter().filter(|row| row.to == StepState::Error).collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].metadata["error_class"], WORKER_LOST);
}

fn is_shard(shard: u64, plan: StepId, binding: &Binding) {
    assert_eq!((&*binding.handler, &binding.config["shard"]), ("fetch", &shard.into()));
    let by = binding.spawned_by.as_ref().expect("it was spawned");
    assert_eq!((by.step, u64::from(by.index)), (plan, shard - 1));
}

/// This program once more, running the same test, which then has the other part: to run the task until it is killed.
struct Killed {
    child: Child,
    said: Box<dyn Iterator<Item = String>>,
}

impl Killed {
    /// The environment variable that asks for that part, and names the database.
    const URL: &str = "TASKER_TEST_KILLED_URL";

    fn url() -> Option<String> {
        env::var(Self::URL).ok()
    }

    fn is_this_process() -> bool {
        Self::url().is_some()
    }

    fn spawn(test: &str, url: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(Self::URL, url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, said: Box::new(lines.map_while(Result::ok)) }
    }

    #[expect(clippy::print_stdout, reason = "how one process tells the other how far it is")]
    fn tell(what: &str) {
        println!("\n{what}");
    }

    /// Waits for the line that begins with `word`, and gives its rest.
    fn says(&mut self, word: &str) -> String {
        let mut rests = self.said.by_ref().filter_map(|line| line.strip_prefix(word).map(str::to_owned));
        rests.next().expect("the process says it")
    }

    /// As `kill -9`.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
