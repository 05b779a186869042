//! Scopes as statements: each can be prepared, and finds its rows by an index where one could help.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqlSafeStr as _};
use tasker_engine::records::{
    AnnotationTypes, DependentSystemObjectMaps, DependentSystems, NamedSteps, NamedTasks,
    NamedTasksNamedSteps, Scope, StepDagRelationships, TaskAnnotations, TaskNamespaces, TaskTransitions,
    Tasks, WorkflowStepEdges, WorkflowStepTransitions, WorkflowSteps,
};
use tasker_engine::{StepState, TaskState};
use tasker_storage::postgres::PostgresStorage;

use crate::fixture::{Fixture, NOW, later};

/// A statement by the name of its scope.
type Named = (String, String);

/// A column of the model, the last of its list.
macro_rules! sorted {
    ($model:ident) => {
        *<<$model as tasker_engine::records::Model>::Column as Last>::last()
    };
}

/// All scopes of one model, each with everything that can be chained to it.
macro_rules! statements {
    ($($model:ident { $($scope:expr),* $(,)? })*) => {{
        let mut all: Vec<Named> = vec![];
        $(for scope in [$($scope),*] {
            let name = serde_json::to_string(&scope).expect("a scope is JSON");
            let sent: Scope<$model> = serde_json::from_str(&name).expect("it is read as it is written");
            assert_eq!(sent, scope, "{name}");
            all.push((format!("{} {name}", stringify!($model)), PostgresStorage::statement(&scope)));
            let page = scope.descending(sorted!($model)).after(1.into()).offset(2).limit(3);
            all.push((format!("a page of {} {name}", stringify!($model)), PostgresStorage::statement(&page)));
        })*
        all
    }};
}

/// The last column of a model.
trait Last: 'static {
    fn last() -> &'static Self;
}

macro_rules! last {
    ($($column:ident),*) => {
        $(impl Last for tasker_engine::records::$column {
            fn last() -> &'static Self {
                Self::ALL.last().expect("a model has columns")
            }
        })*
    };
}

last!(
    TaskColumn,
    WorkflowStepColumn,
    WorkflowStepEdgeColumn,
    NamedTaskColumn,
    NamedStepColumn,
    NamedTasksNamedStepColumn,
    TaskNamespaceColumn,
    TaskTransitionColumn,
    WorkflowStepTransitionColumn,
    TaskAnnotationColumn,
    AnnotationTypeColumn,
    DependentSystemColumn,
    DependentSystemObjectMapColumn,
    StepDagRelationshipColumn
);

fn statements() -> Vec<Named> {
    let (one, two) = ([1.into()], [2.into()]);
    statements! {
        Tasks {
            Tasks::all(), Tasks::with_ids(one), Tasks::with_identity_hash("x"), Tasks::of_named_tasks([1.into()]),
            Tasks::by_annotation("note", "k", 5), Tasks::by_current_state(TaskState::Pending),
            Tasks::by_current_state(TaskState::Error), Tasks::created_since(NOW), Tasks::completed_since(NOW),
            Tasks::failed_since(NOW), Tasks::active(), Tasks::in_namespace("shop"), Tasks::with_task_name("x"),
            Tasks::with_version("1.0.0"),
            Tasks::active().in_namespace("shop").created_since(NOW).completed_since(NOW).failed_since(NOW)
                .by_current_state(TaskState::Complete).by_annotation("note", "k", "v").with_version("1.0.0"),
        }
        WorkflowSteps {
            WorkflowSteps::all(), WorkflowSteps::with_ids(two), WorkflowSteps::for_task(1.into()),
            WorkflowSteps::of_named_steps([1.into()]), WorkflowSteps::named("x"), WorkflowSteps::completed(),
            WorkflowSteps::failed(), WorkflowSteps::pending(),
            WorkflowSteps::by_current_state(StepState::InProgress), WorkflowSteps::completed_since(NOW),
            WorkflowSteps::failed_since(NOW), WorkflowSteps::for_tasks_since(NOW),
            WorkflowSteps::completed().failed().completed_since(NOW).failed_since(NOW).pending(),
        }
        WorkflowStepEdges {
            WorkflowStepEdges::all(), WorkflowStepEdges::with_ids([1.into()]),
            WorkflowStepEdges::of_tasks([1.into()]), WorkflowStepEdges::children_of(1.into()),
            WorkflowStepEdges::parents_of(1.into()), WorkflowStepEdges::siblings_of(1.into()),
            WorkflowStepEdges::provides_edges(), WorkflowStepEdges::provides_to_children(1.into()),
        }
        NamedTasks {
            NamedTasks::all(), NamedTasks::with_ids([1.into()]), NamedTasks::of_namespaces([1.into()]),
            NamedTasks::named("x"), NamedTasks::in_namespace("x"), NamedTasks::with_version("1.0.0"),
            NamedTasks::latest_versions(), NamedTasks::latest_versions().in_namespace("x").with_version("1.0.0"),
        }
        NamedSteps {
            NamedSteps::all(), NamedSteps::with_ids([1.into()]), NamedSteps::of_systems([1.into()]),
            NamedSteps::named("x"),
        }
        NamedTasksNamedSteps {
            NamedTasksNamedSteps::all(), NamedTasksNamedSteps::with_ids([1.into()]),
            NamedTasksNamedSteps::named_steps_for_named_task(1.into()),
            NamedTasksNamedSteps::of_named_steps([1.into()]),
        }
        TaskNamespaces {
            TaskNamespaces::all(), TaskNamespaces::with_ids([1.into()]), TaskNamespaces::named("x"),
            TaskNamespaces::custom(),
        }
        TaskTransitions {
            TaskTransitions::all(), TaskTransitions::with_ids([1.into()]), TaskTransitions::of_tasks([1.into()]),
            TaskTransitions::most_recent(), TaskTransitions::to_state(TaskState::Error),
            TaskTransitions::with_metadata_key("k"), TaskTransitions::with_metadata_value("k", json!({ "a": 1 })),
            TaskTransitions::in_time_range(NOW, later(1)), TaskTransitions::recent(),
        }
        WorkflowStepTransitions {
            WorkflowStepTransitions::all(), WorkflowStepTransitions::with_ids([1.into()]),
            WorkflowStepTransitions::of_steps([1.into()]), WorkflowStepTransitions::for_task(1.into()),
            WorkflowStepTransitions::most_recent(), WorkflowStepTransitions::to_state(StepState::Error),
            WorkflowStepTransitions::with_metadata_key("k"),
            WorkflowStepTransitions::with_metadata_value("k", "2"),
            WorkflowStepTransitions::in_time_range(NOW, later(1)), WorkflowStepTransitions::for_attempt(2),
            WorkflowStepTransitions::retry_transitions(), WorkflowStepTransitions::recent(),
        }
        TaskAnnotations {
            TaskAnnotations::all(), TaskAnnotations::with_ids([1.into()]), TaskAnnotations::of_tasks([1.into()]),
            TaskAnnotations::of_types([1.into()]),
        }
        AnnotationTypes {
            AnnotationTypes::all(), AnnotationTypes::with_ids([1.into()]), AnnotationTypes::named("x"),
        }
        DependentSystems {
            DependentSystems::all(), DependentSystems::with_ids([1.into()]), DependentSystems::named("x"),
        }
        DependentSystemObjectMaps {
            DependentSystemObjectMaps::all(), DependentSystemObjectMaps::with_ids([1.into()]),
            DependentSystemObjectMaps::with_system_one([1.into()]),
            DependentSystemObjectMaps::with_system_two([1.into()]),
            DependentSystemObjectMaps::of_systems([1.into()]),
            DependentSystemObjectMaps::with_remote_id_one("x"), DependentSystemObjectMaps::with_remote_id_two("x"),
            DependentSystemObjectMaps::with_remote_id("x"),
        }
        StepDagRelationships {
            StepDagRelationships::all(), StepDagRelationships::with_ids([1.into()]),
            StepDagRelationships::for_task(1.into()), StepDagRelationships::root_steps(),
            StepDagRelationships::leaf_steps(), StepDagRelationships::with_parents(),
            StepDagRelationships::with_children(), StepDagRelationships::siblings_of(1.into()),
        }
    }
}

#[tokio::test]
async fn every_scope_can_be_prepared_and_sent_as_json() {
    let fixture = Fixture::new().await;
    let mut connection = PgConnection::connect_with(&fixture.options()).await.unwrap();
    let statements = statements();
    assert!(statements.len() > 180, "{}", statements.len());
    for (name, statement) in statements {
        let prepared = connection.prepare(AssertSqlSafe(statement).into_sql_str()).await;
        prepared.map(drop).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Tasks of four steps, a diamond; a few of them failed, and a few are new.
const FILL: &str = "
    SET session_replication_role = replica;
    INSERT INTO tasker_dependent_systems (name, created_at, updated_at) VALUES ('s', now(), now());
    INSERT INTO tasker_named_steps (dependent_system_id, name, created_at, updated_at)
        SELECT 1, 's' || n, now(), now() FROM generate_series(1, 4) AS n;
    INSERT INTO tasker_task_namespaces (name, created_at, updated_at)
        SELECT 'n' || n, now(), now() FROM generate_series(2, 50) AS n;
    INSERT INTO tasker_named_tasks (task_namespace_id, name, created_at, updated_at)
        SELECT 1 + n % 50, 'w' || n, now(), now() FROM generate_series(1, 500) AS n;
    INSERT INTO tasker_tasks (named_task_id, requested_at, identity_hash, created_at, updated_at)
        SELECT 1 + t % 500, now(), 'i' || t, '2026-01-01'::timestamp + t * interval '1 second', now()
        FROM generate_series(1, 25000) AS t;
    INSERT INTO tasker_task_transitions (to_state, task_id, sort_key, created_at, updated_at)
        SELECT CASE WHEN t % 500 = 0 THEN 'error' ELSE 'complete' END, t, 10,
            '2026-01-01'::timestamp + t * interval '1 second', now()
        FROM generate_series(1, 25000) AS t;
    INSERT INTO tasker_workflow_steps (task_id, named_step_id, attempts, created_at, updated_at)
        SELECT t, n, 0, now(), now() FROM generate_series(1, 25000) AS t, generate_series(1, 4) AS n ORDER BY t, n;
    INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
        SELECT 4 * t - 4 + a, 4 * t - 4 + b, 'provides', now(), now()
        FROM generate_series(1, 25000) AS t, (VALUES (1, 2), (1, 3), (2, 4), (3, 4)) AS edge (a, b);
    INSERT INTO tasker_workflow_step_transitions (to_state, workflow_step_id, sort_key, created_at, updated_at)
        SELECT CASE WHEN s % 500 = 0 THEN 'error' ELSE 'complete' END, s, 10,
            '2026-01-01'::timestamp + s * interval '1 second', now()
        FROM generate_series(1, 100000) AS s;
    INSERT INTO tasker_annotation_types (name, created_at, updated_at)
        SELECT 'kind ' || n, now(), now() FROM generate_series(1, 200) AS n;
    INSERT INTO tasker_task_annotations (task_id, annotation_type_id, annotation, created_at, updated_at)
        SELECT t, 1 + t % 200, jsonb_build_object('k', t), now(), now() FROM generate_series(1, 25000) AS t;
    RESET session_replication_role;
    ANALYZE;";

/// Tables of which none is to be read from end to end for a few rows.
const LARGE: [&str; 6] = [
    "Seq Scan on tasker_tasks",
    "Seq Scan on tasker_workflow_steps",
    "Seq Scan on tasker_workflow_step_edges",
    "Seq Scan on tasker_task_transitions",
    "Seq Scan on tasker_workflow_step_transitions",
    "Seq Scan on tasker_task_annotations",
];

/// Not asked for here are those that no index could serve but one that every step's creation or every move would write:
/// steps by their names, moves by their moments and metadata; and tasks that are active or pending, for some of them are
/// known by a row that they do not have.
#[tokio::test]
async fn a_scope_of_few_rows_reads_no_table_of_a_hundred_thousand_from_end_to_end() {
    let fixture = Fixture::new().await;
    fixture.sql(FILL).await;
    let storage = &fixture.storage;
    let last = later(24_990);
    let mut slow = vec![];
    macro_rules! explain {
        ($($scope:expr),* $(,)?) => {
            $({
                let plan = storage.explain(&$scope).await.expect("a plan").join("\n");
                if LARGE.iter().any(|scan| plan.contains(scan)) {
                    slow.push(format!("{}:\n{plan}", stringify!($scope)));
                }
            })*
        };
    }
    explain![
        Tasks::with_ids([7.into()]),
        Tasks::with_identity_hash("i7"),
        Tasks::of_named_tasks([7.into()]),
        Tasks::by_annotation("kind 7", "k", 7),
        Tasks::created_since(last),
        Tasks::completed_since(last).with_ids([7.into()]),
        Tasks::by_current_state(TaskState::InProgress),
        Tasks::by_current_state(TaskState::Error),
        Tasks::failed_since(later(24_000)),
        Tasks::with_task_name("w7"),
        Tasks::with_version("9.9.9"),
        Tasks::in_namespace("nowhere"),
        Tasks::all().limit(10),
        Tasks::all().after(24_990.into()).limit(10),
        WorkflowSteps::with_ids([7.into()]),
        WorkflowSteps::for_task(7.into()),
        WorkflowSteps::of_tasks([7.into(), 8.into()]).completed(),
        WorkflowSteps::for_task(7.into()).pending(),
        WorkflowSteps::failed(),
        WorkflowSteps::by_current_state(StepState::InProgress),
        WorkflowSteps::failed_since(later(99_000)),
        WorkflowSteps::for_tasks_since(last),
        WorkflowStepEdges::of_tasks([7.into()]),
        WorkflowStepEdges::children_of(7.into()),
        WorkflowStepEdges::parents_of(7.into()),
        WorkflowStepEdges::siblings_of(6.into()),
        WorkflowStepEdges::provides_to_children(5.into()),
        TaskTransitions::of_tasks([7.into()]),
        TaskTransitions::recent().of_tasks([7.into()]),
        WorkflowStepTransitions::of_steps([7.into()]),
        WorkflowStepTransitions::for_task(7.into()),
        WorkflowStepTransitions::for_task(7.into()).retry_transitions(),
        TaskAnnotations::of_tasks([7.into()]),
        TaskAnnotations::of_types([7.into()]),
        StepDagRelationships::for_task(7.into()),
        StepDagRelationships::with_ids([7.into()]),
        StepDagRelationships::siblings_of(6.into()),
    ];
    assert!(slow.is_empty(), "{} scopes:\n\n{}", slow.len(), slow.join("\n\n"));
}
