//! Writing records. The store is locked for the whole of a call, so whoever looks first also writes first.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tasker_engine::records::{
    AnnotationId, AnnotationTypeRow, Deletion, DependentSystemObjectMapRow, DependentSystemRow, EdgeVerdict,
    Fault, Kept, NamedStepRow, NamedTaskId, NamedTaskRow, NamedTasksNamedStepRow, NewAnnotation, NewEdge,
    NewNamed, NewNamedStep, NewNamedTask, NewNamedTasksNamedStep, NewObjectMap, RecordError, StepChange,
    TaskAnnotationRow, TaskChange, TaskNamespaceRow, TaskRow, Tasks, WorkflowStepEdgeRow, WorkflowStepEdges,
    WorkflowStepRow, WorkflowSteps, Write, check_annotation, check_configuration, judge_edge,
    judge_step_change, merged,
};
use tasker_engine::{Detail, StepId, TaskId, Timestamp, payload};

use super::super::MemoryStorage;
use super::super::catalogue::{Shelf, Shelved};
use super::super::store::Store;
use super::super::task::{Pen, Task};
use super::model::{MemoryModel as _, select};

#[async_trait]
impl Write for MemoryStorage {
    async fn find_or_create_task_namespace(
        &self,
        new: &NewNamed,
        now: Timestamp,
    ) -> Result<Kept<TaskNamespaceRow>, RecordError> {
        new.check()?;
        Ok(kept(&mut self.store().catalogue.namespaces, &new.name, |id| TaskNamespaceRow {
            task_namespace_id: id.into(),
            name: new.name.clone(),
            description: new.description.clone(),
            created_at: now,
            updated_at: now,
        }))
    }

    async fn find_or_create_named_task(
        &self,
        new: &NewNamedTask,
        now: Timestamp,
    ) -> Result<Kept<NamedTaskRow>, RecordError> {
        let mut store = self.store();
        new.check(&store.limits)?;
        let catalogue = &mut store.catalogue;
        let namespace = catalogue.namespace(&new.namespace_name, now);
        let key = (namespace, new.name.clone(), new.version.clone());
        let configuration = Arc::new(Value::Object(new.configuration.clone()));
        Ok(kept(&mut catalogue.named_tasks, &key, |id| NamedTaskRow {
            named_task_id: id.into(),
            task_namespace_id: namespace,
            namespace_name: new.namespace_name.clone(),
            name: new.name.clone(),
            version: new.version.clone(),
            description: new.description.clone(),
            configuration: payload::normalised(&configuration),
            created_at: now,
            updated_at: now,
        }))
    }

    async fn update_config(
        &self,
        named_task: NamedTaskId,
        changes: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<NamedTaskRow, RecordError> {
        let mut store = self.store();
        check_configuration(changes, &store.limits)?;
        let row = store.catalogue.named_tasks.get_mut(named_task.0);
        let row = row.ok_or(RecordError::NotFound { what: "named task", id: named_task.0 })?;
        row.configuration = payload::normalised(&Arc::new(merged(&row.configuration, changes)));
        row.updated_at = now;
        Ok(row.clone())
    }

    async fn find_or_create_dependent_system(
        &self,
        new: &NewNamed,
        now: Timestamp,
    ) -> Result<Kept<DependentSystemRow>, RecordError> {
        new.check()?;
        Ok(kept(&mut self.store().catalogue.systems, &new.name, |id| DependentSystemRow {
            dependent_system_id: id.into(),
            name: new.name.clone(),
            description: new.description.clone(),
            created_at: now,
            updated_at: now,
        }))
    }

    async fn find_or_create_named_steps(
        &self,
        new: &[NewNamedStep],
        now: Timestamp,
    ) -> Result<Vec<NamedStepRow>, RecordError> {
        NewNamedStep::check(new)?;
        let catalogue = &mut self.store().catalogue;
        let each = new.iter().map(|step| {
            let system = catalogue.system(&step.dependent_system_name, now);
            catalogue.named_step(&step.dependent_system_name, &step.name, step.description.as_deref(), now);
            let found = catalogue.named_steps.find(&(system, step.name.clone()));
            found.cloned().expect("it was written if it was not there")
        });
        Ok(each.collect())
    }

    async fn find_or_create_named_tasks_named_step(
        &self,
        new: &NewNamedTasksNamedStep,
        now: Timestamp,
    ) -> Result<Kept<NamedTasksNamedStepRow>, RecordError> {
        new.check()?;
        let catalogue = &mut self.store().catalogue;
        let missing = |field| RecordError::invalid(field, Fault::MustExist);
        let task = catalogue.named_tasks.get(new.named_task_id.0).ok_or(missing("named_task"))?;
        let step = catalogue.named_steps.get(new.named_step_id.0).ok_or(missing("named_step"))?;
        let (task_name, step_name) = (task.name.clone(), step.name.clone());
        Ok(kept(&mut catalogue.links, &(new.named_task_id, new.named_step_id), |id| NamedTasksNamedStepRow {
            id: id.into(),
            named_task_id: new.named_task_id,
            task_name,
            named_step_id: new.named_step_id,
            step_name,
            skippable: new.skippable,
            default_retryable: new.default_retryable,
            default_retry_limit: new.default_retry_limit,
            created_at: now,
            updated_at: now,
        }))
    }

    async fn find_or_create_object_map(
        &self,
        new: &NewObjectMap,
        now: Timestamp,
    ) -> Result<Kept<DependentSystemObjectMapRow>, RecordError> {
        new.check()?;
        let catalogue = &mut self.store().catalogue;
        let one = catalogue.system(&new.system_one, now);
        let two = catalogue.system(&new.system_two, now);
        let [(one, remote_one), (two, remote_two)] = new.in_order(one, two);
        let key = (one, two, remote_one.to_owned(), remote_two.to_owned());
        Ok(kept(&mut catalogue.object_maps, &key, |id| DependentSystemObjectMapRow {
            dependent_system_object_map_id: id.into(),
            dependent_system_one_id: one,
            dependent_system_two_id: two,
            remote_id_one: remote_one.to_owned(),
            remote_id_two: remote_two.to_owned(),
            created_at: now,
            updated_at: now,
        }))
    }

    async fn find_or_create_annotation_type(
        &self,
        new: &NewNamed,
        now: Timestamp,
    ) -> Result<Kept<AnnotationTypeRow>, RecordError> {
        new.check()?;
        Ok(kept(&mut self.store().catalogue.annotation_types, &new.name, |id| annotation_type(id, new, now)))
    }

    async fn annotate(&self, new: &NewAnnotation, now: Timestamp) -> Result<TaskAnnotationRow, RecordError> {
        let mut store = self.store();
        new.check(&store.limits)?;
        store.find(new.task_id).ok_or(RecordError::invalid("task", Fault::MustExist))?;
        let named = NewNamed::new(&*new.annotation_type);
        let kinds = &mut store.catalogue.annotation_types;
        let kind = kinds.find_or_add(&named.name, |id| annotation_type(id, &named, now)).clone();
        let row = store.catalogue.annotations.add(|id| TaskAnnotationRow {
            task_annotation_id: id.into(),
            task_id: new.task_id,
            annotation_type_id: kind.annotation_type_id,
            annotation_type_name: kind.name,
            annotation: payload::normalised(&Arc::new(new.annotation.clone())),
            created_at: now,
            updated_at: now,
        });
        Ok(row.clone())
    }

    async fn update_annotation(
        &self,
        annotation: AnnotationId,
        says: &Value,
        now: Timestamp,
    ) -> Result<TaskAnnotationRow, RecordError> {
        let mut store = self.store();
        check_annotation(says, &store.limits)?;
        let row = store.catalogue.annotations.get_mut(annotation.0);
        let row = row.ok_or(RecordError::NotFound { what: "task annotation", id: annotation.0 })?;
        row.annotation = payload::normalised(&Arc::new(says.clone()));
        row.updated_at = now;
        Ok(row.clone())
    }

    async fn create_edge(
        &self,
        new: &NewEdge,
        now: Timestamp,
    ) -> Result<Kept<WorkflowStepEdgeRow>, RecordError> {
        new.check()?;
        let mut store = self.store();
        let not_found = |step: StepId| RecordError::NotFound { what: "workflow step", id: step.0 };
        store.find_step(new.from_step_id).ok_or(not_found(new.from_step_id))?;
        let (task, _) = store.find_step(new.to_step_id).ok_or(not_found(new.to_step_id))?;
        let id = task.id;
        let verdict = judge_edge(&task.record(Detail::Graph), new)?;
        if verdict == EdgeVerdict::New {
            store.touch(id, now, |task, pen| task.draw(pen, new));
        }
        let edges = WorkflowStepEdges::parents_of(new.to_step_id).from_steps([new.from_step_id]);
        let edge = WorkflowStepEdges::row(&store, select(&store, &edges)[0]);
        Ok(match verdict {
            EdgeVerdict::New => Kept::Created(edge),
            EdgeVerdict::Known => Kept::Found(edge),
        })
    }

    async fn update_task(
        &self,
        task: TaskId,
        change: &TaskChange,
        now: Timestamp,
    ) -> Result<TaskRow, RecordError> {
        let mut store = self.store();
        change.check(&store.limits)?;
        let changed = store.touch(task, now, |task, _| task.change(change, now));
        changed.ok_or(RecordError::NotFound { what: "task", id: task.0 })?;
        Ok(Tasks::row(&store, store.task(task)))
    }

    async fn update_step(
        &self,
        step: StepId,
        change: &StepChange,
        now: Timestamp,
    ) -> Result<WorkflowStepRow, RecordError> {
        let mut store = self.store();
        change.check(&store.limits)?;
        let not_found = RecordError::NotFound { what: "workflow step", id: step.0 };
        let (task, place) = store.find_step(step).ok_or(not_found)?;
        let id = task.id;
        judge_step_change(&task.record(Detail::Graph), step)?;
        store.touch(id, now, |task, pen| task.change_step(pen, place, change));
        let steps = WorkflowSteps::with_ids([step]);
        Ok(WorkflowSteps::row(&store, select(&store, &steps)[0]))
    }

    async fn delete(&self, row: Deletion) -> Result<(), RecordError> {
        let mut store = self.store();
        let (what, id) = row.what();
        if let Some(by) = store.user_of(row) {
            return Err(RecordError::InUse { what, id, by });
        }
        let catalogue = &mut store.catalogue;
        let removed = match row {
            Deletion::TaskNamespace(_) => catalogue.namespaces.remove(id),
            Deletion::NamedTask(_) => {
                catalogue.links.retain(|link| link.named_task_id.0 != id);
                catalogue.named_tasks.remove(id)
            }
            Deletion::NamedStep(_) => catalogue.named_steps.remove(id),
            Deletion::NamedTasksNamedStep(_) => catalogue.links.remove(id),
            Deletion::DependentSystem(_) => catalogue.systems.remove(id),
            Deletion::ObjectMap(_) => catalogue.object_maps.remove(id),
            Deletion::AnnotationType(_) => {
                catalogue.annotations.retain(|note| note.annotation_type_id.0 != id);
                catalogue.annotation_types.remove(id)
            }
            Deletion::Annotation(_) => catalogue.annotations.remove(id),
        };
        if removed { Ok(()) } else { Err(RecordError::NotFound { what, id }) }
    }
}

fn annotation_type(id: i64, new: &NewNamed, now: Timestamp) -> AnnotationTypeRow {
    AnnotationTypeRow {
        annotation_type_id: id.into(),
        name: new.name.clone(),
        description: new.description.clone(),
        created_at: now,
        updated_at: now,
    }
}

/// The row of that key, written if it is not there.
fn kept<R: Shelved + Clone>(shelf: &mut Shelf<R>, key: &R::Key, make: impl FnOnce(i64) -> R) -> Kept<R> {
    match shelf.find(key) {
        Some(row) => Kept::Found(row.clone()),
        None => Kept::Created(shelf.add(make).clone()),
    }
}

impl Store {
    /// What needs a row; nothing, when it may go.
    fn user_of(&self, row: Deletion) -> Option<&'static str> {
        let catalogue = &self.catalogue;
        let used = |by, uses: bool| uses.then_some(by);
        match row {
            Deletion::TaskNamespace(id) => {
                used("named tasks", catalogue.named_tasks.rows().any(|row| row.task_namespace_id == id))
            }
            Deletion::NamedTask(id) => {
                let learned = self.definitions.values().any(|learned| learned.named_task() == id);
                let has_run = self.tasks().any(|task| task.graph.learned().named_task() == id);
                used("tasks", has_run).or(used("definitions", learned))
            }
            Deletion::NamedStep(id) => {
                let places =
                    |task: &Task| (0..task.steps.len()).any(|place| task.graph.named_step(place) == id);
                let linked = catalogue.links.rows().any(|row| row.named_step_id == id);
                let learned = self.definitions.values().any(|learned| learned.has_named_step(id));
                used("workflow steps", self.tasks().any(places))
                    .or(used("named tasks", linked))
                    .or(used("definitions", learned))
            }
            Deletion::DependentSystem(id) => {
                let mut maps = catalogue.object_maps.rows();
                let maps =
                    maps.any(|row| row.dependent_system_one_id == id || row.dependent_system_two_id == id);
                used("named steps", catalogue.named_steps.rows().any(|row| row.dependent_system_id == id))
                    .or(used("dependent system object maps", maps))
            }
            Deletion::NamedTasksNamedStep(_)
            | Deletion::ObjectMap(_)
            | Deletion::AnnotationType(_)
            | Deletion::Annotation(_) => None,
        }
    }
}

impl Task {
    /// Draws an edge that was judged.
    fn draw(&mut self, pen: &mut Pen<'_>, new: &NewEdge) {
        let place = |step| self.graph.place(step).expect("an edge is drawn between steps of the task");
        self.link(pen, place(new.from_step_id), place(new.to_step_id), &new.name);
    }

    fn change(&mut self, change: &TaskChange, now: Timestamp) {
        if let Some(reason) = &change.reason {
            self.request.reason.clone_from(reason);
        }
        if let Some(tags) = &change.tags {
            self.request.tags.clone_from(tags);
        }
        self.updated_at = now;
    }

    fn change_step(&mut self, pen: &Pen<'_>, place: usize, change: &StepChange) {
        if let Some(limit) = change.retry_limit {
            let limit = u32::try_from(limit).expect("a limit that was checked");
            self.update_step(place, |step| step.retry_limit = limit);
        }
        if let Some(inputs) = &change.inputs {
            self.inputs.insert(place, payload::normalised(inputs));
        }
        self.edited.insert(place, pen.now);
        if self.may_move() {
            self.wake.no_later_than(pen.now);
        }
    }
}
