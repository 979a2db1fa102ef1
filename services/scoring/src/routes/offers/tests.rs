use foretide_decision::Arm;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::testing::{MINUTE_MS, Shop, add};

fn discount(id: &str, percent: i64) -> Value {
    json!({"id": id, "name": "Off", "kind": "discount", "percent": percent})
}

fn changed(percent: i64, state: &str) -> Value {
    json!({"name": "Off", "kind": "discount", "percent": percent, "state": state})
}

/// The offer of a shopper who hesitates with a full cart.
async fn offered(shop: &Shop) -> Value {
    let ask = json!({"shopper": {"user_id": "ann"}});
    shop.decide(&ask).await.ok()["offer"].clone()
}

async fn hesitating() -> Shop {
    let shop = Shop::new().declared().await;
    shop.fold("ann", 10 * MINUTE_MS, add("p1", 10_000));
    shop
}

#[tokio::test]
async fn a_new_offer_is_there_with_its_version_and_the_next_decision_makes_it() {
    let shop = hesitating().await;
    assert_eq!(offered(&shop).await["id"], "discount-10");
    let made = shop.post("/v1/offers", &discount("a-25", 25)).await;
    assert_eq!(
        (made.status, made.header("location")),
        (201, "/v1/offers/a-25")
    );
    assert_eq!(
        made.body(),
        json!({"id": "a-25", "name": "Off", "kind": "discount", "percent": 25, "state": "active", "version": 1,
               "created_at": "2026-11-22T10:00:00.000Z", "updated_at": "2026-11-22T10:00:00.000Z"})
    );
    let shown = shop.get("/v1/offers/a-25").await;
    assert_eq!((shown.header("etag"), shown.ok()), ("\"1\"", made.body()));
    let offer = offered(&shop).await;
    assert_eq!(
        (&offer["id"], &offer["amount"]),
        (&"a-25".into(), &"25.00".into())
    );
    let refused = shop
        .post("/v1/offers", &discount("a-25", 5))
        .await
        .problem();
    assert_eq!(refused, (409, "already_exists".to_owned(), "id".to_owned()));
}

#[tokio::test]
async fn every_kind_of_offer_can_be_made_and_is_listed_by_id() {
    let shop = Shop::new();
    for offer in [
        json!({"id": "c", "name": "n", "kind": "content", "content_id": "spring"}),
        json!({"id": "b", "name": "n", "kind": "assistance", "means": "chat", "state": "paused"}),
        json!({"id": "a", "name": "n", "kind": "recommendations", "products": 50}),
    ] {
        let made = shop.post("/v1/offers", &offer).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }
    let ids = async |path: &str| {
        let answer = shop.get(path).await.ok();
        let offers = answer["offers"].as_array().unwrap();
        offers
            .iter()
            .map(|offer| offer["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(ids("/v1/offers").await, "a b c discount-10 recommendations");
    assert_eq!(ids("/v1/offers?state=paused").await, "b");
    let refused = shop.get("/v1/offers?state=off").await.problem();
    assert_eq!((refused.0, &*refused.2), (400, "state"));
}

#[tokio::test]
async fn a_change_made_for_another_version_changes_nothing() {
    let shop = hesitating().await;
    let path = "/v1/offers/discount-10";
    let first = shop.put_if(path, "\"1\"", &changed(20, "active")).await;
    assert_eq!((first.status, first.header("etag")), (200, "\"2\""));
    let refused = shop.put_if(path, "\"1\"", &changed(30, "active")).await;
    assert_eq!(refused.problem().0, 412);
    assert_eq!(refused.problem().1, "version_conflict");
    assert_eq!(offered(&shop).await["percent"], 20);
    assert_eq!(
        shop.put_if(path, "*", &changed(30, "active")).await.status,
        200
    );
    assert_eq!(
        shop.put(path, &changed(40, "active")).await.ok()["version"],
        4
    );
    let refused = shop.put_if(path, "4", &changed(30, "active")).await;
    let named = (400, "invalid_field".to_owned(), "If-Match".to_owned());
    assert_eq!(refused.problem(), named);
}

#[tokio::test]
async fn an_offer_is_archived_only_in_the_version_that_was_meant() {
    let shop = Shop::new();
    let path = "/v1/offers/discount-10";
    assert_eq!(shop.delete_if(path, "\"2\"").await.problem().0, 412);
    assert_eq!(shop.delete_if(path, "\"1\"").await.status, 200);
    assert_eq!(shop.delete_if(path, "\"1\"").await.problem().0, 412);
}

#[tokio::test]
async fn without_an_active_offer_of_its_kind_the_arm_is_masked_with_its_own_cause() {
    let shop = hesitating().await;
    let archived = shop.delete("/v1/offers/discount-10").await;
    assert_eq!(
        (archived.ok()["state"].clone(), archived.header("etag")),
        ("archived".into(), "\"2\"")
    );
    let again = shop.delete("/v1/offers/discount-10").await;
    assert_eq!(again.ok(), archived.ok());
    let answer = shop
        .decide(&json!({"shopper": {"user_id": "ann"}}))
        .await
        .ok();
    assert_eq!(answer["offer"], Value::Null);
    let codes: Vec<_> = answer["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| &reason["code"])
        .collect();
    assert_eq!(codes, ["rule", "no_active_offer"]);
    let shown = shop.get("/v1/offers/discount-10").await;
    assert_eq!((shown.header("etag"), shown.ok()), ("\"2\"", archived.ok()));
    let listed = shop.get("/v1/offers?state=archived").await.ok();
    assert_eq!(listed["offers"][0]["id"], "discount-10");
    shop.put("/v1/offers/discount-10", &changed(15, "active"))
        .await
        .ok();
    assert_eq!(offered(&shop).await["percent"], 15);
    let records = shop.recorded().await;
    assert_eq!(records[0].policy.settings.discount, None);
    assert!(
        records[0]
            .arms
            .iter()
            .any(|arm| arm.arm == Arm::Discount && arm.masked.is_some())
    );
    let made = records[1].chosen.as_ref().unwrap();
    assert_eq!((made.id.as_str(), made.version), ("discount-10", Some(3)));
    assert!(records[1].policy.settings.store_revision > records[0].policy.settings.store_revision);
}

#[tokio::test]
async fn what_was_read_can_be_sent_back_as_it_is() {
    let shop = Shop::new();
    for state in ["active", "archived"] {
        let path = "/v1/offers/recommendations";
        let mut offer = shop.get(path).await.ok();
        offer["state"] = state.into();
        shop.put(path, &offer).await.ok();
        let read = shop.get(path).await;
        let back = shop
            .put_if(path, read.header("etag"), &read.ok())
            .await
            .ok();
        assert_eq!(back["version"], read.ok()["version"].as_u64().unwrap() + 1);
        assert_eq!(back["created_at"], read.ok()["created_at"]);
        assert_eq!(back["products"], read.ok()["products"]);
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let shop = hesitating().await;
    let path = "/v1/offers/discount-10";
    let before = shop.get(path).await.ok();
    let paused = shop.patch(path, &json!({"state": "paused"})).await;
    let mut expected = before.clone();
    (expected["state"], expected["version"]) = ("paused".into(), 2.into());
    expected["updated_at"] = paused.ok()["updated_at"].clone();
    assert_eq!((paused.header("etag"), paused.ok()), ("\"2\"", expected));
    assert_eq!(offered(&shop).await, Value::Null);
    let kind = json!({"kind": "content", "content_id": "spring", "percent": null});
    let other = shop.patch(path, &kind).await.ok();
    assert_eq!(
        (&other["content_id"], &other["percent"]),
        (&"spring".into(), &Value::Null)
    );
    assert_eq!(shop.patch(path, &json!({})).await.ok()["version"], 4);
}

#[tokio::test]
async fn a_patch_that_leaves_no_offer_is_refused_by_the_member_at_fault() {
    let shop = Shop::new();
    let path = "/v1/offers/discount-10";
    for (field, patch) in [
        ("name", json!({"name": null})),
        ("percent", json!({"percent": 101})),
        (
            "percent",
            json!({"kind": "content", "content_id": "spring"}),
        ),
        ("state", json!({"state": null})),
        ("id", json!({"id": "other"})),
        ("colour", json!({"colour": 1})),
    ] {
        let refused = shop.patch(path, &patch).await.problem();
        assert_eq!((refused.0, &*refused.2), (400, field), "{patch}");
    }
    assert_eq!(shop.patch(path, &json!([1])).await.status, 400);
    let request = || axum::http::Request::patch(path).header("If-Match", "\"7\"");
    let other = shop.send(request(), "admin", "{}".to_owned()).await;
    assert_eq!(other.problem().1, "version_conflict");
    assert_eq!(shop.get(path).await.ok()["version"], 1);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_changed() {
    let shop = Shop::new();
    for reply in [
        shop.get("/v1/offers/none").await,
        shop.put("/v1/offers/none", &changed(10, "active")).await,
        shop.patch("/v1/offers/none", &json!({})).await,
        shop.delete("/v1/offers/none").await,
    ] {
        assert_eq!(
            reply.problem(),
            (404, "not_found".to_owned(), "id".to_owned())
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_offer_is_named() {
    let shop = Shop::new();
    let cases = [
        ("id", discount("a/b", 10)),
        ("id", discount("", 10)),
        ("percent", discount("a", 101)),
        (
            "percent",
            json!({"id": "a", "name": "n", "kind": "discount"}),
        ),
        ("kind", json!({"id": "a", "name": "n", "kind": "gift"})),
        (
            "products",
            json!({"id": "a", "name": "n", "kind": "recommendations", "products": 51}),
        ),
        (
            "means",
            json!({"id": "a", "name": "n", "kind": "discount", "percent": 1, "means": "chat"}),
        ),
        (
            "content_id",
            json!({"id": "a", "name": "n", "kind": "content", "content_id": "a\u{0}"}),
        ),
        (
            "name",
            json!({"id": "a", "name": " ", "kind": "discount", "percent": 1}),
        ),
        (
            "name",
            json!({"id": "a", "name": "n".repeat(129), "kind": "discount", "percent": 1}),
        ),
        (
            "state",
            json!({"id": "a", "name": "n", "kind": "discount", "percent": 1, "state": "off"}),
        ),
        (
            "state",
            json!({"id": "a", "name": "n", "kind": "discount", "percent": 1, "state": null}),
        ),
        (
            "colour",
            json!({"id": "a", "name": "n", "kind": "discount", "percent": 1, "colour": 1}),
        ),
    ];
    for (field, body) in cases {
        let refused = shop.post("/v1/offers", &body).await.problem();
        assert_eq!((refused.0, &*refused.2), (400, field), "{body}");
    }
    assert_eq!(shop.get("/v1/offers/a").await.status, 404);
    for (field, body) in [
        (
            "id",
            json!({"id": "other", "name": "n", "kind": "discount", "percent": 1, "state": "active"}),
        ),
        (
            "state",
            json!({"name": "n", "kind": "discount", "percent": 1}),
        ),
    ] {
        let refused = shop.put("/v1/offers/discount-10", &body).await.problem();
        assert_eq!((refused.0, &*refused.2), (400, field), "{body}");
    }
}

#[tokio::test]
async fn a_database_that_is_away_refuses_changes_and_decisions_go_on_by_the_last_snapshot() {
    let shop = hesitating().await;
    shop.put("/v1/offers/discount-10", &changed(20, "active"))
        .await
        .ok();
    shop.store.faults().set_away(true);
    for reply in [
        shop.post("/v1/offers", &discount("a", 10)).await,
        shop.put("/v1/offers/discount-10", &changed(30, "active"))
            .await,
        shop.delete("/v1/offers/discount-10").await,
    ] {
        assert_eq!(reply.problem().1, "database_away", "{}", reply.text);
        assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
        assert!(
            reply.text.contains("the database is away"),
            "{}",
            reply.text
        );
    }
    assert_eq!(offered(&shop).await["percent"], 20);
    assert_eq!(
        shop.get("/v1/offers").await.ok()["offers"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    shop.store.faults().set_away(false);
    shop.store.faults().set_full(true);
    let full = shop.post("/v1/offers", &discount("a", 10)).await.problem();
    assert_eq!((full.0, &*full.1), (503, "database_full"));
}

#[tokio::test]
async fn only_an_admin_key_changes_offers() {
    let shop = Shop::new();
    let request = axum::http::Request::post("/v1/offers");
    let refused = shop
        .send(request, "write", discount("a", 10).to_string())
        .await;
    assert_eq!(refused.problem().1, "key_not_allowed");
}

#[test]
fn every_decision_recomputes_from_its_record_whatever_the_catalogue_and_the_settings() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let config = ProptestConfig::with_cases(8);
    let inputs = (
        1_i64..=100,
        any::<bool>(),
        0.0_f64..=1.0,
        0.0_f64..=1.0,
        0_i64..20_000,
        0_i64..120,
    );
    let outcome = proptest::test_runner::TestRunner::new(config).run(
        &inputs,
        |(percent, is_active, abandonment, drift, cents, minutes)| {
            runtime.block_on(async {
                let shop = Shop::new().declared().await;
                shop.fold("ann", minutes * MINUTE_MS, add("p1", cents));
                let state = if is_active { "active" } else { "paused" };
                shop.put("/v1/offers/discount-10", &changed(percent, state))
                    .await
                    .ok();
                for (name, value) in [
                    ("discount_threshold", abandonment),
                    ("drift_threshold", drift),
                ] {
                    shop.put(&format!("/v1/settings/{name}"), &json!({"value": value}))
                        .await
                        .ok();
                }
                shop.decide(&json!({"shopper": {"user_id": "ann"}}))
                    .await
                    .ok();
                let records = shop.recorded().await;
                let choice = records[0].recompute(&()).unwrap();
                prop_assert_eq!(&choice.offer, &records[0].chosen);
                prop_assert_eq!(choice.arms.as_slice(), records[0].arms.as_slice());
                prop_assert!(records[0].reasons.starts_with(&choice.reasons));
                Ok(())
            })
        },
    );
    outcome.unwrap();
}
