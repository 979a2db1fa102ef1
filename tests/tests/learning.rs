//! Cohorts form, serve and re-form, and models are trained, kept and used, over the embedded log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::collections::BTreeSet;

use foretide_tests::{
    learning::{Asking, Past, TARGETS, cohorts, in_time, models, sensible},
    server::{Server, eventually},
};
use serde_json::{Value, json};

/// Nobody waits for minutes here.
fn learning() -> Server {
    Server::embedded()
        .with_env("FORETIDE_COHORTS_INTERVAL_S", "1")
        .with_env("FORETIDE_TRAINING_INTERVAL_S", "1")
        .with_env("FORETIDE_REFERENCE_INTERVAL_S", "1")
}

fn ids(cohorts: &[Value]) -> BTreeSet<String> {
    let ids = cohorts.iter().map(|cohort| cohort["id"].to_string());
    ids.collect()
}

fn send(server: &Server, actions: &[Value]) {
    for part in actions.chunks(500) {
        let sent = json!({ "actions": part });
        let stored = server.ingest("/v1/actions", sent.to_string().as_bytes());
        assert_eq!(stored.body["accepted"], part.len(), "{}", stored.body);
    }
}

/// What `foretide topics tail` shows, once the server has ended.
fn tailed(server: &Server, topic: &str) -> Vec<Value> {
    let output = server.offline(&["topics", "tail", topic]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Somebody no one is like: puts forty things into the cart within two minutes, and enters coupons that are denied.
fn splurge(user: &str) -> Vec<Value> {
    let shopper = json!({ "user_id": user });
    let cart = (0..40).map(|turn| {
        let price = json!({ "minor_units": 100_000 + turn, "currency": "EUR" });
        let product =
            json!({ "product_id": format!("p{turn}"), "category": "rare", "price": price });
        json!({ "type": "cart_add", "shopper": shopper, "product": product })
    });
    let coupons = (0..20)
        .map(|_| json!({ "type": "coupon_attempt", "shopper": shopper, "outcome": "denied" }));
    cart.chain(coupons).collect()
}

#[test]
fn cohorts_form_serve_outlive_a_kill_and_take_in_a_new_behaviour() {
    let mut server = learning();
    server.start();
    let past = Past::of(&server, 700, 40);
    past.import(&server);
    assert!(
        in_time(|| cohorts(&server).len() >= 2),
        "{}\n{}",
        server.get("/v1/cohorts").body,
        server.log_tail()
    );

    let formed = server.get("/v1/cohorts").body;
    let found = cohorts(&server);
    let names: BTreeSet<_> = found.iter().map(|one| one["name"].to_string()).collect();
    assert_eq!(names.len(), found.len(), "each has a name: {names:?}");
    assert!(found.iter().all(|one| one["size"].as_u64() >= Some(50)));
    let asking = Asking::begin(&server, &past.users);
    let id = found[0]["id"].as_str().unwrap();
    let one = server.get(&format!("/v1/cohorts/{id}")).body;
    assert_eq!(one["id"], id);
    assert_eq!(server.get("/v1/cohorts/c-none").status, 404);
    let asked = asking.end();
    let known = ids(&found);
    let seen: BTreeSet<_> = asked
        .rested_on
        .iter()
        .map(|rests| json!(rests.cohort).to_string())
        .collect();
    assert!(
        seen.len() >= 2 && seen.is_subset(&known),
        "{seen:?} {known:?}"
    );

    server.kill();
    server.start();
    assert_eq!(server.get("/v1/cohorts").body["version"], formed["version"]);

    let newcomers: Vec<_> = (0..300)
        .flat_map(|number| splurge(&format!("newcomer-{number}")))
        .collect();
    send(&server, &newcomers);
    let of = |user: &str| {
        let ask = json!({ "shopper": { "user_id": user } });
        sensible(&server.post("/v1/decisions", &ask))
            .unwrap()
            .cohort
    };
    // They come to be a cohort of their own, though it may take over the id of the one they were in before.
    let size_of = |user: &str| {
        let id = json!(of(user));
        let found = cohorts(&server).into_iter().find(|one| one["id"] == id);
        found.and_then(|one| one["size"].as_u64())
    };
    assert!(
        in_time(|| size_of("newcomer-7").is_some_and(|size| (270..=330).contains(&size))),
        "{}\n{}",
        server.get("/v1/cohorts").body,
        server.log_tail()
    );
    let after = ids(&cohorts(&server));
    let kept = known.intersection(&after).count();
    assert!(kept * 2 > known.len(), "ids stay: {known:?} {after:?}");
    assert_eq!(of("newcomer-7"), of("newcomer-250"));
    let moved = server.get("/v1/cohorts/movements");
    assert_eq!(moved.status, 200, "{}", moved.body);

    // Whoever begins to do as they do moves at once.
    let followers: Vec<_> = past
        .users
        .iter()
        .take(30)
        .flat_map(|user| splurge(user))
        .collect();
    send(&server, &followers);
    server.stop();
    let transitions = tailed(&server, "transitions");
    let causes: BTreeSet<_> = transitions
        .iter()
        .map(|line| line["value"]["cause"].as_str().unwrap().to_owned())
        .collect();
    let expected = ["behaviour", "reforming"].map(str::to_owned);
    assert_eq!(causes, expected.into(), "{transitions:#?}");
}

#[test]
fn models_are_trained_judged_on_later_data_and_serve_when_promoted() {
    let mut server = learning();
    server.start();
    let past = Past::of(&server, 700, 60);
    past.import(&server);
    // The first ones may rest on so little that nothing is left to judge them by.
    let card = |version: &String| server.get(&format!("/v1/models/{version}")).body["card"].clone();
    let is_judged = |version: &String| card(version)["metrics"]["auc"]["value"].is_number();
    let judged = |target: &str| models(&server, target).into_iter().find(is_judged);
    assert!(
        in_time(|| TARGETS.into_iter().all(|target| judged(target).is_some())),
        "{}\n{}",
        server.get("/v1/models").body,
        server.log_tail()
    );
    // Of an empty cart there is nothing to say.
    let price = json!({ "minor_units": 1000, "currency": "EUR" });
    let shopper = json!({ "user_id": past.users[0] });
    let product = json!({ "product_id": "p1", "price": price });
    send(
        &server,
        &[json!({ "type": "cart_add", "shopper": shopper, "product": product })],
    );
    let asking = Asking::begin(&server, &past.users);
    for target in TARGETS {
        let version = judged(target).unwrap();
        let told = card(&version);
        let auc = told["metrics"]["auc"]["value"].as_f64();
        assert!(auc.is_some_and(|auc| (0.5..0.99).contains(&auc)), "{told}");
        let curve = told["calibration_curve"].as_array();
        assert!(curve.is_some_and(|curve| !curve.is_empty()), "{told}");
        assert!(told["importance"].is_array(), "{told}");
        let promoted = server.post(&format!("/v1/models/{version}/promote"), &json!({}));
        assert!((200..300).contains(&promoted.status), "{}", promoted.body);
        let ask = json!({ "shopper": { "user_id": past.users[0] } });
        let rests = || {
            sensible(&server.post("/v1/decisions", &ask))
                .unwrap()
                .source
        };
        assert!(eventually(|| rests().contains(&version)), "{}", rests());
    }
    asking.end();

    // What serves is on the log, so it serves again after a kill.
    let ask = json!({ "shopper": { "user_id": past.users[0] } });
    let source = |server: &Server| {
        sensible(&server.post("/v1/decisions", &ask))
            .unwrap()
            .source
    };
    let before = source(&server);
    server.kill();
    server.start();
    assert_eq!(source(&server), before);
}

#[test]
fn where_no_cart_is_ever_bought_nothing_is_learnt_of_abandonment_and_the_prior_serves() {
    let mut server = learning();
    server.start();
    let past = Past::of(&server, 400, 40);
    let actions = std::fs::read_to_string(&past.file).unwrap();
    let unbought = actions
        .lines()
        .filter(|line| !line.contains("\"type\":\"purchase\""));
    let unbought: Vec<_> = unbought.collect();
    assert!(unbought.len() < actions.lines().count());
    std::fs::write(&past.file, unbought.join("\n")).unwrap();
    past.import(&server);
    assert!(
        in_time(|| !models(&server, "drift").is_empty()),
        "{}",
        server.log_tail()
    );
    let told = || server.get("/v1/models").body["targets"].to_string();
    assert!(in_time(|| told().contains("too_little")), "{}", told());
    assert!(models(&server, "abandonment").is_empty(), "{}", told());
    let asked = Asking::begin(&server, &past.users).end();
    let learnt = |source: &str| source.contains("abandonment-");
    assert!(!asked.rested_on.iter().any(|rests| learnt(&rests.source)));
}
