//! Temporary servers: what they promise while they run, and that nothing of them is left behind.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, io, process, thread};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tasker_storage::postgres::cluster::{Cluster, ClusterError, Durability, TestDatabase};

#[tokio::test]
async fn a_fast_server_accepts_connections_and_waits_for_no_disk() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    let mut connection = connect(&cluster.url("postgres")).await;
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(shown(&mut connection, setting).await, "off", "{setting}");
    }
    assert_eq!(shown(&mut connection, "autovacuum").await, "on");
    assert_eq!(shown(&mut connection, "listen_addresses").await, "");
}

#[tokio::test]
async fn a_durable_server_waits_for_the_disk() {
    let cluster = Cluster::start(Durability::Durable).unwrap();
    let mut connection = connect(&cluster.url("postgres")).await;
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(shown(&mut connection, setting).await, "on", "{setting}");
    }
}

#[test]
fn only_the_user_of_the_server_may_look_into_its_directory() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    let directory = fs::metadata(cluster.directory()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    assert_ne!(directory.uid(), 0);
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_files_though_clients_are_connected() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    let (directory, url) = (cluster.directory().to_owned(), cluster.url("postgres"));
    let mut client = connect(&url).await;

    drop(cluster);

    assert!(!directory.exists());
    sqlx::query("SELECT 1").execute(&mut client).await.unwrap_err();
    url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap_err();
}

#[tokio::test]
async fn a_server_that_crashed_comes_back_with_what_was_committed_and_no_more() {
    let mut cluster = Cluster::start(Durability::Durable).unwrap();
    let url = cluster.url("postgres");
    let mut client = connect(&url).await;
    for statement in [
        "CREATE TABLE letters (letter text)",
        "INSERT INTO letters VALUES ('a')",
        "BEGIN; INSERT INTO letters VALUES ('b')",
    ] {
        sqlx::raw_sql(statement).execute(&mut client).await.unwrap();
    }

    for _ in 0..2 {
        cluster.crash().unwrap();
        sqlx::query("SELECT 1").execute(&mut client).await.unwrap_err();
        client = connect(&url).await;
        let letters: String = sqlx::query_scalar("SELECT string_agg(letter, '') FROM letters")
            .fetch_one(&mut client)
            .await
            .unwrap();
        assert_eq!(letters, "a");
    }
    drop(cluster);
    sqlx::query("SELECT 1").execute(&mut client).await.unwrap_err();
}

#[test]
fn a_server_that_is_kept_is_stopped_and_its_files_stay() {
    let mut cluster = Cluster::start(Durability::Fast).unwrap();
    let data = cluster.directory().join("data");
    cluster.keep().unwrap();
    assert!(data.join("postmaster.pid").exists());

    drop(cluster);

    assert!(data.join("PG_VERSION").exists());
    assert!(!data.join("postmaster.pid").exists(), "it was stopped");
    fs::remove_dir_all(data.parent().unwrap()).unwrap();
}

#[tokio::test]
async fn servers_stand_side_by_side_and_end_one_by_one() {
    let first = Cluster::builder(Durability::Fast).setting("cluster_name", "the first").start().unwrap();
    let second =
        Cluster::builder(Durability::Fast).setting("cluster_name", "it's the second").start().unwrap();
    assert_eq!(shown(&mut connect(&first.url("postgres")).await, "cluster_name").await, "the first");

    drop(first);

    assert_eq!(shown(&mut connect(&second.url("postgres")).await, "cluster_name").await, "it's the second");
}

#[test]
fn a_server_that_does_not_start_says_why_and_leaves_nothing() {
    let parent = Parent::new();
    let refused = Cluster::builder(Durability::Fast)
        .parent(&parent.0)
        .setting("no_such_setting", "1")
        .start()
        .unwrap_err();
    assert!(
        matches!(&refused, ClusterError::Refused { log, .. } if log.contains("no_such_setting")),
        "{refused}"
    );
    assert!(parent.is_empty());
}

#[test]
fn a_parent_that_does_not_exist_is_refused() {
    let refused = Cluster::builder(Durability::Fast).parent("/no/such/place").start().unwrap_err();
    assert!(
        matches!(&refused, ClusterError::Refused { log, .. } if log.contains("/no/such/place")),
        "{refused}"
    );
}

#[test]
fn kill_of_the_owner_removes_the_server() {
    Owner::act_if_asked();
    let parent = Parent::new();
    let mut owner = Owner::spawn("kill_of_the_owner_removes_the_server", &parent);
    let directory = owner.says("directory=");
    assert!(Path::new(&directory).join("data/postmaster.pid").exists());

    owner.kill();

    wait_until("the server's directory is gone", || parent.is_empty());
}

#[test]
fn kill_of_the_owner_while_the_server_is_being_made_leaves_nothing() {
    Owner::act_if_asked();
    let parent = Parent::new();
    let mut owner = Owner::spawn("kill_of_the_owner_while_the_server_is_being_made_leaves_nothing", &parent);
    wait_until("the server's directory is there", || !parent.is_empty());

    owner.kill();

    wait_until("the server's directory is gone", || parent.is_empty());
}

#[tokio::test]
async fn a_clone_has_what_the_template_has_and_keeps_its_own_changes() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    let first = clone_of_letters(&cluster).await;
    let second = clone_of_letters(&cluster).await;
    assert_ne!(first.name(), second.name());

    let mut connection = connect(&first.url()).await;
    sqlx::raw_sql("INSERT INTO letters VALUES ('b')").execute(&mut connection).await.unwrap();

    assert_eq!(letters(&first).await, ["a", "b"]);
    assert_eq!(letters(&second).await, ["a"]);
}

#[tokio::test]
async fn a_dropped_database_is_gone_though_clients_are_connected() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    let database = TestDatabase::empty_on(&cluster.url("postgres")).await.unwrap();
    let name = database.name().to_owned();
    let _client = connect(&database.url()).await;

    drop(database);

    assert!(!databases(&cluster).await.contains(&name));
}

#[tokio::test]
async fn dropping_a_database_after_its_server_is_quiet() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    let database = TestDatabase::empty_on(&cluster.url("postgres")).await.unwrap();
    drop(cluster);
    drop(database);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_template_that_many_ask_for_at_once_is_prepared_once() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    let prepared = &*Box::leak(Box::new(AtomicUsize::new(0)));
    let clones: Vec<_> = (0..16)
        .map(|_| {
            let server = cluster.url("postgres");
            tokio::spawn(async move {
                let count = async |options| {
                    prepared.fetch_add(1, Ordering::Relaxed);
                    letter_a(options).await
                };
                TestDatabase::cloned_on(&server, "letters", count).await.unwrap()
            })
        })
        .collect();
    for clone in clones {
        assert_eq!(letters(&clone.await.unwrap()).await, ["a"]);
    }
    assert_eq!(prepared.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_template_whose_preparation_failed_half_way_is_prepared_again() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    let server = cluster.url("postgres");
    let fails_half_way = async |options: PgConnectOptions| {
        letter_a(options).await.unwrap();
        Err::<(), _>("the second migration is wrong")
    };
    let error = TestDatabase::cloned_on(&server, "letters", fails_half_way).await.unwrap_err();
    assert!(matches!(&error, ClusterError::Prepare { key, .. } if key == "letters"), "{error}");

    assert_eq!(letters(&clone_of_letters(&cluster).await).await, ["a"]);
}

#[tokio::test]
async fn connections_that_a_preparation_leaves_open_do_not_keep_others_from_cloning() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    let mut left_open = None;
    let leaves_open = async |options: PgConnectOptions| {
        letter_a(options.clone()).await?;
        left_open = Some(options.connect().await?);
        Ok::<_, sqlx::Error>(())
    };
    let clone = TestDatabase::cloned_on(&cluster.url("postgres"), "letters", leaves_open).await.unwrap();
    assert_eq!(letters(&clone).await, ["a"]);
}

#[tokio::test]
async fn another_key_is_another_template() {
    let cluster = Cluster::start(Durability::Fast).unwrap();
    clone_of_letters(&cluster).await;
    let nothing = async |_| Ok::<_, sqlx::Error>(());
    let other = TestDatabase::cloned_on(&cluster.url("postgres"), "no letters", nothing).await.unwrap();
    sqlx::query("SELECT FROM letters").execute(&mut connect(&other.url()).await).await.unwrap_err();
}

#[tokio::test]
async fn a_lone_test_needs_no_server_of_its_own() {
    let database = TestDatabase::empty().await.unwrap();
    let mut connection = database.options().connect().await.unwrap();
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&mut connection).await.unwrap();
    assert_eq!(name, database.name());
}

async fn clone_of_letters(cluster: &Cluster) -> TestDatabase {
    TestDatabase::cloned_on(&cluster.url("postgres"), "letters", letter_a).await.unwrap()
}

/// Fills a template with a table and a row.
async fn letter_a(options: PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    sqlx::raw_sql("CREATE TABLE letters (letter text); INSERT INTO letters VALUES ('a')")
        .execute(&mut connection)
        .await?;
    Ok(())
}

async fn letters(database: &TestDatabase) -> Vec<String> {
    let mut connection = connect(&database.url()).await;
    sqlx::query_scalar("SELECT letter FROM letters ORDER BY letter").fetch_all(&mut connection).await.unwrap()
}

async fn databases(cluster: &Cluster) -> Vec<String> {
    let mut connection = connect(&cluster.url("postgres")).await;
    sqlx::query_scalar("SELECT datname::text FROM pg_database").fetch_all(&mut connection).await.unwrap()
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn shown(connection: &mut PgConnection, setting: &str) -> String {
    sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(connection).await.unwrap()
}

/// A directory that servers are made in, and nothing else; whoever they run as may write there.
struct Parent(PathBuf);

impl Parent {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/tmp/tasker-parent-{}-{count}", process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        Self(path)
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.0).unwrap().next().is_none()
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// This program once more, running the same test, which then has the other part: to own a server until it is
/// killed.
struct Owner(Child);

impl Owner {
    /// The environment variable that asks for that part, and says where the server is to be made.
    const PARENT: &str = "TASKER_TEST_CLUSTER_PARENT";

    fn spawn(test: &str, parent: &Parent) -> Self {
        let program = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(Self::PARENT, &parent.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self(program.unwrap())
    }

    #[expect(clippy::print_stdout, reason = "how it tells where its server is")]
    fn act_if_asked() {
        let Some(parent) = env::var_os(Self::PARENT) else { return };
        let cluster = Cluster::builder(Durability::Fast).parent(parent).start().unwrap();
        println!("\ndirectory={}", cluster.directory().display());
        // Until it is killed, or the test that would have done so is.
        io::copy(&mut io::stdin(), &mut io::sink()).unwrap();
        drop(cluster);
        process::exit(1);
    }

    /// Waits for the line that begins with `word`, and gives its rest.
    fn says(&mut self, word: &str) -> String {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let said = lines.map_while(Result::ok).find_map(|line| line.strip_prefix(word).map(str::to_owned));
        said.expect("the owner says it")
    }

    /// As `kill -9`.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Looks again and again, because nobody tells us; gives up only when it is beyond doubt that it will not
/// come.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..6000 {
        if condition() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain until {what}");
}
