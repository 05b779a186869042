//! What is drawn from a seed before a simulation begins: workflows, processes, faults, and what is done when.
//!
//! Every fault has odds of its own, and each simulation draws which of them occur at all: what is rare beside everything
//! else is common where it is the only thing that goes wrong.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use crate::clock::FURTHEST_AHEAD;

/// Everything that is known of a simulation before it begins.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) workflows: Vec<Arc<Workflow>>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) tasks: Vec<NewTask>,
    /// When an operator does something.
    pub(crate) acts: Vec<Duration>,
    /// When a wake is lost, as no call of the contract loses one.
    pub(crate) lost_wakes: Vec<Duration>,
    /// When the storage cannot be reached by anybody, and for how long.
    pub(crate) outages: Vec<(Duration, Duration)>,
    /// How long faults occur.
    pub(crate) storm: Duration,
    /// There is one process, which does not expect that others share its storage.
    pub(crate) is_alone: bool,
    /// How many steps of one task may run at a time, as all processes are told.
    pub(crate) per_task: Option<usize>,
    pub(crate) faults: Faults,
    pub(crate) habits: Habits,
}

/// A workflow.
#[derive(Debug)]
pub(crate) struct Workflow {
    pub(crate) name: String,
    pub(crate) one_step_at_a_time: bool,
    pub(crate) steps: Vec<Step>,
}

/// A step of a workflow.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// The places of those it waits for.
    pub(crate) parents: Vec<usize>,
    pub(crate) retry_limit: u32,
    pub(crate) retryable: bool,
    pub(crate) skippable: bool,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) wait: Wait,
}

/// How long a step waits between attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// As the reference does.
    Usual,
    /// So many milliseconds.
    Fixed(u32),
    /// By the configurable policy of the reference, with jitter.
    Listed,
}

/// A place for a process: when one dies there, another takes its place.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    pub(crate) concurrency: usize,
    pub(crate) poll: Option<Duration>,
    /// How far its clock is ahead of the slowest one.
    pub(crate) ahead: Duration,
    /// How long its handlers may go on when it is told to stop.
    pub(crate) grace: Duration,
    /// The workflows that it knows.
    pub(crate) knows: Vec<usize>,
    /// It has handlers by name besides, for workflows that it does not know.
    pub(crate) has_names: bool,
    pub(crate) batch_outcomes: usize,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Serves every task that it knows.
    Worker,
    /// Makes passes over the tasks that a foreign queue names.
    Host,
    /// Drives only those tasks that somebody waits for.
    Bystander,
}

/// A task that will be created.
#[derive(Debug)]
pub(crate) struct NewTask {
    pub(crate) at: Duration,
    pub(crate) workflow: usize,
    /// How many of the same are asked for in one call.
    pub(crate) copies: usize,
    pub(crate) bypass: bool,
    /// The slot in which somebody waits for it.
    pub(crate) watched_in: Option<usize>,
    /// After that time nobody waits any more.
    pub(crate) given_up_after: Option<Duration>,
}

/// How often what goes wrong, as odds of each occasion.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) request_lost: f64,
    pub(crate) reply_lost: f64,
    /// The caller is told that the storage is not available, and the call takes effect later all the same.
    pub(crate) request_late: f64,
    pub(crate) delayed: f64,
    pub(crate) longest_delay: Duration,
    /// A process dies just before a call of its takes effect, or just after.
    pub(crate) crash_at_call: f64,
    /// A process dies, whatever it is doing.
    pub(crate) crash_anywhere: f64,
    pub(crate) stop: f64,
    /// A process stands still for a while, in the midst of whatever it does.
    pub(crate) freeze: f64,
    pub(crate) hint_lost: f64,
    pub(crate) hint_doubled: f64,
    pub(crate) hint_delayed: f64,
    pub(crate) queue_fails: f64,
}

/// How handlers behave, as odds of each attempt.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    pub(crate) fails: f64,
    pub(crate) fails_for_good: f64,
    pub(crate) asks_for_a_wait: f64,
    pub(crate) snoozes: f64,
    pub(crate) panics: f64,
    pub(crate) yields_what_cannot_be_stored: f64,
    pub(crate) spawns: f64,
    pub(crate) hangs: f64,
    pub(crate) longest: Duration,
}

impl Plan {
    pub(crate) fn draw(random: &mut Rng) -> Self {
        let is_alone = chance(random, 0.1);
        let storm = Duration::from_millis(random.u64(500..90_000));
        let per_task = chance(random, 0.15).then(|| random.usize(1..4));
        let workflows: Vec<_> =
            (0..random.usize(1..4)).map(|number| Arc::new(Workflow::draw(number, random))).collect();
        let slots = if is_alone { 1 } else { random.usize(1..6) };
        let mut slots: Vec<_> = (0..slots).map(|place| Slot::draw(place, workflows.len(), random)).collect();
        let moment = |random: &mut Rng| storm.mul_f64(random.f64());
        let tasks = (0..random.usize(1..9)).map(|place| NewTask {
            // The first one is there from the beginning.
            at: if place == 0 { Duration::ZERO } else { moment(random) / 2 },
            workflow: random.usize(..workflows.len()),
            copies: if chance(random, 0.2) { 2 } else { 1 },
            bypass: chance(random, 0.1),
            watched_in: (is_alone || chance(random, 0.4)).then(|| random.usize(..slots.len())),
            given_up_after: (!is_alone && chance(random, 0.3))
                .then(|| Duration::from_millis(random.u64(0..30_000))),
        });
        let tasks = tasks.collect();
        let acts = if chance(random, 0.6) { random.usize(0..16) } else { 0 };
        let acts = (0..acts).map(|_| moment(random)).collect();
        let lost_wakes = if !is_alone && chance(random, 0.3) { random.usize(0..6) } else { 0 };
        let lost_wakes = (0..lost_wakes).map(|_| moment(random)).collect();
        let outages = if chance(random, 0.2) { random.usize(1..3) } else { 0 };
        let outages =
            (0..outages).map(|_| (moment(random), Duration::from_millis(random.u64(0..60_000)))).collect();
        let (mut faults, habits) = (Faults::draw(random), Habits::draw(random));
        if is_alone {
            slots[0].be_alone(random);
            faults.be_alone();
        }
        Self { workflows, slots, tasks, acts, lost_wakes, outages, storm, is_alone, per_task, faults, habits }
    }

    /// Whether some process comes by tasks that it has no handlers for.
    pub(crate) fn has_strangers(&self) -> bool {
        self.slots.iter().any(|slot| slot.knows.len() < self.workflows.len() && !slot.has_names)
    }
}

impl Workflow {
    fn draw(number: usize, random: &mut Rng) -> Self {
        let edges = [0.1, 0.3, 0.6][random.usize(..3)];
        let steps = match random.u32(..10) {
            0 => random.usize(0..2),
            1..=6 => random.usize(2..6),
            _ => random.usize(6..13),
        };
        let steps = (0..steps).map(|place| Step::draw(place, edges, random)).collect();
        Self { name: format!("w{number}"), one_step_at_a_time: chance(random, 0.2), steps }
    }

    /// The names of the steps that wait for one.
    pub(crate) fn children(&self, name: &str) -> impl Iterator<Item = &str> {
        let place = self.steps.iter().position(|step| step.name == name);
        self.steps
            .iter()
            .filter(move |step| place.is_some_and(|place| step.parents.contains(&place)))
            .map(|step| &*step.name)
    }
}

impl Step {
    fn draw(place: usize, edges: f64, random: &mut Rng) -> Self {
        let wait = match random.u32(..10) {
            0 => Wait::Fixed(random.u32(0..5000)),
            1 => Wait::Listed,
            _ => Wait::Usual,
        };
        Self {
            name: format!("s{place}"),
            parents: (0..place).filter(|_| chance(random, edges)).collect(),
            retry_limit: random.u32(1..5),
            retryable: chance(random, 0.9),
            skippable: chance(random, 0.2),
            timeout_seconds: chance(random, 0.2).then(|| random.u64(1..20)),
            wait,
        }
    }
}

impl Slot {
    fn draw(place: usize, workflows: usize, random: &mut Rng) -> Self {
        // Somebody has to be there who finds what was forgotten, and knows what to do with it.
        let is_first = place == 0;
        Self {
            kind: match random.u32(..8) {
                _ if is_first => Kind::Worker,
                0 => Kind::Host,
                1 => Kind::Bystander,
                _ => Kind::Worker,
            },
            concurrency: random.usize(1..9),
            poll: Some(Duration::from_millis(random.u64(500..5000))),
            ahead: if chance(random, 0.2) { FURTHEST_AHEAD.mul_f64(random.f64()) } else { Duration::ZERO },
            grace: Duration::from_millis(random.u64(0..20_000)),
            knows: (0..workflows).filter(|_| is_first || chance(random, 0.85)).collect(),
            has_names: chance(random, 0.5),
            batch_outcomes: if chance(random, 0.2) { random.usize(1..3) } else { 500 },
        }
    }
}

impl Slot {
    /// It does not look for what others left, for there are none.
    fn be_alone(&mut self, random: &mut Rng) {
        self.poll = None;
        self.kind = if random.bool() { Kind::Worker } else { Kind::Bystander };
    }
}

impl Faults {
    fn draw(random: &mut Rng) -> Self {
        let longest = [50, 2_000, 12_000, 70_000][random.usize(..4)];
        Self {
            request_lost: odds(random, 0.3),
            reply_lost: odds(random, 0.3),
            request_late: odds(random, 0.2),
            delayed: odds(random, 0.3),
            longest_delay: Duration::from_millis(longest),
            crash_at_call: odds(random, 0.05),
            crash_anywhere: odds(random, 0.005),
            stop: odds(random, 0.002),
            freeze: odds(random, 0.002),
            hint_lost: odds(random, 0.9),
            hint_doubled: odds(random, 0.5),
            hint_delayed: odds(random, 0.5),
            queue_fails: odds(random, 0.3),
        }
    }

    /// Where a process is alone, nobody takes its place; and what it asks for does not come later than it can expect.
    const fn be_alone(&mut self) {
        self.crash_at_call = 0.0;
        self.crash_anywhere = 0.0;
        self.stop = 0.0;
        self.request_late = 0.0;
    }

    /// None at all.
    pub(crate) fn none() -> Self {
        Self::default()
    }
}

impl Habits {
    fn draw(random: &mut Rng) -> Self {
        Self {
            fails: odds(random, 0.6),
            fails_for_good: odds(random, 0.2),
            asks_for_a_wait: odds(random, 0.3),
            snoozes: odds(random, 0.3),
            panics: odds(random, 0.2),
            yields_what_cannot_be_stored: odds(random, 0.1),
            spawns: odds(random, 0.4),
            hangs: odds(random, 0.2),
            longest: Duration::from_millis([10, 500, 4_000, 20_000][random.usize(..4)]),
        }
    }

    /// Of handlers that want their tasks to end.
    pub(crate) const fn calm() -> Self {
        Self {
            fails: 0.05,
            fails_for_good: 0.01,
            asks_for_a_wait: 0.02,
            snoozes: 0.05,
            panics: 0.01,
            yields_what_cannot_be_stored: 0.0,
            spawns: 0.02,
            hangs: 0.0,
            longest: Duration::from_millis(2_000),
        }
    }
}

/// Whether something of those odds happens.
pub(crate) fn chance(random: &mut Rng, odds: f64) -> bool {
    // Nothing is drawn for what never happens.
    odds > 0.0 && random.f64() < odds
}

/// Half of the faults do not occur in a simulation; the others are rare, or as common as they get.
fn odds(random: &mut Rng, most: f64) -> f64 {
    match random.u32(..4) {
        0 | 1 => 0.0,
        2 => most / 10.0,
        _ => most * random.f64(),
    }
}
