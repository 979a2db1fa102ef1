//! Why a decision turned out as it did, for machines and for people.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The closed list of reasons. Its names are the same in answers, records, metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// The rule over the probabilities says so.
    Rule,
    /// A discount was due, but there is no cart with a value to take it off.
    NoCartValue,
    /// Recommendations were due, but no product is known that could be recommended.
    NoProducts,
    /// An offer was due, but none of its kind is active in the catalogue.
    NoActiveOffer,
    /// An offer was due, but the shopper is one of those who are always left without.
    Untreated,
    /// Nothing is known of the shopper: no action of theirs has been folded.
    UnknownShopper,
    /// Degraded: what is known of the shopper is older than allowed.
    StaleFeatures,
    /// Degraded: the profiles are still being restored.
    FeaturesNotReady,
    /// Degraded: the decision could not be queued for the log, so nobody will learn from it.
    DecisionQueueFull,
}

impl ReasonCode {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::NoCartValue => "no_cart_value",
            Self::NoProducts => "no_products",
            Self::NoActiveOffer => "no_active_offer",
            Self::Untreated => "untreated",
            Self::UnknownShopper => "unknown_shopper",
            Self::StaleFeatures => "stale_features",
            Self::FeaturesNotReady => "features_not_ready",
            Self::DecisionQueueFull => "decision_queue_full",
        }
    }

    /// Whether only a policy gives it.
    pub(crate) fn is_of_the_policy(self) -> bool {
        match self {
            Self::Rule
            | Self::NoCartValue
            | Self::NoProducts
            | Self::NoActiveOffer
            | Self::Untreated => true,
            Self::UnknownShopper
            | Self::StaleFeatures
            | Self::FeaturesNotReady
            | Self::DecisionQueueFull => false,
        }
    }
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// Which.
    pub code: ReasonCode,
    /// The same, for a person.
    pub text: Cow<'static, str>,
}

impl Reason {
    /// A reason with its explanation.
    pub fn new(code: ReasonCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_name_everywhere() {
        for code in [
            ReasonCode::Rule,
            ReasonCode::NoCartValue,
            ReasonCode::NoProducts,
            ReasonCode::NoActiveOffer,
            ReasonCode::Untreated,
            ReasonCode::UnknownShopper,
            ReasonCode::StaleFeatures,
            ReasonCode::FeaturesNotReady,
            ReasonCode::DecisionQueueFull,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
