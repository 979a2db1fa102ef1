//! `kill -9` at random moments of an import: the profiles end as if nothing had happened.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{fs, path::Path, process::Child, thread::sleep, time::Duration};

use foretide_tests::{
    broker::Broker,
    data,
    server::{Server, assert_adds_up, summary},
};
use serde_json::Value;

const EVENTS: usize = 12_000;

/// The number of kills: 6, or what `FORETIDE_TEST_KILLS` says.
fn kills() -> u32 {
    std::env::var("FORETIDE_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6)
}

/// Imports `file` while the server is killed and started again, and returns the summary and the digest.
fn import_under_kills(server: &mut Server, file: &Path, kills: u32) -> (Value, Value) {
    server.start();
    let mut import: Option<Child> = None;
    for kill in 0..kills {
        let mut child = import
            .take()
            .unwrap_or_else(|| server.import("rees46", file));
        // Spread over the import's first moments and later ones, in and between publishing intervals.
        sleep(Duration::from_millis(60 + u64::from(kill) * 97 % 450));
        server.kill();
        server.start();
        if child.try_wait().unwrap().is_none() {
            import = Some(child);
        } else {
            assert_adds_up(&summary(child));
        }
    }
    let last = import.unwrap_or_else(|| server.import("rees46", file));
    let counted = summary(last);
    assert_adds_up(&counted);
    server.stop();
    (counted, server.digest())
}

#[test]
fn kills_leave_the_embedded_profiles_as_they_would_have_been() {
    let mut calm = Server::embedded();
    let file = calm.directory().join("clicks.csv");
    fs::write(&file, data::rees46(EVENTS, 300)).unwrap();
    let (_, undisturbed) = import_under_kills(&mut calm, &file, 0);
    assert_eq!(undisturbed["events"], EVENTS);
    let key = fs::read(calm.directory().join("data/pseudonym.key")).unwrap();

    let mut killed = Server::embedded();
    fs::create_dir_all(killed.directory().join("data")).unwrap();
    fs::write(killed.directory().join("data/pseudonym.key"), &key).unwrap();
    let (_, digest) = import_under_kills(&mut killed, &file, kills());
    assert_eq!(digest, undisturbed);
}

#[test]
fn kills_leave_the_profiles_over_kafka_as_embedded_ones() {
    let broker = Broker::start();
    let mut embedded = Server::embedded();
    let file = embedded.directory().join("clicks.csv");
    fs::write(&file, data::rees46(EVENTS, 300)).unwrap();
    let (_, undisturbed) = import_under_kills(&mut embedded, &file, 0);
    let key = fs::read(embedded.directory().join("data/pseudonym.key")).unwrap();

    let mut kafka = Server::kafka(&broker.bootstrap(), &key);
    let (_, digest) = import_under_kills(&mut kafka, &file, kills());
    assert_eq!(digest, undisturbed);
}
