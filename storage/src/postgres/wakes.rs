//! Which tasks are to be looked at: `due` and `sweep`.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tasker_engine::{Due, StorageError, Swept, TaskId, Timestamp, Wake};

use super::PostgresStorage;
use super::error::storage_error;
use super::values::{Moment, column, integer};

impl PostgresStorage {
    pub(super) async fn due_wakes(&self, now: Timestamp, limit: usize) -> Result<Due, StorageError> {
        // One more than asked for: it says when to come again.
        let rows = sqlx::query("SELECT task, due, generation FROM tasker_next_wakes($1)")
            .bind(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1))
            .fetch_all(&self.pool)
            .await
            .map_err(storage_error)?;
        let mut wakes = rows.iter().map(wake).collect::<Result<Vec<_>, _>>()?;
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
        let row = sqlx::query("SELECT woken, next FROM tasker_sweep($1, $2, $3)")
            .bind(Moment(now))
            .bind(after.map(|task| task.0))
            // The database adds one to it.
            .bind(integer(limit).min(i32::MAX - 1))
            .fetch_one(&self.pool)
            .await
            .map_err(storage_error)?;
        let woken: i32 = column(&row, "woken")?;
        Ok(Swept {
            woken: usize::try_from(woken).expect("a count"),
            next: column::<Option<i64>>(&row, "next")?.map(TaskId),
        })
    }
}

fn wake(row: &PgRow) -> Result<Wake, StorageError> {
    let read = || -> Result<Wake, sqlx::Error> {
        let due: Moment = row.try_get(1)?;
        Ok(Wake { task: TaskId(row.try_get(0)?), due: due.0, generation: row.try_get(2)? })
    };
    read().map_err(storage_error)
}
