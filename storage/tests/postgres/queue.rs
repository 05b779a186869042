//! The queue on the database: the suite, and what is particular to it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Row as _;
use tasker_engine::{
    BoundTemplate, Clock as _, Enqueue as _, Interest, Queue as _, SimulatedClock, Storage as _, TaskId, Wake,
};
use tasker_storage::conformance::QueueHarness;
use tasker_storage::postgres::{PostgresQueue, PostgresStorage};

use crate::contract::Postgres;
use crate::fixture::{Fixture, NOW, Started, bind, bound, later, template, wanting};

/// Nobody looks by himself within the life of a test.
const NEVER: Duration = Duration::from_secs(1_000_000);

impl QueueHarness for Postgres {
    type Queue = PostgresQueue;

    async fn queue(&self, storage: &PostgresStorage, clock: &SimulatedClock) -> PostgresQueue {
        PostgresQueue::new(storage, Arc::new(clock.clone()), NEVER)
    }

    async fn elsewhere(
        &self,
        _: &PostgresQueue,
        storage: &PostgresStorage,
        clock: &SimulatedClock,
    ) -> PostgresQueue {
        PostgresQueue::new(storage, Arc::new(clock.clone()), NEVER)
    }
}

tasker_storage::queue_conformance!(postgres_queue, Postgres::default());

struct Queues {
    fixture: Fixture,
    clock: SimulatedClock,
    _still: tasker_engine::Busy,
}

impl Queues {
    async fn new() -> Self {
        let clock = SimulatedClock::new(NOW);
        Self { fixture: Fixture::new().await, _still: clock.busy(), clock }
    }

    fn queue(&self) -> PostgresQueue {
        PostgresQueue::new(&self.fixture.storage, Arc::new(self.clock.clone()), NEVER)
    }

    fn go_to(&self, seconds: u64) {
        self.clock.advance(later(seconds).since(self.clock.now()));
    }

    async fn start(&self, count: usize) -> Vec<Started> {
        let mut tasks = vec![];
        for _ in 0..count {
            tasks.push(self.fixture.start("a").await);
        }
        tasks
    }
}

async fn tasks(queue: &PostgresQueue, limit: usize) -> Vec<TaskId> {
    queue.receive(Interest::of(limit)).await.unwrap().wakes.iter().map(|wake| wake.task).collect()
}

/// Whether there is nothing to be received at this moment.
async fn waits(queue: &PostgresQueue, interest: Interest) -> bool {
    queue.try_receive(interest).await.unwrap().wakes.is_empty()
}

#[tokio::test]
async fn each_wake_is_handed_to_one_receiver_at_a_time() {
    let queues = Queues::new().await;
    let expected: Vec<_> = queues.start(20).await.iter().map(|task| task.id).collect();
    let (here, there) = (queues.queue(), queues.queue());
    let mut seen = vec![];
    for _ in 0..2 {
        let (one, other) = tokio::join!(tasks(&here, 5), tasks(&there, 5));
        seen.extend(one.into_iter().chain(other));
    }
    seen.sort_unstable();
    assert_eq!(seen, expected, "all, and none of them twice");
}

#[tokio::test]
async fn a_wake_whose_receiver_died_shows_again() {
    let queues = Queues::new().await;
    let task = queues.start(1).await.remove(0);
    assert_eq!(tasks(&queues.queue(), 1).await, [task.id]);
    let other = queues.queue();
    let waiting = tokio::spawn(async move { tasks(&other, 1).await });
    queues.go_to(5);
    assert_eq!(waiting.await.unwrap(), [task.id]);
}

#[tokio::test]
async fn a_wake_that_is_given_back_shows_at_once() {
    let queues = Queues::new().await;
    let task = queues.start(1).await.remove(0);
    let (here, there) = (queues.queue(), queues.queue());
    let received = here.receive(Interest::of(1)).await.unwrap().wakes;
    let waiting = tokio::spawn(async move { tasks(&there, 1).await });
    here.release(&received).await.unwrap();
    assert_eq!(waiting.await.unwrap(), [task.id], "and others hear of it");
}

#[tokio::test]
async fn giving_back_an_old_wake_shows_no_newer_one() {
    let queues = Queues::new().await;
    let task = queues.fixture.start("a, b").await;
    let queue = queues.queue();
    let old = queue.receive(Interest::of(1)).await.unwrap().wakes;
    let mut call = wanting(task.id);
    call.room.total = 1;
    queues.fixture.advance(call).await;
    assert_eq!(tasks(&queue, 1).await, [task.id], "the newer one is handed out");
    queue.release(&old).await.unwrap();
    assert!(waits(&queue, Interest::of(1)).await);
}

#[tokio::test]
async fn a_wake_that_was_written_anew_is_not_hidden() {
    let queues = Queues::new().await;
    let task = queues.fixture.start("a, b").await;
    let queue = queues.queue();
    assert_eq!(tasks(&queue, 1).await, [task.id]);
    let mut call = wanting(task.id);
    call.room.total = 1;
    assert_eq!(queues.fixture.advance(call).await.next_wake, Some(NOW), "one step is left over");
    assert_eq!(tasks(&queue, 1).await, [task.id]);
}

#[tokio::test]
async fn what_a_worker_left_over_for_want_of_room_is_kept_for_others_for_a_while() {
    let queues = Queues::new().await;
    let task = queues.fixture.start("a, b").await;
    let queue = queues.queue();
    let mut call = wanting(task.id);
    call.room.total = 1;
    let worker = call.worker;
    assert_eq!(queues.fixture.advance(call).await.next_wake, Some(NOW), "one step is left over");
    let mine = || Interest { worker: Some(worker), ..Interest::of(1) };
    assert!(waits(&queue, mine()).await, "it is in line there");
    queues.go_to(5);
    assert!(!waits(&queue, mine()).await, "nobody took it");
    let mut call = wanting(task.id);
    call.room.total = 0;
    queues.fixture.advance(call).await;
    assert_eq!(tasks(&queue, 1).await, [task.id], "it is for everybody else at once");
}

#[tokio::test]
async fn namespaces_take_turns_and_the_next_receiver_goes_on_where_they_were() {
    let queues = Queues::new().await;
    let of_namespace = |name: &str| {
        let mut template = template("a");
        name.clone_into(&mut template.namespace_name);
        bind(template)
    };
    let mut first = BTreeSet::new();
    for _ in 0..8 {
        first.insert(queues.fixture.start_with(of_namespace("crowd")).await.id);
    }
    for _ in 0..3 {
        queues.fixture.start_with(of_namespace("few")).await;
    }
    let queue = queues.queue();
    let mut turns = vec![];
    for limit in [1, 1, 1, 2] {
        turns.extend(tasks(&queue, limit).await.iter().map(|task| first.contains(task)));
    }
    assert_eq!(turns, [true, false, true, false, true]);
    // A wake that is due later is no turn.
    assert_eq!(tasks(&queue, 4).await.iter().filter(|task| first.contains(task)).count(), 2);
}

#[tokio::test]
async fn a_wake_that_somebody_writes_at_this_moment_is_passed_over() {
    let queues = Queues::new().await;
    let started = queues.start(2).await;
    let mut writer = queues.fixture.pool().begin().await.unwrap();
    sqlx::query("UPDATE tasker_wakes SET parked = 0 WHERE task_id = $1")
        .bind(started[0].id.0)
        .execute(&mut *writer)
        .await
        .unwrap();
    assert_eq!(tasks(&queues.queue(), 10).await, [started[1].id], "nobody waits for the writer");
    writer.rollback().await.unwrap();
}

fn except(definition: &BoundTemplate) -> Interest {
    Interest { unserved: Arc::new(BTreeSet::from([definition.hash().clone()])), ..Interest::of(10) }
}

#[tokio::test]
async fn wakes_that_a_receiver_cannot_serve_are_left_to_others() {
    let queues = Queues::new().await;
    let foreign = queues.fixture.start("a").await;
    let own = queues.fixture.start("b").await;
    let (here, there) = (queues.queue(), queues.queue());
    let received = here.receive(except(&foreign.definition)).await.unwrap().wakes;
    assert_eq!(received.iter().map(|wake| wake.task).collect::<Vec<_>>(), [own.id]);
    assert_eq!(tasks(&there, 10).await, [foreign.id], "at once, whoever looked before");
}

#[tokio::test]
async fn wakes_that_nobody_takes_are_parked_ever_longer() {
    let queues = Queues::new().await;
    let task = queues.fixture.start("a").await;
    let queue = queues.queue();
    let interest = except(&task.definition);
    let due = async || {
        let row = sqlx::query(
            "SELECT (extract(epoch FROM due_at - $1::timestamp))::bigint, parked FROM tasker_wakes",
        )
        .bind("2026-01-01 00:00:00".to_owned())
        .fetch_one(queues.fixture.pool())
        .await
        .unwrap();
        (row.get::<i64, _>(0), row.get::<i32, _>(1))
    };
    assert!(waits(&queue, interest.clone()).await);
    assert_eq!(due().await, (0, 0), "somebody else may have its handlers");
    let mut now = 3;
    for (times, wait) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
        queues.go_to(now);
        assert!(waits(&queue, interest.clone()).await);
        let until = i64::try_from(now).unwrap() + wait;
        assert_eq!(due().await, (until, i32::try_from(times).unwrap() + 1));
        // Others may take it until it has waited for three more seconds.
        now = u64::try_from(until).unwrap() + 3;
    }
    queues.go_to(now);
    assert_eq!(tasks(&queue, 1).await, [task.id], "and whoever has them is given it");
}

#[tokio::test]
async fn many_wakes_in_the_way_do_not_hide_what_can_be_served_for_ever() {
    let queues = Queues::new().await;
    let definition = bound("a");
    queues.fixture.storage.learn(&[Arc::clone(&definition)], NOW).await.unwrap();
    let requests =
        (0..700).map(|n| crate::fixture::new_task(&definition, &format!("in the way {n}"))).collect();
    queues.fixture.storage.create(requests, NOW).await.unwrap();
    let own = queues.fixture.start("b").await;
    let queue = queues.queue();
    assert!(waits(&queue, except(&definition)).await, "they may be somebody else's");
    queues.go_to(3);
    let mut received = vec![];
    while received.is_empty() {
        received = queue.receive(except(&definition)).await.unwrap().wakes;
    }
    assert_eq!(received[0].task, own.id);
}

#[tokio::test]
async fn a_process_notifies_others_once_for_much_at_a_time() {
    let queues = Queues::new().await;
    let mut listener = sqlx::postgres::PgListener::connect_with(queues.fixture.pool()).await.unwrap();
    listener.listen("tasker_wakes").await.unwrap();
    let queue = queues.queue();
    let wake = Wake { due: NOW, task: TaskId(1), generation: 1 };
    for _ in 0..1_000 {
        queue.enqueue(&[wake]).await.unwrap();
    }
    // The first, and one for all the others; a thousand would be said one after the other.
    listener.recv().await.unwrap();
    listener.recv().await.unwrap();
    queues.fixture.sql("SELECT pg_notify('tasker_wakes', 'the end')").await;
    let mut more = 0;
    while listener.recv().await.unwrap().payload() != "the end" {
        more += 1;
    }
    assert!(more <= 2, "{more} more");
}

#[tokio::test]
async fn what_is_due_later_is_no_news() {
    let queues = Queues::new().await;
    let mut listener = sqlx::postgres::PgListener::connect_with(queues.fixture.pool()).await.unwrap();
    listener.listen("tasker_wakes").await.unwrap();
    let wake = Wake { due: later(1), task: TaskId(1), generation: 1 };
    queues.queue().enqueue(&[wake]).await.unwrap();
    queues.fixture.sql("SELECT pg_notify('tasker_wakes', 'the end')").await;
    assert_eq!(listener.recv().await.unwrap().payload(), "the end");
}

#[tokio::test]
async fn a_receiver_goes_on_when_its_connections_were_cut() {
    let queues = Queues::new().await;
    let queue = queues.queue();
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { tasks(&queue, 1).await }
    });
    let listening = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query = 'LISTEN \"tasker_wakes\"'";
    while queues.fixture.number(listening).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    queues
        .fixture
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN \"tasker_wakes\"'")
        .await;
    while queues.fixture.number(listening).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let task = queues.start(1).await.remove(0);
    // As another process would: nobody rings here.
    queues.queue().enqueue(&[Wake { due: NOW, task: task.id, generation: 1 }]).await.unwrap();
    assert_eq!(waiting.await.unwrap(), [task.id]);
}

#[tokio::test]
async fn a_queue_that_is_dropped_listens_no_longer() {
    let queues = Queues::new().await;
    let queue = queues.queue();
    let listening = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'";
    let waiting = tokio::spawn(async move { tasks(&queue, 1).await });
    while queues.fixture.number(listening).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    waiting.abort();
    while queues.fixture.number(listening).await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
