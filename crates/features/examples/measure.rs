//! How large profiles are and how long folding and reading take: `simulate 2000 28 | cargo run --release --example measure`.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)] // an example measures and says so

use std::{collections::BTreeMap, io::BufRead as _, time::Instant};

use foretide_events::wire;
use foretide_features::{FoldRules, Observation, Profile, Reference, State, StoredSize};

fn main() {
    let rules = FoldRules::default();
    let events = std::io::stdin().lock().lines();
    let events: Vec<_> = events
        .map(|line| wire::decode(line.unwrap().as_bytes()).unwrap())
        .collect();
    let began = Instant::now();
    let mut profiles = BTreeMap::new();
    for (event, offset) in events.iter().zip(0..) {
        let profile = profiles
            .entry(event.shopper)
            .or_insert_with(|| Profile::new(event.shopper));
        let _ = profile.apply(event, offset, &rules);
    }
    let ns = |began: Instant, n: usize| began.elapsed().as_nanos() as f64 / n as f64;
    println!(
        "{} events, {:.0} ns each as they come",
        events.len(),
        ns(began, events.len())
    );

    let mut sorted: Vec<_> = events.iter().collect();
    sorted.sort_by_key(|event| (event.shopper, Observation::of(event).key()));
    sorted.dedup_by(|later, kept| later.id == kept.id);
    for _ in 0..3 {
        let began = Instant::now();
        let mut actions = 0;
        for shopper in sorted.chunk_by(|a, b| a.shopper == b.shopper) {
            let mut state = State::default();
            for event in shopper {
                state.fold(&Observation::of(event), &rules);
            }
            actions += state.actions();
        }
        println!("{actions} in order, {:.0} ns each", ns(began, sorted.len()));
    }
    let (reference, began) = (Reference::prior(), Instant::now());
    let mut known = 0;
    for profile in profiles.values() {
        let at = profile.newest_at().unwrap().plus(60_000);
        known += profile
            .state()
            .features(at, &rules, &reference)
            .iter()
            .filter(|(_, value)| value.is_some())
            .count();
    }
    println!(
        "{known} features of {} shoppers, {:.0} ns a shopper",
        profiles.len(),
        ns(began, profiles.len())
    );

    let sizes: Vec<_> = profiles
        .values()
        .map(|profile| profile.stored_size(&rules))
        .collect();
    let print = |what: &str, part: fn(&StoredSize) -> usize| {
        let mut sizes: Vec<_> = sizes.iter().map(part).collect();
        sizes.sort_unstable();
        let at = |percent: usize| sizes[sizes.len() * percent / 100];
        println!(
            "{what}: p50 {} p90 {} p99 {} max {}",
            at(50),
            at(90),
            at(99),
            sizes[sizes.len() - 1]
        );
    };
    print("whole", |size| {
        size.head + size.settled + size.recents + size.linked
    });
    print("settled", |size| size.settled);
    print("recents", |size| size.recents);
    let mut counts: Vec<_> = profiles.values().map(Profile::recent_len).collect();
    counts.sort_unstable();
    println!("recents, number: p50 {}", counts[counts.len() / 2]);
}
