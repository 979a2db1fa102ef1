//! What is usual among shoppers: learnt from profiles, and applied when features are read.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod support;

use foretide_events::*;
use foretide_features::{Feature, FoldRules, Reference, ReferenceLearner, State};
use support::*;

fn view(id: &str, category: &str, cents: i64) -> Action {
    Action::ProductView(ProductView {
        product: product(id, Some(category), Some(cents), None),
        ..ProductView::default()
    })
}

/// A shopper who comes daily, looks at tea for a hundred times their number of cents and twice buys for ten euros.
fn shopper(number: i64) -> State {
    let visits = (0..10).flat_map(|day| {
        let at = START.plus(day * DAY_MS);
        let mut visit = vec![(at, view("tea", "tea", 100 * number))];
        visit.push((at.plus(100_000), view("mug", "mugs", 1000)));
        if day > 6 {
            let order = purchase(&format!("order-{day}"), 1000, "EUR");
            visit.push((at.plus(150_000), order));
        }
        visit
    });
    let events = visits
        .zip(0..)
        .map(|((at, action), n): (_, i64)| event(&n.to_string(), at, action));
    plain_fold(&events.collect::<Vec<_>>())
}

fn learnt(numbers: impl Iterator<Item = i64>) -> ReferenceLearner {
    let mut learner = ReferenceLearner::default();
    numbers.for_each(|number| learner.add(&shopper(number)));
    learner
}

fn finish(learner: ReferenceLearner) -> Reference {
    learner.finish(Text::new("test").unwrap())
}

#[test]
fn levels_and_priors_are_learnt_from_profiles_alone() {
    let reference = finish(learnt(1..=120));
    let levels: Vec<_> = reference.levels().collect();
    assert_eq!((reference.version(), levels.len()), ("test", 2));
    let expected = |category: &str| match category {
        "mugs" => libm::log(1000.0),
        _ => {
            (1..=120)
                .map(|n| libm::log(f64::from(n) * 100.0))
                .sum::<f64>()
                / 120.0
        }
    };
    for level in levels {
        let expected = expected(level.category.as_str());
        assert!((level.mean_ln_price - expected).abs() < 1e-9, "{level:?}");
    }
    let stored: serde_json::Value = serde_json::to_value(&reference).unwrap();
    let location = |name: &str| stored[name]["location"].as_f64().unwrap();
    assert!((location("ln_visit_gap_hours") - libm::log1p(24.0)).abs() < 0.01);
    assert!((location("ln_session_seconds") - libm::log1p(100.0)).abs() < 0.5);
    assert!((location("ln_basket") - libm::log1p(10.0)).abs() < 1e-9);
}

#[test]
fn a_reference_learnt_in_parts_is_that_of_the_whole_and_few_shoppers_teach_nothing() {
    let mut parts = learnt(61..=120);
    parts.merge(&learnt(1..=60));
    let (whole, parts) = (finish(learnt(1..=120)), finish(parts));
    for (one, other) in whole.levels().zip(parts.levels()) {
        assert_eq!(one.category, other.category);
        assert!((one.mean_ln_price - other.mean_ln_price).abs() < 1e-9);
    }
    let few = finish(learnt(1..=2));
    assert_eq!(few.levels().count(), 0);
    let (few, prior) = (
        serde_json::to_value(&few).unwrap(),
        serde_json::to_value(Reference::prior()).unwrap(),
    );
    assert_eq!(few["ln_visit_gap_hours"], prior["ln_visit_gap_hours"]);
}

#[test]
fn prices_are_told_against_their_levels_and_not_without() {
    let rules = FoldRules::default();
    let state = shopper(60);
    let prior = state.features(state.as_of(), &rules, &Reference::prior());
    assert_eq!(prior.get(Feature::ViewedPriceLevel), None);
    let reference = finish(learnt(1..=120));
    let features = state.features(state.as_of(), &rules, &reference);
    let tea = reference
        .levels()
        .find(|level| level.category.as_str() == "tea")
        .unwrap();
    let above = libm::log(6000.0) - tea.mean_ln_price;
    let close = |feature, expected: f64| {
        let value = features.get(feature).unwrap();
        assert!(
            (value - expected).abs() < 1e-4,
            "{feature:?} is {value}, not {expected}"
        );
    };
    // As many views of mugs, at their level, as of tea, 100 seconds later each.
    close(Feature::ViewedPriceLevel, above / 2.0);
    close(Feature::ViewedPriceSpread, above.abs() / 2.0);
    assert_eq!(
        features.get(Feature::BoughtPriceLevel),
        None,
        "no products were named"
    );
}
