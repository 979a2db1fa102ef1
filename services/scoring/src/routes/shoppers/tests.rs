use serde_json::{Value, json};

use crate::testing::{DAY_MS, MINUTE_MS, NOW, Shop, add, page, shopper_of, view};

#[tokio::test]
async fn a_shopper_is_shown_with_cart_affinity_counts_and_features() {
    let shop = Shop::new();
    shop.fold("ann", 2 * DAY_MS, page());
    shop.fold("ann", 2 * MINUTE_MS, view("p1"));
    let shopper = shop.fold("ann", MINUTE_MS, add("p1", 5_995));
    let answer = shop.get(&format!("/v1/shoppers/{shopper}")).await.ok();
    assert_eq!(answer["shopper_id"], shopper.to_string());
    assert_eq!(answer["first_seen"], "2026-11-20T10:00:00.000Z");
    assert_eq!(answer["last_seen"], "2026-11-22T09:59:00.000Z");
    assert_eq!(
        (&answer["actions"], &answer["sessions"]),
        (&3.into(), &2.into())
    );
    assert_eq!(answer["session"]["actions"], 2);
    assert_eq!(answer["cart"]["total"], "59.95");
    assert_eq!(
        answer["cart"]["items"],
        json!([{"product_id": "p1", "quantity": 1, "price": "59.95", "currency": "EUR"}])
    );
    assert_eq!(
        answer["affinity"],
        json!([{"category": "hats", "share": 1.0, "error": 0.0}])
    );
    assert_eq!(answer["purchases"]["count"], 0);
    assert_eq!(
        answer["features"]["seconds_since_seen"],
        json!({"value": 60.0, "unit": "seconds", "age_ms": 0})
    );
    assert_eq!(
        answer["features"]["days_since_purchase"]["value"],
        Value::Null
    );
    assert_eq!(answer["features_age_ms"], 0);
}

#[tokio::test]
async fn a_shopper_and_the_features_of_one_tell_the_same_at_every_instant() {
    let shop = Shop::new();
    for days in [40, 12, 8, 7, 5] {
        shop.fold("ann", days * DAY_MS, view("p1"));
    }
    let shopper = shop.fold("ann", 4 * DAY_MS, add("p1", 5_995));
    let newest = NOW.plus(-4 * DAY_MS);
    let mut expired = 0;
    for later in [0, MINUTE_MS, 31 * MINUTE_MS, DAY_MS, DAY_MS + 1, 4 * DAY_MS] {
        let at = newest.plus(later);
        let path = format!("/v1/shoppers/{shopper}");
        let shown = shop.get(&format!("{path}?at={at}")).await.ok();
        let served = shop.get(&format!("{path}/features?at={at}")).await.ok();
        for (name, feature) in served["features"].as_object().unwrap() {
            let value = &shown["features"][name]["value"];
            assert_eq!(*value, feature["value"], "{name} after {later} ms");
            expired += usize::from(feature["status"] == "OUTSIDE_MAX_AGE");
        }
        assert!(served["features"]["visit_overdue"]["value"].is_number());
        let deviation = &served["features"]["deviation"]["value"];
        assert_eq!(deviation.is_number(), later <= DAY_MS, "{deviation}");
    }
    assert!(expired > 0);
}

#[tokio::test]
async fn who_was_never_there_is_unknown_now_as_at_any_instant() {
    let shop = Shop::new();
    let refund = foretide_events::Action::Refund(foretide_events::Order::default());
    let shopper = shop.fold("ann", MINUTE_MS, refund);
    for at in [String::new(), format!("?at={NOW}")] {
        let answer = shop.get(&format!("/v1/shoppers/{shopper}{at}")).await;
        assert_eq!(answer.status, 404, "{at}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_shopper_is_found_by_the_raw_id_which_is_not_echoed() {
    let shop = Shop::new();
    let shopper = shop.fold("ann@example.com", MINUTE_MS, page());
    let by_id = shop.get(&format!("/v1/shoppers/{shopper}")).await;
    let by_user = shop.get("/v1/shoppers?user_id=ann%40example.com").await;
    assert_eq!(by_user.ok(), by_id.ok());
    assert!(!by_user.text.contains("ann"));
}

#[tokio::test]
async fn with_at_a_shopper_is_shown_as_of_then() {
    let shop = Shop::new();
    shop.fold("ann", 90 * MINUTE_MS, view("p1"));
    let shopper = shop.fold("ann", MINUTE_MS, add("p1", 5_995));
    let then = NOW.plus(-80 * MINUTE_MS);
    let answer = shop
        .get(&format!("/v1/shoppers/{shopper}?at={then}"))
        .await
        .ok();
    assert_eq!(
        (&answer["actions"], &answer["cart"]["pieces"]),
        (&1.into(), &0.into())
    );
    assert_eq!(answer["at"], then.to_string());
    assert_eq!(answer["features"]["seconds_since_seen"]["value"], 600.0);
}

#[tokio::test]
async fn what_cannot_be_shown_is_a_problem() {
    let shop = Shop::new();
    let shopper = shop.fold("ann", 3 * DAY_MS, page());
    shop.fold("ann", MINUTE_MS, page());
    let stranger = shopper_of("stranger");
    for (path, status, code, field) in [
        (format!("/v1/shoppers/{stranger}"), 404, "not_found", ""),
        (
            "/v1/shoppers?user_id=stranger".to_owned(),
            404,
            "not_found",
            "",
        ),
        ("/v1/shoppers".to_owned(), 400, "missing_field", "user_id"),
        ("/v1/shoppers/ann".to_owned(), 400, "invalid_field", "id"),
        ("/v1/shoppers/%ff".to_owned(), 400, "invalid_field", "id"),
        (
            format!("/v1/shoppers/{shopper}?at=noon"),
            400,
            "invalid_field",
            "at",
        ),
        (
            format!("/v1/shoppers/{shopper}?at={}", NOW.plus(-4 * DAY_MS)),
            422,
            "not_remembered",
            "at",
        ),
    ] {
        let expected = (status, code.to_owned(), field.to_owned());
        assert_eq!(shop.get(&path).await.problem(), expected, "{path}");
    }
}

#[tokio::test]
async fn without_the_admin_key_nobody_is_shown() {
    let shop = Shop::new();
    let shopper = shop.fold("ann", MINUTE_MS, page());
    for path in [
        format!("/v1/shoppers/{shopper}"),
        "/v1/shoppers?user_id=ann".to_owned(),
    ] {
        let reply = shop
            .send(axum::http::Request::get(path), "wrong", String::new())
            .await;
        assert_eq!(reply.status, 401);
    }
}

#[tokio::test]
async fn while_profiles_are_restored_nobody_is_called_unknown() {
    let shop = Shop::new();
    let shopper = shop.fold("ann", MINUTE_MS, page());
    let path = format!("/v1/shoppers/{shopper}");
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
