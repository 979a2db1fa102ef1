//! Segment's HTTP API: batches, calls, e-commerce events, times, and the same facts as by the native API.

#![expect(clippy::expect_used, reason = "helpers of tests fail tests")]

mod common;

use common::{accepted, segment as receipts};
use foretide_events::{
    Action, ActionType, BatchRefusal, EpochMs, Intake, Receipt, RejectionReason, SessionId,
    TimeBasis, limits,
    segment::{self, Call},
};
use serde_json::{Value, json};

fn batch(item: &Value) -> Value {
    json!({ "batch": [item] })
}

fn with(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    object
}

fn call(more: &Value) -> Receipt {
    receipts(&batch(&with(
        json!({ "userId": "ann", "messageId": "m" }),
        more,
    )))
    .remove(0)
}

fn track(name: &str, properties: &Value) -> Receipt {
    call(&json!({ "type": "track", "event": name, "properties": properties }))
}

fn action(name: &str, properties: &Value) -> Action {
    track(name, properties).expect("a good event").action
}

fn refused(receipt: Receipt) -> (RejectionReason, Option<String>) {
    let rejection = receipt.expect_err("a bad item is refused");
    (rejection.code, rejection.field)
}

fn at(more: &Value) -> EpochMs {
    call(&with(json!({ "type": "screen" }), more))
        .expect("a good event")
        .at
}

fn instant(text: &str) -> EpochMs {
    EpochMs::parse(text).expect("an instant")
}

#[test]
fn names_of_version_1_properties_are_understood() {
    let Action::ProductView(view) = action("Viewed Product", &json!({ "id": 7 })) else {
        panic!("a view")
    };
    assert_eq!(view.product.product_id.as_deref(), Some("7"));
    let Action::Purchase(order) = action("Completed Order", &json!({ "id": "o", "revenue": 5 }))
    else {
        panic!("an order")
    };
    assert_eq!(order.order_id.as_deref(), Some("o"));
    let promotion = action("Viewed Promotion", &json!({ "id": "b" }));
    assert_eq!(promotion.action_type(), ActionType::ContentInteraction);
}

#[test]
fn an_orders_currency_is_its_own_else_its_products_else_the_default() {
    let currency = |properties: Value| {
        let Action::Purchase(order) = action("Order Completed", &properties) else {
            panic!("an order")
        };
        order.value.map(|value| value.currency.as_str().to_owned())
    };
    let dollars = json!([{ "price": 1, "currency": "USD" }]);
    assert_eq!(
        currency(json!({ "revenue": 1, "currency": "GBP", "products": dollars })).as_deref(),
        Some("GBP")
    );
    assert_eq!(
        currency(json!({ "revenue": 1, "products": dollars })).as_deref(),
        Some("USD")
    );
    assert_eq!(currency(json!({ "revenue": 1 })).as_deref(), Some("EUR"));
    assert_eq!(
        currency(json!({ "products": dollars })).as_deref(),
        Some("USD")
    );
    let mixed = json!([{ "price": 1, "currency": "USD" }, { "price": 1, "currency": "EUR" }]);
    assert_eq!(
        currency(json!({ "products": mixed })),
        None,
        "amounts of two currencies have no sum"
    );
}

#[test]
fn the_value_of_an_order_says_what_it_was_taken_from() {
    let value = |properties: Value| {
        let Action::CheckoutStart(order) = action("Checkout Started", &properties) else {
            panic!("a checkout")
        };
        order
            .value
            .zip(order.value_basis)
            .map(|(value, basis)| (value.minor_units, format!("{basis:?}")))
    };
    let basis = |units: i64, basis: &str| Some((units, basis.to_owned()));
    let products = json!([{ "price": "1.50", "quantity": 2 }, { "price": 1 }]);
    assert_eq!(
        value(json!({ "value": 9, "revenue": 1, "subtotal": 2 })),
        basis(100, "Revenue")
    );
    assert_eq!(
        value(json!({ "value": 9, "subtotal": 2, "products": products })),
        basis(200, "Subtotal")
    );
    assert_eq!(
        value(json!({ "value": 9, "total": 8, "products": products })),
        basis(400, "Products")
    );
    assert_eq!(
        value(json!({ "value": 9, "total": 8 })),
        basis(800, "Total")
    );
    assert_eq!(value(json!({ "value": 9 })), basis(900, "Value"));
    assert_eq!(value(json!({})), None);
}

#[test]
fn what_foretide_acts_on_must_be_right_and_is_named_where_it_is_not() {
    let viewed = |properties: Value| refused(track("Product Viewed", &properties));
    let invalid = |field: &str| (RejectionReason::InvalidField, Some(field.to_owned()));
    assert_eq!(
        viewed(json!({ "product_id": "p", "price": "abc" })),
        invalid("properties.price")
    );
    assert_eq!(
        viewed(json!({ "product_id": "p", "price": [1] })),
        invalid("properties.price")
    );
    assert_eq!(
        viewed(json!({ "product_id": "p", "quantity": -1 })),
        invalid("properties.quantity")
    );
    assert_eq!(
        viewed(json!({ "product_id": "p", "quantity": "two" })),
        invalid("properties.quantity")
    );
    assert_eq!(
        viewed(json!({ "product_id": "p", "currency": "euro" })),
        invalid("properties.currency")
    );
    assert_eq!(
        viewed(json!({ "product_id": ["p"] })),
        invalid("properties.product_id")
    );
    let ordered = |properties: Value| refused(track("Order Completed", &properties));
    assert_eq!(
        ordered(json!({ "products": [{}, { "price": "1,5" }] })),
        invalid("properties.products[1].price")
    );
    assert_eq!(
        ordered(json!({ "products": 5 })),
        invalid("properties.products")
    );
    assert_eq!(
        refused(call(&json!({ "type": "page", "properties": "x" }))),
        invalid("properties")
    );
    assert_eq!(
        refused(call(&json!({ "type": "screen", "timestamp": "today" }))),
        invalid("timestamp")
    );
    let too_large = |field: &str| (RejectionReason::TooLarge, Some(field.to_owned()));
    let many = vec![json!({}); 501];
    assert_eq!(
        ordered(json!({ "products": many })),
        too_large("properties.products")
    );
    assert_eq!(
        ordered(json!({ "order_id": "x".repeat(129) })),
        too_large("properties.order_id")
    );
    assert_eq!(
        refused(track(&"x".repeat(257), &json!({}))),
        too_large("event")
    );
    let missing = |field: &str| (RejectionReason::MissingField, Some(field.to_owned()));
    assert_eq!(
        viewed(json!({ "product_id": "" })),
        missing("properties.product_id")
    );
    assert_eq!(
        refused(track("Promotion Viewed", &json!({}))),
        missing("properties.promotion_id")
    );
    assert_eq!(refused(call(&json!({ "type": "track" }))), missing("event"));
    assert_eq!(
        refused(call(&json!({ "type": "group" }))),
        missing("groupId")
    );
    assert_eq!(
        refused(call(&json!({ "type": "alias", "previousId": "" }))),
        missing("previousId")
    );
    assert_eq!(refused(call(&json!({}))), missing("type"));
    assert_eq!(
        refused(call(&json!({ "type": "tracks" }))),
        (RejectionReason::UnknownType, Some("type".to_owned()))
    );
}

#[test]
fn goods_by_weight_are_one_piece_at_the_price_of_all_of_it() {
    let ordered = |quantity: Value, price: &str| {
        let line =
            json!({ "product_id": "p", "price": price, "list_price": "20", "quantity": quantity });
        let Action::Purchase(order) = action("Order Completed", &json!({ "products": [line] }))
        else {
            panic!("an order")
        };
        let line = order.products.iter().next().expect("its line").clone();
        let units = |money: Option<foretide_events::Money>| money.map(|money| money.minor_units);
        (
            line.quantity,
            units(line.price),
            units(line.list_price),
            units(order.value),
        )
    };
    let one = |price, list, value| (Some(1), Some(price), Some(list), Some(value));
    assert_eq!(ordered(json!(0.5), "10.00"), one(500, 1000, 500));
    assert_eq!(ordered(json!("0.75"), "19.99"), one(1499, 1500, 1499));
    assert_eq!(ordered(json!(2.5), "3.33"), one(833, 5000, 833));
    assert_eq!(ordered(json!("5e-1"), "10"), one(500, 1000, 500));
    let pieces = (Some(2), Some(1000), Some(2000), Some(2000));
    assert_eq!(ordered(json!(2.0), "10"), pieces);
    for bad in [
        json!(-0.5),
        json!("half"),
        json!("0,5"),
        json!(1e300),
        json!([1]),
    ] {
        let products = json!([{ "product_id": "p", "quantity": bad }]);
        assert_eq!(
            refused(track("Order Completed", &json!({ "products": products }))),
            (
                RejectionReason::InvalidField,
                Some("properties.products[0].quantity".to_owned())
            ),
            "{bad}"
        );
    }
}

#[test]
fn a_shop_without_product_ids_goes_by_its_skus() {
    let id = |properties: Value| {
        let Action::CartAdd(add) = action("Product Added", &properties) else {
            panic!("an addition")
        };
        (
            add.product.product_id.expect("an id").to_string(),
            add.product.sku.map(|sku| sku.to_string()),
        )
    };
    let sku = Some("G-32".to_owned());
    assert_eq!(
        id(json!({ "sku": "G-32" })),
        ("G-32".to_owned(), sku.clone())
    );
    assert_eq!(
        id(json!({ "product_id": " ", "sku": "G-32" })),
        ("G-32".to_owned(), sku.clone())
    );
    assert_eq!(
        id(json!({ "product_id": "p", "sku": "G-32" })),
        ("p".to_owned(), sku)
    );
}

#[test]
fn what_only_describes_never_costs_the_event() {
    let viewed = action(
        "Product Viewed",
        &json!({
            "product_id": "p", "name": "n".repeat(300), "brand": { "a": 1 }, "variant": 9.5, "category": ["x"],
            "position": "top", "price": "", "quantity": "", "currency": "", "coupon": null, "unknown": [[1]],
        }),
    );
    let Action::ProductView(view) = viewed else {
        panic!("a view")
    };
    let product = view.product;
    assert_eq!(product.name.map(|name| name.len()), Some(256));
    assert_eq!(product.variant.as_deref(), Some("9.5"));
    let absent = (
        product.brand,
        product.category,
        product.position,
        product.price,
        product.quantity,
        product.coupon,
    );
    assert_eq!(absent, (None, None, None, None, None, None));
    let odd = call(
        &json!({ "type": "page", "name": ["x"], "category": 5, "context": [1], "properties": { "path": {} } }),
    );
    let Ok(Action::PageView(page)) = odd.map(|event| event.action) else {
        panic!("a page")
    };
    assert_eq!(
        (
            page.name,
            page.path,
            page.category.map(|category| category.to_string())
        ),
        (None, None, Some("5".to_owned()))
    );
}

#[test]
fn of_a_custom_event_fifty_numbers_are_kept() {
    let properties: serde_json::Map<_, _> =
        (0..80).map(|n| (format!("n{n:02}"), json!(n))).collect();
    let Action::Custom(custom) = action("Measured", &properties.into()) else {
        panic!("a custom action")
    };
    assert_eq!(custom.values.len(), 50);
}

#[test]
fn the_clock_of_the_sender_is_corrected() {
    let fixed = instant("2026-11-22T08:00:07Z");
    let (original, sent) = ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:03.000Z");
    assert_eq!(at(&json!({ "timestamp": original, "sentAt": sent })), fixed);
    assert_eq!(
        at(
            &json!({ "originalTimestamp": original, "timestamp": "2026-05-05T00:00:00Z", "sentAt": sent })
        ),
        fixed
    );
    let outer = json!({
        "batch": [{ "type": "screen", "anonymousId": "d", "timestamp": original }],
        "sentAt": sent,
    });
    assert_eq!(accepted(receipts(&outer)).at, fixed);
    assert_eq!(at(&json!({ "timestamp": original })), instant(original));
    let received = instant(common::RECEIVED_AT);
    assert_eq!(at(&json!({})), received);
    assert_eq!(
        at(&json!({ "timestamp": "2027-01-01T00:00:00Z" })),
        received
    );
}

#[test]
fn a_time_of_sending_that_cannot_be_read_harms_nothing() {
    let original = "2026-11-22T07:00:00Z";
    for sent in [
        json!("now"),
        json!(""),
        json!(1_795_334_400),
        json!(true),
        json!({"a": [1]}),
        Value::Null,
    ] {
        let item = json!({ "timestamp": original, "sentAt": sent });
        assert_eq!(at(&item), instant(original), "{sent}");
        let outer = json!({
            "batch": [{ "type": "screen", "anonymousId": "d", "timestamp": original }],
            "sentAt": sent,
        });
        assert_eq!(accepted(receipts(&outer)).at, instant(original), "{sent}");
    }
}

#[test]
fn numbers_that_would_be_rounded_are_no_ids() {
    let code = |id: &str| {
        let body = format!(r#"{{"batch":[{{"type":"screen","userId":{id}}}]}}"#);
        let opened = segment::open(body.as_bytes()).expect("a batch");
        let receipts = common::with_intake(|intake| opened.receipts(intake));
        receipts[0]
            .as_ref()
            .map(|event| event.shopper)
            .map_err(|bad| bad.code)
    };
    assert_eq!(code("7.0"), code(r#""7""#));
    assert_eq!(
        code("18446744073709551615"),
        code(r#""18446744073709551615""#)
    );
    for id in ["18446744073709551616", "9007199254740992.0", "1e300", "7.5"] {
        assert_eq!(code(id), Err(RejectionReason::InvalidField), "{id}");
    }
}

#[test]
fn an_item_of_an_archive_keeps_the_time_it_was_given_then() {
    let then = json!({
        "originalTimestamp": "2019-05-01T10:00:00Z", "sentAt": "2019-05-01T10:00:05Z",
        "receivedAt": "2019-05-01T12:00:05Z",
    });
    assert_eq!(at(&then), instant("2019-05-01T12:00:00Z"));
    assert_eq!(
        at(&with(then, &json!({ "timestamp": "2019-05-01T11:59:59Z" }))),
        instant("2019-05-01T11:59:59Z")
    );
    assert_eq!(
        at(&json!({ "receivedAt": "2019-05-01T12:00:05Z" })),
        instant("2019-05-01T12:00:05Z")
    );
    assert_eq!(
        at(&json!({ "receivedAt": "2039-05-01T12:00:05Z" })),
        instant(common::RECEIVED_AT)
    );
}

#[test]
fn numbers_are_ids_and_one_identity_is_enough() {
    let by = |ids: Value| {
        receipts(&batch(&with(
            json!({ "type": "screen", "messageId": 5 }),
            &ids,
        )))
        .remove(0)
    };
    let known = by(json!({ "userId": 123 })).expect("good");
    assert_eq!(
        known.shopper,
        by(json!({ "userId": "123", "anonymousId": "d" }))
            .expect("good")
            .shopper
    );
    assert_eq!(known.id.as_str(), "5");
    assert!(by(json!({ "userId": null, "anonymousId": "d" })).is_ok());
    let nobody = (RejectionReason::MissingIdentity, Some("userId".to_owned()));
    assert_eq!(refused(by(json!({ "userId": "" }))), nobody);
}

#[test]
fn a_missing_message_id_is_made_and_a_long_one_refused() {
    let made = accepted(receipts(&batch(&json!({ "type": "screen", "userId": 1 }))));
    assert_eq!(made.id.as_str(), "made-1");
    let long =
        call(&json!({ "type": "screen", "messageId": "m".repeat(101) })).expect_err("too long");
    assert_eq!(
        (long.code, long.field.as_deref()),
        (RejectionReason::TooLarge, Some("messageId"))
    );
    assert_eq!(long.id.map(|id| id.len()), Some(100));
}

#[test]
fn the_outer_context_stands_in_where_the_items_own_is_silent() {
    let body = json!({
        "batch": [
            { "type": "page", "userId": 1 },
            { "type": "page", "userId": 1, "context": { "page": { "path": "/own" } } },
        ],
        "context": { "page": { "path": "/outer" }, "sessionId": 1_700_000_000_000_u64 },
    });
    let events: Vec<_> = receipts(&body)
        .into_iter()
        .map(|receipt| receipt.expect("good"))
        .collect();
    let paths: Vec<_> = events
        .iter()
        .map(|event| match &event.action {
            Action::PageView(page) => page.path.as_deref().expect("a path").to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(paths, ["/outer", "/own"]);
    for event in &events {
        assert_eq!(
            event.session.as_ref().map(SessionId::as_str),
            Some("1700000000000")
        );
    }
}

#[test]
fn the_write_key_in_the_body_is_found() {
    let key = |body: &str| {
        segment::open(body.as_bytes()).map(|batch| batch.write_key().map(str::to_owned))
    };
    assert_eq!(
        key(r#"{"batch":[],"writeKey":"k"}"#),
        Ok(Some("k".to_owned()))
    );
    assert_eq!(key(r#"{"batch":[]}"#), Ok(None));
    assert_eq!(key(r#"{"batch":[],"writeKey":null}"#), Ok(None));
    assert_eq!(
        key(r#"{"batch":[],"writeKey":[]}"#).map_err(|refusal| refusal.code()),
        Err("invalid_body")
    );
}

#[test]
fn a_body_that_is_no_batch_is_refused_as_a_whole() {
    let refusal = |body: &[u8]| segment::open(body).expect_err("the body is refused");
    assert_eq!(refusal(b"\xff\xfe{}"), BatchRefusal::NotUtf8 { at: 0 });
    assert_eq!(
        refusal(&b"[".repeat(100_000)),
        BatchRefusal::TooDeep {
            limit: limits::MAX_DEPTH
        }
    );
    assert_eq!(refusal(b"{").code(), "not_json");
    for (body, words) in [
        (&b"{}"[..], "batch: missing field `batch`"),
        (b"[]", "body: is not {\"batch\":[\u{2026}]}"),
        (b"{\"batch\":{}}", "batch: invalid type: map"),
    ] {
        let refusal = refusal(body);
        assert_eq!(refusal.code(), "invalid_body");
        assert!(refusal.to_string().starts_with(words), "{refusal}");
    }
}

#[test]
fn a_bad_item_is_refused_alone() {
    let good = json!({ "type": "screen", "userId": 1 });
    let body = json!({ "batch": [good, 7, { "type": "screen", "messageId": "bad" }, good, { "x": "y".repeat(40_000) }] });
    let codes: Vec<_> = receipts(&body)
        .into_iter()
        .map(|receipt| receipt.err().map(|bad| (bad.index, bad.code)))
        .collect();
    let expected = [
        None,
        Some((1, RejectionReason::NotAnObject)),
        Some((2, RejectionReason::MissingIdentity)),
        None,
        Some((4, RejectionReason::TooLarge)),
    ];
    assert_eq!(codes, expected);
}

#[test]
fn an_item_that_is_not_json_is_refused_alone_and_the_batch_still_speaks_for_the_others() {
    let body = [
        &br#"{"sentAt":"2026-11-22T09:00:10Z","writeKey":"k","context":{"sessionId":"s"},"batch":[
            {"type":"track","event":"x","userId":1,"messageId":"nan","properties":{"price":NaN}},
            {"type":"page","userId":1,"messageId":"good","timestamp":"2026-11-22T09:00:08Z"},
            {"type":"page","userId":1,"messageId":"latin","name":"caf"#[..],
        b"\xe9",
        br#""},{"type":"page","userId":1,"messageId":"control","name":"a"#,
        b"\x0b",
        br#"b"}]}"#,
    ]
    .concat();
    let batch = segment::open(&body).expect("a batch");
    assert_eq!(batch.write_key(), Some("k"));
    let receipts = common::with_intake(|intake| batch.receipts(intake));
    let told: Vec<_> = receipts
        .iter()
        .map(|receipt| {
            receipt
                .as_ref()
                .map_err(|bad| (bad.id.as_deref(), bad.code))
        })
        .map(Result::err)
        .collect();
    let broken = |id| Some((Some(id), RejectionReason::NotAnObject));
    assert_eq!(
        told,
        [broken("nan"), None, broken("latin"), broken("control")]
    );
    let good = receipts[1].as_ref().expect("good");
    assert_eq!(good.at, instant("2026-11-22T08:00:08Z"));
    assert_eq!(good.session.as_ref().map(SessionId::as_str), Some("s"));
    let words = |index: usize| {
        receipts[index]
            .as_ref()
            .expect_err("broken")
            .message
            .clone()
    };
    assert!(
        words(0).starts_with("the item is not JSON: "),
        "{}",
        words(0)
    );
    assert!(
        words(2).starts_with("the item is not UTF-8"),
        "{}",
        words(2)
    );
    assert!(words(3).contains("control character"), "{}", words(3));
}

#[test]
fn times_may_have_the_offsets_of_iso_8601() {
    for time in [
        "2026-11-22T09:00:00+0100",
        "2026-11-22T08:00:00.000+0000",
        "2026-11-22T06:00:00-02",
    ] {
        assert_eq!(
            at(&json!({ "timestamp": time })),
            instant("2026-11-22T08:00:00Z"),
            "{time}"
        );
        let skewed = json!({ "originalTimestamp": time, "sentAt": "2026-11-22T09:00:03+0100" });
        assert_eq!(at(&skewed), instant("2026-11-22T08:00:07Z"), "{time}");
    }
    let local = call(&json!({ "type": "page", "userId": 1, "timestamp": "2026-11-22T08:00:00" }));
    assert_eq!(
        refused(local),
        (RejectionReason::InvalidField, Some("timestamp".to_owned()))
    );
}

#[test]
fn items_beyond_the_limit_of_a_batch_are_refused_by_name() {
    let items: Vec<_> = (0..=limits::MAX_BATCH_EVENTS)
        .map(|n| json!({ "type": "screen", "userId": 1, "messageId": n.to_string() }))
        .collect();
    let receipts = receipts(&json!({ "batch": items }));
    assert_eq!(
        receipts.iter().filter(|receipt| receipt.is_ok()).count(),
        limits::MAX_BATCH_EVENTS
    );
    let last = receipts
        .last()
        .expect("a receipt each")
        .as_ref()
        .expect_err("the batch is full");
    assert_eq!(
        (last.code, last.id.as_deref()),
        (RejectionReason::BatchFull, Some("2500"))
    );
}

#[test]
fn an_item_that_nests_too_deep_harms_no_neighbour() {
    let mut deep = json!({});
    for _ in 0..100 {
        deep = json!({ "deeper": deep });
    }
    let page =
        |properties: &Value| json!({ "type": "page", "userId": "ann", "properties": properties });
    let body = json!({ "batch": [page(&json!({})), page(&deep), page(&json!({}))] });
    let taken: Vec<bool> = receipts(&body).iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, false, true]);
}

#[test]
fn an_event_of_nobody_is_told_before_what_else_is_wrong_with_it() {
    let item = json!({ "type": "track", "event": "Product Viewed", "messageId": "m" });
    let (code, field) = refused(receipts(&batch(&item)).remove(0));
    assert_eq!(code, RejectionReason::MissingIdentity);
    assert_eq!(field.as_deref(), Some("userId"));
}

#[test]
fn a_single_call_is_a_batch_of_one_whose_type_the_route_says() {
    let item = json!({
        "userId": "ann", "messageId": "m", "event": "Product Viewed", "name": "Home", "groupId": "club", "previousId": "b",
        "properties": { "product_id": "p" }, "sentAt": "2026-11-22T07:00:01Z", "timestamp": "2026-11-22T07:00:00Z",
        "context": { "sessionId": "s" }, "writeKey": "k",
    });
    for kind in Call::ALL {
        let body = with(item.clone(), &json!({ "type": "delete" })).to_string();
        let opened = segment::open_one(body.as_bytes(), kind).expect("a call");
        assert_eq!(opened.write_key(), Some("k"));
        let single = common::with_intake(|intake| opened.receipts(intake));
        let typed = with(item.clone(), &json!({ "type": kind.as_str() }));
        assert_eq!(single, receipts(&batch(&typed)), "{kind:?}");
        assert!(single[0].is_ok(), "{kind:?}");
    }
}

#[test]
fn how_each_accepted_event_got_its_time_is_told_to_who_asks() {
    let body = json!({ "sentAt": "2026-11-22T07:00:00Z", "batch": [
        { "type": "page", "userId": "a", "timestamp": "2026-11-22T06:59:58Z" },
        { "type": "page" },
        { "type": "page", "userId": "a", "sentAt": "2026-11-22T07:00:00Z", "timestamp": "2026-11-22T08:00:00Z" },
        { "type": "page", "userId": "a" },
    ] })
    .to_string();
    let opened = segment::open(body.as_bytes()).expect("a batch");
    let mut timings = Vec::new();
    let receipts = common::with_intake(|intake| {
        opened.receipts(&mut Intake {
            pseudonymiser: intake.pseudonymiser,
            received_at: intake.received_at,
            source: intake.source,
            make_id: intake.make_id,
            default_currency: intake.default_currency,
            timings: Some(&mut timings),
        })
    });
    let told: Vec<_> = timings
        .iter()
        .map(|timing| (timing.basis, timing.clamped))
        .collect();
    assert_eq!(
        told,
        [
            (TimeBasis::CorrectedClock, false),
            (TimeBasis::CorrectedClock, true),
            (TimeBasis::Received, false),
        ]
    );
    let accepted = receipts.iter().flatten().map(|event| event.at);
    assert!(accepted.eq(timings.iter().map(|timing| timing.at)));
}
