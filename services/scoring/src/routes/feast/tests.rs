use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::{DAY_MS, MINUTE_MS, NOW, Shop, page, shopper_of, view};

const PATH: &str = "/get-online-features";

async fn ask(shop: &Shop, question: Value) -> Value {
    shop.post(PATH, &question).await.ok()
}

/// Each name's values, statuses and timestamps.
fn column<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let names = answer["metadata"]["feature_names"].as_array().unwrap();
    assert_eq!(names.len(), answer["results"].as_array().unwrap().len());
    let place = names.iter().position(|of| of == name).unwrap();
    &answer["results"][place]
}

#[tokio::test]
async fn results_are_by_feature_and_the_ids_come_first() {
    let shop = Shop::new();
    shop.fold("ann", 5 * MINUTE_MS, page());
    shop.fold("bob", 40 * MINUTE_MS, view("p1"));
    let answer = ask(
        &shop,
        json!({
            "features": ["shopper:session_actions", "shopper:days_since_purchase", "shopper:nonsense", "shopper:actions_total"],
            "entities": {"user_id": ["ann", "bob", "stranger", null, " "]},
            "full_feature_names": false,
        }),
    )
    .await;
    let (ann, bob, never) = (
        "2026-11-22T09:55:00.000Z",
        "2026-11-22T09:20:00.000Z",
        "1970-01-01T00:00:00.000Z",
    );
    let (present, missing, not_found, invalid) = ("PRESENT", "NULL_VALUE", "NOT_FOUND", "INVALID");
    let known = [ann, bob, never, never, never];
    assert_eq!(
        answer,
        json!({
            "metadata": {
                "feature_names": ["user_id", "session_actions", "days_since_purchase", "nonsense", "actions_total"],
                "schema": foretide_features::schema_id(),
                "reference": {"version": "prior-1", "since": null},
                "features_age_ms": 0,
            },
            "results": [
                {
                    "values": ["ann", "bob", "stranger", null, " "],
                    "statuses": vec![present; 5],
                    "event_timestamps": vec![never; 5],
                },
                {
                    "values": [1.0, null, null, null, null],
                    "statuses": [present, "OUTSIDE_MAX_AGE", not_found, not_found, not_found],
                    "event_timestamps": known,
                },
                {
                    "values": [null, null, null, null, null],
                    "statuses": [missing, missing, not_found, not_found, not_found],
                    "event_timestamps": known,
                },
                {
                    "values": [null, null, null, null, null],
                    "statuses": vec![invalid; 5],
                    "event_timestamps": vec![never; 5],
                },
                {
                    "values": [1.0, 1.0, null, null, null],
                    "statuses": [present, present, not_found, not_found, not_found],
                    "event_timestamps": known,
                },
            ],
        })
    );
}

#[tokio::test]
async fn the_service_is_the_whole_catalogue_and_equals_what_the_shopper_shows() {
    let shop = Shop::new();
    shop.fold("ann", 50 * MINUTE_MS, view("p1"));
    let shopper = shop.fold("ann", 5 * MINUTE_MS, page());
    for at in [String::new(), format!("?at={}", NOW.plus(-20 * MINUTE_MS))] {
        let question =
            json!({"feature_service": "foretide", "entities": {"shopper_id": [shopper]}});
        let answer = shop.post(&format!("{PATH}{at}"), &question).await.ok();
        let shown = shop
            .get(&format!("/v1/shoppers/{shopper}/features{at}"))
            .await
            .ok();
        let features = shown["features"].as_object().unwrap();
        assert_eq!(
            answer["results"].as_array().unwrap().len(),
            features.len() + 1
        );
        for (name, feature) in features {
            let column = column(&answer, name);
            assert_eq!(column["values"][0], feature["value"], "{name} {at}");
            assert_eq!(column["statuses"][0], feature["status"], "{name} {at}");
            assert_eq!(column["event_timestamps"][0], shown["as_of"], "{name} {at}");
        }
    }
}

#[tokio::test]
async fn a_shopper_is_one_by_each_kind_of_id_and_ids_come_back_as_they_were_sent() {
    let shop = Shop::new();
    let shopper = shop.fold("17", MINUTE_MS, page());
    for (entities, value) in [
        (json!({"user_id": ["17"]}), json!("17")),
        (json!({"user_id": [17]}), json!(17)),
        (json!({"shopper_id": [shopper]}), json!(shopper)),
    ] {
        let question = json!({"features": ["shopper:actions_total"], "entities": entities});
        let answer = ask(&shop, question).await;
        assert_eq!(column(&answer, "actions_total")["values"], json!([1.0]));
        assert_eq!(answer["results"][0]["values"][0], value);
    }
    let anonymous =
        json!({"features": ["shopper:actions_total"], "entities": {"anonymous_id": ["17"]}});
    let answer = ask(&shop, anonymous).await;
    assert_eq!(
        column(&answer, "actions_total")["statuses"],
        json!(["NOT_FOUND"])
    );
}

#[tokio::test]
async fn names_can_be_full_and_the_view_shown_and_the_context_is_let_pass() {
    let shop = Shop::new();
    let answer = ask(
        &shop,
        json!({
            "features": ["shopper:actions_total"],
            "feature_service": null,
            "entities": {"user_id": []},
            "full_feature_names": true,
            "include_feature_view_version_metadata": true,
            "request_context": {"basket": [1, 2]},
        }),
    )
    .await;
    assert_eq!(
        answer["metadata"],
        json!({
            "feature_names": ["user_id", "shopper__actions_total"],
            "feature_view_metadata": [{"name": "shopper", "version": 0}],
            "schema": foretide_features::schema_id(),
            "reference": {"version": "prior-1", "since": null},
            "features_age_ms": null,
        })
    );
    let empty = json!({"values": [], "statuses": [], "event_timestamps": []});
    assert_eq!(answer["results"], json!([empty, empty]));
}

#[tokio::test]
async fn as_many_as_may_be_asked_are_answered_and_counted() {
    let shop = Shop::new();
    shop.fold("u7", MINUTE_MS, page());
    let users: Vec<_> = (0..500).map(|number| format!("u{number}")).collect();
    let question = json!({"feature_service": "foretide", "entities": {"user_id": users}});
    let answer = ask(&shop, question).await;
    let actions = column(&answer, "actions_total");
    assert_eq!(actions["values"].as_array().unwrap().len(), 500);
    assert_eq!(actions["values"][7], 1.0);
    let served = |status| shop.metric("foretide_online_features_total", Some(status));
    let features = foretide_features::Feature::COUNT as u64;
    assert_eq!(served("not_found"), 499 * features);
    assert_eq!(served("present") + served("null_value"), features);
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_problem_that_names_the_field() {
    let shop = Shop::new();
    shop.fold("ann", 3 * DAY_MS, page());
    shop.fold("ann", MINUTE_MS, page());
    let feature = json!(["shopper:actions_total"]);
    let ann = json!({"user_id": ["ann"]});
    let many: Vec<_> = (0..501).collect();
    let names: Vec<_> = (0..257)
        .map(|number| format!("shopper:f{number}"))
        .collect();
    let long = "x".repeat(129);
    let nothing = json!({"features": feature});
    for (mut question, refusal) in [
        (json!({"entities": ann}), "400 missing_field features"),
        (nothing.clone(), "400 missing_field entities"),
        (json!({"features": names}), "400 invalid_field features"),
        (
            json!({"features": ["shopper:a", "actions_total"]}),
            "400 invalid_field features[1]",
        ),
        (
            json!({"features": ["shopper:a", "shopper:a"]}),
            "400 invalid_field features[1]",
        ),
        (
            json!({"features": [format!("shopper:{long}")]}),
            "400 invalid_field features[0]",
        ),
        (
            json!({"features": ["driver:actions_total"]}),
            "404 not_found features[0]",
        ),
        (
            json!({"feature_service": "other"}),
            "404 not_found feature_service",
        ),
        (
            json!({"features": feature, "feature_service": "foretide"}),
            "400 invalid_field feature_service",
        ),
    ] {
        if question != nothing {
            question["entities"] = ann.clone();
        }
        assert_eq!(refused(&shop, PATH, &question).await, refusal, "{question}");
    }
    for (entities, refusal) in [
        (json!({}), "400 missing_field entities"),
        (
            json!({"user_id": [], "shopper_id": []}),
            "400 invalid_field entities",
        ),
        (
            json!({"driver_id": [1]}),
            "400 invalid_field entities.driver_id",
        ),
        (
            json!({"user_id": null}),
            "400 invalid_field entities.user_id",
        ),
        (
            json!({"user_id": ["ann", ["bob"]]}),
            "400 invalid_field entities.user_id[1]",
        ),
        (
            json!({"shopper_id": ["ann"]}),
            "400 invalid_field entities.shopper_id[0]",
        ),
        (
            json!({"user_id": many}),
            "400 invalid_field entities.user_id",
        ),
    ] {
        let question = json!({"features": feature, "entities": entities});
        assert_eq!(refused(&shop, PATH, &question).await, refusal, "{question}");
    }
    let long_ago = format!("{PATH}?at={}", NOW.plus(-4 * DAY_MS));
    let question = json!({"features": feature, "entities": ann});
    assert_eq!(
        refused(&shop, &long_ago, &question).await,
        "422 not_remembered at"
    );
}

/// Status, code and field of a refusal.
async fn refused(shop: &Shop, path: &str, question: &Value) -> String {
    let (status, code, field) = shop.post(path, question).await.problem();
    format!("{status} {code} {field}")
}

#[tokio::test]
async fn while_profiles_are_restored_nobody_is_called_unknown() {
    let shop = Shop::new();
    let ann = shop.fold("ann", MINUTE_MS, page());
    (0..shop.table.partitions()).for_each(|partition| shop.table.clear_partition(partition));
    let question = |ids: Value| json!({"features": ["shopper:actions_total"], "entities": {"shopper_id": ids}});
    let reply = shop.post(PATH, &question(json!([ann]))).await;
    assert_eq!(reply.problem().0, 503);
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(shop.get("/health").await.status, 503);
    // Who is there already is answered.
    shop.fold("ann", MINUTE_MS, page());
    let answer = shop.post(PATH, &question(json!([ann]))).await.ok();
    assert_eq!(column(&answer, "actions_total")["values"], json!([1.0]));
    assert_eq!(answer["metadata"]["features_age_ms"], Value::Null);
    shop.refresh();
    let strangers = question(json!([ann, shopper_of("stranger")]));
    let answer = shop.post(PATH, &strangers).await.ok();
    assert_eq!(
        column(&answer, "actions_total")["statuses"],
        json!(["PRESENT", "NOT_FOUND"])
    );
}

#[tokio::test]
async fn health_is_told_without_a_key_and_features_are_not() {
    let shop = Shop::new();
    let reply = shop
        .send(Request::get("/health"), "wrong", String::new())
        .await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
    for key in ["wrong", "write"] {
        let reply = shop.send(Request::post(PATH), key, String::new()).await;
        assert!([401, 403].contains(&reply.status), "{key}");
    }
}
