//! Reading a record of any version.

use std::{borrow::Cow, fmt, sync::Arc};

use foretide_events::{EpochMs, Money, SessionId, ShopId, ShopperId, Text};
use foretide_models::{Contribution, Prediction, Predictions, Probability, Target, prior};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::{
    CartSource, DecisionRecord, RecordError, RecordedCart, RecordedFeatures, RecordedPolicy,
    RecordedValues,
};
use crate::{Arm, ArmReport, Cohort, Offer, Predictors, Reason, ReasonCode};

/// A record as it is stored.
#[derive(Deserialize)]
pub(super) struct Read {
    decision_id: Text<64>,
    at: EpochMs,
    shopper: ShopperId,
    known: Option<ShopperId>,
    session: Option<SessionId>,
    request_id: Option<Text<128>>,
    placement: Option<Text<128>>,
    page: Option<Text<1024>>,
    cart: Option<RecordedCart>,
    features: RecordedFeatures,
    cohort: Option<Cohort>,
    cohorts: Option<Text<64>>,
    predictions: ReadPredictions,
    policy: Arc<RecordedPolicy>,
    arms: Vec<ArmReport>,
    chosen: Option<Offer>,
    #[serde(default)]
    served: Served,
    reasons: Vec<ReadReason>,
    #[serde(default)]
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
#[serde(untagged)]
enum ReadPrediction {
    /// The rest follows.
    Bare(Probability),
    SpeltOut {
        probability: Probability,
        contributions: Vec<ReadContribution>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReadReason {
    /// Its text follows.
    Bare(ReasonCode),
    SpeltOut(Reason),
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

impl Read {
    /// The record, with what follows from the rest of it.
    pub(super) fn record(self) -> Result<DecisionRecord, RecordError> {
        let report = |arm| {
            let told = self.arms.iter().find(|report| report.arm == arm);
            told.copied().unwrap_or(ArmReport::never(arm))
        };
        let follows = matches!(
            self.predictions,
            ReadPredictions {
                drift: ReadPrediction::Bare(_),
                abandonment: ReadPrediction::Bare(_),
                ..
            }
        );
        let mut record = DecisionRecord {
            arms: Arm::ALL.map(report),
            decision_id: self.decision_id,
            at: self.at,
            shopper: self.shopper,
            known: self.known,
            session: self.session,
            request_id: self.request_id,
            placement: self.placement,
            page: self.page,
            cart: self.cart,
            features: self.features,
            cohort: self.cohort.unwrap_or(Cohort::EVERYONE),
            cohorts: self.cohorts,
            predictions: self.predictions.into(),
            follows,
            policy: self.policy,
            served: match self.served {
                Served::AsChosen => self.chosen.clone(),
                Served::Otherwise(served) => served,
            },
            chosen: self.chosen,
            reasons: Vec::new(),
            degraded: self.degraded,
            degraded_by: self.degraded_by,
        };
        record.add_contributions();
        record.add_reasons(self.reasons)?;
        Ok(record)
    }
}

impl DecisionRecord {
    /// Adds the contributions that follow from the prior; those of other models are theirs to tell. The probabilities stay as they
    /// were recorded.
    fn add_contributions(&mut self) {
        if !self.follows {
            return;
        }
        let by_prior = self.predict_by(&Predictors::default());
        if self.predictions.source(Target::Drift) == prior::NAME {
            self.predictions.drift.contributions = by_prior.drift.contributions;
        }
        if self.predictions.source(Target::Abandonment) == prior::NAME {
            self.predictions.abandonment.contributions = by_prior.abandonment.contributions;
        }
    }

    /// Adds `reasons`, with the texts that follow.
    fn add_reasons(&mut self, reasons: Vec<ReadReason>) -> Result<(), RecordError> {
        let mut given = None;
        for reason in reasons {
            let reason = match reason {
                ReadReason::SpeltOut(reason) => reason,
                ReadReason::Bare(code) => {
                    if self.follows && self.predictions.source != prior::NAME {
                        let model = format!("the model {}", self.predictions.source);
                        return Err(RecordError::Unknown(model));
                    }
                    let again = || self.recompute(&()).map(|choice| choice.reasons.into_iter());
                    let given = match &mut given {
                        Some(given) => Some(given),
                        none => again().map(|again| none.insert(again)),
                    };
                    let found = given.and_then(|given| given.find(|given| given.code == code));
                    found.ok_or_else(|| {
                        let RecordedPolicy { name, version, .. } = &*self.policy;
                        RecordError::Unknown(format!("version {version} of the policy {name}"))
                    })?
                }
            };
            self.reasons.push(reason);
        }
        Ok(())
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
        match read {
            ReadPrediction::Bare(probability) => Self {
                probability,
                contributions: Vec::new(),
            },
            ReadPrediction::SpeltOut {
                probability,
                contributions,
            } => Self {
                probability,
                contributions: contributions.into_iter().map(Contribution::from).collect(),
            },
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

#[derive(Deserialize)]
struct ReadCart {
    source: CartSource,
    filled: Option<bool>,
    value: Option<Money>,
    #[serde(default)]
    products: Vec<ShopId>,
}

impl<'de> Deserialize<'de> for RecordedCart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ReadCart {
            source,
            filled,
            value,
            products,
        } = Deserialize::deserialize(deserializer)?;
        Ok(Self {
            source,
            filled: filled.unwrap_or_else(|| Self::seems_filled(value, &products)),
            value,
            products,
        })
    }
}

impl<'de> Deserialize<'de> for RecordedValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = RecordedValues;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("values of features, by name or in order")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordedValues, A::Error> {
                let mut values = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, f64>()? {
                    values.push((name.into(), value));
                }
                Ok(RecordedValues::ByName(values))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RecordedValues, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(RecordedValues::InOrder(values))
            }
        }

        deserializer.deserialize_any(Values)
    }
}
