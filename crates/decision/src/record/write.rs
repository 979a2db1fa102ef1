//! Writing a record.

use foretide_events::{Money, SessionId, ShopId};
use foretide_models::{Contribution, Prediction, Predictions};

use super::{
    CartSource, DecisionRecord, RecordedCart, RecordedFeatures, RecordedPolicy, RecordedValues,
    VERSION,
};
use crate::{
    Arm, ArmReport, Cohort, Discount, Offer, OfferContent, Reason, RuleSettings, Thresholds,
    json::Json,
};

/// Appends `record` to `bytes`.
pub(super) fn record(record: &DecisionRecord, bytes: &mut Vec<u8>) {
    let DecisionRecord {
        decision_id,
        at,
        shopper,
        session,
        request_id,
        placement,
        page,
        cart,
        features,
        cohort,
        predictions,
        policy,
        arms,
        chosen,
        served,
        reasons,
        degraded,
        degraded_by,
    } = record;
    let json = &mut Json(bytes);
    json.raw(r#"{"v":"#);
    json.value(&VERSION);
    json.raw(r#","decision_id":"#);
    json.text(decision_id);
    json.raw(r#","at":"#);
    json.value(at);
    json.raw(r#","shopper":"#);
    json.value(shopper);
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
    json.raw(r#","predictions":"#);
    write_predictions(json, predictions);
    json.raw(r#","policy":"#);
    write_policy(json, policy);
    json.raw(r#","arms":"#);
    let told = arms
        .iter()
        .filter(|report| **report != ArmReport::never(report.arm));
    json.list(told, write_arm);
    json.raw(r#","chosen":"#);
    write_offer(json, chosen.as_ref());
    if served != chosen {
        json.raw(r#","served":"#);
        write_offer(json, served.as_ref());
    }
    json.raw(r#","reasons":"#);
    json.list(reasons, write_reason);
    json.raw(if *degraded {
        r#","degraded":true"#
    } else {
        r#","degraded":false"#
    });
    if !degraded_by.is_empty() {
        json.raw(r#","degraded_by":"#);
        json.list(degraded_by, |json, code| json.text(code.as_str()));
    }
    json.raw("}");
}

fn write_cart(json: &mut Json<'_>, cart: &RecordedCart) {
    let RecordedCart {
        source,
        value,
        products,
    } = cart;
    json.raw(match source {
        CartSource::Request => r#"{"source":"request""#,
        CartSource::Profile => r#"{"source":"profile""#,
    });
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
        fold_rules,
        age_ms,
        max_age_ms,
        next_offset,
        values,
    } = features;
    json.raw(r#"{"catalogue":"#);
    json.text(catalogue);
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
        RecordedValues::ByName(values) => json.value(values),
    }
    json.raw("}");
}

fn write_predictions(json: &mut Json<'_>, predictions: &Predictions) {
    let Predictions {
        drift,
        abandonment,
        source,
    } = predictions;
    json.raw(r#"{"drift":"#);
    write_prediction(json, drift);
    json.raw(r#","abandonment":"#);
    write_prediction(json, abandonment);
    json.raw(r#","source":"#);
    json.text(source);
    json.raw("}");
}

fn write_prediction(json: &mut Json<'_>, prediction: &Prediction) {
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
