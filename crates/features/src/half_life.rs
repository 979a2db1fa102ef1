//! Exponential decay by half-lives.

/// How fast a decayed sum forgets: what was added one half-life ago counts half.
///
/// The half-lives are fixed, not settings: the features are named after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfLife {
    /// 30 minutes: this visit.
    HalfHour,
    /// A day: today.
    Day,
    /// 7 days: lately.
    Week,
    /// 30 days: usually.
    Month,
}

/// A decayed sum below this is zero. It keeps old sums from turning into subnormal numbers, which are slow, and
/// from being stored for ever. After thirty half-lives one action is worth less.
pub(crate) const NEGLIGIBLE: f64 = 1e-9;

impl HalfLife {
    /// All, from the fastest to the slowest.
    pub const ALL: [Self; 4] = [Self::HalfHour, Self::Day, Self::Week, Self::Month];

    /// Its length in milliseconds.
    pub const fn ms(self) -> i64 {
        const MINUTE_MS: i64 = 60_000;
        const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
        match self {
            Self::HalfHour => 30 * MINUTE_MS,
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::Month => 30 * DAY_MS,
        }
    }

    /// What is left of 1 after `elapsed_ms`: 2^(−elapsed / half-life), from 0 to 1. Nothing grows when time runs
    /// backwards.
    pub fn factor(self, elapsed_ms: i64) -> f64 {
        if elapsed_ms <= 0 {
            return 1.0;
        }
        libm::exp2(-(elapsed_ms as f64) / self.ms() as f64)
    }
}

/// `value` times `factor`, or zero where that is negligible.
pub(crate) fn decayed(value: f64, factor: f64) -> f64 {
    let left = value * factor;
    if left < NEGLIGIBLE { 0.0 } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_left_after_a_half_life() {
        for half_life in HalfLife::ALL {
            assert_eq!(
                half_life.factor(half_life.ms()).to_bits(),
                0.5_f64.to_bits()
            );
            assert_eq!(half_life.factor(0).to_bits(), 1.0_f64.to_bits());
        }
    }

    #[test]
    fn the_factor_stays_between_nothing_and_all() {
        for elapsed_ms in [i64::MIN, -1, 1, 1_000_000_007, i64::MAX] {
            for half_life in HalfLife::ALL {
                assert!((0.0..=1.0).contains(&half_life.factor(elapsed_ms)));
            }
        }
    }
}
