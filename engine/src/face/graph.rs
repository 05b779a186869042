//! The graph of a derived workflow, judged by the compiler.
//!
//! Every handler has a constant id, every argument a constant tree of the ids it takes. The derive lists the steps of a
//! workflow as [`Node`]s and, with the span of each step, panics in a constant if [`Graph::judge`] has something to say.
//! What is judged here is judged again by `build()`; where they could differ, this side stays silent.
//!
//! Constant evaluation is slow, so ids are compared as hashes and found by an index. The panic stands in the emitted
//! constant, lest rustc print a note for each of our frames.

use std::marker::PhantomData;

use super::step::Declared;

/// What tells handlers apart while compiling.
#[derive(Clone, Copy, Debug)]
pub struct HandlerId {
    type_name: &'static str,
    hash: u64,
    /// Several types may share the id, so that nothing can be said of how many there are.
    generic: bool,
}

impl HandlerId {
    /// Of the type of that name at that place.
    pub const fn new(module: &str, type_name: &'static str, line: u32, column: u32, generic: bool) -> Self {
        let place = ((line as u64) << 32) | column as u64;
        let hash = hash(type_name, hash(module, place));
        Self { type_name, hash, generic }
    }
}

/// FNV-1a of a text, from a start.
pub const fn hash(text: &str, start: u64) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = start ^ 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Takes the output of the step that `P` runs.
#[derive(Debug)]
pub struct OutputOf<P>(PhantomData<fn() -> P>);

/// Takes the output of the step that `P` runs, if there is one.
#[derive(Debug)]
pub struct MaybeOf<P>(PhantomData<fn() -> P>);

/// Takes the outputs of all steps that `P` runs.
#[derive(Debug)]
pub struct AllOf<P>(PhantomData<fn() -> P>);

/// Which steps' outputs something takes: `()`, [`OutputOf`], [`MaybeOf`], [`AllOf`], or a pair of such.
pub trait DependencyTree {
    /// The same as a value.
    const TREE: Tree;
}

/// See [`DependencyTree`].
#[derive(Clone, Copy, Debug)]
pub enum Tree {
    /// Of none.
    Nothing,
    /// Of exactly one step that this handler runs.
    One(HandlerId),
    /// Of at most one.
    Maybe(HandlerId),
    /// Of all.
    All(HandlerId),
    /// Both.
    Both(&'static Tree, &'static Tree),
}

impl DependencyTree for () {
    const TREE: Tree = Tree::Nothing;
}
impl<P: Declared> DependencyTree for OutputOf<P> {
    const TREE: Tree = Tree::One(P::ID);
}
impl<P: Declared> DependencyTree for MaybeOf<P> {
    const TREE: Tree = Tree::Maybe(P::ID);
}
impl<P: Declared> DependencyTree for AllOf<P> {
    const TREE: Tree = Tree::All(P::ID);
}
impl<A: DependencyTree, B: DependencyTree> DependencyTree for (A, B) {
    const TREE: Tree = Tree::Both(&A::TREE, &B::TREE);
}

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

/// Something is wrong with the step at that place.
#[derive(Debug)]
pub struct Problem {
    place: usize,
    text: Text,
}

impl<const N: usize> Graph<N> {
    /// Steps that wait for each other, reported at one of them.
    pub const fn find_cycle(&self) -> Option<Problem> {
        let mut search = Search { graph: self, seen: [Seen::Never; N], path: [0; N], told: [0; N] };
        let mut place = 0;
        while place < N {
            if let Some(problem) = search.from(place) {
                return Some(problem);
            }
            place += 1;
        }
        None
    }

    /// The parents of a step, one by one: those named by `after`, then those whose output it takes.
    const fn nth_parent(&self, place: usize, n: usize) -> Option<usize> {
        let step = &self.steps[place];
        if n < step.after.len() {
            return Some(step.after[n]);
        }
        let mut left = n - step.after.len();
        self.nth_in(place, step.takes, &mut left)
    }

    const fn nth_in(&self, place: usize, takes: &Tree, left: &mut usize) -> Option<usize> {
        match takes {
            Tree::Nothing => None,
            Tree::Both(first, second) => match self.nth_in(place, first, left) {
                None => self.nth_in(place, second, left),
                found => found,
            },
            // A number that is wrong is reported where it is checked.
            Tree::One(handler) | Tree::Maybe(handler) => match self.parents(place, handler) {
                Found::One(parent) => take_nth(parent, left),
                Found::None | Found::Several(..) => None,
            },
            Tree::All(handler) => self.nth_of_all(place, handler, left),
        }
    }

    const fn nth_of_all(&self, place: usize, handler: &HandlerId, left: &mut usize) -> Option<usize> {
        // Where `after` names any of them, it names all that are meant.
        let after = self.steps[place].after;
        let mut at = 0;
        while at < after.len() {
            if self.steps[after[at]].handler.hash == handler.hash {
                return None;
            }
            at += 1;
        }
        let mut other = if handler.generic { N } else { self.by_handler.chain(handler.hash) };
        while other < N {
            if other != place
                && self.steps[other].handler.hash == handler.hash
                && let Some(parent) = take_nth(other, left)
            {
                return Some(parent);
            }
            other = self.by_handler.next[other];
        }
        None
    }
}

const fn take_nth(parent: usize, left: &mut usize) -> Option<usize> {
    if *left == 0 {
        return Some(parent);
    }
    *left -= 1;
    None
}

#[derive(Clone, Copy)]
enum Seen {
    Never,
    OnThePath,
    Done,
}

/// A walk from steps to their parents. No recursion: constant evaluation has 128 frames.
struct Search<'a, const N: usize> {
    graph: &'a Graph<N>,
    seen: [Seen; N],
    path: [usize; N],
    /// How many parents of each step on the path were looked at.
    told: [usize; N],
}

impl<const N: usize> Search<'_, N> {
    const fn from(&mut self, place: usize) -> Option<Problem> {
        if !matches!(self.seen[place], Seen::Never) {
            return None;
        }
        let mut depth = 0;
        self.enter(place, depth);
        loop {
            let Some(parent) = self.graph.nth_parent(self.path[depth], self.told[depth]) else {
                self.seen[self.path[depth]] = Seen::Done;
                if depth == 0 {
                    return None;
                }
                depth -= 1;
                continue;
            };
            self.told[depth] += 1;
            match self.seen[parent] {
                Seen::Done => {}
                Seen::OnThePath => return Some(self.cycle(parent, depth)),
                Seen::Never => {
                    depth += 1;
                    self.enter(parent, depth);
                }
            }
        }
    }

    const fn enter(&mut self, place: usize, depth: usize) {
        self.seen[place] = Seen::OnThePath;
        self.path[depth] = place;
        self.told[depth] = 0;
    }

    /// Told in the direction of the work: from a step to those that wait for it.
    const fn cycle(&self, place: usize, depth: usize) -> Problem {
        let steps = &self.graph.steps;
        let mut text = Text::new().add("steps wait for each other: `").add(steps[place].says);
        let mut at = depth + 1;
        while at > 0 {
            at -= 1;
            text = text.add("` → `").add(steps[self.path[at]].says);
            if self.path[at] == place {
                break;
            }
        }
        Problem { place, text: text.add("`") }
    }
}

const ROOM: usize = 512;

/// A text that is put together while compiling; what does not fit is cut off.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    bytes: [u8; ROOM],
    length: usize,
}

impl Text {
    const fn new() -> Self {
        Self { bytes: [0; ROOM], length: 0 }
    }

    const fn add(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() && self.length < ROOM {
            self.bytes[self.length] = text[at];
            self.length += 1;
            at += 1;
        }
        self
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        let written = self.bytes.split_at(self.length).0;
        match std::str::from_utf8(written) {
            Ok(text) => text,
            Err(cut) => match std::str::from_utf8(written.split_at(cut.valid_up_to()).0) {
                Ok(text) => text,
                Err(_) => "the workflow is not valid",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: HandlerId = HandlerId::new("shop", "A", 1, 1, false);
    const B: HandlerId = HandlerId::new("shop", "B", 2, 1, false);

    const fn node(name: &'static str, handler: HandlerId, takes: &'static Tree) -> Node {
        Node { name, name_hash: hash(name, 0), says: name, handler, takes, after: &[], skippable: false }
    }

    /// What is said of the last step.
    fn said<const N: usize>(steps: [Node; N]) -> Option<String> {
        let graph = Graph::of(steps);
        for place in 0..N - 1 {
            assert!(graph.check_step(place, "Checkout").is_none());
        }
        graph.check_step(N - 1, "Checkout").map(|text| text.as_str().to_owned())
    }

    fn cycle<const N: usize>(steps: [Node; N]) -> Option<(usize, String)> {
        let problem = Graph::of(steps).find_cycle()?;
        Some((problem.place, problem.text.as_str().to_owned()))
    }

    #[test]
    fn a_missing_parent_is_named_with_its_waiter() {
        let text = "`b` waits for `A`, which is not a step of `Checkout`; add it: `steps(A, …)`";
        assert_eq!(said([node("b", B, &Tree::One(A))]).unwrap(), text);
        let text = "`a` waits for itself: it takes the output of `A`";
        assert_eq!(said([node("a", A, &Tree::One(A))]).unwrap(), text);
    }

    #[test]
    fn a_doubled_name_is_reported_at_the_second() {
        let text = "two steps are named `a`; give one another name: `other_name = A`";
        assert_eq!(said([node("a", A, &Tree::Nothing), node("a", A, &Tree::Nothing)]).unwrap(), text);
    }

    #[test]
    fn two_producers_are_ambiguous_unless_one_is_named() {
        let twice = |after| {
            let (first, second) = (node("a1", A, &Tree::Nothing), node("a2", A, &Tree::Nothing));
            [first, second, Node { after, ..node("b", B, &Tree::One(A)) }]
        };
        let text = "`b` takes the output of `A`, which runs `a1` and `a2`; say which: `b after(a1)`, or take `Outputs<A>`";
        assert_eq!(said(twice(&[])).unwrap(), text);
        assert_eq!(said(twice(&[1])), None);
        assert!(said(twice(&[0, 1])).is_some());
    }

    #[test]
    fn a_parent_that_may_be_skipped_has_to_be_taken_as_an_option() {
        let steps = |takes| [Node { skippable: true, ..node("a", A, &Tree::Nothing) }, node("b", B, takes)];
        let text = "`b` takes the output of `a`, which may be skipped; take `Option<Output<A>>` instead";
        assert_eq!(said(steps(&Tree::One(A))).unwrap(), text);
        assert_eq!(said(steps(&Tree::Maybe(A))), None);
    }

    #[test]
    fn a_cycle_is_told_in_the_direction_of_the_work() {
        for takes in [&Tree::One(B), &Tree::Maybe(B), &Tree::All(B)] {
            let (place, text) = cycle([node("a", A, takes), node("b", B, &Tree::One(A))]).expect("a cycle");
            assert_eq!((place, text.as_str()), (0, "steps wait for each other: `a` → `b` → `a`"));
        }
        let itself = [node("a", A, &Tree::Nothing), Node { after: &[1], ..node("b", B, &Tree::One(A)) }];
        assert_eq!(cycle(itself).expect("a cycle").0, 1);
        assert_eq!(cycle([node("a", A, &Tree::Nothing), node("b", B, &Tree::All(A))]), None);
    }

    const LONG: usize = 300;
    const PLACES: &[usize; LONG] = &{
        let mut places = [0; LONG];
        let mut place = 0;
        while place < LONG {
            places[place] = place;
            place += 1;
        }
        places
    };
    /// Each waits for the next: the deepest walk there is, while compiling.
    const CHAIN: Option<Problem> = {
        let mut steps = [node("a", A, &Tree::Nothing); LONG];
        let mut place = 0;
        while place + 1 < LONG {
            steps[place].after = PLACES.split_at(place + 1).1.split_at(1).0;
            place += 1;
        }
        Graph::of(steps).find_cycle()
    };

    #[test]
    fn a_long_chain_is_walked_within_the_frames_of_the_compiler() {
        assert!(CHAIN.is_none());
    }

    #[test]
    fn no_step_at_all_is_no_problem() {
        assert_eq!(cycle([]), None);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut text = Text::new().add("x");
        for _ in 0..200 {
            text = text.add("→");
        }
        assert_eq!(text.as_str().chars().count(), 1 + (ROOM - 1) / 3);
    }
}
