//! Which tasks are to be looked at: `due` and `sweep`.

use tasker_engine::{Due, StorageError, Swept, TaskId, Timestamp, Wake};

use super::PostgresStorage;
use super::error::storage_error;
use super::values::{List, Moment, integer};

impl PostgresStorage {
    pub(super) async fn due_wakes(&self, now: Timestamp, limit: usize) -> Result<Due, StorageError> {
        let row = sqlx::query!(
            r#"SELECT tasks, dues AS "dues: Vec<Moment>", generations, next FROM tasker_due($1, $2)"#,
            Moment(now),
            // The database adds one to it.
            i64::try_from(limit).unwrap_or(i64::MAX).min(i64::MAX - 1),
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(Due { wakes: wakes(row.tasks, row.dues, row.generations), next: row.next.map(|next| next.0) })
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

/// Wakes from the columns of an answer.
pub(super) fn wakes(
    tasks: Option<Vec<i64>>,
    dues: Option<Vec<Moment>>,
    generations: Option<Vec<i64>>,
) -> Vec<Wake> {
    let wakes = List::from(tasks).into_iter().zip(List::from(dues)).zip(List::from(generations));
    wakes.map(|((task, due), generation)| Wake { due: due.0, task: TaskId(task), generation }).collect()
}
