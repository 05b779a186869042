//! A database for each test, and short words for calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row as _};
use tasker_engine::{
    Advance, BoundTemplate, Claim, Creation, Detail, GraphLimits, NewTask, Outcome, OutcomeKind, Progress,
    Room, StepId, StepName, StepRecord, StepTemplate, Storage as _, TaskId, TaskRecord, TaskRequest,
    Template, Timestamp, Version, WorkerId,
};
use tasker_storage::postgres::PostgresStorage;
use tasker_storage::postgres::cluster::TestDatabase;

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
pub(crate) const WORKER: WorkerId = WorkerId::numbered(1);

/// The moment that many seconds after [`NOW`].
pub(crate) fn later(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

/// A migrated database of its own, and the storage on it.
pub(crate) struct Fixture {
    pub(crate) storage: PostgresStorage,
    // Dropped last, with whatever is still connected to it.
    database: TestDatabase,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let database = migrated_database().await;
        let pool = PgPoolOptions::new().max_connections(8).connect_with(database.options()).await;
        Self { storage: pool.expect("a connection").into(), database }
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.database.options()
    }

    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.storage.pool()
    }

    /// Learns a workflow and starts one task of it.
    pub(crate) async fn start(&self, graph: &str) -> Started {
        self.start_with(bound(graph)).await
    }

    pub(crate) async fn start_with(&self, definition: Arc<BoundTemplate>) -> Started {
        self.storage.learn(&[Arc::clone(&definition)], NOW).await.expect("learned");
        let count = self.number("SELECT count(*) FROM tasker_tasks").await;
        let created = self.storage.create(vec![new_task(&definition, &format!("task {count}"))], NOW).await;
        match created.expect("created").remove(0) {
            Creation::Created { task, steps, .. } => Started { id: task, steps, definition },
            other => panic!("{other:?}"),
        }
    }

    /// Looks at a task in full and takes what is ready.
    pub(crate) async fn want(&self, task: &Started) -> Progress {
        self.advance(wanting(task.id)).await
    }

    /// A call that names one task.
    pub(crate) async fn advance(&self, call: Advance) -> Progress {
        let mut progress = self.storage.advance(call).await.expect("advanced");
        assert_eq!(progress.len(), 1);
        progress.remove(0)
    }

    pub(crate) async fn load(&self, task: &Started) -> TaskRecord {
        self.storage.load(&[task.id], Detail::Audit).await.expect("loaded").remove(0)
    }

    /// Runs statements of the test's own making.
    pub(crate) async fn sql(&self, statements: impl Into<String>) {
        sqlx::raw_sql(AssertSqlSafe(statements.into()))
            .execute(self.pool())
            .await
            .expect("the test's own statement");
    }

    /// The one number that a statement of the test's own making answers.
    pub(crate) async fn number(&self, statement: &'static str) -> i64 {
        sqlx::query(statement).fetch_one(self.pool()).await.expect("the test's own statement").get(0)
    }
}

/// A copy of a database that was migrated once.
pub(crate) async fn migrated_database() -> TestDatabase {
    TestDatabase::migrated().await.expect("a database for the test")
}

/// A task that was created.
pub(crate) struct Started {
    pub(crate) id: TaskId,
    pub(crate) steps: Vec<StepId>,
    pub(crate) definition: Arc<BoundTemplate>,
}

impl Started {
    pub(crate) fn step(&self, name: &str) -> StepId {
        let place = self.definition.steps().iter().position(|step| step.name == *name);
        self.steps[place.expect("a step of the workflow")]
    }
}

/// A workflow by its edges: `a -> c, b -> c, d`. Each step is run by the handler of its own name.
pub(crate) fn template(edges: &str) -> Template {
    let mut template = Template::new("suite", "workflow", Version(1, 0, 0));
    for path in edges.split(',').map(str::trim).filter(|path| !path.is_empty()) {
        let mut before: Option<&str> = None;
        for name in path.split("->").map(str::trim) {
            let known = template.step_templates.iter().position(|step| step.name == *name);
            let place = known.unwrap_or_else(|| {
                template.step_templates.push(StepTemplate::new(name, name));
                template.step_templates.len() - 1
            });
            template.step_templates[place].depends_on_steps.extend(before.map(StepName::from));
            before = Some(name);
        }
    }
    template
}

pub(crate) fn bound(edges: &str) -> Arc<BoundTemplate> {
    bind(template(edges))
}

pub(crate) fn bind(template: Template) -> Arc<BoundTemplate> {
    Arc::new(BoundTemplate::new(template, GraphLimits::default()).expect("a sound workflow"))
}

pub(crate) fn new_task(definition: &BoundTemplate, identity: &str) -> NewTask {
    NewTask {
        definition: definition.hash().clone(),
        identity_hash: identity.into(),
        request: TaskRequest {
            context: Arc::new(json!({ "of": identity })),
            requested_at: NOW,
            initiator: "test".into(),
            source_system: "test".into(),
            reason: "test".into(),
            tags: vec![],
            bypass_steps: vec![],
            correlation_id: None,
        },
        inputs: BTreeMap::new(),
    }
}

pub(crate) fn call() -> Advance {
    Advance { worker: WORKER, now: NOW, outcomes: vec![], wanted: vec![], room: Room::of(1000) }
}

pub(crate) fn wanting(task: TaskId) -> Advance {
    Advance { wanted: vec![task], ..call() }
}

pub(crate) fn bringing(outcomes: impl IntoIterator<Item = Outcome>) -> Advance {
    Advance { outcomes: outcomes.into_iter().collect(), ..call() }
}

pub(crate) fn ended(task: &Started, claim: &Claim, kind: OutcomeKind) -> Outcome {
    Outcome {
        task: task.id,
        step: claim.step,
        token: claim.token,
        attempt: claim.attempt,
        duration: Duration::from_millis(250),
        kind,
        spawned: vec![],
    }
}

pub(crate) fn completed(task: &Started, claim: &Claim) -> Outcome {
    yielded(task, claim, json!({ "done": claim.step }))
}

pub(crate) fn yielded(task: &Started, claim: &Claim, results: Value) -> Outcome {
    ended(task, claim, OutcomeKind::Completed(Arc::new(results)))
}

/// The step of that name.
pub(crate) fn named<'a>(task: &'a TaskRecord, name: &str) -> &'a StepRecord {
    task.step(name).expect("a step of the task")
}

/// The outcome of a claim that just completes.
pub(crate) fn outcome(task: TaskId, claim: &Claim) -> Outcome {
    Outcome {
        task,
        step: claim.step,
        token: claim.token,
        attempt: claim.attempt,
        duration: Duration::from_millis(250),
        kind: OutcomeKind::Completed(Arc::new(json!({}))),
        spawned: vec![],
    }
}
