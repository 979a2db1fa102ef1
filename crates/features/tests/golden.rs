//! Version 3 of the stored profile, byte for byte. These files never change: a new form is a new version beside them.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod support;

use std::fmt::Write as _;

use foretide_events::*;
use foretide_features::{DecodeError, FoldRules, Profile, ProfileDigest};
use support::*;

const PROFILE_V3: &str = include_str!("golden/profile-v3.hex");
const DIGEST_V3: &str = include_str!("golden/digest-v3.txt");

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
        cart_add("mug-blue", 1250, 2),
        purchase("order-1", 2500, "EUR"),
        Action::Search(Search {
            dwell_ms: Some(7_000),
            ..Search::default()
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
                minute(n + if n < 3 { 0 } else { 26 * 60 }),
                action,
            )
        })
        .collect();
    profile_of(&events).0
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
    assert!(profile.recent_len() == 9, "three are settled");
    let mut stored = Vec::new();
    profile.encode(&FoldRules::default(), &mut stored);
    assert_eq!(hex(&stored), PROFILE_V3);
}

#[test]
fn what_was_stored_is_read() {
    let profile = Profile::decode(&bytes(PROFILE_V3), &FoldRules::default()).unwrap();
    assert_eq!(profile, golden_profile());
}

#[test]
fn a_profile_of_an_earlier_version_is_refused_to_be_folded_again() {
    let earlier = [
        (1, include_str!("golden/profile-v1.hex")),
        (2, include_str!("golden/profile-v2.hex")),
    ];
    for (version, stored) in earlier {
        assert_eq!(
            Profile::decode(&bytes(stored), &FoldRules::default()),
            Err(DecodeError::UnknownVersion(version))
        );
    }
}

#[test]
fn the_digest_is_as_ever() {
    let mut digest = ProfileDigest::new();
    digest.add(&golden_profile());
    digest.add(&Profile::new(ShopperId([1; 16])));
    assert_eq!(digest.finish(), DIGEST_V3.trim_end());
}

#[test]
fn unknown_versions_and_other_rules_are_refused() {
    let mut stored = bytes(PROFILE_V3);
    let other = FoldRules {
        session_gap_ms: 1,
        ..FoldRules::default()
    };
    let (found, expected) = (FoldRules::default().version(), other.version());
    assert_eq!(
        Profile::decode(&stored, &other),
        Err(DecodeError::OtherRules { found, expected })
    );
    for unknown in [0, 2, 4] {
        stored[0] = unknown;
        assert_eq!(
            Profile::decode(&stored, &other),
            Err(DecodeError::UnknownVersion(unknown))
        );
    }
    assert_eq!(Profile::decode(&[], &other), Err(DecodeError::Truncated));
}
