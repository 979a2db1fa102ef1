//! Shadows, as a data engineer uses them: the real binary, over an embedded log and over Kafka.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{collections::BTreeMap, fs, process::Command};

use foretide_tests::{
    broker::Broker,
    data, segment,
    server::{Server, binary, summary},
};
use serde_json::{Value, json};

const KEY: &[u8] = b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";

/// What a command answered on its standard output, a value for each line.
fn lines(server: &Server, command: &[&str]) -> Vec<Value> {
    let output = server.offline(command);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The one line that a command answered.
fn line(server: &Server, command: &[&str]) -> Value {
    lines(server, command).pop().unwrap()
}

/// What a command answered that looks at no log, a value for each line.
fn local(server: &Server, command: &[&str]) -> Vec<Value> {
    let data = server.directory().join("data");
    let ran = Command::new(binary())
        .args(command)
        .arg("--data-dir")
        .arg(data)
        .arg("--json")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&ran.stderr);
    let text = String::from_utf8(ran.stdout).unwrap();
    let answers = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let answers: Vec<Value> = answers.collect();
    if ran.status.success() {
        answers
    } else {
        vec![Value::String(error.into_owned())]
    }
}

/// What a command that fails says on standard error.
fn complaint(server: &Server, command: &[&str]) -> String {
    let output = server.offline(command);
    assert!(!output.status.success(), "{command:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// How many records each topic holds.
fn records(server: &Server) -> BTreeMap<String, Value> {
    lines(server, &["topics", "stats", "--exact"])
        .into_iter()
        .map(|line| {
            (
                line["topic"].as_str().unwrap().to_owned(),
                line["records"].clone(),
            )
        })
        .collect()
}

/// An action of `user`, `days` days ago.
fn view(user: &str, id: &str, at: &str) -> Value {
    json!({"type": "product_view", "id": id, "at": at, "shopper": {"user_id": user}, "product": {"product_id": "p1"}})
}

fn send(server: &Server, actions: &[Value]) {
    let body = json!({ "actions": actions }).to_string();
    assert_eq!(server.ingest("/v1/actions", body.as_bytes()).status, 200);
}

/// What must hold over either log.
fn a_shadow_goes_on_differs_by_its_rules_and_is_silent(mut server: Server) {
    server.start();
    let file = server.directory().join("clicks.csv");
    fs::write(&file, data::rees46(3_000, 40)).unwrap();
    assert_eq!(summary(server.import("rees46", &file))["accepted"], 3_000);
    server.stop();
    let before = records(&server);

    let first = line(&server, &["replay", "--into", "same", "--to", "10"]);
    assert!(first["live"]["behind"].as_u64().unwrap() > 0, "{first}");
    let rest = line(&server, &["replay", "--into", "same"]);
    let both = first["events"].as_u64().unwrap() + rest["events"].as_u64().unwrap();
    assert_eq!(both, 3_000);
    let digest = server.digest();
    assert_eq!(
        (&rest["digest"], &rest["folded"]),
        (&digest["digest"], &digest["events"])
    );
    assert_eq!(
        (&rest["live"]["differ"], &rest["live"]["behind"]),
        (&json!(0), &json!(0))
    );

    let other = ["replay", "--into", "gap", "--what-if", "session-gap-s=1"];
    let other = line(&server, &other);
    let shoppers = other["live"]["shoppers"].as_array().unwrap();
    assert!(
        !shoppers.is_empty() && other["live"]["differ"].as_u64() > Some(0),
        "{other}"
    );
    let features = shoppers[0]["features"].as_array().unwrap();
    let sessions = features
        .iter()
        .any(|f| f["feature"].as_str().unwrap().contains("session"));
    assert!(sessions, "{features:?}");
    assert_eq!(
        server.digest(),
        digest,
        "the live profiles stay as they are"
    );
    assert_eq!(records(&server), before, "nothing is published");

    server.start();
    let sent = segment::batch("more", 20, 3).to_string();
    assert_eq!(server.ingest("/v1/batch", sent.as_bytes()).status, 200);
    server.stop();
    let on = line(&server, &["replay", "--into", "same", "--speed", "1000000"]);
    assert_eq!(on["digest"], server.digest()["digest"], "{on}");
    assert_eq!(on["live"]["differ"], 0, "{on}");
    let gap = line(&server, &["shadows", "diff", "gap"]);
    assert!(gap["behind"].as_u64() > Some(0), "{gap}");

    let listed = local(&server, &["shadows", "list"]);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["what_if"], json!({"session-gap-s": 1.0}));
    let shown = local(&server, &["shadows", "show", "same"]);
    assert_eq!(shown[0]["digest"], on["digest"]);
    local(&server, &["shadows", "drop", "gap"]);
    assert_eq!(local(&server, &["shadows", "list"]).len(), 1);

    let changed = ["replay", "--into", "same", "--what-if", "session-gap-s=1"];
    assert!(complaint(&server, &changed).contains("shadows drop"));
    let gap = ["replay", "--into", "new", "--from", "end"];
    line(&server, &gap);
    let gone = local(&server, &["shadows", "show", "gone"]);
    assert!(
        gone[0].as_str().unwrap().contains("no shadow gone"),
        "{gone:?}"
    );
}

#[test]
fn an_embedded_log_is_folded_into_shadows_when_its_server_is_stopped() {
    a_shadow_goes_on_differs_by_its_rules_and_is_silent(Server::embedded());
}

#[test]
fn a_log_on_kafka_is_folded_into_shadows() {
    let broker = Broker::start();
    let server = Server::kafka(&broker.bootstrap(), KEY);
    a_shadow_goes_on_differs_by_its_rules_and_is_silent(server);
}

#[test]
fn late_events_are_shown_and_folded_at_their_place_in_a_shadow_alone() {
    let mut server = Server::embedded();
    server.start();
    send(
        &server,
        &[
            view("ann", "a-1", "2026-10-01T10:00:00Z"),
            view("bob", "b-1", "2026-10-01T10:00:00Z"),
        ],
    );
    send(&server, &[view("ann", "a-2", "2026-10-05T10:00:00Z")]);
    send(&server, &[view("ann", "late", "2026-10-03T10:00:00Z")]);
    server.stop();
    let late = lines(&server, &["topics", "tail", "actions", "--fate", "late"]);
    assert_eq!(late.len(), 1);
    assert_eq!(late[0]["value"]["id"], "late");
    assert_eq!(
        lines(&server, &["topics", "tail", "actions", "--fate", "folded"]).len(),
        3
    );

    let digest = server.digest();
    let at = "2026-10-06T10:00:00Z";
    let placed = ["replay", "--into", "in-time", "--with-late", "--profiles"];
    let file = server.directory().join("profiles.ndjson");
    let command = [&placed[..], &[file.to_str().unwrap(), "--at", at]].concat();
    let placed = line(&server, &command);
    assert_eq!(
        placed["with_late"],
        json!({"shoppers": 1, "folded": 3, "still_late": 0})
    );
    assert_eq!(
        (&placed["late"], &placed["live"]["differ"]),
        (&json!(1), &json!(1)),
        "{placed}"
    );
    let features = placed["live"]["shoppers"][0]["features"]
        .as_array()
        .unwrap();
    let total = features
        .iter()
        .find(|f| f["feature"] == "actions_total")
        .unwrap();
    assert_eq!(
        (&total["shadow"], &total["live"], &total["by"]),
        (&json!(3.0), &json!(2.0), &json!(1.0))
    );
    assert_eq!(server.digest(), digest);
    // Nothing new: what is there stays.
    let again = line(&server, &["replay", "--into", "in-time"]);
    assert_eq!(
        (&again["digest"], &again["events"]),
        (&placed["digest"], &json!(0))
    );
    assert_eq!(fs::read_to_string(file).unwrap().lines().count(), 2);
}
