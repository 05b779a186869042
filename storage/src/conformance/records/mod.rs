//! Records of two backends: the same scopes find the same rows, up to a renaming of ids.
//!
//! [`agreement`] fills two storages alike ([`world`]), then draws random scopes of every model and compares their rows,
//! ids, counts and pages. Rows are compared by what they are called, not by their ids: see [`names`].

pub mod associations;
mod cases;
pub mod changes;
pub mod deletions;
mod draw;
pub mod edges;
mod models;
pub mod names;
pub mod reads;
pub mod scopes;
pub mod world;
pub mod writes;

use std::fmt::Debug;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::Value;
use tasker_engine::Storage as _;
use tasker_engine::records::{
    AnnotationTypes, DependentSystemObjectMaps, DependentSystems, Fault, Faults, Model, NamedSteps,
    NamedTasks, NamedTasksNamedSteps, RecordError, Records, Scope, StepDagRelationships, Table,
    TaskAnnotations, TaskNamespaces, TaskTransitions, Tasks, WorkflowStepEdges, WorkflowStepTransitions,
    WorkflowSteps,
};
use tokio::runtime::Builder;

use super::{Harness, Scene};
use draw::{Draw, draws};
use models::Asked;
use names::Names;

/// The records of a scene.
///
/// # Panics
/// When the backend has none.
pub fn records(scene: &Scene) -> &dyn Records {
    scene.storage().records().expect("the backend has records")
}

/// What is wrong with which field.
///
/// # Panics
/// When the error is of another kind.
pub fn faults(error: RecordError) -> Vec<(&'static str, Fault)> {
    match error {
        RecordError::Invalid(Faults(faults)) => {
            faults.into_iter().map(|fault| (fault.field, fault.fault)).collect()
        }
        other => panic!("something was to be invalid: {other:?}"),
    }
}

/// Short words for questions.
pub trait Asking {
    /// The rows of a scope.
    fn rows<M: Model>(&self, scope: &Scope<M>) -> impl Future<Output = Vec<M::Row>> + Send
    where
        for<'r> dyn Records + 'r: Table<M>;

    /// Their ids.
    fn ids<M: Model>(&self, scope: &Scope<M>) -> impl Future<Output = Vec<M::Id>> + Send
    where
        for<'r> dyn Records + 'r: Table<M>;
}

impl Asking for Scene {
    async fn rows<M: Model>(&self, scope: &Scope<M>) -> Vec<M::Row>
    where
        for<'r> dyn Records + 'r: Table<M>,
    {
        scope.rows(records(self)).await.expect("rows")
    }

    async fn ids<M: Model>(&self, scope: &Scope<M>) -> Vec<M::Id>
    where
        for<'r> dyn Records + 'r: Table<M>,
    {
        scope.ids(records(self)).await.expect("ids")
    }
}

/// Fills two storages alike, and asks that many random scopes of each model of both.
///
/// # Errors
/// The shortest scope found that tells the two apart, and how.
///
/// # Panics
/// When a backend has no records, or fails.
pub fn agreement<A: Harness, B: Harness>(
    one: impl FnOnce() -> A,
    two: impl FnOnce() -> B,
    cases: u32,
    seed: u64,
) -> Result<(), String> {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
    let (one, two) = runtime.block_on(async { (Scene::new(one()).await, Scene::new(two()).await) });
    runtime.block_on(async {
        world::fill(&one, seed).await;
        world::fill(&two, seed).await;
    });
    let (one, two) = (records(&one), records(&two));
    let names = runtime.block_on(async { (Names::of(one).await, Names::of(two).await) });
    let pair = Pair { one, two, one_names: &names.0, two_names: &names.1 };
    macro_rules! compare {
        ($($model:ident),* $(,)?) => {
            $(compare::<$model>(&runtime, &pair, cases, seed)?;)*
        };
    }
    compare!(
        Tasks,
        WorkflowSteps,
        WorkflowStepEdges,
        NamedTasks,
        NamedSteps,
        NamedTasksNamedSteps,
        TaskNamespaces,
        TaskTransitions,
        WorkflowStepTransitions,
        TaskAnnotations,
        AnnotationTypes,
        DependentSystems,
        DependentSystemObjectMaps,
        StepDagRelationships,
    );
    runtime.block_on(same_reads(&pair)).map_err(|error| format!("read models, seed {seed}: {error}"))
}

/// The read models tell the same of two backends, at every moment that is asked.
async fn same_reads(pair: &Pair<'_>) -> Result<(), String> {
    let one = reads::told(pair.one, pair.one_names).await;
    let two = reads::told(pair.two, pair.two_names).await;
    one.iter().zip(&two).try_for_each(|((asked, one), (_, two))| equal(asked, "the answer", one, two))
}

/// Two filled storages, and what their rows are called.
struct Pair<'a> {
    one: &'a dyn Records,
    two: &'a dyn Records,
    one_names: &'a Names,
    two_names: &'a Names,
}

fn compare<M: Asked>(
    runtime: &tokio::runtime::Runtime,
    pair: &Pair<'_>,
    cases: u32,
    seed: u64,
) -> Result<(), String>
where
    for<'r> dyn Records + 'r: Table<M>,
{
    let config =
        Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config)
        .run(&draws(), |draw| runtime.block_on(same::<M>(pair, &draw)).map_err(TestCaseError::fail));
    result.map_err(|error| format!("{}s, seed {seed}: {error}", M::NAME))
}

async fn same<M: Asked>(pair: &Pair<'_>, draw: &Draw) -> Result<(), String>
where
    for<'r> dyn Records + 'r: Table<M>,
{
    let one = draw.scope::<M>(pair.one_names);
    let two = draw.scope::<M>(pair.two_names);
    let asked = serde_json::to_string(&one).expect("a scope is JSON");
    let (found, other) =
        (Found::of(pair.one, &one, pair.one_names).await, Found::of(pair.two, &two, pair.two_names).await);
    equal(&asked, "rows", &found.sorted(), &other.sorted())?;
    if let Some(order) = one.order.filter(|order| !M::is_renamed(order.by)) {
        let column = |found: &Found| -> Vec<Value> {
            let column = serde_json::to_value(order.by).expect("a column is JSON");
            let column = column.as_str().expect("a column is a text");
            found.rows.iter().map(|row| row[column].clone()).collect()
        };
        equal(&asked, "order", &column(&found), &column(&other))?;
    }
    for (records, scope, names, found) in
        [(pair.one, one.clone(), pair.one_names, found), (pair.two, two, pair.two_names, other)]
    {
        page::<M>(records, scope, names, &found, draw, &asked).await?;
    }
    Ok(())
}

/// What a scope finds on one backend, under names that both share.
struct Found {
    rows: Vec<Value>,
}

impl Found {
    async fn of<M: Asked>(records: &dyn Records, scope: &Scope<M>, names: &Names) -> Self
    where
        for<'r> dyn Records + 'r: Table<M>,
    {
        let rows = scope.rows(records).await.expect("rows");
        Self { rows: rows.iter().map(|row| names.renamed::<M>(row)).collect() }
    }

    fn sorted(&self) -> Vec<String> {
        let mut rows: Vec<_> = self.rows.iter().map(ToString::to_string).collect();
        rows.sort();
        rows
    }
}

/// A page is a part of the whole, and all that can be asked of it agrees.
async fn page<M: Asked>(
    records: &dyn Records,
    whole: Scope<M>,
    names: &Names,
    found: &Found,
    draw: &Draw,
    asked: &str,
) -> Result<(), String>
where
    for<'r> dyn Records + 'r: Table<M>,
{
    let ids = whole.ids(records).await.expect("ids");
    let begin = draw.after.and_then(|after| after.checked_rem(ids.len()));
    let (offset, limit) = (draw.offset.unwrap_or_default(), draw.limit);
    let rest = found.rows.iter().skip(begin.map_or(0, |place| place + 1)).skip(offset as usize);
    let expected: Vec<_> = rest.take(limit.map_or(usize::MAX, |limit| limit as usize)).cloned().collect();
    let scope = Scope { after: begin.map(|place| ids[place]), offset, limit, ..whole };
    equal(asked, "a page", &Found::of(records, &scope, names).await.rows, &expected)?;
    let many = u64::try_from(expected.len()).expect("a count");
    equal(asked, "count", &scope.count(records).await.expect("count"), &many)?;
    equal(asked, "exists", &scope.exists(records).await.expect("exists"), &(many > 0))?;
    equal(asked, "ids", &scope.ids(records).await.expect("ids").len(), &expected.len())
}

fn equal<T: PartialEq + Debug>(asked: &str, what: &str, one: &T, two: &T) -> Result<(), String> {
    match one == two {
        true => Ok(()),
        false => Err(format!("{what} of {asked}:\n  one: {one:?}\n  two: {two:?}")),
    }
}
