//! `kill -9` at random moments of an import: the profiles end as if nothing had happened.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::fs;

use foretide_tests::{
    broker::Broker,
    postgres,
    scenario::{import_under_kills, undisturbed},
    server::{Instances, Server},
};

const EVENTS: usize = 12_000;

/// The number of kills: `usual`, or what `FORETIDE_TEST_KILLS` says.
fn kills(usual: u32) -> u32 {
    std::env::var("FORETIDE_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

#[test]
fn kills_leave_the_embedded_profiles_as_they_would_have_been() {
    let (csv, key, digest) = undisturbed(EVENTS);
    let mut killed = Server::embedded();
    fs::create_dir_all(killed.directory().join("data")).unwrap();
    fs::write(killed.directory().join("data/pseudonym.key"), &key).unwrap();
    let file = killed.directory().join("clicks.csv");
    fs::write(&file, csv).unwrap();
    assert_eq!(import_under_kills(&mut killed, &file, kills(6)).1, digest);
}

#[test]
fn kills_leave_the_profiles_over_kafka_as_embedded_ones() {
    let broker = Broker::start();
    let (csv, key, digest) = undisturbed(EVENTS);
    let mut killed = Server::kafka(&broker.bootstrap(), &key);
    let file = killed.directory().join("clicks.csv");
    fs::write(&file, csv).unwrap();
    assert_eq!(import_under_kills(&mut killed, &file, kills(6)).1, digest);
}

#[test]
fn kills_of_services_apart_leave_the_profiles_as_embedded_ones() {
    let broker = Broker::start();
    let (csv, key, digest) = undisturbed(EVENTS);
    let database = postgres::fresh_database();
    let mut killed = Server::apart(&broker.bootstrap(), &database, &key, Instances::TWO);
    let file = killed.directory().join("clicks.csv");
    fs::write(&file, csv).unwrap();
    // Each instance of each service once.
    assert_eq!(import_under_kills(&mut killed, &file, kills(6)).1, digest);
}
