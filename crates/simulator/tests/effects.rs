//! What offers do is what was configured, and is known for each visit.

#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)] // a helper that fails fails its test

mod common;

use common::{DAY_MS, OPENING, settings};
use foretide_simulator::{Ask, Effect, Effects, Moment, Offer, Settings, Simulator, Temperament};

/// Asks of `moment` over some weeks, each with what `offer` would do, while nothing is offered.
fn effects(
    settings: Settings,
    days: i64,
    moment: Moment,
    offer: &Offer,
) -> Vec<(Ask, Effect, Temperament)> {
    let mut simulator = Simulator::new(Settings {
        asks: true,
        ..settings
    });
    let end = OPENING.plus(days * DAY_MS);
    let mut all = Vec::new();
    while simulator.reached() < end {
        let batch = simulator.next_batch(end, 1000);
        for ask in batch.asks.into_iter().filter(|ask| ask.moment == moment) {
            let effect = simulator.effect(&ask, Some(offer)).unwrap();
            let temperament = simulator.truth(ask.identity.shopper, ask.at).temperament;
            all.push((ask, effect, temperament));
        }
    }
    all
}

fn log_odds(p: f64) -> f64 {
    libm::log(p / (1.0 - p))
}

#[test]
fn a_discount_adds_to_the_log_odds_what_is_configured() {
    let configured = Effects::default();
    for (percent, tens) in [(10, 1.0), (20, 2.0)] {
        let all = effects(
            settings(31, 300),
            20,
            Moment::Cart,
            &Offer::Discount(percent),
        );
        assert!(all.len() > 300, "{}", all.len());
        for (_, effect, temperament) in all {
            let added = log_odds(effect.with.probability) - log_odds(effect.without.probability);
            assert!((added - tens * configured.discount(temperament)).abs() < 1e-9);
            assert!(
                effect.with.purchased >= effect.without.purchased,
                "no visit is harmed"
            );
        }
    }
}

#[test]
fn the_effect_measured_in_pairs_is_the_configured_one() {
    for (moment, offer) in [
        (Moment::Cart, Offer::Discount(10)),
        (
            Moment::Landing,
            Offer::Recommendations(vec!["tents-01".to_owned()]),
        ),
    ] {
        let all = effects(settings(32, 900), 25, moment, &offer);
        let n = all.len() as f64;
        let measured: Vec<f64> = all
            .iter()
            .map(|(_, e, _)| {
                f64::from(u8::from(e.with.purchased)) - f64::from(u8::from(e.without.purchased))
            })
            .collect();
        let expected = all
            .iter()
            .map(|(_, e, _)| e.with.probability - e.without.probability)
            .sum::<f64>()
            / n;
        let mean = measured.iter().sum::<f64>() / n;
        let variance = measured
            .iter()
            .map(|d| (d - mean) * (d - mean))
            .sum::<f64>()
            / n;
        assert!(expected > 0.003, "{expected}");
        assert!(
            (mean - expected).abs() < 4.0 * (variance / n).sqrt(),
            "{mean} {expected} {n}"
        );
    }
}

#[test]
fn the_probability_without_an_offer_is_how_often_it_happens() {
    for moment in [Moment::Cart, Moment::Landing] {
        let all = effects(settings(33, 900), 25, moment, &Offer::Content);
        let n = all.len() as f64;
        let bought = all.iter().filter(|(_, e, _)| e.without.purchased).count() as f64 / n;
        let said = all
            .iter()
            .map(|(_, e, _)| e.without.probability)
            .sum::<f64>()
            / n;
        assert!(
            (bought - said).abs() < 4.0 * (said / n).sqrt(),
            "{bought} {said}"
        );
    }
}

#[test]
fn what_was_foretold_comes_true() {
    let mut simulator = Simulator::new(Settings {
        asks: true,
        ..settings(34, 300)
    });
    let end = OPENING.plus(15 * DAY_MS);
    let mut foretold = std::collections::BTreeMap::new();
    let mut bought = std::collections::BTreeMap::new();
    while simulator.reached() < end {
        let batch = simulator.next_batch(end, 1000);
        for action in &batch.actions {
            if let foretide_simulator::Act::Buy(order) = &action.act {
                bought.insert(
                    (action.identity.shopper, action.visit),
                    order.revenue_cents(),
                );
            }
        }
        for (turn, ask) in batch.asks.iter().enumerate() {
            let offers = [None, Some(Offer::Discount(10)), Some(Offer::Assistance)];
            let offer = match ask.moment {
                Moment::Landing => Some(Offer::Recommendations(vec!["boots-03".to_owned()])),
                Moment::Cart => offers[turn % 3].clone(),
            };
            let effect = simulator.respond(ask, "d", offer.as_ref()).unwrap();
            if ask.moment == Moment::Cart {
                foretold.insert((ask.identity.shopper, ask.visit), effect.with);
            }
        }
    }
    // The last visits may not be over.
    let settled = simulator.next_batch(end.plus(DAY_MS), usize::MAX);
    for action in &settled.actions {
        if let foretide_simulator::Act::Buy(order) = &action.act {
            bought
                .entry((action.identity.shopper, action.visit))
                .or_insert(order.revenue_cents());
        }
    }
    assert!(foretold.len() > 200);
    for (visit, outcome) in foretold {
        assert_eq!(
            bought.get(&visit).copied().unwrap_or(0),
            outcome.revenue_cents,
            "{visit:?}"
        );
    }
}

#[test]
fn recommendations_win_some_of_the_drifting_back_and_they_come_again() {
    let faded = Settings {
        mix: [0.0, 0.0, 0.0, 1.0, 0.0],
        drift_after_days: (0.0, 0.0),
        asks: true,
        ..settings(35, 400)
    };
    let actions_with = |offer: Option<Offer>| {
        let mut simulator = Simulator::new(faded.clone());
        let end = OPENING.plus(40 * DAY_MS);
        let (mut actions, mut won_back, mut asked) = (0, 0, 0);
        while simulator.reached() < end {
            let batch = simulator.next_batch(end, 1000);
            actions += batch.actions.len();
            for ask in batch
                .asks
                .iter()
                .filter(|ask| ask.moment == Moment::Landing)
            {
                let effect = simulator.respond(ask, "d", offer.as_ref()).unwrap();
                asked += 1;
                won_back += usize::from(effect.with.won_back);
            }
        }
        (actions, won_back as f64 / f64::from(asked))
    };
    let (without, none) = actions_with(None);
    let (with, won_back) = actions_with(Some(Offer::Recommendations(vec!["tents-01".to_owned()])));
    assert!(
        none == 0.0 && (0.05..0.35).contains(&won_back),
        "{won_back}"
    );
    assert!(with as f64 > 1.3 * without as f64, "{with} {without}");
}

#[test]
fn a_discount_on_the_first_page_holds_over_the_cart() {
    let offer = Offer::Discount(10);
    let mut simulator = Simulator::new(Settings {
        asks: true,
        ..settings(36, 300)
    });
    let end = OPENING.plus(10 * DAY_MS);
    let (mut raised, mut offered_twice) = (0, 0);
    while simulator.reached() < end {
        for ask in simulator.next_batch(end, 1000).asks {
            let effect = simulator.respond(&ask, "d", Some(&offer)).unwrap();
            let (with, without) = (effect.with.probability, effect.without.probability);
            match ask.moment {
                Moment::Landing => raised += i32::from(with > without),
                Moment::Cart => {
                    offered_twice += 1;
                    assert_eq!(with, without, "the second one adds nothing");
                }
            }
        }
    }
    assert!(raised > 50 && offered_twice > 50);
}

#[test]
fn a_question_says_what_is_in_the_cart_even_if_nothing_is() {
    let mut simulator = Simulator::new(Settings {
        asks: true,
        ..settings(36, 100)
    });
    let mut met = [0; 2];
    while met.contains(&0) {
        for ask in simulator.next_batch(OPENING.plus(10 * DAY_MS), 1000).asks {
            let body = ask.body(simulator.shop());
            let items = body["cart"]["items"].as_array().unwrap();
            assert_eq!(items.len(), ask.cart.len());
            assert!(!items.is_empty() || ask.moment == Moment::Landing);
            assert_eq!(body["cart"]["total"] == "0.00", items.is_empty());
            met[usize::from(items.is_empty())] += 1;
        }
    }
}
