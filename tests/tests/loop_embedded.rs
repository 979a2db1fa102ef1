//! The loop on the embedded log: actions in, profile folded, offer out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::fs;

use foretide_tests::{
    data,
    server::{Server, assert_adds_up, summary},
};
use serde_json::{Value, json};

/// Whether the answer follows the default rule (M12) for the probabilities it names.
fn assert_follows_the_rule(decision: &Value) {
    let abandonment = decision["predictions"]["abandonment"].as_f64().unwrap();
    let drift = decision["predictions"]["drift"].as_f64().unwrap();
    let expected = match (abandonment > 0.7, drift > 0.8) {
        (true, _) => json!("discount"),
        (false, true) => json!("recommendations"),
        (false, false) => Value::Null,
    };
    assert_eq!(decision["offer"]["kind"], expected, "{decision}");
}

#[test]
fn a_clickstream_becomes_profiles_and_offers_and_survives_a_restart() {
    let mut server = Server::embedded();
    server.start();
    let file = server.directory().join("clicks.csv");
    fs::write(&file, data::rees46(3000, 80)).unwrap();
    let imported = summary(server.import("rees46", &file));
    assert_adds_up(&imported);
    assert_eq!(imported["sent"], 3000);
    assert_eq!(imported["folded"], 3000);

    let again = summary(server.import("rees46", &file));
    assert_adds_up(&again);
    assert_eq!(
        again["folded"], 0,
        "importing a file again changes nothing: {again}"
    );

    let found = server.get("/v1/shoppers?user_id=7");
    assert_eq!(found.status, 200, "{}", found.body);
    let shopper = found.body["shopper_id"].as_str().unwrap().to_owned();
    assert_eq!(shopper.len(), 32);
    let then = server.get(&format!("/v1/shoppers/{shopper}?at=2019-10-01T01:00:00Z"));
    assert_eq!(then.status, 200, "{}", then.body);

    let cart = json!({ "total": "129.90", "currency": "EUR",
        "items": [{ "product_id": "p1", "quantity": 1, "price": "129.90" }] });
    for user in 0..20 {
        let ask =
            json!({ "shopper": { "user_id": user.to_string() }, "session": "s", "cart": cart });
        let answer = server.post("/v1/decisions", &ask);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body["decision_id"].is_string());
        assert_follows_the_rule(&answer.body);
    }
    server.stop();
    let first = server.digest();
    assert_eq!(first["events"], 3000);
    server.start();
    assert_eq!(server.get(&format!("/v1/shoppers/{shopper}")).status, 200);
    server.stop();
    assert_eq!(server.digest(), first);
}

#[test]
fn a_decision_is_recorded_unless_it_is_dry() {
    let mut server = Server::embedded();
    server.start();
    let ask = json!({ "shopper": { "user_id": "ann" }, "request_id": "r1" });
    assert_eq!(server.post("/v1/decisions", &ask).status, 200);
    assert_eq!(
        server
            .post("/v1/decisions?at=2026-01-01T00:00:00Z", &ask)
            .status,
        200
    );
    server.stop();
    let stats = server.offline(&["topics", "stats"]);
    let lines = String::from_utf8(stats.stdout).unwrap();
    let decisions: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|topic| topic["topic"] == "foretide.decisions")
        .collect();
    assert_eq!(decisions.len(), 1, "{lines}");
    assert_eq!(decisions[0]["records"], 1, "{lines}");
}

#[test]
fn the_published_data_set_is_folded_whole() {
    let Some(file) = data::shared("rees46/2019-Oct-head.csv") else {
        return;
    };
    let mut server = Server::embedded();
    server.start();
    let imported = summary(server.import("rees46", &file));
    assert_adds_up(&imported);
    // The file was cut in the middle of its last row: whose event that was cannot be told.
    assert_eq!(imported["rejected"], json!({ "unreadable_row": 1 }));
    assert_eq!(imported["folded"], 17_434);
    server.stop();
    let digest = server.digest();
    assert_eq!(
        (&digest["events"], &digest["shoppers"]),
        (&json!(17_434), &json!(4_504))
    );
}

#[test]
fn the_numbers_can_be_watched() {
    let mut server = Server::embedded();
    server.start();
    let action = json!({ "type": "page_view", "shopper": { "user_id": "zanzibar" } }).to_string();
    assert_eq!(server.ingest("/v1/actions", action.as_bytes()).status, 200);
    let metrics = server.metrics();
    assert!(metrics.contains("foretide_"), "{metrics}");
    assert!(!metrics.contains("zanzibar"), "a raw id in the metrics");
}
