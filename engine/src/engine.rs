//! The engine: starts tasks, drives them, and carries out what operators ask.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::built::Built;
use crate::events::Counter;
use crate::hooks::{HookCalls, Told};
use crate::host::Wanting;
use crate::inbox::{Inbox, Message};
use crate::known::{KnownTask, KnownTasks};
use crate::payload::{self, Limits};
use crate::records::Records;
use crate::run_loop::RunLoop;
use crate::subscribe::Attached;
use crate::telling::Created;
use crate::{
    Act, BuildErrors, CacheCounts, Clock, Condition, CorrelationId, Creation, Definition, DefinitionHash,
    Detail, Dynamic, EngineTypes, Enqueue, Erased, HandlerName, Handlers, Identified, IdentityStrategy,
    Interest, Intervened, Intervention, Misfit, Moved, MovedTo, NewTask, Parts, Queue, RegistryError, Report,
    Rescued, Resources, SettingsErrors, StepId, StepMoved, StepName, StepState, Storage, StorageError, Task,
    TaskCommand, TaskId, TaskMoved, TaskPlan, TaskRequest, TaskState, Timestamp, Wake, Worker, WorkerId,
    identity,
};

/// How an engine behaves. All of it has defaults that are right for most.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many steps run at a time in this process; 256 by default.
    pub concurrency: usize,
    /// How many steps of one task are in progress at a time, over all processes; no limit by default.
    pub max_concurrent_steps_limit: Option<usize>,
    /// How many steps of these handlers run at a time in this process, by the name that stands in the template; of the
    /// others as many as there is concurrency for. None is limited by default.
    pub handler_rooms: BTreeMap<HandlerName, usize>,
    /// How large contexts and outputs may be.
    pub limits: Limits,
    /// The longest wait that a handler may ask for; five minutes by default.
    pub max_backoff: Duration,
    /// How often one looks for what other processes did and nobody told: never by default, which is right where no
    /// other process shares the storage.
    pub poll: Option<Duration>,
    /// How many outcomes go into one call; 500 by default.
    pub batch_outcomes: usize,
    /// How many bytes of outcomes go into one call; 8 MiB by default.
    pub batch_bytes: usize,
    /// In how many calls at the same time, each about other tasks, a large wave goes to the storage: one by default, which
    /// is right for a storage in this process.
    pub calls_at_once: Option<usize>,
    /// How often it tells that it lives, while it holds a claim; five seconds by default.
    pub heartbeat_interval: Duration,
    /// A worker that has not beaten for that long is taken for dead, and its steps are tried again; half a minute by
    /// default. Must be longer than the interval of heartbeats. Looked after where [`poll`](Self::poll) is set.
    pub worker_lost_after: Duration,
    /// How long an attempt may take whose step does not say so itself; without end by default.
    pub step_timeout: Option<Duration>,
    /// How requests are told apart; each is another by default.
    pub identity: Arc<dyn IdentityStrategy>,
    /// Who this process is; random by default.
    pub worker: WorkerId,
    /// What people call it.
    pub label: String,
    /// What jitter is drawn from; random by default.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 256,
            max_concurrent_steps_limit: None,
            handler_rooms: BTreeMap::new(),
            limits: Limits::default(),
            max_backoff: Duration::from_secs(300),
            poll: None,
            batch_outcomes: 500,
            batch_bytes: 8 << 20,
            calls_at_once: None,
            heartbeat_interval: Duration::from_secs(5),
            worker_lost_after: Duration::from_secs(30),
            step_timeout: None,
            identity: Arc::new(identity::Unique),
            worker: WorkerId::random(),
            label: String::new(),
            seed: fastrand::u64(..),
        }
    }
}

/// What an engine serves, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RegistryCounts {
    /// Workflows that it has learned or serves, versions counted each.
    pub workflows: usize,
    /// Handlers that it was given by name.
    pub handlers: usize,
    /// How often templates were put together, and how often they were there.
    pub templates: CacheCounts,
}

/// Starts tasks and drives them. Cheap to clone; clones are one engine.
///
/// Nothing runs unless somebody wants it to: [`Task::finished`] drives one task, a [`Worker`] drives them all,
/// [`Engine::handle`] makes one pass for a host that has workers of its own.
pub struct Engine<T: EngineTypes = Erased> {
    pub(crate) shared: Arc<Shared<T>>,
}

impl<T: EngineTypes> Clone for Engine<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T: EngineTypes> fmt::Debug for Engine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.shared.settings.worker)
    }
}

pub(crate) struct Shared<T: EngineTypes> {
    pub(crate) storage: T::Storage,
    pub(crate) queue: T::Queue,
    pub(crate) clock: Arc<T::Clock>,
    pub(crate) events: T::Events,
    /// What became of the events.
    pub(crate) sink: Counter,
    /// Who else is told of events. Held for a look or a change.
    pub(crate) attached: RwLock<Arc<[Arc<Attached>]>>,
    pub(crate) settings: Settings,
    pub(crate) inbox: Inbox,
    /// What the hooks of tasks are still to be told.
    pub(crate) hook_calls: HookCalls,
    /// How many more tasks the run loop could take from the queue. It says so when it has nothing else to do; whoever
    /// brings some sets it back to none.
    pub(crate) demand: Condition<usize>,
    /// Guards what this process remembers of tasks; held for a look-up.
    known: Mutex<KnownTasks>,
    /// What this engine has learned; written once a definition.
    definitions: RwLock<HashMap<DefinitionHash, Definition>>,
    /// What was put together of templates that it has not learned.
    built: Built,
    /// The workflows of the registry that it was told to serve last. Held for a look or a change.
    pub(crate) served: Mutex<BTreeMap<String, Definition>>,
    handlers: RwLock<Handlers>,
    resources: RwLock<Arc<Resources>>,
    /// Definitions for which this engine has no handlers, as far as it has met them.
    unserved: RwLock<Arc<BTreeSet<DefinitionHash>>>,
}

/// What an engine could not do.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The settings are not right.
    #[error(transparent)]
    Settings(#[from] SettingsErrors),
    /// The workflow is not right.
    #[error(transparent)]
    Build(#[from] BuildErrors),
    /// A registry cannot be served.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The context does not fit the workflow; nothing was stored.
    #[error("context of {workflow}{}: {misfit}", step.as_ref().map(|step| format!(" (read by step `{step}`)")).unwrap_or_default())]
    Context {
        /// Of which workflow.
        workflow: String,
        /// Which step reads it; `None` for all.
        step: Option<StepName>,
        /// Where it does not fit.
        misfit: Misfit,
    },
    /// The context does not fit the schema of the workflow's template; nothing was stored.
    #[error("context of {workflow}: {}", misfits.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Schema {
        /// Of which workflow.
        workflow: String,
        /// All that does not fit, each with its JSON pointer.
        misfits: Vec<Misfit>,
    },
    /// A step takes a shared resource that the engine does not have.
    #[error(
        "step `{step}` of {workflow} takes State<{resource}>, which the engine does not have; add it with `.state(…)`"
    )]
    MissingState {
        /// Of which workflow.
        workflow: String,
        /// Which step.
        step: StepName,
        /// Which type.
        resource: &'static str,
    },
    /// A step may add steps that cannot be run.
    #[error("the plan of {workflow} was refused: {message}")]
    Plan {
        /// Of which workflow.
        workflow: String,
        /// What its hook said.
        message: String,
    },
    /// There is a task of that identity already.
    #[error("the request is identical to that of task {task}")]
    Duplicate {
        /// The existing task.
        task: TaskId,
    },
    /// There is no such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// An output was read that is not there, or is of another type.
    #[error("task {task}: {message}")]
    Output {
        /// Of which task.
        task: TaskId,
        /// What is wrong.
        message: String,
    },
    /// The storage failed.
    #[error("storage failed")]
    Storage(#[source] Arc<StorageError>),
    /// The engine's run loop has ended, because the runtime is shutting down.
    #[error("the engine has stopped")]
    Stopped,
}

impl From<StorageError> for EngineError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::UnknownTask(task) => Self::UnknownTask(task),
            error => Self::Storage(Arc::new(error)),
        }
    }
}

/// What to start, with more than a context.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the workflow works on.
    pub context: Value,
    /// The JSON text of the context as it was sent: the strategy [`Rails`](identity::Rails) depends on the order of its
    /// keys, which a value does not keep.
    pub sent: Option<String>,
    /// Makes it the same request as another one of the same identity; random when `None`.
    pub identity: Option<String>,
    /// When it was asked for; now when `None`.
    pub requested_at: Option<Timestamp>,
    /// Who asks; `unknown` by default.
    pub initiator: String,
    /// From where; `unknown` by default.
    pub source_system: String,
    /// Why; `unknown` by default.
    pub reason: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Skippable steps to pass over.
    pub bypass_steps: Vec<StepName>,
    /// What the task is part of: the [`CorrelationId`] of whoever asks. A new one when `None`, or when it cannot be accepted.
    pub correlation_id: Option<String>,
}

impl Request {
    /// With that context and the reference's defaults.
    pub fn new(context: Value) -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            context,
            sent: None,
            identity: None,
            requested_at: None,
            initiator: unknown(),
            source_system: unknown(),
            reason: unknown(),
            tags: vec![],
            bypass_steps: vec![],
            correlation_id: None,
        }
    }
}

impl<T: EngineTypes> Engine<T> {
    /// An engine on those parts.
    ///
    /// # Errors
    /// When the settings cannot be used: see [`Settings::check`].
    pub fn new(parts: Parts<T>, settings: Settings) -> Result<Self, SettingsErrors> {
        settings.check()?;
        let shared = Shared {
            storage: parts.storage,
            queue: parts.queue,
            clock: Arc::new(parts.clock),
            events: parts.events,
            sink: Counter::default(),
            attached: RwLock::new(Arc::new([])),
            settings,
            inbox: Inbox::default(),
            hook_calls: HookCalls::default(),
            demand: Condition::default(),
            known: Mutex::default(),
            definitions: RwLock::default(),
            built: Built::default(),
            served: Mutex::default(),
            handlers: RwLock::default(),
            resources: RwLock::default(),
            unserved: RwLock::default(),
        };
        shared.tell_built();
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Adds a shared resource, which steps take as `State<R>`.
    #[must_use]
    pub fn state<R: Send + Sync + 'static>(self, resource: R) -> Self {
        {
            let mut resources =
                self.shared.resources.write().expect("nothing panics while it adds a resource");
            Arc::make_mut(&mut resources).insert(resource);
        }
        self
    }

    /// Adds handlers by name, for tasks that this process did not start and for spawned steps.
    #[must_use]
    pub fn handlers(self, handlers: Handlers) -> Self {
        *self.shared.handlers.write().expect("nothing panics while it sets the handlers") = handlers;
        self.shared.built.forget();
        self.shared.forget_unserved();
        self
    }

    /// The storage, for questions that the engine does not ask.
    pub fn storage(&self) -> &T::Storage {
        &self.shared.storage
    }

    /// Models, scopes and read models over the same data, where the storage has them.
    pub fn records(&self) -> Option<&dyn Records> {
        self.shared.storage.records()
    }

    /// The engine's time.
    pub fn clock(&self) -> &T::Clock {
        &self.shared.clock
    }

    /// How many workflows it serves, and how often the definition of a task that was started elsewhere was put together or
    /// was there already.
    pub fn registry_counts(&self) -> RegistryCounts {
        let served = self.shared.served.lock().expect("nothing panics while it compares names").len();
        let handlers = self.shared.handlers.read().expect("nothing panics while it sets the handlers").len();
        let counts = RegistryCounts { workflows: served, handlers, templates: self.shared.built.counts() };
        self.shared.tell_stats(&counts);
        counts
    }

    /// How often the definition of a task that was started elsewhere was put together, and how often it was there.
    pub fn template_counts(&self) -> CacheCounts {
        self.shared.built.counts()
    }

    /// How it behaves.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Makes a definition known to the storage and to this engine, so that its tasks can be started and run here.
    ///
    /// # Errors
    /// When a shared resource is missing, or the storage fails.
    pub async fn learn(&self, definition: &Definition) -> Result<(), EngineError> {
        if self.learn_all(std::slice::from_ref(definition)).await? {
            self.note_learned(&[definition]);
        }
        Ok(())
    }

    /// As [`learn`](Self::learn), all in one call. Answers whether any was new.
    pub(crate) async fn learn_all(&self, definitions: &[Definition]) -> Result<bool, EngineError> {
        let is_new = |definition: &&Definition| self.shared.definition(definition.bound().hash()).is_none();
        let new: Vec<_> = definitions.iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(false);
        }
        new.iter().try_for_each(|definition| self.check_states(definition))?;
        let now = self.shared.clock.now();
        let bound: Vec<_> = new.iter().map(|definition| Arc::clone(definition.bound())).collect();
        self.shared.storage.learn(&bound, now).await?;
        let new = new.into_iter().map(|definition| (definition.bound().hash().clone(), definition.clone()));
        self.shared.definitions.write().expect("nothing panics while it learns").extend(new);
        self.shared.forget_unserved();
        Ok(true)
    }

    pub(crate) fn check_states(&self, definition: &Definition) -> Result<(), EngineError> {
        let resources = self.shared.resources();
        let mut missing = definition.states().filter(|(_, resource)| !resources.has(*resource));
        missing.next().map_or(Ok(()), |(step, resource)| {
            Err(EngineError::MissingState {
                workflow: definition.full_name(),
                step: step.clone(),
                resource: resource.name(),
            })
        })
    }

    /// Starts a task of a definition that was put together at run time.
    ///
    /// # Errors
    /// When the context does not fit, a resource is missing, or the storage fails. Nothing is stored then.
    pub async fn start_definition(
        &self,
        definition: &Definition,
        context: impl Serialize + Send,
    ) -> Result<Task<Dynamic, T>, EngineError> {
        let context = self.json(definition, context)?;
        self.request(definition, Request::new(context)).await
    }

    /// Starts a task, with all that a request can say.
    ///
    /// # Errors
    /// As [`Engine::start_definition`]; a repeated identity is [`EngineError::Duplicate`].
    pub async fn request(
        &self,
        definition: &Definition,
        request: Request,
    ) -> Result<Task<Dynamic, T>, EngineError> {
        let mut started = self.request_many(definition, vec![request]).await?;
        started.pop().expect("one request, one answer")
    }

    /// Starts many tasks in one call. A duplicate is answered in its place; any other mistake refuses all.
    ///
    /// # Errors
    /// As [`Engine::start_definition`].
    pub async fn request_many(
        &self,
        definition: &Definition,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Task<Dynamic, T>, EngineError>>, EngineError> {
        let _busy = self.shared.clock.busy();
        self.learn(definition).await?;
        let now = self.shared.clock.now();
        let new = requests
            .into_iter()
            .map(|request| planned(definition, request, now, &*self.shared.settings.identity))
            .collect::<Result<Vec<_>, _>>()?;
        let requests: Vec<_> = new.iter().map(|task| (task.request.clone(), task.inputs.clone())).collect();
        let created = self.shared.storage.create(new, now).await?;
        let mut facts = self.shared.facts();
        let mut wakes = vec![];
        let answers = created.into_iter().zip(requests).map(|(creation, (request, inputs))| match creation {
            Creation::Duplicate { task } => Err(EngineError::Duplicate { task }),
            Creation::Created { task, steps, settled } => {
                if let Some(facts) = &mut facts {
                    let known = KnownTask::created(
                        definition.clone(),
                        request.clone(),
                        steps.clone(),
                        HashMap::new(),
                        now,
                    );
                    let (steps, settled) = (&steps, settled.is_some());
                    self.shared.tell_created(
                        facts,
                        &Created {
                            task,
                            known: &Arc::new(known),
                            definition,
                            request: &request,
                            steps,
                            settled,
                        },
                    );
                }
                match settled {
                    Some(state) => self.shared.tell_hooks(task, definition.hooks(), Told::Settled(state)),
                    None => {
                        wakes.push(Wake { due: now, task, generation: 0 });
                        self.shared.remember_created(task, definition, request, steps, inputs, now);
                    }
                }
                Ok(Task::new(self.clone(), task))
            }
        });
        let answers = answers.collect();
        if let Some(facts) = facts {
            self.shared.publish(facts);
        }
        self.shared.tell(&wakes).await;
        Ok(answers)
    }

    pub(crate) fn json(
        &self,
        definition: &Definition,
        context: impl Serialize,
    ) -> Result<Value, EngineError> {
        serde_json::to_value(context).map_err(|error| EngineError::Context {
            workflow: definition.full_name(),
            step: None,
            misfit: Misfit::new("", error.to_string()),
        })
    }

    /// A task that exists, whoever made it. Whether it does is found out when it is asked for something.
    pub fn task(&self, task: TaskId) -> Task<Dynamic, T> {
        Task::new(self.clone(), task)
    }

    /// A worker, which drives every task that this engine has handlers for.
    pub fn worker(&self) -> Worker<T> {
        Worker::new(self.clone())
    }

    /// Drives one task until it is settled.
    ///
    /// # Errors
    /// When there is no such task, or the storage fails for good.
    ///
    /// # Cancel safety
    /// Dropping the future stops driving the task: steps that run go on to their end and are recorded, no further one is
    /// claimed. Another call goes on from there.
    pub async fn drive(&self, task: TaskId) -> Result<TaskState, EngineError> {
        self.watch(task).await.map(|watched| watched.state)
    }

    pub(crate) async fn watch(&self, task: TaskId) -> Result<crate::inbox::Watched, EngineError> {
        let busy = self.shared.clock.busy();
        let (settled, answer) = oneshot::channel();
        let watch = Wanting::new(&self.shared, task);
        self.shared.post(Message::Watch { task, id: watch.id, settled });
        drop(busy);
        answer.await.unwrap_or(Err(EngineError::Stopped))
    }

    /// Carries out an operator's act.
    ///
    /// # Errors
    /// When there is no such task, a text does not fit, or the storage fails.
    pub async fn intervene(
        &self,
        task: TaskId,
        act: Act,
        actor: &str,
        reason: Option<&str>,
    ) -> Result<Intervened, EngineError> {
        let _busy = self.shared.clock.busy();
        let now = self.shared.clock.now();
        let pauses = matches!(act, Act::Task { command: TaskCommand::Pause, .. });
        let act =
            Intervention { task, act, actor: actor.to_owned(), reason: reason.map(ToOwned::to_owned), now };
        let done = self.shared.storage.intervene(act.clone()).await;
        if let Ok(Intervened::Moved { steps, rows, .. }) = &done {
            self.shared.tell_act(&act, steps, rows).await;
            self.tell_hooks_of_act(task, steps, rows, now).await;
        }
        let (may_have_moved, is_open) = match &done {
            Ok(Intervened::Moved { task: state, .. }) => (true, state.is_open()),
            Ok(_) => (false, false),
            // The act may have been carried out, and only the reply lost.
            Err(error) => (error.is_transient(), true),
        };
        if may_have_moved {
            self.shared.inbox.post_if_alive(Message::Look(task), &*self.shared.clock);
            if is_open && !pauses {
                let reason = crate::reason::PENDING_STEPS_REMAINING;
                tracing::debug!(task = task.0, reason, "an operator's act may have set a task going");
                self.shared.tell(&[Wake { due: now, task, generation: 0 }]).await;
            }
        }
        Ok(done?)
    }

    /// Tells the hooks of a workflow that this engine has learned what an operator did.
    async fn tell_hooks_of_act(&self, task: TaskId, steps: &[StepMoved], rows: &[TaskMoved], at: Timestamp) {
        if !self.shared.has_hooks() {
            return;
        }
        if !self.shared.known().has(task)
            && let Err(error) = self.shared.learn_tasks(&[task]).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                task = task.0,
                "hooks were not told of an act"
            );
        }
        let Some(known) = self.shared.known().get(task) else { return };
        let of_steps = steps.iter().map(|moved| known.moved(task, moved.step, moved.to, moved.by, at));
        let of_task = rows.iter().map(|row| Moved { task, to: MovedTo::Task(row.to), by: row.by, at });
        let hooks = known.definition.hooks();
        self.shared.tell_hooks(task, hooks, Told::Moved(of_steps.chain(of_task).collect()));
        if let Some(row) = rows.last().filter(|row| !row.to.is_open()) {
            self.shared.tell_hooks(task, hooks, Told::Settled(row.to));
        }
    }

    /// A task as it stands, with its audit trail.
    ///
    /// # Errors
    /// When there is no such task, or the storage fails.
    pub async fn report(&self, task: TaskId) -> Result<Report, EngineError> {
        let _busy = self.shared.clock.busy();
        let mut records = self.shared.storage.load(&[task], Detail::Audit).await?;
        let record = records.pop().ok_or(EngineError::UnknownTask(task))?;
        Ok(Report::new(record, self.shared.clock.now()))
    }
}

/// A task that cannot be run here.
pub(crate) struct Unserved {
    pub(crate) task: TaskId,
    /// Whether the queue knows that tasks of its definition are for others.
    pub(crate) is_noted: bool,
}

/// Checks a request and asks the workflow's hook; nothing is written yet.
pub(crate) fn planned(
    definition: &Definition,
    request: Request,
    now: Timestamp,
    identity: &dyn IdentityStrategy,
) -> Result<NewTask, EngineError> {
    let workflow = || definition.full_name();
    let mut context = request.context;
    payload::normalise(&mut context);
    let object = Misfit::new("", "a context is a JSON object");
    if !context.is_object() {
        return Err(EngineError::Context { workflow: workflow(), step: None, misfit: object });
    }
    if let Some(schema) = definition.schema() {
        let completed = schema.complete(&mut context);
        completed.map_err(|misfits| EngineError::Schema { workflow: workflow(), misfits })?;
        // Defaults are values like others.
        payload::normalise(&mut context);
    }
    definition.check_context(&context).map_err(|(step, misfit)| EngineError::Context {
        workflow: workflow(),
        step,
        misfit,
    })?;
    let correlation = request.correlation_id.as_deref().and_then(CorrelationId::accept);
    let correlation = correlation.unwrap_or_else(|| CorrelationId::new(now, uuid::Uuid::new_v4().as_u128()));
    let stored = TaskRequest {
        context: Arc::new(context),
        requested_at: request.requested_at.unwrap_or(now),
        initiator: request.initiator,
        source_system: request.source_system,
        reason: request.reason,
        tags: request.tags,
        bypass_steps: request.bypass_steps,
        correlation_id: Some(correlation),
    };
    let mut plan = TaskPlan::new(definition.template(), &stored);
    definition
        .hooks()
        .plan(&mut plan)
        .map_err(|message| EngineError::Plan { workflow: workflow(), message })?;
    let inputs = plan.inputs;
    let identity_hash = request.identity.unwrap_or_else(|| {
        let sent = request.sent.as_deref();
        identity.identity(&Identified { template: definition.template(), request: &stored, sent })
    });
    Ok(NewTask { definition: definition.bound().hash().clone(), identity_hash, request: stored, inputs })
}

impl<T: EngineTypes> Shared<T> {
    /// Leaves a message for the run loop, and starts one when there is none.
    pub(crate) fn post(self: &Arc<Self>, message: Message) {
        if self.inbox.post(message, &*self.clock) {
            let busy = self.clock.busy();
            tokio::spawn(RunLoop::new(Arc::clone(self), busy).run());
        }
    }

    /// Tells the queue. A queue that fails costs time, not work: the storage keeps the wakes.
    pub(crate) async fn tell(&self, wakes: &[Wake]) {
        if wakes.is_empty() {
            return;
        }
        if let Err(error) = self.queue.enqueue(wakes).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the queue did not take a hint");
            self.tell_not_enqueued(wakes, &error);
        }
    }

    /// As [`tell`](Self::tell), without waiting for it.
    pub(crate) fn tell_soon(self: &Arc<Self>, wakes: Vec<Wake>) {
        if wakes.is_empty() {
            return;
        }
        let (shared, busy) = (Arc::clone(self), self.clock.busy());
        tokio::spawn(async move {
            let wakes: Vec<_> = match shared.queue.reenqueue() {
                None => wakes,
                Some(spacing) => {
                    let now = shared.clock.now();
                    wakes
                        .iter()
                        .map(|wake| Wake { due: spacing.at_wake(wake.due, now).due, ..*wake })
                        .collect()
                }
            };
            shared.tell(&wakes).await;
            drop(busy);
        });
    }

    /// Whether others are told of a wake that a wave left. A host is told of what nobody here drives; other processes
    /// of that, and of what can be taken at once.
    pub(crate) fn tells_of_left_over(&self, ours: bool, due: bool) -> bool {
        match self.queue.reenqueue() {
            Some(_) => !ours,
            None => self.settings.poll.is_some() && (!ours || due),
        }
    }

    /// Tells the queue that tasks were looked at since their hints were received.
    pub(crate) fn acknowledge(self: &Arc<Self>, wakes: Vec<Wake>) {
        let (shared, busy) = (Arc::clone(self), self.clock.busy());
        tokio::spawn(async move {
            if let Err(error) = shared.queue.ack(&wakes).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the queue did not forget hints");
            }
            drop(busy);
        });
    }

    /// Gives hints back that nobody here will look at.
    pub(crate) fn give_back(self: &Arc<Self>, wakes: Vec<Wake>) {
        let (shared, busy) = (Arc::clone(self), self.clock.busy());
        tokio::spawn(async move {
            if let Err(error) = shared.queue.release(&wakes).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the queue did not take hints back");
            }
            drop(busy);
        });
    }

    /// Tells whoever receives for the run loop how much it could take.
    pub(crate) fn tell_demand(&self, room: usize) {
        let before = self.demand.peek(|demand| std::mem::replace(demand, room));
        if (before == 0) != (room == 0) {
            self.demand.change(&*self.clock, |_| {});
        }
    }

    /// What the run loop can take from the queue.
    pub(crate) fn interest(&self, limit: usize) -> Interest {
        Interest {
            limit,
            worker: Some(self.settings.worker),
            unserved: Arc::clone(&self.unserved.read().expect("nothing panics while it notes one")),
        }
    }

    pub(crate) fn definition(&self, hash: &DefinitionHash) -> Option<Definition> {
        self.definitions.read().expect("nothing panics while it learns").get(hash).cloned()
    }

    pub(crate) fn resources(&self) -> Arc<Resources> {
        Arc::clone(&self.resources.read().expect("nothing panics while it adds a resource"))
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, KnownTasks> {
        self.known.lock().expect("nothing panics while it looks up a task")
    }

    /// Whether any workflow that this engine has learned wants to hear what becomes of its tasks.
    fn has_hooks(&self) -> bool {
        let definitions = self.definitions.read().expect("nothing panics while it learns");
        definitions.values().any(|definition| {
            let hooks = definition.hooks();
            hooks.wants_moved() || hooks.wants_settled()
        })
    }

    /// Tells the hooks of tasks that are known here which of their steps were taken from lost workers.
    pub(crate) fn tell_hooks_of_rescue(self: &Arc<Self>, rescued: &[Rescued], at: Timestamp) {
        for Rescued { task, step, by, .. } in rescued {
            let Some(known) = self.known().get(*task) else { continue };
            let moved = known.moved(*task, *step, StepState::Error, *by, at);
            self.tell_hooks(*task, known.definition.hooks(), Told::Moved(vec![moved]));
        }
    }

    fn note_unserved(&self, definition: &DefinitionHash) {
        let mut unserved = self.unserved.write().expect("nothing panics while it notes one");
        if !unserved.contains(definition) {
            Arc::make_mut(&mut unserved).insert(definition.clone());
        }
    }

    fn forget_unserved(&self) {
        *self.unserved.write().expect("nothing panics while it notes one") = Arc::default();
    }

    fn remember_created(
        &self,
        task: TaskId,
        definition: &Definition,
        request: TaskRequest,
        steps: Vec<StepId>,
        inputs: BTreeMap<usize, Arc<Value>>,
        now: Timestamp,
    ) {
        let inputs: HashMap<_, _> = inputs.into_iter().collect();
        let known = KnownTask::created(definition.clone(), request, steps, inputs, now);
        self.known().insert(task, known);
    }

    /// Loads tasks and finds what runs them. Answers those that this process cannot run.
    pub(crate) async fn learn_tasks(&self, tasks: &[TaskId]) -> Result<Vec<Unserved>, StorageError> {
        let records = self.storage.load(tasks, Detail::Graph).await?;
        let handlers = self.handlers.read().expect("nothing panics while it sets the handlers").clone();
        let mut unserved = vec![];
        for record in records {
            let definition = match self.definition(&record.definition) {
                Some(definition) => Ok(definition),
                None => self
                    .built
                    .get_or(&record.definition, || {
                        Definition::from_template((*record.template).clone(), &handlers)
                    })
                    .inspect_err(|_| self.note_unserved(&record.definition)),
            };
            let is_noted = definition.is_err();
            let known = definition.map_err(|errors| errors.to_string()).and_then(|definition| {
                KnownTask::loaded(&record, definition, &handlers).map_err(|error| error.to_string())
            });
            match known {
                Ok(known) => self.known().insert(record.id, known),
                Err(why) => {
                    tracing::info!(
                        task = record.id.0,
                        why,
                        "a task waits for a worker that has its handlers"
                    );
                    self.known().forget(record.id);
                    unserved.push(Unserved { task: record.id, is_noted });
                }
            }
        }
        Ok(unserved)
    }
}
