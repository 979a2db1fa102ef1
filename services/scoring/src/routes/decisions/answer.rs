//! What a decision looks like from outside.

use std::cell::RefCell;

use bytes::Bytes;
use foretide_decision::{
    Cohort, DecisionRecord, Discount, OfferContent, OfferId, OfferKind, Reason, Recommended,
    json::Json,
};
use foretide_events::{Currency, EpochMs, Label, ShopId, ShopperId, Text};
use foretide_models::{Contribution, Prediction, Probability};
use schemars::JsonSchema;

thread_local! {
    /// What a thread puts answers together in.
    static DRAFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is answered. It is written by hand, because it is written for every page of a shop.
#[derive(JsonSchema)]
#[cfg_attr(test, derive(serde::Serialize))]
#[schemars(rename = "Decision")]
pub(crate) struct Answer<'a> {
    /// Names the decision.
    decision_id: &'a Text<64>,
    /// The shopper's pseudonym.
    shopper_id: ShopperId,
    /// The instant it was decided for.
    at: EpochMs,
    /// The group of shoppers it was decided for.
    cohort: &'a Cohort,
    /// What it rests on.
    predictions: ShownPredictions<'a>,
    /// What to show; `null` for no offer.
    offer: Option<ShownOffer<'a>>,
    /// Why, the first reason first.
    reasons: &'a Vec<Reason>,
    /// How long before `at` everything on the log was folded; `null` while profiles are being restored.
    features_age_ms: Option<i64>,
    /// Whether something behind was down or late: the reasons say what.
    degraded: bool,
    /// Whether it was a question only: not recorded, not counted.
    dry: bool,
}

/// The probabilities if no offer is shown.
#[derive(JsonSchema)]
#[cfg_attr(test, derive(serde::Serialize))]
#[schemars(rename = "Predictions")]
struct ShownPredictions<'a> {
    /// That the shopper's engagement falls.
    drift: Probability,
    /// That the purchase is abandoned in this visit.
    abandonment: Probability,
    /// The models that say so: one name for both, or that of drift, ` + `, and that of abandonment.
    source: &'a str,
    /// What each is made of, in log-odds.
    contributions: ShownContributions<'a>,
}

#[derive(JsonSchema)]
#[cfg_attr(test, derive(serde::Serialize))]
#[schemars(rename = "Contributions")]
struct ShownContributions<'a> {
    drift: &'a Vec<Contribution>,
    abandonment: &'a Vec<Contribution>,
}

#[derive(JsonSchema)]
#[cfg_attr(test, derive(serde::Serialize))]
#[schemars(rename = "MadeOffer")]
struct ShownOffer<'a> {
    /// Which offer of the catalogue.
    id: &'a OfferId,
    /// What it offers.
    kind: OfferKind,
    #[schemars(flatten)]
    #[cfg_attr(test, serde(flatten))]
    content: ShownContent<'a>,
}

#[derive(JsonSchema)]
#[cfg_attr(test, derive(serde::Serialize), serde(untagged))]
#[schemars(untagged, rename = "MadeContent")]
enum ShownContent<'a> {
    /// Decimal amounts of one currency.
    Discount {
        percent: u8,
        amount: String,
        currency: Currency,
        cart_total: String,
    },
    Recommendations {
        products: &'a Vec<Recommended>,
    },
    Content {
        content_id: &'a ShopId,
    },
    Assistance {
        means: &'a Label,
    },
}

impl<'a> Answer<'a> {
    /// Shows `record`.
    pub(super) fn of(record: &'a DecisionRecord, dry: bool) -> Self {
        Self {
            decision_id: &record.decision_id,
            shopper_id: record.shopper,
            at: record.at,
            cohort: &record.cohort,
            predictions: ShownPredictions {
                drift: record.predictions.drift.probability,
                abandonment: record.predictions.abandonment.probability,
                source: &record.predictions.source,
                contributions: ShownContributions {
                    drift: contributions(&record.predictions.drift),
                    abandonment: contributions(&record.predictions.abandonment),
                },
            },
            offer: record.served.as_ref().map(|offer| ShownOffer {
                id: &offer.id,
                kind: offer.content.kind(),
                content: ShownContent::of(&offer.content),
            }),
            reasons: &record.reasons,
            features_age_ms: record.features.age_ms,
            degraded: record.degraded,
            dry,
        }
    }

    /// Its text. It is put together in memory of the thread, and then has a piece of just its size: the allocator is slow with those that
    /// are large enough for any answer.
    pub(super) fn text(&self) -> Bytes {
        DRAFT.with_borrow_mut(|draft| {
            draft.clear();
            self.write(&mut Json(draft));
            Bytes::copy_from_slice(draft)
        })
    }

    fn write(&self, json: &mut Json<'_>) {
        let Self {
            decision_id,
            shopper_id,
            at,
            cohort,
            predictions,
            offer,
            reasons,
            features_age_ms,
            degraded,
            dry,
        } = self;
        json.raw(r#"{"decision_id":"#);
        json.text(decision_id);
        json.raw(r#","shopper_id":"#);
        json.value(shopper_id);
        json.raw(r#","at":"#);
        json.value(at);
        json.raw(r#","cohort":{"id":"#);
        json.text(&cohort.id);
        json.raw(r#","name":"#);
        json.text(&cohort.name);
        json.raw(r#"},"predictions":"#);
        predictions.write(json);
        json.raw(r#","offer":"#);
        match offer {
            Some(offer) => offer.write(json),
            None => json.raw("null"),
        }
        json.raw(r#","reasons":"#);
        json.list(*reasons, |json, reason| {
            json.raw(r#"{"code":"#);
            json.text(reason.code.as_str());
            json.raw(r#","text":"#);
            json.text(&reason.text);
            json.raw("}");
        });
        json.raw(r#","features_age_ms":"#);
        json.value(features_age_ms);
        json.raw(if *degraded {
            r#","degraded":true"#
        } else {
            r#","degraded":false"#
        });
        json.raw(if *dry {
            r#","dry":true}"#
        } else {
            r#","dry":false}"#
        });
    }
}

/// The terms of a prediction.
fn contributions(prediction: &Prediction) -> &Vec<Contribution> {
    &prediction.contributions
}

impl ShownPredictions<'_> {
    fn write(&self, json: &mut Json<'_>) {
        let Self {
            drift,
            abandonment,
            source,
            contributions,
        } = self;
        json.raw(r#"{"drift":"#);
        json.number(drift.get());
        json.raw(r#","abandonment":"#);
        json.number(abandonment.get());
        json.raw(r#","source":"#);
        json.text(source);
        json.raw(r#","contributions":{"drift":"#);
        json.list(contributions.drift, write_contribution);
        json.raw(r#","abandonment":"#);
        json.list(contributions.abandonment, write_contribution);
        json.raw("}}");
    }
}

fn write_contribution(json: &mut Json<'_>, contribution: &Contribution) {
    let Contribution {
        feature,
        value,
        log_odds,
    } = contribution;
    json.raw(r#"{"feature":"#);
    json.text(feature);
    json.field(r#","value":"#, *value, Json::number);
    json.raw(r#","log_odds":"#);
    json.number(*log_odds);
    json.raw("}");
}

impl ShownOffer<'_> {
    fn write(&self, json: &mut Json<'_>) {
        let Self { id, kind, content } = self;
        json.raw(r#"{"id":"#);
        json.text(id.as_str());
        json.raw(r#","kind":"#);
        json.text(kind.as_str());
        match content {
            ShownContent::Discount {
                percent,
                amount,
                currency,
                cart_total,
            } => {
                json.raw(r#","percent":"#);
                json.value(percent);
                json.raw(r#","amount":"#);
                json.text(amount);
                json.raw(r#","currency":"#);
                json.text(currency.as_str());
                json.raw(r#","cart_total":"#);
                json.text(cart_total);
            }
            ShownContent::Recommendations { products } => {
                json.raw(r#","products":"#);
                json.value(products);
            }
            ShownContent::Content { content_id } => {
                json.raw(r#","content_id":"#);
                json.text(content_id);
            }
            ShownContent::Assistance { means } => {
                json.raw(r#","means":"#);
                json.value(means);
            }
        }
        json.raw("}");
    }
}

impl<'a> ShownContent<'a> {
    fn of(content: &'a OfferContent) -> Self {
        match content {
            OfferContent::Discount(Discount {
                percent,
                amount,
                cart_value,
            }) => Self::Discount {
                percent: percent.get(),
                amount: amount.to_string(),
                currency: amount.currency,
                cart_total: cart_value.to_string(),
            },
            OfferContent::Recommendations(recommended) => Self::Recommendations {
                products: &recommended.products,
            },
            OfferContent::Content(content) => Self::Content {
                content_id: &content.content_id,
            },
            OfferContent::Assistance(assistance) => Self::Assistance {
                means: &assistance.means,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use foretide_decision::{Assistance, Content, Offer, Recommendations};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{MINUTE_MS, Shop, add};

    /// What is written is what the description's type says.
    #[track_caller]
    fn assert_true(record: &DecisionRecord) {
        for dry in [false, true] {
            let answer = Answer::of(record, dry);
            let written: Value = serde_json::from_slice(&answer.text()).unwrap();
            let described = serde_json::to_string(&answer).unwrap();
            let mut described: Value = serde_json::from_str(&described).unwrap();
            make_whole(&mut described);
            assert_eq!(written, described);
        }
    }

    /// Numbers without a fraction are written without one.
    #[expect(clippy::cast_possible_truncation, reason = "what is cut off is seen")]
    fn make_whole(value: &mut Value) {
        match value {
            Value::Number(number) => {
                let is_whole = |float: &f64| (*float as i64 as f64).to_bits() == float.to_bits();
                let float = number.as_f64().filter(is_whole);
                if let Some(float) = float {
                    *value = json!(float as i64);
                }
            }
            Value::Array(values) => values.iter_mut().for_each(make_whole),
            Value::Object(values) => values.values_mut().for_each(make_whole),
            _ => {}
        }
    }

    #[tokio::test]
    async fn an_answer_is_written_as_it_is_described() {
        let shop = Shop::new().declared().await;
        shop.fold("ann", 10 * MINUTE_MS, add("p1", 5_995));
        shop.decide(&json!({"shopper": {"user_id": "ann"}}))
            .await
            .ok();
        let mut record = shop.recorded().await.remove(0);
        assert!(record.served.is_some());
        assert_true(&record);
        let id = ShopId::new("p\"1").unwrap();
        let product = Recommended {
            product_id: id.clone(),
            category: None,
        };
        for content in [
            OfferContent::Content(Content { content_id: id }),
            OfferContent::Assistance(Assistance {
                means: Label::new("chat").unwrap(),
            }),
            OfferContent::Recommendations(Recommendations {
                products: vec![product],
            }),
        ] {
            record.served = Some(Offer {
                id: OfferId::new("o \\ ü").unwrap(),
                version: None,
                content,
            });
            assert_true(&record);
        }
        record.served = None;
        record.reasons.clear();
        record.degraded = true;
        record.features.age_ms = None;
        assert_true(&record);
    }
}
