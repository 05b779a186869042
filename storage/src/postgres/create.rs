//! Creating tasks: any number in one statement.

use serde_json::{Value, json};
use tasker_engine::{
    CorrelationId, Creation, NewTask, StepId, StorageError, TaskId, TaskState, Timestamp, audit,
};

use super::PostgresStorage;
use super::error::storage_error;
use super::values::{Jsonb, List, Moment, integer};

impl PostgresStorage {
    pub(super) async fn create_tasks(
        &self,
        tasks: &[NewTask],
        now: Timestamp,
    ) -> Result<Vec<Creation>, StorageError> {
        if tasks.is_empty() {
            return Ok(vec![]);
        }
        tasks.iter().try_for_each(|task| task.check(&self.limits))?;
        let columns = Columns::of(tasks);
        let row = sqlx::query_as!(
            Created,
            "SELECT unknown, not_skippable, task_ids, created, settled, step_counts, step_ids
            FROM tasker_create($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            Moment(now),
            Jsonb::from(audit::step_skipped(audit::BYPASS_STEPS, None)),
            Jsonb::from(audit::skipped_results()),
            &columns.definition[..],
            &columns.identity_hash[..],
            &columns.requested_at[..],
            &columns.initiator[..],
            &columns.source_system[..],
            &columns.reason[..],
            &columns.tags[..],
            &columns.bypass_steps[..],
            &columns.context[..],
            &columns.correlation_id as &[Option<&str>],
            &columns.inputs.task[..],
            &columns.inputs.place[..],
            &columns.inputs.value[..],
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        creations(row)
    }
}

/// What came back.
struct Created {
    unknown: Option<String>,
    not_skippable: Option<String>,
    task_ids: List<i64>,
    created: List<bool>,
    settled: List<bool>,
    step_counts: List<i32>,
    step_ids: List<i64>,
}

fn creations(row: Created) -> Result<Vec<Creation>, StorageError> {
    if let Some(hash) = row.unknown {
        return Err(StorageError::UnknownDefinition(hash.into()));
    }
    if let Some(name) = row.not_skippable {
        return Err(StorageError::Bypass(name.into()));
    }
    let mut steps = row.step_ids.into_iter().map(StepId);
    let tasks = row.task_ids.into_iter().map(TaskId);
    let each = tasks.zip(row.created).zip(row.settled).zip(row.step_counts);
    Ok(each
        .map(|(((task, created), settled), count)| match created {
            true => Creation::Created {
                task,
                steps: steps.by_ref().take(usize::try_from(count).expect("a count")).collect(),
                settled: settled.then_some(TaskState::Complete),
            },
            false => Creation::Duplicate { task },
        })
        .collect())
}

/// Tasks as columns, one value for each.
struct Columns<'a> {
    definition: Vec<&'a str>,
    identity_hash: Vec<&'a str>,
    requested_at: Vec<Moment>,
    initiator: Vec<&'a str>,
    source_system: Vec<&'a str>,
    reason: Vec<&'a str>,
    tags: Vec<Jsonb>,
    bypass_steps: Vec<Jsonb>,
    correlation_id: Vec<Option<&'a str>>,
    context: Vec<Jsonb>,
    inputs: InputColumns,
}

/// Inputs that differ from the context.
#[derive(Default)]
struct InputColumns {
    task: Vec<i32>,
    place: Vec<i32>,
    value: Vec<Jsonb>,
}

impl<'a> Columns<'a> {
    fn of(tasks: &'a [NewTask]) -> Self {
        let texts = |of: fn(&NewTask) -> &str| tasks.iter().map(of).collect();
        let values = |of: fn(&NewTask) -> Value| tasks.iter().map(|task| of(task).into()).collect();
        Self {
            definition: texts(|task| &task.definition),
            identity_hash: texts(|task| &task.identity_hash),
            requested_at: tasks.iter().map(|task| Moment(task.request.requested_at)).collect(),
            initiator: texts(|task| &task.request.initiator),
            source_system: texts(|task| &task.request.source_system),
            reason: texts(|task| &task.request.reason),
            tags: values(|task| json!(task.request.tags)),
            bypass_steps: values(|task| json!(task.request.bypass_steps)),
            correlation_id: tasks
                .iter()
                .map(|task| task.request.correlation_id.as_ref().map(CorrelationId::as_str))
                .collect(),
            context: tasks.iter().map(|task| Jsonb::from(&task.request.context)).collect(),
            inputs: InputColumns::of(tasks),
        }
    }
}

impl InputColumns {
    fn of(tasks: &[NewTask]) -> Self {
        let mut columns = Self::default();
        for (number, task) in (1..).zip(tasks) {
            for (place, value) in &task.inputs {
                columns.task.push(number);
                columns.place.push(integer(*place));
                columns.value.push(value.into());
            }
        }
        columns
    }
}
