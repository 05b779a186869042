//! What is done now and then: operators' acts, signs of life, lost workers.
//!
//! These are rare, so they take a few round trips to keep the rules in one place. In one transaction the task is
//! locked, read as it stands then, judged by the same functions of the engine that the memory backend calls, and the
//! plan is written by one function of the database, which decides nothing:
//!
//! ```text
//! lock ──▶ load ──▶ decide (in Rust) ──▶ tasker_apply ──▶ commit
//! ```

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sqlx::{PgConnection, PgTransaction};
use tasker_engine::decide::{Plan, StepFacts, StepMove, plan_intervention};
use tasker_engine::{
    Beat, Detail, ErrorReport, HandedBack, Intervened, Intervention, Rescue, Rescued, RetryAdvice, StepMoved,
    StepRecord, StepState, StorageError, TaskId, TaskMoved, TaskRecord, Timestamp, Token, TransitionId,
    WorkerId, audit, payload,
};

use super::PostgresStorage;
use super::error::storage_error;
use super::load::load;
use super::values::{Jsonb, Moment, integer};

/// A process that stands still in the midst of a transaction must not hold locks for as long: others wait for the tasks.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '5s'";

impl PostgresStorage {
    pub(super) async fn carry_out(&self, act: &Intervention) -> Result<Intervened, StorageError> {
        act.check(&self.limits)?;
        let mut transaction = self.begin().await?;
        let task = self
            .lock(&mut transaction, &[act.task])
            .await?
            .pop()
            .ok_or(StorageError::UnknownTask(act.task))?;
        let plan = match plan_intervention(&task, act) {
            Ok(plan) => plan,
            Err(not) => return Ok(Intervened::Not(not)),
        };
        let wake = plan.wake.then_some(WakeAt::Exactly(act.now));
        let written = apply(&mut transaction, &task, &plan, wake, act.now).await?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(moved(&task, &plan, written))
    }

    pub(super) async fn note_beat(&self, beat: &Beat) -> Result<Vec<HandedBack>, StorageError> {
        let label = Value::from(beat.label.as_str());
        payload::check(&label, &self.limits)
            .map_err(|error| StorageError::Payload { field: "label", error })?;
        let mut transaction = self.begin().await?;
        let held: Vec<i64> = beat.held.iter().map(|token| token.0).collect();
        let lost = sqlx::query_as!(
            Held,
            r#"SELECT task AS "task!", step AS "step!", token AS "token!" FROM tasker_beat($1, $2, $3, $4, $5)"#,
            Moment(beat.now),
            beat.worker.to_string(),
            &beat.label,
            &held[..],
            Moment(beat.hand_back_before),
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let mut handed_back = vec![];
        for task in self.lock(&mut transaction, &tasks_of(&lost)).await? {
            let steps: Vec<_> = current_claims(&task, &lost).collect();
            let moves = steps.iter().map(|(step, token)| StepMove {
                attempts: Some(step.attempts.saturating_sub(1)),
                ..step_move(step, StepState::Pending, unclaimed(audit::step_handed_back(*token)))
            });
            let plan = Plan { task: vec![], steps: moves.collect(), wake: true };
            let wake = may_wake(&task).then_some(WakeAt::AtMost(beat.now));
            let (_, rows) = apply(&mut transaction, &task, &plan, wake, beat.now).await?;
            let ended = steps.into_iter().zip(rows);
            handed_back.extend(ended.map(|((step, token), by)| HandedBack {
                token,
                task: task.id,
                step: step.id,
                by,
            }));
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(handed_back)
    }

    pub(super) async fn rescue_steps(&self, rescue: Rescue) -> Result<Vec<Rescued>, StorageError> {
        let mut transaction = self.begin().await?;
        let before = lost_claims(&mut transaction, rescue).await?;
        if before.is_empty() {
            transaction.rollback().await.map_err(storage_error)?;
            return Ok(vec![]);
        }
        let tasks = self.lock(&mut transaction, &tasks_of(&before)).await?;
        // A worker may have beaten, and a claim ended, while we waited for the locks.
        let still = lost_claims(&mut transaction, rescue).await?;
        let lost: Vec<_> = before.into_iter().filter(|claim| still.contains(claim)).collect();
        let mut rescued = vec![];
        for task in tasks {
            let steps: Vec<_> = current_claims(&task, &lost).collect();
            let moves: Vec<_> =
                steps.iter().map(|(step, token)| lost_step(step, *token, rescue.now)).collect();
            // Its other steps may have waited for the room; and if they are blocked, it may have to settle.
            let wake = may_wake(&task).then_some(WakeAt::AtMost(rescue.now));
            let plan = Plan { task: vec![], steps: moves, wake: true };
            let (_, rows) = apply(&mut transaction, &task, &plan, wake, rescue.now).await?;
            rescued.extend(steps.into_iter().zip(rows).map(|((step, token), by)| Rescued {
                task: task.id,
                step: step.id,
                token,
                by,
                worker: worker_of(step),
                attempt: step.attempts,
                blocked: StepFacts { state: StepState::Error, ..step.facts() }.blocked(),
            }));
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(rescued)
    }

    pub(super) async fn begin(&self) -> Result<PgTransaction<'static>, StorageError> {
        self.pool.begin_with(BEGIN).await.map_err(storage_error)
    }

    /// Locks tasks in ascending order and reads them as they stand then.
    async fn lock(
        &self,
        connection: &mut PgConnection,
        tasks: &[TaskId],
    ) -> Result<Vec<TaskRecord>, StorageError> {
        if tasks.is_empty() {
            return Ok(vec![]);
        }
        let ids: Vec<i64> = tasks.iter().map(|task| task.0).collect();
        sqlx::query!("SELECT tasker_hold_tasks($1)", &ids[..])
            .execute(&mut *connection)
            .await
            .map_err(storage_error)?;
        load(connection, &self.templates, tasks, Detail::Graph).await
    }
}

/// A claim that somebody holds.
#[derive(PartialEq)]
struct Held {
    task: i64,
    step: i64,
    token: i64,
}

async fn lost_claims(connection: &mut PgConnection, rescue: Rescue) -> Result<Vec<Held>, StorageError> {
    sqlx::query_as!(
        Held,
        r#"SELECT task AS "task!", step AS "step!", token AS "token!" FROM tasker_lost_claims($1, $2)"#,
        Moment(rescue.lost_before),
        i64::try_from(rescue.limit).unwrap_or(i64::MAX),
    )
    .fetch_all(connection)
    .await
    .map_err(storage_error)
}

/// Ascending, once each; the claims are ascending by task.
fn tasks_of(claims: &[Held]) -> Vec<TaskId> {
    let mut tasks: Vec<_> = claims.iter().map(|claim| TaskId(claim.task)).collect();
    tasks.dedup();
    tasks
}

/// The steps of a task that still run under one of these claims, ascending.
fn current_claims<'a>(
    task: &'a TaskRecord,
    claims: &'a [Held],
) -> impl Iterator<Item = (&'a StepRecord, Token)> {
    let tokens: HashSet<_> = claims.iter().map(|claim| Token(claim.token)).collect();
    let running = task.steps.iter().filter(|step| step.current.state == StepState::InProgress);
    running.filter_map(move |step| {
        let token = Token(step.current.transition?.0);
        tokens.contains(&token).then_some((step, token))
    })
}

fn step_move(step: &StepRecord, to: StepState, metadata: Value) -> StepMove {
    StepMove {
        step: step.id,
        from: step.current.state,
        to,
        metadata,
        attempts: None,
        retryable: None,
        results: None,
    }
}

/// A row that does not name the claim it ends. One that does says that the outcome of the claim was recorded; here none
/// was, and what the worker may still bring is stale.
fn unclaimed(mut metadata: Value) -> Value {
    if let Value::Object(keys) = &mut metadata {
        keys.remove("claim");
    }
    metadata
}

/// Who claimed a running step.
fn worker_of(step: &StepRecord) -> WorkerId {
    let worker = step.current.metadata.get("worker_id").cloned().unwrap_or_default();
    serde_json::from_value(worker).expect("a claim without a worker is nobody's to judge")
}

/// A failure like any other.
pub(super) fn lost_step(step: &StepRecord, token: Token, now: Timestamp) -> StepMove {
    let error = ErrorReport::worker_lost();
    let metadata = unclaimed(audit::step_failed(&audit::Failure {
        claim: token,
        attempt: step.attempts,
        duration: step.current.since.map_or(Duration::ZERO, |since| now.since(since)),
        error: &error,
        retry: RetryAdvice::Default,
        retryable: step.retryable,
        retry_limit: step.retry_limit,
        now,
    }));
    let mut results = step.results.as_object().cloned().unwrap_or_else(Map::new);
    results.extend([("error".into(), json!(error.message)), ("error_class".into(), json!(error.class))]);
    let results = Some(Value::Object(results).into());
    StepMove { results, ..step_move(step, StepState::Error, metadata) }
}

/// Whether the task may have a wake: it is open, and not held.
pub(super) fn may_wake(task: &TaskRecord) -> bool {
    task.current.state.is_open() && !task.is_held()
}

/// What the wake of a task becomes.
#[derive(Clone, Copy)]
pub(super) enum WakeAt {
    /// Due then.
    Exactly(Timestamp),
    /// Due then, unless it was due earlier.
    AtMost(Timestamp),
}

/// Writes a plan and answers with the rows of the task and of the steps.
pub(super) async fn apply(
    connection: &mut PgConnection,
    task: &TaskRecord,
    plan: &Plan,
    wake: Option<WakeAt>,
    now: Timestamp,
) -> Result<(Vec<TransitionId>, Vec<TransitionId>), StorageError> {
    let (due, keep_earlier) = match wake {
        None => (None, false),
        Some(WakeAt::Exactly(due)) => (Some(Moment(due)), false),
        Some(WakeAt::AtMost(due)) => (Some(Moment(due)), true),
    };
    let t_to: Vec<_> = plan.task.iter().map(|row| row.to.as_str()).collect();
    let t_metadata: Vec<Jsonb> = plan.task.iter().map(|row| row.metadata.clone().into()).collect();
    let steps = &plan.steps;
    let s_step: Vec<_> = steps.iter().map(|row| row.step.0).collect();
    let s_to: Vec<_> = steps.iter().map(|row| row.to.as_str()).collect();
    let s_metadata: Vec<Jsonb> = steps.iter().map(|row| row.metadata.clone().into()).collect();
    let s_attempts: Vec<_> = steps.iter().map(|row| row.attempts.map(integer)).collect();
    let s_retryable: Vec<_> = steps.iter().map(|row| row.retryable).collect();
    let s_results: Vec<_> = steps.iter().map(|row| row.results.as_ref().map(Jsonb::from)).collect();
    let row = sqlx::query!(
        r#"SELECT task_rows, step_rows FROM tasker_apply($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"#,
        Moment(now),
        task.id.0,
        &t_to[..],
        &t_metadata[..],
        &s_step[..],
        &s_to[..],
        &s_metadata[..],
        &s_attempts as &[Option<i32>],
        &s_retryable as &[Option<bool>],
        &s_results as &[Option<Jsonb>],
        due,
        keep_earlier,
    )
    .fetch_one(connection)
    .await
    .map_err(storage_error)?;
    let rows = |ids: Option<Vec<i64>>| ids.into_iter().flatten().map(TransitionId).collect();
    Ok((rows(row.task_rows), rows(row.step_rows)))
}

fn moved(
    task: &TaskRecord,
    plan: &Plan,
    (tasks, steps): (Vec<TransitionId>, Vec<TransitionId>),
) -> Intervened {
    let steps = plan.steps.iter().zip(steps);
    let steps = steps.map(|(row, by)| StepMoved { step: row.step, from: row.from, to: row.to, by });
    let mut steps: Vec<_> = steps.collect();
    steps.sort_unstable_by_key(|moved| moved.step);
    let rows = plan.task.iter().zip(tasks);
    Intervened::Moved {
        task: plan.task.last().map_or(task.current.state, |row| row.to),
        steps,
        rows: rows.map(|(row, by)| TaskMoved { from: row.from, to: row.to, by }).collect(),
    }
}
