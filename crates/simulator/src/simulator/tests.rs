use std::collections::BTreeSet;

use super::*;

const START_MS: i64 = 1_800_000_000_000;

fn minutes(settings: Settings, minutes: i64) -> (Simulator, Vec<Value>) {
    let mut simulator = Simulator::new(settings, START_MS);
    let actions = simulator.advance(START_MS + minutes * 60_000);
    (simulator, actions)
}

#[test]
fn the_same_seed_gives_the_same_actions() {
    let one = minutes(Settings::default(), 3).1;
    assert_eq!(one, minutes(Settings::default(), 3).1);
    assert_ne!(
        one,
        minutes(
            Settings {
                seed: 8,
                ..Settings::default()
            },
            3
        )
        .1
    );
}

#[test]
fn asking_often_gives_what_asking_once_gives() {
    let mut simulator = Simulator::new(Settings::default(), START_MS);
    let often: Vec<Value> = (1..=180)
        .flat_map(|second| simulator.advance(START_MS + second * 1000))
        .collect();
    assert_eq!(often, minutes(Settings::default(), 3).1);
}

#[test]
fn ids_are_distinct_and_times_rise() {
    let (_, actions) = minutes(Settings::default(), 5);
    let ids: BTreeSet<_> = actions.iter().map(|a| a["id"].to_string()).collect();
    assert_eq!(ids.len(), actions.len());
    let times: Vec<_> = actions.iter().map(|a| a["at"].to_string()).collect();
    assert!(times.is_sorted());
}

#[test]
fn the_rate_is_about_what_was_asked_for() {
    let (_, actions) = minutes(
        Settings {
            actions_per_second: 40.0,
            ..Settings::default()
        },
        10,
    );
    let per_second = actions.len() as f64 / 600.0;
    assert!((25.0..55.0).contains(&per_second), "{per_second}");
}

#[test]
fn a_few_minutes_show_every_part_of_the_story() {
    let (simulator, actions) = minutes(Settings::default(), 15);
    let kinds: BTreeSet<_> = actions.iter().filter_map(|a| a["type"].as_str()).collect();
    for kind in [
        "page_view",
        "search",
        "product_list_view",
        "product_view",
        "cart_add",
        "cart_remove",
        "cart_view",
        "checkout_start",
        "checkout_step",
        "payment_info",
        "purchase",
        "coupon_attempt",
        "content_interaction",
    ] {
        assert!(kinds.contains(kind), "no {kind}");
    }
    assert!(simulator.carts().iter().any(|cart| cart.left_behind));
    assert!(actions.iter().any(|a| a["outcome"] == "denied"));
}

#[test]
fn history_lies_in_the_past_and_leaves_the_drifting_out_lately() {
    let mut simulator = Simulator::new(Settings::default(), START_MS);
    let history = simulator.history(START_MS);
    let last_week = EpochMs(START_MS - 7 * DAY_MS).to_string();
    let drifting = simulator.drifting();
    assert!(!history.is_empty() && !drifting.is_empty());
    for action in history {
        let at = action["at"].as_str().unwrap().to_owned();
        assert!(at < EpochMs(START_MS).to_string());
        assert!(!drifting.contains(&action["shopper"]) || at < last_week);
    }
}

#[test]
fn what_is_bought_was_in_the_cart() {
    let (_, actions) = minutes(Settings::default(), 15);
    let purchase = actions.iter().find(|a| a["type"] == "purchase").unwrap();
    assert!(purchase["revenue"]["minor_units"].as_i64().unwrap() > 0);
    assert!(!purchase["products"].as_array().unwrap().is_empty());
}
