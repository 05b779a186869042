//! A workflow engine: tasks are DAGs of async steps, typed from end to end, kept in memory or on PostgreSQL, retried,
//! audited, and never lost.
//!
//! A *task* is a run of a named, versioned workflow. Its *steps* form a graph; the engine finds the steps whose parents
//! are done, runs their handlers, keeps every change of state as a row of an audit trail, retries with back-off, and
//! settles the task.
//!
//! # Contents
//!
//! | you want to | look at |
//! |---|---|
//! | run something now | [`prelude`], [`InMemory::in_memory`] |
//! | keep tasks in a database | `Engine::postgres(url)`, feature `postgres`; the page `docs/postgres.md` |
//! | write steps | [`Step`], the macro `#[step]`, the guide in `docs/handlers.md` |
//! | put a workflow together at run time | [`Definition::builder`] |
//! | read workflows from YAML | `Definition::from_yaml`, `TemplateReader`, feature `yaml`; the guide in `docs/templates.md` |
//! | configure an engine by files and variables | [`Layers`], [`Configuration`]; the guide in `docs/configuration.md` |
//! | keep many versions of workflows | [`Registry`] |
//! | make equal requests one task | [`identity`] |
//! | see what became of a task | [`Task`], [`Report`] |
//! | ask what tasks there are, and note something beside them | [`records`], [`Engine::records`] |
//! | see what holds a task up, and how long it must take | [`analysis`], [`Report::graph`] |
//! | drive many tasks | [`Worker`] |
//! | drive tasks from Sidekiq, Celery or cron | [`Engine::handle`], [`ForeignQueue`], the guide in `docs/hosts.md` |
//! | test hours of back-off in no time | [`SimulatedClock`], [`InMemory::simulated`] |
//! | write a storage, queue, clock or event sink | [`Storage`], [`Queue`], [`Clock`], [`EventSink`] |
//! | prove that your storage or queue is right | the crate `tasker-storage`, feature `conformance` |

#[cfg(feature = "postgres")]
mod durable;
#[cfg(feature = "memory")]
mod memory;
pub mod prelude;

#[cfg(feature = "postgres")]
pub use durable::Postgres;
#[cfg(feature = "memory")]
pub use memory::InMemory;
pub use tasker_engine::*;
#[cfg(feature = "conformance")]
pub use tasker_storage::conformance;
#[cfg(feature = "memory")]
pub use tasker_storage::memory::MemoryStorage;
#[cfg(feature = "postgres")]
pub use tasker_storage::postgres;

// The macros, beside the traits of the same names.
#[cfg(feature = "macros")]
pub use tasker_macros::{Fail, StepHandler, Workflow, step};

/// The program of the README, kept true.
#[cfg(all(doctest, feature = "macros", feature = "memory"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The examples of the guide, kept true.
#[cfg(all(doctest, feature = "macros", feature = "memory"))]
#[doc = include_str!("../docs/handlers.md")]
struct Guide;

/// The examples of the page on events, kept true.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../docs/events.md")]
struct Events;

/// The examples of the page on databases, kept true.
#[cfg(all(doctest, feature = "postgres"))]
#[doc = include_str!("../docs/postgres.md")]
struct Database;

/// The programs of the guide for hosts, kept true.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../docs/hosts.md")]
struct HostGuide;

/// The examples of the guide to templates, kept true.
#[cfg(all(doctest, feature = "macros", feature = "memory", feature = "yaml"))]
#[doc = include_str!("../docs/templates.md")]
struct TemplatesGuide;

/// The examples of the guide to configuration, kept true.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../docs/configuration.md")]
struct ConfigurationGuide;
