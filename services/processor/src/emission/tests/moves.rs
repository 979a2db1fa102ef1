//! Moves between cohorts.

use std::collections::BTreeMap;

use foretide_events::{EpochMs, ShopperId};
use foretide_ports::{CohortsVersion, Transition, TransitionCause};
use proptest::prelude::*;

use super::shop::{DAY_MS, HOUR_MS, MINUTE_MS, START, Shop, cohorts, event, shopper};
use crate::{ExamplesMode, fold::Pending, pieces::Pieces};

/// Who did a little is in `c-1`, who did much in `c-2`.
fn first(since: EpochMs) -> CohortsVersion {
    cohorts("one", since, &[("c-1", 1.0), ("c-2", 9.0)])
}

/// Who did a little is in `c-1`, who did a bit more in `c-3`, who did much in `c-2`.
fn second(since: EpochMs) -> CohortsVersion {
    cohorts("two", since, &[("c-2", 9.0), ("c-1", 1.0), ("c-3", 3.0)])
}

/// The cohort that the pure definition says.
fn placed(shop: &Shop, who: &ShopperId, version: &CohortsVersion) -> String {
    let (rules, reference) = (shop.folder.rules, shop.artefacts.references.at(START));
    let index = shop.folder.table.read(who, |profile| {
        let at = profile.newest_at().unwrap().max(version.since);
        let reading = profile.state().reading(at, &rules, &reference);
        version.cohorts.assign(|feature| reading.get(feature)).index
    });
    version.cohorts.get(index.unwrap()).unwrap().id.to_string()
}

fn ends(transition: &Transition) -> (&str, &str) {
    (&transition.from, &transition.to)
}

/// Appends `count` searches of `who`, a minute apart from `at` on.
fn searches(shop: &mut Shop, who: u64, at: EpochMs, count: i64, later: i64) {
    for number in 0..count {
        let at = at.plus(number * MINUTE_MS);
        let id = shop.log.len();
        shop.append(&event(id, who, at, 0), at.plus(later));
    }
}

#[test]
fn an_event_moves_its_shopper_at_once_and_the_first_cohort_is_no_move() {
    let mut shop = Shop::new(ExamplesMode::All);
    shop.publish(&first(START));
    shop.crash();
    shop.commit();
    searches(&mut shop, 1, START, 3, 100);
    shop.fold(3);
    shop.commit();
    assert!(shop.moves.is_empty());
    searches(&mut shop, 1, START.plus(5 * MINUTE_MS), 7, 100);
    shop.fold(7);
    shop.commit();
    let [moved] = &shop.moves[..] else {
        panic!("{:?}", shop.moves);
    };
    assert_eq!(ends(moved), ("c-1", "c-2"));
    assert_eq!(moved.cause, TransitionCause::Behaviour);
    assert_eq!(moved.at, START.plus(11 * MINUTE_MS));
    assert_eq!((&*moved.cohorts, moved.shopper_id), ("one", shopper(1)));
}

#[test]
fn history_moves_nobody() {
    let mut shop = Shop::new(ExamplesMode::All);
    shop.publish(&first(START));
    shop.commit();
    searches(&mut shop, 1, START, 3, 40 * DAY_MS);
    shop.fold(3);
    shop.commit();
    searches(&mut shop, 1, START.plus(5 * MINUTE_MS), 7, 40 * DAY_MS);
    shop.fold(7);
    shop.settle();
    assert!(shop.moves.is_empty(), "{:?}", shop.moves);
}

#[test]
fn new_cohorts_move_shoppers_piece_by_piece_once_each_whatever_crashes() {
    let mut shop = Shop::new(ExamplesMode::Off);
    shop.publish(&first(START));
    shop.commit();
    for who in 0..2_500 {
        searches(&mut shop, who, START.plus(HOUR_MS), 3, 100);
    }
    shop.fold(99_999);
    shop.commit();
    assert!(shop.moves.is_empty());
    let next = second(START.plus(2 * HOUR_MS));
    shop.publish(&next);
    shop.commit();
    assert!(shop.moves.is_empty(), "it does not serve yet");
    shop.clock.set(next.since.0);
    for _ in 0..2 {
        shop.commit();
        // What was told and not committed is told again.
        let _ = shop
            .folder
            .publish(0, &mut Pending::default(), &mut Pieces::default(), false);
        shop.crash();
    }
    assert_eq!(shop.moves.len(), 2_000);
    // Who is yet to be moved moves in the former cohorts until then.
    shop.settle();
    assert_eq!(shop.moves.len(), 2_500);
    let mut ids: Vec<_> = shop.moves.iter().map(|moved| &moved.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2_500);
    for moved in &shop.moves {
        assert_eq!(ends(moved), ("c-1", "c-3"));
        assert_eq!(
            (moved.cause, moved.at),
            (TransitionCause::Reforming, next.since)
        );
    }
    shop.crash();
    shop.settle();
    assert_eq!(shop.moves.len(), 2_500, "a start moves nobody again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Each shopper's moves are a way without gaps from the first cohort to where the pure definition says.
    #[test]
    fn moves_join_up_and_lead_where_the_definition_says(
        days in prop::collection::vec((0..5_u64, 0..40_i64), 10..120),
        portions in prop::collection::vec((1..20_usize, 0..4_u8), 10..60),
        changes in 0..3_usize,
    ) {
        let mut shop = Shop::new(ExamplesMode::Off);
        shop.publish(&first(START));
        shop.commit();
        let mut days = days;
        days.sort_by_key(|(_, day)| *day);
        for (who, day) in &days {
            searches(&mut shop, *who, START.plus(day * 12 * HOUR_MS), 1, 100);
        }
        let mut serving = first(START);
        if changes > 0 {
            serving = second(START.plus(8 * DAY_MS));
            shop.publish(&serving);
        }
        if changes > 1 {
            serving = cohorts("three", START.plus(15 * DAY_MS), &[("c-4", 0.0), ("c-3", 2.0), ("c-2", 9.0)]);
            shop.publish(&serving);
        }
        for (portion, what) in portions {
            shop.fold(portion);
            if what == 0 {
                shop.crash();
            } else {
                shop.commit();
            }
        }
        shop.fold(9_999);
        shop.clock.set(START.plus(30 * DAY_MS).0);
        shop.settle();
        let mut ways: BTreeMap<ShopperId, Vec<&Transition>> = BTreeMap::new();
        for moved in &shop.moves {
            ways.entry(moved.shopper_id).or_default().push(moved);
        }
        for (who, way) in ways {
            for joined in way.windows(2) {
                prop_assert_eq!(&joined[0].to, &joined[1].from);
            }
            let last = way[way.len() - 1].to.to_string();
            prop_assert_eq!(last, placed(&shop, &who, &serving));
        }
    }
}
