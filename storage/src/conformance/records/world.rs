//! Tasks of all kinds, the same on every backend: drawn from a seed, and from nothing that differs between them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_engine::records::{NewAnnotation, NewEdge, NewNamedTask, NewObjectMap, RecordError, TaskChange};
use tasker_engine::{
    Claim, Creation, NewTask, Outcome, OutcomeKind, Progress, RetryAdvice, StepCommand, Storage as _,
    TaskCommand, TaskId, Version,
};

use super::super::Scene;
use super::super::fixture::{
    AdvanceCall, Graph, Started, act_on_step, act_on_task, at, completed, ended, failed, graph, spawned,
};
use super::records;

/// Everything happens within so many seconds.
pub const SECONDS: u64 = 60;
/// Namespaces that may be asked for; the last is nobody's.
pub const NAMESPACES: [&str; 4] = ["default", "shop", "ops", "nowhere"];
/// Names of workflows that may be asked for.
pub const NAMES: [&str; 4] = ["checkout", "import", "empty", "nothing"];
/// Versions that may be asked for.
pub const VERSIONS: [&str; 4] = ["1.0.0", "9.0.0", "10.0.0", "0.1"];
/// Names of steps that may be asked for.
pub const STEPS: [&str; 6] = ["a", "b", "join", "extra", "nobody", "left"];
/// Systems that may be asked for.
pub const SYSTEMS: [&str; 4] = ["bank", "warehouse", "unknown", "nowhere"];
/// Kinds of annotations that may be asked for.
pub const ANNOTATION_TYPES: [&str; 4] = ["note", " note ", "flag", "nothing"];
/// Remote ids that may be asked for.
pub const REMOTE_IDS: [&str; 4] = ["1", "2", "x", "nobody"];

/// Draws from a seed and words: the same for the same.
#[derive(Clone, Copy)]
struct Chance(u64);

impl Chance {
    fn of(self, below: u64, what: impl std::hash::Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.0, what).hash(&mut hasher);
        hasher.finish() % below
    }
}

fn workflows() -> [Graph; 6] {
    let checkout = || {
        let graph = graph("a -> left -> join, a -> right -> join, a -> third, b -> join").skippable("b");
        graph.with("a", |step| step.dependent_system = Some("bank".into())).named("checkout")
    };
    let in_shop = |graph: Graph, version| {
        graph.edit(|template| {
            template.namespace_name = "shop".into();
            template.version = version;
        })
    };
    let import = graph("fetch -> a -> b -> join, fetch -> c -> join").limit("b", 1).named("import");
    let import = import.edit(|template| template.default_dependent_system = Some("warehouse".into()));
    [
        in_shop(checkout(), Version(1, 0, 0)),
        in_shop(checkout().one_at_a_time(), Version(9, 0, 0)),
        in_shop(checkout().with("more", |step| step.skippable = true), Version(10, 0, 0)),
        import.clone().edit(|template| template.namespace_name = "default".into()),
        import.edit(|template| template.namespace_name = "ops".into()),
        graph("").named("empty"),
    ]
}

/// Fills a fresh storage.
///
/// # Panics
/// When it fails.
pub async fn fill(scene: &Scene, seed: u64) {
    let chance = Chance(seed);
    let tasks = create(scene, chance).await;
    keep(scene, chance, &tasks).await;
    for second in (2..SECONDS).step_by(2) {
        let open: Vec<_> = tasks.iter().filter(|task| chance.of(4, (task.id.0, second)) == 0).collect();
        wave(scene, chance, &open, second).await;
        if let Some(task) = tasks.get(usize::try_from(chance.of(200, second)).expect("small")) {
            act(scene, chance, task, second).await;
        }
    }
}

async fn create(scene: &Scene, chance: Chance) -> Vec<Started> {
    let mut tasks = vec![];
    for (kind, workflow) in workflows().into_iter().enumerate() {
        let definition = scene.learn(&workflow).await;
        for number in 0..12u64 {
            let base = scene.request(&definition);
            let skips = chance.of(4, ("bypass", kind, number)) == 0;
            let bypassed = definition.steps().iter().filter(|step| step.skippable && skips);
            let mut request = base.request.clone();
            request.bypass_steps = bypassed.map(|step| step.name.clone()).collect();
            request.initiator = ["ada", "Bob", "ö"][usize::try_from(number).expect("small") % 3].into();
            request.requested_at = at(chance.of(SECONDS, ("requested", kind, number)));
            let now = at(chance.of(SECONDS / 3, ("created", kind, number)));
            let task = NewTask { request, ..base };
            let created = scene.storage().create(vec![task], now).await.expect("created").remove(0);
            let Creation::Created { task, steps, .. } = created else { panic!("{created:?}") };
            let names = definition.steps().iter().map(|step| step.name.clone());
            let steps = names.zip(steps).collect();
            tasks.push(Started { id: task, steps, definition: Arc::clone(&definition) });
        }
    }
    tasks
}

/// Rows that the engine does not write.
async fn keep(scene: &Scene, chance: Chance, tasks: &[Started]) {
    let records = records(scene);
    for (place, task) in tasks.iter().enumerate() {
        for number in 0..chance.of(4, ("annotations", place)) {
            let says = [
                json!({ "k": "v", "n": 5, "list": [1, "x"] }),
                json!({ "k": "5", "b": true, "n": 1.5 }),
                json!([1]),
                json!({ "n": 1e-7, "k": null }),
            ];
            let kind = chance.of(2, ("kind", place, number));
            let new = NewAnnotation {
                task_id: task.id,
                annotation_type: ["note", "flag"][usize::try_from(kind).expect("small")].into(),
                annotation: says[usize::try_from(chance.of(4, ("says", place, number))).expect("small")]
                    .clone(),
            };
            records.annotate(&new, at(number)).await.expect("annotated");
        }
        if chance.of(5, ("edge", place)) == 0
            && let [(_, from), .., (_, to)] = task.steps[..]
        {
            let name =
                ["provides", "precedes"][usize::try_from(chance.of(2, ("name", place))).expect("small")];
            let edge = NewEdge { name: name.into(), ..NewEdge::provides(from, to) };
            match records.create_edge(&edge, at(20)).await {
                // The step was bypassed.
                Ok(_) | Err(RecordError::NotNow { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        if chance.of(5, ("change", place)) == 0 {
            let change = TaskChange { reason: Some(format!("reason {}", place % 3)), tags: None };
            records.update_task(task.id, &change, at(chance.of(40, place))).await.expect("changed");
        }
    }
    for number in 0..6 {
        let (one, two) = [("bank", "warehouse"), ("warehouse", "bank"), ("bank", "bank")][number % 3];
        let new = NewObjectMap {
            system_one: one.into(),
            remote_id_one: REMOTE_IDS[number % 2].into(),
            system_two: two.into(),
            remote_id_two: REMOTE_IDS[number % 3].into(),
        };
        records.find_or_create_object_map(&new, at(1)).await.expect("a map");
    }
    for (name, version) in [("import", "1.0.0"), ("nothing", "2.0.0"), ("import", "0.1")] {
        let new = NewNamedTask {
            description: (version == "2.0.0").then(|| "none is run".to_owned()),
            version: version.into(),
            ..NewNamedTask::new(name)
        };
        let written = records.find_or_create_named_task(&new, at(2)).await;
        assert_eq!(written.is_ok(), version != "0.1", "{version}");
    }
}

/// Some tasks are looked at, and most of what they claim ends at once.
async fn wave(scene: &Scene, chance: Chance, tasks: &[&Started], second: u64) {
    let mut call = AdvanceCall::default().at(second);
    for task in tasks {
        call = call.and_wanting(task.id);
    }
    let progress = scene.advance(call).await;
    let mut call = AdvanceCall::default().at(second + 1).room(0);
    for Progress { task, claims, .. } in &progress {
        for (place, claim) in claims.iter().enumerate() {
            if let Some(outcome) =
                outcome(chance, *task, claim, (task.0, place, claim.attempt, second), second)
            {
                call = call.and_bringing(outcome);
            }
        }
    }
    scene.advance(call).await;
}

fn outcome(
    chance: Chance,
    task: TaskId,
    claim: &Claim,
    which: (i64, usize, u32, u64),
    second: u64,
) -> Option<Outcome> {
    Some(match chance.of(12, which) {
        0..=5 => completed(task, claim, json!({ "by": which.2 })),
        6 => {
            let outcome = completed(task, claim, json!("spawned"));
            Outcome { spawned: vec![spawned("extra", &[], &[]), spawned("more", &["extra"], &[])], ..outcome }
        }
        7 => failed(task, claim, RetryAdvice::Default),
        8 => failed(task, claim, RetryAdvice::After(Duration::from_millis(2500))),
        9 => failed(task, claim, RetryAdvice::Never),
        10 => ended(task, claim, OutcomeKind::Snooze { until: at(second + 3) }),
        _ => return None,
    })
}

async fn act(scene: &Scene, chance: Chance, task: &Started, second: u64) {
    let step = task.steps.get(usize::try_from(chance.of(5, ("step", second))).expect("small"));
    let mut act = match (chance.of(7, ("act", second)), step) {
        (0, _) => act_on_task(task.id, TaskCommand::Pause),
        (1, _) => act_on_task(task.id, TaskCommand::Cancel { force: false }),
        (2, Some((_, step))) => act_on_step(task.id, *step, StepCommand::Cancel),
        (3, Some((_, step))) => act_on_step(task.id, *step, StepCommand::Resolve { results: None }),
        (4, Some((_, step))) => act_on_step(task.id, *step, StepCommand::Reset),
        (5, _) => act_on_task(task.id, TaskCommand::Retry),
        _ => act_on_task(task.id, TaskCommand::Resolve),
    };
    act.now = at(second);
    scene.intervene(act).await;
}
