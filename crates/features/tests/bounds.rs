//! How large a profile can become, whatever its shopper does.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod support;

use foretide_events::*;
use foretide_features::{Contributed, FoldRules, IdHash, Link, Profile, SOURCE_LIMIT};
use support::*;

/// The most bytes that what is settled may take.
const SETTLED_LIMIT: usize = 4096;

/// A number that looks drawn.
fn drawn(n: i64, below: i64) -> i64 {
    let spread = n.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    i64::try_from(spread).unwrap() % below
}

fn money(n: i64) -> Money {
    let currencies: Vec<_> = Currency::all().collect();
    let place = usize::try_from(drawn(n / 97, 60)).unwrap();
    Money {
        minor_units: i64::MAX >> drawn(n, 60),
        currency: currencies[place],
    }
}

/// Everything a shop can say, with names of `letters` characters that no alphabet is short for.
fn actions(n: i64, letters: usize) -> Vec<Action> {
    let named = |what: &str, of: i64| -> String {
        format!("{what}{:Ж>letters$}", drawn(n, of))
            .chars()
            .take(letters)
            .collect()
    };
    let product = Product {
        product_id: Text::new(&named("p", 300)),
        category: Category::new(&named("c", 40)).ok(),
        brand: Text::new(&named("b", 20)),
        price: Some(money(n)),
        list_price: Some(money(n)),
        quantity: Some(u32::MAX),
        ..Product::default()
    };
    let filters: Filters = List::new(vec![Filter {
        kind: Text::new("price").unwrap(),
        value: None,
    }])
    .unwrap();
    let view = Action::ProductView(ProductView {
        product: product.clone(),
        scroll_depth: Fraction::new(1.0 / 3.0),
        dwell_ms: Some(u32::MAX),
        ..ProductView::default()
    });
    let order = Order {
        order_id: Text::new(&named("o", 1000)),
        value: product.price,
        products: List::new(vec![product.clone(); 3]).unwrap(),
        ..Order::default()
    };
    let add = Action::CartAdd(CartAdd {
        product: product.clone(),
        ..CartAdd::default()
    });
    let mut all = vec![
        view.clone(),
        add.clone(),
        view,
        Action::Search(Search {
            filters: filters.clone(),
            dwell_ms: Some(1),
            ..Search::default()
        }),
        Action::ProductListFilter(ProductListFilter {
            filters,
            ..ProductListFilter::default()
        }),
        Action::WishlistAdd(WishlistChange {
            product: product.clone(),
            wishlist_id: None,
        }),
        Action::PaymentInfo(CheckoutStep::default()),
        Action::Identify(Identify {
            time_zone: Text::new("America/Argentina/ComodRivadavia"),
            ..Identify::default()
        }),
    ];
    if drawn(n, 50) == 0 {
        all.push(Action::Purchase(order));
    }
    all.extend([add.clone(), add]);
    all
}

#[test]
fn what_is_settled_stays_below_four_kibibytes() {
    let rules = FoldRules::default();
    let mut largest = 0;
    for letters in [3, 8, 24, 48, 120] {
        let mut profile = Profile::new(SHOPPER);
        let (mut offset, mut at) = (0, START);
        for n in 0..250 {
            // Now and then years pass, so that sums are of all magnitudes.
            at =
                at.plus(drawn(n, 90) * MINUTE_MS + if drawn(n, 70) == 0 { 30 * DAY_MS } else { 0 });
            for action in actions(n, letters) {
                let event = event(&offset.to_string(), at, action);
                let _ = profile.apply(&event, offset, &rules).unwrap();
                offset += 1;
            }
            if n % 10 == 0 {
                largest = largest.max(profile.stored_size(&rules).settled);
            }
        }
    }
    assert!((1500..SETTLED_LIMIT).contains(&largest), "{largest} bytes");
}

/// The largest record that a log takes.
const RECORD_LIMIT: usize = 1_000_000;

/// Someone who buys more, and more often, than anyone does.
fn of_very_long_orders(number: u8) -> Profile {
    let (shopper, rules) = (ShopperId([number; 16]), FoldRules::default());
    let mut profile = Profile::new(shopper);
    for (n, offset) in (0..40).zip(0..) {
        let line = |place: i64| Product {
            product_id: Text::new(&format!(
                "{place}-{n}-{:Ж>40}",
                drawn(n * 500 + place, 9_999)
            )),
            price: Some(money(place)),
            quantity: Some(u32::MAX),
            ..Product::default()
        };
        let order = Order {
            value: Some(money(n)),
            products: List::new((0..500).map(line).collect()).unwrap(),
            ..Order::default()
        };
        let id = format!("{number}-{n}");
        let event = event(&id, START.plus(n * MINUTE_MS), Action::Purchase(order));
        let _ = profile.apply(&event, offset, &rules).unwrap();
    }
    profile
}

#[test]
fn a_profile_with_all_that_others_contribute_is_a_record_that_a_log_takes() {
    let rules = FoldRules::default();
    let mut known = of_very_long_orders(1);
    for number in 2..=1 + u8::try_from(SOURCE_LIMIT).unwrap() {
        let mut source = of_very_long_orders(number);
        let _ = source.learn_link(Link {
            at: START,
            id: IdHash::of("link"),
            known: known.shopper(),
        });
        let contribution = source.contribution().unwrap();
        assert_eq!(known.contribute(contribution, &rules), Contributed::Applied);
    }
    let mut stored = Vec::new();
    known.encode(&rules, &mut stored);
    assert!(
        (50_000..RECORD_LIMIT).contains(&stored.len()),
        "{} bytes",
        stored.len()
    );
}
