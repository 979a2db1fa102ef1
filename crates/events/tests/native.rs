//! The native API: envelopes, times, identities, and a receipt for each action.

mod common;

use common::{accepted, native, with_intake};
use foretide_events::{
    Action, BatchRefusal, EpochMs, Event, EventId, Receipt, Rejection, RejectionReason, limits,
};
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

fn rejection(action: &Value) -> Rejection {
    native(action)
        .remove(0)
        .expect_err("a bad action is refused")
}

fn refused(action: &Value) -> (RejectionReason, Option<String>) {
    let rejection = rejection(action);
    (rejection.code, rejection.field)
}

fn ndjson(body: &[u8]) -> Vec<Receipt> {
    with_intake(|intake| foretide_events::native::parse_ndjson(body, intake))
        .expect("lines are taken one by one")
}

fn refusal(body: &[u8]) -> BatchRefusal {
    with_intake(|intake| foretide_events::native::parse_json(body, intake))
        .expect_err("the body is refused")
}

fn instant(text: &str) -> EpochMs {
    EpochMs::parse(text).expect("an instant")
}

#[test]
fn one_action_a_batch_and_lines_give_the_same_events() {
    let (one, two) = (
        view(&json!({ "id": "a" })),
        view(&json!({ "id": "b", "cart_id": 7 })),
    );
    let single: Vec<_> = [&one, &two].into_iter().flat_map(native).collect();
    assert_eq!(native(&json!({ "actions": [one, two] })), single);
    let lines = format!("{one}\r\n\n  {two}\n");
    assert_eq!(ndjson(lines.as_bytes()), single);
}

#[test]
fn an_empty_batch_has_no_receipts() {
    assert_eq!(native(&json!({ "actions": [] })), vec![]);
    assert_eq!(ndjson(b"\n \n"), vec![]);
}

#[test]
fn a_bad_action_is_refused_alone_and_its_place_and_id_are_named() {
    let good = view(&json!({}));
    let receipts =
        native(&json!({ "actions": [good, { "type": "cart_view", "id": "bad" }, good] }));
    assert!(receipts[0].is_ok() && receipts[2].is_ok());
    assert_eq!(
        receipts[1],
        Err(Rejection {
            index: 1,
            id: Some("bad".to_owned()),
            code: RejectionReason::MissingIdentity,
            field: Some("shopper".to_owned()),
            message: "names no shopper: an id is needed".to_owned(),
        })
    );
}

#[test]
fn a_bad_line_is_refused_alone() {
    let good = view(&json!({})).to_string();
    let deep = "[".repeat(1000);
    let mut body = Vec::new();
    for line in [
        good.as_bytes(),
        b"{",
        b"\xff\xfe",
        deep.as_bytes(),
        b"7",
        good.as_bytes(),
    ] {
        body.extend_from_slice(line);
        body.push(b'\n');
    }
    let codes: Vec<_> = ndjson(&body)
        .into_iter()
        .map(|receipt| receipt.map(drop).map_err(|bad| bad.code))
        .collect();
    let not_an_object = Err(RejectionReason::NotAnObject);
    assert_eq!(
        codes,
        [
            Ok(()),
            not_an_object,
            not_an_object,
            Err(RejectionReason::TooLarge),
            not_an_object,
            Ok(())
        ]
    );
}

#[test]
fn a_body_that_is_no_batch_is_refused_as_a_whole() {
    assert_eq!(refusal(b"\xff\xfe{}"), BatchRefusal::NotUtf8 { at: 0 });
    assert_eq!(
        refusal(&b"[".repeat(100_000)),
        BatchRefusal::TooDeep {
            limit: limits::MAX_DEPTH
        }
    );
    for body in [&b""[..], b"{", b"{\"actions\":[}", b"{} {}", b"nonsense"] {
        assert_eq!(
            refusal(body).code(),
            "not_json",
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    for (body, words) in [
        (
            &b"7"[..],
            "body: is neither an action nor {\"actions\":[\u{2026}]}",
        ),
        (b"[]", "body: is neither"),
        (
            b"{\"actions\":{}}",
            "actions: invalid type: map, expected a list",
        ),
    ] {
        let refusal = refusal(body);
        assert_eq!(refusal.code(), "invalid_body");
        assert!(refusal.to_string().starts_with(words), "{refusal}");
    }
}

#[test]
fn the_field_at_fault_is_named_by_its_path() {
    let product = |product: Value| json!({ "type": "cart_add", "shopper": { "user_id": 1 }, "product": product });
    let price = |price: Value| product(json!({ "product_id": "p", "price": price }));
    for (action, code, field) in [
        (json!({}), RejectionReason::MissingField, "type"),
        (
            json!({ "type": "teleport" }),
            RejectionReason::UnknownType,
            "type",
        ),
        (
            json!({ "type": ["cart_view"] }),
            RejectionReason::InvalidField,
            "type",
        ),
        (
            view(&json!({ "at": "yesterday" })),
            RejectionReason::InvalidField,
            "at",
        ),
        (
            view(&json!({ "sent_at": 5 })),
            RejectionReason::InvalidField,
            "sent_at",
        ),
        (
            view(&json!({ "shopper": "ann" })),
            RejectionReason::InvalidField,
            "shopper",
        ),
        (
            view(&json!({ "shopper": { "user_id": 1.5 } })),
            RejectionReason::InvalidField,
            "shopper.user_id",
        ),
        (
            view(&json!({ "shopper": { "shopper_id": "ann" } })),
            RejectionReason::InvalidField,
            "shopper.shopper_id",
        ),
        (
            view(&json!({ "products": "p" })),
            RejectionReason::InvalidField,
            "products",
        ),
        (
            view(&json!({ "products": [{}, { "quantity": -1 }] })),
            RejectionReason::InvalidField,
            "products[1].quantity",
        ),
        (
            product(json!(null)),
            RejectionReason::InvalidField,
            "product",
        ),
        (
            product(json!({})),
            RejectionReason::MissingField,
            "product.product_id",
        ),
        (
            product(json!({ "product_id": "" })),
            RejectionReason::MissingField,
            "product.product_id",
        ),
        (
            price(json!("129.90")),
            RejectionReason::InvalidField,
            "product.price",
        ),
        (
            price(json!({ "minor_units": 1.5, "currency": "EUR" })),
            RejectionReason::InvalidField,
            "product.price.minor_units",
        ),
        (
            price(json!({ "minor_units": 1, "currency": "euro" })),
            RejectionReason::InvalidField,
            "product.price.currency",
        ),
        (
            price(json!({ "minor_units": 1 })),
            RejectionReason::MissingField,
            "product.price.currency",
        ),
        (
            json!({ "type": "coupon_attempt", "shopper": { "user_id": 1 }, "outcome": "lost" }),
            RejectionReason::InvalidField,
            "outcome",
        ),
        (
            json!({ "type": "coupon_attempt", "shopper": { "user_id": 1 } }),
            RejectionReason::MissingField,
            "outcome",
        ),
        (
            json!({ "type": "alias", "shopper": { "user_id": 1 } }),
            RejectionReason::MissingField,
            "previous_id",
        ),
        (
            json!({ "type": "group", "shopper": { "user_id": 1 }, "group_id": " " }),
            RejectionReason::MissingField,
            "group_id",
        ),
        (
            json!({ "type": "page_view", "shopper": { "user_id": 1 }, "scroll_depth": 1.1 }),
            RejectionReason::InvalidField,
            "scroll_depth",
        ),
    ] {
        assert_eq!(refused(&action), (code, Some(field.to_owned())), "{action}");
    }
}

#[test]
fn a_complaint_says_what_was_expected() {
    let price = json!({ "product_id": "p", "price": "129.90" });
    let action = json!({ "type": "cart_add", "shopper": { "user_id": 1 }, "product": price });
    assert_eq!(
        rejection(&action).message,
        "invalid type: string \"129.90\", expected money such as {\"minor_units\":12990,\"currency\":\"EUR\"}"
    );
}

#[test]
fn what_is_over_its_limit_is_too_large() {
    let long = "x".repeat(2000);
    for (action, field) in [
        (view(&json!({ "cart_id": long })), Some("cart_id")),
        (view(&json!({ "id": "x".repeat(101) })), Some("id")),
        (view(&json!({ "session": long })), Some("session")),
        (
            view(&json!({ "shopper": { "user_id": long } })),
            Some("shopper.user_id"),
        ),
        (
            view(&json!({ "products": vec![json!({}); 501] })),
            Some("products"),
        ),
        (
            view(&json!({ "ignored": "x".repeat(limits::MAX_EVENT_BYTES) })),
            None,
        ),
    ] {
        let expected = (RejectionReason::TooLarge, field.map(str::to_owned));
        assert_eq!(refused(&action), expected, "{field:?}");
    }
    let complaint = rejection(&view(&json!({ "at": long }))).message;
    assert!(
        complaint.len() < 300,
        "a complaint does not repeat a long value: {complaint}"
    );
}

#[test]
fn the_limit_of_a_text_is_on_characters_not_bytes() {
    let cart = "ü".repeat(128);
    let Action::CartView(view) = event(&json!({ "cart_id": cart })).action else {
        panic!("a cart view")
    };
    assert_eq!(view.cart_id.as_deref(), Some(cart.as_str()));
}

#[test]
fn events_beyond_the_limit_of_a_batch_are_refused_by_name() {
    let actions: Vec<_> = (0..limits::MAX_BATCH_EVENTS + 2)
        .map(|n| view(&json!({ "id": n.to_string() })))
        .collect();
    let receipts = native(&json!({ "actions": actions }));
    assert_eq!(
        receipts.iter().filter(|receipt| receipt.is_ok()).count(),
        limits::MAX_BATCH_EVENTS
    );
    let last = receipts
        .last()
        .expect("every event has a receipt")
        .as_ref()
        .expect_err("the batch is full");
    assert_eq!(
        (last.code, last.index),
        (RejectionReason::BatchFull, limits::MAX_BATCH_EVENTS + 1)
    );
    assert_eq!(last.id.as_deref(), Some("2501"));
}

#[test]
fn a_batch_of_absurd_length_is_refused_as_a_whole() {
    let body = json!({ "actions": vec![0; limits::MAX_BATCH_ITEMS + 1] }).to_string();
    assert_eq!(refusal(body.as_bytes()).code(), "invalid_body");
    let lines = "0\n".repeat(limits::MAX_BATCH_ITEMS + 1);
    let refused =
        with_intake(|intake| foretide_events::native::parse_ndjson(lines.as_bytes(), intake));
    assert_eq!(
        refused
            .map(|receipts| receipts.len())
            .map_err(|refusal| refusal.code()),
        Err("invalid_body")
    );
}

#[test]
fn nesting_is_limited_in_members_that_are_ignored_too() {
    let deep = |levels: usize| {
        let nested = "[".repeat(levels) + &"]".repeat(levels);
        let action = format!(r#"{{"type":"cart_view","shopper":{{"user_id":1}},"x":{nested}}}"#);
        with_intake(|intake| foretide_events::native::parse_json(action.as_bytes(), intake))
    };
    assert!(deep(limits::MAX_DEPTH - 1).is_ok());
    assert_eq!(
        deep(limits::MAX_DEPTH),
        Err(BatchRefusal::TooDeep {
            limit: limits::MAX_DEPTH
        })
    );
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
