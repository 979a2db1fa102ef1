//! Version 4 of the stored profile, byte for byte. These files never change: a new form is a new version beside them.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod support;

use std::fmt::Write as _;

use foretide_events::*;
use foretide_features::{DecodeError, FoldRules, Profile, ProfileDigest};
use support::*;

const PROFILE_V4: &str = include_str!("golden/profile-v4.hex");
const DIGEST_V4: &str = include_str!("golden/digest-v4.txt");

/// Two visits more than a day apart, with one action of every kind that carries something.
fn golden_profile() -> Profile {
    let minute = |minutes: i64| START.plus(minutes * MINUTE_MS);
    let coupon = CouponAttempt {
        outcome: CouponOutcome::Denied,
        coupon_id: None,
        coupon_name: None,
        order_id: None,
        cart_id: None,
        discount: None,
        reason: None,
    };
    let page = PageView {
        category: Some(Category::new("kitchen.mugs").unwrap()),
        ..PageView::default()
    };
    let step = CheckoutStep {
        step: Some(2),
        ..CheckoutStep::default()
    };
    let cart = vec![
        product("mug-blue", None, Some(1250), Some(2)),
        product("tea", None, None, None),
    ];
    let actions = vec![
        product_view("mug-blue", "kitchen.mugs", Some(42_000)),
        Action::Identify(Identify {
            time_zone: Text::new("Europe/Berlin"),
            ..Identify::default()
        }),
        priced_view("mug-blue", 1190, Some(0.35)),
        cart_add("mug-blue", 1250, 2),
        purchase("order-1", 2500, "EUR"),
        Action::Search(Search {
            dwell_ms: Some(7_000),
            filters: List::new(vec![Filter {
                kind: Text::new("price").unwrap(),
                value: None,
            }])
            .unwrap(),
            ..Search::default()
        }),
        priced_view("mug-blue", 990, Some(1.0 / 3.0)),
        priced_view("mug-blue", 1090, None),
        Action::WishlistAdd(WishlistChange {
            product: product("tea", None, Some(499), None),
            wishlist_id: None,
        }),
        Action::Purchase(Order {
            order_id: Text::new("order-2"),
            value: Some(Money {
                minor_units: 1290,
                currency: "USD".parse().unwrap(),
            }),
            products: List::new(vec![product(
                "mug-blue",
                Some("kitchen.mugs"),
                Some(1290),
                None,
            )])
            .unwrap(),
            ..Order::default()
        }),
        Action::PageView(page),
        product_view("tea", "kitchen.tea", None),
        Action::CartView(CartView {
            products: List::new(cart).unwrap(),
            cart_id: None,
        }),
        Action::CouponAttempt(coupon),
        Action::CheckoutStart(Order::default()),
        Action::CheckoutStep(step.clone()),
        Action::PaymentInfo(step),
        Action::CartRemove(CartRemove {
            product: product("tea", None, None, None),
            ..CartRemove::default()
        }),
    ];
    let events: Vec<_> = actions
        .into_iter()
        .zip(0..)
        .map(|(action, n): (_, i64)| {
            event(
                &format!("m-{n}"),
                minute(n + if n < 5 { 0 } else { 26 * 60 }),
                action,
            )
        })
        .collect();
    profile_of(&events).0
}

/// A view with brand, price, what it cost before, and how far down the page was read.
fn priced_view(id: &str, cents: i64, scroll: Option<f64>) -> Action {
    let list_price = product(id, None, Some(1250), None).price;
    Action::ProductView(ProductView {
        product: Product {
            brand: Text::new("Potter & Söhne"),
            list_price,
            ..product(id, Some("kitchen.mugs"), Some(cents), None)
        },
        scroll_depth: scroll.and_then(Fraction::new),
        dwell_ms: Some(12_345),
        ..ProductView::default()
    })
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        write!(digits, "{byte:02x}").unwrap();
    }
    digits
        .as_bytes()
        .chunks(100)
        .map(|line| std::str::from_utf8(line).unwrap().to_owned() + "\n")
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn a_profile_is_stored_as_ever() {
    let profile = golden_profile();
    assert_eq!(profile.recent_len(), 13, "five are settled");
    let mut stored = Vec::new();
    profile.encode(&FoldRules::default(), &mut stored);
    assert_eq!(hex(&stored), PROFILE_V4);
}

#[test]
fn what_was_stored_is_read() {
    let profile = Profile::decode(SHOPPER, &bytes(PROFILE_V4), &FoldRules::default()).unwrap();
    assert_eq!(profile, golden_profile());
}

#[test]
fn a_profile_of_an_earlier_version_is_refused_to_be_folded_again() {
    let earlier = [
        (1, include_str!("golden/profile-v1.hex")),
        (2, include_str!("golden/profile-v2.hex")),
        (3, include_str!("golden/profile-v3.hex")),
    ];
    for (version, stored) in earlier {
        assert_eq!(
            Profile::decode(SHOPPER, &bytes(stored), &FoldRules::default()),
            Err(DecodeError::UnknownVersion(version))
        );
    }
}

#[test]
fn the_digest_is_as_ever() {
    let mut digest = ProfileDigest::new();
    digest.add(&golden_profile());
    digest.add(&Profile::new(ShopperId([1; 16])));
    assert_eq!(digest.finish(), DIGEST_V4.trim_end());
}

#[test]
fn unknown_versions_and_other_rules_are_refused() {
    let mut stored = bytes(PROFILE_V4);
    let other = FoldRules {
        session_gap_ms: 1,
        ..FoldRules::default()
    };
    let (found, expected) = (FoldRules::default().version(), other.version());
    assert_eq!(
        Profile::decode(SHOPPER, &stored, &other),
        Err(DecodeError::OtherRules { found, expected })
    );
    for unknown in [0, 3, 5] {
        stored[0] = unknown;
        assert_eq!(
            Profile::decode(SHOPPER, &stored, &other),
            Err(DecodeError::UnknownVersion(unknown))
        );
    }
    assert_eq!(
        Profile::decode(SHOPPER, &[], &other),
        Err(DecodeError::Truncated)
    );
}
