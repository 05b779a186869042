//! Tasks are created all the time, as many as are settled.

use std::time::Duration;

use serde_json::json;
use tasker::postgres::PostgresStorage;
use tasker::prelude::*;
use tasker::{NoEvents, Request, Settings, SystemClock, TaskId};

use crate::database::Database;
use crate::{Failure, workflows};

/// So many tasks are open at a time.
const OPEN: i64 = 60;
/// So many are created in one call.
const BATCH: usize = 12;

pub(crate) struct Load {
    engine: Engine,
    definitions: Vec<Definition>,
    /// How many tasks were asked for.
    created: usize,
    last: Vec<TaskId>,
}

impl Load {
    pub(crate) fn new(database: &Database, seed: u64) -> Result<Self, Failure> {
        let storage = PostgresStorage::from(database.pool.clone());
        let engine = Engine::on_postgres(storage, SystemClock::default(), NoEvents, Settings::default())?;
        Ok(Self { engine, definitions: workflows::all(None, seed)?, created: 0, last: vec![] })
    }

    /// Creates some tasks, unless there are enough.
    pub(crate) async fn top_up(&mut self, database: &Database) -> Result<(), Failure> {
        if database.open_tasks().await? < OPEN {
            let definition = &self.definitions[self.created / BATCH % self.definitions.len()];
            self.last = create(&self.engine, definition, self.created).await;
            self.created += BATCH;
        }
        Ok(())
    }

    /// One of the tasks that were created last.
    pub(crate) fn some_task(&self, chance: usize) -> Option<TaskId> {
        self.last.get(chance.checked_rem(self.last.len())?).copied()
    }

    /// An operator cancels a task, whatever runs in it. Says whether it was done.
    pub(crate) async fn cancel(&self, task: TaskId) -> bool {
        let cancelled = self.engine.task(task).cancel("chaos", Some("as it was drawn")).await;
        matches!(cancelled, Ok(tasker::Intervened::Moved { .. }))
    }
}

/// Creates tasks under identities of their own, so that a call whose answer was lost can be made again.
async fn create(engine: &Engine, definition: &Definition, first: usize) -> Vec<TaskId> {
    loop {
        let requests = (first..first + BATCH).map(|number| Request {
            identity: Some(format!("chaos {number}")),
            ..Request::new(json!({ "number": number }))
        });
        match engine.request_many(definition, requests.collect()).await {
            Ok(tasks) => {
                let ids = tasks.into_iter().filter_map(|task| match task {
                    Ok(task) => Some(task.id()),
                    Err(EngineError::Duplicate { task }) => Some(task),
                    Err(_) => None,
                });
                return ids.collect();
            }
            // The server is away at the moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
