//! The default policy (M12): abandonment above its threshold gets a discount; else drift above its threshold gets
//! recommendations; else nothing. A due offer that cannot be made is left out with its cause, and the rule goes on.

mod settings;

use std::sync::Arc;

use foretide_events::Money;
use foretide_models::{Prediction, Predictions, Probability};

pub use self::settings::{RuleDiscount, RuleRecommendations, RuleSettings};
use crate::{
    Arm, ArmReport, Choice, Discount, MaskCause, Offer, OfferContent, Reason, ReasonCode,
    Recommendations, Recommended, RecordedPolicy, Thresholds,
};

/// What the rule looks at.
pub struct Situation<'a> {
    /// What is predicted of the shopper.
    pub predictions: &'a Predictions,
    /// What the cart is worth, where there is one and its value is known.
    pub cart_value: Option<Money>,
    /// What could be recommended, the best first, at most as many as asked for; asked only when recommendations are due.
    pub recommend: &'a dyn Fn(usize) -> Vec<Recommended>,
    /// A cause that leaves out every offer.
    pub withheld: Option<MaskCause>,
}

/// The default policy.
#[derive(Clone, Debug, PartialEq)]
pub struct RulePolicy {
    /// Shared with the records of what it chose.
    recorded: Arc<RecordedPolicy>,
}

impl RulePolicy {
    /// The policy's name in records.
    pub const NAME: &str = "rule";
    /// Its version. Any change of what it does with the same settings gets a new one. Version 1, from before there was a
    /// catalogue, did the same with offers of its own.
    pub const VERSION: u32 = 2;

    /// The rule by these settings.
    pub fn new(settings: RuleSettings) -> Self {
        Self {
            recorded: Arc::new(RecordedPolicy {
                name: Self::NAME.into(),
                version: Self::VERSION,
                settings,
            }),
        }
    }

    /// The rule that a record names; `None` for another policy, or a version that is not known here.
    pub fn of(recorded: &RecordedPolicy) -> Option<Self> {
        let known = recorded.name == Self::NAME && (1..=Self::VERSION).contains(&recorded.version);
        known.then(|| Self::new(recorded.settings.clone()))
    }

    /// How a record names it.
    pub fn recorded(&self) -> Arc<RecordedPolicy> {
        Arc::clone(&self.recorded)
    }

    /// Chooses.
    pub fn decide(&self, situation: &Situation<'_>) -> Choice {
        let Thresholds { abandonment, drift } = self.recorded.settings.thresholds;
        let predicted = situation.predictions;
        let mut attempt = Attempt {
            masked: Vec::new(),
            reasons: Vec::new(),
        };
        let over = |prediction: &Prediction, limit| prediction.probability > limit;
        if over(&predicted.abandonment, abandonment) {
            attempt
                .reasons
                .push(above("abandonment", &predicted.abandonment, abandonment));
            match self.discount(situation) {
                Ok(offer) => return attempt.choose(Arm::Discount, Some(offer)),
                Err(cause) => attempt.mask(Arm::Discount, cause),
            }
        }
        if over(&predicted.drift, drift) {
            attempt
                .reasons
                .push(above("drift", &predicted.drift, drift));
            match self.recommendations(situation) {
                Ok(offer) => return attempt.choose(Arm::Recommendations, Some(offer)),
                Err(cause) => attempt.mask(Arm::Recommendations, cause),
            }
        }
        if attempt.reasons.is_empty() {
            attempt
                .reasons
                .push(below(predicted, self.recorded.settings.thresholds));
        }
        attempt.choose(Arm::Nothing, None)
    }

    fn discount(&self, situation: &Situation<'_>) -> Result<Offer, MaskCause> {
        if let Some(cause) = situation.withheld {
            return Err(cause);
        }
        let offered = self.recorded.settings.discount.as_ref();
        let offered = offered.ok_or(MaskCause::NoActiveOffer)?;
        let cart_value = situation.cart_value.ok_or(MaskCause::NoCartValue)?;
        let amount = offered.percent.of(cart_value);
        if amount.minor_units <= 0 {
            return Err(MaskCause::NoCartValue);
        }
        let content = OfferContent::Discount(Discount {
            percent: offered.percent,
            amount,
            cart_value,
        });
        Ok(Offer {
            id: offered.id.clone(),
            version: offered.version,
            content,
        })
    }

    fn recommendations(&self, situation: &Situation<'_>) -> Result<Offer, MaskCause> {
        if let Some(cause) = situation.withheld {
            return Err(cause);
        }
        let offered = self.recorded.settings.recommendations.as_ref();
        let offered = offered.ok_or(MaskCause::NoActiveOffer)?;
        let products = (situation.recommend)(offered.products.get().into());
        if products.is_empty() {
            return Err(MaskCause::NoProducts);
        }
        let content = OfferContent::Recommendations(Recommendations { products });
        Ok(Offer {
            id: offered.id.clone(),
            version: offered.version,
            content,
        })
    }
}

/// A choice on its way.
struct Attempt {
    masked: Vec<(Arm, MaskCause)>,
    reasons: Vec<Reason>,
}

impl Attempt {
    fn mask(&mut self, arm: Arm, cause: MaskCause) {
        self.masked.push((arm, cause));
        let reason = cause.reason();
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// The rule leaves nothing to chance: what is chosen had a propensity of one.
    fn choose(self, chosen: Arm, offer: Option<Offer>) -> Choice {
        let arms = Arm::ALL.map(|arm| ArmReport {
            arm,
            propensity: if arm == chosen { 1.0 } else { 0.0 },
            masked: self
                .masked
                .iter()
                .find(|(masked, _)| *masked == arm)
                .map(|(_, cause)| *cause),
        });
        Choice {
            arm: chosen,
            offer,
            arms,
            reasons: self.reasons,
        }
    }
}

fn above(what: &str, prediction: &Prediction, threshold: Probability) -> Reason {
    let p = prediction.probability.get();
    let most = prediction
        .strongest_push()
        .map(|push| format!(", most because of {}", push.feature))
        .unwrap_or_default();
    Reason::new(
        ReasonCode::Rule,
        format!("the probability of {what}, {p:.3}, is above {threshold}{most}"),
    )
}

fn below(predicted: &Predictions, thresholds: Thresholds) -> Reason {
    let Thresholds { abandonment, drift } = thresholds;
    let text = format!(
        "neither the probability of abandonment, {:.3}, is above {abandonment} nor that of drift, {:.3}, above {drift}",
        predicted.abandonment.probability.get(),
        predicted.drift.probability.get(),
    );
    Reason::new(ReasonCode::Rule, text)
}

#[cfg(test)]
mod tests;
