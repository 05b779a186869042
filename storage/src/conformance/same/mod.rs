//! Two backends, the same calls: the same answers, up to a renaming of ids.
//!
//! [`operations`] draws sequences of calls that shrink well: each refers to tasks, steps and claims by their number, in
//! the order in which answers told of them, and numbers beyond the last begin again. [`same_answers`] plays a sequence
//! on two storages and compares every answer, and after it every task with its audit trail. [`agreement`] does so for
//! many sequences, and comes back with the shortest that tells the two apart.
//!
//! Compared are values, not the texts in which a backend says why an outcome cannot be recorded. Generations of wakes
//! are not compared, but each storage's own must rise with every change.

mod arguments;
mod draw;
mod names;
mod operation;
mod world;

use std::fmt;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use tokio::runtime::Builder;

use super::{Harness, Scene};
use world::World;

pub use draw::operations;
pub use operation::{
    Birth, Deed, Ending, How, Operation, RandomGraph, RandomSpawn, RandomStep, Target, Wave,
};

/// Where two storages differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The place of the operation in its sequence, from 0.
    pub at: usize,
    /// What was compared.
    pub what: String,
    /// What the first storage told, with ids renamed.
    pub one: String,
    /// What the second told.
    pub two: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, what, one, two } = self;
        write!(f, "after operation {at}, {what}:\n  one: {one}\n  two: {two}")
    }
}

impl std::error::Error for Difference {}

/// Plays the operations on both storages, which are fresh, and compares.
///
/// # Errors
/// The first difference.
///
/// # Panics
/// When a task breaks a rule that every task keeps, or a storage is unavailable.
pub async fn same_answers(one: &Scene, two: &Scene, operations: &[Operation]) -> Result<(), Difference> {
    let mut world = World::new(one, two);
    for (at, operation) in operations.iter().enumerate() {
        world.play(operation).await.map_err(|difference| Difference { at, ..difference })?;
    }
    Ok(())
}

/// Two backends that do not agree.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// What the sequences were drawn from.
    pub seed: u64,
    /// The shortest sequence found.
    pub operations: Vec<Operation>,
    /// What it shows.
    pub why: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}\nafter these operations:", self.seed, self.why)?;
        self.operations.iter().enumerate().try_for_each(|(at, one)| writeln!(f, "  {at}: {one:?}"))
    }
}

impl std::error::Error for Disagreement {}

/// Draws that many sequences of at most `length` operations and plays each on two fresh storages.
///
/// # Errors
/// The shortest sequence found that tells the two apart.
///
/// # Panics
/// When no runtime can be started.
pub fn agreement<A: Harness, B: Harness>(
    one: impl Fn() -> A,
    two: impl Fn() -> B,
    cases: u32,
    length: usize,
    seed: u64,
) -> Result<(), Disagreement> {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&operations(length), |operations| {
        let played = async {
            let (one, two) = (Scene::new(one()).await, Scene::new(two()).await);
            same_answers(&one, &two, &operations).await
        };
        runtime.block_on(played).map_err(|difference| TestCaseError::fail(difference.to_string()))
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Fail(why, operations)) => {
            Err(Disagreement { seed, operations, why: why.message().to_owned() })
        }
        Err(TestError::Abort(why)) => {
            Err(Disagreement { seed, operations: vec![], why: why.message().to_owned() })
        }
    }
}
