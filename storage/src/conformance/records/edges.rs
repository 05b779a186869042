//! Edges that are drawn by hand.

use serde_json::json;
use tasker_engine::records::{Fault, Kept, NewEdge, RecordError, WorkflowStepEdgeRow, WorkflowStepEdges};
use tasker_engine::{RetryAdvice, StepCommand};

use super::super::Scene;
use super::super::fixture::{Order, Started, at, failed, race};
use super::{Asking, faults, records};

async fn draw(
    scene: &Scene,
    task: &Started,
    from: &str,
    to: &str,
) -> Result<Kept<WorkflowStepEdgeRow>, RecordError> {
    records(scene).create_edge(&NewEdge::provides(task.step(from), task.step(to)), at(0)).await
}

/// Until the other is done, whether it is ready, or failed and waits to be tried again.
pub async fn edge_makes_a_step_wait(scene: Scene) {
    let task = scene.start("a, b, c").await;
    let claim = scene.claim(&task, "c").await;
    scene.record(failed(&task, &claim, RetryAdvice::Default)).await;
    let Kept::Created(edge) = draw(&scene, &task, "a", "b").await.unwrap() else {
        panic!("it was not there")
    };
    draw(&scene, &task, "b", "c").await.unwrap();
    assert_eq!((edge.from_step_id, edge.to_step_id), (task.step("a"), task.step("b")));
    assert_eq!((edge.name.as_str(), edge.created_at), ("provides", at(0)));
    let claims = scene.claims_by(&task, 1, 10, 60).await;
    assert_eq!(claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), [task.step("a")]);
    assert_eq!(scene.task(&task).await.step("b").unwrap().parents, [task.step("a")]);
    let done = super::super::fixture::completed(&task, &claims[0], json!("of a"));
    scene.record_at(done, 61).await;
    let claims = scene.claims_by(&task, 1, 10, 62).await;
    assert_eq!(claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), [task.step("b")]);
    assert_eq!(claims[0].parents.len(), 1, "and is told what it waited for");
    let done = super::super::fixture::completed(&task, &claims[0], json!({}));
    scene.record_at(done, 63).await;
    assert_eq!(scene.drain(&task, 64).await, 1);
    assert!(scene.task(&task).await.complete);
}

/// Whatever it is named.
pub async fn edge_that_is_there_is_found(scene: Scene) {
    let task = scene.start("a -> b, c").await;
    let Kept::Found(found) = draw(&scene, &task, "a", "b").await.unwrap() else { panic!("it was there") };
    assert_eq!(found.name, "provides");
    let named = NewEdge { name: "precedes".into(), ..NewEdge::provides(task.step("a"), task.step("c")) };
    let Kept::Created(edge) = records(&scene).create_edge(&named, at(7)).await.unwrap() else {
        panic!("it was not there")
    };
    assert_eq!((edge.name.as_str(), edge.created_at), ("precedes", at(7)));
    let Kept::Found(again) = draw(&scene, &task, "a", "c").await.unwrap() else { panic!("it was there") };
    assert_eq!(again, edge);
    assert_eq!(scene.ids(&WorkflowStepEdges::of_tasks([task.id])).await.len(), 2);
    assert_eq!(scene.ids(&WorkflowStepEdges::provides_edges()).await, [found.id]);
    let blank = NewEdge { name: " ".into(), ..named };
    assert_eq!(
        faults(records(&scene).create_edge(&blank, at(7)).await.unwrap_err()),
        [("name", Fault::Blank)]
    );
}

/// From the step that the edge leads to and back to it.
pub async fn edge_that_closes_a_circle_is_refused_with_the_way(scene: Scene) {
    let task = scene.start("a -> b -> c, a -> d").await;
    for (from, to, way) in [("b", "a", vec!["a", "b", "a"]), ("c", "a", vec!["a", "b", "c", "a"])] {
        let refused = draw(&scene, &task, from, to).await.expect_err("it closes a circle");
        let text = refused.to_string();
        assert!(text.starts_with("Adding this edge would create a cycle in the workflow"), "{text}");
        let RecordError::Cycle { path } = refused else { panic!("{from} → {to}: {refused:?}") };
        assert_eq!(path, way);
    }
    assert_eq!(scene.ids(&WorkflowStepEdges::all()).await.len(), 3, "nothing was written");
    draw(&scene, &task, "a", "c").await.expect("a shortcut is no circle");
    draw(&scene, &task, "d", "c").await.expect("nor is another way");
}

/// The shortest circle.
pub async fn edge_from_a_step_to_itself_is_refused(scene: Scene) {
    let task = scene.start("a").await;
    let refused = draw(&scene, &task, "a", "a").await.unwrap_err();
    assert!(matches!(&refused, RecordError::Cycle { path } if *path == ["a", "a"]), "{refused:?}");
}

/// Or from a step that is not there.
pub async fn edge_between_two_tasks_is_refused(scene: Scene) {
    let (one, two) = (scene.start("a").await, scene.start("a").await);
    let edge = NewEdge::provides(one.step("a"), two.step("a"));
    assert_eq!(
        faults(records(&scene).create_edge(&edge, at(0)).await.unwrap_err()),
        [("from_step", Fault::OtherTask)]
    );
    for edge in [NewEdge::provides((-1).into(), two.step("a")), NewEdge::provides(two.step("a"), (-1).into())]
    {
        let refused = records(&scene).create_edge(&edge, at(0)).await.unwrap_err();
        assert!(matches!(refused, RecordError::NotFound { id: -1, .. }), "{refused:?}");
    }
}

/// Nor may it begin at a cancelled step, below which nothing runs.
pub async fn edge_to_a_step_that_has_begun_is_refused(scene: Scene) {
    let task = scene.start("a, runs, done, gone").await;
    scene.claim(&task, "runs").await;
    scene.complete(&task, "done", json!({})).await;
    scene.act_on(&task, "gone", StepCommand::Cancel).await;
    for (from, to, state) in [
        ("a", "runs", "in_progress"),
        ("a", "done", "complete"),
        ("a", "gone", "cancelled"),
        ("gone", "a", "cancelled"),
    ] {
        let refused = draw(&scene, &task, from, to).await.unwrap_err();
        assert!(
            matches!(refused, RecordError::NotNow { what: "workflow step", state: found, .. } if found == state),
            "{from} → {to}: {refused:?}"
        );
    }
    draw(&scene, &task, "done", "a").await.expect("what is done can be waited for");
}

/// There is nothing left to wait.
pub async fn edge_in_a_settled_task_is_refused(scene: Scene) {
    let task = scene.start("a, b").await;
    scene.drain(&task, 0).await;
    let refused = draw(&scene, &task, "a", "b").await.unwrap_err();
    assert!(matches!(refused, RecordError::NotNow { what: "task", state: "complete", .. }), "{refused:?}");
}

/// In any order, one of the two is refused.
pub async fn edges_drawn_at_once_close_no_circle(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a, b").await;
        let one = {
            let (scene, task) = (scene.clone(), task.clone());
            async move { draw(&scene, &task, "a", "b").await.is_ok() }
        };
        let two = {
            let (scene, task) = (scene.clone(), task.clone());
            async move { draw(&scene, &task, "b", "a").await.is_ok() }
        };
        let (one, two) = race(order, one, two).await;
        assert_ne!(one, two, "{order:?}");
        assert_eq!(scene.ids(&WorkflowStepEdges::of_tasks([task.id])).await.len(), 1);
    }
}
