//! What the tests of this crate share: one intake, golden files, events of every kind.

#![allow(dead_code, reason = "every test file uses some of it")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests fail tests; golden files are written on demand"
)]

pub mod any;

use std::{fs, path::PathBuf};

use foretide_events::{
    Currency, EpochMs, Event, EventId, Intake, Receipt, SourceId, native, segment,
};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use serde_json::Value;

pub const RECEIVED_AT: &str = "2026-11-22T08:00:10.000Z";

/// Runs `parse` with an intake whose every part is fixed; ids it makes are `made-1`, `made-2`, ….
pub fn with_intake<R>(parse: impl FnOnce(&mut Intake<'_>) -> R) -> R {
    let pseudonymiser = Pseudonymiser::new(&PseudonymKey::from_bytes([7; 32]));
    let source = SourceId::new("key:0a1b2c3d").unwrap();
    let mut made = 0;
    let mut make_id = || {
        made += 1;
        EventId::new(&format!("made-{made}")).unwrap()
    };
    parse(&mut Intake {
        pseudonymiser: &pseudonymiser,
        received_at: EpochMs::parse(RECEIVED_AT).unwrap(),
        source: &source,
        make_id: &mut make_id,
        default_currency: Currency::EUR,
        timings: None,
    })
}

/// The receipts of a native body.
pub fn native(body: &Value) -> Vec<Receipt> {
    with_intake(|intake| native::parse_json(body.to_string().as_bytes(), intake)).unwrap()
}

/// The receipts of a Segment body.
pub fn segment(body: &Value) -> Vec<Receipt> {
    let body = body.to_string();
    let batch = segment::open(body.as_bytes()).unwrap();
    with_intake(|intake| batch.receipts(intake))
}

/// The one receipt among `receipts`, which must be of an accepted event.
pub fn accepted(mut receipts: Vec<Receipt>) -> Event {
    assert_eq!(receipts.len(), 1);
    receipts.remove(0).unwrap()
}

/// A golden file, by its path under `tests/golden`.
pub fn golden(name: &str) -> String {
    let path = golden_path(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares the JSON `actual` with a golden file. With `UPDATE_GOLDEN=1` in the environment the file is written instead: look at
/// the difference before you commit it, as others read what was stored before.
pub fn assert_golden(name: &str, actual: &str) {
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
        fs::write(golden_path(name), actual).unwrap();
    }
    let [actual, golden] =
        [actual, &golden(name)].map(|json| serde_json::from_str::<Value>(json).unwrap());
    // Not `assert_eq`: the schema would fill screens.
    assert!(
        actual == golden,
        "{name} has changed; see `assert_golden`. Now it is\n{actual}"
    );
}

fn golden_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}
