//! Chance that depends on what it decides about, and not on who asks or when.

/// Mixes numbers into one of which every bit counts.
pub(crate) fn mixed(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x9e37_79b9_7f4a_7c15, |mixed, number| {
        let mixed = (mixed ^ number).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// Whether it is among so many in a thousand.
pub(crate) fn happens(per_mille: u64, numbers: &[u64]) -> bool {
    mixed(numbers) % 1_000 < per_mille
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_happen_as_are_said() {
        let happened = (0..10_000).filter(|number| happens(250, &[7, *number])).count();
        assert!((2_300..2_700).contains(&happened), "{happened}");
    }
}
