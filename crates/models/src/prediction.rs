//! What a model says, with its reasons.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Probability;

/// How far one feature moved a prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contribution {
    /// The input's name; `base` is where every shopper starts.
    pub feature: Cow<'static, str>,
    /// Its value, in the unit its name ends with; absent for `base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it added, in log-odds: above zero makes the predicted thing likelier.
    pub log_odds: f64,
}

/// A probability and what it is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// How likely it is, if no offer is shown.
    pub probability: Probability,
    /// Every term of its log-odds; their sum gives the probability.
    pub contributions: Vec<Contribution>,
}

impl Contribution {
    /// Where every shopper starts.
    pub fn base(log_odds: f64) -> Self {
        Self {
            feature: Cow::Borrowed("base"),
            value: None,
            log_odds,
        }
    }

    /// What `feature` adds by its `value`.
    pub fn of(feature: &'static str, value: f64, log_odds: f64) -> Self {
        Self {
            feature: Cow::Borrowed(feature),
            value: Some(value),
            log_odds,
        }
    }
}

impl Prediction {
    /// Sums `contributions`.
    pub fn of(contributions: Vec<Contribution>) -> Self {
        let log_odds = contributions.iter().map(|term| term.log_odds).sum();
        Self {
            probability: Probability::from_log_odds(log_odds),
            contributions,
        }
    }

    /// The feature that raised the probability most; `None` if none did. `base` does not count.
    pub fn strongest_push(&self) -> Option<&Contribution> {
        self.contributions
            .iter()
            .filter(|term| term.value.is_some() && term.log_odds > 0.0)
            .max_by(|a, b| a.log_odds.total_cmp(&b.log_odds))
    }
}

/// Everything predicted of one shopper at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predictions {
    /// That engagement falls: the shopper comes back less, or no more.
    pub drift: Prediction,
    /// That what is in the cart is not bought in this session.
    pub abandonment: Prediction,
    /// The model that says so, with its version.
    pub source: Cow<'static, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_is_the_sum_of_its_contributions() {
        let terms = vec![
            Contribution::base(1.0),
            Contribution::of("purchases", 2.0, -1.0),
        ];
        assert_eq!(
            Prediction::of(terms).probability,
            Probability::from_log_odds(0.0)
        );
    }

    #[test]
    fn the_strongest_push_is_a_feature_and_pushes_up() {
        let base = Contribution::base(5.0);
        let up = [
            Contribution::of("a", 1.0, 0.2),
            Contribution::of("b", 1.0, 0.4),
        ];
        let down = Contribution::of("c", 1.0, -3.0);
        let all = Prediction::of([vec![base.clone(), down.clone()], up.to_vec()].concat());
        assert_eq!(all.strongest_push(), Some(&up[1]));
        assert_eq!(Prediction::of(vec![base, down]).strongest_push(), None);
    }
}
