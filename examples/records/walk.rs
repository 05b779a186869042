//! Walks through the scopes of the reference and through the read models, and tells what they find.

use std::fmt::Write as _;
use std::time::Duration;

// A model that has statements, where there can be a database.
#[cfg(feature = "postgres")]
use tasker::postgres::SqlModel as Asked;
use tasker::prelude::*;
#[cfg(not(feature = "postgres"))]
use tasker::records::Model as Asked;
use tasker::records::{
    Counted, NamedTasks, NamedTasksNamedSteps, Period, RecordError, Records, Scope, StepDagRelationships,
    Table, TaskNamespaces, TaskTransitions, Tasks, WorkflowStepEdges, WorkflowStepTransitions, WorkflowSteps,
};
use tasker::{Clock as _, StepState, TaskState, Timestamp};

use crate::common::{Failure, lines};

pub(crate) async fn walk(engine: &Engine) -> Result<String, Failure> {
    let records = engine.records().expect("both backends have records");
    let walking = walk_through(records, engine.clock().now()).await;
    walking.map_err(|error| Failure::Run(error.to_string()))
}

async fn walk_through(records: &dyn Records, now: Timestamp) -> Result<String, RecordError> {
    let mut told = Told::default();
    scopes(records, now, &mut told).await?;
    associations(records, &mut told).await?;
    read_models(records, now, &mut told).await?;
    let tasks = Tasks::all().count(records).await?;
    told.text.push_str(&lines([("tasks", &tasks), ("scopes", &told.scopes)]));
    Ok(told.text)
}

#[derive(Default)]
struct Told {
    text: String,
    scopes: usize,
}

impl Told {
    /// A scope, how many rows it finds, and by which statement.
    async fn scope<M: Asked>(
        &mut self,
        records: &dyn Records,
        name: &str,
        scope: &Scope<M>,
    ) -> Result<(), RecordError>
    where
        for<'r> dyn Records + 'r: Table<M>,
    {
        let rows = scope.count(records).await?;
        self.scopes += 1;
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{name}\n    rows: {rows}");
        if let Some(statement) = statement(scope) {
            let _ = writeln!(self.text, "    {statement}");
        }
        Ok(())
    }

    fn say(&mut self, what: &str, answer: &str) {
        let _ = writeln!(self.text, "{what}\n    {answer}");
    }
}

#[cfg(feature = "postgres")]
fn statement<M: Asked>(scope: &Scope<M>) -> Option<String> {
    Some(tasker::postgres::PostgresStorage::statement(scope))
}

#[cfg(not(feature = "postgres"))]
fn statement<M: Asked>(_: &Scope<M>) -> Option<String> {
    None
}

/// The scopes of the reference: forty, and the one that loads all that is associated, which is no condition.
async fn scopes(records: &dyn Records, now: Timestamp, told: &mut Told) -> Result<(), RecordError> {
    let ago = now - Duration::from_secs(3600);
    let task = Tasks::all().first(records).await?.expect("there are tasks");
    let (id, workflow) = (task.task_id, task.named_task_id);
    let step = WorkflowSteps::for_task(id).named("charge").first(records).await?.expect("it has steps");
    let (step, root) = (step.workflow_step_id, {
        let root = WorkflowSteps::for_task(id).named("reserve").first(records).await?;
        root.expect("it has steps").workflow_step_id
    });
    macro_rules! tell {
        ($($scope:expr),* $(,)?) => {
            $(told.scope(records, stringify!($scope), &$scope).await?;)*
        };
    }
    tell![
        Tasks::by_annotation("triage", "priority", 1),
        Tasks::by_current_state(TaskState::Pending),
        Tasks::created_since(ago),
        Tasks::completed_since(ago),
        Tasks::failed_since(ago),
        Tasks::active(),
        Tasks::in_namespace("shop"),
        Tasks::with_task_name("checkout"),
        Tasks::with_version("10.0.0"),
        WorkflowSteps::completed(),
        WorkflowSteps::failed(),
        WorkflowSteps::pending(),
        WorkflowSteps::for_task(id),
        WorkflowSteps::by_current_state(StepState::Cancelled),
        WorkflowSteps::completed_since(ago),
        WorkflowSteps::failed_since(ago),
        WorkflowSteps::for_tasks_since(ago),
        WorkflowStepEdges::children_of(root),
        WorkflowStepEdges::parents_of(step),
        WorkflowStepEdges::siblings_of(step),
        WorkflowStepEdges::provides_edges(),
        WorkflowStepEdges::provides_to_children(root),
        NamedTasks::in_namespace("shop"),
        NamedTasks::with_version("9.0.0"),
        NamedTasks::latest_versions(),
        NamedTasksNamedSteps::named_steps_for_named_task(workflow),
        TaskNamespaces::custom(),
        TaskTransitions::recent(),
        TaskTransitions::to_state(TaskState::ResolvedManually),
        TaskTransitions::with_metadata_key("triggered_by"),
        WorkflowStepTransitions::recent(),
        WorkflowStepTransitions::to_state(StepState::Error),
        WorkflowStepTransitions::with_metadata_key("backoff_until"),
        WorkflowStepTransitions::for_task(id),
        StepDagRelationships::for_task(id),
        StepDagRelationships::root_steps(),
        StepDagRelationships::leaf_steps(),
        StepDagRelationships::with_parents(),
        StepDagRelationships::with_children(),
        StepDagRelationships::siblings_of(step),
    ];
    let whole = Tasks::with_ids([id]).with_all_associated(records).await?;
    told.scopes += 1;
    let steps: usize = whole.iter().map(|task| task.workflow_steps.len()).sum();
    told.say(
        "Tasks::with_ids([id]).with_all_associated()",
        &format!("{} task, {steps} steps, nine statements", whole.len()),
    );
    Ok(())
}

async fn associations(records: &dyn Records, told: &mut Told) -> Result<(), RecordError> {
    let page = Tasks::active().limit(1000).rows(records).await?;
    let steps = Tasks::STEPS.load(records, &page).await?;
    let many: usize = steps.iter().map(Vec::len).sum();
    told.say("Tasks::STEPS", &format!("{many} steps of {} active tasks, one statement", page.len()));
    Ok(())
}

async fn read_models(records: &dyn Records, now: Timestamp, told: &mut Told) -> Result<(), RecordError> {
    let counts = records.system_health_counts(now).await?;
    told.say("system_health_counts", &format!("{counts:?}"));
    let metrics = records.analytics_metrics(Counted::ByTask, None, now).await?;
    told.say("analytics_metrics", &format!("{metrics:?}"));
    let durations = records.task_durations(&Period::default(), now).await?;
    told.say("task_durations", &format!("{durations:?}"));
    let slowest = records.slowest_steps(&Period { limit: 3, ..Period::default() }, now).await?;
    let slowest: Vec<_> =
        slowest.iter().map(|step| format!("{} {} s", step.step_name, step.duration_seconds)).collect();
    told.say("slowest_steps", &slowest.join(", "));
    let waiting = Tasks::active().completed_since(now - Duration::from_secs(3600)).first(records).await?;
    if let Some(task) = waiting {
        let context = records.task_execution_context(task.task_id, now).await?;
        told.say("task_execution_context", &context.next_action().description);
        for step in records.step_readiness(task.task_id, None, now).await? {
            let why = step.blocking_reason().map_or_else(|| "ready".to_owned(), |reason| reason.to_string());
            told.say(&format!("step_readiness of `{}`", step.name), &why);
        }
        let levels = records.dependency_levels(task.task_id).await?;
        told.say("dependency_levels", &format!("{} levels", levels.max_level() + 1));
    }
    Ok(())
}
