//! Covers "Deterministic": a log of calls replays to the same state, and "Repeatable" for calls of every kind, by
//! random sequences of operations on two storages of one backend.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::fixture::Scene;
use super::same::{Operation, operations, same_answers};

/// A few sequences, the same ones each time.
fn sequences(length: usize, seed: u64) -> Vec<Vec<Operation>> {
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(seed), ..Config::default() });
    let strategy = operations(length);
    (0..5).map(|_| strategy.new_tree(&mut runner).expect("a sequence").current()).collect()
}

/// The same calls on another storage: the same answers, and the same tasks in the end.
pub async fn same_calls_replay_to_the_same_state(scene: Scene) {
    for operations in sequences(60, 1) {
        let (one, two) = (scene.another().await, scene.another().await);
        if let Err(difference) = same_answers(&one, &two, &operations).await {
            panic!("{difference}\n{operations:#?}");
        }
    }
}

/// Every call is made twice, as after a lost reply: no rule is broken, and both storages still agree.
pub async fn calls_made_twice_break_no_rule(scene: Scene) {
    for operations in sequences(30, 2) {
        let twice: Vec<_> =
            operations.into_iter().flat_map(|operation| [operation, Operation::Again]).collect();
        let (one, two) = (scene.another().await, scene.another().await);
        if let Err(difference) = same_answers(&one, &two, &twice).await {
            panic!("{difference}\n{twice:#?}");
        }
    }
}
