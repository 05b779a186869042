//! What steps do: they take their time, and then they yield, fail, sleep, panic, or ask for more steps.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_engine::{
    Call, Clock as _, Definition, Entry, Fixed, ReferenceBackoff, SpawnRequest, StepError, StepName,
    StepResult, handler_fn,
};

use crate::ledger::{End, RunId};
use crate::network::ProcessId;
use crate::panics;
use crate::plan::{Habits, Wait, Workflow, chance};
use crate::world::World;

/// The one handler that all steps have.
pub(crate) const HANDLER: &str = "act";

/// A workflow with handlers that run in one process.
pub(crate) fn definition(world: &Arc<World>, process: ProcessId, workflow: &Arc<Workflow>) -> Definition {
    let entry = entry(world, process, Some(workflow));
    let mut builder = Definition::builder("simulation", &workflow.name, "1.0.0");
    if workflow.one_step_at_a_time {
        builder = builder.one_step_at_a_time();
    }
    for step in &workflow.steps {
        let parents = step.parents.iter().map(|place| workflow.steps[*place].name.as_str());
        builder = builder.step(step.name.as_str(), entry.clone()).after(parents).may_spawn(entry.clone());
        builder = builder.retry_limit(step.retry_limit);
        builder = if step.retryable { builder } else { builder.not_retryable() };
        builder = if step.skippable { builder.skippable() } else { builder };
        builder = match step.timeout_seconds {
            Some(seconds) => builder.timeout_seconds(seconds),
            None => builder,
        };
        builder = match step.wait {
            Wait::Usual => builder,
            Wait::Fixed(millis) => builder.retry_policy(Fixed { seconds: f64::from(millis) / 1000.0 }),
            Wait::Listed => builder.retry_policy(ReferenceBackoff::default()),
        };
    }
    builder.build().expect("the graphs that are drawn are sound")
}

/// The handler, in one process. Which steps wait for the one that runs is known where the workflow is.
pub(crate) fn entry(world: &Arc<World>, process: ProcessId, workflow: Option<&Arc<Workflow>>) -> Entry {
    let (world, workflow) = (Arc::clone(world), workflow.cloned());
    handler_fn(move |call: Call| run(Arc::clone(&world), process, workflow.clone(), call)).named(HANDLER)
}

async fn run(
    world: Arc<World>,
    process: ProcessId,
    workflow: Option<Arc<Workflow>>,
    call: Call,
) -> StepResult<Value> {
    let Some((id, script)) = begin(&world, process, &call, workflow.as_deref()) else {
        return Err(StepError::permanent("the simulation is over"));
    };
    let run = Running { world, process, id };
    for pause in script.pauses {
        call.sleep(pause).await;
    }
    for (name, retry_limit, after, before) in script.spawned {
        let mut entry = entry(&run.world, process, workflow.as_ref());
        entry.policy.retry_limit = retry_limit;
        call.spawn(SpawnRequest { name, entry, config: json!({}), after, before })?;
    }
    run.end(script.end)
}

fn begin(
    world: &World,
    process: ProcessId,
    call: &Call,
    workflow: Option<&Workflow>,
) -> Option<(RunId, Script)> {
    let mut begun = None;
    world.hold(|state, now| {
        let id = state.checker.run_begins(process, call)?;
        state.counts.runs += 1;
        let script = Script::draw(&state.habits, call, workflow, &mut state.random);
        let (task, step, name) = (call.task(), call.step(), call.name());
        state.trace.note(
            now,
            format_args!("{process}: run {id} of {task}/{step} {name} begins ({})", call.attempt()),
        );
        begun = Some((id, script));
        Ok(())
    });
    begun
}

/// What one attempt does.
struct Script {
    pauses: Vec<Duration>,
    /// Name, retry limit, after, before.
    spawned: Vec<(StepName, u32, Vec<StepName>, Vec<StepName>)>,
    end: End,
}

impl Script {
    fn draw(habits: &Habits, call: &Call, workflow: Option<&Workflow>, random: &mut fastrand::Rng) -> Self {
        let mut pauses: Vec<_> =
            (0..random.usize(0..3)).map(|_| habits.longest.mul_f64(random.f64())).collect();
        if chance(random, habits.hangs) {
            pauses.push(Duration::from_millis(random.u64(20_000..120_000)));
        }
        let wait = Duration::from_millis(random.u64(0..20_000));
        let kinds = [
            (habits.fails, End::Fails),
            (habits.fails_for_good, End::FailsForGood),
            (habits.asks_for_a_wait, End::AsksForAWait(wait)),
            (habits.snoozes, End::Snoozes(wait)),
            (habits.panics, End::Panics),
            (habits.yields_what_cannot_be_stored, End::YieldsWhatCannotBeStored),
        ];
        let end = kinds
            .into_iter()
            .find_map(|(odds, end)| chance(random, odds).then_some(end))
            .unwrap_or(End::Yields);
        // What is spawned may spawn in turn, but not for ever.
        let may_spawn = call.name().matches('+').count() < 2;
        let spawned =
            if may_spawn && chance(random, habits.spawns) { spawned(call, workflow, random) } else { vec![] };
        Self { pauses, spawned, end }
    }
}

fn spawned(
    call: &Call,
    workflow: Option<&Workflow>,
    random: &mut fastrand::Rng,
) -> Vec<(StepName, u32, Vec<StepName>, Vec<StepName>)> {
    let mut steps: Vec<(StepName, u32, Vec<StepName>, Vec<StepName>)> = vec![];
    for number in 0..random.usize(1..4) {
        let after = steps.iter().filter(|_| random.bool()).map(|(name, ..)| name.clone()).collect();
        let children = workflow.into_iter().flat_map(|workflow| workflow.children(call.name()));
        let before = children.filter(|_| random.bool()).map(StepName::from).collect();
        steps.push((format!("{}+{number}", call.name()).into(), random.u32(1..4), after, before));
    }
    steps
}

/// An attempt under way. When it is dropped before its end, it was cut off: by a timeout, or by a stop. Death is told of
/// before anything is dropped.
struct Running {
    world: Arc<World>,
    process: ProcessId,
    id: RunId,
}

impl Running {
    fn end(self, end: End) -> StepResult<Value> {
        let (process, id) = (self.process, self.id);
        self.world.hold(|state, now| {
            state.trace.note(now, format_args!("{process}: run {id} {end:?}"));
            state.checker.run_ends(id, end);
            Ok(())
        });
        drop(self);
        match end {
            End::Yields => Ok(json!({ "run": id.0 })),
            End::YieldsWhatCannotBeStored => Ok(json!({ "run": id.0, "odd": "a\0b" })),
            End::Fails => Err(StepError::retryable("as it was drawn")),
            End::FailsForGood => Err(StepError::permanent("as it was drawn")),
            End::AsksForAWait(wait) => Err(StepError::retry_after(wait, "as it was drawn")),
            End::Snoozes(wait) => Err(StepError::snooze(wait)),
            End::Panics => panic!("{}", panics::MEANT),
            End::CutOff => unreachable!("that is not drawn"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let now = self.world.clock.now();
        let mut state = self.world.lock();
        if state.checker.run_is_dropped(self.id) {
            let (process, id) = (self.process, self.id);
            state.trace.note(now, format_args!("{process}: run {id} is cut off"));
        }
    }
}
