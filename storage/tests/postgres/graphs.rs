//! The view of steps and their edges, and the levels of dependencies.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tasker_engine::StepId;

use crate::fixture::{Fixture, Started, bound};
use crate::raw::only;

const VIEW: &str = "tasker_step_dag_relationships";

async fn view(fixture: &Fixture, condition: &str) -> Vec<Value> {
    fixture.rows(format!("SELECT * FROM {VIEW} WHERE {condition} ORDER BY workflow_step_id")).await
}

/// The depths of a task's steps, in the order of the template.
async fn depths(fixture: &Fixture, task: &Started) -> Vec<Option<i64>> {
    let rows = view(fixture, &format!("task_id = {}", task.id)).await;
    let depth = |step: &StepId| {
        let row =
            rows.iter().find(|row| row["workflow_step_id"] == json!(step)).expect("every step has a row");
        row["min_depth_from_root"].as_i64()
    };
    task.steps.iter().map(depth).collect()
}

/// The levels of steps by name, in the order in which they are told.
async fn levels(fixture: &Fixture, task: &Started) -> Result<Vec<(String, i64)>, String> {
    let query = format!("SELECT * FROM calculate_dependency_levels({})", task.id);
    let rows = fixture.try_rows(query).await.map_err(|error| match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => panic!("{other}"),
    })?;
    let told = rows.iter().map(|row| {
        let place = task.steps.iter().position(|step| row["workflow_step_id"] == json!(step));
        let name = &task.definition.steps()[place.expect("a step of the task")].name;
        (name.as_str().to_owned(), row["dependency_level"].as_i64().expect("never null"))
    });
    Ok(told.collect())
}

fn pairs(expected: &[(&str, i64)]) -> Result<Vec<(String, i64)>, String> {
    Ok(expected.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect())
}

/// Diamonds in a row: each doubles the number of paths.
fn diamonds(number: usize) -> String {
    (0..number).fold("t0".to_owned(), |mut graph, n| {
        let next = n + 1;
        write!(graph, ", t{n} -> l{n} -> t{next}, t{n} -> r{n} -> t{next}").expect("a text");
        graph
    })
}

#[tokio::test]
async fn the_view_has_the_columns_of_the_reference() {
    let fixture = Fixture::new().await;
    let columns = fixture
        .rows(format!(
            "SELECT column_name AS name, data_type AS type FROM information_schema.columns
             WHERE table_name = '{VIEW}' ORDER BY ordinal_position"
        ))
        .await;
    let found: Vec<_> =
        columns.iter().map(|row| (row["name"].as_str().unwrap(), row["type"].as_str().unwrap())).collect();
    assert_eq!(
        found,
        [
            ("workflow_step_id", "bigint"),
            ("task_id", "bigint"),
            ("named_step_id", "integer"),
            ("parent_step_ids", "jsonb"),
            ("child_step_ids", "jsonb"),
            ("parent_count", "bigint"),
            ("child_count", "bigint"),
            ("is_root_step", "boolean"),
            ("is_leaf_step", "boolean"),
            ("min_depth_from_root", "integer"),
        ]
    );
}

#[tokio::test]
async fn both_ends_of_the_edges_of_each_step_are_told() {
    let fixture = Fixture::new().await;
    fixture.start("other").await;
    let task = fixture.start("a -> c, b -> c, c -> d, a -> d, lone").await;
    let [a, b, c, d, lone] = ["a", "b", "c", "d", "lone"].map(|name| task.step(name));
    let row = |step, parents: &[StepId], children: &[StepId], depth: i64| {
        json!({
            "workflow_step_id": step, "task_id": task.id,
            "parent_step_ids": parents, "child_step_ids": children,
            "parent_count": parents.len(), "child_count": children.len(),
            "is_root_step": parents.is_empty(), "is_leaf_step": children.is_empty(),
            "min_depth_from_root": depth,
        })
    };
    let mut expected = vec![
        row(a, &[], &[c, d], 0),
        row(b, &[], &[c], 0),
        row(c, &[a, b], &[d], 1),
        row(d, &[a, c], &[], 1),
        row(lone, &[], &[], 0),
    ];
    expected.sort_by_key(|row| row["workflow_step_id"].as_i64());
    let sorted = |value: &Value| {
        let mut ids: Vec<i64> = value.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        ids.sort_unstable();
        json!(ids)
    };
    for row in &mut expected {
        row["parent_step_ids"] = sorted(&row["parent_step_ids"]);
        row["child_step_ids"] = sorted(&row["child_step_ids"]);
    }
    let mut found = view(&fixture, &format!("task_id = {}", task.id)).await;
    let named = found.iter().map(|row| row["named_step_id"].as_i64().unwrap());
    assert_eq!(
        json!(named.collect::<Vec<_>>()),
        json!(
            fixture
                .column(
                    "named_step_id",
                    format!(
                        "SELECT named_step_id FROM tasker_workflow_steps WHERE task_id = {}
                         ORDER BY workflow_step_id",
                        task.id
                    )
                )
                .await
        )
    );
    for row in &mut found {
        row.as_object_mut().unwrap().remove("named_step_id");
    }
    assert_eq!(found, expected);

    let same = |condition: String| {
        let fixture = &fixture;
        async move { view(fixture, &condition).await.iter().map(|row| row["workflow_step_id"].clone()).collect() }
    };
    let of_one: Vec<Value> = same(format!("workflow_step_id = {c}")).await;
    assert_eq!(of_one, [json!(c)]);
    let of_none: Vec<Value> = same(format!("task_id = {} AND workflow_step_id = {c}", task.id.0 - 1)).await;
    assert_eq!(of_none, Vec::<Value>::new());
    let all: Vec<Value> = same("true".into()).await;
    assert_eq!(all.len(), 6);
}

#[tokio::test]
async fn an_edge_that_stands_twice_is_told_twice() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let (a, b) = (task.step("a"), task.step("b"));
    fixture.sql("DROP INDEX index_workflow_step_edges_on_from_step_id_and_to_step_id").await;
    fixture.edge(a, b).await;
    let told = view(&fixture, &format!("workflow_step_id = {b}")).await.remove(0);
    let keys = ["parent_step_ids", "parent_count", "min_depth_from_root"];
    let expected = json!({ "parent_step_ids": [a, a], "parent_count": 2, "min_depth_from_root": 1 });
    assert_eq!(only(&told, &keys), expected);
    assert_eq!(levels(&fixture, &task).await, pairs(&[("a", 0), ("b", 1)]));
}

/// The shortest way from a root in the view, the longest in the levels.
#[tokio::test]
async fn depth_is_the_shortest_way_and_level_the_longest() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b -> c -> d, a -> d, e -> c").await;
    let by_name = |names: [&str; 5]| names.map(|name| task.step(name));
    let steps = by_name(["a", "b", "c", "d", "e"]);
    let depths = depths(&fixture, &task).await;
    let depth = |step| depths[task.steps.iter().position(|other| *other == step).unwrap()];
    assert_eq!(steps.map(depth), [Some(0), Some(1), Some(1), Some(1), Some(0)]);
    let told = levels(&fixture, &task).await;
    assert_eq!(told, pairs(&[("a", 0), ("e", 0), ("b", 1), ("c", 2), ("d", 3)]));
}

/// The reference stops at fifty.
#[tokio::test]
async fn the_depth_of_a_long_chain_is_told_to_its_end() {
    let fixture = Fixture::new().await;
    let chain: Vec<_> = (0..61).map(|number| format!("s{number}")).collect();
    let task = fixture.start(&chain.join(" -> ")).await;
    let expected: Vec<_> = (0..61).map(Some).collect();
    assert_eq!(depths(&fixture, &task).await, expected);
    let told = levels(&fixture, &task).await.unwrap();
    assert_eq!(told.last().unwrap().1, 60);
}

/// Whoever lists paths lists a million of them.
#[tokio::test]
async fn twenty_diamonds_in_a_row_are_answered_at_once() {
    let fixture = Fixture::new().await;
    let task = fixture.start(&diamonds(20)).await;
    let depths = depths(&fixture, &task).await;
    assert_eq!(depths.len(), 61);
    assert_eq!(depths.iter().max(), Some(&Some(40)));
    let told = levels(&fixture, &task).await.unwrap();
    assert_eq!((told.len(), told.last().unwrap()), (61, &("t20".to_owned(), 40)));
}

#[tokio::test]
async fn a_step_that_no_root_leads_to_has_no_depth() {
    let fixture = Fixture::new().await;
    let task = fixture.start("root -> a -> b, c -> d").await;
    let step = |name| task.step(name);
    // A circle that hangs on a root, and one that does not.
    fixture.edge(step("b"), step("a")).await;
    fixture.edge(step("d"), step("c")).await;
    let depths = depths(&fixture, &task).await;
    let depth = |name| depths[task.steps.iter().position(|other| *other == step(name)).unwrap()];
    let names = ["root", "a", "b", "c", "d"];
    assert_eq!(names.map(depth), [Some(0), Some(1), Some(2), None, None]);
    let told = view(&fixture, &format!("workflow_step_id = {}", step("c"))).await.remove(0);
    assert_eq!((told["is_root_step"].clone(), told["parent_count"].clone()), (json!(false), json!(1)));
}

#[tokio::test]
async fn depth_follows_edges_from_other_tasks_and_level_does_not() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.start("x -> y").await, fixture.start("a -> b, c -> d").await);
    // `a` waits for a step of the other task only, and `d` for one of each.
    fixture.edge(one.step("y"), other.step("a")).await;
    fixture.edge(one.step("x"), other.step("d")).await;
    let at = |name: &str| other.steps.iter().position(|step| *step == other.step(name)).unwrap();
    let told = depths(&fixture, &other).await;
    assert_eq!(["a", "b", "c", "d"].map(|name| told[at(name)]), [Some(2), Some(3), Some(0), Some(1)]);
    assert_eq!(depths(&fixture, &one).await, [Some(0), Some(1)]);
    let row = view(&fixture, &format!("workflow_step_id = {}", other.step("a"))).await.remove(0);
    assert_eq!((row["is_root_step"].clone(), row["parent_count"].clone()), (json!(false), json!(1)));
    assert_eq!(levels(&fixture, &other).await, pairs(&[("c", 0), ("d", 1)]));
    assert_eq!(levels(&fixture, &one).await, pairs(&[("x", 0), ("y", 1)]));
}

#[tokio::test]
async fn a_cycle_is_an_error_that_names_it_wherever_it_stands() {
    for (graph, back, expected) in [
        ("a -> b -> c, a -> d", ("c", "b"), "b → c → b"),
        ("a -> b -> c", ("c", "a"), "a → b → c → a"),
        ("a -> b -> c -> d, e", ("d", "b"), "b → c → d → b"),
        // Told from its first step, though it is met by what hangs behind it.
        ("z, p -> q -> r, r -> s", ("r", "p"), "p → q → r → p"),
    ] {
        let fixture = Fixture::new().await;
        let task = fixture.start(graph).await;
        fixture.edge(task.step(back.0), task.step(back.1)).await;
        let told = levels(&fixture, &task).await;
        assert_eq!(told, Err(format!("cycle in task {}: {expected}", task.id)), "{graph}");
    }
}

/// The step that comes first by number need not stand on the cycle.
#[tokio::test]
async fn a_cycle_is_found_from_a_step_behind_it() {
    let fixture = Fixture::new().await;
    let task = fixture.start("tail, a -> b -> c").await;
    let first = *task.steps.iter().min().unwrap();
    assert_eq!(first, task.step("tail"));
    fixture.edge(task.step("c"), task.step("a")).await;
    fixture.edge(task.step("b"), task.step("tail")).await;
    let told = levels(&fixture, &task).await;
    assert_eq!(told, Err(format!("cycle in task {}: a → b → c → a", task.id)));
}

#[tokio::test]
async fn there_are_no_levels_of_a_task_that_is_not_there_nor_of_one_without_steps() {
    let fixture = Fixture::new().await;
    let empty = fixture.start_with(bound("")).await;
    for task in [empty.id.to_string(), "-1".into(), "NULL".into()] {
        let query = format!("SELECT * FROM calculate_dependency_levels({task})");
        assert_eq!(fixture.rows(query).await, Vec::<Value>::new(), "{task}");
        assert_eq!(view(&fixture, &format!("task_id = {task}")).await, Vec::<Value>::new(), "{task}");
    }
}
