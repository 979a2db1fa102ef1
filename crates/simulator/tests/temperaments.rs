//! Shoppers are as they are said to be.

#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)] // a helper that fails fails its test

mod common;

use std::collections::BTreeSet;

use common::{DAY_MS, OPENING, by_temperament, days, settings};
use foretide_simulator::{Act, Action, CouponResult, Settings, Simulator, Temperament};

fn share(actions: &[Action], of: impl Fn(&Act) -> bool, that: impl Fn(&Action) -> bool) -> f64 {
    let all: Vec<_> = actions.iter().filter(|action| of(&action.act)).collect();
    let those = all.iter().filter(|action| that(action)).count();
    those as f64 / all.len().max(1) as f64
}

fn visits(actions: &[Action]) -> usize {
    let keys = actions
        .iter()
        .map(|action| (action.identity.shopper, action.visit));
    keys.collect::<BTreeSet<_>>().len()
}

fn per_visit(actions: &[Action], of: impl Fn(&Act) -> bool) -> f64 {
    actions.iter().filter(|action| of(&action.act)).count() as f64 / visits(actions) as f64
}

fn played() -> (
    Simulator,
    std::collections::BTreeMap<Temperament, Vec<Action>>,
) {
    let (simulator, actions) = days(settings(21, 800), 20);
    let sorted = by_temperament(&simulator, &actions);
    (simulator, sorted)
}

#[test]
fn bargain_hunters_look_at_more_that_is_reduced_and_try_more_coupons() {
    let (simulator, by) = played();
    let reduced = |temperament| {
        share(
            &by[&temperament],
            |act| matches!(act, Act::View { .. }),
            |action| match action.act {
                Act::View { product, .. } => {
                    simulator.shop().price(product, action.at).is_reduced()
                }
                _ => false,
            },
        )
    };
    let [hunters, browsers] = [Temperament::BargainHunter, Temperament::Browser].map(reduced);
    assert!(hunters > 2.0 * browsers, "{hunters} {browsers}");
    let coupons =
        |temperament| per_visit(&by[&temperament], |act| matches!(act, Act::Coupon { .. }));
    assert!(coupons(Temperament::BargainHunter) > 3.0 * coupons(Temperament::Loyal));
    let filters =
        |temperament| per_visit(&by[&temperament], |act| matches!(act, Act::Filter { .. }));
    assert!(filters(Temperament::BargainHunter) > 3.0 * filters(Temperament::Loyal));
}

#[test]
fn the_loyal_come_more_often_and_buy_more() {
    let (simulator, by) = played();
    let visits_of = |temperament: Temperament| {
        let shoppers = (0..800)
            .filter(|&number| simulator.truth(number, OPENING).temperament == temperament)
            .count();
        visits(&by[&temperament]) as f64 / shoppers as f64
    };
    assert!(visits_of(Temperament::Loyal) > 1.3 * visits_of(Temperament::Browser));
    let bought = |temperament| per_visit(&by[&temperament], |act| matches!(act, Act::Buy(_)));
    assert!(bought(Temperament::Loyal) > 3.0 * bought(Temperament::Browser));
}

#[test]
fn coupons_succeed_and_fail_and_carts_are_left_behind() {
    let (_, by) = played();
    let all: Vec<Action> = by.into_values().flatten().collect();
    let applied = share(
        &all,
        |act| matches!(act, Act::Coupon { .. }),
        |action| {
            matches!(
                action.act,
                Act::Coupon {
                    result: CouponResult::Applied(_),
                    ..
                }
            )
        },
    );
    assert!((0.25..0.45).contains(&applied), "{applied}");
    let with = |that: fn(&Act) -> bool| -> BTreeSet<(u32, u32)> {
        let those = all.iter().filter(|action| that(&action.act));
        those
            .map(|action| (action.identity.shopper, action.visit))
            .collect()
    };
    let carted = with(|act| matches!(act, Act::Add { .. })).len() as f64;
    let bought = with(|act| matches!(act, Act::Buy(_))).len() as f64;
    let abandoned = 1.0 - bought / carted;
    assert!((0.45..0.75).contains(&abandoned), "{abandoned}");
}

#[test]
fn bots_are_fast_and_never_buy() {
    let (_, by) = played();
    let pause = |temperament: Temperament| {
        let actions = &by[&temperament];
        let mut last = std::collections::BTreeMap::new();
        let (mut sum, mut count) = (0, 0);
        for action in actions {
            let key = (action.identity.shopper, action.visit);
            if let Some(before) = last.insert(key, action.at) {
                sum += action.at.since(before);
                count += 1;
            }
        }
        sum / count
    };
    assert!(pause(Temperament::Bot) < 1_000);
    assert!(pause(Temperament::Browser) > 10_000);
    assert!(
        !by[&Temperament::Bot]
            .iter()
            .any(|action| matches!(action.act, Act::Add { .. }))
    );
    assert!(
        per_visit(&by[&Temperament::Bot], |act| matches!(
            act,
            Act::View { .. }
        )) > 40.0
    );
}

#[test]
fn the_drifting_fade_from_the_instant_that_is_known() {
    let only_drifting = Settings {
        mix: [0.0, 0.0, 0.0, 1.0, 0.0],
        drift_after_days: (20.0, 20.0),
        ..settings(4, 200)
    };
    let (simulator, actions) = days(only_drifting, 40);
    let during = |from: i64, until: i64| {
        let those = actions
            .iter()
            .filter(|action| (from * DAY_MS..until * DAY_MS).contains(&action.at.since(OPENING)));
        those.count()
    };
    let (engaged, faded) = (during(10, 20), during(30, 40));
    assert!(faded * 4 < engaged, "{engaged} then {faded}");
    let truth = |day: i64| simulator.truth(0, OPENING.plus(day * DAY_MS));
    assert_eq!(truth(19).engagement, 1.0);
    assert_eq!(truth(20).drifts_at, Some(OPENING.plus(20 * DAY_MS)));
    assert!((truth(25).engagement - 0.5).abs() < 1e-9);
}

#[test]
fn tastes_are_stable() {
    let (simulator, by) = played();
    let mut favoured = 0;
    let mut judged = 0;
    for shopper in 0..800 {
        let mut counts = [0_u32; 12];
        let mut total = 0;
        for action in by[&Temperament::Browser]
            .iter()
            .filter(|a| a.identity.shopper == shopper)
        {
            if let Act::View { product, .. } = action.act {
                counts[simulator.shop().product(product).category] += 1;
                total += 1;
            }
        }
        if total >= 20 {
            judged += 1;
            favoured += u32::from(counts.iter().max().unwrap() * 5 > total * 2);
        }
    }
    assert!(
        judged > 50 && favoured * 10 > judged * 8,
        "{favoured} of {judged}"
    );
}

#[test]
fn the_rate_is_about_what_was_asked_for() {
    for rate in [0.05, 5.0] {
        let flat = Settings {
            rhythm: false,
            mix: [0.5, 0.2, 0.3, 0.0, 0.0],
            ..settings(9, 2_000)
        };
        let mut simulator = Simulator::new(flat);
        simulator.set_rate(rate);
        let warm = OPENING.plus(6 * 3_600_000);
        simulator.next_batch(warm, usize::MAX);
        let hours = if rate > 1.0 { 6 } else { 240 };
        let count = simulator
            .next_batch(warm.plus(hours * 3_600_000), usize::MAX)
            .actions
            .len();
        let per_second = count as f64 / (hours as f64 * 3600.0);
        assert!(
            (per_second / rate - 1.0).abs() < 0.15,
            "{per_second} for {rate}"
        );
    }
}

#[test]
fn newcomers_come_when_they_are_let_in() {
    let later = OPENING.plus(5 * DAY_MS);
    let open = Settings {
        established: 50,
        newcomers_from: later,
        ..settings(9, 100)
    };
    let (_, actions) = days(open, 20);
    let first = |new: bool| {
        let those = actions
            .iter()
            .filter(|action| (action.identity.shopper >= 50) == new);
        those.map(|action| action.at).min().unwrap()
    };
    assert!(first(false) < later && first(true) >= later);
}
