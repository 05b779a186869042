//! One simulation: processes, the network between them and the storage, and what is done when.
//!
//! One thread turns to one thing at a time, drawn from all that could happen next: a task of a process, or a letter.
//! When nothing can, time goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use tasker_engine::{
    Act, Busy, Clock as _, EngineError, Enqueue as _, Request, SimulatedClock, TaskCommand, TaskId, Timestamp,
};
use tasker_storage::memory::MemoryStorage;

use crate::call::at_once;
use crate::checks::{Checker, Limits, Violation};
use crate::handlers::definition;
use crate::network::{Network, OFFICE, ProcessId};
use crate::plan::{Faults, Habits, Plan, chance};
use crate::process::{Process, worker_of};
use crate::trace::{BEGIN, Trace};
use crate::turns::Restless;
use crate::world::{State, World};
use crate::{Counts, Run, operator, panics};

/// No simulation takes as many turns as that, unless something spins.
const MOST_TURNS: u64 = 2_000_000;
/// How long tasks may take to settle when nothing goes wrong any more.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);
/// How long it is watched that those who have nothing to do do nothing.
const QUIET: Duration = Duration::from_secs(60);

/// What is done at a certain moment.
#[derive(Clone, Copy, Debug)]
enum Item {
    Create(usize),
    Act,
    LoseWake,
    /// The storage cannot be reached for so long.
    Outage(Duration),
    Start(usize),
    /// A process that stood still goes on.
    Thaw,
    /// From now on nothing goes wrong.
    Calm,
    /// Whoever is paused is resumed.
    Resume,
    /// By now everything is settled.
    Deadline,
    /// From now on nobody has anything to do, not even old hints to look at.
    Watch,
    /// Nobody had anything to do for a while.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Storm,
    Calm,
    Quiet,
    Over,
}

type Alarm = Pin<Box<dyn Future<Output = Busy> + Send>>;

struct Simulation {
    plan: Plan,
    world: Arc<World>,
    clock: SimulatedClock,
    /// By slot; `None` while nobody lives there.
    processes: Vec<Option<Process>>,
    /// Creates tasks, and operates.
    office: Process,
    started: usize,
    agenda: BTreeMap<(Timestamp, u64), Item>,
    noted: u64,
    /// Wakes the simulation at the next moment of interest, and holds the time then.
    alarm: Option<(Timestamp, Alarm)>,
    phase: Phase,
    /// Calls at the beginning of the quiet time.
    calls: u64,
}

/// Runs one simulation to its end, or to the first rule that is broken.
pub(crate) fn run(seed: u64, is_kept: bool) -> Run {
    let mut random = Rng::with_seed(seed);
    let plan = Plan::draw(&mut random);
    let clock = SimulatedClock::new(BEGIN);
    let storage = MemoryStorage::new();
    let limits = Limits { per_task: plan.per_task, has_strangers: plan.has_strangers() };
    let mut trace = Trace::new(is_kept);
    trace.begin(format_args!("{plan:#?}"));
    let state = State {
        random,
        network: Network::default(),
        checker: Checker::new(storage.clone(), limits),
        storage,
        trace,
        counts: Counts::default(),
        faults: plan.faults.clone(),
        habits: plan.habits.clone(),
        slots: plan.slots.len(),
        dying: vec![],
        watchers: vec![],
        outage_until: BEGIN,
        watching: BTreeSet::new(),
        jobs: 0,
        violation: None,
    };
    let world = Arc::new(World::new(clock.clone(), state));
    let mut simulation = Simulation::new(plan, &world, clock);
    simulation.run();
    drop(simulation);
    let world = Arc::into_inner(world).expect("all processes are gone, and what they held");
    let State { trace, counts, violation, .. } = world.into_state();
    Run { seed, hash: trace.hash(), counts, violation, trace: trace.into_lines() }
}

impl Simulation {
    fn new(plan: Plan, world: &Arc<World>, clock: SimulatedClock) -> Self {
        let office = Process::idle(world, &plan, OFFICE);
        let mut simulation = Self {
            processes: plan.slots.iter().map(|_| None).collect(),
            world: Arc::clone(world),
            clock,
            office,
            started: 0,
            agenda: BTreeMap::new(),
            noted: 0,
            alarm: None,
            phase: Phase::Storm,
            calls: 0,
            plan,
        };
        for slot in 0..simulation.plan.slots.len() {
            simulation.note(BEGIN, Item::Start(slot));
        }
        for task in 0..simulation.plan.tasks.len() {
            simulation.note(BEGIN + simulation.plan.tasks[task].at, Item::Create(task));
        }
        for at in simulation.plan.acts.clone() {
            simulation.note(BEGIN + at, Item::Act);
        }
        for at in simulation.plan.lost_wakes.clone() {
            simulation.note(BEGIN + at, Item::LoseWake);
        }
        for (at, duration) in simulation.plan.outages.clone() {
            simulation.note(BEGIN + at, Item::Outage(duration));
        }
        simulation.note(BEGIN + simulation.plan.storm, Item::Calm);
        simulation
    }

    /// Where tasks are created, and operators act.
    fn desk(&self) -> &Process {
        let alone = self.processes[0].as_ref().filter(|_| self.plan.is_alone);
        alone.unwrap_or(&self.office)
    }

    fn note(&mut self, at: Timestamp, item: Item) {
        self.noted += 1;
        self.agenda.insert((at, self.noted), item);
    }

    fn run(&mut self) {
        for turn in 0.. {
            self.look_for_panics();
            if self.world.lock().violation.is_some() {
                break;
            }
            if turn > MOST_TURNS {
                self.is_broken("a simulation comes to its end", format!("{turn} turns"));
            }
            self.do_what_is_due();
            if self.phase == Phase::Over {
                break;
            }
            self.bury_the_dead();
            self.watch();
            self.turn();
            if self.phase == Phase::Calm && self.is_settled() {
                self.be_quiet();
            }
        }
        let elapsed = self.clock.now().since(BEGIN);
        self.world.lock().counts.simulated = elapsed;
        for slot in 0..self.processes.len() {
            self.bury(slot);
        }
    }

    fn is_broken(&self, rule: &'static str, found: String) {
        self.world.lock().violation.get_or_insert(Violation::new(rule, found));
    }

    fn look_for_panics(&self) {
        if let Some(panic) = panics::found() {
            self.is_broken("nothing panics but handlers", panic);
        }
    }

    /// One thing of all that could happen next.
    fn turn(&mut self) {
        let now = self.clock.now();
        let (letters, mut random) = {
            let mut state = self.world.lock();
            (state.network.due(now), state.random.fork())
        };
        let storm = self.phase == Phase::Storm;
        if storm && chance(&mut random, self.plan.faults.crash_anywhere) {
            self.crash_anybody(&mut random);
        }
        if storm && chance(&mut random, self.plan.faults.stop) {
            self.stop_anybody(&mut random);
        }
        if storm && chance(&mut random, self.plan.faults.freeze) {
            self.freeze_anybody(&mut random);
        }
        let living = self.processes.iter_mut().flatten().chain([&mut self.office]);
        let mut ready: Vec<&mut Process> = living.filter(|process| process.is_ready(now)).collect();
        let choices = ready.len() + letters;
        if choices == 0 {
            return self.let_time_pass(&mut random);
        }
        let choice = random.usize(..choices);
        if choice < ready.len() {
            let process = &mut *ready[choice];
            if random.u32(..4) > 0 {
                process.step();
            } else if let Err(Restless { polls }) = process.run_to_rest() {
                let found = format!("{} polled its tasks {polls} times, and goes on", process.id);
                self.is_broken("a process has nothing to do some time", found);
            }
            return;
        }
        if let Some((slot, wake)) = self.world.deliver()
            && let Some(process) = &self.processes[slot]
        {
            // A queue in the memory of a process takes whatever comes.
            let _ = at_once(process.hints.enqueue(&[wake]));
        }
    }

    /// Nobody can do anything: either all sleep, and the clock has jumped, or somebody waits for a letter.
    fn let_time_pass(&mut self, random: &mut Rng) {
        let now = self.clock.now();
        let arrival = self.world.lock().network.next_arrival();
        let next = arrival.into_iter().chain(self.agenda.keys().next().map(|(at, _)| *at)).min();
        let Some(next) = next else {
            return self.is_broken("somebody can go on", "nobody can, and nothing is under way".to_owned());
        };
        if next <= now {
            // The time has jumped there just now.
            return;
        }
        // In steps, so that those who sleep meanwhile wake before the letter comes.
        let step = [1, 20, 400, 3_000][random.usize(..4)];
        self.clock.advance(next.since(now).min(Duration::from_millis(step)));
    }

    fn do_what_is_due(&mut self) {
        let _busy = self.wait_for_the_alarm();
        let now = self.clock.now();
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let item = entry.remove();
            self.act_on(item);
        }
        self.set_the_alarm();
    }

    /// The guard that an alarm that went off holds.
    fn wait_for_the_alarm(&mut self) -> Option<Busy> {
        let (_, alarm) = self.alarm.as_mut()?;
        match alarm.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(busy) => {
                self.alarm = None;
                Some(busy)
            }
            Poll::Pending => None,
        }
    }

    fn set_the_alarm(&mut self) {
        let arrival = self.world.lock().network.next_arrival();
        let next = arrival.into_iter().chain(self.agenda.keys().next().map(|(at, _)| *at)).min();
        if self.alarm.as_ref().map(|(at, _)| *at) != next {
            self.alarm = next.map(|at| (at, Box::pin(self.clock.sleep_until(at)) as Alarm));
        }
    }

    fn act_on(&mut self, item: Item) {
        match item {
            Item::Create(task) => self.create(task),
            Item::Act => self.operate(),
            Item::LoseWake => self.lose_a_wake(),
            Item::Outage(duration) => self.lose_the_storage(duration),
            Item::Thaw => {}
            Item::Start(slot) => self.start(slot),
            Item::Calm => self.calm_down(),
            Item::Resume => self.resume_all(),
            Item::Deadline => self.all_is_settled(),
            Item::Watch => self.calls = self.world.lock().counts.events,
            Item::End => self.end(),
        }
    }

    fn start(&mut self, slot: usize) {
        if self.processes[slot].is_some() {
            return;
        }
        self.started += 1;
        let id = ProcessId(self.started);
        self.world.lock().checker.starts(id, worker_of(id), self.plan.slots[slot].concurrency);
        self.world.note(format_args!("{id} starts in slot {slot}"));
        self.processes[slot] = Some(Process::start(&self.world, &self.plan, &self.plan.slots[slot], id));
    }

    fn crash_anybody(&mut self, random: &mut Rng) {
        let slot = random.usize(..self.processes.len());
        if let Some(process) = &self.processes[slot] {
            self.world.note(format_args!("{} dies", process.id));
            self.world.lock().dying.push(process.id);
            self.bury_the_dead();
        }
    }

    fn stop_anybody(&mut self, random: &mut Rng) {
        let slot = random.usize(..self.processes.len());
        if let Some(process) = &mut self.processes[slot]
            && process.stop()
        {
            self.world.note(format_args!("{} is told to stop", process.id));
        }
    }

    fn freeze_anybody(&mut self, random: &mut Rng) {
        let slot = random.usize(..self.processes.len());
        let until = self.clock.now() + Duration::from_millis(random.u64(0..90_000));
        if let Some(process) = &mut self.processes[slot] {
            process.freeze(until);
            self.world.note(format_args!("{} stands still for a while", process.id));
            self.note(until, Item::Thaw);
        }
    }

    /// Whoever dies takes everything along that ran there; another one takes the place.
    fn bury_the_dead(&mut self) {
        let dying = std::mem::take(&mut self.world.lock().dying);
        for slot in 0..self.processes.len() {
            let Some(process) = &self.processes[slot] else { continue };
            let is_dying = dying.contains(&process.id);
            if !is_dying && !process.has_ended() {
                continue;
            }
            if !is_dying {
                self.world.note(format_args!("{} has stopped", process.id));
            }
            let pause = {
                let mut state = self.world.lock();
                state.counts.crashes += u64::from(is_dying);
                Duration::from_millis(state.random.u64(0..20_000))
            };
            self.bury(slot);
            let pause = if self.phase == Phase::Storm { pause } else { Duration::ZERO };
            self.note(self.clock.now() + pause, Item::Start(slot));
        }
        self.set_the_alarm();
    }

    /// Takes a process from its place, and drops all that ran there. What was cut off is told of before: a runtime drops
    /// its tasks in an order that depends on how many any runtime ever had.
    fn bury(&mut self, slot: usize) {
        let Some(process) = self.processes[slot].take() else { return };
        // Whoever is dropped may be the last to be busy.
        let _busy = self.clock.busy();
        let cut_off = self.world.lock().checker.dies(process.id);
        for run in cut_off {
            self.world.note(format_args!("{}: run {run} is cut off", process.id));
        }
        drop(process);
    }

    fn create(&mut self, place: usize) {
        let planned = &self.plan.tasks[place];
        let workflow = &self.plan.workflows[planned.workflow];
        let definition = definition(&self.world, self.desk().id, workflow);
        let skippable = workflow.steps.iter().filter(|step| step.skippable && planned.bypass);
        let bypass_steps: Vec<_> = skippable.map(|step| step.name.as_str().into()).collect();
        let requests: Vec<Request> = (0..planned.copies)
            .map(|copy| Request {
                identity: Some(format!("{place}.{copy}")),
                bypass_steps: bypass_steps.clone(),
                ..Request::new(json!({ "place": place }))
            })
            .collect();
        let watched = planned.watched_in.map(|slot| (slot, planned.given_up_after));
        let (engine, world) = (self.desk().engine.clone(), Arc::clone(&self.world));
        world.lock().jobs += 1;
        self.desk().spawn(async move {
            let clock = world.clock.clone();
            let tasks = loop {
                match engine.request_many(&definition, requests.clone()).await {
                    Ok(tasks) => break tasks,
                    Err(_) => drop(clock.sleep_until(clock.now() + Duration::from_secs(1)).await),
                }
            };
            let ids = tasks.iter().filter_map(|task| match task {
                Ok(task) => Some(task.id()),
                Err(EngineError::Duplicate { task }) => Some(*task),
                Err(_) => None,
            });
            let mut state = world.lock();
            state.watchers.extend(ids.filter_map(|task| watched.map(|(slot, after)| (slot, task, after))));
            state.jobs -= 1;
        });
    }

    /// Somebody waits for a task in one of the processes.
    fn watch(&mut self) {
        let wanted = std::mem::take(&mut self.world.lock().watchers);
        for (slot, task, given_up_after) in wanted {
            let Some(process) = self.processes[slot].as_ref().filter(|process| process.is_up()) else {
                continue;
            };
            let id = process.id;
            let (engine, world) = (process.engine.clone(), Arc::clone(&self.world));
            world.lock().watching.insert((id, task));
            world.note(format_args!("somebody waits in {id} for task {task}"));
            // No time passes before the engine knows of whoever waits.
            let busy = self.clock.busy();
            process.spawn(async move {
                let task_of_engine = engine.task(task);
                let answer = task_of_engine.finished();
                let waits = async {
                    match given_up_after {
                        None => Some(answer.await),
                        Some(wait) => tokio::select! {
                            biased;
                            answer = answer => Some(answer),
                            _ = world.clock.sleep_until(world.clock.now() + wait) => None,
                        },
                    }
                };
                let (answer, _busy) = busy.wait_for(waits).await;
                let state = answer.map(|answer| answer.map(|report| report.state()));
                world.note(format_args!("who waited in {id} for task {task} is told {state:?}"));
                world.lock().watching.remove(&(id, task));
            });
        }
    }

    fn lose_the_storage(&self, duration: Duration) {
        self.world.note(format_args!("nobody reaches the storage for {duration:?}"));
        self.world.lock().outage_until = self.clock.now() + duration;
    }

    fn operate(&mut self) {
        let chosen = {
            let mut state = self.world.lock();
            let State { checker, random, .. } = &mut *state;
            let tasks: Vec<_> = checker.tasks().cloned().collect();
            if tasks.is_empty() {
                return;
            }
            let task = &tasks[random.usize(..tasks.len())];
            let (act, reason) = operator::act(task, random);
            (task.id, act, reason)
        };
        self.intervene(chosen.0, chosen.1, chosen.2);
    }

    fn intervene(&self, task: TaskId, act: Act, reason: Option<&'static str>) {
        let (engine, world) = (self.desk().engine.clone(), Arc::clone(&self.world));
        world.lock().jobs += 1;
        self.desk().spawn(async move {
            let clock = world.clock.clone();
            // An operator who gets no answer tries again, once or twice.
            for _ in 0..3 {
                if engine.intervene(task, act.clone(), "an operator", reason).await.is_ok() {
                    break;
                }
                drop(clock.sleep_until(clock.now() + Duration::from_millis(700)).await);
            }
            world.lock().jobs -= 1;
        });
    }

    fn lose_a_wake(&mut self) {
        let lost = {
            let mut state = self.world.lock();
            let State { checker, random, storage, .. } = &mut *state;
            let tasks: Vec<TaskId> =
                checker.tasks().filter(|task| task.wake.is_some()).map(|task| task.id).collect();
            if tasks.is_empty() {
                return;
            }
            let task = tasks[random.usize(..tasks.len())];
            storage.lose_wake(task);
            let check = checker.wake_is_lost(task);
            if let Err(violation) = check {
                state.violation.get_or_insert(violation);
            }
            task
        };
        self.world.note(format_args!("the wake of task {lost} is lost"));
    }

    fn calm_down(&mut self) {
        self.phase = Phase::Calm;
        self.world.note(format_args!("from now on nothing goes wrong"));
        {
            let mut state = self.world.lock();
            state.faults = Faults::none();
            state.outage_until = BEGIN;
            state.habits = Habits::calm();
        }
        for slot in 0..self.processes.len() {
            self.start(slot);
        }
        self.processes.iter_mut().flatten().for_each(|process| process.freeze(BEGIN));
        let now = self.clock.now();
        self.note(now + PATIENCE, Item::Deadline);
        self.note(now, Item::Resume);
    }

    fn resume_all(&mut self) {
        let paused: Vec<TaskId> = {
            let state = self.world.lock();
            state.checker.tasks().filter(|task| task.is_paused()).map(|task| task.id).collect()
        };
        for task in paused {
            self.intervene(task, Act::Task { command: TaskCommand::Resume, expected: None }, None);
        }
        if self.plan.is_alone {
            self.watch_what_is_open();
        }
        if self.phase == Phase::Calm {
            self.note(self.clock.now() + Duration::from_secs(30), Item::Resume);
        }
    }

    /// Where nobody serves all tasks, one that was reopened has to be waited for again.
    fn watch_what_is_open(&self) {
        let mut state = self.world.lock();
        let State { checker, watchers, watching, .. } = &mut *state;
        let open = checker.tasks().filter(|task| task.current.state.is_open()).map(|task| task.id);
        let unwatched = open.filter(|task| watching.iter().all(|(_, watched)| watched != task));
        watchers.extend(unwatched.map(|task| (0, task, None)));
    }

    fn is_settled(&self) -> bool {
        let creates = self.agenda.values().any(|item| matches!(item, Item::Create(_)));
        let state = self.world.lock();
        let nobody_comes = !creates && state.jobs == 0 && state.watchers.is_empty();
        nobody_comes && state.checker.all_settled() && state.checker.active() == 0
    }

    /// Everything is settled: those who have nothing to do should do nothing.
    fn be_quiet(&mut self) {
        self.phase = Phase::Quiet;
        self.world.note(format_args!("everything is settled"));
        let now = self.clock.now();
        self.agenda.retain(|_, item| matches!(item, Item::Start(_)));
        self.note(now + QUIET, Item::Watch);
        self.note(now + QUIET + QUIET, Item::End);
        self.set_the_alarm();
    }

    fn all_is_settled(&mut self) {
        self.world.hold(|state, _| state.checker.nothing_is_lost());
        self.is_broken("everything comes to rest", format!("{} jobs are left", self.world.lock().jobs));
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.world.hold(|state, _| state.checker.nothing_is_lost());
        let (calls, waiting) = {
            let state = self.world.lock();
            (state.counts.events - self.calls, state.watching.clone())
        };
        // Each looks for work; and for those who are lost, while a beat or two are left of what was going on.
        let polls = self.plan.slots.iter().filter_map(|slot| slot.poll);
        let looks = polls.map(|poll| QUIET.as_millis() / poll.as_millis() + 30);
        let most = looks.sum::<u128>() + 30;
        if u128::from(calls) > most {
            self.is_broken("whoever has nothing to do does little", format!("{calls} calls in a minute"));
        }
        let living: Vec<ProcessId> = self.processes.iter().flatten().map(|process| process.id).collect();
        if let Some((process, task)) = waiting.iter().find(|(process, _)| living.contains(process)) {
            self.is_broken("whoever waits for a task is told", format!("{process} waits for task {task}"));
        }
        let goes_on = |process: &&Process| process.is_stopping() && !process.has_ended();
        if let Some(process) = self.processes.iter().flatten().find(goes_on) {
            self.is_broken("a process that is told to stop stops", process.id.to_string());
        }
    }
}
