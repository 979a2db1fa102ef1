//! The demo shows what it promises: cohorts, movements, models that are promoted, and decisions by them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use foretide_tests::server::{binary, signal};
use serde_json::Value;

/// It shows how things stand once a second; what it promises in minutes is not waited for longer than this.
const LOOKS: usize = 400;

/// Whether all of it is to be seen.
fn shows_everything(snapshot: &Value) -> bool {
    let learnt = &snapshot["learnt"];
    let models = learnt["models"].as_array().unwrap();
    let has_figures = |model: &&Value| model["auc"]["low"].is_number();
    let promoted = models.iter().filter(|model| model["is_serving"] == true);
    learnt["cohorts"].as_array().unwrap().len() > 1
        && !learnt["moves"].as_array().unwrap().is_empty()
        && promoted.filter(has_figures).count() > 0
        && snapshot["by_models"].as_u64() > Some(0)
        && snapshot["example"]["decision"]["cohort"]["name"].is_string()
}

#[test]
fn cohorts_form_models_are_promoted_and_decide_within_minutes() {
    let mut demo = Command::new(binary())
        .args(["demo", "--json", "--seed", "7"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut last = Value::Null;
    let shown = lines.take(LOOKS).any(|line| {
        last = serde_json::from_str(&line.unwrap()).unwrap();
        shows_everything(&last)
    });
    signal(&demo, "TERM");
    assert!(demo.wait().unwrap().success());
    assert!(shown, "{last:#}");
}
