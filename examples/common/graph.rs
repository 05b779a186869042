//! A graph without an engine: what it says is compared with what the engine did.

/// Who waits for whom, by place, without a cycle.
pub(crate) struct Graph {
    parents: Vec<Vec<usize>>,
    /// Every place, parents before children.
    order: Vec<usize>,
}

impl Graph {
    /// Takes for each place those it waits for. `None` when some wait for each other.
    pub(crate) fn new(parents: Vec<Vec<usize>>) -> Option<Self> {
        let mut children = vec![vec![]; parents.len()];
        for (place, of) in parents.iter().enumerate() {
            of.iter().for_each(|parent| children[*parent].push(place));
        }
        let mut waits_for: Vec<usize> = parents.iter().map(Vec::len).collect();
        let mut order: Vec<usize> = (0..parents.len()).filter(|place| waits_for[*place] == 0).collect();
        let mut next = 0;
        while let Some(done) = order.get(next).copied() {
            next += 1;
            for child in &children[done] {
                waits_for[*child] -= 1;
                if waits_for[*child] == 0 {
                    order.push(*child);
                }
            }
        }
        (order.len() == parents.len()).then_some(Self { parents, order })
    }

    /// How many have to come one after another, at most.
    pub(crate) fn levels(&self) -> usize {
        self.longest_path(&vec![1; self.parents.len()]).map_or(0, |(_, path)| path.len())
    }

    /// The chain of the greatest weight, and that weight. `None` when it is more than a `u64` holds.
    pub(crate) fn longest_path(&self, weights: &[u64]) -> Option<(u64, Vec<usize>)> {
        let mut ends = vec![0_u64; weights.len()];
        let mut before = vec![None; weights.len()];
        for place in &self.order {
            before[*place] = heaviest(self.parents[*place].iter().copied(), &ends);
            ends[*place] = weights[*place].checked_add(before[*place].map_or(0, |parent| ends[parent]))?;
        }
        let last = heaviest(0..weights.len(), &ends);
        let mut path: Vec<usize> = std::iter::successors(last, |place| before[*place]).collect();
        path.reverse();
        Some((last.map_or(0, |last| ends[last]), path))
    }
}

/// The first one of those with the greatest end, so that the same graph has the same longest path every time.
fn heaviest(places: impl Iterator<Item = usize>, ends: &[u64]) -> Option<usize> {
    places.reduce(|best, place| if ends[place] > ends[best] { place } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_goes_by_weight_and_the_levels_by_number() {
        let graph = Graph::new(vec![vec![], vec![0], vec![1], vec![], vec![2, 3]]).unwrap();
        assert_eq!(graph.longest_path(&[1, 1, 1, 9, 1]), Some((10, vec![3, 4])));
        assert_eq!(graph.levels(), 4);
        assert_eq!(graph.longest_path(&[u64::MAX, 1, 1, 9, 1]), None, "the sum is too large");
    }

    #[test]
    fn a_cycle_is_no_order() {
        assert!(Graph::new(vec![vec![2], vec![0], vec![1]]).is_none());
        assert_eq!(Graph::new(vec![]).unwrap().longest_path(&[]), Some((0, vec![])));
    }
}
