//! History is imported, then live traffic goes on; what comes both ways counts once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::fs;

use foretide_tests::{
    faults::{Arrival, Feed, KEY, source_counts, undisturbed},
    server::{Server, assert_adds_up, summary},
};
use serde_json::json;

#[test]
fn live_traffic_after_an_import_that_overlaps_it_leaves_no_gap_and_counts_nothing_twice() {
    let expected = undisturbed();
    let events = &expected.shop.events;
    let mut server = Server::embedded();
    server.use_key(KEY);
    server.start();
    // History up to three quarters, live from the half on: a quarter comes both ways, under the same ids.
    let (history, live) = (&events[..events.len() * 3 / 4], &events[events.len() / 2..]);
    let file = server.directory().join("history.ndjson");
    let lines: Vec<String> = history.iter().map(ToString::to_string).collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let live = Arrival {
        events: live.to_vec(),
        unique: live.len(),
    };
    let mut feed = Feed::new(server.address(), &live);
    let imported = summary(server.import("ndjson", &file));
    assert_adds_up(&imported);
    assert_eq!(
        (&imported["folded"], &imported["rejected"]),
        (&json!(history.len()), &json!({}))
    );
    feed.send_rest();
    let live = source_counts(&server);
    let overlap = history.len() - events.len() / 2;
    assert_eq!(live["folded"], events.len() - history.len(), "{live}");
    assert_eq!(
        (&live["duplicate"], &live["late"]),
        (&json!(overlap), &json!(0)),
        "{live}"
    );
    assert_eq!(
        (&live["accepted"], feed.sent.uncertain),
        (&json!(feed.sent.accepted), 0),
        "{live}"
    );
    // The file once more changes nothing, though much of it lies further back than profiles reach.
    let again = summary(server.import("ndjson", &file));
    assert_adds_up(&again);
    assert_eq!(again["folded"], 0, "{again}");
    server.stop();
    assert_eq!(server.digest(), expected.digest);
}
