//! Puts calls in an order: each waits for the lock of a task, one behind the other, until it is let go.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::task::JoinHandle;

use crate::fixture::{Fixture, Started};

/// A transaction of nobody's that holds the lock of a task.
pub(crate) struct Barrier<'a> {
    fixture: &'a Fixture,
    holder: PgConnection,
    waiting: i64,
}

impl<'a> Barrier<'a> {
    pub(crate) async fn before(fixture: &'a Fixture, task: &Started) -> Self {
        let mut holder = PgConnection::connect_with(&fixture.options()).await.unwrap();
        sqlx::query("BEGIN").execute(&mut holder).await.unwrap();
        sqlx::query("SELECT FROM tasker_tasks WHERE task_id = $1 FOR NO KEY UPDATE")
            .bind(task.id.0)
            .execute(&mut holder)
            .await
            .unwrap();
        Self { fixture, holder, waiting: 0 }
    }

    /// Starts a call and returns when it waits for the lock, behind those before it.
    pub(crate) async fn then<T: Send + 'static>(
        &mut self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let started = tokio::spawn(call);
        self.waiting += 1;
        until_waiting(self.fixture, self.waiting).await;
        started
    }

    pub(crate) async fn lift(mut self) {
        sqlx::query("ROLLBACK").execute(&mut self.holder).await.unwrap();
    }
}

/// Returns when so many sessions wait for a lock in the database.
pub(crate) async fn until_waiting(fixture: &Fixture, sessions: i64) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while fixture.number(waiting).await < sessions {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
