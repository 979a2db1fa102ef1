//! The whole decision as it is kept on the log (U10), format version 6: one JSON object on one line.
//!
//! Every byte of a record is written three times (the log's journal, its table, and a copy on the way), and that is a good
//! part of what a decision costs. So a record says nothing that the rest of it implies:
//!
//! * `features.values` are the features that the predictions rest on, by name and to the last bit; what is missing is left out.
//!   All others follow from the log: `features` names the offset up to which the shopper's actions were folded, the rules of the
//!   fold, the reference and the catalogue, and `at` is the instant. A replay up to that offset has them as they were; a
//!   point-in-time export of that instant also holds what had happened by then and arrived later.
//! * A prediction is its probability. Its contributions are what the model that `predictions.source` names makes of the
//!   features, the cart and the cohort. Where they are not, it is an object that lists them, `[name, log-odds]` or
//!   `[name, value, log-odds]`. Models are kept for a while, records for longer: so what rests on a model other than the prior is
//!   read without its contributions, and [`DecisionRecord::predict_again`] has them from whoever knows the model.
//! * A reason is its code where its text is what the policy says of predictions of the prior, else an object with both.
//! * `arms` are those with a propensity above zero or a cause that masked them.
//! * `served` is there only where it is not what was `chosen`, `cohort` only where it is not that of everyone, and `cohorts`, which
//!   names the version that it is one of, with it; `degraded` only where the decision was.
//! * `cart.filled` is there only where the cart's value and products do not tell.
//! * `known` is there only where the pseudonym that was asked about had turned out to be another's.
//!
//! Records of the versions 1 to 5 are read as ever. Those of version 5 look no further than the pseudonym that was asked about. Those
//! of version 4 rest on the prior, know no cohorts, and left nobody without offers. The versions 1 to 3 hold all features of a
//! smaller catalogue: by name; spelt out in the order of the catalogue that `features.catalogue` names; and so rounded to single
//! precision.

mod read;
mod write;

use std::{borrow::Cow, sync::Arc};

use foretide_events::{EpochMs, Money, SessionId, ShopId, ShopperId, Text};
use foretide_features::Feature;
use foretide_models::{Predictions, Target, prior};
use serde::Deserialize;

pub use self::write::RecordWriter;

use self::read::Read;
use crate::{
    Arm, ArmReport, Choice, Cohort, KnownModels, MaskCause, Offer, OfferContent, Predicted,
    Predictors, Reason, ReasonCode, Recommended, RulePolicy, RuleSettings, Situation,
};

/// The version of the format. Any change that a reader of the former one would misread gets a new one.
const VERSION: u32 = 6;

/// The earliest version that is read.
const EARLIEST: u32 = 1;

/// Everything a decision rested on and what came of it, so that it can be explained, learnt from and replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    /// The decision's id.
    pub decision_id: Text<64>,
    /// When it was decided.
    pub at: EpochMs,
    /// For whom: the pseudonym that was asked about.
    pub shopper: ShopperId,
    /// The known shopper that this one, a device, had turned out to be by then; never so in records before version 6. Whether there are
    /// offers at all goes by the known one, and so does whoever was shown one: a person is the same before and after signing in.
    pub known: Option<ShopperId>,
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
    /// The version of the cohorts that it is one of; `None` where no others than everyone had formed.
    pub cohorts: Option<Text<64>>,
    /// What was predicted, with every contribution.
    pub predictions: Predictions,
    /// Whether the predictions are what their source makes of the features and the cart, and the reasons those that the policy
    /// gives, to the last bit: then they need not be spelt out. Never so in records before version 4.
    pub follows: bool,
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
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCart {
    /// Who said what is in it.
    pub source: CartSource,
    /// Whether there is something in it.
    pub filled: bool,
    /// What it was worth, where that was known.
    pub value: Option<Money>,
    /// The products in it.
    pub products: Vec<ShopId>,
}

impl RecordedCart {
    /// Whether its value or its products tell that there is something in it.
    fn seems_filled(value: Option<Money>, products: &[ShopId]) -> bool {
        !products.is_empty() || value.is_some_and(|value| value.minor_units > 0)
    }
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
    /// Names the reference that says what is usual among shoppers; absent in records before version 4.
    pub reference: Option<Arc<str>>,
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
#[derive(Clone, Debug, PartialEq)]
pub enum RecordedValues {
    /// Those that are not missing, by name, of the features that the predictions rest on; of all, in records of version 1.
    ByName(Vec<(Cow<'static, str>, f64)>),
    /// Every feature in the order of the catalogue, in single precision, which reading by way of double precision may miss
    /// by the last bit, and to which those of version 2 are rounded; `None` where it is missing. So in versions 2 and 3.
    InOrder(Vec<Option<f32>>),
}

impl RecordedValues {
    /// Those of `features` that are not missing, as `get` gives them.
    pub fn of(features: &[Feature], get: impl Fn(Feature) -> Option<f64>) -> Self {
        let mut values = Vec::with_capacity(features.len());
        for feature in features {
            let value = get(*feature);
            values.extend(value.map(|value| (Cow::Borrowed(feature.spec().name), value)));
        }
        Self::ByName(values)
    }

    /// The value of the feature called `name`; `None` if it is missing, or values have no names here.
    pub fn get(&self, name: &str) -> Option<f64> {
        let Self::ByName(values) = self else {
            return None;
        };
        let named = values.iter().find(|(named, _)| named == name);
        named.map(|(_, value)| *value)
    }
}

impl Default for RecordedValues {
    /// No features: nothing was known of the shopper.
    fn default() -> Self {
        Self::ByName(Vec::new())
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
    /// What it leaves out follows from a model or a policy that is not known here.
    #[error(
        "a decision record that rests on {0}, which is not known here: read it with the version of Foretide that wrote it"
    )]
    Unknown(String),
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

impl DecisionRecord {
    /// Puts the record's bytes on the log at the end of `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        RecordWriter::default().write(self, bytes);
    }

    /// Reads the bytes of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        match serde_json::from_slice(bytes)? {
            VersionOnly {
                v: EARLIEST..=VERSION,
            } => serde_json::from_slice::<Read>(bytes)?.record(),
            VersionOnly { v } => Err(RecordError::Version(v)),
        }
    }
}

impl DecisionRecord {
    /// Who it was decided for, by the pseudonym that stays: the known shopper, where that was known.
    pub fn person(&self) -> &ShopperId {
        self.known.as_ref().unwrap_or(&self.shopper)
    }

    /// Whether the person is one of those who never get an offer. An arm that was masked for it would have been chosen otherwise.
    pub fn is_untreated(&self) -> bool {
        self.policy.settings.untreated_share.holds(self.person())
    }

    /// Predicts again from the features, the cart and the cohort that the record holds. `None` for a model that `models` do not
    /// know, and where the record does not have its inputs in full.
    pub fn predict_again(&self, models: &dyn KnownModels) -> Option<Predictions> {
        if !self.follows {
            return None;
        }
        let model = |target| match self.predictions.source(target) {
            prior::NAME => Some(None),
            version => models.model(target, version).map(Some),
        };
        let predictors = Predictors {
            drift: model(Target::Drift)?,
            abandonment: model(Target::Abandonment)?,
        };
        Some(self.predict_by(&predictors))
    }

    fn predict_by(&self, predictors: &Predictors) -> Predictions {
        let values = &self.features.values;
        let cohorts = self.cohorts.as_deref();
        predictors.predict(&Predicted {
            feature: &|feature| values.get(feature.spec().name),
            has_cart: self.cart.as_ref().is_some_and(|cart| cart.filled),
            cohort: cohorts.map(|version| (version, &*self.cohort.id)),
        })
    }

    /// Decides again from what the record holds: from the features, where its predictions follow from them and `models` know
    /// who made them, else from the predictions. `None` for a policy, or a version of it, that is not known here.
    ///
    /// Which products could be recommended is no part of a record: those that were chosen stand for them.
    pub fn recompute(&self, models: &dyn KnownModels) -> Option<Choice> {
        let again = self.predict_again(models);
        let choice = RulePolicy::of(&self.policy)?.decide(&Situation {
            predictions: again.as_ref().unwrap_or(&self.predictions),
            cart_value: self.cart.as_ref().and_then(|cart| cart.value),
            recommend: &|_| self.recommendable(),
            withheld: self.withheld(),
        });
        Some(choice)
    }

    fn withheld(&self) -> Option<MaskCause> {
        let masked = |cause| self.arms.iter().any(|report| report.masked == Some(cause));
        if masked(MaskCause::FeaturesNotReady) {
            return Some(MaskCause::FeaturesNotReady);
        }
        self.is_untreated().then_some(MaskCause::Untreated)
    }

    fn recommendable(&self) -> Vec<Recommended> {
        let chosen = self.chosen.as_ref().map(|offer| &offer.content);
        if let Some(OfferContent::Recommendations(chosen)) = chosen {
            return chosen.products.clone();
        }
        // There were some, or the arm would be masked for that.
        let was_due = |report: &ArmReport| {
            report.arm == Arm::Recommendations && report.masked == Some(MaskCause::Untreated)
        };
        let any = Recommended {
            product_id: ShopId::default(),
            category: None,
        };
        let due = self.arms.iter().any(was_due);
        due.then_some(any).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
