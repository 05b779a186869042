//! How sequences of operations are drawn. The simpler choice comes first wherever there are several, so that shrinking
//! ends in sequences that can be read.

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;

use super::operation::{
    Birth, Deed, Ending, How, Operation, RandomGraph, RandomSpawn, RandomStep, Target, Wave,
};

/// Sequences of about `length` operations. Each begins with a task.
pub fn operations(length: usize) -> impl Strategy<Value = Vec<Operation>> {
    let births = vec(birth(), 1..4).prop_map(Operation::Create);
    (births, vec(several(), 0..length.max(1)))
        .prop_map(|(first, rest)| std::iter::once(first).chain(rest.into_iter().flatten()).collect())
}

/// One operation, or some that mean little without each other.
fn several() -> impl Strategy<Value = Vec<Operation>> {
    let wait = || (0..40_000_u64).prop_map(Operation::Wait);
    let sweep = || (of(0..9_usize), 0..4_usize).prop_map(|(after, limit)| Operation::Sweep { after, limit });
    let alone = prop_oneof![
        12 => wave().prop_map(Operation::Advance),
        4 => wait(),
        6 => deed().prop_map(Operation::Intervene),
        1 => vec(birth(), 1..3).prop_map(Operation::Create),
        1 => (0..6_usize).prop_map(|limit| Operation::Due { limit }),
        1 => Just(Operation::Again),
    ];
    let beat = (1..4_u8, any::<u32>(), 0..20_000_u64).prop_map(|(worker, held, older)| Operation::Beat {
        worker,
        held,
        older,
    });
    let rescue = (0..60_000_u64, 0..4_usize).prop_map(|(silent, limit)| Operation::Rescue { silent, limit });
    prop_oneof![
        20 => alone.prop_map(|one| vec![one]),
        1 => (wait(), beat).prop_map(|(wait, beat)| vec![wait, beat]),
        1 => (wait(), rescue).prop_map(|(wait, rescue)| vec![wait, rescue]),
        1 => (vec((0..9_usize).prop_map(Operation::LoseWake), 0..4), sweep()).prop_map(|(mut lost, sweep)| {
            lost.push(sweep);
            lost
        }),
    ]
}

fn birth() -> impl Strategy<Value = Birth> {
    let bypass = prop_oneof![4 => Just(0), 1 => any::<u8>()];
    (graph(), weighted(0.1, 0..9_usize), bypass).prop_map(|(graph, identity, bypass)| Birth {
        graph,
        identity,
        bypass,
    })
}

fn graph() -> impl Strategy<Value = RandomGraph> {
    (vec(step(), 0..6), any::<bool>(), proptest::bool::weighted(0.2))
        .prop_map(|(steps, reversed, one_at_a_time)| RandomGraph { steps, reversed, one_at_a_time })
}

fn step() -> impl Strategy<Value = RandomStep> {
    let often = |share| proptest::bool::weighted(share);
    (any::<u8>(), any::<u8>(), 1..4_u32, often(0.85), often(0.3), 0..3_u8).prop_map(
        |(parents, fewer, limit, retryable, skippable, handler)| RandomStep {
            parents: parents & fewer,
            limit,
            retryable,
            skippable,
            handler,
        },
    )
}

fn wave() -> impl Strategy<Value = Wave> {
    let room = prop_oneof![3 => Just(100_usize), 1 => 0..5_usize];
    let outcomes = vec(ending(), 0..5);
    let handlers = weighted(0.25, vec(0..3_usize, 0..3));
    let handlers = (handlers, any::<bool>());
    (1..4_u8, outcomes, vec(0..9_usize, 0..4), room, weighted(0.2, 1..4_usize), handlers).prop_map(
        |(worker, outcomes, wanted, total, per_task, (handlers, others))| Wave {
            worker,
            outcomes,
            wanted,
            total,
            per_task,
            handlers,
            others,
        },
    )
}

fn ending() -> impl Strategy<Value = Ending> {
    let claim = prop_oneof![6 => 0..5_usize, 1 => 0..40_usize];
    let share = proptest::bool::weighted;
    (claim, share(0.2), share(0.03), how()).prop_map(|(claim, any, made_up, how)| Ending {
        claim,
        any,
        made_up,
        how,
    })
}

fn how() -> impl Strategy<Value = How> {
    let spawns = prop_oneof![3 => Just(vec![]), 1 => vec(spawn(), 1..4)];
    prop_oneof![
        10 => (0..6_u8, spawns).prop_map(|(results, spawned)| How::Completed(results, spawned)),
        4 => Just(How::Failed),
        1 => Just(How::FailedForGood),
        1 => (0..90_000_u64).prop_map(How::FailedAfter),
        1 => Just(How::HandBack),
        1 => (0..90_000_u64).prop_map(How::Snooze),
        1 => Just(How::Unstorable),
    ]
}

fn spawn() -> impl Strategy<Value = RandomSpawn> {
    (0..5_u8, weighted(0.3, 0..5_u8), of(0..3_usize), weighted(0.05, 0..6_usize), 1..3_u32).prop_map(
        |(name, after, before, before_any, limit)| RandomSpawn { name, after, before, before_any, limit },
    )
}

fn deed() -> impl Strategy<Value = Deed> {
    let target = prop_oneof![
        2 => prop_oneof![3 => 0..6_u8, 1 => Just(4_u8)].prop_map(Target::Task),
        3 => (0..8_usize, 0..7_u8).prop_map(|(step, command)| Target::Step(step, command)),
    ];
    (0..9_usize, target, weighted(0.15, 0..6_u8), proptest::bool::weighted(0.8))
        .prop_map(|(task, target, seen, reason)| Deed { task, target, seen, reason })
}
