//! What the features of a visit are, worked out by hand.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod support;

use foretide_events::*;
use foretide_features::{Feature, FeatureVector, FoldRules, Profile, Reference};
use support::*;

fn after(events: Vec<(i64, Action)>) -> Profile {
    let events: Vec<_> = events
        .into_iter()
        .enumerate()
        .map(|(n, (minute, action))| event(&n.to_string(), START.plus(minute * MINUTE_MS), action))
        .collect();
    profile_of(&events).0
}

fn at(profile: &Profile, ms: i64) -> FeatureVector {
    profile
        .state()
        .features(START.plus(ms), &FoldRules::default(), &Reference::prior())
}

#[track_caller]
fn assert_close(features: &FeatureVector, feature: Feature, expected: f64) {
    let value = features.get(feature).unwrap();
    assert!(
        (value - expected).abs() <= 1e-9 * expected.abs(),
        "{feature:?} is {value}, not {expected}"
    );
}

#[test]
fn engagement_weighs_relevant_dwell_product_views_and_searches() {
    let profile = after(vec![
        (0, product_view("mug", "kitchen", Some(90_000))),
        (
            0,
            Action::Search(Search {
                dwell_ms: Some(30_000),
                ..Search::default()
            }),
        ),
        (
            0,
            Action::PageView(PageView {
                dwell_ms: Some(60_000),
                ..PageView::default()
            }),
        ),
        (
            0,
            Action::ProductListView(ProductListView {
                dwell_ms: Some(3_600_000),
                ..ProductListView::default()
            }),
        ),
    ]);
    let features = at(&profile, 0);
    // 1.5 min + 1 view, 0.5 min + 1 search, an irrelevant page, an hour cut to 5 min.
    assert_close(&features, Feature::Engagement7d, 2.5 + 1.5 + 5.0);
    assert_close(
        &features,
        Feature::DwellSeconds7d,
        90.0 + 30.0 + 60.0 + 300.0,
    );
    let features = at(&profile, 30 * MINUTE_MS);
    assert_close(&features, Feature::Engagement30m, 4.5);
    assert_close(
        &features,
        Feature::Engagement30d,
        9.0 * libm::exp2(-30.0 / (30.0 * 24.0 * 60.0)),
    );
}

#[test]
fn counts_decay_with_event_time() {
    let profile = after(vec![
        (0, product_view("mug", "kitchen", None)),
        (24 * 60, product_view("tea", "kitchen", None)),
    ]);
    assert_close(&at(&profile, DAY_MS), Feature::ProductViews1d, 1.5);
    assert_close(&at(&profile, 2 * DAY_MS), Feature::ProductViews1d, 0.75);
    assert_close(&at(&profile, 2 * DAY_MS), Feature::SessionsTotal, 2.0);
    assert_eq!(at(&profile, 2 * DAY_MS).get(Feature::SessionActions), None);
}

#[test]
fn the_trend_is_one_for_a_steady_shopper_and_falls_when_they_stay_away() {
    let visits = (0..400)
        .map(|day| (day * 24 * 60, product_view("mug", "kitchen", None)))
        .collect();
    let profile = after(visits);
    let now = 399 * DAY_MS;
    let steady = at(&profile, now).get(Feature::EngagementTrend7d).unwrap();
    // The sum of a daily action right after one is 1 / (1 − 2^(−1/7)), a little more than its mean.
    let sum = |days: f64| 1.0 / (1.0 - libm::exp2(-1.0 / days)) / days;
    assert!(
        (steady / (sum(7.0) / sum(30.0)) - 1.0).abs() < 0.001,
        "{steady}"
    );
    let away = at(&profile, now + 14 * DAY_MS)
        .get(Feature::EngagementTrend7d)
        .unwrap();
    assert!(
        (away / steady - libm::exp2(-2.0 + 14.0 / 30.0)).abs() < 1e-9,
        "{away}"
    );
}

#[test]
fn a_session_with_a_cart_shows_in_the_features() {
    let profile = after(vec![
        (0, product_view("mug", "kitchen", Some(20_000))),
        (2, cart_add("mug", 1250, 2)),
        (3, cart_add("tea", 499, 1)),
        (5, Action::CheckoutStart(Order::default())),
        (
            6,
            Action::CheckoutStep(CheckoutStep {
                step: Some(2),
                ..CheckoutStep::default()
            }),
        ),
    ]);
    let features = at(&profile, 10 * MINUTE_MS);
    assert_close(&features, Feature::SessionSeconds, 600.0);
    assert_close(&features, Feature::SecondsSinceSeen, 240.0);
    assert_close(&features, Feature::SessionActions, 5.0);
    assert_close(&features, Feature::SessionPages, 1.0);
    assert_close(&features, Feature::SessionDwellSeconds, 20.0);
    assert_close(&features, Feature::SessionCartAdds, 2.0);
    assert_close(&features, Feature::SessionCheckoutStep, 2.0);
    assert_eq!(features.get(Feature::SessionPaymentEntered), Some(0.0));
    assert_close(&features, Feature::CartPieces, 3.0);
    assert_close(&features, Feature::CartValue, 29.99);
    assert_close(&features, Feature::CartAgeSeconds, 480.0);
    assert_eq!(features.get(Feature::DaysSincePurchase), None);
}

#[test]
fn a_purchase_is_counted_valued_and_ends_the_cart() {
    let profile = after(vec![
        (0, cart_add("mug", 1250, 2)),
        (1, purchase("order-1", 2500, "EUR")),
        (2, purchase("order-1", 2500, "EUR")),
        (3, purchase("order-2", 1500, "JPY")),
    ]);
    let features = at(&profile, 3 * MINUTE_MS);
    assert_close(&features, Feature::PurchasesTotal, 2.0);
    assert_close(&features, Feature::SessionPurchases, 2.0);
    assert_close(&features, Feature::Spend30d, 1500.0);
    assert_eq!(features.get(Feature::CartItems), Some(0.0));
    assert_eq!(features.get(Feature::CartValue), None);
    assert_eq!(features.get(Feature::DaysSincePurchase), Some(0.0));
}

#[test]
fn affinity_shares_attention_by_views_and_time() {
    let profile = after(vec![
        (0, product_view("mug", "kitchen", Some(20_000))),
        (0, product_view("sofa", "living", None)),
        (0, product_view("lamp", "living", None)),
    ]);
    let top = profile.state().top_categories(5);
    assert_eq!(
        top.iter()
            .map(|top| top.category.as_str())
            .collect::<Vec<_>>(),
        ["kitchen", "living"]
    );
    assert!((top[0].share - 0.6).abs() < 1e-9 && top[0].error.abs() < 1e-12);
    let features = at(&profile, 3 * DAY_MS);
    assert_close(&features, Feature::TopCategoryShare, 0.6);
    assert_close(&features, Feature::CategoryFocus, 0.36 + 0.16);
    assert_close(&features, Feature::Categories, 2.0);
}

#[test]
fn what_the_shop_does_is_no_sign_of_the_shopper() {
    let profile = after(vec![
        (0, product_view("mug", "kitchen", None)),
        (600, Action::Refund(Order::default())),
        (601, Action::OrderUpdate(Order::default())),
    ]);
    let features = at(&profile, 601 * MINUTE_MS);
    assert_close(&features, Feature::SecondsSinceSeen, 601.0 * 60.0);
    assert_close(&features, Feature::ActionsTotal, 1.0);
    assert!(features.get(Feature::Refunds30d).unwrap() > 0.99);
    assert_eq!(features.get(Feature::SessionActions), None);
}

fn priced(id: &str, cents: i64) -> Action {
    Action::ProductView(ProductView {
        product: Product {
            brand: Text::new(if id == "mug" { "Potter" } else { "Leaf" }),
            ..product(id, Some("kitchen"), Some(cents), None)
        },
        ..ProductView::default()
    })
}

#[test]
fn what_follows_a_change_of_price_shows_in_the_elasticity() {
    let profile = after(vec![
        (0, priced("mug", 1000)),
        (1, priced("mug", 1000)),
        (2, priced("mug", 800)),
        (3, cart_add("mug", 800, 1)),
        (4, priced("tea", 500)),
        (5, priced("tea", 600)),
        (6, cart_add("mug", 800, 1)),
    ]);
    let features = at(&profile, 6 * MINUTE_MS);
    let (drop, rise) = (-libm::log(0.8), libm::log(1.2));
    let taken_anyway = 4.0 * 0.1 / (1.0 + 4.0);
    let slope = -drop - taken_anyway * (rise - drop);
    let elasticity = -slope / (drop * drop + rise * rise + 0.1);
    let value = features.get(Feature::PriceElasticity).unwrap();
    // Within minutes next to nothing decays.
    assert!(
        (value - elasticity).abs() < 1e-3,
        "{value}, not {elasticity}"
    );
    assert!((features.get(Feature::PriceDropsSeen30d).unwrap() - 1.0).abs() < 1e-3);
    assert!((features.get(Feature::PriceRisesSeen30d).unwrap() - 1.0).abs() < 1e-3);
    assert_close(&features, Feature::SessionRepeatViews, 3.0);
    assert_close(&features, Feature::Brands, 2.0);
    let share = features.get(Feature::TopBrandShare).unwrap();
    assert!((share - 0.6).abs() < 1e-3, "three views of five");
    let entropy = -share * libm::log2(share) - (1.0 - share) * libm::log2(1.0 - share);
    assert_close(&features, Feature::BrandEntropy, entropy);
    assert_close(&features, Feature::CategoryEntropy, 0.0);
}

#[test]
fn money_begins_anew_with_the_currency() {
    let in_dollars = |cents| {
        let Action::ProductView(mut view) = priced("mug", cents) else {
            unreachable!();
        };
        view.product.price = Some(Money {
            minor_units: cents,
            currency: "USD".parse().unwrap(),
        });
        Action::ProductView(view)
    };
    let profile = after(vec![
        (0, priced("mug", 1000)),
        (1, in_dollars(1500)),
        (1, in_dollars(1700)),
    ]);
    let features = at(&profile, MINUTE_MS);
    assert_close(&features, Feature::ViewedValue30d, 32.0);
    assert_close(&features, Feature::MeanViewedPrice30d, 16.0);
    assert_close(&features, Feature::PriceRisesSeen30d, 1.0);
}

#[test]
fn days_and_visits_are_held_against_what_is_usual() {
    let visits = (0..40).flat_map(|day| {
        let minute = day * 24 * 60;
        [
            (minute, product_view("mug", "kitchen", None)),
            (minute + 5, product_view("tea", "kitchen", None)),
        ]
    });
    let profile = after(visits.collect());
    let last = 39 * DAY_MS + 5 * MINUTE_MS;
    let usual = at(&profile, last);
    let hours = usual.get(Feature::VisitGapHours).unwrap();
    assert!((hours - (24.0 - 5.0 / 60.0)).abs() < 1e-6, "{hours}");
    assert!(usual.get(Feature::VisitGapSpread).unwrap() < 1e-6);
    assert!(usual.get(Feature::SessionLengthDeviation).unwrap().abs() < 0.5);
    let away = at(&profile, last + 8 * DAY_MS);
    assert!(away.get(Feature::VisitOverdue).unwrap() > 3.0);
    for of_now in [
        Feature::EngagementDeviation,
        Feature::SessionLengthDeviation,
        Feature::CategoryMixDeviation,
        Feature::BasketDeviation,
        Feature::Deviation,
    ] {
        assert_eq!(away.get(of_now), None, "{of_now:?}: nothing happens now");
    }
}

#[test]
fn who_is_long_away_is_overdue_however_long_that_is() {
    let visits = (0..20).map(|day| (day * 24 * 60, product_view("mug", "kitchen", None)));
    let profile = after(visits.collect());
    let overdue = |days: i64| {
        let features = at(&profile, (19 + days) * DAY_MS);
        features.get(Feature::VisitOverdue).unwrap()
    };
    assert!(overdue(1) < 1.0);
    assert!(overdue(3) > 1.0 && overdue(3) < overdue(30) && overdue(30) <= overdue(3000));
}

/// Comes daily for an hour, fills a cart, and buys what is in it for 100 euros.
fn regular(today: &[(i64, Action)]) -> Profile {
    let days = (0..20).flat_map(|day| {
        let visit = (0..6).map(|n| (n * 12, product_view("mug", "kitchen", Some(60_000))));
        let order = (61, purchase(&format!("order-{day}"), 10_000, "EUR"));
        let visit = visit.chain([order]);
        visit.map(move |(minute, action)| (day * 24 * 60 + minute, action))
    });
    let today = today
        .iter()
        .map(|(minute, action)| (20 * 24 * 60 + minute, action.clone()));
    after(days.chain(today).collect())
}

#[test]
fn a_session_that_has_just_begun_is_not_held_against_complete_ones() {
    let cup = CartAdd {
        product: product("cup", Some("kitchen"), Some(1_000), None),
        ..CartAdd::default()
    };
    let begun = [
        (0, product_view("mug", "kitchen", Some(1_000))),
        (0, Action::CartAdd(cup)),
    ];
    let (start, profile) = (20 * DAY_MS, regular(&begun));
    let parts = [
        Feature::EngagementDeviation,
        Feature::SessionLengthDeviation,
        Feature::BasketDeviation,
    ];
    let two_seconds_in = at(&profile, start + 2_000);
    for part in parts {
        assert_eq!(two_seconds_in.get(part), Some(0.0), "{part:?}");
    }
    assert!(two_seconds_in.get(Feature::Deviation).unwrap().abs() < 1.0);
    let over = at(&profile, start + 40 * MINUTE_MS);
    assert_eq!(over.get(Feature::SessionLengthDeviation), None);
    assert!(over.get(Feature::EngagementDeviation).unwrap() < 0.0);
    assert!(over.get(Feature::BasketDeviation).unwrap() < -1.0);
    assert!(over.get(Feature::Deviation).unwrap() < -0.5);
}

#[test]
fn more_than_usual_is_told_while_the_session_goes_on() {
    let cup = CartAdd {
        product: product("cup", Some("kitchen"), Some(1_000_000), None),
        ..CartAdd::default()
    };
    let mut long: Vec<_> = (0..40)
        .map(|n| (n * 12, product_view("mug", "kitchen", Some(300_000))))
        .collect();
    long.push((39 * 12, Action::CartAdd(cup)));
    let features = at(&regular(&long), 20 * DAY_MS + 40 * 12 * MINUTE_MS);
    for part in [
        Feature::EngagementDeviation,
        Feature::SessionLengthDeviation,
        Feature::BasketDeviation,
        Feature::Deviation,
    ] {
        assert!(features.get(part).unwrap() > 1.0, "{part:?}");
    }
}

#[test]
fn the_hour_is_that_of_the_shopper() {
    let identify = |zone: &str| {
        Action::Identify(Identify {
            time_zone: Text::new(zone),
            ..Identify::default()
        })
    };
    let profile = after(vec![
        (0, identify("America/New_York")),
        (1, identify("Nowhere")),
    ]);
    let features = at(&profile, 2 * MINUTE_MS);
    // START is midnight on a Sunday in London.
    assert_eq!(features.get(Feature::LocalHour), Some(19.0));
    assert_eq!(features.get(Feature::LocalWeekday), Some(6.0));
}
