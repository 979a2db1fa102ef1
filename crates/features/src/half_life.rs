//! Exponential decay by half-lives.
//!
//! Time is cut into periods of one half-life each, the same for everybody, from 1970 on. A decayed sum is kept as what it
//! was worth at the beginning of the period that its owner has reached: what is added later in the period weighs more,
//! from one to two. So time that passes changes a sum only from period to period, and then by an exact halving: however
//! often a profile is touched, no sum is rounded but by what is added to it.

use foretide_events::EpochMs;

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
/// from being stored for ever. After ten half-lives one action is worth less.
pub(crate) const NEGLIGIBLE: f64 = 1e-3;

/// The same for numbers that are small from the start, such as squared differences.
pub(crate) const VERY_LITTLE: f64 = 1e-9;

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

    /// The end of the names of features that decay by it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HalfHour => "30m",
            Self::Day => "1d",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// Its length, as people say it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::HalfHour => "30 minutes",
            Self::Day => "1 day",
            Self::Week => "7 days",
            Self::Month => "30 days",
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

    /// What 1 at `at` weighs in a sum: 2^(time since the period began / half-life), from 1 to 2.
    pub(crate) fn weight(self, at: EpochMs) -> f64 {
        libm::exp2(at.0.rem_euclid(self.ms()) as f64 / self.ms() as f64)
    }

    /// How often a sum is halved between `from` and `to`: the number of periods that begin.
    pub(crate) fn halvings(self, from: EpochMs, to: EpochMs) -> i64 {
        let period = |at: EpochMs| at.0.div_euclid(self.ms());
        period(to) - period(from)
    }

    /// Whether no sum is halved between `from` and `to`, whatever its half-life: a period of each begins with one of half an hour.
    pub(crate) fn no_period_begins(from: EpochMs, to: EpochMs) -> bool {
        Self::HalfHour.halvings(from, to) == 0
    }

    /// What 1 in a sum that has reached `as_of` is worth at `now`, or at `as_of` if that is later.
    pub(crate) fn worth(self, as_of: EpochMs, now: EpochMs) -> f64 {
        let in_period = as_of.0.rem_euclid(self.ms());
        self.factor(now.since(as_of).max(0).saturating_add(in_period))
    }
}

/// What a sum is after so many halvings, or zero where that is negligible. It is exact.
pub(crate) fn halved(sum: f64, halvings: i64) -> f64 {
    above(NEGLIGIBLE, left(sum, halvings))
}

/// The same of a number that may be small from the start.
pub(crate) fn halved_small(sum: f64, halvings: i64) -> f64 {
    above(VERY_LITTLE, left(sum, halvings))
}

fn above(least: f64, sum: f64) -> f64 {
    if sum.abs() < least { 0.0 } else { sum }
}

/// What is left of any number after so many halvings.
pub(crate) fn left(sum: f64, halvings: i64) -> f64 {
    const BIAS: u64 = 1023;
    let exponent = match u64::try_from(halvings) {
        Err(_) => BIAS,
        Ok(halvings) => BIAS.saturating_sub(halvings),
    };
    sum * f64::from_bits(exponent << (f64::MANTISSA_DIGITS - 1))
}

/// What `sum` is read as where 1 in it is worth `worth`. It has 32 bits of its fraction: the last ones of a sum are
/// spent on roundings, and without them a shopper's only action is worth 1 and not a little more or less.
pub(crate) fn read(sum: f64, worth: f64) -> f64 {
    const DROPPED: u32 = f64::MANTISSA_DIGITS - 1 - 32;
    let bits = (sum * worth).to_bits() + (1 << (DROPPED - 1));
    f64::from_bits(bits >> DROPPED << DROPPED)
}

/// Bits of a sum's fraction that are kept, of the 52 there are.
pub(crate) const KEPT_BITS: u32 = 34;
const DROPPED_BITS: u32 = f64::MANTISSA_DIGITS - 1 - KEPT_BITS;
/// Exponents have eight bits of eleven: from 2^-127 to 2^128, and nothing that is summed comes near either.
const EXPONENT_SHIFT: u64 = 895 << KEPT_BITS;

/// A sum that is not negative, rounded to what is kept of it: 34 bits of its fraction, which is right to 6e-11. A profile
/// is mostly such sums. They are rounded when a session is over and not when they are stored, so that a profile that was stored
/// and read folds on as if it never had been.
///
/// Whether up or down is drawn from the bits of the sum, the likelier the nearer. Rounded to the nearest, hundreds of equal
/// sessions at equal distances would go wrong the same way each time; so they cancel out, and a sum of hundreds of sessions
/// within one half-life is right to 6e-10.
pub(crate) fn kept(sum: f64) -> f64 {
    /// 2^64 over the golden ratio: spreads what differs in any bit over the upper ones.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let bits = sum.to_bits();
    let drawn = bits.wrapping_mul(SPREAD) >> (u64::BITS - DROPPED_BITS);
    let kept = f64::from_bits((bits + drawn) >> DROPPED_BITS << DROPPED_BITS);
    match to_stored(kept) {
        Some(_) => kept,
        None if sum < 1.0 => 0.0,
        None => largest(),
    }
}

/// Exponent (8 bits) and fraction (34) of a sum that is [`kept`] so; `None` for zero.
pub(crate) fn to_stored(sum: f64) -> Option<u64> {
    let bits = (sum.to_bits() >> DROPPED_BITS).checked_sub(EXPONENT_SHIFT)?;
    (1..256).contains(&(bits >> KEPT_BITS)).then_some(bits)
}

/// The sum of an exponent and a fraction; `None` if there is none.
pub(crate) fn from_stored(bits: u64) -> Option<f64> {
    let fits = (1..256).contains(&(bits >> KEPT_BITS));
    fits.then(|| f64::from_bits((bits + EXPONENT_SHIFT) << DROPPED_BITS))
}

/// Bits after the point of a mean that is kept.
pub(crate) const MEAN_FRACTION: u32 = 35;
/// Bits of a mean that is kept: it is below 64.
pub(crate) const MEAN_BITS: u32 = 41;

/// A mean that is not negative, rounded to what is kept of it: it is right to 1.5e-11, whatever its size, so that little is lost where
/// another number close to it is taken away.
pub(crate) fn kept_mean(mean: f64) -> f64 {
    let units = libm::round(mean * (1_u64 << MEAN_FRACTION) as f64);
    units.clamp(0.0, ((1_u64 << MEAN_BITS) - 1) as f64) / (1_u64 << MEAN_FRACTION) as f64
}

/// The largest sum.
fn largest() -> f64 {
    from_stored((256 << KEPT_BITS) - 1).unwrap_or(f64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_kept_is_close_and_survives_being_stored(sum in 1e-9..1e30) {
            let kept = kept(sum);
            prop_assert!((kept / sum - 1.0).abs() <= 5.83e-11);
            prop_assert_eq!(to_stored(kept).and_then(from_stored), Some(kept));
            prop_assert_eq!(super::kept(kept).to_bits(), kept.to_bits());
        }

        #[test]
        fn any_sum_stays_finite_and_at_least_zero(sum in prop::num::f64::POSITIVE | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL) {
            let kept = kept(sum.abs().min(f64::MAX));
            prop_assert!(kept.is_finite() && kept >= 0.0);
            prop_assert!(kept == 0.0 || to_stored(kept).and_then(from_stored) == Some(kept));
        }

        #[test]
        fn stored_bits_are_one_sum_or_none(bits in 0..(1_u64 << (KEPT_BITS + 9))) {
            if let Some(sum) = from_stored(bits) {
                prop_assert_eq!(to_stored(sum), Some(bits));
                prop_assert_eq!(kept(sum).to_bits(), sum.to_bits());
            }
        }

        /// Reaching a time in steps is reaching it at once, to the bit.
        #[test]
        fn time_that_passes_rounds_nothing(sum in 1e-6..1e12, from in 0..1_i64 << 41, steps in prop::collection::vec(0..1_i64 << 32, 1..20)) {
            for half_life in HalfLife::ALL {
                let (mut at, mut stepwise) = (EpochMs(from), kept(sum));
                for step in &steps {
                    let to = at.plus(*step);
                    stepwise = halved(stepwise, half_life.halvings(at, to));
                    at = to;
                }
                let once = halved(kept(sum), half_life.halvings(EpochMs(from), at));
                prop_assert_eq!(stepwise.to_bits(), once.to_bits());
                prop_assert_eq!(once.to_bits(), kept(once).to_bits());
            }
        }

        #[test]
        fn where_no_half_hour_begins_no_period_does(from in -(1_i64 << 41)..1_i64 << 41, step in -2_000_000..2_000_000_i64) {
            let (from, to) = (EpochMs(from), EpochMs(from + step));
            if HalfLife::no_period_begins(from, to) {
                for half_life in HalfLife::ALL {
                    prop_assert_eq!(half_life.halvings(from, to), 0);
                }
            }
        }

        #[test]
        fn what_is_added_now_is_worth_as_much_now(amount in 1_u32.., at in -(1_i64 << 41)..1_i64 << 41) {
            for half_life in HalfLife::ALL {
                let at = EpochMs(at);
                let sum = kept(f64::from(amount) * half_life.weight(at));
                prop_assert_eq!(read(sum, half_life.worth(at, at)).to_bits(), f64::from(amount).to_bits());
                let half = read(sum, half_life.worth(at, at.plus(half_life.ms())));
                prop_assert_eq!(half.to_bits(), (f64::from(amount) / 2.0).to_bits());
            }
        }
    }

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
                let then = EpochMs(elapsed_ms);
                assert!((1.0..=2.0).contains(&half_life.weight(then)));
                for now in [EpochMs(i64::MIN), EpochMs(0), EpochMs(i64::MAX)] {
                    assert!((0.0..=1.0).contains(&half_life.worth(then, now)));
                    let left = halved(1.0, half_life.halvings(then, now));
                    assert!((0.0..=1.0).contains(&left));
                }
            }
        }
    }
}
