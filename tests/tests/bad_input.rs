//! Bad input gets a clear answer, and nothing else suffers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use foretide_tests::{scenario, server::Server};

/// Runs `scenario` on a new server, which holds what it says at the end.
fn on_a_server(scenario: impl Fn(&Server) -> u64) {
    let mut server = Server::embedded();
    server.start();
    let taken = scenario(&server);
    server.stop();
    assert_eq!(server.digest()["events"], taken);
}

#[test]
fn one_bad_event_harms_no_neighbour() {
    on_a_server(scenario::one_bad_event_harms_no_neighbour);
}

#[test]
fn a_body_that_cannot_be_taken_is_refused_with_the_cause_and_memory_stays_flat() {
    on_a_server(scenario::a_body_that_cannot_be_taken_is_refused);
}

#[test]
fn the_write_key_neither_reads_nor_decides() {
    let mut server = Server::embedded();
    server.start();
    scenario::the_write_key_neither_reads_nor_decides(&server);
}
