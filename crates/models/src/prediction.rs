//! What a model says, with its reasons.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Probability, Target, prior};

/// What the first term is called.
const BASE: &str = "base";

/// How far one feature moved a prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contribution {
    /// The feature's name. `base` is where every shopper starts, `cohort` what is different in the shopper's, `calibration` what a
    /// margin lacks to mean what it says, and `other_features` all features together that are not named.
    pub feature: Cow<'static, str>,
    /// Its value, in the unit its name ends with; absent where the feature is missing, which says something too, and for what is no
    /// feature.
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
        Self::unvalued(BASE, log_odds)
    }

    /// What something adds that has no value.
    pub(crate) fn unvalued(name: &'static str, log_odds: f64) -> Self {
        Self {
            feature: Cow::Borrowed(name),
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

    /// Its log-odds: the sum of the contributions.
    pub fn log_odds(&self) -> f64 {
        self.contributions.iter().map(|term| term.log_odds).sum()
    }

    /// The prediction halfway to `other`: its log-odds are `share` (0 to 1) of the other's and the rest of its own. Terms of one
    /// name become one, with the value that `other` knows; the others' stand first.
    #[must_use]
    pub fn blend(&self, other: &Self, share: f64) -> Self {
        let weighed = |term: &Contribution, weight: f64| Contribution {
            log_odds: term.log_odds * weight,
            ..term.clone()
        };
        let mut terms: Vec<Contribution> = other
            .contributions
            .iter()
            .map(|term| weighed(term, share))
            .collect();
        if share < 1.0 {
            for term in &self.contributions {
                let own = weighed(term, 1.0 - share);
                match terms.iter_mut().find(|known| known.feature == own.feature) {
                    Some(known) => known.log_odds += own.log_odds,
                    None => terms.push(own),
                }
            }
        }
        Self::of(terms)
    }

    /// The feature that raised the probability most; `None` if none did. What has no value does not count.
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
    /// The models that say so, with their versions: one name if it is the same for both, as the prior is, else that of drift and
    /// that of abandonment with [`AND`] between.
    pub source: Cow<'static, str>,
}

/// Stands between the names of two models.
pub const AND: &str = " + ";

impl Predictions {
    /// The source of what the model `drift` says of drift and the model `abandonment` of abandonment.
    pub fn source_of(drift: &str, abandonment: &str) -> Cow<'static, str> {
        if drift == abandonment && drift == prior::NAME {
            Cow::Borrowed(prior::NAME)
        } else if drift == abandonment {
            Cow::Owned(drift.to_owned())
        } else {
            Cow::Owned([drift, AND, abandonment].concat())
        }
    }

    /// The model that speaks of `target`.
    pub fn source(&self, target: Target) -> &str {
        let (drift, abandonment) = self
            .source
            .split_once(AND)
            .unwrap_or((&self.source, &self.source));
        match target {
            Target::Drift => drift,
            Target::Abandonment => abandonment,
        }
    }
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
