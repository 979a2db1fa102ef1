//! Feast's own client of remote online stores, unmodified, reads features from Foretide.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use foretide_tests::{
    project_root,
    server::{ADMIN_KEY, Server, eventually},
};
use serde_json::{Map, Value, json};

/// Asks `questions` through Feast; `tests/feast/read.py` says what they are.
fn through_feast(server: &Server, questions: &Value) -> Value {
    let mut program = Command::new(project_root().join("tests/feast/run"))
        .arg(server.url())
        .env("FORETIDE_ADMIN_KEY", ADMIN_KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    input.write_all(questions.to_string().as_bytes()).unwrap();
    drop(input);
    let output = program.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

/// A server that knows Ann, who is there now, and Bob, who was there years ago.
fn shop() -> Server {
    let mut server = Server::embedded();
    server.start();
    let view = |shopper: &str, product: &str| {
        json!({
            "type": "product_view",
            "shopper": { "user_id": shopper },
            "product": { "product_id": product, "category": "hats" },
        })
    };
    let mut bob = view("bob", "p3");
    bob["at"] = json!("2019-10-01T10:00:00Z");
    let actions = json!({ "actions": [view("ann", "p1"), view("ann", "p2"), bob] });
    let stored = server.ingest("/v1/actions", actions.to_string().as_bytes());
    assert_eq!(stored.body["accepted"], 3, "{}", stored.body);
    let folded = |user: &str, actions: f64| {
        let shown = server.get(&format!("/v1/shoppers/features?user_id={user}"));
        shown.body["features"]["actions_total"]["value"] == actions
    };
    assert!(eventually(|| folded("ann", 2.0) && folded("bob", 1.0)));
    server
}

/// What `GET /v1/shoppers/features` shows of a user.
fn shown(server: &Server, user: &str, more: &str) -> Value {
    let answer = server.get(&format!("/v1/shoppers/features?user_id={user}{more}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

fn features(shown: &Value) -> &Map<String, Value> {
    shown["features"].as_object().unwrap()
}

#[test]
fn feast_reads_the_features_that_the_shoppers_route_shows() {
    let mut server = shop();
    let ann = shown(&server, "ann", "");
    let at = ann["at"].as_str().unwrap();
    let bob = shown(&server, "bob", &format!("&at={at}"));

    // Feast puts its own path behind the store's: here it ends up in a parameter that nobody reads, so that the instant
    // stays the same.
    let then = format!("{}/get-online-features?at={at}&rest=", server.url());
    let people = json!(["ann", "bob", "stranger"]);
    let pseudonyms = json!([ann["shopper_id"], bob["shopper_id"]]);
    let some = json!(["actions_total", "session_actions", "days_since_purchase"]);
    let answers = through_feast(
        &server,
        &json!([
            { "path": then, "entity": "user_id", "ids": people },
            { "entity": "user_id", "ids": people },
            { "entity": "shopper_id", "ids": pseudonyms, "features": some, "full": true },
            { "entity": "user_id", "ids": people, "features": some, "rows": true },
        ]),
    );
    let later = shown(&server, "ann", "");

    // As of one instant, everything is the same to the last bit.
    let (values, statuses) = (&answers[0]["values"], &answers[0]["statuses"]);
    assert_eq!(values["user_id"], people);
    assert_eq!(values.as_object().unwrap().len(), features(&ann).len() + 1);
    for (name, of_ann) in features(&ann) {
        let of_bob = &bob["features"][name];
        assert_eq!(
            values[name],
            json!([of_ann["value"], of_bob["value"], null]),
            "{name}"
        );
        assert_eq!(
            statuses[name],
            json!([of_ann["status"], of_bob["status"], "NOT_FOUND"]),
            "{name}"
        );
    }
    assert_eq!(
        statuses["session_actions"],
        json!(["PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND"])
    );
    assert_eq!(
        statuses["days_since_purchase"],
        json!(["NULL_VALUE", "NULL_VALUE", "NOT_FOUND"])
    );

    // As of now, every value of Ann lies between those before and after.
    for (name, before) in features(&ann) {
        let live = &answers[1]["values"][name][0];
        let after = &later["features"][name];
        match (before["value"].as_f64(), after["value"].as_f64()) {
            (Some(before), Some(after)) => {
                let live = live.as_f64().unwrap();
                let lies_between = before.min(after) <= live && live <= before.max(after);
                assert!(lies_between, "{name}: {before}, {live}, {after}");
            }
            _ => assert_eq!(*live, Value::Null, "{name}"),
        }
        assert_eq!(
            answers[1]["statuses"][name], statuses[name],
            "{name} as of now"
        );
    }

    assert_eq!(
        answers[2]["values"],
        json!({
            "shopper_id": pseudonyms,
            "shopper__actions_total": [2.0, 1.0],
            "shopper__session_actions": [2.0, null],
            "shopper__days_since_purchase": [null, null],
        })
    );
    let nothing =
        json!({ "actions_total": null, "session_actions": null, "days_since_purchase": null });
    assert_eq!(
        answers[3],
        json!([
            { "actions_total": 2.0, "session_actions": 2.0, "days_since_purchase": null },
            { "actions_total": 1.0, "session_actions": null, "days_since_purchase": null },
            nothing,
        ])
    );
    server.stop();
}
