//! Steps that wait for each other.

use super::{Found, Graph, HandlerId, Text, Tree};

/// Something is wrong with the step at that place.
#[derive(Debug)]
pub struct Problem {
    pub(super) place: usize,
    pub(super) text: Text,
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
