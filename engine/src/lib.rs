//! The engine of tasker: the model, its decisions, definitions, the four contracts, and the loop that runs tasks.
//!
//! It knows no SQL, and no storage but by the [`Storage`] contract. Users meet it through the facade crate `tasker`.

pub mod analysis;
mod attempt;
pub mod audit;
mod built;
mod cache;
mod clock;
mod condition;
pub mod config;
mod contracts;
mod correlation;
mod custom_event;
pub mod decide;
mod definition;
mod diagram;
mod document;
mod engine;
mod error;
mod events;
mod face;
mod handler;
mod health;
mod hooks;
mod host;
pub mod identity;
mod ids;
mod inbox;
mod known;
mod known_keys;
mod mask;
mod model;
pub mod payload;
mod queue;
pub mod records;
mod reenqueue;
mod registry;
mod report;
mod request;
mod retry;
mod run_loop;
mod schema;
mod serve;
mod settings;
mod state;
mod storage;
mod subscribe;
mod telling;
mod template;
mod template_graph;
mod time;
mod variables;
mod worker;
#[cfg(feature = "yaml")]
mod yaml;

#[cfg(feature = "cache")]
pub use cache::LocalCache;
pub use cache::{Cache, CacheCounts, CacheError, Cached};
pub use clock::{
    Busy, Clock, ClockKeeper, ClockReading, DynClock, ServerClock, SimulatedClock, Skew, SystemClock,
};
pub use condition::{Condition, Until};
pub use config::{ConfigErrors, Configuration, Effective, Layers};
pub use contracts::{DynQueue, DynStorage, EngineTypes, Erased, Parts};
pub use correlation::CorrelationId;
pub use custom_event::{CustomEvent, UNDECLARED_EVENT};
pub use decide::ReferenceBackoff;
pub use definition::{Definition, DefinitionBuilder};
pub use document::{Fault, Location, Mistake, UnknownKeys};
pub use engine::{Engine, EngineError, RegistryCounts, Request, Settings};
pub use error::{
    BAD_INPUT, Fail, MISSING_OUTPUT, PANIC, Permanent, ResultExt, Retry, RetryAfter, StepError, StepResult,
    TIMEOUT, WORKER_SHUTDOWN,
};
pub use events::{
    Broadcast, Buffered, Emitter, Event, EventList, EventName, EventNames, EventSink, Fact, FanOut, Filtered,
    JsonLines, MemoryEventLog, Moment, NoEvents, Pattern, PatternError, Severity, SinkCounts, UnknownEvent,
    payload as event_payload,
};
pub use face::{
    AnyContext, Argument, Config, Context, Input, LinkedWorkflow, Lists, Output, Outputs, Part, Payload,
    Readable, Spawn, State, Step, StepContext, Workflow,
};
pub use handler::{
    Arity, Call, DescribedHandler, DynHandler, Entry, Fits, FnHandler, Handlers, InputKey, InputNeed,
    IntoHandler, Misfit, Needs, Parent, Place, Policy, Resources, SpawnEntry, SpawnRequest, TypeKey, decode,
    fits, handler_fn,
};
pub use health::{Check, CheckStatus, Liveness, ReadinessReport};
pub use hooks::{Hooks, Moved, MovedTo, TaskPlan};
pub use host::{Handled, Tended};
pub use identity::{Identified, IdentityStrategy};
pub use ids::{DefinitionHash, HandlerName, StepId, StepName, TaskId, Token, TransitionId, WorkerId};
pub use mask::Mask;
pub use model::{Binding, Current, SpawnedBy, StepRecord, TaskRecord, TaskRequest, Transition};
pub use queue::{Delivery, Enqueue, ForeignQueue, Interest, MemoryQueue, Queue, QueueError};
pub use reenqueue::{Again, Reenqueue, ReenqueueDelays, reason};
pub use registry::{DeclaredEvent, DescribedStep, DescribedWorkflow, Registry, RegistryError};
pub use report::{Dynamic, Report, Task};
pub use request::{NamedRequest, PlannedStep, RequestErrors, RequestPlan};
pub use retry::{Fixed, RetryPolicy};
pub use serve::OpenTasks;
pub use settings::{SettingsError, SettingsErrors};
pub use state::{PhaseMark, StepPhase, StepState, TaskPhase, TaskState, UnknownState};
pub use storage::*;
pub use subscribe::{SubscribeError, Subscriber};
pub use template::{
    BadVersion, BoundTemplate, BuildError, BuildErrors, GraphLimits, SchemaMode, StepTemplate, Template,
    Version,
};
pub use template_graph::{GraphEdge, GraphNode, GraphSummary, TemplateGraph};
pub use time::{ParseTimestampError, Timestamp};
pub use worker::Worker;
#[cfg(feature = "yaml")]
pub use yaml::{TemplateErrors, TemplateFile, TemplateReader, YamlLimits, template_schema};

/// For [`DefinitionBuilder::context_by_schema`].
#[cfg(feature = "schema")]
pub use schemars;

/// What generated code names. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::face::*;
    pub use crate::{
        BuildErrors, Definition, DefinitionBuilder, Entry, Fail, Misfit, Place, Policy, StepError, StepResult,
    };
    pub use inventory;
    pub use serde;
    pub use serde_json::Value;
}
