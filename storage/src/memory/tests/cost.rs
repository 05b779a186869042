//! What calls cost, counted in steps, edges and rows that they look at.

use std::collections::VecDeque;

use tasker_engine::{TaskState, Template};

use super::super::MemoryStorage;
use super::super::work::looks;
use super::{call, chain, completed, only, spawned, start, workflow};

/// Drives a task to its end with so many outcomes a call, and answers how much was looked at.
fn drive(template: Template, outcomes: usize) -> usize {
    let storage = MemoryStorage::new();
    let (task, _) = start(&storage, template, 1).remove(0);
    looks(|| {
        let mut first = only(storage.store().advance(call(vec![], vec![task])));
        let mut claims: VecDeque<_> = first.claims.drain(..).collect();
        let mut settled = first.settled;
        while !claims.is_empty() {
            let ended =
                claims.drain(..outcomes.min(claims.len())).map(|claim| completed(task, &claim)).collect();
            let progress = only(storage.store().advance(call(ended, vec![])));
            settled = progress.settled;
            claims.extend(progress.claims);
        }
        assert_eq!(settled.map(|settled| settled.state), Some(TaskState::Complete));
    })
}

/// Ten times the steps and edges cost about ten times as much: what parents yielded is told when they ended in another
/// call, and that is more to look at.
fn is_linear(of_size: impl Fn(usize) -> Template, outcomes: usize) {
    let (small, large) = (drive(of_size(500), outcomes), drive(of_size(5_000), outcomes));
    assert!(large < small * 13, "{small} for 500 steps, {large} for 5000");
    assert!(large < 5_000 * 20, "{large} for 5000 steps");
}

#[test]
fn a_long_chain_costs_its_length_one_outcome_a_call() {
    is_linear(chain, 1);
}

#[test]
fn a_wide_join_costs_its_edges_however_its_parents_finish() {
    let join =
        |size: usize| workflow(size + 1, |place| if place == size { (0..size).collect() } else { vec![] });
    is_linear(join, 1);
    is_linear(join, 500);
}

#[test]
fn a_wide_fan_out_costs_its_edges() {
    let fan = |size: usize| workflow(size, |place| if place == 0 { vec![] } else { vec![0] });
    is_linear(fan, 1);
    is_linear(fan, 500);
}

#[test]
fn a_call_costs_nothing_for_steps_that_it_does_not_touch() {
    let storage = MemoryStorage::new();
    let (task, _) = start(&storage, workflow(5_000, |_| vec![]), 1).remove(0);
    let claims = only(storage.store().advance(call(vec![], vec![task]))).claims;
    let cost = looks(|| storage.store().advance(call(vec![completed(task, &claims[17])], vec![])));
    assert!(cost < 10, "{cost}");
}

#[test]
fn looking_at_a_task_costs_nothing_for_steps_that_cannot_move() {
    let storage = MemoryStorage::new();
    let (task, _) = start(&storage, chain(5_000), 1).remove(0);
    let (mut claims, mut cost) = (vec![], 0);
    for _ in 0..10 {
        let ended = claims.iter().map(|claim| completed(task, claim)).collect();
        cost += looks(|| claims = only(storage.store().advance(call(ended, vec![task]))).claims);
        assert_eq!(claims.len(), 1);
    }
    assert!(cost < 200, "{cost}");
}

/// Each step spawns the one after it: the graph is copied once, and not with every step.
#[test]
fn a_chain_that_spawns_itself_costs_its_length() {
    let cost = |length: usize| {
        let storage = MemoryStorage::new();
        let (task, _) = start(&storage, chain(2), 1).remove(0);
        looks(|| {
            let mut claim = only(storage.store().advance(call(vec![], vec![task]))).claims.remove(0);
            for number in 0..length {
                let mut outcome = completed(task, &claim);
                outcome.spawned = vec![spawned(&format!("more {number}"), &["s1"])];
                claim = only(storage.store().advance(call(vec![outcome], vec![]))).claims.remove(0);
            }
        })
    };
    let (small, large) = (cost(100), cost(1_000));
    assert!(large < small * 11, "{small} for 100 steps, {large} for 1000");
}
