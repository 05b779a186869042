//! Writing records: a row that is to be there once is looked for, then written, and looked for again if somebody was
//! faster. Names are inserted only where they are missing, because an insert that conflicts uses up a number.

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, PgTransaction, Postgres};
use tasker_engine::decide::Plan;
use tasker_engine::records::{
    AnnotationId, AnnotationTypeRow, AnnotationTypes, Deletion, DependentSystemObjectMapRow,
    DependentSystemObjectMaps, DependentSystemRow, DependentSystems, EdgeVerdict, Fault, Kept, NamedStepRow,
    NamedSteps, NamedTaskId, NamedTaskRow, NamedTasks, NamedTasksNamedStepRow, NamedTasksNamedSteps,
    NewAnnotation, NewEdge, NewNamed, NewNamedStep, NewNamedTask, NewNamedTasksNamedStep, NewObjectMap,
    RecordError, Scope, StepChange, TaskAnnotationRow, TaskAnnotations, TaskChange, TaskNamespaceRow,
    TaskNamespaces, TaskRow, Tasks, WorkflowStepEdgeRow, WorkflowStepEdges, WorkflowStepRow, WorkflowSteps,
    Write, check_annotation, check_configuration, judge_edge, judge_step_change, merged, systems_of,
};
use tasker_engine::{Detail, StepId, StorageError, TaskId, TaskRecord, Timestamp, payload};

use super::super::PostgresStorage;
use super::super::error::storage_error;
use super::super::load::load;
use super::super::operate::{WakeAt, apply};
use super::super::values::{Jsonb, Moment};
use super::model::{SqlModel, Want, compile};

#[async_trait]
impl Write for PostgresStorage {
    async fn find_or_create_task_namespace(
        &self,
        new: &NewNamed,
        now: Timestamp,
    ) -> Result<Kept<TaskNamespaceRow>, RecordError> {
        new.check()?;
        let mut transaction = self.begin_records().await?;
        let row = namespace(&mut transaction, new, now).await?;
        commit(transaction, row).await
    }

    async fn find_or_create_named_task(
        &self,
        new: &NewNamedTask,
        now: Timestamp,
    ) -> Result<Kept<NamedTaskRow>, RecordError> {
        new.check(&self.limits)?;
        let mut transaction = self.begin_records().await?;
        let space = namespace(&mut transaction, &NewNamed::new(&*new.namespace_name), now).await?.row();
        let scope = NamedTasks::of_namespaces([space.task_namespace_id]);
        let scope = scope.named(&*new.name).with_version(&*new.version);
        let configuration = &Jsonb::from(Value::Object(new.configuration.clone()));
        let row = once(&mut transaction, &scope, || {
            sqlx::query!(
                "INSERT INTO tasker_named_tasks
                    (task_namespace_id, name, version, description, configuration, created_at, updated_at)
                 VALUES ($1::bigint, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING",
                space.task_namespace_id.0,
                new.name,
                new.version,
                new.description,
                configuration as _,
                Moment(now) as _,
            )
        });
        let row = row.await?;
        commit(transaction, row).await
    }

    async fn update_config(
        &self,
        named_task: NamedTaskId,
        changes: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<NamedTaskRow, RecordError> {
        check_configuration(changes, &self.limits)?;
        let mut transaction = self.begin_records().await?;
        let not_found = RecordError::NotFound { what: "named task", id: named_task.0 };
        let old = sqlx::query_scalar!(
            "SELECT configuration FROM tasker_named_tasks WHERE named_task_id = $1::bigint FOR NO KEY UPDATE",
            named_task.0,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(storage_error)?
        .ok_or(not_found)?;
        let new = merged(&old.map_or(Value::Null, |old| Value::clone(&old.0)), changes);
        sqlx::query!(
            "UPDATE tasker_named_tasks SET configuration = $2, updated_at = $3 WHERE named_task_id = $1::bigint",
            named_task.0,
            Jsonb::from(new) as _,
            Moment(now) as _,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let row = only(&mut transaction, &NamedTasks::with_ids([named_task])).await?;
        commit(transaction, row).await
    }

    async fn find_or_create_dependent_system(
        &self,
        new: &NewNamed,
        now: Timestamp,
    ) -> Result<Kept<DependentSystemRow>, RecordError> {
        new.check()?;
        let mut transaction = self.begin_records().await?;
        let row = system(&mut transaction, new, now).await?;
        commit(transaction, row).await
    }

    async fn find_or_create_named_steps(
        &self,
        new: &[NewNamedStep],
        now: Timestamp,
    ) -> Result<Vec<NamedStepRow>, RecordError> {
        NewNamedStep::check(new)?;
        let mut transaction = self.begin_records().await?;
        // Systems first and then names, each sorted, as everybody does it: nobody waits in a circle.
        for name in systems_of(new) {
            system(&mut transaction, &NewNamed::new(name), now).await?;
        }
        let mut order: Vec<usize> = (0..new.len()).collect();
        order.sort_by_key(|place| (&new[*place].dependent_system_name, &new[*place].name));
        let mut rows: Vec<Option<NamedStepRow>> = vec![None; new.len()];
        for place in order {
            rows[place] = Some(named_step(&mut transaction, &new[place], now).await?);
        }
        commit(transaction, rows.into_iter().flatten().collect()).await
    }

    async fn find_or_create_named_tasks_named_step(
        &self,
        new: &NewNamedTasksNamedStep,
        now: Timestamp,
    ) -> Result<Kept<NamedTasksNamedStepRow>, RecordError> {
        new.check()?;
        let mut transaction = self.begin_records().await?;
        must_exist(&mut transaction, &NamedTasks::with_ids([new.named_task_id]), "named_task").await?;
        must_exist(&mut transaction, &NamedSteps::with_ids([new.named_step_id]), "named_step").await?;
        let scope = NamedTasksNamedSteps::of_named_tasks([new.named_task_id]);
        let scope = scope.of_named_steps([new.named_step_id]);
        let row = once(&mut transaction, &scope, || {
            sqlx::query!(
                "INSERT INTO tasker_named_tasks_named_steps
                    (named_task_id, named_step_id, skippable, default_retryable, default_retry_limit,
                     created_at, updated_at)
                 VALUES ($1::bigint, $2::bigint, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING",
                new.named_task_id.0,
                new.named_step_id.0,
                new.skippable,
                new.default_retryable,
                new.default_retry_limit,
                Moment(now) as _,
            )
        });
        let row = row.await?;
        commit(transaction, row).await
    }

    async fn find_or_create_object_map(
        &self,
        new: &NewObjectMap,
        now: Timestamp,
    ) -> Result<Kept<DependentSystemObjectMapRow>, RecordError> {
        new.check()?;
        let mut transaction = self.begin_records().await?;
        let mut names = [&*new.system_one, &*new.system_two];
        names.sort_unstable();
        for name in names {
            system(&mut transaction, &NewNamed::new(name), now).await?;
        }
        let one = only(&mut transaction, &DependentSystems::named(&*new.system_one)).await?;
        let two = only(&mut transaction, &DependentSystems::named(&*new.system_two)).await?;
        let [(one, remote_one), (two, remote_two)] =
            new.in_order(one.dependent_system_id, two.dependent_system_id);
        let scope = DependentSystemObjectMaps::with_system_one([one]).with_system_two([two]);
        let scope = scope.with_remote_id_one(remote_one).with_remote_id_two(remote_two);
        let row = once(&mut transaction, &scope, || {
            sqlx::query!(
                "INSERT INTO tasker_dependent_system_object_maps
                    (dependent_system_one_id, dependent_system_two_id, remote_id_one, remote_id_two,
                     created_at, updated_at)
                 VALUES ($1::bigint, $2::bigint, $3, $4, $5, $5) ON CONFLICT DO NOTHING",
                one.0,
                two.0,
                remote_one,
                remote_two,
                Moment(now) as _,
            )
        });
        let row = row.await?;
        commit(transaction, row).await
    }

    async fn find_or_create_annotation_type(
        &self,
        new: &NewNamed,
        now: Timestamp,
    ) -> Result<Kept<AnnotationTypeRow>, RecordError> {
        new.check()?;
        let mut transaction = self.begin_records().await?;
        let row = annotation_type(&mut transaction, new, now).await?;
        commit(transaction, row).await
    }

    async fn annotate(&self, new: &NewAnnotation, now: Timestamp) -> Result<TaskAnnotationRow, RecordError> {
        new.check(&self.limits)?;
        let mut transaction = self.begin_records().await?;
        must_exist(&mut transaction, &Tasks::with_ids([new.task_id]), "task").await?;
        let kind = annotation_type(&mut transaction, &NewNamed::new(&*new.annotation_type), now).await?.row();
        let written = sqlx::query_scalar!(
            "INSERT INTO tasker_task_annotations (task_id, annotation_type_id, annotation, created_at, updated_at)
             VALUES ($1, $2::bigint, $3, $4, $4) RETURNING task_annotation_id",
            new.task_id.0,
            kind.annotation_type_id.0,
            Jsonb::from(new.annotation.clone()) as _,
            Moment(now) as _,
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let row = only(&mut transaction, &TaskAnnotations::with_ids([AnnotationId(written)])).await?;
        commit(transaction, row).await
    }

    async fn update_annotation(
        &self,
        annotation: AnnotationId,
        says: &Value,
        now: Timestamp,
    ) -> Result<TaskAnnotationRow, RecordError> {
        check_annotation(says, &self.limits)?;
        let mut transaction = self.begin_records().await?;
        let written = sqlx::query!(
            "UPDATE tasker_task_annotations SET annotation = $2, updated_at = $3 WHERE task_annotation_id = $1",
            annotation.0,
            Jsonb::from(says.clone()) as _,
            Moment(now) as _,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        if written.rows_affected() == 0 {
            return Err(RecordError::NotFound { what: "task annotation", id: annotation.0 });
        }
        let row = only(&mut transaction, &TaskAnnotations::with_ids([annotation])).await?;
        commit(transaction, row).await
    }

    async fn create_edge(
        &self,
        new: &NewEdge,
        now: Timestamp,
    ) -> Result<Kept<WorkflowStepEdgeRow>, RecordError> {
        new.check()?;
        let mut transaction = self.begin_records().await?;
        task_of(&mut transaction, new.from_step_id).await?;
        let task = task_of(&mut transaction, new.to_step_id).await?;
        let task = self.hold(&mut transaction, task).await?;
        let verdict = judge_edge(&task, new)?;
        if verdict == EdgeVerdict::New {
            sqlx::query!(
                "INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $4)",
                new.from_step_id.0,
                new.to_step_id.0,
                new.name,
                Moment(now) as _,
            )
            .execute(&mut *transaction)
            .await
            .map_err(storage_error)?;
        }
        let scope = WorkflowStepEdges::parents_of(new.to_step_id).from_steps([new.from_step_id]);
        let edge = only(&mut transaction, &scope.limit(1)).await?;
        let edge = match verdict {
            EdgeVerdict::New => Kept::Created(edge),
            EdgeVerdict::Known => Kept::Found(edge),
        };
        commit(transaction, edge).await
    }

    async fn update_task(
        &self,
        task: TaskId,
        change: &TaskChange,
        now: Timestamp,
    ) -> Result<TaskRow, RecordError> {
        change.check(&self.limits)?;
        let mut transaction = self.begin_records().await?;
        let tags = change.tags.as_ref().map(|tags| Jsonb::from(json!(tags)));
        let written = sqlx::query!(
            "UPDATE tasker_tasks SET reason = coalesce($2, reason), tags = coalesce($3, tags), updated_at = $4
             WHERE task_id = $1",
            task.0,
            change.reason,
            tags as Option<Jsonb>,
            Moment(now) as _,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        if written.rows_affected() == 0 {
            return Err(RecordError::NotFound { what: "task", id: task.0 });
        }
        let row = only(&mut transaction, &Tasks::with_ids([task])).await?;
        commit(transaction, row).await
    }

    async fn update_step(
        &self,
        step: StepId,
        change: &StepChange,
        now: Timestamp,
    ) -> Result<WorkflowStepRow, RecordError> {
        change.check(&self.limits)?;
        let mut transaction = self.begin_records().await?;
        let task = task_of(&mut transaction, step).await?;
        let task = self.hold(&mut transaction, task).await?;
        judge_step_change(&task, step)?;
        let inputs = change.inputs.as_ref().map(|inputs| Jsonb(payload::normalised(inputs)));
        sqlx::query!(
            "UPDATE tasker_workflow_steps
             SET retry_limit = coalesce($2, retry_limit), inputs = coalesce($3, inputs), updated_at = $4
             WHERE workflow_step_id = $1",
            step.0,
            change.retry_limit,
            inputs as Option<Jsonb>,
            Moment(now) as _,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        if task.current.state.is_open() && !task.is_held() {
            let plan = Plan { task: vec![], steps: vec![], wake: true };
            apply(&mut transaction, &task, &plan, Some(WakeAt::AtMost(now)), now).await?;
        }
        let row = only(&mut transaction, &WorkflowSteps::with_ids([step])).await?;
        commit(transaction, row).await
    }

    async fn delete(&self, row: Deletion) -> Result<(), RecordError> {
        let (what, id) = row.what();
        let Removal { lock, users, before, delete } = removal(row);
        let mut transaction = self.begin_records().await?;
        // Whoever is about to refer to the row waits for us from here on, and whoever did so before has committed.
        let found = sqlx::query(lock).bind(id).fetch_optional(&mut *transaction).await;
        found.map_err(storage_error)?.ok_or(RecordError::NotFound { what, id })?;
        for (by, used) in users {
            let used = sqlx::query_scalar(*used).bind(id).fetch_one(&mut *transaction).await;
            if used.map_err(storage_error)? {
                return Err(RecordError::InUse { what, id, by });
            }
        }
        for statement in before.iter().chain([&delete]) {
            sqlx::query(*statement).bind(id).execute(&mut *transaction).await.map_err(storage_error)?;
        }
        commit(transaction, ()).await
    }
}

impl PostgresStorage {
    async fn begin_records(&self) -> Result<PgTransaction<'static>, RecordError> {
        let begun = self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await;
        Ok(begun.map_err(storage_error)?)
    }

    /// Locks a task, and reads it as it stands then.
    async fn hold(&self, connection: &mut PgConnection, task: TaskId) -> Result<TaskRecord, RecordError> {
        sqlx::query!("SELECT tasker_hold_tasks($1)", &[task.0])
            .fetch_one(&mut *connection)
            .await
            .map_err(storage_error)?;
        let mut found = load(connection, &self.templates, &[task], Detail::Graph).await?;
        found.pop().ok_or(RecordError::Storage(StorageError::UnknownTask(task)))
    }
}

async fn commit<T>(transaction: PgTransaction<'_>, answer: T) -> Result<T, RecordError> {
    transaction.commit().await.map_err(storage_error)?;
    Ok(answer)
}

async fn find<M: SqlModel>(
    connection: &mut PgConnection,
    scope: &Scope<M>,
) -> Result<Option<M::Row>, RecordError> {
    let rows = compile(Want::Rows, scope).fetch_all(connection).await?;
    Ok(rows.first().map(M::row).transpose()?)
}

/// The row of a scope that finds one.
async fn only<M: SqlModel>(connection: &mut PgConnection, scope: &Scope<M>) -> Result<M::Row, RecordError> {
    let found = find(connection, scope).await?;
    Ok(found.ok_or_else(|| storage_error(sqlx::Error::RowNotFound))?)
}

async fn must_exist<M: SqlModel>(
    connection: &mut PgConnection,
    scope: &Scope<M>,
    field: &'static str,
) -> Result<(), RecordError> {
    let found = find(connection, scope).await?;
    found.map(drop).ok_or(RecordError::invalid(field, Fault::MustExist))
}

/// How often a row may vanish between being found written and being read, before we give up.
const TRIES: usize = 5;

/// The row of a scope, written by that insert if it is not there. The insert does nothing where somebody was faster: it
/// waits until that one has committed, and what it wrote is found then.
async fn once<'q, M: SqlModel>(
    connection: &mut PgConnection,
    scope: &Scope<M>,
    insert: impl Fn() -> Query<'q, Postgres, PgArguments> + Send,
) -> Result<Kept<M::Row>, RecordError> {
    for _ in 0..TRIES {
        if let Some(row) = find(connection, scope).await? {
            return Ok(Kept::Found(row));
        }
        let written = insert().execute(&mut *connection).await.map_err(storage_error)?;
        if written.rows_affected() > 0 {
            return Ok(Kept::Created(only(connection, scope).await?));
        }
    }
    Err(storage_error(sqlx::Error::RowNotFound).into())
}

async fn namespace(
    connection: &mut PgConnection,
    new: &NewNamed,
    now: Timestamp,
) -> Result<Kept<TaskNamespaceRow>, RecordError> {
    once(connection, &TaskNamespaces::named(&*new.name), || {
        sqlx::query!(
            "INSERT INTO tasker_task_namespaces (name, description, created_at, updated_at)
             VALUES ($1, $2, $3, $3) ON CONFLICT DO NOTHING",
            new.name,
            new.description,
            Moment(now) as _,
        )
    })
    .await
}

async fn system(
    connection: &mut PgConnection,
    new: &NewNamed,
    now: Timestamp,
) -> Result<Kept<DependentSystemRow>, RecordError> {
    once(connection, &DependentSystems::named(&*new.name), || {
        sqlx::query!(
            "INSERT INTO tasker_dependent_systems (name, description, created_at, updated_at)
             VALUES ($1, $2, $3, $3) ON CONFLICT DO NOTHING",
            new.name,
            new.description,
            Moment(now) as _,
        )
    })
    .await
}

async fn annotation_type(
    connection: &mut PgConnection,
    new: &NewNamed,
    now: Timestamp,
) -> Result<Kept<AnnotationTypeRow>, RecordError> {
    once(connection, &AnnotationTypes::named(&*new.name), || {
        sqlx::query!(
            "INSERT INTO tasker_annotation_types (name, description, created_at, updated_at)
             VALUES ($1, $2, $3, $3) ON CONFLICT DO NOTHING",
            new.name,
            new.description,
            Moment(now) as _,
        )
    })
    .await
}

/// Its system is there.
async fn named_step(
    connection: &mut PgConnection,
    new: &NewNamedStep,
    now: Timestamp,
) -> Result<NamedStepRow, RecordError> {
    let system = only(connection, &DependentSystems::named(&*new.dependent_system_name)).await?;
    let scope = NamedSteps::of_systems([system.dependent_system_id]).named(&*new.name);
    let row = once(connection, &scope, || {
        sqlx::query!(
            "INSERT INTO tasker_named_steps (dependent_system_id, name, description, created_at, updated_at)
             VALUES ($1::bigint, $2, $3, $4, $4) ON CONFLICT DO NOTHING",
            system.dependent_system_id.0,
            new.name,
            new.description,
            Moment(now) as _,
        )
    });
    Ok(row.await?.row())
}

async fn task_of(connection: &mut PgConnection, step: StepId) -> Result<TaskId, RecordError> {
    let task =
        sqlx::query_scalar!("SELECT task_id FROM tasker_workflow_steps WHERE workflow_step_id = $1", step.0)
            .fetch_optional(connection)
            .await
            .map_err(storage_error)?;
    task.map(TaskId).ok_or(RecordError::NotFound { what: "workflow step", id: step.0 })
}

/// How a row goes.
struct Removal {
    /// Finds it, and keeps others from referring to it.
    lock: &'static str,
    /// What may need it, in the order in which that is told, and whether it does.
    users: &'static [(&'static str, &'static str)],
    /// What goes with it.
    before: &'static [&'static str],
    delete: &'static str,
}

const fn removal(row: Deletion) -> Removal {
    match row {
        Deletion::TaskNamespace(_) => Removal {
            lock: "SELECT FROM tasker_task_namespaces WHERE task_namespace_id = $1 FOR UPDATE",
            users: &[(
                "named tasks",
                "SELECT EXISTS (SELECT FROM tasker_named_tasks WHERE task_namespace_id = $1)",
            )],
            before: &[],
            delete: "DELETE FROM tasker_task_namespaces WHERE task_namespace_id = $1",
        },
        Deletion::NamedTask(_) => Removal {
            lock: "SELECT FROM tasker_named_tasks WHERE named_task_id = $1 FOR UPDATE",
            users: &[
                ("tasks", "SELECT EXISTS (SELECT FROM tasker_tasks WHERE named_task_id = $1)"),
                ("definitions", "SELECT EXISTS (SELECT FROM tasker_definitions WHERE named_task_id = $1)"),
            ],
            before: &["DELETE FROM tasker_named_tasks_named_steps WHERE named_task_id = $1"],
            delete: "DELETE FROM tasker_named_tasks WHERE named_task_id = $1",
        },
        Deletion::NamedStep(_) => Removal {
            lock: "SELECT FROM tasker_named_steps WHERE named_step_id = $1 FOR UPDATE",
            users: &[
                (
                    "workflow steps",
                    "SELECT EXISTS (SELECT FROM tasker_workflow_steps WHERE named_step_id = $1)",
                ),
                (
                    "named tasks",
                    "SELECT EXISTS (SELECT FROM tasker_named_tasks_named_steps WHERE named_step_id = $1)",
                ),
                (
                    "definitions",
                    "SELECT EXISTS (SELECT FROM tasker_definition_steps WHERE named_step_id = $1)",
                ),
            ],
            before: &[],
            delete: "DELETE FROM tasker_named_steps WHERE named_step_id = $1",
        },
        Deletion::NamedTasksNamedStep(_) => Removal {
            lock: "SELECT FROM tasker_named_tasks_named_steps WHERE id = $1 FOR UPDATE",
            users: &[],
            before: &[],
            delete: "DELETE FROM tasker_named_tasks_named_steps WHERE id = $1",
        },
        Deletion::DependentSystem(_) => Removal {
            lock: "SELECT FROM tasker_dependent_systems WHERE dependent_system_id = $1 FOR UPDATE",
            users: &[
                (
                    "named steps",
                    "SELECT EXISTS (SELECT FROM tasker_named_steps WHERE dependent_system_id = $1)",
                ),
                (
                    "dependent system object maps",
                    "SELECT EXISTS (SELECT FROM tasker_dependent_system_object_maps \
                     WHERE dependent_system_one_id = $1 OR dependent_system_two_id = $1)",
                ),
            ],
            before: &[],
            delete: "DELETE FROM tasker_dependent_systems WHERE dependent_system_id = $1",
        },
        Deletion::ObjectMap(_) => Removal {
            lock: "SELECT FROM tasker_dependent_system_object_maps \
                   WHERE dependent_system_object_map_id = $1 FOR UPDATE",
            users: &[],
            before: &[],
            delete: "DELETE FROM tasker_dependent_system_object_maps WHERE dependent_system_object_map_id = $1",
        },
        Deletion::AnnotationType(_) => Removal {
            lock: "SELECT FROM tasker_annotation_types WHERE annotation_type_id = $1 FOR UPDATE",
            users: &[],
            before: &["DELETE FROM tasker_task_annotations WHERE annotation_type_id = $1"],
            delete: "DELETE FROM tasker_annotation_types WHERE annotation_type_id = $1",
        },
        Deletion::Annotation(_) => Removal {
            lock: "SELECT FROM tasker_task_annotations WHERE task_annotation_id = $1 FOR UPDATE",
            users: &[],
            before: &[],
            delete: "DELETE FROM tasker_task_annotations WHERE task_annotation_id = $1",
        },
    }
}
