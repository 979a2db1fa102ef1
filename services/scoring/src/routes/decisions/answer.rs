//! What a decision looks like from outside.

use foretide_decision::{
    Cohort, DecisionRecord, Discount, Offer, OfferContent, OfferId, OfferKind, Reason, Recommended,
};
use foretide_events::{Currency, EpochMs, Label, ShopId, ShopperId, Text};
use foretide_models::{Contribution, Predictions, Probability};
use schemars::JsonSchema;
use serde::Serialize;

/// What is answered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Decision")]
pub(crate) struct Answer {
    /// Names the decision.
    decision_id: Text<64>,
    /// The shopper's pseudonym.
    shopper_id: ShopperId,
    /// The instant it was decided for.
    at: EpochMs,
    /// The group of shoppers it was decided for.
    cohort: Cohort,
    /// What it rests on.
    predictions: ShownPredictions,
    /// What to show; `null` for no offer.
    offer: Option<ShownOffer>,
    /// Why, the first reason first.
    reasons: Vec<Reason>,
    /// How long before `at` everything on the log was folded; `null` while profiles are being restored.
    features_age_ms: Option<i64>,
    /// Whether something behind was down or late: the reasons say what.
    degraded: bool,
    /// Whether it was a question only: not recorded, not counted.
    dry: bool,
}

/// The probabilities if no offer is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Predictions")]
struct ShownPredictions {
    /// That the shopper's engagement falls.
    drift: Probability,
    /// That the purchase is abandoned in this visit.
    abandonment: Probability,
    /// The model that says so.
    source: String,
    /// What each is made of, in log-odds.
    contributions: ShownContributions,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Contributions")]
struct ShownContributions {
    drift: Vec<Contribution>,
    abandonment: Vec<Contribution>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MadeOffer")]
struct ShownOffer {
    /// Which offer of the catalogue.
    id: OfferId,
    /// What it offers.
    kind: OfferKind,
    #[serde(flatten)]
    content: ShownContent,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "MadeContent")]
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
