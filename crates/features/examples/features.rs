//! Prints the features of every shopper at an instant, one JSON object a line, from the events that stand on
//! `foretide.actions`, one JSON object a line in the order of the log.
//!
//! `cargo run -p foretide-features --example features -- 2026-05-01T12:00:00Z [reference.json] < events.jsonl`
//!
//! Events after the instant are left out. With `--learn` in the place of an instant it prints a reference learnt from the profiles.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)] // an example takes arguments and prints

use std::{
    collections::BTreeMap,
    io::{BufRead as _, Write as _},
};

use foretide_events::{EpochMs, ShopperId, Text, wire};
use foretide_features::{FoldRules, Profile, Reference, ReferenceLearner};
use serde_json::{Map, Value, json};

fn main() {
    let mut given = std::env::args().skip(1);
    let instant = given.next().unwrap();
    let reference = given.next().map_or_else(Reference::prior, |path| {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    });
    if instant == "--learn" {
        let mut learner = ReferenceLearner::default();
        for profile in profiles(None).values() {
            learner.add(profile.state());
        }
        let learnt = learner.finish(Text::new("learnt").unwrap());
        return println!("{}", serde_json::to_string_pretty(&learnt).unwrap());
    }
    let rules = FoldRules::default();
    let at = EpochMs::parse(&instant).unwrap();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (shopper, profile) in profiles(Some(at)) {
        let features = profile.state().features(at, &rules, &reference);
        let named = features
            .iter()
            .map(|(spec, value)| (spec.name.to_owned(), json!(value)));
        let named: Map<String, Value> = named.collect();
        writeln!(out, "{}", json!({ "shopper": shopper, "features": named })).unwrap();
    }
}

/// The profiles of the events on standard input, up to and with `until`.
fn profiles(until: Option<EpochMs>) -> BTreeMap<ShopperId, Profile> {
    let rules = FoldRules::default();
    let mut profiles = BTreeMap::new();
    for (line, offset) in std::io::stdin().lock().lines().zip(0..) {
        let event = wire::decode(line.unwrap().as_bytes()).unwrap();
        if until.is_some_and(|until| event.at > until) {
            continue;
        }
        let profile = profiles
            .entry(event.shopper)
            .or_insert_with(|| Profile::new(event.shopper));
        let _ = profile.apply(&event, offset, &rules);
    }
    profiles
}
