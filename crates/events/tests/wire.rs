//! The stored form, version 1: what was written once is read for ever.

#![expect(clippy::expect_used, reason = "helpers of tests fail tests")]

mod common;

use std::collections::BTreeSet;

use common::{accepted, any, assert_golden, golden, native};
use foretide_events::{ActionType, Event, wire};
use proptest::prelude::*;
use serde_json::{Value, json};

fn encoded(event: &Event) -> String {
    let mut bytes = Vec::new();
    wire::encode(event, &mut bytes);
    String::from_utf8(bytes).expect("what is stored is text")
}

fn stored(change: impl FnOnce(&mut Value)) -> Result<Event, wire::DecodeError> {
    let mut stored =
        serde_json::from_str(&golden("stored/cart_add.json")).expect("golden files are JSON");
    change(&mut stored);
    wire::decode(stored.to_string().as_bytes())
}

#[test]
fn every_kind_of_action_is_taken_and_stored_as_its_golden_files_say() {
    for kind in ActionType::ALL {
        let name = kind.as_str();
        let sent = serde_json::from_str(&golden(&format!("sent/{name}.json"))).expect("JSON");
        let event = accepted(native(&sent));
        assert_eq!(event.action.action_type(), *kind);
        let text = encoded(&event);
        assert_golden(&format!("stored/{name}.json"), &format!("{text}\n"));
        assert_eq!(wire::decode(text.as_bytes()), Ok(event), "{name}");
    }
}

#[test]
fn the_golden_example_of_a_kind_shows_all_of_its_fields() {
    let schema = foretide_events::actions_schema();
    for kind in ActionType::ALL {
        let name = kind.as_str();
        let stored: Value =
            serde_json::from_str(&golden(&format!("stored/{name}.json"))).expect("JSON");
        let of_kind = schema["$defs"]["StoredAction"]["oneOf"]
            .as_array()
            .expect("a list");
        let of_kind = of_kind
            .iter()
            .find(|one| one["title"] == name)
            .expect("every kind has a schema");
        let fields = of_kind["allOf"][1]["$ref"].as_str().expect("a reference");
        let fields = fields.strip_prefix("#/$defs/").expect("within the schema");
        let fields = schema["$defs"][fields]["properties"]
            .as_object()
            .expect("an object");
        let shown: BTreeSet<&str> = stored
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        let partly = ["payment_info", "order_update", "refund", "cancel"];
        let missing: Vec<_> = fields
            .keys()
            .filter(|field| !shown.contains(field.as_str()))
            .collect();
        assert!(
            missing.is_empty() || partly.contains(&name),
            "{name} does not show {missing:?}"
        );
    }
}

#[test]
fn a_name_leads_to_its_kind_and_back() {
    for kind in ActionType::ALL {
        assert_eq!(ActionType::from_name(kind.as_str()), Some(*kind));
    }
    assert_eq!(ActionType::from_name("teleport"), None);
}

#[test]
fn another_version_is_named() {
    let error = stored(|event| event["v"] = json!(2)).expect_err("version 2 is unknown");
    assert_eq!(error, wire::DecodeError::UnknownVersion(2));
    assert_eq!(
        error.to_string(),
        "the stored event has version 2, and only version 1 is known"
    );
    assert_eq!(
        wire::decode(br#"{"v":7,"everything":"else"}"#),
        Err(wire::DecodeError::UnknownVersion(7)),
    );
}

#[test]
fn an_unknown_type_is_named() {
    let error = stored(|event| event["type"] = json!("teleport"));
    assert_eq!(
        error,
        Err(wire::DecodeError::UnknownType("teleport".to_owned()))
    );
}

#[test]
fn what_is_malformed_says_where() {
    for (change, complaint) in [
        (json!({ "at": "yesterday" }), "at: is not an RFC 3339"),
        (
            json!({ "product": { "price": { "minor_units": 1, "currency": "euro" } } }),
            "product.price.currency: ",
        ),
        (json!({ "shopper": {} }), "shopper: is missing"),
        (json!({ "id": null }), "id: is missing"),
    ] {
        let changed = stored(|event| {
            for (name, value) in change.as_object().expect("an object") {
                event[name] = value.clone();
            }
        });
        let error = changed.expect_err("malformed").to_string();
        assert!(error.contains(complaint), "{error}");
    }
    for bytes in [&b""[..], b"{", b"[]", b"null", b"{}", b"\xff", b"{} x"] {
        assert!(wire::decode(bytes).is_err());
    }
}

#[test]
fn members_of_a_later_writer_are_ignored() {
    let event = stored(|event| event["added_later"] = json!({ "deep": [1, 2] }));
    assert_eq!(event, stored(|_| {}));
}

proptest! {
    #[test]
    fn an_event_survives_being_stored(event in any::event()) {
        let text = encoded(&event);
        prop_assert_eq!(wire::decode(text.as_bytes()), Ok(event));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = wire::decode(&bytes);
    }
}
