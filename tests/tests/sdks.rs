//! Stock SDKs of the Segment family, unmodified, deliver to Foretide. What they are and send: `tests/sdk/README.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{collections::HashSet, thread::sleep, time::Duration};

use foretide_tests::{
    sdk::{self, Plan},
    server::Server,
};
use serde_json::json;

const SERVER_SDKS: [&str; 5] = [
    "analytics-node",
    "rudder-sdk-node",
    "analytics-python",
    "analytics-go",
    "analytics-java",
];

/// Sends rounds of events and a bad one, and checks that each came once and was taken once: every request that sends anything
/// was taken, all of them together hold each event once, and no id is on the log twice.
fn delivers_everything_once(name: &str) {
    let mut server = Server::embedded();
    server.start();
    let plan = Plan {
        rounds: 12,
        pause: Duration::from_millis(20),
        bad: true,
    };
    let outcome = sdk::start(name, &server, plan).outcome();
    assert_eq!(outcome.errors, [""; 0], "{name} was told of failures");
    assert!(outcome.sent > 80, "{outcome:?}");
    let good = outcome.sent - 1;
    assert_eq!(
        sdk::counts(&server),
        json!({
            "source": sdk::SOURCE, "complete": true, "accepted": good, "rejected": { "too_large": 1 },
            "folded": good, "duplicate": 0, "late": 0,
        }),
        "{name} sent {}",
        outcome.sent
    );
    assert_eq!(sdk::refused_requests(&server), [""; 0], "{name}");
    let came = sdk::sent(&server);
    assert_eq!(
        (came.requests, came.events),
        (came.taken, outcome.sent),
        "{name} sent something again: {came:?}"
    );
    assert_eq!(
        sdk::counter(&server, "foretide_ingest_ids_made_total"),
        0,
        "{name}"
    );
    server.stop();
    let ids = sdk::stored_ids(&server);
    assert_eq!(ids.len() as u64, good, "{name}");
    assert_eq!(distinct(ids), good, "{name} sent an id twice");
}

/// How many different ids there are among `ids`.
fn distinct(ids: Vec<String>) -> u64 {
    ids.into_iter().collect::<HashSet<_>>().len() as u64
}

#[test]
fn segments_node_sdk_delivers_everything_once() {
    delivers_everything_once("analytics-node");
}

#[test]
fn rudderstacks_node_sdk_delivers_everything_once() {
    delivers_everything_once("rudder-sdk-node");
}

#[test]
fn segments_python_sdk_delivers_everything_once() {
    delivers_everything_once("analytics-python");
}

#[test]
fn segments_go_sdk_delivers_everything_once() {
    delivers_everything_once("analytics-go");
}

#[test]
fn segments_java_sdk_delivers_everything_once() {
    delivers_everything_once("analytics-java");
}

#[test]
fn segments_browser_sdk_finds_its_settings_and_delivers_everything_once() {
    delivers_everything_once("analytics-browser");
}

/// All at once, so that the time is waited for only once. What was in flight when the service died may come again and
/// is then a duplicate, which no profile counts.
#[test]
fn a_service_that_is_away_for_20_s_loses_nothing_that_the_sdks_still_hold() {
    let mut server = Server::embedded();
    server.start();
    let plan = Plan {
        rounds: 100,
        pause: Duration::from_millis(300),
        bad: false,
    };
    let runs = SERVER_SDKS.map(|name| (name, sdk::start(name, &server, plan)));
    // Each has its key's counts in common with the others: all of them are under way.
    while sdk::counts(&server)["accepted"].as_u64() < Some(400) {
        sleep(Duration::from_millis(100));
    }
    server.kill();
    sleep(Duration::from_secs(20));
    server.start();
    let mut sent = 0;
    for (name, run) in runs {
        let outcome = run.outcome();
        assert_eq!(outcome.errors, [""; 0], "{name} gave up events");
        sent += outcome.sent;
    }
    let counts = sdk::counts(&server);
    assert_eq!(counts["folded"], sent, "{counts}");
    assert_eq!(counts["late"], 0, "{counts}");
    assert_eq!(counts["rejected"], json!({}), "{counts}");
    server.stop();
    assert_eq!(server.digest()["events"], sent);
    assert_eq!(distinct(sdk::stored_ids(&server)), sent);
}
