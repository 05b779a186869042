//! The scopes of the reference, each under its own name, and those that associations need.

mod annotations;
mod catalogue;
mod dag;
mod steps;
mod systems;
mod tasks;
mod transitions;

pub use annotations::{
    AnnotationTypeColumn, AnnotationTypeFilter, AnnotationTypes, TaskAnnotationColumn, TaskAnnotationFilter,
    TaskAnnotations,
};
pub use catalogue::{
    NamedStepColumn, NamedStepFilter, NamedSteps, NamedTaskColumn, NamedTaskFilter, NamedTasks,
    NamedTasksNamedStepColumn, NamedTasksNamedStepFilter, NamedTasksNamedSteps, TaskNamespaceColumn,
    TaskNamespaceFilter, TaskNamespaces,
};
pub use dag::{StepDagRelationshipColumn, StepDagRelationshipFilter, StepDagRelationships};
pub use steps::{
    WorkflowStepColumn, WorkflowStepEdgeColumn, WorkflowStepEdgeFilter, WorkflowStepEdges,
    WorkflowStepFilter, WorkflowSteps,
};
pub use systems::{
    DependentSystemColumn, DependentSystemFilter, DependentSystemObjectMapColumn,
    DependentSystemObjectMapFilter, DependentSystemObjectMaps, DependentSystems,
};
pub use tasks::{TaskColumn, TaskFilter, Tasks};
pub use transitions::{
    TaskTransitionColumn, TaskTransitionFilter, TaskTransitions, WorkflowStepTransitionColumn,
    WorkflowStepTransitionFilter, WorkflowStepTransitions, alike,
};

/// A text that is no column to sort by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be sorted by `{text}`; they can by {}", known.join(", "))]
pub struct UnknownColumn {
    /// What was to be sorted.
    pub what: &'static str,
    /// The text.
    pub text: String,
    /// All columns by which it can be.
    pub known: Vec<&'static str>,
}

/// Defines a model: the type where its scopes begin, and the columns by which its rows can be sorted.
macro_rules! model {
    (
        $(#[$doc:meta])*
        $model:ident($what:literal): $row:ident by $key:ident: $id:ty, $filter:ident,
        $column:ident { $($variant:ident = $name:literal),* $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $model;

        impl $crate::records::Model for $model {
            const NAME: &'static str = $what;
            type Id = $id;
            type Row = $row;
            type Filter = $filter;
            type Column = $column;

            fn id(row: &$row) -> $id {
                row.$key
            }
        }

        impl $model {
            /// Every row.
            pub const fn all() -> $crate::records::Scope<Self> {
                $crate::records::Scope::all()
            }
        }

        #[doc = concat!("What a ", $what, " may be sorted by: every column but those that hold JSON.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $column {
            $(
                #[doc = concat!("`", $name, "`")]
                #[serde(rename = $name)]
                $variant
            ),*
        }

        impl $column {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name of the column.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }
        }

        impl std::str::FromStr for $column {
            type Err = $crate::records::UnknownColumn;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|column| column.as_str() == text).ok_or_else(|| {
                    $crate::records::UnknownColumn {
                        what: concat!($what, "s"),
                        text: text.to_owned(),
                        known: Self::ALL.iter().map(|column| column.as_str()).collect(),
                    }
                })
            }
        }
    };
}

/// Defines scopes twice: as a beginning (`Tasks::active()`), and as a narrowing of one that has begun (`.active()`).
/// Each is one condition, or none where it yields `None`.
macro_rules! scopes {
    ($model:ident { $(
        $(#[$doc:meta])*
        $name:ident($($argument:ident: $type:ty),*) => $filter:expr;
    )* }) => {
        impl $model {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name($($argument: $type),*) -> $crate::records::Scope<Self> {
                    Self::all().$name($($argument),*)
                }
            )*
        }

        impl $crate::records::Scope<$model> {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(self, $($argument: $type),*) -> Self {
                    self.filter($filter)
                }
            )*
        }
    };
}

pub(crate) use {model, scopes};
