//! The whole decision as it is kept on the log (U10), format version 3: one JSON object on one line.
//!
//! Every byte of a record is written three times (the log's journal, its table, and a copy on the way), and that is a good
//! part of what a decision costs. So a record says nothing that the rest of it implies:
//!
//! * `features.values` are numbers in the order of the catalogue that `features.catalogue` names (`GET /v1/features` lists
//!   it), `null` where a feature is missing, rounded to single precision. What a prediction made of them stands in full
//!   precision in its contributions.
//! * A contribution is `[name, log-odds]`, or `[name, value, log-odds]` for one with a value.
//! * `arms` are those with a propensity above zero or a cause that masked them.
//! * `served` is there only where it is not what was `chosen`, `cohort` only where it is not that of everyone.
//!
//! Versions 1 and 2 spell all of that out. They are read as ever.

mod read;
mod write;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use foretide_events::{EpochMs, Money, SessionId, ShopId, ShopperId, Text};
use foretide_models::Predictions;
use serde::Deserialize;

use self::read::Read;
use crate::{
    ArmReport, Choice, Cohort, MaskCause, Offer, OfferContent, Reason, ReasonCode, RulePolicy,
    RuleSettings, Situation,
};

/// The version of the format. Any change that a reader of the former one would misread gets a new one.
const VERSION: u32 = 3;

/// The former version: everything is spelt out.
const SPELT_OUT: u32 = 2;

/// The one before: features have their names beside them, offers have no version and no store, the discount's percentage is
/// a threshold.
const BEFORE_THE_CATALOGUE: u32 = 1;

/// Everything a decision rested on and what came of it, so that it can be explained, learnt from and replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    /// The decision's id.
    pub decision_id: Text<64>,
    /// When it was decided.
    pub at: EpochMs,
    /// For whom.
    pub shopper: ShopperId,
    /// The visit, as the shop names it.
    pub session: Option<SessionId>,
    /// The shop's own id of the request.
    pub request_id: Option<Text<128>>,
    /// Where the offer was to be shown.
    pub placement: Option<Text<128>>,
    /// The page the shopper was on, without query and fragment.
    pub page: Option<Text<1024>>,
    /// The cart, where there was one.
    pub cart: Option<RecordedCart>,
    /// What was known of the shopper.
    pub features: RecordedFeatures,
    /// The group it was decided for.
    pub cohort: Cohort,
    /// What was predicted, with every contribution.
    pub predictions: Predictions,
    /// What chose, with its version and settings.
    pub policy: Arc<RecordedPolicy>,
    /// Every arm: its propensity, and why it was left out where it was.
    pub arms: [ArmReport; 3],
    /// What the policy chose; nothing, or an offer.
    pub chosen: Option<Offer>,
    /// What the shopper got: the same, unless a holdout kept it back.
    pub served: Option<Offer>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Whether something behind was down or late.
    pub degraded: bool,
    /// Which of the reasons make it degraded.
    pub degraded_by: Vec<ReasonCode>,
}

/// A cart as a decision saw it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RecordedCart {
    /// Who said what is in it.
    pub source: CartSource,
    /// What it was worth, where that was known.
    pub value: Option<Money>,
    /// The products in it.
    #[serde(default)]
    pub products: Vec<ShopId>,
}

/// Who said what is in a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CartSource {
    /// The request for the decision.
    Request,
    /// The shopper's profile.
    Profile,
}

/// What was known of a shopper.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RecordedFeatures {
    /// Names the list of features, with their meanings and units.
    pub catalogue: Arc<str>,
    /// Names the rules that the profile was folded by.
    pub fold_rules: u32,
    /// The age of every feature: how long before the decision everything on the log was folded, in milliseconds; absent when
    /// that is not known.
    pub age_ms: Option<i64>,
    /// From which age on, in milliseconds, an answer counted as degraded; absent in records of version 1.
    pub max_age_ms: Option<i64>,
    /// The offset after the last event the profile held, in the shopper's partition of the actions; absent when the shopper
    /// was unknown.
    pub next_offset: Option<u64>,
    /// The features, each in the unit the catalogue gives.
    pub values: RecordedValues,
}

/// The values of features.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum RecordedValues {
    /// Every feature in the order of the catalogue, in single precision, which reading by way of double precision may miss
    /// by the last bit, and to which those of version 2 are rounded; `None` where it is missing.
    InOrder(Vec<Option<f32>>),
    /// Those that are not missing, by name: what records of version 1 have.
    ByName(BTreeMap<Cow<'static, str>, f64>),
}

impl Default for RecordedValues {
    /// No features: nothing was known of the shopper.
    fn default() -> Self {
        Self::InOrder(Vec::new())
    }
}

/// The policy that chose.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RecordedPolicy {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its version.
    pub version: u32,
    /// What it went by.
    #[serde(flatten)]
    pub settings: RuleSettings,
}

/// Why bytes are not a decision record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// They are not JSON of the needed shape.
    #[error("not a decision record: {0}")]
    Shape(#[from] serde_json::Error),
    /// They are of a version that is not known here.
    #[error("a decision record of version {0}, which is not known here")]
    Version(u32),
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

impl DecisionRecord {
    /// Puts the record's bytes on the log at the end of `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        write::record(self, bytes);
    }

    /// Reads the bytes of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        match serde_json::from_slice(bytes)? {
            VersionOnly {
                v: VERSION | SPELT_OUT | BEFORE_THE_CATALOGUE,
            } => Ok(serde_json::from_slice::<Read>(bytes)?.into()),
            VersionOnly { v } => Err(RecordError::Version(v)),
        }
    }
}

impl DecisionRecord {
    /// Decides again from what the record holds. `None` for a policy, or a version of it, that is not known here.
    ///
    /// Which products could be recommended is no part of a record: those that were chosen stand for them.
    pub fn recompute(&self) -> Option<Choice> {
        let masked = |cause| self.arms.iter().any(|report| report.masked == Some(cause));
        let chosen = self.chosen.as_ref().map(|offer| &offer.content);
        let choice = RulePolicy::of(&self.policy)?.decide(&Situation {
            predictions: &self.predictions,
            cart_value: self.cart.as_ref().and_then(|cart| cart.value),
            recommend: &|_| match chosen {
                Some(OfferContent::Recommendations(chosen)) => chosen.products.clone(),
                _ => Vec::new(),
            },
            withheld: masked(MaskCause::FeaturesNotReady).then_some(MaskCause::FeaturesNotReady),
        });
        Some(choice)
    }
}

#[cfg(test)]
mod tests;
