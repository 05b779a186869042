//! The graph of a template as it is told to people and programs: the reference's keys.

use serde::Serialize;

use crate::{BoundTemplate, HandlerName, StepName};

/// Who waits for whom in a template. A bound template has no cycles, so `cycles` is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TemplateGraph {
    /// The steps.
    pub nodes: Vec<GraphNode>,
    /// From each step to those that wait for it.
    pub edges: Vec<GraphEdge>,
    /// The steps, parents before children.
    pub topology: Vec<StepName>,
    /// Always empty.
    pub cycles: Vec<Vec<StepName>>,
    /// For each step the longest way from a root, in the order of the nodes.
    pub levels: Vec<usize>,
    /// The steps that wait for none.
    pub roots: Vec<StepName>,
    /// The steps that none waits for.
    pub leaves: Vec<StepName>,
    /// Counts.
    pub summary: GraphSummary,
}

/// A step of a [`TemplateGraph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GraphNode {
    /// Its name.
    pub name: StepName,
    /// For people; its name when nobody said more.
    pub description: String,
    /// What runs it.
    pub handler_class: HandlerName,
    /// The steps that it waits for.
    pub dependencies: Vec<StepName>,
    /// How many.
    pub dependency_count: usize,
}

/// An edge of a [`TemplateGraph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GraphEdge {
    /// Who is waited for.
    pub from: StepName,
    /// Who waits.
    pub to: StepName,
    /// `single` when it is all that `to` waits for, else `multiple`.
    pub r#type: &'static str,
}

/// Counts of a [`TemplateGraph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GraphSummary {
    /// Steps.
    pub total_steps: usize,
    /// Edges.
    pub total_dependencies: usize,
    /// Always false.
    pub has_cycles: bool,
    /// Steps of the longest chain.
    pub max_depth: usize,
    /// Steps of the widest level.
    pub parallel_branches: usize,
}

impl BoundTemplate {
    /// Who waits for whom.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// # #[step] async fn work() -> StepResult<u64> { Ok(1) }
    /// let builder = Definition::builder("docs", "diamond", "1.0.0").step("a", Work).step("b", Work).after(["a"]);
    /// let definition = builder.step("c", Work).after(["a"]).step("d", Work).after(["b", "c"]).build()?;
    /// let graph = definition.bound().graph();
    /// assert_eq!((&graph.roots[..], &graph.leaves[..]), (&["a".into()][..], &["d".into()][..]));
    /// assert_eq!((graph.levels, graph.summary.parallel_branches), (vec![0, 1, 1, 2], 2));
    /// # Ok::<(), tasker::BuildErrors>(())
    /// ```
    pub fn graph(&self) -> TemplateGraph {
        let name = |place: usize| self.steps()[place].name.clone();
        let (order, levels) = self.order();
        let without = |edges: &[Vec<usize>]| {
            edges
                .iter()
                .enumerate()
                .filter(|(_, list)| list.is_empty())
                .map(|(place, _)| name(place))
                .collect()
        };
        let edges = self.children().iter().enumerate().flat_map(|(from, children)| {
            children.iter().map(move |to| {
                let r#type = if self.parents()[*to].len() == 1 { "single" } else { "multiple" };
                GraphEdge { from: name(from), to: name(*to), r#type }
            })
        });
        let edges: Vec<_> = edges.collect();
        let depth = levels.iter().max().map_or(0, |deepest| deepest + 1);
        let mut widths = vec![0; depth];
        levels.iter().for_each(|level| widths[*level] += 1);
        TemplateGraph {
            nodes: self.steps().iter().map(GraphNode::of).collect(),
            topology: order.into_iter().map(name).collect(),
            cycles: vec![],
            roots: without(self.parents()),
            leaves: without(self.children()),
            summary: GraphSummary {
                total_steps: levels.len(),
                total_dependencies: edges.len(),
                has_cycles: false,
                max_depth: depth,
                parallel_branches: widths.into_iter().max().unwrap_or(0),
            },
            edges,
            levels,
        }
    }

    /// Parents before children, and each step's level.
    fn order(&self) -> (Vec<usize>, Vec<usize>) {
        let mut waits_for: Vec<_> = self.parents().iter().map(Vec::len).collect();
        let mut order: Vec<_> = (0..waits_for.len()).filter(|place| waits_for[*place] == 0).collect();
        let mut levels = vec![0; waits_for.len()];
        let mut next = 0;
        while let Some(done) = order.get(next).copied() {
            next += 1;
            for child in &self.children()[done] {
                levels[*child] = levels[*child].max(levels[done] + 1);
                waits_for[*child] -= 1;
                if waits_for[*child] == 0 {
                    order.push(*child);
                }
            }
        }
        (order, levels)
    }
}

impl GraphNode {
    fn of(step: &crate::StepTemplate) -> Self {
        Self {
            name: step.name.clone(),
            description: step.description.clone().unwrap_or_else(|| step.name.to_string()),
            handler_class: step.handler_class.clone(),
            dependencies: step.depends_on_steps.clone(),
            dependency_count: step.depends_on_steps.len(),
        }
    }
}
