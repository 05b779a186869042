//! Definitions: written once, read once by each process.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use sqlx::PgConnection;
use tasker_engine::payload::check;
use tasker_engine::{BoundTemplate, DefinitionHash, StorageError, Template, Timestamp};

use super::PostgresStorage;
use super::error::{corrupt, storage_error};
use super::values::{Jsonb, Moment, integer};

/// Bound templates by their hash. A template never changes, so what was read once is right for ever.
#[derive(Debug, Default)]
pub(super) struct Templates(
    /// Guards nothing but the map, and is held for a look or an insert only.
    Mutex<HashMap<DefinitionHash, Arc<Template>>>,
);

impl Templates {
    pub(super) fn get(&self, hash: &DefinitionHash) -> Option<Arc<Template>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    fn insert(&self, hash: DefinitionHash, template: Arc<Template>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, template);
    }

    /// Reads those that are not there yet, in one statement.
    pub(super) async fn read(
        &self,
        connection: &mut PgConnection,
        hashes: impl IntoIterator<Item = &DefinitionHash>,
    ) -> Result<(), StorageError> {
        let missing: HashSet<_> = hashes.into_iter().filter(|hash| self.get(hash).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<_> = missing.iter().map(|hash| hash.as_str()).collect();
        let rows = sqlx::query!(
            "SELECT definition_hash, body FROM tasker_definitions WHERE definition_hash = ANY ($1)",
            &missing[..],
        )
        .fetch_all(connection)
        .await
        .map_err(storage_error)?;
        for row in rows {
            let template = serde_json::from_value(Arc::unwrap_or_clone(row.body.0))
                .map_err(|error| corrupt(format!("definition {}", row.definition_hash), error))?;
            self.insert(row.definition_hash.into(), Arc::new(template));
        }
        Ok(())
    }
}

impl PostgresStorage {
    pub(super) async fn learn_definitions(
        &self,
        definitions: &[Arc<BoundTemplate>],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        for step in definitions.iter().flat_map(|definition| definition.steps()) {
            for (field, value) in
                [("handler_config", &step.handler_config), ("retry_policy", &step.retry_policy)]
            {
                check(value, &self.limits).map_err(|error| StorageError::Payload { field, error })?;
            }
        }
        let mut columns = Columns::default();
        definitions.iter().for_each(|definition| columns.add(definition));
        let steps = &columns.steps;
        sqlx::query!(
            "SELECT tasker_learn(
                $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
            Moment(now),
            &columns.hash[..],
            &columns.namespace[..],
            &columns.name[..],
            &columns.version as &[String],
            &columns.description as &[Option<&str>],
            &columns.configuration[..],
            &columns.step_limit as &[Option<i32>],
            &columns.body[..],
            &steps.definition[..],
            &steps.place[..],
            &steps.system[..],
            &steps.name[..],
            &steps.description as &[Option<&str>],
            &steps.handler[..],
            &steps.retryable[..],
            &steps.retry_limit[..],
            &steps.skippable[..],
            &steps.parents[..],
        )
        .execute(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(())
    }
}

/// Definitions as columns, one value for each.
#[derive(Default)]
struct Columns<'a> {
    hash: Vec<&'a str>,
    namespace: Vec<&'a str>,
    name: Vec<&'a str>,
    version: Vec<String>,
    description: Vec<Option<&'a str>>,
    configuration: Vec<Jsonb>,
    step_limit: Vec<Option<i32>>,
    body: Vec<Jsonb>,
    steps: StepColumns<'a>,
}

/// Their steps.
#[derive(Default)]
struct StepColumns<'a> {
    definition: Vec<i32>,
    place: Vec<i32>,
    system: Vec<&'a str>,
    name: Vec<&'a str>,
    description: Vec<Option<&'a str>>,
    handler: Vec<&'a str>,
    retryable: Vec<bool>,
    retry_limit: Vec<i32>,
    skippable: Vec<bool>,
    parents: Vec<Jsonb>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, definition: &'a BoundTemplate) {
        let template = definition.template();
        self.hash.push(definition.hash());
        self.namespace.push(&template.namespace_name);
        self.name.push(&template.name);
        self.version.push(template.version.to_string());
        self.description.push(template.description.as_deref());
        // The one key of it that the reference reads.
        self.configuration.push(match template.concurrent {
            true => json!({}).into(),
            false => json!({ "concurrent": false }).into(),
        });
        self.step_limit.push(definition.task_limit().map(integer));
        self.body.push(serde_json::to_value(&**template).expect("a template is JSON").into());
        let number = integer(self.hash.len());
        for (place, (step, parents)) in definition.steps().iter().zip(definition.parents()).enumerate() {
            self.steps.definition.push(number);
            self.steps.place.push(integer(place));
            self.steps.system.push(template.system_of(step));
            self.steps.name.push(&step.name);
            self.steps.description.push(step.description.as_deref());
            self.steps.handler.push(&step.handler_class);
            self.steps.retryable.push(step.default_retryable);
            self.steps.retry_limit.push(integer(step.default_retry_limit));
            self.steps.skippable.push(step.skippable);
            self.steps.parents.push(json!(parents).into());
        }
    }
}
