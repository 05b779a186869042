//! What handlers are, and what they take, as constants.

use std::marker::PhantomData;

use crate::face::step::Declared;

/// What tells handlers apart while compiling.
#[derive(Clone, Copy, Debug)]
pub struct HandlerId {
    pub(super) type_name: &'static str,
    pub(super) hash: u64,
    /// Several types may share the id, so that nothing can be said of how many there are.
    pub(super) generic: bool,
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
