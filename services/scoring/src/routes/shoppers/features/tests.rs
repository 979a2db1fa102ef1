use serde_json::{Value, json};

use crate::testing::{DAY_MS, MINUTE_MS, NOW, Shop, page, shopper_of, view};

#[tokio::test]
async fn every_feature_is_shown_with_value_unit_age_and_status() {
    let shop = Shop::new();
    shop.fold("ann", 10 * MINUTE_MS, view("p1"));
    let shopper = shop.fold("ann", 5 * MINUTE_MS, page());
    let answer = shop
        .get(&format!("/v1/shoppers/{shopper}/features"))
        .await
        .ok();
    assert_eq!(answer["shopper_id"], shopper.to_string());
    assert_eq!(
        (&answer["at"], &answer["as_of"]),
        (
            &"2026-11-22T10:00:00.000Z".into(),
            &"2026-11-22T09:55:00.000Z".into()
        )
    );
    assert_eq!(answer["schema"], foretide_features::schema_id());
    assert_eq!(answer["features_age_ms"], 0);
    let features = &answer["features"];
    assert_eq!(
        features.as_object().unwrap().len(),
        foretide_features::Feature::COUNT
    );
    assert_eq!(
        features["session_actions"],
        json!({"value": 2.0, "unit": "count", "status": "PRESENT", "age_ms": 0, "max_age_ms": 1_800_000})
    );
    assert_eq!(
        features["days_since_purchase"],
        json!({"value": null, "unit": "days", "status": "NULL_VALUE", "age_ms": 0})
    );
}

#[tokio::test]
async fn a_session_that_is_over_is_outside_its_age_and_the_rest_stays() {
    let shop = Shop::new();
    let shopper = shop.fold("ann", 30 * MINUTE_MS, page());
    let path = format!("/v1/shoppers/{shopper}/features");
    let now = shop.get(&path).await.ok();
    assert_eq!(now["features"]["session_actions"]["status"], "PRESENT");
    let later = NOW.plus(1);
    let after = shop.get(&format!("{path}?at={later}")).await.ok();
    assert_eq!(
        after["features"]["session_actions"]["status"],
        "OUTSIDE_MAX_AGE"
    );
    assert_eq!(after["features"]["session_actions"]["value"], Value::Null);
    assert_eq!(after["features"]["actions_total"]["value"], 1.0);
}

#[tokio::test]
async fn a_shopper_is_found_by_the_raw_id_too_which_is_not_echoed() {
    let shop = Shop::new();
    let shopper = shop.fold("ann@example.com", MINUTE_MS, page());
    let by_id = shop
        .get(&format!("/v1/shoppers/{shopper}/features"))
        .await
        .ok();
    let by_user = shop
        .get("/v1/shoppers/features?user_id=ann%40example.com")
        .await;
    assert_eq!(by_user.ok(), by_id);
    assert!(!by_user.text.contains("ann"));
}

#[tokio::test]
async fn what_cannot_be_shown_is_a_problem() {
    let shop = Shop::new();
    let shopper = shop.fold("ann", 3 * DAY_MS, page());
    shop.fold("ann", MINUTE_MS, page());
    let stranger = shopper_of("stranger");
    let long_ago = NOW.plus(-4 * DAY_MS);
    for (path, status, code, field) in [
        (format!("{stranger}/features"), 404, "not_found", ""),
        ("features?user_id=stranger".to_owned(), 404, "not_found", ""),
        ("features".to_owned(), 400, "missing_field", "user_id"),
        ("ann/features".to_owned(), 400, "invalid_field", "id"),
        (
            format!("{shopper}/features?at=noon"),
            400,
            "invalid_field",
            "at",
        ),
        (
            format!("{shopper}/features?at={long_ago}"),
            422,
            "not_remembered",
            "at",
        ),
    ] {
        let expected = (status, code.to_owned(), field.to_owned());
        let reply = shop.get(&format!("/v1/shoppers/{path}")).await;
        assert_eq!(reply.problem(), expected, "{path}");
    }
}

#[tokio::test]
async fn while_profiles_are_restored_nobody_is_called_unknown() {
    let shop = Shop::new();
    let shopper = shop.fold("ann", MINUTE_MS, page());
    let path = format!("/v1/shoppers/{shopper}/features");
    (0..shop.table.partitions()).for_each(|partition| shop.table.clear_partition(partition));
    let reply = shop.get(&path).await;
    assert_eq!((reply.problem().0, reply.header("retry-after")), (503, "1"));
    // Who is there already is shown.
    shop.fold("ann", MINUTE_MS, page());
    assert_eq!(shop.get(&path).await.ok()["features_age_ms"], Value::Null);
    shop.refresh();
    shop.table.remove(&shopper);
    assert_eq!(shop.get(&path).await.status, 404);
}
