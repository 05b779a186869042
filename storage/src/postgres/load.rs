//! Reading tasks: four statements at most, however many tasks, and one more for definitions not met before.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use tasker_engine::{
    Binding, Current, DefinitionHash, Detail, SpawnedBy, StepId, StepName, StepRecord, StorageError, TaskId,
    TaskRecord, TaskRequest, Template, Transition, TransitionId, UnknownState,
};

use super::PostgresStorage;
use super::definitions::Templates;
use super::error::{corrupt, storage_error};
use super::values::{Jsonb, Moment, column};

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
    let rows = read(connection, "SELECT * FROM tasker_load_tasks($1)", &ids).await?;
    let definitions = rows.iter().map(definition).collect::<Result<Vec<_>, _>>()?;
    templates.read(connection, &definitions).await?;
    let mut records = Vec::with_capacity(rows.len());
    for (row, definition) in rows.iter().zip(definitions) {
        let template = templates.get(&definition);
        let template =
            template.ok_or_else(|| corrupt(format!("definition {definition}"), "it is not stored"))?;
        records.push(task(row, definition, template)?);
    }

    let mut steps: HashMap<TaskId, Vec<StepRecord>> = HashMap::new();
    let owners: HashMap<TaskId, &TaskRecord> = records.iter().map(|record| (record.id, record)).collect();
    for row in &read(connection, "SELECT * FROM tasker_load_steps($1)", &ids).await? {
        let id = TaskId(column(row, "task")?);
        // A task that was committed between two statements, where the transaction lets that be seen.
        let Some(owner) = owners.get(&id) else { continue };
        steps.entry(id).or_default().push(step(row, owner)?);
    }
    for record in &mut records {
        record.steps = steps.get(&record.id).cloned().unwrap_or_default();
    }
    if detail == Detail::Audit {
        let rows = read(connection, "SELECT * FROM tasker_load_history($1)", &ids).await?;
        add_history(&mut records, &rows)?;
    }
    Ok(records)
}

async fn read(
    connection: &mut PgConnection,
    statement: &'static str,
    tasks: &[i64],
) -> Result<Vec<PgRow>, StorageError> {
    sqlx::query(statement).bind(tasks).fetch_all(connection).await.map_err(storage_error)
}

fn definition(row: &PgRow) -> Result<DefinitionHash, StorageError> {
    let id: i64 = column(row, "task")?;
    let hash: Option<String> = column(row, "definition")?;
    let hash = hash.ok_or_else(|| corrupt(format!("task {id}"), "it was made without a definition"))?;
    Ok(hash.into())
}

/// The task without its steps.
fn task(
    row: &PgRow,
    definition: DefinitionHash,
    template: Arc<Template>,
) -> Result<TaskRecord, StorageError> {
    let id = TaskId(column(row, "task")?);
    let due: Option<Moment> = column(row, "due")?;
    let generation: Option<i64> = column(row, "generation")?;
    Ok(TaskRecord {
        id,
        identity_hash: column(row, "identity_hash")?,
        template,
        definition,
        request: request(row)?,
        current: current(row, || format!("the state of task {id}"))?,
        complete: column(row, "complete")?,
        steps: vec![],
        history: vec![],
        wake: due.map(|due| due.0).zip(generation),
        created_at: column::<Moment>(row, "created_at")?.0,
    })
}

/// Texts that Rails left null read as what it would have put there.
fn request(row: &PgRow) -> Result<TaskRequest, StorageError> {
    let text = |name| -> Result<String, StorageError> {
        Ok(column::<Option<String>>(row, name)?.unwrap_or_else(|| "unknown".to_owned()))
    };
    Ok(TaskRequest {
        context: value(row, "context")?.unwrap_or_else(|| Arc::new(json!({}))),
        requested_at: column::<Moment>(row, "requested_at")?.0,
        initiator: text("initiator")?,
        source_system: text("source_system")?,
        reason: text("reason")?,
        tags: texts(row, "tags")?,
        bypass_steps: texts(row, "bypass_steps")?.into_iter().map(StepName::from).collect(),
    })
}

fn texts(row: &PgRow, name: &'static str) -> Result<Vec<String>, StorageError> {
    match value(row, name)? {
        Some(list) if !list.is_null() => serde_json::from_value(Value::clone(&list))
            .map_err(|error| corrupt(format!("column {name}"), error)),
        _ => Ok(vec![]),
    }
}

fn value(row: &PgRow, name: &'static str) -> Result<Option<Arc<Value>>, StorageError> {
    Ok(column::<Option<Jsonb>>(row, name)?.map(|value| value.0))
}

/// The state and its row; `pending` where there is no row.
fn current<S>(row: &PgRow, what: impl FnOnce() -> String) -> Result<Current<S>, StorageError>
where
    S: std::str::FromStr<Err = UnknownState>,
{
    let state: Option<String> = column(row, "state")?;
    let state = state.as_deref().unwrap_or("pending").parse().map_err(|error| corrupt(what(), error))?;
    Ok(Current {
        state,
        metadata: metadata(row)?,
        since: column::<Option<Moment>>(row, "since")?.map(|since| since.0),
        sort_key: column::<Option<i32>>(row, "sort_key")?.unwrap_or(0),
        transition: column::<Option<i64>>(row, "transition")?.map(TransitionId),
    })
}

fn metadata(row: &PgRow) -> Result<Value, StorageError> {
    Ok(value(row, "metadata")?.map_or_else(|| json!({}), Arc::unwrap_or_clone))
}

fn step(row: &PgRow, task: &TaskRecord) -> Result<StepRecord, StorageError> {
    let id = StepId(column(row, "step")?);
    let name: String = column(row, "name")?;
    let moment =
        |name| -> Result<_, StorageError> { Ok(column::<Option<Moment>>(row, name)?.map(|moment| moment.0)) };
    Ok(StepRecord {
        id,
        binding: binding(row, &name, &task.template)?.ok_or_else(|| {
            corrupt(format!("step {id}"), format!("`{name}` is neither in its template nor was it spawned"))
        })?,
        name: name.into(),
        current: current(row, || format!("the state of step {id}"))?,
        attempts: count(row, "attempts")?,
        retry_limit: count(row, "retry_limit")?,
        retryable: column(row, "retryable")?,
        skippable: column(row, "skippable")?,
        in_process: column(row, "in_process")?,
        processed: column(row, "processed")?,
        processed_at: moment("processed_at")?,
        last_attempted_at: moment("last_attempted_at")?,
        backoff_request_seconds: column(row, "backoff_request_seconds")?,
        inputs: value(row, "inputs")?.unwrap_or_else(|| Arc::clone(&task.request.context)),
        results: value(row, "results")?.unwrap_or_else(|| Arc::new(json!({}))),
        parents: column::<Vec<i64>>(row, "parents")?.into_iter().map(StepId).collect(),
        history: vec![],
    })
}

/// A number that is never below zero, whoever wrote it.
fn count(row: &PgRow, name: &'static str) -> Result<u32, StorageError> {
    Ok(u32::try_from(column::<i32>(row, name)?).unwrap_or(0))
}

/// What was noted when the step was spawned, or else what the template says.
fn binding(row: &PgRow, name: &str, template: &Template) -> Result<Option<Binding>, StorageError> {
    if let Some(handler) = column::<Option<String>>(row, "handler")? {
        let spawned_by =
            SpawnedBy { step: StepId(column(row, "spawned_by")?), index: count(row, "spawn_index")? };
        let config = value(row, "config")?.unwrap_or_default();
        return Ok(Some(Binding { handler: handler.into(), config, spawned_by: Some(spawned_by) }));
    }
    let step = template.step_templates.iter().find(|step| step.name == *name);
    Ok(step.map(|step| Binding {
        handler: step.handler_class.clone(),
        config: Arc::new(step.handler_config.clone()),
        spawned_by: None,
    }))
}

/// Puts the rows, which come by task and in order, where they belong.
fn add_history(records: &mut [TaskRecord], rows: &[PgRow]) -> Result<(), StorageError> {
    let mut of_tasks: HashMap<i64, Vec<_>> = HashMap::new();
    let mut of_steps: HashMap<i64, Vec<_>> = HashMap::new();
    for row in rows {
        match column::<Option<i64>>(row, "step")? {
            Some(step) => of_steps.entry(step).or_default().push(transition(row)?),
            None => of_tasks.entry(column(row, "task")?).or_default().push(transition(row)?),
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

fn transition<S>(row: &PgRow) -> Result<Transition<S>, StorageError>
where
    S: std::str::FromStr<Err = UnknownState>,
{
    let id: i64 = column(row, "id")?;
    let state = |text: &str| text.parse().map_err(|error| corrupt(format!("transition {id}"), error));
    let from: Option<String> = column(row, "from_state")?;
    Ok(Transition {
        id: TransitionId(id),
        from: from.as_deref().map(state).transpose()?,
        to: state(column(row, "to_state")?)?,
        metadata: metadata(row)?,
        sort_key: column(row, "sort_key")?,
        most_recent: column(row, "most_recent")?,
        at: column::<Moment>(row, "at")?.0,
    })
}
