//! Covers "Judge", "Claim" and "Settle" for whole graphs: every graph of a few steps, in every order in which two
//! workers can end its steps. Every join fires once, in the call that brings its last parent, and the task settles once,
//! with its last step.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tasker_engine::{Claim, ParentResult, Progress, StepState, TaskState};

use super::fixture::{AdvanceCall, Graph, Order, Scene, Started, completed, graph, race};

/// Graphs of so many steps and fewer are run by the suite.
const STEPS: usize = 4;

/// Each worker takes whatever it can: every order in which the steps can end at all, one or two in a call.
pub async fn every_join_fires_once_whatever_ends_first(scene: Scene) {
    for steps in 1..=STEPS {
        in_every_order(&scene, steps, Room::Wide).await;
    }
}

/// Each worker takes one step at a time; they end theirs one after the other, or at once.
pub async fn two_workers_with_one_slot_each_fire_every_join_once(scene: Scene) {
    for steps in 1..=STEPS {
        in_every_order(&scene, steps, Room::Narrow).await;
    }
}

/// How much each of the two workers takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Whatever there is.
    Wide,
    /// One step at a time.
    Narrow,
}

/// Runs every graph of so many steps in every order. Answers how many runs that were.
///
/// Graphs are told apart by the names of their steps, of which none waits for a later one: so every graph is among them,
/// some more than once.
pub async fn in_every_order(scene: &Scene, steps: usize, room: Room) -> usize {
    let mut runs = 0;
    for edges in 0..1_u32 << (steps * (steps - 1) / 2) {
        let parents = parents(steps, edges);
        let definition = scene.learn(drawn(&parents).named(&format!("graph_{steps}_{edges}"))).await;
        let mut choices = Choices::default();
        loop {
            let task = scene.create_one(&definition, scene.request(&definition)).await;
            let run = Run {
                scene,
                task,
                parents: &parents,
                done: BTreeSet::new(),
                running: vec![],
                is_woken: true,
            };
            match room {
                Room::Wide => run.wide(&mut choices).await,
                Room::Narrow => run.narrow(&mut choices).await,
            }
            runs += 1;
            if !choices.another() {
                break;
            }
        }
    }
    runs
}

/// For each step those it waits for: of all pairs, ascending, those whose bit is set.
fn parents(steps: usize, edges: u32) -> Vec<Vec<usize>> {
    let mut bits = (0..).map(|bit| edges >> bit & 1 == 1);
    (0..steps).map(|child| (0..child).filter(|_| bits.next() == Some(true)).collect()).collect()
}

fn drawn(parents: &[Vec<usize>]) -> Graph {
    parents.iter().enumerate().fold(graph(""), |graph, (step, parents)| {
        graph.with(&name(step), |step| {
            step.depends_on_steps.extend(parents.iter().map(|parent| name(*parent).as_str().into()));
        })
    })
}

fn name(step: usize) -> String {
    format!("s{step}")
}

/// Every way through a run that asks again and again which of several things comes next.
#[derive(Default)]
struct Choices {
    /// What was chosen, of how many.
    made: Vec<(usize, usize)>,
    next: usize,
}

impl Choices {
    fn choose(&mut self, of: usize) -> usize {
        let place = self.next;
        self.next += 1;
        if place == self.made.len() {
            self.made.push((0, of));
        }
        assert_eq!(self.made[place].1, of, "the same choices lead to the same question");
        self.made[place].0
    }

    /// Turns to the next way; `false` when there is none.
    fn another(&mut self) -> bool {
        self.next = 0;
        while let Some((chosen, of)) = self.made.pop() {
            if chosen + 1 < of {
                self.made.push((chosen + 1, of));
                return true;
            }
        }
        false
    }
}

/// A step that runs, and where.
#[derive(Clone, Debug)]
struct Running {
    step: usize,
    worker: u128,
    claim: Claim,
}

/// One way through one task.
struct Run<'a> {
    scene: &'a Scene,
    task: Started,
    parents: &'a [Vec<usize>],
    done: BTreeSet<usize>,
    /// Ascending by step.
    running: Vec<Running>,
    /// Whether the task has a wake that is due.
    is_woken: bool,
}

/// Room for more than there is.
const ANY: usize = 100;

impl Run<'_> {
    async fn wide(mut self, choices: &mut Choices) {
        let roots = self.ready().len();
        self.look(1, roots.div_ceil(2)).await;
        if self.is_woken {
            self.look(2, ANY).await;
        }
        while !self.running.is_empty() {
            assert_eq!((self.ready(), self.is_woken), (vec![], false), "nobody waits: {:?}", self.task);
            let ends = choices_of(&self.running);
            let ends = ends[choices.choose(ends.len())].clone();
            let worker = ends[0].worker;
            let progress = self.scene.one(self.ending(&ends, ANY)).await;
            self.ended(&ends);
            self.goes_on(worker, &progress, &ends);
        }
        self.ends().await;
    }

    async fn narrow(mut self, choices: &mut Choices) {
        self.fill().await;
        while !self.running.is_empty() {
            let running = self.running.clone();
            match (&running[..], choices.choose(2 * running.len() - 1)) {
                ([one, two], 2) => self.end_at_once(one, two).await,
                (_, place) => {
                    let ends = &running[place..=place];
                    let progress = self.scene.one(self.ending(ends, 1)).await;
                    self.ended(ends);
                    self.goes_on(ends[0].worker, &progress, ends);
                }
            }
            self.fill().await;
        }
        self.ends().await;
    }

    /// Both bring their outcomes at the same time.
    async fn end_at_once(&mut self, one: &Running, two: &Running) {
        let calls = [one, two].map(|end| {
            let (scene, call) = (self.scene.clone(), self.ending(std::slice::from_ref(end), 1));
            async move { scene.one(call).await }
        });
        let [first, second] = calls;
        let (first, second) = race(Order::AtOnce, first, second).await;
        let ends = [one.clone(), two.clone()];
        self.ended(&ends);
        for (end, progress) in ends.iter().zip([first, second]) {
            self.take(end.worker, &progress, std::slice::from_ref(end));
            self.is_woken |= progress.next_wake.is_some();
        }
    }

    /// Whoever has room looks at a task that has a wake.
    async fn fill(&mut self) {
        for worker in [1, 2] {
            if self.is_woken && self.running.iter().all(|running| running.worker != worker) {
                self.look(worker, 1).await;
            }
        }
        let could_run = (self.ready().len() + self.running.len()).min(2);
        assert_eq!(self.running.len(), could_run, "nobody is idle while a step is ready: {:?}", self.task);
    }

    async fn look(&mut self, worker: u128, room: usize) {
        let progress = self.scene.one(AdvanceCall::wanting(&self.task).by(worker).room(room)).await;
        self.is_woken = progress.next_wake.is_some();
        self.take(worker, &progress, &[]);
        assert_eq!(self.is_woken, !self.ready().is_empty(), "what is left over has a wake: {progress:?}");
    }

    fn ending(&self, ends: &[Running], room: usize) -> AdvanceCall {
        let call = AdvanceCall::default().by(ends[0].worker).room(room);
        ends.iter().fold(call, |call, end| {
            call.and_bringing(completed(&self.task, &end.claim, json!({ "of": end.step })))
        })
    }

    fn ended(&mut self, ends: &[Running]) {
        self.done.extend(ends.iter().map(|end| end.step));
        self.running.retain(|running| ends.iter().all(|end| end.step != running.step));
    }

    /// A wave that brought outcomes claims what they made ready, and settles the task with its last step.
    fn goes_on(&mut self, worker: u128, progress: &Progress, ends: &[Running]) {
        self.is_woken |= progress.next_wake.is_some();
        self.take(worker, progress, ends);
        let is_over = self.done.len() == self.parents.len();
        let state = progress.settled.map(|settled| (settled.state, settled.by.is_some()));
        assert_eq!(state, is_over.then_some((TaskState::Complete, true)), "{progress:?}");
    }

    fn take(&mut self, worker: u128, progress: &Progress, ends: &[Running]) {
        let mut ready = self.ready();
        for claim in &progress.claims {
            let step =
                self.task.steps.iter().position(|(_, id)| *id == claim.step).expect("it is of this task");
            assert!(
                ready.contains(&step),
                "s{step} is claimed once, when its parents are done: {progress:?}"
            );
            ready.retain(|other| *other != step);
            assert_eq!(claim.parents, self.told(step, ends), "s{step} is told what its parents yielded");
            self.running.push(Running { step, worker, claim: claim.clone() });
        }
        self.running.sort_by_key(|running| running.step);
    }

    /// What the parents of a step yielded, but for those that end in the same call.
    fn told(&self, step: usize, ends: &[Running]) -> Vec<(tasker_engine::StepId, ParentResult)> {
        let parents = self.parents[step].iter().filter(|parent| ends.iter().all(|end| end.step != **parent));
        let value = |parent: usize| -> Value { json!({ "of": parent }) };
        parents
            .map(|parent| (self.task.steps[*parent].1, ParentResult::Value(value(*parent).into())))
            .collect()
    }

    fn ready(&self) -> Vec<usize> {
        let is_ready = |step: &usize| {
            !self.done.contains(step)
                && self.running.iter().all(|running| running.step != *step)
                && self.parents[*step].iter().all(|parent| self.done.contains(parent))
        };
        (0..self.parents.len()).filter(is_ready).collect()
    }

    async fn ends(self) {
        assert_eq!(self.done.len(), self.parents.len(), "everything ran: {:?}", self.task);
        let record = self.scene.task(&self.task).await;
        assert_eq!((record.current.state, record.history.len()), (TaskState::Complete, 2), "settled once");
        for step in &record.steps {
            let claims = step.history.iter().filter(|row| row.to == StepState::InProgress).count();
            assert_eq!((claims, step.history.len()), (1, 2), "{} ran once: {:?}", step.name, step.history);
        }
    }
}

/// What can end next: a step, or two of one worker in one call.
fn choices_of(running: &[Running]) -> Vec<Vec<Running>> {
    let mut choices: Vec<Vec<Running>> = running.iter().map(|one| vec![one.clone()]).collect();
    for (place, one) in running.iter().enumerate() {
        let others = running[place + 1..].iter().filter(|two| two.worker == one.worker);
        choices.extend(others.map(|two| vec![one.clone(), two.clone()]));
    }
    choices
}
