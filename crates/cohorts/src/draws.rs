//! Draws that are named by a seed and a purpose, so that the same forming draws the same (`SplitMix64`, Steele, Lea & Flood 2014).

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    /// The stream of `seed` for `purpose`.
    pub(crate) fn of(seed: u64, purpose: u64) -> Self {
        let mut draws = Self(seed ^ purpose.wrapping_mul(GOLDEN));
        draws.next();
        draws
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A place among weights that are not negative, each as likely as it weighs; `None` if all weigh nothing.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> Option<usize> {
        let all: f64 = weights.iter().sum();
        if all <= 0.0 || !all.is_finite() {
            return None;
        }
        let mut left = self.unit() * all;
        let mut last = None;
        for (place, weight) in weights.iter().enumerate() {
            if *weight <= 0.0 {
                continue;
            }
            last = Some(place);
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "equal to the bit")]
mod tests {
    use super::*;

    #[test]
    fn weights_that_are_zero_are_never_drawn_and_draws_repeat() {
        let mut draws = Draws::of(5, 1);
        let places: Vec<_> = (0..200)
            .filter_map(|_| draws.weighted(&[0.0, 1.0, 0.0, 3.0, 0.0]))
            .collect();
        assert!(places.iter().all(|place| [1, 3].contains(place)));
        let threes = places.iter().filter(|place| **place == 3).count();
        assert!((120..=175).contains(&threes), "{threes}");
        assert_eq!(Draws::of(5, 1).unit(), Draws::of(5, 1).unit());
        assert_ne!(Draws::of(5, 1).unit(), Draws::of(5, 2).unit());
        assert_eq!(draws.weighted(&[0.0, 0.0]), None);
    }
}
