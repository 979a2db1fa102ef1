//! What is usual among shoppers is learnt while the server runs, serves from its time on, and stays what it was for the past; and
//! the numbers of the fold are settings that all have to share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use foretide_tests::server::{Answer, Server, eventually};
use serde_json::{Value, json};

const LEVEL: &str = "viewed_price_level";

fn view(shopper: &str, cents: u32) -> Value {
    json!({
        "type": "product_view",
        "shopper": { "user_id": shopper },
        "product": {
            "product_id": format!("tea-{cents}"),
            "category": "tea",
            "price": { "minor_units": cents, "currency": "EUR" },
        },
    })
}

fn send(server: &Server, actions: &[Value]) {
    let sent = json!({ "actions": actions });
    let stored = server.ingest("/v1/actions", sent.to_string().as_bytes());
    assert_eq!(stored.body["accepted"], actions.len(), "{}", stored.body);
}

fn ann(server: &Server, more: &str) -> Answer {
    server.get(&format!("/v1/shoppers/features?user_id=ann{more}"))
}

fn level(answer: &Answer) -> &Value {
    &answer.body["features"][LEVEL]["value"]
}

/// What `foretide topics tail` shows, once the server has ended.
fn tailed(server: &Server, topic: &str) -> Vec<Value> {
    let output = server.offline(&["topics", "tail", topic]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A server whose trainer does not wait, to which Ann came alone. Returns it with an instant of then.
fn with_ann_alone() -> (Server, String) {
    let mut server = Server::embedded().with_env("FORETIDE_REFERENCE_INTERVAL_S", "1");
    server.start();
    send(&server, &[view("ann", 2_000)]);
    assert!(eventually(|| ann(&server, "").status == 200));
    let alone = ann(&server, "");
    assert_eq!(alone.body["reference"]["version"], "prior-1");
    assert_eq!(level(&alone), &Value::Null);
    (server, alone.body["at"].as_str().unwrap().to_owned())
}

#[test]
fn price_levels_are_learnt_and_serve_and_a_past_instant_keeps_its_own() {
    let (mut server, then) = with_ann_alone();
    let others: Vec<_> = (0..150)
        .map(|number| view(&format!("user-{number}"), 1_000))
        .collect();
    send(&server, &others);
    assert!(
        eventually(|| level(&ann(&server, "")).is_number()),
        "{}",
        server.log_tail()
    );

    let now = ann(&server, "").body;
    let version = now["reference"]["version"].as_str().unwrap().to_owned();
    assert!(version.starts_with("reference-"), "{version}");
    // Of 151 views one was at twice the price of the others.
    let expected = 2_f64.ln() * (1.0 - 1.0 / 151.0);
    let found = now["features"][LEVEL]["value"].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-3, "{found}, not {expected}");
    let past = ann(&server, &format!("&at={then}"));
    assert_eq!(past.body["reference"]["version"], "prior-1");
    assert_eq!(level(&past), &Value::Null);
    let listed = server.get("/v1/features").body;
    assert_eq!(listed["reference"]["version"], *version);
    let shown = format!("foretide_reference_info{{version=\"{version}\"}} 1");
    assert!(eventually(|| server.metrics().contains(&shown)));

    // Killed and started again, it knows what serves before it says that it is ready.
    server.kill();
    server.start();
    assert_eq!(ann(&server, "").body["reference"], now["reference"]);
    server.stop();
    let artefacts = tailed(&server, "artefacts");
    let key = format!("reference/{version}");
    let published = artefacts.iter().find(|line| line["key"] == key).unwrap();
    assert_eq!(published["value"]["since"], now["reference"]["since"]);
    assert_eq!(published["value"]["shoppers"], 151);
    let profiles = tailed(&server, "profiles");
    let of_ann = profiles
        .iter()
        .find(|line| line["value"]["shopper_id"] == now["shopper_id"]);
    assert_eq!(of_ann.unwrap()["value"]["reference"], "prior-1");
}

#[test]
fn profiles_of_other_numbers_are_refused_with_what_to_do_and_folded_anew() {
    let mut server = Server::embedded();
    server.start();
    send(&server, &[view("ann", 2_000)]);
    assert!(eventually(|| ann(&server, "").status == 200));
    server.stop();
    let digest = server.digest();

    let gap = ["--session-gap-s", "600"];
    let mut server = server.with_env("FORETIDE_SESSION_GAP_S", "600");
    server.launch();
    assert!(!server.wait_end());
    let said = server.log_tail();
    assert!(
        said.contains("foretide refold") && said.contains("--session-gap-s"),
        "{said}"
    );

    let done = server.offline(&["refold", gap[0], gap[1]]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    // A command that is not told of the numbers refuses likewise.
    let refused = server.offline(&["digest"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--session-gap-s"));
    let anew = server.offline(&["digest", gap[0], gap[1]]);
    let anew: Value = serde_json::from_slice(&anew.stdout).unwrap();
    assert_eq!(anew["events"], digest["events"]);
    server.start();
    let shown = server.get("/v1/features").body;
    let session = shown["features"].as_array().unwrap();
    let session = session
        .iter()
        .find(|feature| feature["name"] == "session_actions");
    assert_eq!(session.unwrap()["max_age_ms"], 600_000);
}
