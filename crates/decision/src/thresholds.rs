//! The numbers of the default rule.

use std::{fmt, str::FromStr};

use foretide_events::Money;
use foretide_models::Probability;
use serde::{Deserialize, Serialize};

/// Why something is not a percentage of a discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a whole percentage between 1 and 100")]
pub struct InvalidPercent;

/// A whole percentage, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

impl Percent {
    /// What the default rule takes off.
    pub const TEN: Self = Self(10);

    /// Takes `value`, unless it lies outside 1 to 100.
    pub const fn new(value: u8) -> Option<Self> {
        if 1 <= value && value <= 100 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// The number, 1 to 100.
    pub fn get(self) -> u8 {
        self.0
    }

    /// This share of `amount`, in whole minor units; half of one rounds away from zero.
    #[must_use]
    pub fn of(self, amount: Money) -> Money {
        let hundredths = i128::from(amount.minor_units) * i128::from(self.0);
        let rounded = (hundredths + 50 * hundredths.signum()) / 100;
        // At most the amount itself, because a percentage is at most 100.
        Money {
            minor_units: i64::try_from(rounded).unwrap_or(amount.minor_units),
            ..amount
        }
    }
}

impl TryFrom<u8> for Percent {
    type Error = InvalidPercent;

    fn try_from(value: u8) -> Result<Self, InvalidPercent> {
        Self::new(value).ok_or(InvalidPercent)
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl FromStr for Percent {
    type Err = InvalidPercent;

    fn from_str(text: &str) -> Result<Self, InvalidPercent> {
        text.parse().ok().and_then(Self::new).ok_or(InvalidPercent)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When the default rule offers what.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// A probability of abandonment above this gets a discount.
    pub abandonment: Probability,
    /// Otherwise, a probability of drift above this gets recommendations.
    pub drift: Probability,
}

#[cfg(test)]
mod tests {
    use foretide_events::Currency;
    use proptest::prelude::*;

    use super::*;

    fn euros(minor_units: i64) -> Money {
        Money {
            minor_units,
            currency: Currency::EUR,
        }
    }

    #[test]
    fn a_discount_rounds_half_a_cent_away_from_zero() {
        let ten = Percent(10);
        for (cart, discount) in [(12_990, 1_299), (4, 0), (5, 1), (14, 1), (15, 2), (-15, -2)] {
            assert_eq!(ten.of(euros(cart)), euros(discount), "10 % of {cart}");
        }
    }

    #[test]
    fn only_1_to_100_are_percentages() {
        assert!("10".parse::<Percent>().is_ok());
        for bad in ["0", "101", "256", "-1", "ten", "1.5"] {
            assert_eq!(bad.parse::<Percent>(), Err(InvalidPercent), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_share_is_never_more_than_the_whole(percent in 1_u8..=100, minor_units in any::<i64>()) {
            let share = Percent(percent).of(euros(minor_units)).minor_units;
            prop_assert!(share.unsigned_abs() <= minor_units.unsigned_abs());
            prop_assert!(share == 0 || share.signum() == minor_units.signum());
        }
    }
}
