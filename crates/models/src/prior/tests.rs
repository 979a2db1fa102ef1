use foretide_events::{
    Action, CartAdd, EpochMs, Event, EventId, Identity, Product, ShopId, ShopperId, SourceId,
};
use foretide_features::{CATALOGUE, FoldRules, Profile, Reference};
use proptest::prelude::*;

use super::*;

/// The thresholds of the default rule.
const DISCOUNT: f64 = 0.7;
const RECOMMEND: f64 = 0.8;

fn abandonment(inputs: Inputs) -> f64 {
    predict(&inputs).abandonment.probability.get()
}

fn drift(inputs: Inputs) -> f64 {
    predict(&inputs).drift.probability.get()
}

const HOUR_S: f64 = 3600.0;
const DAY_S: f64 = 24.0 * HOUR_S;

/// A shopper with a cart of half an hour, busy a moment ago, never bought before.
fn filling_a_cart() -> Inputs {
    Inputs {
        has_cart: true,
        seconds_since_seen: Some(30.0),
        cart_age_seconds: Some(0.5 * HOUR_S),
        engagement_trend: Some(4.0),
        ..Inputs::default()
    }
}

/// A shopper who comes every week.
fn regular() -> Inputs {
    Inputs {
        seconds_since_seen: Some(60.0),
        engagement_trend: Some(0.9),
        usual_gap_days: Some(7.0),
        purchases: 3.0,
        ..Inputs::default()
    }
}

#[test]
fn without_a_cart_there_is_next_to_nothing_to_abandon() {
    assert!(abandonment(Inputs::default()) < 0.05);
    assert!(
        abandonment(Inputs {
            has_cart: false,
            ..filling_a_cart()
        }) < 0.05
    );
}

#[test]
fn busy_shoppers_with_a_cart_are_below_the_discount_threshold_and_hesitating_ones_above() {
    let busy = filling_a_cart();
    assert!(abandonment(busy) < DISCOUNT);
    let hesitating = Inputs {
        seconds_since_seen: Some(600.0),
        ..busy
    };
    assert!(abandonment(hesitating) > DISCOUNT);
    assert!(
        abandonment(Inputs {
            coupons_denied: 2.0,
            ..busy
        }) > DISCOUNT
    );
    assert!(
        abandonment(Inputs {
            checkout_step: 1.0,
            ..hesitating
        }) < DISCOUNT
    );
    assert!(
        abandonment(Inputs {
            purchases: 5.0,
            ..hesitating
        }) < DISCOUNT
    );
}

#[test]
fn an_unknown_shopper_who_asks_with_a_cart_is_taken_for_a_busy_one() {
    let p = abandonment(Inputs {
        has_cart: true,
        ..Inputs::default()
    });
    assert!((0.4..DISCOUNT).contains(&p), "{p}");
}

#[test]
fn a_regular_as_usual_and_an_unknown_shopper_are_below_the_drift_threshold() {
    assert!(drift(regular()) < 0.5);
    assert!(drift(Inputs::default()) < 0.5);
}

#[test]
fn a_regular_who_is_back_but_engages_far_less_than_usual_is_above_the_drift_threshold() {
    assert!(
        drift(Inputs {
            engagement_trend: Some(0.25),
            ..regular()
        }) > RECOMMEND
    );
}

#[test]
fn whoever_stays_away_for_long_is_above_the_drift_threshold() {
    let three_visits_missed = Inputs {
        seconds_since_seen: Some(21.0 * DAY_S),
        engagement_trend: Some(0.3),
        ..regular()
    };
    assert!(drift(three_visits_missed) > RECOMMEND);
    let gone_for_years = Inputs {
        seconds_since_seen: Some(2_500.0 * DAY_S),
        engagement_trend: None,
        ..regular()
    };
    assert!(drift(gone_for_years) > RECOMMEND);
}

#[test]
fn the_inputs_come_from_the_features_of_the_catalogue() {
    let shopper = ShopperId([1; 16]);
    let rules = FoldRules::default();
    let mut profile = Profile::new(shopper);
    let product = Product {
        product_id: ShopId::new("p1"),
        ..Product::default()
    };
    for (offset, day) in [0, 4].into_iter().enumerate() {
        let at = EpochMs(day * 86_400_000);
        let event = Event {
            id: EventId::new(&format!("e{day}")).unwrap(),
            at,
            received_at: at,
            shopper,
            identity: Identity {
                user: Some(shopper),
                anonymous: None,
            },
            session: None,
            source: SourceId::new("key:test").unwrap(),
            action: Action::CartAdd(CartAdd {
                product: product.clone(),
                ..CartAdd::default()
            }),
        };
        let _ = profile.apply(&event, offset as u64, &rules).unwrap();
    }
    let ten_minutes_later = EpochMs(4 * 86_400_000 + 600_000);
    let reference = Reference::prior();
    let reading = profile
        .state()
        .reading(ten_minutes_later, &rules, &reference);
    let inputs = Inputs::of(|feature| reading.get(feature));
    assert_eq!(
        inputs,
        Inputs {
            has_cart: true,
            seconds_since_seen: Some(600.0),
            cart_age_seconds: Some(4.0 * DAY_S + 600.0),
            usual_gap_days: Some(4.0),
            ..Inputs::default()
        }
    );
    assert!(abandonment(inputs) > DISCOUNT);
}

#[test]
fn every_contribution_of_abandonment_names_a_feature_of_the_catalogue() {
    for term in &predict(&filling_a_cart()).abandonment.contributions[1..] {
        assert!(
            CATALOGUE.iter().any(|spec| spec.name == term.feature),
            "{}",
            term.feature
        );
    }
}

#[test]
fn contributions_add_up_to_the_prediction() {
    let predictions = predict(&filling_a_cart());
    for prediction in [predictions.drift, predictions.abandonment] {
        let sum: f64 = prediction
            .contributions
            .iter()
            .map(|term| term.log_odds)
            .sum();
        assert_eq!(
            prediction.probability,
            crate::Probability::from_log_odds(sum)
        );
    }
}

/// Any number, sensible or not.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..100.0, 1 => 0.0..1e6, 1 => any::<f64>()]
}

prop_compose! {
    fn inputs()(
        (has_cart, payment_entered) in any::<(bool, bool)>(),
        seconds_since_seen in prop::option::of(number()),
        (checkout_step, coupons_denied, purchases) in (number(), number(), number()),
        cart_age_seconds in prop::option::of(number()),
        engagement_trend in prop::option::of(number()),
        usual_gap_days in prop::option::of(number()),
    ) -> Inputs {
        Inputs {
            has_cart, seconds_since_seen, checkout_step, payment_entered, coupons_denied, cart_age_seconds,
            purchases, engagement_trend, usual_gap_days,
        }
    }
}

/// How one input is replaced.
type Set = fn(Inputs, f64) -> Inputs;

const RAISE_ABANDONMENT: [Set; 3] = [
    |i, v| Inputs {
        seconds_since_seen: Some(v),
        ..i
    },
    |i, v| Inputs {
        coupons_denied: v,
        ..i
    },
    |i, v| Inputs {
        cart_age_seconds: Some(v),
        ..i
    },
];
const LOWER_ABANDONMENT: [Set; 3] = [
    |i, v| Inputs {
        checkout_step: v,
        ..i
    },
    |i, v| Inputs {
        payment_entered: v > 2500.0,
        ..i
    },
    |i, v| Inputs { purchases: v, ..i },
];
const RAISE_DRIFT: [Set; 1] = [|i, v| Inputs {
    seconds_since_seen: Some(v),
    ..i
}];
const LOWER_DRIFT: [Set; 2] = [
    |i, v| Inputs {
        engagement_trend: Some(v),
        ..i
    },
    |i, v| Inputs {
        usual_gap_days: Some(v),
        ..i
    },
];

proptest! {
    #[test]
    fn whatever_the_inputs_both_are_strictly_between_0_and_1_and_explained_in_finite_terms(i in inputs()) {
        let predictions = predict(&i);
        for prediction in [predictions.drift, predictions.abandonment] {
            let p = prediction.probability.get();
            prop_assert!(0.0 < p && p < 1.0);
            for term in prediction.contributions {
                prop_assert!(term.log_odds.is_finite());
                prop_assert!(term.value.is_none_or(f64::is_finite));
            }
        }
    }

    #[test]
    fn each_input_moves_its_prediction_one_way_only(i in inputs(), a in 0.0..5000.0, b in 0.0..5000.0) {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        for set in RAISE_ABANDONMENT {
            prop_assert!(abandonment(set(i, low)) <= abandonment(set(i, high)));
        }
        for set in LOWER_ABANDONMENT {
            prop_assert!(abandonment(set(i, low)) >= abandonment(set(i, high)));
        }
        for set in RAISE_DRIFT {
            prop_assert!(drift(set(i, low)) <= drift(set(i, high)));
        }
        for set in LOWER_DRIFT {
            prop_assert!(drift(set(i, low)) >= drift(set(i, high)));
        }
        let [without, with] = [false, true].map(|has_cart| abandonment(Inputs { has_cart, ..i }));
        prop_assert!(without <= with);
    }
}
