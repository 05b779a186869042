//! Taking over the tasks that Rails made.
//!
//! A task without a definition is another program's: no operation of the contract sees it, so an application that still
//! runs there and we do not run the same steps. Giving it a definition is an operator's act.

use std::sync::Arc;

use sqlx::PgConnection;
use tasker_engine::decide::{Plan, StepMove};
use tasker_engine::{
    BoundTemplate, Detail, StepId, StepRecord, StepState, StorageError, TaskId, TaskRecord, Timestamp, Token,
};

use super::PostgresStorage;
use super::error::storage_error;
use super::load::load;
use super::operate::{WakeAt, apply, lost_step, may_wake};
use super::values::{List, Moment};

/// How many tasks are taken in one transaction.
const PAGE: i32 = 500;

/// What becomes of steps that Rails left in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// They stay: whoever runs them may still end them, and until then their tasks wait.
    Leave,
    /// They fail as those of a lost worker do, and are tried again as far as their limits allow. Right when no process of
    /// Rails runs any more.
    Fail,
}

/// What came of [`PostgresStorage::take_over`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Tasks that are ours now.
    pub tasks: Vec<TaskId>,
    /// Tasks of the workflow that stay as they were, and why: their steps or edges are not those of the definition.
    pub left: Vec<(TaskId, String)>,
    /// Steps that were in progress and have failed now.
    pub interrupted: Vec<StepId>,
}

impl PostgresStorage {
    /// Takes over the unfinished tasks of a workflow that Rails made: pending, in progress or in error, of the same
    /// namespace, name and version, with the same steps in the same order and the same edges. From then on they run here
    /// as if they had been started here.
    ///
    /// Rails must not work on them any more. Taking over again takes what was added since.
    ///
    /// # Errors
    /// When the database fails. What was taken before that stays taken.
    pub async fn take_over(
        &self,
        definition: &Arc<BoundTemplate>,
        interrupted: Interrupted,
        now: Timestamp,
    ) -> Result<TakenOver, StorageError> {
        self.learn_definitions(std::slice::from_ref(definition), now).await?;
        let mut all = TakenOver::default();
        let mut after = Some(0);
        while let Some(place) = after {
            let mut transaction = self.begin().await?;
            let row = sqlx::query!(
                r#"SELECT taken, remaining, reasons AS "reasons: Vec<String>", next
                   FROM tasker_take_over($1, $2, $3, $4)"#,
                Moment(now),
                definition.hash().as_str(),
                place,
                PAGE,
            )
            .fetch_one(&mut *transaction)
            .await
            .map_err(storage_error)?;
            let tasks: Vec<_> = List::from(row.taken).into_iter().map(TaskId).collect();
            let left = List::from(row.remaining).into_iter().map(TaskId);
            let left: Vec<_> = left.zip(List::from(row.reasons)).collect();
            after = row.next;
            let failed = match interrupted {
                Interrupted::Leave => vec![],
                Interrupted::Fail => self.fail_interrupted(&mut transaction, &tasks, now).await?,
            };
            transaction.commit().await.map_err(storage_error)?;
            all.tasks.extend(tasks);
            all.left.extend(left);
            all.interrupted.extend(failed);
        }
        Ok(all)
    }

    async fn fail_interrupted(
        &self,
        connection: &mut PgConnection,
        tasks: &[TaskId],
        now: Timestamp,
    ) -> Result<Vec<StepId>, StorageError> {
        let mut failed = vec![];
        for task in load(connection, &self.templates, tasks, Detail::Graph).await? {
            let steps: Vec<_> = interrupted_steps(&task).collect();
            if steps.is_empty() {
                continue;
            }
            let wake = may_wake(&task).then_some(WakeAt::AtMost(now));
            let moves = steps
                .iter()
                .map(|(step, row)| StepMove { attempts: Some(step.attempts), ..lost_step(step, *row, now) });
            let plan = Plan { task: vec![], steps: moves.collect(), wake: true };
            apply(connection, &task, &plan, wake, now).await?;
            failed.extend(steps.into_iter().map(|(step, _)| step.id));
        }
        Ok(failed)
    }
}

/// The steps of a task that are in progress by the word of a row that names no worker, and that row. Rails counts an
/// attempt when it has ended; this one has.
fn interrupted_steps(task: &TaskRecord) -> impl Iterator<Item = (StepRecord, Token)> {
    let running = task.steps.iter().filter(|step| step.current.state == StepState::InProgress);
    running.filter(|step| step.current.metadata.get("worker_id").is_none()).filter_map(|step| {
        let row = Token(step.current.transition?.0);
        Some((StepRecord { attempts: step.attempts.saturating_add(1), ..step.clone() }, row))
    })
}
