//! Chance that is the same in every run: a hash decides.

/// Decides by a seed what goes wrong.
#[derive(Clone, Copy)]
pub(crate) struct Chance {
    seed: u64,
    /// Nothing goes wrong.
    kind: bool,
}

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, kind: false }
    }

    /// Lets nothing go wrong, if it is to be kind.
    pub(crate) const fn kind(self, kind: bool) -> Self {
        Self { kind, ..self }
    }

    /// Whether that attempt of a step of an order is among so many in a hundred.
    pub(crate) fn happens(self, percent: u64, order: &str, step: &str, attempt: u32) -> bool {
        !self.kind && self.hash(&[order.as_bytes(), step.as_bytes(), &attempt.to_le_bytes()]) % 100 < percent
    }

    /// A number for what a step of an order makes, whatever the attempt.
    pub(crate) fn number(self, order: &str, step: &str) -> u64 {
        self.hash(&[order.as_bytes(), step.as_bytes()]) % 1_000_000_000
    }

    /// FNV-1a over the parts, each with its length, then mixed so that every bit counts.
    fn hash(self, parts: &[&[u8]]) -> u64 {
        let lengths_and_parts = parts.iter().flat_map(|part| {
            let length = (part.len() as u64).to_le_bytes();
            length.into_iter().chain(part.iter().copied())
        });
        let bytes = self.seed.to_le_bytes().into_iter().chain(lengths_and_parts);
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^ (hash >> 33)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_happen_as_are_said_and_the_same_every_time() {
        let happened = |seed: u64| {
            let chance = Chance::new(seed);
            (0..10_000_u32)
                .filter(|order| chance.happens(25, &order.to_string(), "charge", 1))
                .collect::<Vec<_>>()
        };
        assert!((2_300..2_700).contains(&happened(1).len()), "{}", happened(1).len());
        assert_eq!(happened(1), happened(1));
        assert_ne!(happened(1), happened(2));
        assert!((0..10_000_u32).all(|order| !Chance::new(1).kind(true).happens(
            25,
            &order.to_string(),
            "charge",
            1
        )));
        assert_ne!(Chance::new(1).number("W-1", "charge"), Chance::new(1).number("W-1", "ship"));
    }
}
