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

/// `value` times `factor`, [`kept`], or zero where that is negligible.
pub(crate) fn decayed(value: f64, factor: f64) -> f64 {
    let left = value * factor;
    if left < NEGLIGIBLE { 0.0 } else { kept(left) }
}

/// Bits of a sum's fraction that are kept, of the 52 there are.
const KEPT_BITS: u32 = 40;
const DROPPED_BITS: u32 = f64::MANTISSA_DIGITS - 1 - KEPT_BITS;
/// Exponents have eight bits of eleven: from 2^-127 to 2^128, and nothing that is summed comes near either.
const EXPONENT_SHIFT: u64 = 895 << KEPT_BITS;

/// A sum that is not negative, rounded to what is kept of it: 40 bits of its fraction, which is right to a million
/// millionth. A profile is mostly such sums, and stored they take six bytes instead of eight. They are rounded when they
/// change and not when they are stored, so that a profile that was stored and read folds on as if it never had been.
pub(crate) fn kept(sum: f64) -> f64 {
    let half = 1 << (DROPPED_BITS - 1);
    let rounded = (sum.to_bits() + half) >> DROPPED_BITS;
    match stored_bits(rounded) {
        Some(_) => f64::from_bits(rounded << DROPPED_BITS),
        None if sum < 1.0 => 0.0,
        None => largest(),
    }
}

/// The six bytes of a sum above zero that is [`kept`] so.
pub(crate) fn to_stored(sum: f64) -> [u8; 6] {
    let bits = stored_bits(sum.to_bits() >> DROPPED_BITS).unwrap_or(0);
    let mut bytes = [0; 6];
    bytes.copy_from_slice(&bits.to_le_bytes()[..6]);
    bytes
}

/// The sum in six bytes; `None` if they hold none.
pub(crate) fn from_stored(bytes: [u8; 6]) -> Option<f64> {
    let mut eight = [0; 8];
    eight[..6].copy_from_slice(&bytes);
    let bits = u64::from_le_bytes(eight);
    let exponent = bits >> KEPT_BITS;
    (exponent > 0).then(|| f64::from_bits((bits + EXPONENT_SHIFT) << DROPPED_BITS))
}

/// Exponent and fraction in 48 bits; `None` if the exponent does not fit.
fn stored_bits(kept: u64) -> Option<u64> {
    let bits = kept.checked_sub(EXPONENT_SHIFT)?;
    (1..256).contains(&(bits >> KEPT_BITS)).then_some(bits)
}

/// The largest sum.
fn largest() -> f64 {
    from_stored([0xff; 6]).unwrap_or(f64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_kept_is_close_and_survives_being_stored(sum in 1e-9..1e30) {
            let kept = kept(sum);
            prop_assert!((kept / sum - 1.0).abs() <= 4.6e-13);
            prop_assert_eq!(from_stored(to_stored(kept)), Some(kept));
            prop_assert_eq!(super::kept(kept).to_bits(), kept.to_bits());
        }

        #[test]
        fn any_sum_stays_finite_and_at_least_zero(sum in prop::num::f64::POSITIVE | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL) {
            let kept = kept(sum.abs().min(f64::MAX));
            prop_assert!(kept.is_finite() && kept >= 0.0);
            prop_assert!(kept == 0.0 || from_stored(to_stored(kept)) == Some(kept));
        }

        #[test]
        fn six_bytes_are_one_sum_or_none(bytes: [u8; 6]) {
            if let Some(sum) = from_stored(bytes) {
                prop_assert_eq!(to_stored(sum), bytes);
                prop_assert_eq!(kept(sum).to_bits(), sum.to_bits());
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
            }
        }
    }
}
