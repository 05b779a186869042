//! Which tasks are to be looked at: `due` and `sweep`.

use tasker_engine::{Due, StorageError, Swept, TaskId, Timestamp, Wake};

use super::PostgresStorage;
use super::error::storage_error;
use super::values::{Moment, integer};

impl PostgresStorage {
    pub(super) async fn due_wakes(&self, now: Timestamp, limit: usize) -> Result<Due, StorageError> {
        let rows = sqlx::query!(
            r#"SELECT task AS "task!", due AS "due!", generation AS "generation!" FROM tasker_next_wakes($1)"#,
            // One more than asked for: it says when to come again.
            i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let mut wakes: Vec<_> = rows
            .into_iter()
            .map(|row| Wake { task: TaskId(row.task), due: row.due.0, generation: row.generation })
            .collect();
        let due = wakes.iter().take(limit).take_while(|wake| wake.due <= now).count();
        let next = wakes.get(due).map(|wake| wake.due);
        wakes.truncate(due);
        Ok(Due { wakes, next })
    }

    pub(super) async fn wake_forgotten(
        &self,
        now: Timestamp,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Swept, StorageError> {
        let row = sqlx::query!(
            r#"SELECT woken AS "woken!", next FROM tasker_sweep($1, $2, $3)"#,
            Moment(now),
            after.map(|task| task.0),
            // The database adds one to it.
            integer(limit).min(i32::MAX - 1),
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(Swept { woken: usize::try_from(row.woken).expect("a count"), next: row.next.map(TaskId) })
    }
}
