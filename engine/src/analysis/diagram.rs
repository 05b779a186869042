//! A task as a picture, in the reference's shape: values, which are Mermaid text or JSON.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::diagram::escaped;
use crate::{StepId, StepRecord, StepState, TaskRecord};

/// How much of an error is shown.
const SHOWN: usize = 30;

/// A task as nodes and edges: one node for the task and one for each step, ascending; an edge from the task to each step
/// that waits for none, and one from each step to those that wait for it.
///
/// It is JSON as it stands, under the reference's keys. For a picture without these see
/// [`Report::to_mermaid`](crate::Report::to_mermaid).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskDiagram {
    /// What is drawn.
    pub nodes: Vec<DiagramNode>,
    /// What leads from one to another.
    pub edges: Vec<DiagramEdge>,
    /// `TD`: from top to bottom.
    pub direction: &'static str,
    /// What it shows.
    pub title: String,
    /// Always empty.
    pub attributes: Map<String, Value>,
}

/// A node of a [`TaskDiagram`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiagramNode {
    /// `task_1`, `step_1`.
    pub id: String,
    /// Lines of text.
    pub label: String,
    /// `box`.
    pub shape: &'static str,
    /// How it is filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
    /// Where a click leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Always empty.
    pub attributes: Map<String, Value>,
}

/// An edge of a [`TaskDiagram`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiagramEdge {
    /// Where it begins.
    pub source_id: String,
    /// Where it leads to.
    pub target_id: String,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `solid`.
    pub r#type: &'static str,
    /// `forward`.
    pub direction: &'static str,
    /// Always empty.
    pub attributes: Map<String, Value>,
}

impl TaskDiagram {
    /// Draws a task. Edges are called what `edge_name` says of a parent and its child: the name in the row
    /// ([`WorkflowStepEdges`](crate::records::WorkflowStepEdges)), or nothing. With `base_url` a click on a step leads to
    /// the page of it.
    pub fn of(
        task: &TaskRecord,
        edge_name: impl Fn(StepId, StepId) -> Option<String>,
        base_url: Option<&str>,
    ) -> Self {
        let step_id = |step: StepId| format!("step_{step}");
        let mut nodes = vec![task_node(task)];
        let mut edges = vec![];
        for step in &task.steps {
            nodes.push(step_node(task, step, base_url));
            let parents = step.parents.iter().filter(|parent| task.position(**parent).is_some());
            let mut parents: Vec<_> = parents.copied().collect();
            parents.dedup();
            if parents.is_empty() {
                edges.push(edge(nodes[0].id.clone(), step_id(step.id), None));
            }
            for parent in parents {
                edges.push(edge(step_id(parent), step_id(step.id), edge_name(parent, step.id)));
            }
        }
        Self {
            nodes,
            edges,
            direction: "TD",
            title: format!("Task {}: {}", task.id, task.template.name),
            attributes: Map::new(),
        }
    }

    /// The node of that id.
    pub fn find_node(&self, id: &str) -> Option<&DiagramNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The edges that begin at a node.
    pub fn outgoing<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a DiagramEdge> {
        self.edges.iter().filter(move |edge| edge.source_id == id)
    }

    /// The edges that lead to a node.
    pub fn incoming<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a DiagramEdge> {
        self.edges.iter().filter(move |edge| edge.target_id == id)
    }

    /// As Mermaid text. Whatever names hold, it stays text.
    pub fn to_mermaid(&self) -> String {
        let mut text = format!("graph {}\n", self.direction);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "subgraph \"{}\"", escaped(&self.title));
        for node in &self.nodes {
            let lines: Vec<_> = node.label.lines().map(escaped).collect();
            let _ = writeln!(text, "  {}[\"{}\"]", node.id, lines.join("<br/>"));
            if let Some(url) = &node.url {
                let _ = writeln!(text, "  click {} \"{}\"", node.id, escaped(url));
            }
            if let Some(style) = &node.style {
                let _ = writeln!(text, "  style {} {style}", node.id);
            }
        }
        for edge in &self.edges {
            let label = edge.label.as_deref().map(|label| format!("|\"{}\"|", escaped(label)));
            let label = label.unwrap_or_default();
            let _ = writeln!(text, "  {} -->{label} {}", edge.source_id, edge.target_id);
        }
        text.push_str("end\n");
        text
    }
}

fn task_node(task: &TaskRecord) -> DiagramNode {
    DiagramNode {
        id: format!("task_{}", task.id),
        label: format!(
            "Task: {}\nID: {}\nStatus: {}",
            line(&task.template.name),
            task.id,
            task.current.state
        ),
        shape: "box",
        style: None,
        url: None,
        attributes: Map::new(),
    }
}

fn step_node(task: &TaskRecord, step: &StepRecord, base_url: Option<&str>) -> DiagramNode {
    let state = step.current.state;
    let mut label =
        format!("Step: {}\nStatus: {state}\nAttempts: {}", line(step.name.as_str()), step.attempts);
    let error = step.results.get("error").filter(|_| state == StepState::Error);
    if let Some(error) = error.and_then(Value::as_str) {
        let _ = write!(label, "\nError: {}", shortened(&line(error)));
    }
    DiagramNode {
        id: format!("step_{}", step.id),
        label,
        shape: "box",
        style: Some(format!("fill:{};", colour(state))),
        url: base_url.map(|base| {
            format!("{}/tasks/{}/workflow_steps/{}", base.trim_end_matches('/'), task.id, step.id)
        }),
        attributes: Map::new(),
    }
}

const fn colour(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "lightblue",
        StepState::InProgress => "lightgreen",
        StepState::Complete => "green",
        StepState::Error => "red",
        StepState::Cancelled => "gray",
        StepState::ResolvedManually => "khaki",
    }
}

fn edge(source_id: String, target_id: String, label: Option<String>) -> DiagramEdge {
    DiagramEdge { source_id, target_id, label, r#type: "solid", direction: "forward", attributes: Map::new() }
}

/// A text of one line.
fn line(text: &str) -> String {
    text.replace(|letter: char| letter.is_control(), " ")
}

/// What is too long ends in three dots.
fn shortened(text: &str) -> String {
    match text.chars().count() {
        long if long > SHOWN => text.chars().take(SHOWN - 2).chain("...".chars()).collect(),
        _ => text.to_owned(),
    }
}
