//! An engine that serves a registry: it knows the workflows before their first task comes, and who would be left alone.

use std::collections::BTreeMap;

use crate::records::{NamedTasks, RecordError, Records, TaskColumn, Tasks};
use crate::telling::Entity;
use crate::{
    Definition, DefinitionHash, Engine, EngineError, EngineTypes, EventName, Registry, RegistryError,
    StorageError, TaskId,
};

/// What becomes of open tasks whose workflow is not served: they would wait for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenTasks {
    /// The engine is not to start.
    #[default]
    Refuse,
    /// They wait, untouched, for another worker; each is logged.
    Leave,
}

impl<T: EngineTypes> Engine<T> {
    /// Learns all workflows of a registry, and answers the open tasks whose workflow is not in it, with the full name of
    /// that. Called again with another registry it learns what is new there.
    ///
    /// ```
    /// # use tasker::prelude::*;
    /// use tasker::{OpenTasks, Registry};
    /// # #[step] async fn pay() -> StepResult<u64> { Ok(1) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::in_memory();
    /// let checkout = Definition::builder("shop", "checkout", "1.0.0").step("pay", Pay).build()?;
    /// let mut registry = Registry::new();
    /// registry.register(checkout.clone(), "code")?;
    /// engine.serve(&registry, OpenTasks::Refuse).await?;
    /// engine.start_definition(&checkout, serde_json::json!({})).await?;
    ///
    /// registry.remove("shop", "checkout", "1.0.0".parse()?);
    /// let refused = engine.serve(&registry, OpenTasks::Refuse).await.unwrap_err();
    /// assert!(refused.to_string().ends_with("task 1 of shop/checkout 1.0.0"), "{refused}");
    /// assert_eq!(engine.serve(&registry, OpenTasks::Leave).await?.len(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When tasks are open and that is refused, a shared resource is missing, or the storage fails. Nothing is learned
    /// then.
    pub async fn serve(
        &self,
        registry: &Registry,
        open: OpenTasks,
    ) -> Result<Vec<(TaskId, String)>, EngineError> {
        let left = match (self.records(), open) {
            (Some(records), _) => registry.unserved(records).await.map_err(failed)?,
            (None, OpenTasks::Leave) => vec![],
            (None, OpenTasks::Refuse) => return Err(RegistryError::NoRecords.into()),
        };
        if open == OpenTasks::Refuse && !left.is_empty() {
            return Err(RegistryError::OpenTasks { tasks: left }.into());
        }
        for (task, workflow) in &left {
            tracing::warn!(task = task.0, workflow, "a task is open whose workflow is not served here");
        }
        let definitions: Vec<_> = registry.list().cloned().collect();
        let (shared, count) = (&self.shared, definitions.len());
        shared.tell_of_registry(EventName::RegistrySyncRequested, count);
        self.check_all(&definitions)?;
        shared.tell_of_registry(EventName::RegistryCrossDiscovery, count);
        self.learn_all(&definitions).await?;
        self.note_served(&definitions);
        shared.tell_of_registry(EventName::RegistryCoordinationComplete, count);
        Ok(left)
    }

    fn check_all(&self, definitions: &[Definition]) -> Result<(), EngineError> {
        let checked = definitions.iter().map(|definition| (definition, self.check_states(definition)));
        let refused: Vec<_> =
            checked.filter_map(|(definition, checked)| Some((definition, checked.err()?))).collect();
        self.shared.tell_of_engine(|facts| {
            for (definition, error) in &refused {
                let handler = Entity::handler(definition);
                facts.refused(EventName::HandlerValidationFailed, &handler, &error.to_string());
            }
        });
        refused.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// What is new, changed or gone since the last time is told.
    fn note_served(&self, definitions: &[Definition]) {
        let entry = |definition: &Definition| (definition.full_name(), definition.clone());
        let now: BTreeMap<_, _> = definitions.iter().map(entry).collect();
        let mut served = self.shared.served.lock().expect("nothing panics while it compares names");
        let before = std::mem::replace(&mut *served, now.clone());
        drop(served);
        let is_served = |name: &String, hash: &DefinitionHash| {
            before.get(name).is_some_and(|other| other.bound().hash() == hash)
        };
        self.shared.tell_of_engine(|facts| {
            for (_, definition) in before.iter().filter(|(name, _)| !now.contains_key(*name)) {
                facts.unregistered(EventName::HandlerUnregistered, &Entity::handler(definition));
            }
            for (_, new) in now.iter().filter(|(name, new)| !is_served(name, new.bound().hash())) {
                facts.registered(EventName::HandlerRegistered, &Entity::handler(new));
            }
        });
    }

    /// Notes a workflow that was learned by itself.
    pub(crate) fn note_learned(&self, definitions: &[&Definition]) {
        let mut served = self.shared.served.lock().expect("nothing panics while it compares names");
        let is_new = |definition: &&&Definition| {
            let before = served.get(&definition.full_name());
            before.is_none_or(|before| before.bound().hash() != definition.bound().hash())
        };
        let new: Vec<_> = definitions.iter().filter(is_new).copied().cloned().collect();
        served.extend(new.iter().map(|definition| (definition.full_name(), definition.clone())));
        drop(served);
        self.shared.tell_of_engine(|facts| {
            for definition in &new {
                facts.registered(EventName::HandlerRegistered, &Entity::handler(definition));
            }
        });
    }
}

fn failed(error: RecordError) -> EngineError {
    match error {
        RecordError::Storage(error) => error.into(),
        other => StorageError::Refused(other.into()).into(),
    }
}

impl Registry {
    /// The active tasks of a storage whose workflow is not registered, with the full name of that.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn unserved(&self, records: &dyn Records) -> Result<Vec<(TaskId, String)>, RecordError> {
        const PAGE: u32 = 1000;
        let workflows = NamedTasks::all().rows(records).await?;
        let known = |namespace: &str, name: &str, version: &str| {
            version.parse().is_ok_and(|version| self.find(namespace, name, version).is_ok())
        };
        let gone = workflows.into_iter().filter(|row| !known(&row.namespace_name, &row.name, &row.version));
        let gone: Vec<_> = gone.map(|row| row.named_task_id).collect();
        let mut found = vec![];
        if gone.is_empty() {
            return Ok(found);
        }
        let mut page = Tasks::active().of_named_tasks(gone).ascending(TaskColumn::TaskId).limit(PAGE);
        loop {
            let rows = page.rows(records).await?;
            let Some(last) = rows.last().map(|row| row.task_id) else { return Ok(found) };
            let full_name =
                |namespace: &str, name: &str, version: &str| format!("{namespace}/{name} {version}");
            found.extend(
                rows.iter().map(|row| (row.task_id, full_name(&row.namespace_name, &row.name, &row.version))),
            );
            page = page.after(last);
        }
    }
}
