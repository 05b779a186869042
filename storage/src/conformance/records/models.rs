//! What random scopes may ask of each model: every filter that it has.

use serde_json::json;
use tasker_engine::records::{
    AnnotationTypeColumn, AnnotationTypeFilter, AnnotationTypes, DependentSystemColumn,
    DependentSystemFilter, DependentSystemObjectMapColumn, DependentSystemObjectMapFilter,
    DependentSystemObjectMaps, DependentSystems, Model, NamedStepColumn, NamedStepFilter, NamedSteps,
    NamedTaskColumn, NamedTaskFilter, NamedTasks, NamedTasksNamedStepColumn, NamedTasksNamedStepFilter,
    NamedTasksNamedSteps, StepDagRelationshipColumn, StepDagRelationshipFilter, StepDagRelationships,
    TaskAnnotationColumn, TaskAnnotationFilter, TaskAnnotations, TaskColumn, TaskFilter, TaskNamespaceColumn,
    TaskNamespaceFilter, TaskNamespaces, TaskTransitionColumn, TaskTransitionFilter, TaskTransitions, Tasks,
    WorkflowStepColumn, WorkflowStepEdgeColumn, WorkflowStepEdgeFilter, WorkflowStepEdges,
    WorkflowStepFilter, WorkflowStepTransitionColumn, WorkflowStepTransitionFilter, WorkflowStepTransitions,
    WorkflowSteps,
};
use tasker_engine::{StepState, TaskState};

use super::draw::Pick;
use super::names::Names;
use super::world::{ANNOTATION_TYPES, NAMES, NAMESPACES, REMOTE_IDS, STEPS, SYSTEMS, VERSIONS};

/// A model of which random scopes can be asked.
pub(super) trait Asked: Model {
    const COLUMNS: &'static [Self::Column];

    /// The filter that a pick stands for.
    fn filter(pick: &Pick, names: &Names) -> Self::Filter;

    /// Whether the column holds ids whose order says nothing to another backend.
    fn is_renamed(column: Self::Column) -> bool;
}

/// A name with a mistake in it, which is nobody's.
const NOBODY: &str = "nobody's\0";

impl Asked for Tasks {
    const COLUMNS: &'static [TaskColumn] = TaskColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> TaskFilter {
        match pick.kind % 12 {
            0 => TaskFilter::WithIds(pick.some(&names.tasks)),
            1 => TaskFilter::WithIdentityHash(names.hash(pick.of)),
            2 => TaskFilter::OfNamedTasks(pick.some(&names.named_tasks)),
            3 => TaskFilter::ByAnnotation {
                name: pick.word(&ANNOTATION_TYPES).into(),
                key: ["k", "k!", "n", "list", "none", "b"][pick.more].into(),
                value: ["v", "5", "1.5", "[1, \"x\"]", "true", "0.0000001"][pick.of % 6].into(),
            },
            4 => TaskFilter::ByCurrentState(TaskState::ALL[pick.word]),
            5 => TaskFilter::CreatedSince(pick.moment()),
            6 => TaskFilter::CompletedSince(pick.moment()),
            7 => TaskFilter::FailedSince(pick.moment()),
            8 => TaskFilter::Active,
            9 => TaskFilter::InNamespace(pick.word(&NAMESPACES).into()),
            10 => TaskFilter::WithTaskName(pick.word(&NAMES).into()),
            _ => TaskFilter::WithVersion(pick.word(&VERSIONS).into()),
        }
    }

    fn is_renamed(column: TaskColumn) -> bool {
        column == TaskColumn::NamedTaskId
    }
}

impl Asked for WorkflowSteps {
    const COLUMNS: &'static [WorkflowStepColumn] = WorkflowStepColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> WorkflowStepFilter {
        match pick.kind % 11 {
            0 => WorkflowStepFilter::WithIds(pick.some(&names.steps)),
            1 => WorkflowStepFilter::OfTasks(pick.some(&names.tasks)),
            2 => WorkflowStepFilter::OfNamedSteps(pick.some(&names.named_steps)),
            3 => WorkflowStepFilter::Named(pick.word(&STEPS).into()),
            4 => WorkflowStepFilter::Completed,
            5 => WorkflowStepFilter::Failed,
            6 => WorkflowStepFilter::Pending,
            7 => WorkflowStepFilter::ByCurrentState(StepState::ALL[pick.word]),
            8 => WorkflowStepFilter::CompletedSince(pick.moment()),
            9 => WorkflowStepFilter::FailedSince(pick.moment()),
            _ => WorkflowStepFilter::ForTasksSince(pick.moment()),
        }
    }

    fn is_renamed(column: WorkflowStepColumn) -> bool {
        column == WorkflowStepColumn::NamedStepId
    }
}

impl Asked for WorkflowStepEdges {
    const COLUMNS: &'static [WorkflowStepEdgeColumn] = WorkflowStepEdgeColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> WorkflowStepEdgeFilter {
        match pick.kind % 7 {
            0 => WorkflowStepEdgeFilter::WithIds(pick.some(&names.edges)),
            1 => WorkflowStepEdgeFilter::OfTasks(pick.some(&names.tasks)),
            2 => WorkflowStepEdgeFilter::FromSteps(pick.some(&names.steps)),
            3 => WorkflowStepEdgeFilter::ToSteps(pick.some(&names.steps)),
            4 => WorkflowStepEdgeFilter::SiblingsOf(pick.one(&names.steps)),
            5 => WorkflowStepEdgeFilter::ProvidesEdges,
            _ => WorkflowStepEdgeFilter::ProvidesToChildren(pick.one(&names.steps)),
        }
    }

    fn is_renamed(column: WorkflowStepEdgeColumn) -> bool {
        column == WorkflowStepEdgeColumn::Id
    }
}

impl Asked for NamedTasks {
    const COLUMNS: &'static [NamedTaskColumn] = NamedTaskColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> NamedTaskFilter {
        match pick.kind % 6 {
            0 => NamedTaskFilter::WithIds(pick.some(&names.named_tasks)),
            1 => NamedTaskFilter::OfNamespaces(pick.some(&names.namespaces)),
            2 => NamedTaskFilter::Named(pick.word(&NAMES).into()),
            3 => NamedTaskFilter::InNamespace(pick.word(&NAMESPACES).into()),
            4 => NamedTaskFilter::WithVersion(pick.word(&VERSIONS).into()),
            _ => NamedTaskFilter::LatestVersions,
        }
    }

    fn is_renamed(column: NamedTaskColumn) -> bool {
        use NamedTaskColumn as C;
        matches!(column, C::NamedTaskId | C::TaskNamespaceId | C::FullName)
    }
}

impl Asked for NamedSteps {
    const COLUMNS: &'static [NamedStepColumn] = NamedStepColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> NamedStepFilter {
        match pick.kind % 3 {
            0 => NamedStepFilter::WithIds(pick.some(&names.named_steps)),
            1 => NamedStepFilter::OfSystems(pick.some(&names.systems)),
            _ => NamedStepFilter::Named(pick.word(&STEPS).into()),
        }
    }

    fn is_renamed(column: NamedStepColumn) -> bool {
        matches!(column, NamedStepColumn::NamedStepId | NamedStepColumn::DependentSystemId)
    }
}

impl Asked for NamedTasksNamedSteps {
    const COLUMNS: &'static [NamedTasksNamedStepColumn] = NamedTasksNamedStepColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> NamedTasksNamedStepFilter {
        match pick.kind % 3 {
            0 => NamedTasksNamedStepFilter::WithIds(pick.some(&names.links)),
            1 => NamedTasksNamedStepFilter::OfNamedTasks(pick.some(&names.named_tasks)),
            _ => NamedTasksNamedStepFilter::OfNamedSteps(pick.some(&names.named_steps)),
        }
    }

    fn is_renamed(column: NamedTasksNamedStepColumn) -> bool {
        use NamedTasksNamedStepColumn as C;
        matches!(column, C::Id | C::NamedTaskId | C::NamedStepId)
    }
}

impl Asked for TaskNamespaces {
    const COLUMNS: &'static [TaskNamespaceColumn] = TaskNamespaceColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> TaskNamespaceFilter {
        match pick.kind % 3 {
            0 => TaskNamespaceFilter::WithIds(pick.some(&names.namespaces)),
            1 => TaskNamespaceFilter::Named(pick.word(&NAMESPACES).into()),
            _ => TaskNamespaceFilter::Custom,
        }
    }

    /// Nor do the times of the namespace that is there before anything was written.
    fn is_renamed(column: TaskNamespaceColumn) -> bool {
        use TaskNamespaceColumn as C;
        matches!(column, C::TaskNamespaceId | C::CreatedAt | C::UpdatedAt)
    }
}

impl Asked for TaskTransitions {
    const COLUMNS: &'static [TaskTransitionColumn] = TaskTransitionColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> TaskTransitionFilter {
        let key = ["reason", "phase", "cancelled_steps", "step_dependencies_established"][pick.more % 4];
        match pick.kind % 7 {
            0 => TaskTransitionFilter::WithIds(pick.some(&names.task_transitions)),
            1 => TaskTransitionFilter::OfTasks(pick.some(&names.tasks)),
            2 => TaskTransitionFilter::MostRecent,
            3 => TaskTransitionFilter::ToState(TaskState::ALL[pick.word]),
            4 => TaskTransitionFilter::WithMetadataKey(key.into()),
            5 => TaskTransitionFilter::WithMetadataValue {
                key: key.into(),
                value: [json!("as agreed"), json!(1), json!("3"), json!(4.0), json!("paused"), json!(NOBODY)]
                    [pick.word]
                    .clone(),
            },
            _ => TaskTransitionFilter::InTimeRange { from: pick.moment(), to: pick.later() },
        }
    }

    fn is_renamed(column: TaskTransitionColumn) -> bool {
        column == TaskTransitionColumn::Id
    }
}

impl Asked for WorkflowStepTransitions {
    const COLUMNS: &'static [WorkflowStepTransitionColumn] = WorkflowStepTransitionColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> WorkflowStepTransitionFilter {
        let key =
            ["attempt_number", "error_class", "backoff_until", "phase", "retryable", "claim"][pick.more];
        match pick.kind % 9 {
            0 => WorkflowStepTransitionFilter::WithIds(pick.some(&names.step_transitions)),
            1 => WorkflowStepTransitionFilter::OfSteps(pick.some(&names.steps)),
            2 => WorkflowStepTransitionFilter::OfTasks(pick.some(&names.tasks)),
            3 => WorkflowStepTransitionFilter::MostRecent,
            4 => WorkflowStepTransitionFilter::ToState(StepState::ALL[pick.word]),
            5 => WorkflowStepTransitionFilter::WithMetadataKey(key.into()),
            6 => WorkflowStepTransitionFilter::WithMetadataValue {
                key: key.into(),
                value: [json!(1), json!("2"), json!("Boom"), json!(true), json!("skipped"), json!(NOBODY)]
                    [pick.word]
                    .clone(),
            },
            7 => WorkflowStepTransitionFilter::InTimeRange { from: pick.moment(), to: pick.later() },
            _ => WorkflowStepTransitionFilter::RetryTransitions,
        }
    }

    fn is_renamed(column: WorkflowStepTransitionColumn) -> bool {
        column == WorkflowStepTransitionColumn::Id
    }
}

impl Asked for TaskAnnotations {
    const COLUMNS: &'static [TaskAnnotationColumn] = TaskAnnotationColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> TaskAnnotationFilter {
        match pick.kind % 3 {
            0 => TaskAnnotationFilter::WithIds(pick.some(&names.annotations)),
            1 => TaskAnnotationFilter::OfTasks(pick.some(&names.tasks)),
            _ => TaskAnnotationFilter::OfTypes(pick.some(&names.annotation_types)),
        }
    }

    fn is_renamed(column: TaskAnnotationColumn) -> bool {
        matches!(column, TaskAnnotationColumn::TaskAnnotationId | TaskAnnotationColumn::AnnotationTypeId)
    }
}

impl Asked for AnnotationTypes {
    const COLUMNS: &'static [AnnotationTypeColumn] = AnnotationTypeColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> AnnotationTypeFilter {
        match pick.kind % 2 {
            0 => AnnotationTypeFilter::WithIds(pick.some(&names.annotation_types)),
            _ => AnnotationTypeFilter::Named(pick.word(&ANNOTATION_TYPES).into()),
        }
    }

    fn is_renamed(column: AnnotationTypeColumn) -> bool {
        column == AnnotationTypeColumn::AnnotationTypeId
    }
}

impl Asked for DependentSystems {
    const COLUMNS: &'static [DependentSystemColumn] = DependentSystemColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> DependentSystemFilter {
        match pick.kind % 2 {
            0 => DependentSystemFilter::WithIds(pick.some(&names.systems)),
            _ => DependentSystemFilter::Named(pick.word(&SYSTEMS).into()),
        }
    }

    fn is_renamed(column: DependentSystemColumn) -> bool {
        column == DependentSystemColumn::DependentSystemId
    }
}

impl Asked for DependentSystemObjectMaps {
    const COLUMNS: &'static [DependentSystemObjectMapColumn] = DependentSystemObjectMapColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> DependentSystemObjectMapFilter {
        let id = pick.word(&REMOTE_IDS).into();
        match pick.kind % 7 {
            0 => DependentSystemObjectMapFilter::WithIds(pick.some(&names.object_maps)),
            1 => DependentSystemObjectMapFilter::WithSystemOne(pick.some(&names.systems)),
            2 => DependentSystemObjectMapFilter::WithSystemTwo(pick.some(&names.systems)),
            3 => DependentSystemObjectMapFilter::OfSystems(pick.some(&names.systems)),
            4 => DependentSystemObjectMapFilter::WithRemoteIdOne(id),
            5 => DependentSystemObjectMapFilter::WithRemoteIdTwo(id),
            _ => DependentSystemObjectMapFilter::WithRemoteId(id),
        }
    }

    fn is_renamed(column: DependentSystemObjectMapColumn) -> bool {
        use DependentSystemObjectMapColumn as C;
        matches!(column, C::DependentSystemObjectMapId | C::DependentSystemOneId | C::DependentSystemTwoId)
    }
}

impl Asked for StepDagRelationships {
    const COLUMNS: &'static [StepDagRelationshipColumn] = StepDagRelationshipColumn::ALL;

    fn filter(pick: &Pick, names: &Names) -> StepDagRelationshipFilter {
        match pick.kind % 7 {
            0 => StepDagRelationshipFilter::WithIds(pick.some(&names.steps)),
            1 => StepDagRelationshipFilter::OfTasks(pick.some(&names.tasks)),
            2 => StepDagRelationshipFilter::RootSteps,
            3 => StepDagRelationshipFilter::LeafSteps,
            4 => StepDagRelationshipFilter::WithParents,
            5 => StepDagRelationshipFilter::WithChildren,
            _ => StepDagRelationshipFilter::SiblingsOf(pick.one(&names.steps)),
        }
    }

    fn is_renamed(column: StepDagRelationshipColumn) -> bool {
        column == StepDagRelationshipColumn::NamedStepId
    }
}
