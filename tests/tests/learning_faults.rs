//! Whatever happens to the trainer or is put on `foretide.artefacts`, serving goes on and makes sense.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use foretide_tests::{
    broker::Broker,
    faults::{Dice, KEY, seed, short_or_long},
    learning::{Asking, Past, TARGETS, cohorts, in_time, models},
    postgres,
    server::{Instances, Server, eventually},
};
use serde_json::{Value, json};

const ARTEFACTS: &str = "foretide.artefacts";

/// Services apart, one of each, with a trainer that does not wait.
fn apart(broker: &Broker) -> Server {
    let one = Instances {
        ingests: 1,
        processors: 1,
        scorings: 1,
    };
    Server::apart(&broker.bootstrap(), &postgres::fresh_database(), KEY, one)
        .with_trainer()
        .with_env("FORETIDE_COHORTS_INTERVAL_S", "1")
        .with_env("FORETIDE_TRAINING_INTERVAL_S", "1")
        .with_env("FORETIDE_REFERENCE_INTERVAL_S", "1")
}

fn has_learnt(server: &Server) -> bool {
    cohorts(server).len() >= 2
        && TARGETS
            .iter()
            .all(|target| !models(server, target).is_empty())
}

#[test]
fn a_trainer_that_is_killed_again_and_again_learns_in_the_end_and_serving_never_stops() {
    let broker = Broker::start();
    let mut server = apart(&broker);
    server.start();
    let past = Past::of(&server, 500, 40);
    past.import(&server);
    let asking = Asking::begin(&server, &past.users);
    let mut dice = Dice::new(seed(), "trainer");
    for _ in 0..short_or_long(8, 40) {
        sleep(Duration::from_millis(200 + dice.below(3_000)));
        server.process("trainer-1").kill();
        server.launch_one("trainer-1");
    }
    assert!(in_time(|| has_learnt(&server)), "{}", server.log_tail());
    asking.end();
}

/// Puts a record on the artefacts as anyone might.
fn put(broker: &Broker, key: &str, value: &str) {
    let mut kcat = Command::new("kcat")
        .args(["-P", "-b", &broker.bootstrap(), "-t", ARTEFACTS])
        .args(["-k", key, "-D", "\u{1}"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("kcat runs (Debian package kcat)");
    kcat.stdin
        .take()
        .unwrap()
        .write_all(value.as_bytes())
        .unwrap();
    assert!(kcat.wait().unwrap().success());
}

/// The newest record whose key begins with `kind`, as JSON with its key.
fn newest(broker: &Broker, kind: &str) -> (String, Value) {
    let output = Command::new("kcat")
        .args(["-C", "-e", "-q", "-b", &broker.bootstrap(), "-t", ARTEFACTS])
        .args(["-f", "%k\t%s\n"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text.lines().rev().find_map(|line| {
        let (key, value) = line.split_once('\t')?;
        let value = serde_json::from_str(value).ok()?;
        key.starts_with(kind).then(|| (key.to_owned(), value))
    });
    found.unwrap_or_else(|| panic!("no {kind} in {text}"))
}

/// `value` with the number or text at the end of `path` replaced.
fn damaged(value: &Value, path: &str, by: Value) -> String {
    let mut value = value.clone();
    match value.pointer_mut(path) {
        Some(place) => *place = by,
        None => panic!("no {path} in {value}"),
    }
    value.to_string()
}

/// Puts damaged artefacts of every kind on the topic, and some that are none.
fn put_garbage(broker: &Broker) {
    let (_, formed) = newest(broker, "cohorts/");
    let (_, kept) = newest(broker, "model/abandonment/");
    let later = json!("2020-01-01T00:00:00.000Z");
    put(broker, "cohorts/garbage", "not JSON at all");
    put(broker, "cohorts/empty", "{}");
    put(
        broker,
        "cohorts/nobody",
        &damaged(&formed, "/cohorts/members", json!([])),
    );
    put(
        broker,
        "cohorts/other-schema",
        &damaged(&formed, "/cohorts/schema_id", json!("0000000000000000")),
    );
    put(
        broker,
        "cohorts/not-finite",
        &damaged(&formed, "/cohorts/members/0/centroid/0", Value::Null),
    );
    put(broker, "model/abandonment/garbage", "\u{0}\u{1}");
    let half = &kept["model"].as_str().unwrap()[..400];
    put(
        broker,
        "model/abandonment/half",
        &damaged(&kept, "/model", json!(half)),
    );
    put(broker, "serving/abandonment/garbage", "{");
    let unknown = json!({
        "target": "abandonment", "sequence": 99_999_998, "version": "abandonment-0000000000000000",
        "since": later, "cause": "promoted", "by": "nobody",
    });
    put(broker, "serving/abandonment/99999998", &unknown.to_string());
    put_ahead_of_time(broker, &formed, &unknown);
    put(broker, "reference/garbage", "NaN");
    put(broker, "what/is/this", "\"?\"");
}

/// Puts what is of a time to come on the topic, which must not keep anything waiting.
fn put_ahead_of_time(broker: &Broker, formed: &Value, unknown: &Value) {
    let far = json!("2099-01-01T00:00:00.000Z");
    let mut ahead = unknown.clone();
    ahead["since"] = far.clone();
    for (sequence, named) in [
        (99_999_997, unknown["version"].clone()),
        (99_999_996, Value::Null),
    ] {
        ahead["sequence"] = json!(sequence);
        ahead["version"] = named;
        let key = format!("serving/abandonment/{sequence}");
        put(broker, &key, &ahead.to_string());
    }
    let mut ahead = formed.clone();
    for (path, by) in [
        ("/version", &json!("ahead")),
        ("/cohorts/version", &json!("ahead")),
        ("/since", &far),
        ("/cohorts/since", &far),
    ] {
        ahead = serde_json::from_str(&damaged(&ahead, path, by.clone())).unwrap();
    }
    put(broker, "cohorts/ahead", &ahead.to_string());
}

#[test]
fn garbage_among_the_artefacts_is_refused_and_what_served_goes_on() {
    let broker = Broker::start();
    let mut server = apart(&broker);
    server.start();
    let past = Past::of(&server, 500, 40);
    past.import(&server);
    assert!(in_time(|| has_learnt(&server)), "{}", server.log_tail());
    // Of an empty cart there is nothing to say.
    let cart = json!({ "actions": [{ "type": "cart_add", "shopper": { "user_id": past.users[0] },
        "product": { "product_id": "p1", "price": { "minor_units": 1000, "currency": "EUR" } } }] });
    let sent = server.ingest("/v1/actions", cart.to_string().as_bytes());
    assert_eq!(sent.body["accepted"], 1, "{}", sent.body);
    // From now on nothing good comes any more.
    server.process("trainer-1").kill();
    let version = models(&server, "abandonment").remove(0);
    let promoted = server.post(&format!("/v1/models/{version}/promote"), &json!({}));
    assert!((200..300).contains(&promoted.status), "{}", promoted.body);
    let resting_on = |server: &Server| {
        let ask = json!({ "shopper": { "user_id": past.users[0] } });
        let answer = server.post("/v1/decisions", &ask).body;
        (
            answer["predictions"]["source"].to_string(),
            server.get("/v1/cohorts").body["version"].to_string(),
        )
    };
    assert!(eventually(|| resting_on(&server).0.contains(&version)));
    let before = resting_on(&server);

    let asking = Asking::begin(&server, &past.users);
    put_garbage(&broker);

    let refused = || {
        let metrics = server.metrics();
        let lines = metrics.lines();
        let counts = lines.filter(|line| {
            line.starts_with("foretide_artefacts_refused_total")
                || line.starts_with("foretide_reference_refused_total")
        });
        let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        counts.sum::<f64>()
    };
    assert!(eventually(|| refused() >= 8.0), "{}", refused());
    assert_eq!(resting_on(&server), before);
    asking.end();

    // Who starts now reads all of it from the beginning.
    server.process("scoring-1").kill();
    server.process("processor-1").kill();
    server.launch();
    server.wait_ready(Duration::from_secs(90));
    assert_eq!(resting_on(&server), before);
}
