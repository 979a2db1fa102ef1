//! Reading a record of any version.

use std::{borrow::Cow, sync::Arc};

use foretide_events::{EpochMs, SessionId, ShopperId, Text};
use foretide_models::{Contribution, Prediction, Predictions, Probability};
use serde::{Deserialize, Deserializer};

use super::{DecisionRecord, RecordedCart, RecordedFeatures, RecordedPolicy};
use crate::{Arm, ArmReport, Cohort, Offer, Reason, ReasonCode};

/// A record as it is stored.
#[derive(Deserialize)]
pub(super) struct Read {
    decision_id: Text<64>,
    at: EpochMs,
    shopper: ShopperId,
    session: Option<SessionId>,
    request_id: Option<Text<128>>,
    placement: Option<Text<128>>,
    page: Option<Text<1024>>,
    cart: Option<RecordedCart>,
    features: RecordedFeatures,
    cohort: Option<Cohort>,
    predictions: ReadPredictions,
    policy: Arc<RecordedPolicy>,
    arms: Vec<ArmReport>,
    chosen: Option<Offer>,
    #[serde(default)]
    served: Served,
    reasons: Vec<Reason>,
    degraded: bool,
    #[serde(default)]
    degraded_by: Vec<ReasonCode>,
}

#[derive(Deserialize)]
struct ReadPredictions {
    drift: ReadPrediction,
    abandonment: ReadPrediction,
    source: Cow<'static, str>,
}

#[derive(Deserialize)]
struct ReadPrediction {
    probability: Probability,
    contributions: Vec<ReadContribution>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReadContribution {
    Bare(Cow<'static, str>, f64),
    Valued(Cow<'static, str>, f64, f64),
    SpeltOut(Contribution),
}

/// What the shopper got, as a record says it.
#[derive(Default)]
enum Served {
    /// It says nothing.
    #[default]
    AsChosen,
    /// This, or nothing.
    Otherwise(Option<Offer>),
}

impl<'de> Deserialize<'de> for Served {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Otherwise)
    }
}

impl From<Read> for DecisionRecord {
    fn from(read: Read) -> Self {
        let report = |arm| {
            let told = read.arms.iter().find(|report| report.arm == arm);
            told.copied().unwrap_or(ArmReport::never(arm))
        };
        Self {
            arms: Arm::ALL.map(report),
            decision_id: read.decision_id,
            at: read.at,
            shopper: read.shopper,
            session: read.session,
            request_id: read.request_id,
            placement: read.placement,
            page: read.page,
            cart: read.cart,
            features: read.features,
            cohort: read.cohort.unwrap_or(Cohort::EVERYONE),
            predictions: read.predictions.into(),
            policy: read.policy,
            served: match read.served {
                Served::AsChosen => read.chosen.clone(),
                Served::Otherwise(served) => served,
            },
            chosen: read.chosen,
            reasons: read.reasons,
            degraded: read.degraded,
            degraded_by: read.degraded_by,
        }
    }
}

impl From<ReadPredictions> for Predictions {
    fn from(read: ReadPredictions) -> Self {
        Self {
            drift: read.drift.into(),
            abandonment: read.abandonment.into(),
            source: read.source,
        }
    }
}

impl From<ReadPrediction> for Prediction {
    fn from(read: ReadPrediction) -> Self {
        let terms = read.contributions.into_iter().map(Contribution::from);
        Self {
            probability: read.probability,
            contributions: terms.collect(),
        }
    }
}

impl From<ReadContribution> for Contribution {
    fn from(read: ReadContribution) -> Self {
        match read {
            ReadContribution::Bare(feature, log_odds) => Self {
                feature,
                value: None,
                log_odds,
            },
            ReadContribution::Valued(feature, value, log_odds) => Self {
                feature,
                value: Some(value),
                log_odds,
            },
            ReadContribution::SpeltOut(contribution) => contribution,
        }
    }
}
