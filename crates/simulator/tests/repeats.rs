//! The same settings give the same events, to the byte, however time is cut.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
// A helper that fails fails its test; the golden file is written on demand.

mod common;

use common::{DAY_MS, OPENING, days, lines, settings};
use foretide_events::EpochMs;
use foretide_simulator::{Effects, Moment, Offer, Settings, Simulator};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// Plays three days in pieces as `cuts` say: how far on, in minutes, and how many actions at most.
fn in_pieces(settings: Settings, cuts: &[(i64, usize)]) -> Vec<u8> {
    let mut simulator = Simulator::new(settings);
    let end = OPENING.plus(3 * DAY_MS);
    let mut text = Vec::new();
    let mut cuts = cuts.iter().cycle();
    let mut until = OPENING;
    loop {
        let &(minutes, most) = cuts.next().unwrap();
        until = end.min(until.plus(minutes * 60_000));
        let batch = simulator.next_batch(until, most);
        text.extend(lines(&simulator, &batch.actions));
        if batch.reached >= end && batch.actions.len() < most {
            return text;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn however_time_is_cut_the_events_are_the_same(
        seed in any::<u64>(),
        asks in any::<bool>(),
        cuts in prop::collection::vec((1_i64..3_000, 1_usize..200), 1..8),
    ) {
        let (simulator, actions) = days(settings(seed, 60), 3);
        let whole = lines(&simulator, &actions);
        let asking = Settings { asks, ..settings(seed, 60) };
        prop_assert!(whole == in_pieces(asking, &cuts));
    }
}

#[test]
fn another_seed_is_another_story() {
    let text = |seed| {
        let (simulator, actions) = days(settings(seed, 40), 3);
        lines(&simulator, &actions)
    };
    assert_ne!(text(1), text(2));
}

#[test]
fn the_events_of_a_seed_are_those_they_have_always_been() {
    let (simulator, actions) = days(settings(7, 30), 2);
    let text = lines(&simulator, &actions);
    // The first visits whole, to see what has changed; of the rest, whether anything has.
    let mut golden: Vec<u8> = text
        .split_inclusive(|&byte| byte == b'\n')
        .take(24)
        .collect::<Vec<_>>()
        .concat();
    let digest = Sha256::digest(&text);
    golden.extend(format!("{} actions, SHA-256 {digest:x}\n", actions.len()).into_bytes());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/seed-7.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &golden).unwrap();
    }
    assert!(
        std::fs::read(path).unwrap() == golden,
        "after a wanted change: UPDATE_GOLDEN=1 cargo test"
    );
}

#[test]
fn a_shopper_lives_the_same_life_whoever_else_there_is() {
    let of_first = |shoppers| {
        let (simulator, mut actions) = days(settings(3, shoppers), 5);
        actions.retain(|action| action.identity.shopper < 20);
        lines(&simulator, &actions)
    };
    assert_eq!(of_first(20), of_first(200));
}

#[test]
fn an_answer_of_nothing_changes_nothing() {
    let (simulator, actions) = days(settings(3, 80), 4);
    let unasked = lines(&simulator, &actions);
    let mut simulator = Simulator::new(Settings {
        asks: true,
        ..settings(3, 80)
    });
    let end = OPENING.plus(4 * DAY_MS);
    let mut text = Vec::new();
    while simulator.reached() < end {
        let batch = simulator.next_batch(end, 1000);
        text.extend(lines(&simulator, &batch.actions));
        for ask in &batch.asks {
            assert!(simulator.respond(ask, "d", None).is_some());
        }
    }
    assert!(unasked == text);
}

#[test]
fn offers_without_effect_change_only_that_they_are_seen() {
    let plain = Settings {
        effects: Effects::none(),
        ..settings(5, 80)
    };
    let (simulator, actions) = days(plain.clone(), 4);
    let purchases = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).into_owned();
        text.lines()
            .filter(|line| line.contains(r#""type":"purchase""#))
            .count()
    };
    let unasked = purchases(&lines(&simulator, &actions));
    let mut simulator = Simulator::new(Settings {
        asks: true,
        ..plain
    });
    let end = OPENING.plus(4 * DAY_MS);
    let mut text = Vec::new();
    while simulator.reached() < end {
        let batch = simulator.next_batch(end, 1000);
        text.extend(lines(&simulator, &batch.actions));
        for ask in batch.asks.iter().filter(|ask| ask.moment == Moment::Cart) {
            let effect = simulator
                .respond(ask, "d-1", Some(&Offer::Discount(10)))
                .unwrap();
            assert_eq!(effect.without.purchased, effect.with.purchased);
        }
    }
    assert_eq!(purchases(&text).abs_diff(unasked), 0, "{unasked}");
    assert!(
        String::from_utf8_lossy(&text)
            .contains(r#""content_id":"d-1","kind":"offer","interaction":"impression""#)
    );
}

#[test]
fn a_late_answer_is_no_answer() {
    let mut simulator = Simulator::new(Settings {
        asks: true,
        ..settings(5, 80)
    });
    let ask = loop {
        let batch = simulator.next_batch(EpochMs(i64::MAX), 1000);
        if let Some(ask) = batch.asks.into_iter().next() {
            break ask;
        }
    };
    simulator.set_asks(false);
    simulator.next_batch(ask.at.plus(DAY_MS), usize::MAX);
    assert_eq!(
        simulator.respond(&ask, "d", Some(&Offer::Discount(10))),
        None
    );
}
