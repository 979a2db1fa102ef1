use axum::http::Request;
use foretide_decision::{CartSource, ReasonCode};
use serde_json::{Value, json};

use crate::testing::{DAY_MS, MINUTE_MS, NOW, Shop, add, config, page, shopper_of, view};

fn of(user: &str) -> Value {
    json!({"shopper": {"user_id": user}, "session": "s1"})
}

fn with_cart(user: &str, total: &str) -> Value {
    let mut body = of(user);
    body["cart"] = json!({"total": total, "currency": "EUR"});
    body
}

fn codes(answer: &Value) -> Vec<&str> {
    let reasons = answer["reasons"].as_array().unwrap();
    reasons
        .iter()
        .map(|reason| reason["code"].as_str().unwrap())
        .collect()
}

/// A shop with the thresholds moved to where `answer`'s probability is, and one step to either side.
fn around(p: f64) -> [f64; 3] {
    [p.next_down(), p, p.next_up()]
}

#[tokio::test]
async fn a_hesitating_shopper_with_a_cart_gets_ten_percent_of_it() {
    let shop = Shop::new().declared().await;
    let shopper = shop.fold("ann", 10 * MINUTE_MS, add("p1", 5_995));
    let answer = shop.decide(&of("ann")).await.ok();
    assert!(answer["predictions"]["abandonment"].as_f64().unwrap() > 0.7);
    assert_eq!(answer["predictions"]["source"], "prior-1");
    assert_eq!(
        answer["offer"],
        json!({"id": "discount-10", "kind": "discount", "percent": 10, "amount": "6.00",
               "currency": "EUR", "cart_total": "59.95"})
    );
    assert_eq!(answer["shopper_id"], shopper.to_string());
    assert_eq!(
        answer["cohort"],
        json!({"id": "everyone", "name": "Everyone"})
    );
    assert_eq!(answer["features_age_ms"], 0);
    assert_eq!(answer["degraded"], false);
    assert_eq!(codes(&answer), ["rule"]);
}

#[tokio::test]
async fn the_answer_adds_up_to_its_own_contributions() {
    let shop = Shop::new().declared().await;
    shop.fold("ann", MINUTE_MS, add("p1", 5_995));
    let answer = shop.decide(&of("ann")).await.ok();
    for what in ["abandonment", "drift"] {
        let terms = answer["predictions"]["contributions"][what]
            .as_array()
            .unwrap();
        let sum: f64 = terms
            .iter()
            .map(|term| term["log_odds"].as_f64().unwrap())
            .sum();
        let p = answer["predictions"][what].as_f64().unwrap();
        assert!(
            (p - 1.0 / (1.0 + (-sum).exp())).abs() < 1e-9,
            "{what}: {terms:?}"
        );
    }
}

#[tokio::test]
async fn the_cart_of_the_request_counts_instead_of_the_profiles() {
    let shop = Shop::new().declared().await;
    shop.fold("ann", 10 * MINUTE_MS, add("p1", 5_995));
    let richer = shop.decide(&with_cart("ann", "129.90")).await.ok();
    assert_eq!(richer["offer"]["amount"], "12.99");
    let emptied = shop.decide(&with_cart("ann", "0")).await.ok();
    assert!(emptied["predictions"]["abandonment"].as_f64().unwrap() < 0.05);
    assert_eq!(emptied["offer"], Value::Null);
    let numbers = json!({"shopper": {"user_id": "ann"}, "cart": {
        "currency": "EUR", "items": [{"product_id": "p1", "quantity": 2, "price": 100.25}]}});
    assert_eq!(shop.decide(&numbers).await.ok()["offer"]["amount"], "20.05");
}

#[tokio::test]
async fn the_discount_starts_just_above_its_threshold() {
    let ask = async |threshold: Option<f64>| {
        let mut config = config();
        if let Some(threshold) = threshold {
            config.discount_threshold = threshold.try_into().unwrap();
        }
        let shop = Shop::with(config).declared().await;
        shop.fold("ann", 10 * MINUTE_MS, add("p1", 5_995));
        shop.decide(&of("ann")).await.ok()
    };
    let p = ask(None).await["predictions"]["abandonment"]
        .as_f64()
        .unwrap();
    for threshold in around(p) {
        let answer = ask(Some(threshold)).await;
        assert_eq!(
            answer["offer"]["kind"] == "discount",
            p > threshold,
            "{p} against {threshold}"
        );
    }
}

#[tokio::test]
async fn recommendations_start_just_above_their_threshold() {
    let ask = async |threshold: Option<f64>| {
        let mut config = config();
        if let Some(threshold) = threshold {
            config.drift_threshold = threshold.try_into().unwrap();
        }
        let shop = Shop::with(config).declared().await;
        learn(&shop, &["p1", "p2"]).await;
        shop.fold("ann", 60 * DAY_MS, view("p1"));
        shop.decide(&of("ann")).await.ok()
    };
    let standard = ask(None).await;
    let p = standard["predictions"]["drift"].as_f64().unwrap();
    assert!(p > 0.8, "{standard}");
    let products = standard["offer"]["products"].as_array().unwrap();
    assert_eq!(products.len(), 2);
    assert_eq!(products[0]["category"], "hats");
    for threshold in around(p) {
        let answer = ask(Some(threshold)).await;
        let offered = answer["offer"]["kind"] == "recommendations";
        assert_eq!(offered, p > threshold, "{p} against {threshold}");
    }
}

/// Lets the learner read views of `products` on the log.
async fn learn(shop: &Shop, products: &[&str]) {
    for product in products {
        shop.append("bob", view(product)).await;
    }
    shop.learn().await;
}

#[tokio::test]
async fn what_is_in_the_cart_is_not_recommended() {
    let shop = Shop::new().declared().await;
    learn(&shop, &["p1", "p2", "p3"]).await;
    shop.fold("ann", 60 * DAY_MS, view("p1"));
    let mut body = of("ann");
    body["cart"] = json!({"items": [{"product_id": "p2"}]});
    let answer = shop.decide(&body).await.ok();
    assert_eq!(
        codes(&answer),
        ["rule", "no_cart_value", "rule"],
        "{answer}"
    );
    let text = answer["offer"]["products"].to_string();
    assert!(
        text.contains("p1") && text.contains("p3") && !text.contains("p2"),
        "{text}"
    );
}

#[tokio::test]
async fn an_unknown_shopper_gets_a_sane_answer_that_says_so() {
    let shop = Shop::new().declared().await;
    let answer = shop.decide(&with_cart("stranger", "50.00")).await.ok();
    assert_eq!(answer["degraded"], false);
    assert_eq!(answer["offer"], Value::Null);
    assert!(codes(&answer).contains(&"unknown_shopper"));
    assert!(answer["predictions"]["abandonment"].as_f64().unwrap() < 0.7);
}

#[tokio::test]
async fn every_way_of_naming_a_shopper_finds_the_same_one_and_raw_ids_stay_out() {
    let shop = Shop::new().declared().await;
    let shopper = shop.fold("ann@example.com", 10 * MINUTE_MS, page());
    for named in [
        json!({"user_id": "ann@example.com"}),
        json!({"user_id": "ann@example.com", "anonymous_id": "device"}),
        json!({"shopper_id": shopper.to_string()}),
    ] {
        let reply = shop.decide(&json!({"shopper": named})).await;
        assert_eq!(reply.ok()["shopper_id"], shopper.to_string());
        assert!(!reply.text.contains("ann@") && !reply.text.contains("device"));
        assert!(!codes(&reply.ok()).contains(&"unknown_shopper"));
    }
    for record in shop.recorded().await {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("ann@"), "{text}");
    }
}

#[tokio::test]
async fn a_decision_is_recorded_with_all_it_rested_on() {
    let shop = Shop::new().declared().await;
    shop.fold("ann", 10 * MINUTE_MS, add("p1", 5_995));
    let mut body = with_cart("ann", "129.90");
    body["page"] = "/cart?email=ann@example.com".into();
    body["placement"] = "sidebar".into();
    body["request_id"] = "r1".into();
    let answer = shop.decide(&body).await.ok();
    assert_eq!(shop.metric("foretide_decisions_total", Some("discount")), 1);
    let records = shop.recorded().await;
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!(answer["decision_id"], &*record.decision_id);
    assert_eq!((record.at, record.shopper), (NOW, shopper_of("ann")));
    assert_eq!(record.session.as_ref().unwrap().as_str(), "s1");
    assert_eq!(record.page.as_deref(), Some("/cart"));
    assert_eq!(record.placement.as_deref(), Some("sidebar"));
    assert_eq!(record.request_id.as_deref(), Some("r1"));
    assert_eq!(record.cart.as_ref().unwrap().source, CartSource::Request);
    assert_eq!(record.features.next_offset, Some(1));
    assert_eq!(record.features.reference.as_deref(), Some("prior-1"));
    assert_eq!(record.features.values.get("cart_items"), Some(1.0));
    assert_eq!(
        record.features.values.get("seconds_since_seen"),
        Some(600.0)
    );
    assert_eq!(
        record.predict_again(&()).as_ref(),
        Some(&record.predictions)
    );
    let choice = record.recompute(&()).unwrap();
    assert_eq!(
        (&choice.offer, &choice.reasons),
        (&record.chosen, &record.reasons)
    );
    let sure: Vec<bool> = record
        .arms
        .iter()
        .map(|arm| arm.propensity > 0.999)
        .collect();
    assert_eq!(sure, [true, false, false]);
    assert_eq!(record.chosen, record.served);
    assert!(!record.degraded);
}

#[tokio::test]
async fn with_at_a_decision_is_of_that_time_and_dry() {
    let shop = Shop::new().declared().await;
    shop.fold("ann", 60 * MINUTE_MS, add("p1", 5_995));
    shop.fold("ann", MINUTE_MS, page());
    let at = |before_min: i64| format!("/v1/decisions?at={}", NOW.plus(-before_min * MINUTE_MS));
    let busy = shop.post(&at(60), &of("ann")).await.ok();
    let hesitating = shop.post(&at(40), &of("ann")).await.ok();
    assert_eq!(busy["offer"], Value::Null);
    assert_eq!(hesitating["offer"]["kind"], "discount");
    assert_eq!(
        (&hesitating["dry"], &hesitating["degraded"]),
        (&true.into(), &false.into())
    );
    assert_eq!(hesitating["at"], "2026-11-22T09:20:00.000Z");
    let before_the_first = shop.post(&at(61), &of("ann")).await.ok();
    assert!(codes(&before_the_first).contains(&"unknown_shopper"));
    assert!(shop.recorded().await.is_empty());
}

#[tokio::test]
async fn stale_features_are_used_and_said() {
    let shop = Shop::new().declared().await;
    shop.fold("ann", 10 * MINUTE_MS, add("p1", 5_995));
    shop.clock.advance(10_000);
    let fresh_enough = shop.decide(&of("ann")).await.ok();
    assert_eq!(fresh_enough["degraded"], false);
    shop.clock.advance(1);
    let stale = shop.decide(&of("ann")).await.ok();
    assert_eq!(
        (&stale["degraded"], &stale["features_age_ms"]),
        (&true.into(), &10_001.into())
    );
    assert_eq!(codes(&stale), ["rule", "stale_features"]);
    assert_eq!(stale["offer"]["kind"], "discount");
    assert_eq!(
        shop.metric("foretide_decisions_degraded_total", Some("stale_features")),
        1
    );
}

#[tokio::test]
async fn while_profiles_are_restored_a_stranger_gets_nothing_and_a_known_shopper_the_rule() {
    let shop = Shop::new().declared().await;
    (0..2).for_each(|partition| shop.table.clear_partition(partition));
    let stranger = shop.decide(&with_cart("ann", "50.00")).await.ok();
    assert_eq!(
        (&stranger["offer"], &stranger["features_age_ms"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(stranger["degraded"], true);
    assert_eq!(codes(&stranger), ["rule", "features_not_ready"]);
    shop.fold("ann", 10 * MINUTE_MS, add("p1", 5_995));
    let known = shop.decide(&of("ann")).await.ok();
    assert_eq!(known["offer"]["kind"], "discount");
    assert_eq!(known["degraded"], true);
}

#[tokio::test]
async fn a_full_queue_degrades_the_answer_and_never_holds_it_up() {
    let mut config = config();
    config.decision_queue = 2;
    let shop = Shop::with(config).declared().await;
    shop.log.faults().set_away(true);
    for _ in 0..2 {
        assert_eq!(shop.decide(&of("ann")).await.ok()["degraded"], false);
    }
    let third = shop.decide(&of("ann")).await.ok();
    assert_eq!(third["degraded"], true);
    assert!(codes(&third).contains(&ReasonCode::DecisionQueueFull.as_str()));
    assert_eq!(
        shop.metric("foretide_decisions_lost_total", Some("queue_full")),
        1
    );
    assert_eq!(shop.metric("foretide_decision_queue_records", None), 2);
    shop.log.faults().set_away(false);
    assert_eq!(shop.recorded().await.len(), 2);
}

#[tokio::test]
async fn bad_input_is_refused_by_the_name_of_the_field() {
    let shop = Shop::new().declared().await;
    let long = "x".repeat(300);
    for (body, code, field) in [
        (json!({}), "missing_field", "shopper"),
        (json!({"shopper": {}}), "missing_field", "shopper"),
        (
            json!({"shopper": {"user_id": long}}),
            "invalid_field",
            "shopper.user_id",
        ),
        (
            json!({"shopper": {"shopper_id": "zz"}}),
            "invalid_field",
            "shopper.shopper_id",
        ),
        (
            json!({"shopper": {"user_id": "a"}, "cart": {"total": "x", "currency": "EUR"}}),
            "invalid_field",
            "cart.total",
        ),
        (
            json!({"shopper": {"user_id": "a"}, "cart": {"total": "1"}}),
            "missing_field",
            "cart.currency",
        ),
        (
            json!({"shopper": {"user_id": "a"}, "cart": {"items": [{"quantity": -1}]}}),
            "invalid_field",
            "cart.items[0].quantity",
        ),
        (
            json!({"shopper": {"user_id": "a"}, "page": true}),
            "invalid_field",
            "page",
        ),
        (
            json!({"shopper": {"user_id": "a"}, "placement": long}),
            "invalid_field",
            "placement",
        ),
    ] {
        let refused = shop.decide(&body).await.problem();
        assert_eq!(refused, (400, code.to_owned(), field.to_owned()), "{body}");
    }
    let refused = shop
        .post("/v1/decisions?at=noon", &of("ann"))
        .await
        .problem();
    assert_eq!(refused, (400, "invalid_field".to_owned(), "at".to_owned()));
    let request = axum::http::Request::post("/v1/decisions");
    let refused = shop.send(request, "admin", "{".to_owned()).await.problem();
    assert_eq!((refused.0, &*refused.1), (400, "not_json"));
}

#[tokio::test]
async fn only_the_admin_key_decides() {
    let shop = Shop::new().declared().await;
    for (key, status) in [("write", 403), ("wrong", 401)] {
        let request = axum::http::Request::post("/v1/decisions");
        let reply = shop.send(request, key, of("ann").to_string()).await;
        assert_eq!(reply.status, status, "{key}");
    }
}

#[tokio::test]
async fn in_front_of_the_router_the_answers_are_the_same() {
    let (routed, front) = (Shop::new().declared().await, Shop::new().declared().await);
    let front = front.with_front();
    for shop in [&routed, &front] {
        shop.fold("ann", 10 * MINUTE_MS, add("p1", 5_995));
    }
    let fine = of("ann").to_string();
    let huge = json!({"shopper": {"user_id": "ann"}, "page": "p".repeat(300_000)}).to_string();
    for (path, key, body) in [
        ("/v1/decisions", "admin", &*fine),
        ("/v1/decisions?at=2026-11-22T10:00:00Z", "admin", &fine),
        ("/v1/decisions?at=today", "admin", &fine),
        ("/v1/decisions?at=1&at=2", "admin", &fine),
        ("/v1/decisions?other=1", "admin", &fine),
        ("/v1/decisions", "write", &fine),
        ("/v1/decisions", "nobody's", &fine),
        ("/v1/decisions", "", &fine),
        ("/v1/decisions", "admin", "{"),
        ("/v1/decisions", "admin", r#"{"shopper": 1}"#),
        ("/v1/decisions", "admin", &huge),
    ] {
        let ask = async |shop: &Shop| {
            let request = Request::post(path).header("Content-Length", body.len());
            shop.send(request, key, body.to_owned()).await
        };
        let (one, other) = (ask(&routed).await, ask(&front).await);
        let told = format!("{path} {key} {body:.20}: {} {}", one.text, other.text);
        assert_eq!(one.status, other.status, "{told}");
        assert_eq!(
            one.header("content-type"),
            other.header("content-type"),
            "{told}"
        );
        let (mut one, mut other) = (one.body(), other.body());
        for answer in [&mut one, &mut other] {
            answer.as_object_mut().unwrap().remove("decision_id");
        }
        assert_eq!(one, other, "{told}");
    }
    let get = front.get("/v1/decisions").await;
    assert_eq!((get.status, get.header("allow")), (405, "POST"));
    let counted = |shop: &Shop| shop.metric("foretide_decisions_total", Some("discount"));
    assert_eq!((counted(&routed), counted(&front)), (2, 2));
}
