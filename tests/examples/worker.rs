//! `worker`: processes that serve one database, and what becomes of the orders when one of them is killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use tasker::postgres::PostgresStorage;
use tasker::postgres::cluster::TestDatabase;
use tasker::{Detail, Storage as _, TaskId};

use crate::tools::{ROOT, Run, file, program, run};

/// Orders that nobody serves yet, and the storage they are in.
struct Shop {
    storage: PostgresStorage,
    orders: usize,
    url: String,
    // Goes last, with whatever is still connected.
    _database: TestDatabase,
}

impl Shop {
    async fn with(orders: usize) -> Self {
        let database = TestDatabase::empty().await.unwrap();
        let url = database.url();
        let enqueued =
            run("checkout", &["--database", &url, "--enqueue-only", "--count", &orders.to_string()]);
        assert_eq!((enqueued.code, enqueued.number("enqueued")), (0, orders), "{enqueued:?}");
        let storage = PostgresStorage::connect(&url).await.unwrap();
        Self { storage, orders, url, _database: database }
    }

    fn worker(&self, arguments: &[&str]) -> Worker {
        let mut command = Command::new(program("worker"));
        command.args(["--database", &self.url, "--reliable"]).args(arguments);
        Worker(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// How many orders are settled.
    async fn settled(&self) -> usize {
        let tasks: Vec<_> = (1..=self.orders).map(|task| TaskId(task.try_into().unwrap())).collect();
        let mut settled = 0;
        for page in tasks.chunks(100) {
            let records = self.storage.load(page, Detail::Graph).await.unwrap();
            settled += records.iter().filter(|record| !record.current.state.is_open()).count();
        }
        settled
    }

    /// Waits until so many are.
    async fn has_settled(&self, orders: usize) {
        while self.settled().await < orders {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What became of them, as the lines that do not depend on time or on who was killed.
    fn counts(&self) -> String {
        counts(&run("checkout", &["--database", &self.url, "--results"]))
    }
}

fn counts(run: &Run) -> String {
    assert_eq!((run.code, &*run.stderr), (0, ""), "{run:?}");
    let kept = |line: &&str| !["retries", "steps_per_second"].iter().any(|key| line.starts_with(key));
    let (_, lines) = run.stdout.split_once("\n\n").unwrap();
    lines.lines().filter(kept).map(|line| line.to_owned() + "\n").collect()
}

/// A process, which does not outlive its test.
struct Worker(Child);

impl Worker {
    /// SIGTERM.
    fn tell_to_stop(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
    }

    /// Answers its exit code and what it printed.
    fn stop(mut self) -> (Option<i32>, String) {
        self.tell_to_stop();
        let status = self.0.wait().unwrap();
        (status.code(), std::io::read_to_string(self.0.stdout.take().unwrap()).unwrap())
    }

    /// `kill -9`.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In memory, without a worker, with nobody killed.
fn undisturbed(orders: usize) -> String {
    let all = fs::read_to_string(format!("{ROOT}/examples/data/orders.jsonl")).unwrap();
    let again = |(place, line): (usize, &str)| {
        let mut order: serde_json::Value = serde_json::from_str(line).unwrap();
        order["id"] = format!("{}-{place}", order["id"].as_str().unwrap()).into();
        order.to_string()
    };
    let some: Vec<_> = all.lines().cycle().take(orders).enumerate().map(again).collect();
    let path = file(&format!("first_{orders}.jsonl"), &some.join("\n"));
    counts(&run("checkout", &["--orders", &path, "--reliable"]))
}

/// How many orders there are when a worker is killed: more with `TASKER_ORDERS`.
fn many() -> usize {
    env::var("TASKER_ORDERS").ok().map_or(250, |orders| orders.parse().expect("a number of orders"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_one_process_leaves_are_served_by_others() {
    let shop = Shop::with(200).await;
    let workers = [shop.worker(&["--label", "one"]), shop.worker(&["--label", "two"])];
    shop.has_settled(200).await;
    let mut settled = 0;
    for worker in workers {
        let (code, said) = worker.stop();
        assert_eq!(code, Some(0), "{said}");
        let line = said.lines().find_map(|line| line.strip_prefix("orders_settled: ")).unwrap();
        settled += line.parse::<usize>().unwrap();
    }
    assert_eq!(settled, 200, "each by one of the two");
    assert_eq!(shop.counts(), undisturbed(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "shown when the test is asked for what it captured")]
async fn orders_in_the_midst_of_which_a_worker_was_killed_come_out_as_if_nobody_had_been() {
    let shop = Shop::with(many()).await;
    let quick = ["--heartbeat", "0.2", "--lost-after", "1", "--concurrency", "16"];
    let first = shop.worker(&quick);
    shop.has_settled(shop.orders / 6).await;
    first.kill();
    let by_the_first = shop.settled().await;
    assert!(by_the_first < shop.orders, "it was killed in the midst of them");
    let second = shop.worker(&quick);
    shop.has_settled(shop.orders).await;
    let (code, said) = second.stop();
    assert_eq!(code, Some(0));
    let (counts, undisturbed) = (shop.counts(), undisturbed(shop.orders));
    println!("settled before the kill: {by_the_first} of {}\n\nthe second worker:\n{said}", shop.orders);
    println!("all orders:\n{counts}\nundisturbed:\n{undisturbed}");
    assert_eq!(counts, undisturbed);
}

/// Ends with the worker, and so does the database.
#[test]
fn a_temporary_database_is_there_for_others_while_the_worker_serves_it() {
    let mut command = Command::new(program("worker"));
    command.args(["--database", "temporary", "--label", "alone", "--reliable"]);
    let mut worker = Worker(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(worker.0.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let url = line.strip_prefix("database: ").expect("it tells where it is first").trim_end();
    let enqueued = run("checkout", &["--database", url, "--enqueue-only", "--count", "20"]);
    assert_eq!((enqueued.code, enqueued.number("enqueued")), (0, 20), "{enqueued:?}");
    // It refuses to tell as long as an order is under way.
    while run("checkout", &["--database", url, "--results"]).code != 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    worker.tell_to_stop();
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    let gone = run("checkout", &["--database", url, "--results"]);
    assert_eq!((gone.code, &*gone.stdout), (1, ""), "{gone:?}");
}

#[test]
fn settings_and_databases_that_cannot_be_used_are_refused() {
    run("worker", &[]).is_refused_with("--database <URL|temporary>");
    run("worker", &["--database", "postgres:///x", "--grace", "-1"]).is_refused_with("--grace <S>");
    let gone = run("worker", &["--database", "postgres://nobody@127.0.0.1:1/shop"]);
    assert_eq!((gone.code, &*gone.stdout), (1, ""), "{gone:?}");
    let url = "postgres://nobody@127.0.0.1:1/shop";
    run("worker", &["--database", url, "--lost-after", "1"])
        .is_refused_with("`worker_lost_after` is 1s and `heartbeat_interval` 5s");
}
