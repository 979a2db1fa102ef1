//! The loop over a real Kafka broker.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{fs, process::Command};

use foretide_tests::{
    broker::Broker,
    data, scenario,
    server::{Server, assert_adds_up, eventually, summary},
};
use serde_json::{Value, json};

const KEY: &[u8] = b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";

#[test]
fn a_clickstream_becomes_profiles_and_offers_and_people_can_read_the_log() {
    let broker = Broker::start();
    let mut server = Server::kafka(&broker.bootstrap(), KEY);
    server.start();
    let file = server.directory().join("clicks.csv");
    fs::write(&file, data::rees46(2000, 50)).unwrap();
    let imported = summary(server.import("rees46", &file));
    assert_adds_up(&imported);
    assert_eq!(imported["folded"], 2000);

    let seen = || server.get("/v1/shoppers?user_id=7").status == 200;
    assert!(eventually(seen), "the profile does not reach scoring");
    let answer = server.post("/v1/decisions", &json!({ "shopper": { "user_id": "7" } }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body["features_age_ms"].is_u64(), "{}", answer.body);

    let output = Command::new("kcat")
        .args([
            "-b",
            &broker.bootstrap(),
            "-C",
            "-t",
            "foretide.actions",
            "-e",
            "-q",
            "-c",
            "5",
        ])
        .output()
        .expect("kcat runs (Debian package kcat)");
    let text = String::from_utf8(output.stdout).expect("the log is text");
    let first: Value = serde_json::from_str(text.lines().next().expect("records")).unwrap();
    assert_eq!(first["v"], 1);
    assert_eq!(first["type"], "product_view", "{first}");
    assert!(
        first["shopper"]["user"]
            .as_str()
            .is_some_and(|id| id.len() == 32),
        "{first}"
    );
}

#[test]
fn without_its_broker_it_acknowledges_nothing_says_so_and_recovers() {
    let mut broker = Broker::start();
    let mut server = Server::kafka(&broker.bootstrap(), KEY);
    scenario::without_its_broker_nothing_is_acknowledged(&mut broker, &mut server);
}

#[test]
fn another_pseudonym_key_is_refused_at_start() {
    let broker = Broker::start();
    let mut server = Server::kafka(&broker.bootstrap(), KEY);
    server.start();
    server.stop();
    let mut other = Server::kafka(
        &broker.bootstrap(),
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    );
    other.launch();
    assert!(!other.wait_end(), "a second key must be refused");
    assert!(
        other.log_tail().contains("pseudonym key"),
        "{}",
        other.log_tail()
    );
}
