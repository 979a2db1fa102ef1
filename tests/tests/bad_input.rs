//! Bad input gets a clear answer, and nothing else suffers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use foretide_tests::{
    segment,
    server::{Server, WRITE_KEY},
};
use serde_json::{Value, json};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn action(id: &str) -> Value {
    json!({ "type": "page_view", "id": id, "shopper": { "user_id": "ann" }, "at": "2026-01-01T00:00:00Z" })
}

#[test]
fn one_bad_event_harms_no_neighbour() {
    let mut server = Server::embedded();
    server.start();
    let mut batch = segment::batch("good", 10, 3);
    batch["batch"][4] = json!({ "type": "track", "event": "Product Viewed", "messageId": "bad-4" });
    let answer = server.ingest("/v1/batch", batch.to_string().as_bytes());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["success"], true);
    assert_eq!(answer.body["accepted"], 9);
    assert_eq!(answer.body["rejected"][0]["index"], 4);
    assert_eq!(answer.body["rejected"][0]["code"], "missing_identity");

    let mut bad = action("bad");
    bad["scroll_depth"] = json!(7);
    let actions = json!({ "actions": [action("one"), bad, action("two")] });
    let answer = server.ingest("/v1/actions", actions.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["accepted"], 2);
    assert_eq!(answer.body["rejected"][0]["field"], "scroll_depth");
    assert_eq!(answer.body["rejected"][0]["id"], "bad");
    server.stop();
    assert_eq!(server.digest()["events"], 11);
}

#[test]
fn a_body_that_cannot_be_taken_is_refused_with_the_cause_and_memory_stays_flat() {
    let mut server = Server::embedded();
    server.start();
    assert_eq!(
        server
            .ingest("/v1/actions", action("first").to_string().as_bytes())
            .status,
        200
    );
    let before_kib = server.resident_kib();
    let bomb = gzip(&vec![b' '; 300_000_000]);
    let deep = "[".repeat(100_000);
    let large = vec![b' '; 20_000_000];
    let json = ("Content-Type", "application/json");
    for path in ["/v1/actions", "/v1/batch", "/v1/import"] {
        for (name, body) in [
            ("half", &b"{"[..]),
            ("utf-8", b"\xff\xfe{}"),
            ("deep", deep.as_bytes()),
        ] {
            let answer = server.send("POST", path, WRITE_KEY, &[json], body);
            assert_eq!(answer.status, 400, "{path} {name}: {}", answer.body);
            assert!(
                answer.body["code"].is_string(),
                "{path} {name}: {}",
                answer.body
            );
        }
        let answer = server.send("POST", path, WRITE_KEY, &[json], &large);
        assert!(
            matches!(answer.status, 400 | 413),
            "{path} large: {}",
            answer.status
        );
        for _ in 0..5 {
            let headers = [json, ("Content-Encoding", "gzip")];
            let answer = server.send("POST", path, WRITE_KEY, &headers, &bomb);
            assert!(
                matches!(answer.status, 400 | 413),
                "{path} bomb: {}",
                answer.status
            );
        }
        let answer = server.send(
            "POST",
            path,
            "wrong-key",
            &[json],
            action("x").to_string().as_bytes(),
        );
        assert_eq!(answer.status, 401, "{path} key: {}", answer.body);
    }
    let grown_kib = server.resident_kib().saturating_sub(before_kib);
    assert!(
        grown_kib < 100_000,
        "resident memory grew by {grown_kib} KiB"
    );
    assert_eq!(
        server
            .ingest("/v1/actions", action("last").to_string().as_bytes())
            .status,
        200
    );
    server.stop();
    assert_eq!(server.digest()["events"], 2);
}

#[test]
fn the_write_key_neither_reads_nor_decides() {
    let mut server = Server::embedded();
    server.start();
    let ask = json!({ "shopper": { "user_id": "ann" } }).to_string();
    let json = [("Content-Type", "application/json")];
    assert_eq!(
        server
            .send("POST", "/v1/decisions", WRITE_KEY, &json, ask.as_bytes())
            .status,
        403
    );
    assert_eq!(
        server
            .send("GET", "/v1/shoppers?user_id=ann", WRITE_KEY, &[], b"")
            .status,
        403
    );
    assert_eq!(
        server
            .send("GET", "/v1/schema/actions", WRITE_KEY, &[], b"")
            .status,
        200
    );
}
