//! What a policy chose among.

use serde::{Deserialize, Serialize};

use crate::{Offer, Reason, ReasonCode};

/// What the default rule chooses among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// A discount on the cart.
    Discount,
    /// Recommendations.
    Recommendations,
    /// No offer.
    Nothing,
}

impl Arm {
    /// Every arm, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Discount, Self::Recommendations, Self::Nothing];
}

/// Why an arm could not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskCause {
    /// There is no cart with a value.
    NoCartValue,
    /// There is no product to recommend.
    NoProducts,
    /// The catalogue has no active offer of the kind that was due.
    NoActiveOffer,
    /// The profiles are still being restored: too little is known to offer anything.
    FeaturesNotReady,
    /// The shopper is one of those who are always left without offers. The arm would have been chosen otherwise.
    Untreated,
}

impl MaskCause {
    /// The reason that tells a person.
    pub fn reason(self) -> Reason {
        match self {
            Self::NoCartValue => Reason::new(
                ReasonCode::NoCartValue,
                "a discount was due, but there is no cart with a value to take it off",
            ),
            Self::NoProducts => Reason::new(
                ReasonCode::NoProducts,
                "recommendations were due, but no product is known that could be recommended",
            ),
            Self::NoActiveOffer => Reason::new(
                ReasonCode::NoActiveOffer,
                "an offer was due, but none of its kind is active in the catalogue",
            ),
            Self::FeaturesNotReady => Reason::new(
                ReasonCode::FeaturesNotReady,
                "the shopper's profile is still being restored, so nothing is offered",
            ),
            Self::Untreated => Reason::new(
                ReasonCode::Untreated,
                "an offer was due, but the shopper is one of the few who never get any, so that what happens then is known",
            ),
        }
    }
}

/// How likely an arm was to be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmReport {
    /// The arm.
    pub arm: Arm,
    /// The probability, 0 to 1, with which the policy would choose it in this situation. All arms add up to 1.
    pub propensity: f64,
    /// Why it was left out, where it was considered and could not be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<MaskCause>,
}

impl ArmReport {
    /// The report of an arm that could be chosen and never would be.
    pub fn never(arm: Arm) -> Self {
        Self {
            arm,
            propensity: 0.0,
            masked: None,
        }
    }
}

/// What a policy chose.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The arm.
    pub arm: Arm,
    /// The offer of that arm; none for [`Arm::Nothing`].
    pub offer: Option<Offer>,
    /// Every arm and its propensity, as [`Arm::ALL`] has them.
    pub arms: [ArmReport; 3],
    /// Why.
    pub reasons: Vec<Reason>,
}
