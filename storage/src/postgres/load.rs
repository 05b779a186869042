//! Reading tasks: four statements at most, however many tasks, and one more for definitions not met before.

mod rows;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::PgConnection;
use tasker_engine::{
    Binding, CorrelationId, Current, DefinitionHash, Detail, SpawnedBy, StepId, StepName, StepRecord,
    StorageError, TaskId, TaskRecord, TaskRequest, Template, Transition, TransitionId, UnknownState,
};

use super::PostgresStorage;
use super::definitions::Templates;
use super::error::{corrupt, storage_error};
use super::values::{Jsonb, Moment};
use rows::{HistoryRow, StepRow, TaskRow, history_rows, step_rows, task_rows};

impl PostgresStorage {
    pub(super) async fn load_tasks(
        &self,
        tasks: &[TaskId],
        detail: Detail,
    ) -> Result<Vec<TaskRecord>, StorageError> {
        // One moment for all statements, and no lock.
        let mut transaction = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(storage_error)?;
        let records = load(&mut transaction, &self.templates, tasks, detail).await?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(records)
    }
}

/// Tasks as they stand for that transaction, in the order asked for; unknown ones are left out.
pub(super) async fn load(
    connection: &mut PgConnection,
    templates: &Templates,
    tasks: &[TaskId],
    detail: Detail,
) -> Result<Vec<TaskRecord>, StorageError> {
    let ids: Vec<i64> = tasks.iter().map(|task| task.0).collect();
    let mut records = load_records(connection, templates, &ids).await?;
    let owners: HashMap<i64, &TaskRecord> = records.iter().map(|record| (record.id.0, record)).collect();
    let mut steps: HashMap<TaskId, Vec<StepRecord>> = HashMap::new();
    for row in step_rows(connection, &ids).await? {
        // A task that was committed between two statements, where the transaction lets that be seen.
        let Some(owner) = owners.get(&row.task) else { continue };
        steps.entry(owner.id).or_default().push(step(row, owner)?);
    }
    for record in &mut records {
        record.steps = steps.get(&record.id).cloned().unwrap_or_default();
    }
    if detail == Detail::Audit {
        add_history(&mut records, history_rows(connection, &ids).await?)?;
    }
    Ok(records)
}

/// The tasks without their steps.
async fn load_records(
    connection: &mut PgConnection,
    templates: &Templates,
    ids: &[i64],
) -> Result<Vec<TaskRecord>, StorageError> {
    let rows = task_rows(connection, ids).await?;
    let definitions = rows.iter().map(definition).collect::<Result<Vec<_>, _>>()?;
    templates.read(connection, &definitions).await?;
    let mut records = Vec::with_capacity(rows.len());
    for (row, definition) in rows.into_iter().zip(definitions) {
        let template = templates.get(&definition);
        let template =
            template.ok_or_else(|| corrupt(format!("definition {definition}"), "it is not stored"))?;
        records.push(task(row, definition, template)?);
    }
    Ok(records)
}

fn definition(row: &TaskRow) -> Result<DefinitionHash, StorageError> {
    let hash = row.definition.as_deref();
    let hash =
        hash.ok_or_else(|| corrupt(format!("task {}", row.task), "it was made without a definition"))?;
    Ok(hash.into())
}

/// The task without its steps. Texts that Rails left null read as what it would have put there.
fn task(
    row: TaskRow,
    definition: DefinitionHash,
    template: Arc<Template>,
) -> Result<TaskRecord, StorageError> {
    let text = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
    let request = TaskRequest {
        context: row.context.map_or_else(|| Arc::new(json!({})), |context| context.0),
        requested_at: row.requested_at.0,
        initiator: text(row.initiator),
        source_system: text(row.source_system),
        reason: text(row.reason),
        tags: texts("tags", row.tags)?,
        bypass_steps: texts("bypass_steps", row.bypass_steps)?.into_iter().map(StepName::from).collect(),
        correlation_id: row.correlation_id.as_deref().and_then(CorrelationId::accept),
    };
    let standing = Standing {
        state: row.state,
        metadata: row.metadata,
        since: row.since,
        sort_key: row.sort_key,
        transition: row.transition,
    };
    Ok(TaskRecord {
        id: TaskId(row.task),
        identity_hash: row.identity_hash,
        template,
        definition,
        request,
        current: standing.current(|| format!("the state of task {}", row.task))?,
        complete: row.complete,
        steps: vec![],
        history: vec![],
        wake: row.due.map(|due| due.0).zip(row.generation),
        created_at: row.created_at.0,
    })
}

fn texts(column: &str, list: Option<Jsonb>) -> Result<Vec<String>, StorageError> {
    match list {
        Some(Jsonb(list)) if !list.is_null() => serde_json::from_value(Arc::unwrap_or_clone(list))
            .map_err(|error| corrupt(format!("column {column}"), error)),
        _ => Ok(vec![]),
    }
}

/// The most recent row of a task or step, as far as there is one.
struct Standing {
    state: Option<String>,
    metadata: Option<Jsonb>,
    since: Option<Moment>,
    sort_key: Option<i32>,
    transition: Option<i64>,
}

impl Standing {
    /// The state and its row; `pending` where there is no row.
    fn current<S>(self, what: impl FnOnce() -> String) -> Result<Current<S>, StorageError>
    where
        S: FromStr<Err = UnknownState>,
    {
        let state = self.state.as_deref().unwrap_or("pending");
        Ok(Current {
            state: state.parse().map_err(|error| corrupt(what(), error))?,
            metadata: metadata(self.metadata),
            since: self.since.map(|since| since.0),
            sort_key: self.sort_key.unwrap_or(0),
            transition: self.transition.map(TransitionId),
        })
    }
}

fn metadata(metadata: Option<Jsonb>) -> Value {
    metadata.map_or_else(|| json!({}), |metadata| Arc::unwrap_or_clone(metadata.0))
}

fn step(row: StepRow, task: &TaskRecord) -> Result<StepRecord, StorageError> {
    let binding = binding(&row, &task.template).ok_or_else(|| {
        let why = format!("`{}` is neither in its template nor was it spawned", row.name);
        corrupt(format!("step {}", row.step), why)
    })?;
    let standing = Standing {
        state: row.state,
        metadata: row.metadata,
        since: row.since,
        sort_key: row.sort_key,
        transition: row.transition,
    };
    Ok(StepRecord {
        id: StepId(row.step),
        binding,
        name: row.name.into(),
        current: standing.current(|| format!("the state of step {}", row.step))?,
        attempts: count(row.attempts),
        retry_limit: count(row.retry_limit),
        retryable: row.retryable,
        skippable: row.skippable,
        in_process: row.in_process,
        processed: row.processed,
        processed_at: row.processed_at.map(|moment| moment.0),
        last_attempted_at: row.last_attempted_at.map(|moment| moment.0),
        backoff_request_seconds: row.backoff_request_seconds,
        inputs: row.inputs.map_or_else(|| Arc::clone(&task.request.context), |inputs| inputs.0),
        results: row.results.map_or_else(|| Arc::new(json!({})), |results| results.0),
        parents: row.parents.into_iter().map(StepId).collect(),
        history: vec![],
    })
}

/// A number that is never below zero, whoever wrote it.
fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// What was noted when the step was spawned, or else what the template says.
fn binding(row: &StepRow, template: &Template) -> Option<Binding> {
    if let (Some(handler), Some(by), Some(index)) = (&row.handler, row.spawned_by, row.spawn_index) {
        return Some(Binding {
            handler: handler.as_str().into(),
            config: row.config.as_ref().map(|config| Arc::clone(&config.0)).unwrap_or_default(),
            spawned_by: Some(SpawnedBy { step: StepId(by), index: count(index) }),
        });
    }
    let step = template.step_templates.iter().find(|step| step.name == *row.name);
    step.map(|step| Binding {
        handler: step.handler_class.clone(),
        config: Arc::new(step.handler_config.clone()),
        spawned_by: None,
    })
}

/// Puts the rows, which come by task and in order, where they belong.
fn add_history(records: &mut [TaskRecord], rows: Vec<HistoryRow>) -> Result<(), StorageError> {
    let mut of_tasks: HashMap<i64, Vec<_>> = HashMap::new();
    let mut of_steps: HashMap<i64, Vec<_>> = HashMap::new();
    for row in rows {
        match row.step {
            Some(step) => of_steps.entry(step).or_default().push(transition(row)?),
            None => of_tasks.entry(row.task).or_default().push(transition(row)?),
        }
    }
    for record in records {
        record.history = of_tasks.get(&record.id.0).cloned().unwrap_or_default();
        for step in &mut record.steps {
            step.history = of_steps.get(&step.id.0).cloned().unwrap_or_default();
        }
    }
    Ok(())
}

fn transition<S>(row: HistoryRow) -> Result<Transition<S>, StorageError>
where
    S: FromStr<Err = UnknownState>,
{
    let state = |text: &str| text.parse().map_err(|error| corrupt(format!("transition {}", row.id), error));
    Ok(Transition {
        id: TransitionId(row.id),
        from: row.from_state.as_deref().map(state).transpose()?,
        to: state(&row.to_state)?,
        metadata: metadata(row.metadata),
        sort_key: row.sort_key,
        most_recent: row.most_recent,
        at: row.at.0,
    })
}
