//! The loop on the embedded log: actions in, profile folded, offer out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use foretide_tests::{
    data, scenario,
    server::{Server, assert_adds_up, summary},
};
use serde_json::json;

#[test]
fn a_clickstream_becomes_profiles_and_offers_and_survives_a_restart() {
    scenario::a_clickstream_becomes_profiles_and_offers(&mut Server::embedded(), 3000, 80);
}

#[test]
fn a_decision_is_recorded_unless_it_is_dry() {
    let mut server = Server::embedded();
    server.start();
    scenario::a_decision_is_recorded_unless_it_is_dry(&mut server);
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
    scenario::the_numbers_can_be_watched(&server);
}
