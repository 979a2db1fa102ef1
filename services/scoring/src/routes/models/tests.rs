use foretide_events::Text;
use foretide_models::Target;
use foretide_ports::{ModelVersion, Report, ServingCause};
use serde_json::{Value, json};

use crate::testing::{MINUTE_MS, NOW, Shop, model, serving};

/// Two models of drift, of which the first serves.
async fn shop() -> (Shop, [ModelVersion; 2]) {
    let shop = Shop::new().declared().await;
    let models = [model(Target::Drift, 1.0), model(Target::Drift, 2.0)];
    for model in &models {
        shop.publish(model);
    }
    shop.publish(&serving(&models[0], 1, NOW.plus(-MINUTE_MS)));
    (shop, models)
}

fn target<'a>(listed: &'a Value, name: &str) -> &'a Value {
    let targets = listed["targets"].as_array().unwrap();
    targets
        .iter()
        .find(|target| target["target"] == name)
        .unwrap()
}

/// Lets what was written take effect.
async fn later(shop: &Shop) {
    shop.follow_artefacts().await;
    shop.clock.advance(5_000);
}

#[tokio::test]
async fn models_are_listed_with_what_serves_and_the_prior_where_none_does() {
    let (shop, [one, two]) = shop().await;
    let listed = shop.get("/v1/models").await.ok();
    let drift = target(&listed, "drift");
    assert_eq!(drift["serving"], &*one.version);
    assert_eq!(drift["models"].as_array().unwrap().len(), 2);
    assert_eq!(drift["changes"][0]["cause"], "promoted");
    let abandonment = target(&listed, "abandonment");
    assert_eq!(abandonment["serving"], Value::Null);
    assert_eq!(abandonment["models"], json!([]));
    let shown = shop
        .get(&format!("/v1/models/{}", &*one.version))
        .await
        .ok();
    assert_eq!(shown["serving"], true);
    assert_eq!(shown["card"]["training"]["examples"], 5_000);
    assert_eq!(shown["card"]["seed"], 7);
    let shown = shop
        .get(&format!("/v1/models/{}", &*two.version))
        .await
        .ok();
    assert_eq!(
        (&shown["serving"], &shown["served"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(shop.get("/v1/models/drift-0").await.status, 404);
}

#[tokio::test]
async fn why_a_challenger_waits_is_told_with_the_last_training() {
    let (shop, [one, two]) = shop().await;
    let compared = |version: Value| {
        json!({ "version": version, "from": NOW, "earlier": 3, "units": 42, "serving_loss": 0.5, "own_loss": 0.4,
            "log_evidence_superior": 1.5, "log_evidence_not_inferior": 2.5, "log_evidence_needed": 5.0, "verdict": "open" })
    };
    let examples = json!({ "learnt_from": 7, "positives": 2, "uncertain": 3, "treated": 4, "unknown_treatment": 5,
        "inactive": 6, "signed_in": 1 });
    let look = json!({ "decision": "keep", "challengers": [compared(json!(two.version))],
        "former": compared(Value::Null), "log_evidence_not_calibrated": 0.25 });
    let report = |details: Value| Report {
        kind: Text::new("drift").unwrap(),
        at: NOW,
        outcome: Text::new("trained").unwrap(),
        causes: Vec::new(),
        details,
    };
    shop.publish(&report(json!({ "examples": examples, "look": look })));
    let listed = shop.get("/v1/models").await.ok();
    let shown = &target(&listed, "drift")["last_training"];
    assert_eq!(shown["outcome"], "trained");
    assert_eq!((&shown["examples"], &shown["look"]), (&examples, &look));
    assert_eq!(target(&listed, "drift")["serving"], &*one.version);
    // One that tells nothing of it, or what makes no sense, is shown without.
    for details in [
        Value::Null,
        json!({ "examples": 7, "look": { "decision": "keep" } }),
    ] {
        shop.publish(&report(details));
        let listed = shop.get("/v1/models").await.ok();
        let shown = &target(&listed, "drift")["last_training"];
        assert_eq!(
            (&shown["examples"], &shown["look"]),
            (&Value::Null, &Value::Null)
        );
    }
}

#[tokio::test]
async fn a_promoted_model_serves_after_the_lead_and_is_rolled_back_to_what_was_before() {
    let (shop, [one, two]) = shop().await;
    let serving = |listed: &Value| target(listed, "drift")["serving"].clone();
    let post = |id: &str, what: &str| format!("/v1/models/{id}/{what}");
    let change = shop
        .post(&post(&two.version, "promote"), &json!({}))
        .await
        .ok();
    assert_eq!(
        (&change["id"], &change["cause"]),
        (&json!(&*two.version), &json!("admin"))
    );
    assert_eq!(serving(&shop.get("/v1/models").await.ok()), &*one.version);
    later(&shop).await;
    assert_eq!(serving(&shop.get("/v1/models").await.ok()), &*two.version);

    let refused = shop.post(&post(&one.version, "rollback"), &json!({})).await;
    assert_eq!(refused.status, 412);
    for expected in [json!(&*one.version), Value::Null] {
        let now = serving(&shop.get("/v1/models").await.ok());
        let path = post(now.as_str().unwrap(), "rollback");
        let change = shop.post(&path, &json!({})).await.ok();
        assert_eq!(
            (&change["id"], &change["cause"], &change["by_hand"]),
            (&expected, &json!("rolled_back"), &json!(true))
        );
        later(&shop).await;
        assert_eq!(serving(&shop.get("/v1/models").await.ok()), expected);
    }
}

#[tokio::test]
async fn only_an_admin_key_changes_what_serves_and_a_log_that_is_away_is_said() {
    let (shop, [_, two]) = shop().await;
    let path = format!("/v1/models/{}/promote", &*two.version);
    let request = axum::http::Request::post(&path);
    assert_eq!(shop.send(request, "write", String::new()).await.status, 403);
    shop.log.faults().set_away(true);
    let (status, code, _) = shop.post(&path, &json!({})).await.problem();
    assert_eq!((status, &*code), (503, "log_away"));
    shop.log.faults().set_away(false);
    // What serves already is no change.
    let (_, [one, _]) = self::shop().await;
    let path = format!("/v1/models/{}/promote", &*one.version);
    let change = shop.post(&path, &json!({})).await.ok();
    assert_eq!(change["cause"], ServingCause::Promoted.as_str());
    shop.follow_artefacts().await;
    assert_eq!(shop.artefacts.models.changes(Target::Drift).len(), 1);
}
