//! What a decision looks like from outside.

use foretide_decision::{
    Cohort, DecisionRecord, Discount, Offer, OfferContent, OfferId, OfferKind, Reason, Recommended,
};
use foretide_events::{Currency, EpochMs, Label, ShopId, ShopperId, Text};
use foretide_models::{Contribution, Predictions, Probability};
use serde::Serialize;

/// What is answered.
#[derive(Serialize)]
pub(crate) struct Answer {
    decision_id: Text<64>,
    shopper_id: ShopperId,
    /// The instant it was decided for.
    at: EpochMs,
    cohort: Cohort,
    predictions: ShownPredictions,
    /// `null` for no offer.
    offer: Option<ShownOffer>,
    reasons: Vec<Reason>,
    /// How long before `at` everything on the log was folded; `null` while profiles are being restored.
    features_age_ms: Option<i64>,
    degraded: bool,
    /// Whether it was a question only: not recorded, not counted.
    dry: bool,
}

/// The probabilities if no offer is shown.
#[derive(Serialize)]
struct ShownPredictions {
    drift: Probability,
    abandonment: Probability,
    /// The model that says so.
    source: String,
    /// What each is made of, in log-odds.
    contributions: ShownContributions,
}

#[derive(Serialize)]
struct ShownContributions {
    drift: Vec<Contribution>,
    abandonment: Vec<Contribution>,
}

#[derive(Serialize)]
struct ShownOffer {
    id: OfferId,
    kind: OfferKind,
    #[serde(flatten)]
    content: ShownContent,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ShownContent {
    /// Decimal amounts of one currency.
    Discount {
        percent: u8,
        amount: String,
        currency: Currency,
        cart_total: String,
    },
    Recommendations {
        products: Vec<Recommended>,
    },
    Content {
        content_id: ShopId,
    },
    Assistance {
        means: Label,
    },
}

impl Answer {
    /// Shows `record`.
    pub(super) fn of(record: DecisionRecord, dry: bool) -> Self {
        Self {
            decision_id: record.decision_id,
            shopper_id: record.shopper,
            at: record.at,
            cohort: record.cohort,
            predictions: ShownPredictions::of(record.predictions),
            offer: record.served.map(ShownOffer::of),
            reasons: record.reasons,
            features_age_ms: record.features.age_ms,
            degraded: record.degraded,
            dry,
        }
    }
}

impl ShownPredictions {
    fn of(predictions: Predictions) -> Self {
        Self {
            drift: predictions.drift.probability,
            abandonment: predictions.abandonment.probability,
            source: predictions.source.into_owned(),
            contributions: ShownContributions {
                drift: predictions.drift.contributions,
                abandonment: predictions.abandonment.contributions,
            },
        }
    }
}

impl ShownOffer {
    fn of(offer: Offer) -> Self {
        let kind = offer.content.kind();
        let content = match offer.content {
            OfferContent::Discount(Discount {
                percent,
                amount,
                cart_value,
            }) => ShownContent::Discount {
                percent: percent.get(),
                amount: amount.to_string(),
                currency: amount.currency,
                cart_total: cart_value.to_string(),
            },
            OfferContent::Recommendations(recommended) => ShownContent::Recommendations {
                products: recommended.products,
            },
            OfferContent::Content(content) => ShownContent::Content {
                content_id: content.content_id,
            },
            OfferContent::Assistance(assistance) => ShownContent::Assistance {
                means: assistance.means,
            },
        };
        Self {
            id: offer.id,
            kind,
            content,
        }
    }
}
