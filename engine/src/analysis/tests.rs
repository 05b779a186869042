//! Each question on graphs whose answer can be seen, and ways on random ones.
#![expect(clippy::cast_precision_loss, reason = "counts of a few steps")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::DependencyGraph;
use crate::decide::fixture::{NOW, a_step, a_task};
use crate::decide::{ExecutionCounts, HealthStatus};
use crate::{StepId, StepRecord, StepState, TaskRecord};

/// A task of so many steps, of which each waits for those listed; ids are places plus one.
fn task(parents: &[&[usize]]) -> TaskRecord {
    let steps = parents.iter().enumerate().map(|(place, parents)| StepRecord {
        id: id(place),
        name: format!("s{place}").as_str().into(),
        parents: parents.iter().map(|parent| id(*parent)).collect(),
        ..a_step()
    });
    a_task(steps.collect())
}

fn id(place: usize) -> StepId {
    StepId(i64::try_from(place).unwrap() + 1)
}

fn ids(places: &[usize]) -> Vec<StepId> {
    places.iter().map(|place| id(*place)).collect()
}

fn set(task: &mut TaskRecord, place: usize, state: StepState, attempts: u32) {
    let step = &mut task.steps[place];
    *step = StepRecord { attempts, ..step.clone().in_state(state) };
    step.processed = state.is_satisfied();
}

fn analysis(task: &TaskRecord) -> TaskAnalysis {
    TaskAnalysis::of(task, NOW, &DependencyGraph::default()).unwrap()
}

/// s0 ─┬─▶ s1 ─┬─▶ s3 ──▶ s4,  and s5 alone.
///     └─▶ s2 ─┘
const DIAMOND: [&[usize]; 6] = [&[], &[0], &[0], &[1, 2], &[3], &[]];

#[test]
fn levels_are_the_longest_ways_from_a_root() {
    let task = task(&[&[], &[0], &[0, 1], &[]]);
    let graph = TaskGraph::of(&task).unwrap();
    assert_eq!(graph.levels(), [ids(&[0, 3]), ids(&[1]), ids(&[2])]);
    assert_eq!((graph.level(id(2)), graph.level(id(9))), (Some(2), None));
    assert_eq!((graph.roots(), graph.leaves()), (ids(&[0, 3]), ids(&[2, 3])));
}

#[test]
fn the_longest_path_has_the_most_steps_and_the_slowest_takes_longest() {
    let task = task(&DIAMOND);
    let graph = TaskGraph::of(&task).unwrap();
    assert_eq!(graph.longest_path(), ids(&[0, 1, 3, 4]), "of two, the one with the lower ids");
    let expected = |step: &StepRecord| Duration::from_secs(if step.id == id(2) { 9 } else { 1 });
    assert_eq!(graph.slowest_path(expected), (ids(&[0, 2, 3, 4]), Duration::from_secs(12)));
    let alone = |step: &StepRecord| Duration::from_secs(if step.id == id(5) { 99 } else { 1 });
    assert_eq!(graph.slowest_path(alone), (ids(&[5]), Duration::from_secs(99)));
}

#[test]
fn what_is_below_and_above_a_step_is_everything_that_hangs_on_it() {
    let task = task(&DIAMOND);
    let graph = TaskGraph::of(&task).unwrap();
    assert_eq!((graph.downstream(id(1)), graph.upstream(id(3))), (ids(&[3, 4]), ids(&[0, 1, 2])));
    assert_eq!((graph.downstream(id(4)), graph.upstream(id(0))), (vec![], vec![]));
    assert_eq!(graph.downstream(id(77)), vec![]);
}

#[test]
fn a_step_is_held_up_by_the_first_that_are_not_done() {
    let mut task = task(&DIAMOND);
    let held = |task: &TaskRecord| TaskGraph::of(task).unwrap().held_up_by(id(4));
    assert_eq!(held(&task), ids(&[0]));
    set(&mut task, 0, StepState::Complete, 1);
    assert_eq!(held(&task), ids(&[1, 2]));
    set(&mut task, 1, StepState::ResolvedManually, 1);
    set(&mut task, 2, StepState::Error, 3);
    assert_eq!(held(&task), ids(&[2]));
    set(&mut task, 2, StepState::Complete, 3);
    set(&mut task, 3, StepState::Complete, 1);
    assert_eq!(held(&task), vec![]);
}

#[test]
fn steps_that_wait_for_each_other_are_named() {
    let circle = task(&[&[], &[0, 2], &[1]]);
    let told = TaskGraph::of(&circle).err().unwrap();
    assert_eq!(told.steps, ["s1", "s2"]);
    let itself = task(&[&[0]]);
    assert_eq!(TaskGraph::of(&itself).err().unwrap().steps, ["s0"]);
    assert!(TaskAnalysis::of(&circle, NOW, &DependencyGraph::default()).is_err());
}

#[test]
fn edges_from_other_tasks_are_left_out() {
    let mut task = task(&[&[], &[0]]);
    task.steps[0].parents = vec![StepId(1000)];
    assert_eq!(TaskGraph::of(&task).unwrap().roots(), ids(&[0]));
}

/// Twenty diamonds in a row have a million ways, forty more than a million million; nobody lists them.
#[test]
fn ways_are_counted_and_the_worst_five_found_without_listing_them() {
    for (diamonds, ways) in [(20, 1 << 20), (40, 1 << 40), (70, u64::MAX)] {
        let mut parents: Vec<Vec<usize>> = vec![vec![]];
        for _ in 0..diamonds {
            let top = parents.len() - 1;
            parents.extend([vec![top], vec![top], vec![top + 1, top + 2]]);
        }
        let parents: Vec<&[usize]> = parents.iter().map(Vec::as_slice).collect();
        let task = task(&parents);
        let told = analysis(&task).critical_paths;
        assert_eq!((told.total_paths, told.longest_path_length), (ways, 2 * diamonds + 1));
        assert_eq!(told.paths.len(), 5);
        assert!(told.paths.windows(2).all(|pair| pair[0].criticality_score >= pair[1].criticality_score));
    }
}

#[test]
fn the_score_of_a_way_is_the_one_of_the_reference() {
    let mut task = task(&[&[], &[0], &[1]]);
    set(&mut task, 0, StepState::Complete, 1);
    set(&mut task, 1, StepState::Error, 2);
    let told = analysis(&task).critical_paths.paths.remove(0);
    // 3 · 30 s, one error, one attempt more than the first.
    assert_eq!(told.estimated_duration, 90 + 60 + 30);
    // Not healthy: blocked and failed steps count half as much again. A third is complete.
    let score: f64 = 30.0 - 15.0 + 25.0 * 1.5 + 30.0 * 1.5 + 10.0 + 2.0 * 180.0 / 60.0;
    assert!((told.criticality_score - score * (1.0 - 0.3 * 0.333)).abs() < 1e-9, "{told:?}");
    assert_eq!((told.completed_steps, told.blocked_steps, told.error_steps, told.retry_steps), (1, 1, 1, 1));
    assert_eq!(told.completion_percentage, 33.3);
    let bottlenecks: Vec<_> =
        told.bottlenecks.iter().map(|step| (step.step_id, step.severity, step.impact.as_str())).collect();
    assert_eq!(
        bottlenecks,
        [(id(1), 20, "Blocks 1 downstream steps"), (id(2), 5, "Blocks 0 downstream steps")]
    );
}

#[test]
fn an_error_chain_is_a_failure_and_what_waits_because_of_it() {
    let mut task = task(&DIAMOND);
    set(&mut task, 0, StepState::Complete, 1);
    set(&mut task, 1, StepState::Error, 3);
    set(&mut task, 2, StepState::Error, 1);
    let told = analysis(&task).error_chains;
    assert_eq!((told.total_error_steps, told.error_percentage), (2, 33.3));
    let chain = told.most_critical_error.clone().unwrap();
    assert_eq!((chain.error_step_id, &chain.downstream_steps), (id(1), &ids(&[3, 4])));
    assert_eq!(chain.total_impact, 15 * 2 + 5 * 2 + 20 + 3 * 3);
    assert!(chain.retry_analysis.exhausted && chain.retry_analysis.remaining_attempts == 0);
    assert_eq!(chain.recovery_strategies[0].strategy, "Manual Resolution");
    let other = &told.error_chains[1];
    assert!(other.retry_analysis.in_backoff);
    assert_eq!(other.recovery_strategies[0].strategy, "Wait for Backoff");
    assert_eq!(told.recovery_priority[0].priority_level, Impact::High);
    assert_eq!(told.recovery_priority[0].reason, "Blocking 2 downstream steps");
}

#[test]
fn parallelism_is_told_level_by_level() {
    let mut task = task(&DIAMOND);
    set(&mut task, 0, StepState::Complete, 1);
    let told = analysis(&task).parallelism_opportunities;
    assert_eq!((told.total_levels, told.max_parallel_steps), (4, 2));
    assert_eq!((told.current_parallel_opportunities, told.blocked_parallel_opportunities), (3, 2));
    let levels: Vec<_> = told
        .levels
        .iter()
        .map(|level| (level.ready_steps, level.parallelism_potential, level.bottleneck_risk))
        .collect();
    use Potential::{High, Low, Medium};
    assert_eq!(levels, [(1, Medium, Low), (2, High, Low), (0, Low, High), (0, Low, High)]);
    assert_eq!(told.parallelism_efficiency, 25.0);
}

#[test]
fn bottlenecks_are_failures_or_else_what_waits() {
    let mut task = task(&DIAMOND);
    let waiting = analysis(&task).bottlenecks;
    assert_eq!(waiting.bottlenecks.iter().map(|step| step.step_id).collect::<Vec<_>>(), ids(&[1, 2, 3, 4]));
    assert_eq!(waiting.bottlenecks[0].bottleneck_type, "Dependency Block");
    // Two below it, both blocked, and it waits itself.
    assert_eq!(waiting.bottlenecks[0].impact_score, 48);
    set(&mut task, 0, StepState::Error, 3);
    let failed = analysis(&task).bottlenecks;
    let [step] = &failed.bottlenecks[..] else { panic!("{failed:?}") };
    assert_eq!((step.step_id, step.downstream_steps_count, step.blocked_downstream_count), (id(0), 4, 4));
    assert_eq!(step.impact_score, (4 * 5 + 4 * 15) * 5 / 2 + 9 + 10 + 20);
    assert_eq!((step.severity, failed.overall_impact), (Impact::Critical, OverallImpact::High));
    assert_eq!(step.estimated_resolution_time, "Immediate action needed");
    assert_eq!(analysis(&task).summary().overall_health, OverallHealth::Critical);
    for place in 0..6 {
        set(&mut task, place, StepState::Complete, 2);
    }
    let done = analysis(&task);
    assert_eq!(
        (done.bottlenecks.total_bottlenecks, done.bottlenecks.overall_impact),
        (0, OverallImpact::None)
    );
    assert_eq!(done.summary().overall_health, OverallHealth::Healthy);
}

#[test]
fn a_task_without_steps_has_an_empty_analysis() {
    let told = analysis(&task(&[]));
    assert_eq!((told.critical_paths.total_paths, told.critical_paths.paths.len()), (0, 0));
    let summary = told.summary();
    assert_eq!((summary.total_steps, summary.dependency_levels), (0, 0));
    assert_eq!(summary.recommendations, ["Task execution appears healthy"]);
}

#[test]
fn the_analysis_has_the_keys_of_the_reference_and_numbers_are_numbers() {
    let told = serde_json::to_value(analysis(&task(&DIAMOND))).unwrap();
    let keys: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "dependency_graph",
        "critical_paths",
        "parallelism_opportunities",
        "error_chains",
        "bottlenecks",
        "generated_at",
        "task_id",
    ];
    expected.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(told["dependency_graph"]["adjacency_list"]["1"], json!([2, 3]));
    assert_eq!(told["dependency_graph"]["edges"][0]["from_name"], "s0");
    assert!(told["critical_paths"]["paths"][0]["criticality_score"].is_number());
}

#[test]
fn a_diagram_has_a_node_for_the_task_and_one_for_each_step() {
    let mut task = task(&[&[], &[0], &[]]);
    set(&mut task, 0, StepState::Error, 2);
    task.steps[0].results =
        std::sync::Arc::new(json!({ "error": "a\nvery long \"text\" that nobody reads" }));
    set(&mut task, 2, StepState::ResolvedManually, 0);
    task.steps[2].name = "<b>\"x\"".into();
    let diagram = TaskDiagram::of(&task, |_, _| Some("provides".into()), Some("https://it/tasker/"));
    let names: Vec<_> = diagram.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(names, ["task_1", "step_1", "step_2", "step_3"]);
    let node = diagram.find_node("step_1").unwrap();
    assert_eq!(node.label, "Step: s0\nStatus: error\nAttempts: 2\nError: a very long \"text\" that nobo...");
    assert_eq!(node.style.as_deref(), Some("fill:red;"));
    assert_eq!(node.url.as_deref(), Some("https://it/tasker/tasks/1/workflow_steps/1"));
    let edges: Vec<_> = diagram
        .edges
        .iter()
        .map(|edge| (edge.source_id.as_str(), edge.target_id.as_str(), edge.label.as_deref()))
        .collect();
    assert_eq!(
        edges,
        [("task_1", "step_1", None), ("step_1", "step_2", Some("provides")), ("task_1", "step_3", None)]
    );
    assert_eq!((diagram.outgoing("task_1").count(), diagram.incoming("step_2").count()), (2, 1));
    let text = diagram.to_mermaid();
    assert!(
        text.starts_with("graph TD\nsubgraph \"Task 1: task\"\n  task_1[\"Task: task<br/>ID: 1<br/>"),
        "{text}"
    );
    assert!(text.contains("  step_3[\"Step: #60;b#62;#34;x#34;<br/>"), "{text}");
    assert!(text.contains("  style step_3 fill:khaki;\n") && text.ends_with("end\n"), "{text}");
    assert!(text.contains("  step_1 -->|\"provides\"| step_2\n"), "{text}");
    let json = serde_json::to_value(&diagram).unwrap();
    assert_eq!((&json["direction"], &json["edges"][0]["type"]), (&json!("TD"), &json!("solid")));
    assert_eq!(json["nodes"][0].get("url"), None, "what is absent is left out");
}

/// Graphs of a few steps, each waiting for some of those before it.
fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
    proptest::collection::vec(proptest::collection::vec(any::<bool>(), 8), 0..8).prop_map(|rows| {
        let parents = |(place, row): (usize, &Vec<bool>)| (0..place).filter(|parent| row[*parent]).collect();
        rows.iter().enumerate().map(parents).collect()
    })
}

/// Every way from end to end, listed.
fn all_paths(task: &TaskRecord) -> Vec<Vec<StepId>> {
    let mut children: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    for step in &task.steps {
        for parent in &step.parents {
            children.entry(*parent).or_default().push(step.id);
        }
    }
    let mut open: Vec<Vec<StepId>> =
        task.steps.iter().filter(|step| step.parents.is_empty()).map(|step| vec![step.id]).collect();
    let mut whole = vec![];
    while let Some(path) = open.pop() {
        match children.get(path.last().unwrap()) {
            None => whole.push(path),
            Some(next) => open.extend(next.iter().map(|step| [&path[..], &[*step]].concat())),
        }
    }
    whole
}

/// The reference's formula, for a whole way.
fn score(task: &TaskRecord, path: &[StepId]) -> f64 {
    let steps: Vec<_> = path.iter().map(|id| &task.steps[task.position(*id).unwrap()]).collect();
    let count = |holds: &dyn Fn(&StepRecord) -> bool| steps.iter().filter(|step| holds(step)).count() as f64;
    let failed = |step: &StepRecord| step.current.state == StepState::Error;
    let again: f64 = steps.iter().map(|step| f64::from(step.attempts.saturating_sub(1))).sum();
    let duration = 30.0 * steps.len() as f64 + 60.0 * count(&failed) + 30.0 * again;
    let healthy = ExecutionCounts::of(task, NOW).health() == HealthStatus::Healthy;
    let factor = if healthy { 1.0 } else { 1.5 };
    let score = 10.0 * steps.len() as f64 - 15.0 * count(&|step| step.current.state.is_satisfied())
        + 25.0 * factor * count(&|step| !task.parents_satisfied(step))
        + 30.0 * factor * count(&failed)
        + 10.0 * count(&|step| failed(step) && step.attempts > 1)
        + 2.0 * duration / 60.0;
    let completed = task.steps.iter().filter(|step| step.current.state.is_satisfied()).count() as f64;
    let completion = (completed / task.steps.len() as f64 * 1000.0).round() / 1000.0;
    (score * (1.0 - 0.3 * completion)).max(0.0)
}

proptest! {
    #[test]
    fn ways_are_what_listing_them_finds(parents in graphs(), states in proptest::collection::vec(0..6usize, 8)) {
        let parents: Vec<&[usize]> = parents.iter().map(Vec::as_slice).collect();
        let mut task = task(&parents);
        for (place, state) in states.iter().enumerate().take(parents.len()) {
            set(&mut task, place, StepState::ALL[*state], u32::try_from(*state).unwrap());
        }
        let (told, listed) = (analysis(&task).critical_paths, all_paths(&task));
        prop_assert_eq!(told.total_paths, u64::try_from(listed.len()).unwrap());
        prop_assert_eq!(told.longest_path_length, listed.iter().map(Vec::len).max().unwrap_or(0));
        prop_assert_eq!(told.paths.len(), listed.len().min(5));
        for path in &told.paths {
            prop_assert!(listed.contains(&path.path));
        }
        let mut expected: Vec<f64> = listed.iter().map(|path| score(&task, path)).collect();
        expected.sort_by(|one, next| next.total_cmp(one));
        for (path, expected) in told.paths.iter().zip(expected) {
            prop_assert!((path.criticality_score - expected).abs() < 1e-6, "{path:?}: {expected}");
        }
        let told: std::collections::BTreeSet<_> = told.paths.iter().map(|path| &path.path).collect();
        prop_assert_eq!(told.len(), listed.len().min(5), "each once");
    }
}
