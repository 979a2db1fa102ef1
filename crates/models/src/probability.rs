//! A probability as a type, so that a score, a share or a log-odds is never taken for one.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The log-odds at which a probability is cut off, so that it stays strictly between 0 and 1 in 64 bits: about 1e-13.
const LOG_ODDS_LIMIT: f64 = 30.0;

/// Why a number is not a probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not between 0 and 1")]
pub struct NotAProbability(pub f64);

/// A probability, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

impl JsonSchema for Probability {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Probability".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

impl Probability {
    /// Takes `value`, unless it lies outside 0 to 1 or is not a number.
    pub fn new(value: f64) -> Result<Self, NotAProbability> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(NotAProbability(value))
        }
    }

    /// The probability of `log_odds` = ln(p / (1 − p)), by the logistic function. Strictly between 0 and 1, because
    /// log-odds beyond ±30 count as ±30; what is not a number counts as even odds.
    pub fn from_log_odds(log_odds: f64) -> Self {
        let bounded = if log_odds.is_nan() {
            0.0
        } else {
            log_odds.clamp(-LOG_ODDS_LIMIT, LOG_ODDS_LIMIT)
        };
        Self(1.0 / (1.0 + libm::exp(-bounded)))
    }

    /// The number, 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = NotAProbability;

    fn try_from(value: f64) -> Result<Self, NotAProbability> {
        Self::new(value)
    }
}

impl From<Probability> for f64 {
    fn from(probability: Probability) -> Self {
        probability.0
    }
}

impl std::str::FromStr for Probability {
    type Err = NotAProbability;

    fn from_str(text: &str) -> Result<Self, NotAProbability> {
        Self::new(text.parse().unwrap_or(f64::NAN))
    }
}

impl std::fmt::Display for Probability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_numbers_from_0_to_1_are_probabilities() {
        for good in [0.0, 0.7, 1.0] {
            assert_eq!(Probability::new(good).map(Probability::get), Ok(good));
        }
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Probability::new(bad).is_err(), "{bad}");
        }
        assert!("0.7".parse::<Probability>().is_ok());
        assert!("much".parse::<Probability>().is_err());
    }

    #[test]
    fn even_odds_are_one_half() {
        assert_eq!(Probability::from_log_odds(0.0), Probability(0.5));
        assert_eq!(Probability::from_log_odds(f64::NAN), Probability(0.5));
    }

    proptest! {
        #[test]
        fn any_log_odds_give_something_strictly_between_0_and_1(log_odds in any::<f64>()) {
            let p = Probability::from_log_odds(log_odds).get();
            prop_assert!(0.0 < p && p < 1.0);
        }

        #[test]
        fn higher_log_odds_never_give_less(a in -40.0..40.0, b in -40.0..40.0) {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(Probability::from_log_odds(low) <= Probability::from_log_odds(high));
        }
    }
}
