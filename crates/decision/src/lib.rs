//! Choosing what a shopper is offered, and writing down why.
//!
//! [`Predictors`] predict by the models that serve, and by the prior where none does. [`RulePolicy`] is the default policy: a rule
//! over the predicted probabilities. It returns a [`Choice`] with every arm's
//! propensity, the causes for which arms were left out, and [`Reason`]s for people. [`Popularity`] learns which products
//! to recommend. [`DecisionRecord`] is the whole decision as it is kept on the log, in a versioned format. [`catalogue`] is
//! what people write down beforehand: the offers there are, and the rule's numbers.
//!
//! This crate never reads a clock, draws a random number or makes an id, never logs or counts, and never decides twice
//! differently from the same inputs: a record can be replayed.

pub mod catalogue;
mod choice;
mod cohort;
pub mod json;
mod offer;
mod popularity;
mod predictors;
mod reason;
mod record;
mod rule;
mod thresholds;
mod untreated;

pub use choice::{Arm, ArmReport, Choice, MaskCause};
pub use cohort::Cohort;
pub use offer::{
    Assistance, Content, Discount, InvalidOfferId, Offer, OfferContent, OfferId, OfferKind,
    Recommendations, Recommended,
};
pub use popularity::{Popularity, PopularityRules};
pub use predictors::{KnownModels, Predicted, Predictors};
pub use reason::{Reason, ReasonCode};
pub use record::{
    CartSource, DecisionRecord, RecordError, RecordWriter, RecordedCart, RecordedFeatures,
    RecordedPolicy, RecordedValues,
};
pub use rule::{RuleDiscount, RulePolicy, RuleRecommendations, RuleSettings, Situation};
pub use thresholds::{InvalidPercent, Percent, Thresholds};
pub use untreated::{InvalidShare, UntreatedShare};
