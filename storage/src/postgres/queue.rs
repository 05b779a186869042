//! The queue that needs nothing but the database: it hands out the storage's own wakes.
//!
//! ```text
//!   enqueue ──▶ bell ──▶ receive ──▶ tasker_receive_wakes: due wakes, each to one receiver at a time
//!      │          ▲
//!      └─ notify ─┼──▶ bells of other processes          at most every 50 ms, after the commit
//!                 └─── notifications of other processes
//! ```

mod notify;

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::postgres::PgPool;
use tasker_engine::{
    Clock as _, Condition, Delivery, DynClock, Enqueue, Interest, Queue, QueueError, StorageError, Timestamp,
    Wake,
};

use super::PostgresStorage;
use super::error::storage_error;
use super::values::{Moment, integer};
use super::wakes::wakes;
use notify::{Listener, Notifier};

/// For so long a wake that was handed out is hidden from other receivers. By then its task was looked at, or the
/// receiver is gone.
const HIDDEN: Duration = Duration::from_secs(5);

/// So long a wake that this process has no handlers for is left to others, before it is taken to be nobody's and parked.
const PATIENCE: Duration = Duration::from_secs(3);

/// The wakes of a [`PostgresStorage`], handed out to one receiver at a time, in any number of processes.
///
/// Nothing is kept beside the storage: a wake is written by the commit that makes a task movable, and replaced by the
/// one that moves it. `enqueue` only rings: here at once, and in other processes by `NOTIFY`, sent after the fact, from a
/// connection of its own, at most every 50 ms, so that it never slows the server's commits. Who misses it looks again
/// after `poll`.
///
/// Receiving takes one statement, and `LISTEN` one connection for as long as the queue lives, from the first `receive` on.
/// Behind a pooler that does not pass notifications on, other processes look every `poll`. Clones are one queue.
#[derive(Clone, Debug)]
pub struct PostgresQueue {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    clock: Arc<dyn DynClock>,
    poll: Duration,
    bell: Bell,
    notifier: Notifier,
    listener: Listener,
    /// The namespace of the last wake that was handed out: the next one begins after it.
    namespace: AtomicI64,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresQueue").field("poll", &self.poll).finish_non_exhaustive()
    }
}

impl PostgresQueue {
    /// The wakes of that storage, by that clock; `poll` is how often the table is looked at when nobody rings.
    #[must_use]
    pub fn new(storage: &PostgresStorage, clock: Arc<dyn DynClock>, poll: Duration) -> Self {
        let inner = |inner: &Weak<Inner>| Inner {
            notifier: Notifier::new(storage.pool().clone()),
            listener: Listener::new(inner.clone(), storage.pool()),
            pool: storage.pool().clone(),
            bell: Bell::default(),
            namespace: AtomicI64::new(0),
            clock,
            poll,
        };
        Self { inner: Arc::new_cyclic(inner) }
    }
}

impl Enqueue for PostgresQueue {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        if wakes.is_empty() {
            return Ok(());
        }
        self.inner.ring();
        let now = self.inner.clock.now();
        if wakes.iter().any(|wake| wake.due <= now) {
            self.inner.notifier.notify_soon();
        }
        Ok(())
    }
}

impl Queue for PostgresQueue {
    async fn receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        let inner = &*self.inner;
        inner.listener.listen();
        loop {
            let busy = inner.clock.busy();
            // Before the look: whoever rings from now on is heard.
            let heard = inner.bell.rung();
            let (wakes, next) = inner.hand_out(&interest).await.map_err(|error| QueueError(error.into()))?;
            if !wakes.is_empty() {
                return Ok(Delivery { wakes, missed: false, busy });
            }
            let again = inner.clock.now() + inner.poll;
            let sleep = inner.clock.sleep_until(next.map_or(again, |next| next.min(again)));
            let (busy, _) = busy
                .wait_for(async {
                    tokio::select! {
                        biased;
                        busy = inner.bell.rings_after(heard) => busy,
                        busy = sleep => busy,
                    }
                })
                .await;
            drop(busy);
        }
    }

    async fn try_receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        let busy = self.inner.clock.busy();
        let (wakes, _) = self.inner.hand_out(&interest).await.map_err(|error| QueueError(error.into()))?;
        Ok(Delivery { wakes, missed: false, busy })
    }

    /// The wake was replaced, or removed, by the call that looked at its task.
    async fn ack(&self, _: &[Wake]) -> Result<(), QueueError> {
        Ok(())
    }

    async fn release(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        let tasks: Vec<i64> = wakes.iter().map(|wake| wake.task.0).collect();
        let generations: Vec<i64> = wakes.iter().map(|wake| wake.generation).collect();
        sqlx::query("SELECT tasker_release_wakes($1, $2)")
            .bind(tasks)
            .bind(generations)
            .execute(&self.inner.pool)
            .await
            .map_err(|error| QueueError(storage_error(error).into()))?;
        self.enqueue(wakes).await
    }

    fn finds_stored_wakes(&self) -> bool {
        true
    }
}

impl Inner {
    fn ring(&self) {
        self.bell.ring(&self.clock);
    }

    /// Wakes that are due; or else when to look again, if that is known.
    async fn hand_out(&self, interest: &Interest) -> Result<(Vec<Wake>, Option<Timestamp>), StorageError> {
        let unserved: Vec<&str> = interest.unserved.iter().map(|hash| hash.as_str()).collect();
        let row = sqlx::query!(
            r#"SELECT tasks, dues AS "dues: Vec<Moment>", generations, namespace, next
               FROM tasker_receive_wakes($1, $2, $3, $4, $5, $6, $7)"#,
            Moment(self.clock.now()),
            interest.worker.map(|worker| worker.to_string()),
            integer(interest.limit.clamp(1, 10_000)),
            self.namespace.load(Relaxed),
            HIDDEN as _,
            PATIENCE as _,
            &unserved,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        if let Some(last) = row.namespace {
            self.namespace.store(last, Relaxed);
        }
        Ok((wakes(row.tasks, row.dues, row.generations), row.next.map(|next| next.0)))
    }
}

/// Counts how often it was rung, so that every receiver hears it.
#[derive(Debug, Default)]
struct Bell(Condition<u64>);

impl Bell {
    fn ring(&self, clock: &Arc<dyn DynClock>) {
        self.0.change(clock, |count| *count += 1);
    }

    fn rung(&self) -> u64 {
        self.0.peek(|count| *count)
    }

    async fn rings_after(&self, heard: u64) -> tasker_engine::Busy {
        self.0.until(|count| (*count > heard).then_some(())).await.1
    }
}
