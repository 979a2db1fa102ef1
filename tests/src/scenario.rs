//! What a shop goes through, whatever it runs on: the same for one process, over Kafka, and for the services apart.

use std::{fs, io::Write as _, path::Path, process::Child, thread::sleep, time::Duration};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    broker::Broker,
    data, segment,
    server::{Server, WRITE_KEY, assert_adds_up, eventually, summary},
};

/// Imports a clickstream of `events` by `shoppers` people, twice, asks for profiles and decisions, and starts everything
/// again: nothing changes by that. The server is new, and stopped at the end.
pub fn a_clickstream_becomes_profiles_and_offers(
    server: &mut Server,
    events: usize,
    shoppers: usize,
) {
    server.start();
    let file = server.directory().join("clicks.csv");
    fs::write(&file, data::rees46(events, shoppers)).unwrap();
    let imported = summary(server.import("rees46", &file));
    assert_adds_up(&imported);
    assert_eq!(imported["sent"], events);
    assert_eq!(imported["folded"], events);

    let again = summary(server.import("rees46", &file));
    assert_adds_up(&again);
    assert_eq!(
        again["folded"], 0,
        "importing a file again changes nothing: {again}"
    );

    // The instance that is asked may be a moment behind the one that the import asked.
    assert!(
        eventually(|| server.get("/v1/shoppers?user_id=7").status == 200),
        "the profile does not reach scoring"
    );
    let found = server.get("/v1/shoppers?user_id=7");
    let shopper = found.body["shopper_id"].as_str().unwrap().to_owned();
    assert_eq!(shopper.len(), 32);
    let then = server.get(&format!("/v1/shoppers/{shopper}?at=2019-10-01T01:00:00Z"));
    assert_eq!(then.status, 200, "{}", then.body);
    decisions_follow_the_rule(server);

    server.stop();
    let first = server.digest();
    assert_eq!(first["events"], events);
    server.start();
    assert_eq!(server.get(&format!("/v1/shoppers/{shopper}")).status, 200);
    server.stop();
    assert_eq!(server.digest(), first);
}

/// Asks for decisions about twenty shoppers, all with the same cart, and checks each by the default rule.
fn decisions_follow_the_rule(server: &Server) {
    let cart = json!({ "total": "129.90", "currency": "EUR",
        "items": [{ "product_id": "p1", "quantity": 1, "price": "129.90" }] });
    for user in 0..20 {
        let ask =
            json!({ "shopper": { "user_id": user.to_string() }, "session": "s", "cart": cart });
        let answer = server.post("/v1/decisions", &ask);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body["decision_id"].is_string());
        assert!(answer.body["features_age_ms"].is_u64(), "{}", answer.body);
        assert_follows_the_rule(&answer.body);
    }
}

/// Whether the answer follows the default rule for the probabilities it names.
fn assert_follows_the_rule(decision: &Value) {
    let abandonment = decision["predictions"]["abandonment"].as_f64().unwrap();
    let drift = decision["predictions"]["drift"].as_f64().unwrap();
    let expected = match (abandonment > 0.7, drift > 0.8) {
        (true, _) => json!("discount"),
        (false, true) => json!("recommendations"),
        (false, false) => Value::Null,
    };
    assert_eq!(decision["offer"]["kind"], expected, "{decision}");
}

/// How many records a topic of the log holds. An embedded log's server must be stopped.
pub fn records(server: &Server, topic: &str) -> u64 {
    let stats = server.offline(&["topics", "stats"]);
    let lines = String::from_utf8(stats.stdout).unwrap();
    let of_topic = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|stats| stats["topic"] == topic)
        .collect::<Vec<_>>();
    assert_eq!(of_topic.len(), 1, "{lines}");
    of_topic[0]["records"].as_u64().unwrap()
}

/// One decision is recorded, another is dry and is not. The server runs, and is stopped at the end.
pub fn a_decision_is_recorded_unless_it_is_dry(server: &mut Server) {
    let ask = json!({ "shopper": { "user_id": "ann" }, "request_id": "r1" });
    server.stop();
    let before = records(server, "foretide.decisions");
    server.start();
    assert_eq!(server.post("/v1/decisions", &ask).status, 200);
    let dry = server.post("/v1/decisions?at=2026-01-01T00:00:00Z", &ask);
    assert_eq!(dry.status, 200);
    server.stop();
    assert_eq!(records(server, "foretide.decisions"), before + 1);
}

/// The metrics count what happens, and hold no raw id. Returns how many events the log took.
pub fn the_numbers_can_be_watched(server: &Server) -> u64 {
    let action = json!({ "type": "page_view", "shopper": { "user_id": "zanzibar" } }).to_string();
    assert_eq!(server.ingest("/v1/actions", action.as_bytes()).status, 200);
    let metrics = server.metrics();
    for name in [
        "foretide_ingest_receipts_total",
        "foretide_scoring_profiles_age_seconds",
        "foretide_database_up 1",
        "foretide_database_snapshot_age_seconds",
    ] {
        assert!(metrics.contains(name), "{name} is not in {metrics}");
    }
    assert!(!metrics.contains("zanzibar"), "a raw id in the metrics");
    1
}

/// Batches with one bad event each: the others are taken. Returns how many events the log took.
pub fn one_bad_event_harms_no_neighbour(server: &Server) -> u64 {
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
    11 + one_event_that_is_not_json_harms_no_neighbour(server)
}

/// Batches with one event each that is not JSON: the others are taken. Returns how many events the log took.
fn one_event_that_is_not_json_harms_no_neighbour(server: &Server) -> u64 {
    let bad = [&b"NaN"[..], b"\"a\x0bb\"", b"\"caf\xe9\""];
    for (number, bad) in bad.into_iter().enumerate() {
        let batch = segment::batch(&format!("json-{number}"), 1, 1);
        let good = batch["batch"][0].to_string();
        let body = [br#"{"batch":[{"x":"#, bad, b"},", good.as_bytes(), b"]}"].concat();
        let answer = server.ingest("/v1/batch", &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["accepted"], 1, "{}", answer.body);
        assert_eq!(answer.body["rejected"][0]["code"], "not_an_object");
    }
    bad.len() as u64
}

fn action(id: &str) -> Value {
    json!({ "type": "page_view", "id": id, "shopper": { "user_id": "ann" }, "at": "2026-01-01T00:00:00Z" })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bodies that cannot be taken are refused with the cause, and memory stays flat. Returns how many events the log took.
pub fn a_body_that_cannot_be_taken_is_refused(server: &Server) -> u64 {
    let first = server.ingest("/v1/actions", action("first").to_string().as_bytes());
    assert_eq!(first.status, 200);
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
        let one = action("x").to_string();
        let answer = server.send("POST", path, "wrong-key", &[json], one.as_bytes());
        assert_eq!(answer.status, 401, "{path} key: {}", answer.body);
    }
    let grown_kib = server.resident_kib().saturating_sub(before_kib);
    assert!(
        grown_kib < 100_000,
        "resident memory grew by {grown_kib} KiB"
    );
    let last = server.ingest("/v1/actions", action("last").to_string().as_bytes());
    assert_eq!(last.status, 200);
    2
}

/// The write key neither reads nor decides.
pub fn the_write_key_neither_reads_nor_decides(server: &Server) {
    let ask = json!({ "shopper": { "user_id": "ann" } }).to_string();
    let json = [("Content-Type", "application/json")];
    let status = |method, path, body: &str| {
        server
            .send(method, path, WRITE_KEY, &json, body.as_bytes())
            .status
    };
    assert_eq!(status("POST", "/v1/decisions", &ask), 403);
    assert_eq!(status("GET", "/v1/shoppers?user_id=ann", ""), 403);
    assert_eq!(status("GET", "/v1/schema/actions", ""), 200);
}

/// Imports `file` while processes are killed and started again, one after the other, and returns the summary and the digest.
pub fn import_under_kills(server: &mut Server, file: &Path, kills: u32) -> (Value, Value) {
    server.start();
    let mut import: Option<Child> = None;
    for kill in 0..kills {
        let mut child = import
            .take()
            .unwrap_or_else(|| server.import("rees46", file));
        // Spread over the import's first moments and later ones, in and between publishing intervals.
        sleep(Duration::from_millis(60 + u64::from(kill) * 97 % 450));
        server.kill_next();
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

/// What importing `events` by 300 people comes to where nothing disturbs it: the file, the pseudonym key and the digest.
pub fn undisturbed(events: usize) -> (String, Vec<u8>, Value) {
    let mut calm = Server::embedded();
    let csv = data::rees46(events, 300);
    let file = calm.directory().join("clicks.csv");
    fs::write(&file, &csv).unwrap();
    let (_, digest) = import_under_kills(&mut calm, &file, 0);
    assert_eq!(digest["events"], events);
    let key = fs::read(calm.directory().join("data/pseudonym.key")).unwrap();
    (csv, key, digest)
}

/// The broker goes away and comes back: meanwhile nothing is acknowledged, that is said, and decisions are made. The server
/// is new, and stopped at the end.
pub fn without_its_broker_nothing_is_acknowledged(broker: &mut Broker, server: &mut Server) {
    server.start();
    let send = |server: &Server, name: &str| {
        let batch = segment::batch(name, 10, 3).to_string();
        server.ingest("/v1/batch", batch.as_bytes())
    };
    assert_eq!(send(server, "before").status, 200);
    broker.kill();
    let refused = send(server, "during");
    assert_eq!(refused.status, 503, "{}", refused.body);
    let retry_after = refused.header("retry-after");
    assert!(retry_after.is_some_and(|after| after.parse::<u32>().is_ok()));
    assert!(
        eventually(|| server.readiness() == Some(503)),
        "readiness stays green"
    );
    let ask = json!({ "shopper": { "user_id": "user-1" } });
    let decision = server.post("/v1/decisions", &ask);
    assert_eq!(decision.status, 200, "scoring goes on: {}", decision.body);
    broker.restart();
    assert!(
        eventually(|| server.readiness() == Some(200)),
        "it does not come back:\n{}",
        server.log_tail()
    );
    assert_eq!(send(server, "during").status, 200);
    server.stop();
    assert_eq!(server.digest()["events"], 20);
}
