//! Chance, as a function of what it is for.
//!
//! Every draw comes from a stream that is named by the seed, the shopper, the visit and the purpose. So a visit can be
//! played again, or played otherwise, with the same luck: that is what makes the effect of an offer known exactly.

/// What a stream of draws is for. Two purposes never share luck.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Product = 1,
    Period,
    PriceLevel,
    Promotion,
    Traits,
    Device,
    Gap,
    Arrive,
    Browse,
    Cart,
    Basket,
    Hesitate,
    Buy,
    Settle,
    LandingClick,
    CartClick,
    Recover,
    Refund,
    Wait,
    Eye,
    EyedProduct,
    Wishes,
    Tidy,
    Content,
    Similar,
    Store,
}

/// A stream of draws: `SplitMix64` (Steele, Lea and Flood 2014), equal on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

impl Draws {
    /// The stream for `purpose` of what `names` name, such as a shopper and a visit.
    pub(crate) fn of(seed: u64, purpose: Purpose, names: [u64; 2]) -> Self {
        let mut state = mixed(seed.wrapping_add(GOLDEN));
        for name in [purpose as u64, names[0], names[1]] {
            state = mixed(state.wrapping_add(GOLDEN) ^ name.wrapping_mul(GOLDEN));
        }
        Self(state)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mixed(self.0)
    }

    /// Evenly from 0 up to, not with, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Evenly from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u128::from(high.abs_diff(low)) + 1;
        let step = (u128::from(self.bits()) * span) >> 64;
        low + i64::try_from(step).unwrap_or(0)
    }

    /// Evenly one of the numbers below `count`; 0 if there are none.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let last = i64::try_from(count).unwrap_or(i64::MAX).max(1) - 1;
        usize::try_from(self.between(0, last)).unwrap_or(0)
    }

    /// An exponential waiting time of this mean.
    pub(crate) fn wait(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// One of `choices`, each with its weight; the last if rounding leaves none.
    pub(crate) fn weighted<T: Copy>(&mut self, choices: &[(T, f64)], otherwise: T) -> T {
        let total: f64 = choices.iter().map(|(_, weight)| weight).sum();
        let mut left = self.unit() * total;
        for &(choice, weight) in choices {
            if left < weight {
                return choice;
            }
            left -= weight;
        }
        otherwise
    }
}

/// The nearest whole number, kept within what fits.
pub(crate) fn whole(value: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond the range is cut to its end, which is what is wanted"
    )]
    let whole = libm::round(value) as i64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Draws {
        Draws::of(1, Purpose::Browse, [2, 3])
    }

    #[test]
    fn a_stream_is_its_name_and_names_do_not_share_luck() {
        let luck = |mut draws: Draws| [draws.bits(), draws.bits()];
        assert_eq!(luck(stream()), luck(stream()));
        for other in [
            Draws::of(2, Purpose::Browse, [2, 3]),
            Draws::of(1, Purpose::Buy, [2, 3]),
            Draws::of(1, Purpose::Browse, [3, 2]),
        ] {
            assert_ne!(luck(stream()), luck(other));
        }
    }

    #[test]
    fn draws_are_even_and_stay_in_range() {
        let mut draws = stream();
        let mean = (0..20_000).map(|_| draws.unit()).sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let mut counts = [0; 7];
        for _ in 0..7_000 {
            counts[usize::try_from(draws.between(-3, 3) + 3).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)));
        let waited = (0..20_000).map(|_| draws.wait(4.0)).sum::<f64>() / 20_000.0;
        assert!((waited - 4.0).abs() < 0.1, "{waited}");
    }

    #[test]
    fn neighbouring_shoppers_are_strangers() {
        let luck: Vec<f64> = (0..10_000)
            .map(|shopper| Draws::of(7, Purpose::Traits, [shopper, 0]).unit())
            .collect();
        let pairs = luck
            .windows(2)
            .map(|pair| (pair[0] - 0.5) * (pair[1] - 0.5));
        let covariance = pairs.sum::<f64>() / 10_000.0;
        assert!(covariance.abs() < 0.005, "{covariance}");
    }
}
