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
    texts: ThresholdTexts,
}

/// The thresholds as reasons show them.
#[derive(Clone, Debug, PartialEq)]
struct ThresholdTexts {
    abandonment: String,
    drift: String,
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
            texts: ThresholdTexts {
                abandonment: settings.thresholds.abandonment.to_string(),
                drift: settings.thresholds.drift.to_string(),
            },
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

    /// What it goes by.
    pub fn settings(&self) -> &RuleSettings {
        &self.recorded.settings
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
            attempt.reasons.push(above(
                "abandonment",
                &predicted.abandonment,
                &self.texts.abandonment,
            ));
            match offerable(situation, || self.discount(situation)) {
                Ok(offer) => return attempt.choose(Arm::Discount, Some(offer)),
                Err(cause) => attempt.mask(Arm::Discount, cause),
            }
        }
        if over(&predicted.drift, drift) {
            attempt
                .reasons
                .push(above("drift", &predicted.drift, &self.texts.drift));
            match offerable(situation, || self.recommendations(situation)) {
                Ok(offer) => return attempt.choose(Arm::Recommendations, Some(offer)),
                Err(cause) => attempt.mask(Arm::Recommendations, cause),
            }
        }
        if attempt.reasons.is_empty() {
            attempt.reasons.push(below(predicted, &self.texts));
        }
        attempt.choose(Arm::Nothing, None)
    }

    fn discount(&self, situation: &Situation<'_>) -> Result<Offer, MaskCause> {
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

/// The offer that `make` makes, unless something withholds it. Who is left without offers is masked only where there would have
/// been one: so the masks tell who would have been offered to.
fn offerable(
    situation: &Situation<'_>,
    make: impl FnOnce() -> Result<Offer, MaskCause>,
) -> Result<Offer, MaskCause> {
    match situation.withheld {
        None => make(),
        Some(MaskCause::Untreated) => make().and(Err(MaskCause::Untreated)),
        Some(cause) => Err(cause),
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

fn above(what: &str, prediction: &Prediction, threshold: &str) -> Reason {
    let p = thousandths(prediction.probability);
    let [because, feature] = prediction
        .strongest_push()
        .map_or(["", ""], |push| [", most because of ", &push.feature]);
    let text = [
        "the probability of ",
        what,
        ", ",
        &p,
        ", is above ",
        threshold,
        because,
        feature,
    ];
    Reason::new(ReasonCode::Rule, text.concat())
}

fn below(predicted: &Predictions, thresholds: &ThresholdTexts) -> Reason {
    let [p, q] = [&predicted.abandonment, &predicted.drift].map(|p| thousandths(p.probability));
    let text = [
        "neither the probability of abandonment, ",
        &p,
        ", is above ",
        &thresholds.abandonment,
        " nor that of drift, ",
        &q,
        ", above ",
        &thresholds.drift,
    ];
    Reason::new(ReasonCode::Rule, text.concat())
}

/// A probability to three decimals, as `{:.3}` has it, for a fraction of the work.
fn thousandths(probability: Probability) -> String {
    /// What is so close to the middle between two thousandths is left to who looks at every digit.
    const CLOSE: f64 = 1e-6;
    let scaled = probability.get() * 1000.0 + 0.5;
    let whole = scaled.floor();
    if !(CLOSE..1.0 - CLOSE).contains(&(scaled - whole)) {
        return format!("{:.3}", probability.get());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 1000"
    )]
    let whole = whole as u16;
    let digit = |unit: u16| char::from(b'0' + u8::try_from(whole / unit % 10).unwrap_or_default());
    [digit(1000), '.', digit(100), digit(10), digit(1)]
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests;
