//! Every feature agrees with an independent reference: Python that walks all events again and shares no code with Foretide.
//!
//! The short form takes some dozen shoppers. `FORETIDE_REFERENCE=long` takes hundreds over months, which takes minutes:
//! `tests/reference/README.md` says more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use foretide_tests::project_root;
use serde_json::Value;

/// How much is compared.
struct Extent {
    /// Shoppers and days of the simulated shop.
    simulated: [&'static str; 2],
    /// Shoppers of kinds that a simulated shop does not have, and the most events of each.
    made_up: [&'static str; 2],
}

fn extent() -> Extent {
    match std::env::var("FORETIDE_REFERENCE").as_deref() {
        Ok("long") => Extent {
            simulated: ["320", "60"],
            made_up: ["400", "150"],
        },
        Ok(other) => panic!("FORETIDE_REFERENCE is {other:?}: leave it out, or say long"),
        Err(_) => Extent {
            simulated: ["40", "40"],
            made_up: ["60", "100"],
        },
    }
}

/// Builds the examples of `foretide-features`; where the one called `name` lies.
fn example(name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", "foretide-features", "--example", name]);
    cargo.arg("--message-format=json");
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo
        .current_dir(project_root())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{name} does not build");
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    };
    messages.lines().filter_map(executable).next_back().unwrap()
}

/// Runs `command` with what it prints going to `out`.
fn print_to(out: &Path, command: &mut Command) {
    let status = command.stdout(File::create(out).unwrap()).status().unwrap();
    assert!(status.success(), "{command:?}");
}

fn reference() -> Command {
    Command::new(project_root().join("tests/reference/run"))
}

/// Compares what `features` prints of `events` at some instants with the reference.
fn compare(features: &Path, events: &Path, instants: &[&str], learnt: Option<&Path>) {
    let mut compare = reference();
    compare.arg(events).arg(features).args(instants);
    if let Some(learnt) = learnt {
        compare.arg("--reference").arg(learnt);
    }
    let output = compare.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaint}");
    assert!(said.contains("; 0 features differ"), "{said}");
}

#[test]
fn every_feature_agrees_with_the_reference() {
    let directory = tempfile::tempdir().unwrap();
    let in_directory = |name: &str| directory.path().join(name);
    let Extent { simulated, made_up } = extent();
    let features = example("features");

    // A simulated shop: within its days, in a visit as likely as not, soon after, and long after. With a learnt reference, prices
    // have levels.
    let events = in_directory("simulated.jsonl");
    print_to(&events, Command::new(example("simulate")).args(simulated));
    let learnt = in_directory("learnt.json");
    let mut learn = Command::new(&features);
    learn.arg("--learn").stdin(File::open(&events).unwrap());
    print_to(&learnt, &mut learn);
    let instants = [
        "2026-04-19T18:23:45Z",
        "2026-04-24T00:00:00Z",
        "2026-06-30T07:00:00.123Z",
    ];
    compare(&features, &events, &instants, Some(&learnt));

    // What no simulated shopper does: several currencies, products without ids, more categories than are kept, …
    let events = in_directory("made_up.jsonl");
    print_to(&events, reference().arg("--made-up").args(made_up));
    compare(
        &features,
        &events,
        &["2026-03-02T12:00:00Z", "2026-04-10T09:30:00Z"],
        None,
    );
}
