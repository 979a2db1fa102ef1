//! The native API: envelopes, times, identities, and a receipt for each action.

#![expect(clippy::expect_used, reason = "helpers of tests fail tests")]

mod common;

use common::{accepted, native, with_intake};
use foretide_events::{Action, BatchRefusal, Event, Receipt, Rejection, RejectionReason, limits};
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

/// An action of type `kind` by Ann with `more` members.
fn of_type(kind: &str, more: &Value) -> Value {
    let mut action = view(more);
    action["type"] = json!(kind);
    action
}

fn bought(product: &Value) -> Value {
    of_type("cart_add", &json!({ "product": product }))
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
fn a_wrong_type_is_named_by_its_path() {
    let price = |price: Value| bought(&json!({ "product_id": "p", "price": price }));
    for (action, field) in [
        (json!({ "type": ["cart_view"] }), "type"),
        (view(&json!({ "at": "yesterday" })), "at"),
        (view(&json!({ "sent_at": 5 })), "sent_at"),
        (view(&json!({ "shopper": "ann" })), "shopper"),
        (
            view(&json!({ "shopper": { "user_id": 1.5 } })),
            "shopper.user_id",
        ),
        (
            view(&json!({ "shopper": { "shopper_id": "ann" } })),
            "shopper.shopper_id",
        ),
        (view(&json!({ "products": "p" })), "products"),
        (
            view(&json!({ "products": [{}, { "quantity": -1 }] })),
            "products[1].quantity",
        ),
        (bought(&json!(null)), "product"),
        (price(json!("129.90")), "product.price"),
        (
            price(json!({ "minor_units": 1.5, "currency": "EUR" })),
            "product.price.minor_units",
        ),
        (
            price(json!({ "minor_units": 1, "currency": "euro" })),
            "product.price.currency",
        ),
        (
            of_type("coupon_attempt", &json!({ "outcome": "lost" })),
            "outcome",
        ),
        (
            of_type("page_view", &json!({ "scroll_depth": 1.1 })),
            "scroll_depth",
        ),
    ] {
        let expected = (RejectionReason::InvalidField, Some(field.to_owned()));
        assert_eq!(refused(&action), expected, "{action}");
    }
}

#[test]
fn what_is_missing_is_named_by_its_path() {
    let price = json!({ "product_id": "p", "price": { "minor_units": 1 } });
    for (action, field) in [
        (json!({}), "type"),
        (bought(&json!({})), "product.product_id"),
        (bought(&json!({ "product_id": "" })), "product.product_id"),
        (bought(&price), "product.price.currency"),
        (of_type("coupon_attempt", &json!({})), "outcome"),
        (of_type("alias", &json!({})), "previous_id"),
        (of_type("group", &json!({ "group_id": " " })), "group_id"),
    ] {
        let expected = (RejectionReason::MissingField, Some(field.to_owned()));
        assert_eq!(refused(&action), expected, "{action}");
    }
    let unknown = (RejectionReason::UnknownType, Some("type".to_owned()));
    assert_eq!(refused(&of_type("teleport", &json!({}))), unknown);
}

#[test]
fn an_array_never_stands_for_an_object() {
    for (action, field) in [
        (view(&json!({ "shopper": ["ann"] })), "shopper"),
        (bought(&json!(["p"])), "product"),
        (
            bought(&json!({ "product_id": "p", "price": [1, "EUR"] })),
            "product.price",
        ),
        (
            of_type("search", &json!({ "filters": [["price", "5"]] })),
            "filters[0]",
        ),
    ] {
        let expected = (RejectionReason::InvalidField, Some(field.to_owned()));
        assert_eq!(refused(&action), expected, "{action}");
    }
    assert_eq!(
        refused(&json!({ "actions": [["cart_view"]] })).0,
        RejectionReason::NotAnObject
    );
}

#[test]
fn the_order_of_members_does_not_matter() {
    let first = r#"{"type":"cart_view","id":"e","shopper":{"user_id":"ann"},"cart_id":"c"}"#;
    let last = r#"{"cart_id":"c","shopper":{"user_id":"ann"},"id":"e","type":"cart_view"}"#;
    let parse = |body: &str| {
        with_intake(|intake| foretide_events::native::parse_json(body.as_bytes(), intake))
    };
    assert_eq!(parse(first), parse(last));
}

#[test]
fn a_member_that_comes_twice_is_refused() {
    for (member, twice) in [
        ("id", r#""id":"a","id":"b""#),
        ("cart_id", r#""cart_id":"a","cart_id":"b""#),
    ] {
        let body = format!(r#"{{"type":"cart_view","shopper":{{"user_id":"ann"}},{twice}}}"#);
        let receipts =
            with_intake(|intake| foretide_events::native::parse_json(body.as_bytes(), intake));
        let refused = receipts
            .expect("JSON")
            .remove(0)
            .expect_err("one member, two values");
        assert_eq!(refused.code, RejectionReason::InvalidField);
        assert_eq!(refused.message, format!("duplicate field `{member}`"));
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
        let nested = r#"{"y":"#.repeat(levels) + "1" + &"}".repeat(levels);
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
fn an_action_that_nests_too_deep_harms_no_neighbour() {
    let nested = "[".repeat(200) + &"]".repeat(200);
    let action =
        |more: &str| format!(r#"{{"type":"cart_view","shopper":{{"user_id":1}},"x":{more}}}"#);
    let body = format!(
        r#"{{"actions":[{},{},{}]}}"#,
        action("1"),
        action(&nested),
        action("[]")
    );
    let receipts =
        with_intake(|intake| foretide_events::native::parse_json(body.as_bytes(), intake))
            .expect("the batch itself is fine");
    let codes: Vec<_> = receipts
        .iter()
        .map(|receipt| receipt.as_ref().err().map(|rejection| rejection.code))
        .collect();
    assert_eq!(codes, [None, Some(RejectionReason::TooLarge), None]);
}
