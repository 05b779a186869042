//! The graph of a derived workflow, judged by the compiler.
//!
//! Every handler has a constant id, every argument a constant tree of the ids it takes. The derive lists the steps of a
//! workflow as [`Node`]s and, with the span of each step, panics in a constant if [`Graph::judge`] has something to say.
//! What is judged here is judged again by `build()`; where they could differ, this side stays silent.
//!
//! Constant evaluation is slow, so ids are compared as hashes and found by an index. The panic stands in the emitted
//! constant, lest rustc print a note for each of our frames.

mod cycle;
mod text;
mod tree;

pub use cycle::Problem;
pub use text::Text;
pub use tree::{AllOf, DependencyTree, HandlerId, MaybeOf, OutputOf, Tree, hash};

/// A step of a derived workflow.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Its name.
    pub name: &'static str,
    /// Of the name.
    pub name_hash: u64,
    /// How the derive writes it: the name when it has one of its own, else the handler.
    pub says: &'static str,
    /// What runs it.
    pub handler: HandlerId,
    /// What it takes.
    pub takes: &'static Tree,
    /// The places of the steps that it waits for besides.
    pub after: &'static [usize],
    /// Whether a request may pass over it.
    pub skippable: bool,
}

/// The steps of a derived workflow, with what finds them.
#[derive(Debug)]
pub struct Graph<const N: usize> {
    steps: [Node; N],
    by_handler: Index<N>,
    by_name: Index<N>,
}

/// The places of steps by a hash: chains, ascending. `N` is the end of each.
#[derive(Debug)]
struct Index<const N: usize> {
    first: [usize; N],
    next: [usize; N],
}

impl<const N: usize> Index<N> {
    const EMPTY: Self = Self { first: [N; N], next: [N; N] };

    /// Steps are added from the last to the first.
    const fn add(&mut self, place: usize, hash: u64) {
        let chain = (hash % N as u64) as usize;
        self.next[place] = self.first[chain];
        self.first[chain] = place;
    }

    /// Where to begin to look.
    const fn chain(&self, hash: u64) -> usize {
        self.first[(hash % N as u64) as usize]
    }
}

impl<const N: usize> Graph<N> {
    /// Of these steps.
    pub const fn of(steps: [Node; N]) -> Self {
        let mut graph = Self { steps, by_handler: Index::EMPTY, by_name: Index::EMPTY };
        let mut place = N;
        while place > 0 {
            place -= 1;
            graph.by_handler.add(place, graph.steps[place].handler.hash);
            graph.by_name.add(place, graph.steps[place].name_hash);
        }
        graph
    }

    /// What there is to say about one step, with a cycle if that is reported here.
    pub const fn judge(&self, cycle: &Option<Problem>, place: usize, workflow: &str) -> Option<Text> {
        match cycle {
            Some(problem) if problem.place == place => Some(problem.text),
            _ => self.check_step(place, workflow),
        }
    }

    /// The first thing that is wrong with one step: its name, or what it takes.
    const fn check_step(&self, place: usize, workflow: &str) -> Option<Text> {
        let step = &self.steps[place];
        let mut other = self.by_name.chain(step.name_hash);
        while other < place {
            if self.steps[other].name_hash == step.name_hash {
                let text = Text::new().add("two steps are named `").add(step.name);
                let text = text.add("`; give one another name: `other_name = ").add(step.handler.type_name);
                return Some(text.add("`"));
            }
            other = self.by_name.next[other];
        }
        self.check_tree(place, step.takes, workflow)
    }

    const fn check_tree(&self, place: usize, takes: &Tree, workflow: &str) -> Option<Text> {
        let (steps, step) = (&self.steps, &self.steps[place]);
        match takes {
            Tree::Nothing | Tree::All(_) => None,
            Tree::Both(first, second) => match self.check_tree(place, first, workflow) {
                None => self.check_tree(place, second, workflow),
                found => found,
            },
            Tree::One(handler) => match self.parents(place, handler) {
                Found::None => Some(missing(step, handler, workflow)),
                Found::One(parent) if steps[parent].skippable => Some(skippable(step, &steps[parent])),
                Found::One(_) => None,
                Found::Several(first, second) => ambiguous(step, &steps[first], &steps[second]),
            },
            Tree::Maybe(handler) => match self.parents(place, handler) {
                Found::None | Found::One(_) => None,
                Found::Several(first, second) => ambiguous(step, &steps[first], &steps[second]),
            },
        }
    }

    /// The steps that an input takes: of those named by `after` the ones that the handler runs; when there are none, all
    /// but the step itself.
    const fn parents(&self, place: usize, handler: &HandlerId) -> Found {
        let after = self.steps[place].after;
        let mut found = Found::None;
        let mut at = 0;
        while at < after.len() {
            if self.steps[after[at]].handler.hash == handler.hash {
                found = found.and(after[at]);
            }
            at += 1;
        }
        if !matches!(found, Found::None) {
            return found;
        }
        let mut other = self.by_handler.chain(handler.hash);
        while other < N {
            if other != place && self.steps[other].handler.hash == handler.hash {
                found = found.and(other);
            }
            other = self.by_handler.next[other];
        }
        found
    }
}

enum Found {
    None,
    One(usize),
    Several(usize, usize),
}

impl Found {
    const fn and(self, place: usize) -> Self {
        match self {
            Self::None => Self::One(place),
            Self::One(first) if first != place => Self::Several(first, place),
            found => found,
        }
    }
}

const fn missing(step: &Node, handler: &HandlerId, workflow: &str) -> Text {
    let text = Text::new().add("`").add(step.says);
    if step.handler.hash == handler.hash {
        return text.add("` waits for itself: it takes the output of `").add(handler.type_name).add("`");
    }
    let text =
        text.add("` waits for `").add(handler.type_name).add("`, which is not a step of `").add(workflow);
    text.add("`; add it: `steps(").add(handler.type_name).add(", …)`")
}

const fn skippable(step: &Node, parent: &Node) -> Text {
    let text = Text::new().add("`").add(step.says).add("` takes the output of `").add(parent.says);
    let text = text.add("`, which may be skipped; take `Option<Output<").add(parent.handler.type_name);
    text.add(">>` instead")
}

const fn ambiguous(step: &Node, first: &Node, second: &Node) -> Option<Text> {
    if first.handler.generic {
        return None;
    }
    let handler = first.handler.type_name;
    let text = Text::new()
        .add("`")
        .add(step.says)
        .add("` takes the output of `")
        .add(handler)
        .add("`, which runs `");
    let text = text.add(first.name).add("` and `").add(second.name).add("`; say which: `").add(step.says);
    let text = text.add(" after(").add(first.says).add(")`, or take `Outputs<").add(handler);
    Some(text.add(">`"))
}

#[cfg(test)]
mod tests;
