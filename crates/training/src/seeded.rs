//! Numbers that look random and follow from a seed.

/// A stream of numbers from a seed: `SplitMix64` (Steele, Lea and Flood 2014). Enough for folds and bootstraps, and the same on
/// every machine for ever.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    /// The stream of `seed` for one `purpose`, so that two uses of a seed do not follow each other's numbers.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(mixed(
            seed ^ mixed(purpose.wrapping_add(0x9E37_79B9_7F4A_7C15)),
        ))
    }

    /// The next number, any of 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// The next number below `limit`, which is at least 1.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        // The high half of the product: no division, and a bias below 2^-32 for any number of rows that fits in memory.
        let limit = limit as u128;
        usize::try_from((u128::from(self.next()) * limit) >> 64).unwrap_or(0)
    }
}

/// `value` with its bits mixed: near values become unlike each other.
pub(crate) fn mixed(value: u64) -> u64 {
    let mut z = value;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_limit_fall_everywhere_alike() {
        let mut seeded = Seeded::new(1, 2);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[seeded.below(7)] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_500..10_500).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_purpose_others() {
        let take = |seed, purpose| {
            let mut seeded = Seeded::new(seed, purpose);
            [seeded.next(), seeded.next()]
        };
        assert_eq!(take(1, 2), take(1, 2));
        assert_ne!(take(1, 2), take(1, 3));
        assert_ne!(take(1, 2), take(2, 2));
    }
}
