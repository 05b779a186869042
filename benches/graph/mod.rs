//! The graphs that the benches run, whatever they run on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tasker::StepName;
use tasker::prelude::*;

/// For each node the nodes it waits for, all of them before it.
pub(crate) struct Graph {
    pub(crate) parents: Vec<Vec<usize>>,
}

impl Graph {
    pub(crate) fn linear(length: usize) -> Self {
        Self { parents: (0..length).map(|node| node.checked_sub(1).into_iter().collect()).collect() }
    }

    pub(crate) fn diamond() -> Self {
        Self { parents: vec![vec![], vec![0], vec![0], vec![1, 2]] }
    }

    pub(crate) fn fan_out(width: usize) -> Self {
        let middle = (0..width).map(|_| vec![0]);
        Self { parents: [vec![]].into_iter().chain(middle).chain([(1..=width).collect()]).collect() }
    }

    /// That many roots, and one that waits for them all.
    pub(crate) fn fan_in(width: usize) -> Self {
        let roots = (0..width).map(|_| vec![]);
        Self { parents: roots.chain([(0..width).collect()]).collect() }
    }

    /// A binary tree, root first.
    pub(crate) fn tree(levels: u32) -> Self {
        let nodes = (1 << levels) - 1;
        Self {
            parents: (0..nodes)
                .map(|node: usize| node.checked_sub(1).map(|place| place / 2).into_iter().collect())
                .collect(),
        }
    }

    /// Layers of equal width; each node waits for up to three of the layer above.
    pub(crate) fn layered(nodes: usize, width: usize, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let parents = (0..nodes).map(|node| {
            let layer = node / width;
            let above = layer.checked_sub(1).map(|layer| layer * width);
            let mut parents: Vec<_> =
                above.into_iter().flat_map(|first| (0..3).map(move |_| first)).collect();
            parents.iter_mut().for_each(|parent| *parent += random.usize(..width));
            parents.sort_unstable();
            parents.dedup();
            parents
        });
        Self { parents: parents.collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.parents.len()
    }

    /// A definition whose steps do nothing but count that they ran.
    pub(crate) fn definition(&self, ran: &Arc<AtomicUsize>) -> Definition {
        let name = |node: usize| StepName::from(format!("step_{node}"));
        let mut builder = Definition::builder("bench", "graph", "1.0.0");
        for (node, parents) in self.parents.iter().enumerate() {
            let ran = Arc::clone(ran);
            let step = handler_fn(move |_: Call| {
                ran.fetch_add(1, Ordering::Relaxed);
                async { Ok(json!(1)) }
            });
            builder = builder.step(name(node), step).after(parents.iter().map(|parent| name(*parent)));
        }
        builder.build().expect("a graph of the bench is a DAG")
    }
}
