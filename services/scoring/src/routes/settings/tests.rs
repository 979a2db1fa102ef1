use serde_json::{Value, json};

use crate::testing::{MINUTE_MS, Shop, add};

async fn setting(shop: &Shop, name: &str) -> Value {
    let answer = shop.get("/v1/settings").await.ok();
    let settings = answer["settings"].as_array().unwrap();
    settings
        .iter()
        .find(|setting| setting["name"] == name)
        .unwrap()
        .clone()
}

#[tokio::test]
async fn every_setting_is_listed_with_its_default_and_meaning() {
    let shop = Shop::new();
    let answer = shop.get("/v1/settings").await.ok();
    assert_eq!(answer["settings"].as_array().unwrap().len(), 3);
    assert_eq!(
        setting(&shop, "discount_threshold").await,
        json!({"name": "discount_threshold", "value": 0.7, "default": 0.7, "minimum": 0.0, "maximum": 1.0,
               "meaning": "a probability of abandonment above this gets a discount", "version": null, "updated_at": null})
    );
}

#[tokio::test]
async fn a_setting_counts_from_the_next_decision_on_until_it_is_taken_away() {
    let shop = Shop::new().declared().await;
    shop.fold("ann", 10 * MINUTE_MS, add("p1", 10_000));
    let ask = json!({"shopper": {"user_id": "ann"}});
    let path = "/v1/settings/discount_threshold";
    let set = shop.put(path, &json!({"value": 0.99})).await;
    assert_eq!(
        (set.header("etag"), set.ok()["value"].clone()),
        ("\"1\"", 0.99.into())
    );
    assert_eq!(shop.decide(&ask).await.ok()["offer"], Value::Null);
    let reset = shop.delete(path).await.ok();
    assert_eq!(
        (&reset["value"], &reset["version"]),
        (&0.7.into(), &Value::Null)
    );
    assert_eq!(shop.decide(&ask).await.ok()["offer"]["kind"], "discount");
    assert_eq!(shop.delete(path).await.status, 200);
    let records = shop.recorded().await;
    let thresholds = |place: usize| records[place].policy.settings.thresholds.abandonment.get();
    assert_eq!(
        [thresholds(0), thresholds(1)].map(f64::to_bits),
        [0.99, 0.7].map(f64::to_bits)
    );
}

#[tokio::test]
async fn the_limit_on_the_age_of_features_counts_at_once_and_is_recorded() {
    let shop = Shop::new().declared().await;
    shop.clock.advance(50);
    shop.put("/v1/settings/max_features_age_ms", &json!({"value": 49}))
        .await
        .ok();
    let answer = shop
        .decide(&json!({"shopper": {"user_id": "ann"}}))
        .await
        .ok();
    assert_eq!(answer["degraded"], true);
    assert_eq!(shop.recorded().await[0].features.max_age_ms, Some(49));
}

#[tokio::test]
async fn a_change_made_for_another_version_changes_nothing() {
    let shop = Shop::new();
    let path = "/v1/settings/drift_threshold";
    assert_eq!(
        shop.put_if(path, "\"1\"", &json!({"value": 0.5}))
            .await
            .problem()
            .0,
        412
    );
    shop.put(path, &json!({"value": 0.5})).await.ok();
    assert_eq!(
        shop.put_if(path, "\"1\"", &json!({"value": 0.6}))
            .await
            .status,
        200
    );
    assert_eq!(
        shop.put_if(path, "\"1\"", &json!({"value": 0.4}))
            .await
            .problem()
            .0,
        412
    );
    assert_eq!(shop.delete_if(path, "\"1\"").await.problem().0, 412);
    assert_eq!(setting(&shop, "drift_threshold").await["value"], 0.6);
    assert_eq!(shop.delete_if(path, "\"2\"").await.status, 200);
    assert_eq!(setting(&shop, "drift_threshold").await["value"], 0.8);
}

#[tokio::test]
async fn one_setting_is_shown_and_can_be_sent_back_as_it_is() {
    let shop = Shop::new();
    let path = "/v1/settings/drift_threshold";
    let unset = shop.get(path).await;
    assert_eq!(
        (unset.header("etag"), &unset.ok()["version"]),
        ("", &Value::Null)
    );
    assert_eq!(unset.ok(), setting(&shop, "drift_threshold").await);
    let mut wanted = unset.ok();
    wanted["value"] = 0.5.into();
    shop.put(path, &wanted).await.ok();
    let set = shop.get(path).await;
    assert_eq!(
        (set.header("etag"), &set.ok()["value"]),
        ("\"1\"", &0.5.into())
    );
    let again = shop.put_if(path, set.header("etag"), &set.ok()).await.ok();
    assert_eq!(
        (&again["version"], &again["value"]),
        (&2.into(), &0.5.into())
    );
    let other = shop.put("/v1/settings/discount_threshold", &wanted).await;
    assert_eq!(
        other.problem(),
        (400, "invalid_field".to_owned(), "name".to_owned())
    );
    assert_eq!(shop.get("/v1/settings/threshold").await.problem().0, 404);
}

#[tokio::test]
async fn what_is_wrong_with_a_setting_is_named() {
    let shop = Shop::new();
    for (path, body, expected) in [
        (
            "discount_threshold",
            json!({"value": 1.1}),
            (422, "out_of_range", "value"),
        ),
        (
            "max_features_age_ms",
            json!({"value": 0.5}),
            (422, "out_of_range", "value"),
        ),
        (
            "drift_threshold",
            json!({"value": "0.5"}),
            (400, "invalid_field", "value"),
        ),
        (
            "drift_threshold",
            json!({}),
            (400, "missing_field", "value"),
        ),
        (
            "drift_threshold",
            json!({"value": 1, "values": 1}),
            (400, "invalid_field", "values"),
        ),
        ("threshold", json!({"value": 1}), (404, "not_found", "name")),
    ] {
        let refused = shop
            .put(&format!("/v1/settings/{path}"), &body)
            .await
            .problem();
        assert_eq!((refused.0, &*refused.1, &*refused.2), expected, "{body}");
    }
    assert_eq!(shop.delete("/v1/settings/threshold").await.problem().0, 404);
}

#[tokio::test]
async fn a_database_that_is_away_refuses_changes_and_shows_the_last_values() {
    let shop = Shop::new();
    let path = "/v1/settings/drift_threshold";
    shop.put(path, &json!({"value": 0.5})).await.ok();
    shop.store.faults().set_away(true);
    assert_eq!(
        shop.put(path, &json!({"value": 0.6})).await.problem().1,
        "database_away"
    );
    assert_eq!(shop.delete(path).await.problem().1, "database_away");
    assert_eq!(setting(&shop, "drift_threshold").await["value"], 0.5);
}
