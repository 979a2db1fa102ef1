//! One broker of three dies in the middle: nothing is lost, nothing counted twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{fs, thread::sleep, time::Duration};

use foretide_tests::{
    broker::Brokers,
    data,
    server::{Server, assert_adds_up, summary},
};

const EVENTS: usize = 12_000;

#[test]
fn the_death_of_one_broker_of_three_leaves_the_profiles_as_embedded_ones() {
    let mut embedded = Server::embedded();
    let file = embedded.directory().join("clicks.csv");
    fs::write(&file, data::rees46(EVENTS, 300)).unwrap();
    embedded.start();
    assert_adds_up(&summary(embedded.import("rees46", &file)));
    embedded.stop();
    let undisturbed = embedded.digest();
    assert_eq!(undisturbed["events"], EVENTS);
    let key = fs::read(embedded.directory().join("data/pseudonym.key")).unwrap();

    let brokers = Brokers::start(3);
    let mut server = Server::kafka(brokers.bootstrap(), &key);
    server.start();
    let import = server.import("rees46", &file);
    while accepted(&server) < EVENTS / 10 {
        sleep(Duration::from_millis(5));
    }
    brokers.kill(2);
    let summary = summary(import);
    assert_adds_up(&summary);
    assert_eq!(summary["sent"], EVENTS, "{summary}");
    server.stop();
    assert_eq!(server.digest(), undisturbed);
}

/// The events that ingest has taken so far.
fn accepted(server: &Server) -> usize {
    let metrics = server.metrics();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(r#"foretide_ingest_receipts_total{outcome="accepted""#));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0)
}
