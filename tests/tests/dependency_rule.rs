//! Keeps the dependency rule of `crates/README.md`: services → adapters and runtime → ports → decision and training → models
//! and cohorts → features → events and privacy, never back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// Which floor of the house each crate lives on. A crate sees only lower floors.
const FLOORS: &[(u8, &[&str])] = &[
    (
        0,
        &["foretide-privacy", "foretide-runtime", "foretide-faults"],
    ),
    (1, &["foretide-events"]),
    (
        2,
        &["foretide-features", "foretide-frame", "foretide-simulator"],
    ),
    (3, &["foretide-models", "foretide-cohorts"]),
    (4, &["foretide-decision", "foretide-training"]),
    (5, &["foretide-ports"]),
    (6, ADAPTERS),
    // What every process shares: it opens the adapters, and knows no service.
    (7, &["foretide-host"]),
    (8, &["foretide-ingest", "foretide-processor"]),
    // Scoring and the trainer follow what the processor publishes, so they know the processor's codec.
    (9, &["foretide-scoring", "foretide-trainer"]),
    (10, &["foretide"]),
    (11, &["foretide-tests"]),
    (12, &["foretide-bench"]),
];

const ADAPTERS: &[&str] = &[
    "foretide-embedded",
    "foretide-checkpoint",
    "foretide-kafka",
    "foretide-store",
    "foretide-http",
];

/// Crates that take time, randomness and ids as arguments and report instead of logging.
const PURE: &[&str] = &[
    "foretide-events",
    "foretide-features",
    "foretide-cohorts",
    "foretide-models",
    "foretide-training",
    "foretide-decision",
    "foretide-privacy",
    "foretide-simulator",
];

const NEVER_IN_PURE: &[&str] = &[
    "tokio",
    "tracing",
    "prometheus",
    "axum",
    "rdkafka",
    "fjall",
    "reqwest",
    "uuid",
    "parking_lot",
    "sqlx",
];

/// Libraries that only some crates may use.
const RESERVED: &[(&str, &[&str])] = &[
    (
        "rdkafka",
        &["foretide-kafka", "foretide-tests", "foretide-bench"],
    ),
    ("fjall", &["foretide-embedded"]),
    ("parquet", &["foretide-frame"]),
    ("sqlx", &["foretide-store"]),
    ("linfa", &["foretide-cohorts", "foretide-training"]),
    (
        "linfa-clustering",
        &["foretide-cohorts", "foretide-training"],
    ),
    ("linfa-logistic", &["foretide-training"]),
    ("ndarray", &["foretide-cohorts", "foretide-training"]),
    ("hessboost", &["foretide-training"]),
];

/// Normal dependencies of every crate of the workspace, by name.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let normal = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap();
        all.iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(name)
            .collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| (name(package), normal(package)))
        .collect()
}

fn floor(name: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(_, names)| names.contains(&name))
        .map(|(floor, _)| *floor)
}

#[test]
fn every_crate_has_a_floor_and_sees_only_lower_ones() {
    for (name, uses) in dependencies() {
        let own = floor(&name).unwrap_or_else(|| panic!("{name} has no floor: place it in FLOORS"));
        for other in uses.iter().filter(|other| other.starts_with("foretide")) {
            let theirs = floor(other).unwrap_or_else(|| panic!("{other} has no floor"));
            let http_parts = name == "foretide-http" && other == "foretide-runtime";
            assert!(
                theirs < own || http_parts,
                "{name} (floor {own}) may not see {other} (floor {theirs})"
            );
        }
    }
}

#[test]
fn runtime_and_http_know_no_domain_crate() {
    let all = dependencies();
    for name in ["foretide-runtime", "foretide-http"] {
        let domain =
            |other: &&String| other.starts_with("foretide-") && *other != "foretide-runtime";
        assert_eq!(all[name].iter().find(domain), None, "{name}");
    }
}

#[test]
fn pure_crates_cannot_log_count_spawn_or_draw_ids() {
    let all = dependencies();
    for name in PURE {
        for library in NEVER_IN_PURE {
            assert!(
                !all[*name].iter().any(|other| other == library),
                "{name} uses {library}"
            );
        }
        let lints = format!(
            "{}/../crates/{}/.clippy.toml",
            env!("CARGO_MANIFEST_DIR"),
            &name["foretide-".len()..]
        );
        let rules =
            std::fs::read_to_string(&lints).unwrap_or_else(|error| panic!("{lints}: {error}"));
        assert!(
            rules.contains("pure crates take the time as an argument"),
            "{lints} is not the pure one"
        );
    }
}

#[test]
fn reserved_libraries_stay_in_their_rooms() {
    for (name, uses) in dependencies() {
        for (library, rooms) in RESERVED {
            if uses.iter().any(|other| other == library) {
                assert!(
                    rooms.contains(&name.as_str()),
                    "{name} may not use {library}"
                );
            }
        }
    }
}
