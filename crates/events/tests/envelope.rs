//! The native API: what becomes of times, ids, identities, addresses and the value of an order.

#![expect(clippy::expect_used, reason = "helpers of tests fail tests")]

mod common;

use common::{accepted, native};
use foretide_events::{Action, EpochMs, Event, EventId, RejectionReason};
use serde_json::{Value, json};

/// A cart view by Ann with `more` members.
fn view(more: &Value) -> Value {
    let mut action = json!({ "type": "cart_view", "id": "e", "shopper": { "user_id": "ann" } });
    for (name, value) in more.as_object().into_iter().flatten() {
        action[name] = value.clone();
    }
    action
}

fn event(more: &Value) -> Event {
    accepted(native(&view(more)))
}

fn refused(action: &Value) -> (RejectionReason, Option<String>) {
    let rejection = native(action)
        .remove(0)
        .expect_err("a bad action is refused");
    (rejection.code, rejection.field)
}

fn instant(text: &str) -> EpochMs {
    EpochMs::parse(text).expect("an instant")
}

#[test]
fn a_clock_that_is_wrong_is_corrected_by_when_the_batch_was_sent() {
    // The sender's clock is a day slow; the event happened three seconds before it was sent.
    let skewed = event(&json!({ "at": "2026-11-21T08:00:00Z", "sent_at": "2026-11-21T08:00:03Z" }));
    assert_eq!(skewed.at, instant("2026-11-22T08:00:07Z"));
    let east = event(&json!({ "at": "2026-11-22T09:59:00+02:00" }));
    assert_eq!(east.at, instant("2026-11-22T07:59:00Z"));
}

#[test]
fn no_event_lies_in_the_future_or_before_the_calendar() {
    let received = instant(common::RECEIVED_AT);
    assert_eq!(event(&json!({ "at": "2031-01-01T00:00:00Z" })).at, received);
    assert_eq!(
        event(&json!({ "at": "2026-11-22T10:00:00Z", "sent_at": "2026-11-22T09:00:00Z" })).at,
        received
    );
    assert_eq!(event(&json!({ "at": null })).at, received);
    let absurd = event(&json!({ "at": "0001-01-01T00:00:00Z", "sent_at": "9999-12-31T00:00:00Z" }));
    assert_eq!(absurd.at, EpochMs::EARLIEST);
}

#[test]
fn a_missing_id_is_made_and_one_that_is_there_is_kept() {
    let nameless = || view(&json!({ "id": null }));
    let receipts = native(
        &json!({ "actions": [nameless(), view(&json!({})), nameless(), view(&json!({ "id": 7 }))] }),
    );
    let ids: Vec<_> = receipts
        .into_iter()
        .map(|receipt| receipt.expect("good").id)
        .collect();
    let expected = ["made-1", "e", "made-2", "7"].map(|id| EventId::new(id).expect("an id"));
    assert_eq!(ids, expected);
}

#[test]
fn the_known_shopper_comes_before_the_device_and_raw_ids_are_gone() {
    let by = |shopper: Value| event(&json!({ "shopper": shopper }));
    let known = by(json!({ "user_id": "ann" }));
    let device = by(json!({ "anonymous_id": "ann" }));
    let both = by(json!({ "user_id": "ann", "anonymous_id": "ann" }));
    assert_ne!(
        known.shopper, device.shopper,
        "a user and a device of the same name are two shoppers"
    );
    assert_eq!(both.shopper, known.shopper);
    assert_eq!(
        (both.identity.user, both.identity.anonymous),
        (known.identity.user, device.identity.anonymous)
    );
    let mut stored = Vec::new();
    foretide_events::wire::encode(&both, &mut stored);
    assert!(!String::from_utf8_lossy(&stored).contains("ann"));
}

#[test]
fn whole_numbers_are_ids_by_their_digits() {
    assert_eq!(
        event(&json!({ "shopper": { "user_id": 123 } })).shopper,
        event(&json!({ "shopper": { "user_id": "123" } })).shopper
    );
}

#[test]
fn a_pseudonym_is_taken_for_what_it_is() {
    let ann = event(&json!({})).shopper;
    let by = |shopper: Value| native(&view(&json!({ "shopper": shopper }))).remove(0);
    let given = by(json!({ "shopper_id": ann })).expect("good");
    assert_eq!((given.shopper, given.identity.user), (ann, Some(ann)));
    assert!(by(json!({ "shopper_id": ann, "user_id": "ann" })).is_ok());
    let other =
        by(json!({ "shopper_id": ann, "user_id": "bob" })).expect_err("they contradict each other");
    assert_eq!(other.field.as_deref(), Some("shopper.shopper_id"));
    let device = event(&json!({ "shopper": { "anonymous_id": "d" } })).shopper;
    let same = by(json!({ "shopper_id": device, "anonymous_id": "d" })).expect("good");
    assert_eq!(
        (same.identity.user, same.identity.anonymous),
        (None, Some(device))
    );
}

#[test]
fn a_blank_identity_is_a_missing_one() {
    for shopper in [
        json!({}),
        json!({ "user_id": "" }),
        json!({ "anonymous_id": "  " }),
        json!({ "user_id": null }),
    ] {
        let expected = (RejectionReason::MissingIdentity, Some("shopper".to_owned()));
        assert_eq!(refused(&view(&json!({ "shopper": shopper }))), expected);
    }
}

#[test]
fn queries_and_fragments_of_addresses_are_not_kept_however_long() {
    let query = "q".repeat(5000);
    let page = json!({
        "type": "page_view",
        "shopper": { "user_id": "ann" },
        "path": format!("https://shop.example/a?{query}"),
        "referrer": format!("https://user:pw@other.example/b#{query}"),
    });
    let Action::PageView(page) = accepted(native(&page)).action else {
        panic!("a page view")
    };
    assert_eq!(
        (page.path.as_deref(), page.referrer.as_deref()),
        (Some("/a"), Some("other.example/b"))
    );
}

#[test]
fn an_order_without_a_value_gets_the_best_it_has() {
    let money = |units: i64| json!({ "minor_units": units, "currency": "EUR" });
    let value = |order: Value| {
        let mut action = json!({ "type": "purchase", "shopper": { "user_id": 1 } });
        for (name, value) in order.as_object().expect("an object") {
            action[name] = value.clone();
        }
        let Action::Purchase(order) = accepted(native(&action)).action else {
            panic!("a purchase")
        };
        order
            .value
            .zip(order.value_basis)
            .map(|(value, basis)| (value.minor_units, format!("{basis:?}")))
    };
    let products = json!([{ "price": money(100), "quantity": 3 }, { "price": money(50) }]);
    let basis = |units: i64, basis: &str| Some((units, basis.to_owned()));
    assert_eq!(
        value(json!({ "value": money(1), "revenue": money(2) })),
        basis(1, "Value")
    );
    assert_eq!(
        value(json!({ "revenue": money(2), "subtotal": money(3) })),
        basis(2, "Revenue")
    );
    assert_eq!(
        value(json!({ "subtotal": money(3), "products": products })),
        basis(3, "Subtotal")
    );
    assert_eq!(
        value(json!({ "total": money(4), "products": products })),
        basis(350, "Products")
    );
    assert_eq!(
        value(json!({ "total": money(4), "products": [{ "price": money(100) }, {}] })),
        basis(4, "Total")
    );
    assert_eq!(value(json!({})), None);
}
