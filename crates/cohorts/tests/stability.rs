//! Cohorts keep their identity: on the same shoppers nothing moves, a new behaviour becomes a cohort, and one that is gone dies.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail it"
)]

mod planted;

use std::collections::BTreeSet;

use foretide_cohorts::{Algorithm, Change, Cohorts, Counts, Settings};

use planted::{Shop, accepted, apart, reform, settings};

const ROUNDS: u64 = 20;

/// The part of shoppers whose cohort has the same id.
fn kept(before: &[String], after: &[String]) -> f64 {
    let same = before.iter().zip(after).filter(|(one, other)| one == other);
    same.count() as f64 / before.len() as f64
}

/// The smallest part of shoppers who, after any of some re-formings on fresh samples, have the id that they had first.
fn least_kept(shop: &Shop, settings: &Settings) -> (f64, Cohorts) {
    let mut serving = accepted(shop, settings, None, 0);
    let first = shop.ids(&serving);
    let mut least: f64 = 1.0;
    for round in 1..=ROUNDS {
        serving = accepted(shop, settings, Some(&serving), round);
        least = least.min(kept(&first, &shop.ids(&serving)));
    }
    (least, serving)
}

fn behaviours(count: usize) -> Vec<usize> {
    (0..count).collect()
}

#[test]
fn shoppers_keep_their_cohort_over_20_reformings_of_8_planted_cohorts() {
    let shop = Shop::of(&behaviours(8), 300);
    for cohorts in [Counts::Fixed(8), Counts::Between { least: 4, most: 12 }] {
        let (part, end) = least_kept(&shop, &settings(cohorts));
        assert!(part >= 0.95, "{cohorts:?}: {part}");
        assert_eq!(end.members.len(), 8, "{cohorts:?}");
        assert_eq!(end.generation, ROUNDS);
    }
}

#[test]
fn shoppers_keep_their_cohort_over_20_reformings_of_16_planted_cohorts() {
    let shop = Shop::of(&behaviours(16), 200);
    for cohorts in [
        Counts::Fixed(16),
        Counts::Between {
            least: 12,
            most: 20,
        },
    ] {
        let (part, end) = least_kept(&shop, &settings(cohorts));
        assert!(part >= 0.95, "{cohorts:?}: {part}");
        assert_eq!(end.members.len(), 16, "{cohorts:?}");
    }
}

#[test]
fn shoppers_keep_their_dense_cohort_over_20_reformings() {
    let shop = Shop::of(&apart(6), 400);
    let settings = Settings {
        algorithm: Algorithm::Dbscan,
        dbscan_sample: 1_000,
        ..settings(Counts::Fixed(6))
    };
    let (part, end) = least_kept(&shop, &settings);
    assert!(part >= 0.9, "{part}");
    let regular = end.members.iter().filter(|cohort| !cohort.noise);
    assert_eq!(regular.count(), 6);
}

#[test]
fn cohorts_are_the_planted_behaviours() {
    let shop = Shop::of(&behaviours(8), 300);
    let cohorts = accepted(
        &shop,
        &settings(Counts::Between { least: 4, most: 12 }),
        None,
        0,
    );
    let ids = shop.ids(&cohorts);
    let pairs = shop.shoppers.iter().zip(&ids);
    let pairs: BTreeSet<_> = pairs.map(|(shopper, id)| (shopper.behaviour, id)).collect();
    assert!(
        pairs.len() <= 10,
        "each behaviour is in one cohort, but for a few shoppers: {pairs:?}"
    );
    let names: BTreeSet<_> = cohorts.members.iter().map(|cohort| &*cohort.name).collect();
    assert_eq!(names.len(), 8);
    for cohort in &cohorts.members {
        assert!(
            cohort.size.abs_diff(300) < 60,
            "{} of {}",
            cohort.size,
            &*cohort.name
        );
    }
}

#[test]
fn a_new_behaviour_becomes_its_own_cohort_within_two_cycles() {
    let mut shop = Shop::of(&behaviours(7), 300);
    let settings = settings(Counts::Between { least: 4, most: 12 });
    let mut serving = accepted(&shop, &settings, None, 0);
    serving = accepted(&shop, &settings, Some(&serving), 1);
    let known: BTreeSet<_> = serving
        .members
        .iter()
        .map(|cohort| cohort.id.clone())
        .collect();
    let before = shop.ids(&serving);
    shop.add(9, 200);
    for round in 2..=3 {
        serving = accepted(&shop, &settings, Some(&serving), round);
    }
    let ids = shop.ids(&serving);
    let born: BTreeSet<_> = ids[before.len()..].iter().collect();
    let mut most = born.iter().map(|id| {
        let own = ids[before.len()..].iter().filter(|own| own == id).count();
        let others = ids[..before.len()].iter().filter(|own| own == id).count();
        (own, others, (*id).clone())
    });
    let (own, others, id) = most.find(|(own, ..)| *own >= 190).unwrap();
    assert!(others < 15, "{own} {others}");
    assert!(
        !known.iter().any(|known| **known == *id),
        "it has an id of its own: {id}"
    );
    assert!(kept(&before, &ids[..before.len()]) >= 0.95);
}

#[test]
fn a_behaviour_that_is_gone_dies_within_two_cycles_and_its_id_is_not_given_again() {
    let mut shop = Shop::of(&behaviours(8), 300);
    let settings = settings(Counts::Between { least: 4, most: 12 });
    let mut serving = accepted(&shop, &settings, None, 0);
    let before = shop.ids(&serving);
    let gone = before[5 * 300 + 7].clone();
    shop.remove(5);
    let mut died = false;
    for round in 1..=2 {
        serving = accepted(&shop, &settings, Some(&serving), round);
        died |= serving
            .lineage
            .iter()
            .any(|change| matches!(change, Change::Died { id } if **id == *gone));
    }
    assert!(
        died && serving.by_id(&gone).is_none(),
        "{:?}",
        serving.lineage
    );
    shop.add(11, 300);
    for round in 3..=4 {
        serving = accepted(&shop, &settings, Some(&serving), round);
    }
    assert!(serving.by_id(&gone).is_none());
    assert_eq!(serving.members.len(), 8);
}

#[test]
fn the_same_samples_and_seed_give_the_same_bits_on_any_number_of_threads() {
    let shop = Shop::of(&behaviours(6), 300);
    let settings = settings(Counts::Between { least: 4, most: 8 });
    let serving = accepted(&shop, &settings, None, 0);
    let json = |threads| {
        let settings = Settings {
            threads,
            ..settings.clone()
        };
        reform(&shop, &settings, Some(&serving), 5)
            .accepted()
            .unwrap()
            .to_json()
    };
    assert_eq!(json(1), json(1));
    assert_eq!(json(1), json(4));
}
