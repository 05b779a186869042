//! What a backend brings to the suite, and how a case is run on it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use tasker_engine::{Storage, TaskId};
use tokio::runtime::Builder;

use super::Scene;

/// Makes the storages that the cases are run on.
pub trait Harness: Send + Sync + 'static {
    /// The backend.
    type Storage: Storage;

    /// A fresh and empty storage. What it needs beside itself (a database, a directory) belongs to the harness, which
    /// outlives it.
    fn storage(&self) -> impl Future<Output = Self::Storage> + Send;

    /// Makes the wake of a task disappear behind the storage's back, as a fault would; its generation may stay.
    ///
    /// No call of the contract loses a wake, and [`Storage::sweep`] is there for the day it happens all the same.
    fn lose_wake(&self, storage: &Self::Storage, task: TaskId) -> impl Future<Output = ()> + Send;

    /// Makes a draft of a pending task behind the storage's back, as an application does that lets people put tasks
    /// together: a row to `pending` with the metadata `{"phase": "draft"}`, and no wake.
    fn make_draft(&self, storage: &Self::Storage, task: TaskId) -> impl Future<Output = ()> + Send;
}

/// A case under way.
pub type Running = Pin<Box<dyn Future<Output = ()>>>;

/// One case of the suite.
pub struct Case {
    /// Where it stands: `group::name`.
    pub name: &'static str,
    /// Runs it; panics when the storage is not as the contract says.
    pub run: fn(Scene) -> Running,
}

/// Runs one case on a runtime of its own, with several threads. The stamped tests consist of this call.
///
/// # Panics
/// When the case does.
pub fn run<H, F>(harness: H, case: impl FnOnce(Scene) -> F)
where
    H: Harness,
    F: Future<Output = ()>,
{
    // More threads than the machines that test have cores: a caller is then also interrupted between two statements.
    let runtime =
        Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime starts");
    runtime.block_on(async { case(Scene::new(harness).await).await });
}

/// The names of the cases that fail on a backend; empty for one that is right. Shows that the suite can fail.
pub fn failing<H: Harness>(cases: &[Case], harness: impl Fn() -> H) -> Vec<&'static str> {
    let fails = |case: &&Case| catch_unwind(AssertUnwindSafe(|| run(harness(), case.run))).is_err();
    cases.iter().filter(fails).map(|case| case.name).collect()
}
