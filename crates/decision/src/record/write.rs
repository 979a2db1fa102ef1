//! Writing a record.

use std::sync::Arc;

use foretide_events::{Money, SessionId, ShopId};
use foretide_models::{Contribution, Prediction, Predictions, prior};

use super::{
    CartSource, DecisionRecord, RecordedCart, RecordedFeatures, RecordedPolicy, RecordedValues,
    VERSION,
};
use crate::{
    Arm, ArmReport, Cohort, Discount, Offer, OfferContent, Reason, RuleSettings, Thresholds,
    json::Json,
};

/// Writes records. Most go by the same policy as the one before, whose text is kept.
#[derive(Debug, Default)]
pub struct RecordWriter {
    policy: Option<(Arc<RecordedPolicy>, String)>,
}

impl RecordWriter {
    /// Puts the bytes of `record` on the log at the end of `bytes`.
    pub fn write(&mut self, record: &DecisionRecord, bytes: &mut Vec<u8>) {
        let policy = self.policy(&record.policy);
        write_record(record, policy, &mut Json(bytes));
    }

    /// The text of `policy`.
    fn policy(&mut self, policy: &Arc<RecordedPolicy>) -> &str {
        let is_same = |kept: &(Arc<RecordedPolicy>, String)| Arc::ptr_eq(&kept.0, policy);
        if !self.policy.as_ref().is_some_and(is_same) {
            let mut text = Vec::new();
            write_policy(&mut Json(&mut text), policy);
            let text = String::from_utf8(text).unwrap_or_default();
            self.policy = Some((Arc::clone(policy), text));
        }
        self.policy.as_ref().map_or("null", |(_, text)| text)
    }
}

fn write_record(record: &DecisionRecord, policy: &str, json: &mut Json<'_>) {
    let DecisionRecord {
        decision_id,
        at,
        shopper,
        known,
        session,
        request_id,
        placement,
        page,
        cart,
        features,
        cohort,
        cohorts,
        predictions,
        follows,
        policy: _,
        arms,
        chosen,
        served,
        reasons,
        degraded,
        degraded_by,
    } = record;
    json.raw(r#"{"v":"#);
    json.value(&VERSION);
    json.raw(r#","decision_id":"#);
    json.text(decision_id);
    json.raw(r#","at":"#);
    json.value(at);
    json.raw(r#","shopper":"#);
    json.value(shopper);
    json.field(r#","known":"#, known.as_ref(), Json::value);
    let session = session.as_ref().map(SessionId::as_str);
    json.field(r#","session":"#, session, Json::text);
    json.field(r#","request_id":"#, request_id.as_deref(), Json::text);
    json.field(r#","placement":"#, placement.as_deref(), Json::text);
    json.field(r#","page":"#, page.as_deref(), Json::text);
    json.field(r#","cart":"#, cart.as_ref(), write_cart);
    json.raw(r#","features":"#);
    write_features(json, features);
    if *cohort != Cohort::EVERYONE {
        json.raw(r#","cohort":"#);
        json.value(cohort);
    }
    json.field(r#","cohorts":"#, cohorts.as_deref(), Json::text);
    json.raw(r#","predictions":"#);
    write_predictions(json, predictions, *follows);
    json.raw(r#","policy":"#);
    json.raw(policy);
    json.raw(r#","arms":"#);
    let told = arms
        .iter()
        .filter(|report| **report != ArmReport::never(report.arm));
    json.list(told, write_arm);
    json.field(r#","chosen":"#, chosen.as_ref(), |json, chosen| {
        write_offer(json, Some(chosen));
    });
    if served != chosen {
        json.raw(r#","served":"#);
        write_offer(json, served.as_ref());
    }
    json.raw(r#","reasons":"#);
    let known = *follows && predictions.source == prior::NAME;
    json.list(reasons, |json, reason| {
        if known && reason.code.is_of_the_policy() {
            json.text(reason.code.as_str());
        } else {
            write_reason(json, reason);
        }
    });
    if *degraded {
        json.raw(r#","degraded":true"#);
    }
    if !degraded_by.is_empty() {
        json.raw(r#","degraded_by":"#);
        json.list(degraded_by, |json, code| json.text(code.as_str()));
    }
    json.raw("}");
}

fn write_cart(json: &mut Json<'_>, cart: &RecordedCart) {
    let RecordedCart {
        source,
        filled,
        value,
        products,
    } = cart;
    json.raw(match source {
        CartSource::Request => r#"{"source":"request""#,
        CartSource::Profile => r#"{"source":"profile""#,
    });
    if *filled != RecordedCart::seems_filled(*value, products) {
        json.raw(if *filled {
            r#","filled":true"#
        } else {
            r#","filled":false"#
        });
    }
    json.field(r#","value":"#, *value, write_money);
    if !products.is_empty() {
        json.raw(r#","products":"#);
        json.list(products, |json, product: &ShopId| json.text(product));
    }
    json.raw("}");
}

fn write_money(json: &mut Json<'_>, money: Money) {
    json.raw(r#"{"minor_units":"#);
    json.value(&money.minor_units);
    json.raw(r#","currency":"#);
    json.text(money.currency.as_str());
    json.raw("}");
}

fn write_features(json: &mut Json<'_>, features: &RecordedFeatures) {
    let RecordedFeatures {
        catalogue,
        reference,
        fold_rules,
        age_ms,
        max_age_ms,
        next_offset,
        values,
    } = features;
    json.raw(r#"{"catalogue":"#);
    json.text(catalogue);
    json.field(r#","reference":"#, reference.as_deref(), Json::text);
    json.raw(r#","fold_rules":"#);
    json.value(fold_rules);
    json.field(r#","age_ms":"#, age_ms.as_ref(), Json::value);
    json.field(r#","max_age_ms":"#, max_age_ms.as_ref(), Json::value);
    json.field(r#","next_offset":"#, next_offset.as_ref(), Json::value);
    json.raw(r#","values":"#);
    match values {
        RecordedValues::InOrder(values) => json.list(values, |json, value| match value {
            Some(value) => json.single(*value),
            None => json.raw("null"),
        }),
        RecordedValues::ByName(values) => {
            let mut separator = "{";
            for (name, value) in values {
                json.raw(separator);
                json.text(name);
                json.raw(":");
                json.number(*value);
                separator = ",";
            }
            json.raw(if values.is_empty() { "{}" } else { "}" });
        }
    }
    json.raw("}");
}

fn write_predictions(json: &mut Json<'_>, predictions: &Predictions, follow: bool) {
    let Predictions {
        drift,
        abandonment,
        source,
    } = predictions;
    json.raw(r#"{"drift":"#);
    write_prediction(json, drift, follow);
    json.raw(r#","abandonment":"#);
    write_prediction(json, abandonment, follow);
    json.raw(r#","source":"#);
    json.text(source);
    json.raw("}");
}

fn write_prediction(json: &mut Json<'_>, prediction: &Prediction, follows: bool) {
    if follows {
        return json.number(prediction.probability.get());
    }
    json.raw(r#"{"probability":"#);
    json.number(prediction.probability.get());
    json.raw(r#","contributions":"#);
    json.list(&prediction.contributions, |json, term| {
        let Contribution {
            feature,
            value,
            log_odds,
        } = term;
        json.raw("[");
        json.text(feature);
        json.field(",", *value, Json::number);
        json.raw(",");
        json.number(*log_odds);
        json.raw("]");
    });
    json.raw("}");
}

fn write_policy(json: &mut Json<'_>, policy: &RecordedPolicy) {
    let RecordedPolicy {
        name,
        version,
        settings,
    } = policy;
    let RuleSettings {
        store_revision,
        thresholds: Thresholds { abandonment, drift },
        discount,
        recommendations,
        untreated_share,
    } = settings;
    json.raw(r#"{"name":"#);
    json.text(name);
    json.raw(r#","version":"#);
    json.value(version);
    json.field(
        r#","store_revision":"#,
        store_revision.as_ref(),
        Json::value,
    );
    json.raw(r#","thresholds":{"abandonment":"#);
    json.number(abandonment.get());
    json.raw(r#","drift":"#);
    json.number(drift.get());
    json.raw("}");
    json.field(r#","discount":"#, discount.as_ref(), Json::value);
    json.field(
        r#","recommendations":"#,
        recommendations.as_ref(),
        Json::value,
    );
    if !untreated_share.is_none() {
        json.raw(r#","untreated_share":"#);
        json.number(untreated_share.get());
    }
    json.raw("}");
}

fn write_arm(json: &mut Json<'_>, report: &ArmReport) {
    json.raw(match report.arm {
        Arm::Discount => r#"{"arm":"discount","propensity":"#,
        Arm::Recommendations => r#"{"arm":"recommendations","propensity":"#,
        Arm::Nothing => r#"{"arm":"nothing","propensity":"#,
    });
    json.number(report.propensity);
    json.field(r#","masked":"#, report.masked.as_ref(), Json::value);
    json.raw("}");
}

fn write_offer(json: &mut Json<'_>, offer: Option<&Offer>) {
    let Some(offer) = offer else {
        return json.raw("null");
    };
    let Offer {
        id,
        version,
        content,
    } = offer;
    json.raw(r#"{"id":"#);
    json.text(id.as_str());
    json.field(r#","version":"#, version.as_ref(), Json::value);
    json.raw(r#","kind":"#);
    json.text(content.kind().as_str());
    match content {
        OfferContent::Discount(discount) => write_discount(json, discount),
        OfferContent::Recommendations(recommendations) => {
            json.raw(r#","products":"#);
            json.value(&recommendations.products);
        }
        OfferContent::Content(content) => {
            json.raw(r#","content_id":"#);
            json.text(&content.content_id);
        }
        OfferContent::Assistance(assistance) => {
            json.raw(r#","means":"#);
            json.value(&assistance.means);
        }
    }
    json.raw("}");
}

fn write_discount(json: &mut Json<'_>, discount: &Discount) {
    let Discount {
        percent,
        amount,
        cart_value,
    } = *discount;
    json.raw(r#","percent":"#);
    json.value(&percent);
    json.raw(r#","amount":"#);
    write_money(json, amount);
    json.raw(r#","cart_value":"#);
    write_money(json, cart_value);
}

fn write_reason(json: &mut Json<'_>, reason: &Reason) {
    json.raw(r#"{"code":"#);
    json.text(reason.code.as_str());
    json.raw(r#","text":"#);
    json.text(&reason.text);
    json.raw("}");
}
