//! Whatever is sent: no panic, a receipt for everything, and what is accepted can be stored and read.

mod common;

use common::{any, with_intake};
use foretide_events::{BatchRefusal, Event, Receipt, RejectionReason, native, segment, wire};
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

/// Names that mean something to the parsers, so that random bodies get past the first check.
const NAMES: &[&str] = &[
    "type",
    "id",
    "at",
    "sent_at",
    "shopper",
    "user_id",
    "anonymous_id",
    "shopper_id",
    "session",
    "product",
    "products",
    "product_id",
    "price",
    "minor_units",
    "currency",
    "quantity",
    "category",
    "outcome",
    "content_id",
    "kind",
    "interaction",
    "values",
    "name",
    "value",
    "path",
    "referrer",
    "group_id",
    "previous_id",
    "userId",
    "anonymousId",
    "messageId",
    "event",
    "properties",
    "traits",
    "context",
    "page",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "receivedAt",
    "groupId",
    "previousId",
    "revenue",
    "total",
    "filters",
    "sorts",
    "rating",
    "address",
    "sessionId",
];

/// Values that mean something to them.
const VALUES: &[&str] = &[
    "page_view",
    "search",
    "product_view",
    "cart_add",
    "purchase",
    "custom",
    "coupon_attempt",
    "alias",
    "group",
    "identify",
    "content_interaction",
    "track",
    "page",
    "screen",
    "Product Viewed",
    "Order Completed",
    "Coupon Denied",
    "Promotion Viewed",
    "Product Reviewed",
    "ann",
    "EUR",
    "129.90",
    "denied",
    "offer",
    "click",
    "",
    "2026-11-22T08:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "00112233445566778899aabbccddeeff",
    "https://a@b/c?d#e",
];

/// Values that are not JSON, as careless senders write them.
const BROKEN: &[&[u8]] = &[
    b"\"\x01\"",
    b"\"caf\xe9 ]}\"",
    b"\"\\x\"",
    b"NaN",
    b"-Infinity",
    b"[1,,]",
];

fn scalar() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => proptest::sample::select(VALUES).prop_map(|text| json!(text)),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(|value| json!(value)),
        1 => any::<i64>().prop_map(|value| json!(value)),
        1 => any::<f64>().prop_map(|value| json!(value)),
        1 => ".{0,12}".prop_map(|value| json!(value)),
    ]
    .boxed()
}

fn value() -> BoxedStrategy<Value> {
    scalar()
        .prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                1 => vec(inner.clone(), 0..4).prop_map(Value::Array),
                3 => members(inner),
            ]
            .boxed()
        })
        .boxed()
}

fn members(of: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    vec((proptest::sample::select(NAMES), of), 0..8)
        .prop_map(|members| {
            Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect::<Map<_, _>>(),
            )
        })
        .boxed()
}

/// An action or item that has what every one needs, and anything else.
fn nearly_good() -> BoxedStrategy<Value> {
    let kinds: Vec<&str> = foretide_events::ActionType::ALL
        .iter()
        .map(|kind| kind.as_str())
        .collect();
    (
        members(value()),
        proptest::sample::select(kinds),
        any::<bool>(),
    )
        .prop_map(|(mut action, kind, native)| {
            action["shopper"] = json!({ "user_id": "ann" });
            action["userId"] = json!("ann");
            action["type"] = json!(if native { kind } else { "track" });
            action
        })
        .boxed()
}

fn by_json(body: &[u8]) -> Result<Vec<Receipt>, BatchRefusal> {
    with_intake(|intake| native::parse_json(body, intake))
}

fn by_lines(body: &[u8]) -> Result<Vec<Receipt>, BatchRefusal> {
    with_intake(|intake| native::parse_ndjson(body, intake))
}

fn by_segment(body: &[u8]) -> Result<Vec<Receipt>, BatchRefusal> {
    let batch = segment::open(body)?;
    Ok(with_intake(|intake| batch.receipts(intake)))
}

fn stored_and_read(event: &Event) -> Result<Event, wire::DecodeError> {
    let mut bytes = Vec::new();
    wire::encode(event, &mut bytes);
    wire::decode(&bytes)
}

/// Every receipt stands in its place, and every accepted event survives being stored.
fn sound(receipts: &[Receipt]) -> Result<(), TestCaseError> {
    for (place, receipt) in receipts.iter().enumerate() {
        match receipt {
            Ok(event) => {
                prop_assert!(event.at <= event.received_at);
                prop_assert_eq!(Some(event.shopper), event.identity.shopper());
                prop_assert_eq!(&stored_and_read(event), &Ok(event.clone()));
            }
            Err(rejection) => {
                prop_assert_eq!(rejection.index, place);
                prop_assert!(rejection.message.len() < 300);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_get_an_answer(body in vec(any::<u8>(), 0..400)) {
        for parse in [by_json, by_lines, by_segment] {
            if let Ok(receipts) = parse(&body) {
                sound(&receipts)?;
            }
        }
    }

    #[test]
    fn any_text_gets_an_answer(body in "[\\[\\]{}\",:0-9a-z\\\\ \n]{0,200}") {
        for parse in [by_json, by_lines, by_segment] {
            if let Ok(receipts) = parse(body.as_bytes()) {
                sound(&receipts)?;
            }
        }
    }

    #[test]
    fn any_value_gets_an_answer(value in value()) {
        for body in [value.clone(), json!({ "actions": [value.clone()] }), json!({ "batch": [value] })] {
            let body = body.to_string();
            for parse in [by_json, by_lines, by_segment] {
                if let Ok(receipts) = parse(body.as_bytes()) {
                    sound(&receipts)?;
                }
            }
        }
    }

    #[test]
    fn every_item_of_a_batch_has_one_receipt(items in vec(nearly_good(), 0..6)) {
        let actions = by_json(json!({ "actions": items }).to_string().as_bytes());
        let calls = by_segment(json!({ "batch": items }).to_string().as_bytes());
        for receipts in [actions, calls] {
            let receipts = receipts.expect("the batch itself is good");
            prop_assert_eq!(receipts.len(), items.len());
            sound(&receipts)?;
        }
    }

    #[test]
    fn a_receipt_does_not_depend_on_the_neighbours(item in prop_oneof![nearly_good(), value()]) {
        for (parse, list) in [(by_json as fn(&[u8]) -> _, "actions"), (by_segment, "batch")] {
            let alone = parse(json!({ list: [item] }).to_string().as_bytes());
            let beside = parse(json!({ list: [item, 7] }).to_string().as_bytes());
            let (alone, beside) = (alone.expect("a list"), beside.expect("a list"));
            prop_assert_eq!(&alone[0], &beside[0]);
        }
    }

    #[test]
    fn what_is_not_json_in_one_event_costs_that_one_alone(
        items in vec(nearly_good(), 1..5),
        place in any::<proptest::sample::Index>(),
        broken in proptest::sample::select(BROKEN),
    ) {
        for (parse, list) in [(by_json as fn(&[u8]) -> _, "actions"), (by_segment, "batch")] {
            let whole = parse(json!({ list: items }).to_string().as_bytes()).expect("a list");
            let texts: Vec<_> = items.iter().map(ToString::to_string).collect();
            let mut texts: Vec<_> = texts.into_iter().map(String::into_bytes).collect();
            let at = place.index(texts.len());
            texts[at] = [b"{\"messageId\":\"broken\",\"x\":", broken, b"}"].concat();
            let body = [format!("{{\"{list}\":[").as_bytes(), &texts.join(&b","[..]), b"]}"].concat();
            let receipts = parse(&body).expect("its items can be told apart");
            prop_assert_eq!(receipts.len(), whole.len());
            sound(&receipts)?;
            for (index, (receipt, before)) in receipts.iter().zip(&whole).enumerate() {
                match receipt {
                    Err(rejection) if index == at => {
                        prop_assert_eq!(rejection.code, RejectionReason::NotAnObject);
                        prop_assert_eq!(rejection.id.as_deref(), Some("broken"));
                    }
                    // An id that was made tells how many were made before it.
                    Ok(event) => prop_assert_eq!(Some(&event.action), before.as_ref().ok().map(|event| &event.action)),
                    Err(_) => prop_assert_eq!(receipt, before),
                }
            }
        }
    }

    #[test]
    fn a_stored_event_reads_the_same_whatever_its_bytes_were_cut_to(event in any::event(), cut in 0_usize..200) {
        let mut bytes = Vec::new();
        wire::encode(&event, &mut bytes);
        let kept = bytes.len().saturating_sub(cut);
        if cut > 0 {
            prop_assert!(wire::decode(&bytes[..kept]).is_err());
        }
    }
}
