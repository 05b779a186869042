//! Code of a workflow that is not a step: it plans tasks, and hears what becomes of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use crate::engine::Shared;
use crate::ids::IdMap;
use crate::{
    Clock, EngineTypes, StepId, StepName, StepState, StepTemplate, TaskId, TaskRequest, TaskState, Template,
    Timestamp, TransitionId,
};

/// Code of a workflow that is not a step.
///
/// What happened is told after the commit that made it true, by the process whose call made it, in the order of each
/// task, at most once: if the process dies in between, nobody is told, and the audit trail is the record. Whatever
/// happens here, the move stands; errors and panics are logged. Use [`EventSink`](crate::EventSink) for what concerns all
/// workflows.
#[async_trait]
pub trait Hooks: Send + Sync + 'static {
    /// Called once for each new task, before anything is written; may change the inputs of steps.
    ///
    /// # Errors
    /// Refuses the creation.
    fn plan(&self, plan: &mut TaskPlan<'_>) -> Result<(), String> {
        let _ = plan;
        Ok(())
    }

    /// Whether [`moved`](Self::moved) does anything. Saves the trouble where it does not.
    fn wants_moved(&self) -> bool {
        true
    }

    /// Called for each move of a task and of its steps: claims, outcomes, settlements, an operator's acts, rescues.
    ///
    /// Not told are the rows that a storage writes in passing: `error` to `pending` before the claim of another attempt,
    /// steps cancelled because a parent was, claims that a worker never heard of and gave back.
    ///
    /// # Errors
    /// Logged.
    async fn moved(&self, moved: &Moved) -> Result<(), String> {
        let _ = moved;
        Ok(())
    }

    /// Whether [`settled`](Self::settled) does anything. Saves the trouble where it does not.
    fn wants_settled(&self) -> bool {
        true
    }

    /// Called when a task settled, in `complete`, `error`, `cancelled` or `resolved_manually`; after the move itself was
    /// told. A task that is taken up again settles again.
    ///
    /// # Errors
    /// Logged.
    async fn settled(&self, task: TaskId, state: TaskState) -> Result<(), String> {
        let _ = (task, state);
        Ok(())
    }
}

/// A move that was made and committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The task.
    pub task: TaskId,
    /// What moved where.
    pub to: MovedTo,
    /// The row of the audit trail, which also says from where and why.
    pub by: TransitionId,
    /// When.
    pub at: Timestamp,
}

/// What moved, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MovedTo {
    /// The task itself.
    Task(TaskState),
    /// One of its steps.
    Step {
        /// Which.
        step: StepId,
        /// Its name; `None` for one that this process has not met.
        name: Option<StepName>,
        /// Its state now.
        state: StepState,
    },
}

pub(crate) struct NoHooks;
impl Hooks for NoHooks {
    fn wants_moved(&self) -> bool {
        false
    }
    fn wants_settled(&self) -> bool {
        false
    }
}

/// A task that is about to be written.
pub struct TaskPlan<'a> {
    template: &'a Template,
    request: &'a TaskRequest,
    pub(crate) inputs: BTreeMap<usize, Arc<Value>>,
}

impl<'a> TaskPlan<'a> {
    pub(crate) const fn new(template: &'a Template, request: &'a TaskRequest) -> Self {
        Self { template, request, inputs: BTreeMap::new() }
    }

    /// What was asked for.
    pub const fn request(&self) -> &TaskRequest {
        self.request
    }

    /// The steps.
    pub fn steps(&self) -> &[StepTemplate] {
        &self.template.step_templates
    }

    /// Gives a step other inputs than the context.
    ///
    /// # Errors
    /// When there is no such step.
    pub fn set_inputs(&mut self, step: &str, inputs: Value) -> Result<(), String> {
        let place = self.steps().iter().position(|found| found.name == *step);
        let place = place.ok_or_else(|| format!("`{step}` is not a step of this workflow"))?;
        self.inputs.insert(place, Arc::new(inputs));
        Ok(())
    }
}

/// What the hooks of tasks are still to be told.
#[derive(Default)]
pub(crate) struct HookCalls {
    /// By task, in order; held for a few instructions. A task stands here as long as a task of the runtime calls its hooks.
    waiting: Mutex<IdMap<TaskId, VecDeque<HookCall>>>,
}

struct HookCall {
    hooks: Arc<dyn Hooks>,
    told: Told,
}

/// What a hook is told.
pub(crate) enum Told {
    Moved(Vec<Moved>),
    Settled(TaskState),
}

impl Told {
    fn is_wanted(&self, hooks: &dyn Hooks) -> bool {
        match self {
            Self::Moved(moves) => !moves.is_empty() && hooks.wants_moved(),
            Self::Settled(_) => hooks.wants_settled(),
        }
    }
}

impl HookCalls {
    /// Answers whether nobody calls the hooks of that task yet.
    fn add(&self, task: TaskId, call: HookCall) -> bool {
        let mut waiting = self.lock();
        let first = !waiting.contains_key(&task);
        waiting.entry(task).or_default().push_back(call);
        first
    }

    fn next(&self, task: TaskId) -> Option<HookCall> {
        let mut waiting = self.lock();
        let call = waiting.get_mut(&task).and_then(VecDeque::pop_front);
        if call.is_none() {
            waiting.remove(&task);
        }
        call
    }

    fn lock(&self) -> MutexGuard<'_, IdMap<TaskId, VecDeque<HookCall>>> {
        self.waiting.lock().expect("nothing panics while it holds the calls")
    }
}

impl<T: EngineTypes> Shared<T> {
    /// Calls the hooks of a workflow, after those calls about the same task that were asked for before.
    pub(crate) fn tell_hooks(self: &Arc<Self>, task: TaskId, hooks: &Arc<dyn Hooks>, told: Told) {
        if !told.is_wanted(&**hooks) {
            return;
        }
        if self.hook_calls.add(task, HookCall { hooks: Arc::clone(hooks), told }) {
            // A simulated clock stands still until they have heard it.
            let (shared, busy) = (Arc::clone(self), self.clock.busy());
            tokio::spawn(async move {
                while let Some(call) = shared.hook_calls.next(task) {
                    // A task of its own, so that a panic ends only this call.
                    if tokio::spawn(call.make(task)).await.is_err_and(|error| error.is_panic()) {
                        tracing::error!(task = task.0, "a hook panicked; what it was told stands");
                    }
                }
                drop(busy);
            });
        }
    }
}

impl HookCall {
    async fn make(self, task: TaskId) {
        match self.told {
            Told::Settled(state) => log(task, self.hooks.settled(task, state).await),
            Told::Moved(moves) => {
                for moved in moves {
                    log(task, self.hooks.moved(&moved).await);
                }
            }
        }
    }
}

fn log(task: TaskId, answer: Result<(), String>) {
    if let Err(error) = answer {
        tracing::error!(task = task.0, error, "a hook failed; what it was told stands");
    }
}
