//! Segment's HTTP API: batches, calls, e-commerce events, times, and the same facts as by the native API.

mod common;

use common::{accepted, native, segment as receipts};
use foretide_events::{
    Action, ActionType, BatchRefusal, EpochMs, Event, Receipt, RejectionReason, limits, segment,
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

fn eur(minor_units: i64) -> Value {
    json!({ "minor_units": minor_units, "currency": "EUR" })
}

/// The same fact by the native API.
fn natively(fields: &Value) -> Event {
    accepted(native(&with(
        json!({ "id": "m", "shopper": { "user_id": "ann" } }),
        fields,
    )))
}

#[test]
fn a_fact_is_the_same_event_whichever_api_brings_it() {
    let sent = json!({
        "product_id": "p", "sku": "s", "category": "shoes", "name": "Runner", "brand": "Fleet", "variant": "red",
        "price": "129.90", "quantity": "2", "coupon": "c", "position": 3, "currency": "eur",
    });
    let product = json!({
        "product_id": "p", "sku": "s", "category": "shoes", "name": "Runner", "brand": "Fleet", "variant": "red",
        "price": eur(12990), "quantity": 2, "coupon": "c", "position": 3,
    });
    let order = json!({
        "order_id": "o", "checkout_id": "co", "affiliation": "web", "subtotal": 259.8, "total": "270", "shipping": 10.2,
        "tax": 0, "discount": "1.5", "coupon": "c", "currency": "EUR", "products": [sent],
    });
    let native_order = json!({
        "order_id": "o", "checkout_id": "co", "affiliation": "web", "value": eur(25980), "value_basis": "subtotal",
        "subtotal": eur(25980), "total": eur(27000), "shipping": eur(1020), "tax": eur(0), "discount": eur(150),
        "coupon": "c", "products": [product],
    });
    let step = json!({ "checkout_id": "co", "order_id": "o", "step": 2, "shipping_method": "bike", "payment_method": "invoice" });
    let coupon = json!({
        "coupon_id": "c", "coupon_name": "Summer", "order_id": "o", "cart_id": "k", "discount": 10, "reason": "expired",
    });
    let native_coupon = with(coupon.clone(), &json!({ "discount": eur(1000) }));
    let promotion =
        json!({ "promotion_id": "d-1", "creative": "red", "name": "Sale", "position": "top" });
    let content = json!({ "content_id": "d-1", "kind": "banner", "creative": "red", "name": "Sale", "position": "top" });
    let filters = json!([{ "type": "price", "value": "under 50" }]);
    let kinds = json!([{ "kind": "price", "value": "under 50" }]);
    for (names, properties, fields) in [
        (
            vec!["Products Searched"],
            json!({ "query": "shoes" }),
            json!({ "type": "search", "query": "shoes" }),
        ),
        (
            vec!["Product List Viewed", "Viewed Product Category"],
            json!({ "list_id": "l", "category": "shoes", "products": [sent] }),
            json!({ "type": "product_list_view", "list_id": "l", "category": "shoes", "products": [product] }),
        ),
        (
            vec!["Product List Filtered"],
            json!({ "list_id": "l", "category": "shoes", "filters": filters, "sorts": filters, "products": [] }),
            json!({ "type": "product_list_filter", "list_id": "l", "category": "shoes", "filters": kinds, "sorts": kinds }),
        ),
        (
            vec!["Product Clicked", "Clicked Product"],
            with(sent.clone(), &json!({ "list_id": "l" })),
            json!({ "type": "product_click", "product": product, "list_id": "l" }),
        ),
        (
            vec![
                "Product Viewed",
                "Viewed Product",
                "PRODUCT VIEWED",
                " product viewed ",
            ],
            with(
                sent.clone(),
                &json!({ "value": 3, "url": "https://x", "dwell_ms": 5 }),
            ),
            json!({ "type": "product_view", "product": product, "dwell_ms": 5 }),
        ),
        (
            vec!["Product Added", "Added Product"],
            with(sent.clone(), &json!({ "cart_id": "k" })),
            json!({ "type": "cart_add", "product": product, "cart_id": "k" }),
        ),
        (
            vec!["Wishlist Product Added to Cart"],
            with(sent.clone(), &json!({ "cart_id": "k", "wishlist_id": "w" })),
            json!({ "type": "cart_add", "product": product, "cart_id": "k", "from_wishlist": true }),
        ),
        (
            vec!["Product Removed", "Removed Product"],
            with(sent.clone(), &json!({ "cart_id": "k" })),
            json!({ "type": "cart_remove", "product": product, "cart_id": "k" }),
        ),
        (
            vec!["Cart Viewed"],
            json!({ "cart_id": "k", "products": [sent] }),
            json!({ "type": "cart_view", "cart_id": "k", "products": [product] }),
        ),
        (
            vec!["Checkout Started", "Started Order"],
            order.clone(),
            with(native_order.clone(), &json!({ "type": "checkout_start" })),
        ),
        (
            vec!["Checkout Step Viewed", "Viewed Checkout Step"],
            step.clone(),
            with(
                step.clone(),
                &json!({ "type": "checkout_step", "progress": "viewed" }),
            ),
        ),
        (
            vec!["Checkout Step Completed", "Completed Checkout Step"],
            step.clone(),
            with(
                step.clone(),
                &json!({ "type": "checkout_step", "progress": "completed" }),
            ),
        ),
        (
            vec!["Payment Info Entered"],
            step.clone(),
            with(step, &json!({ "type": "payment_info" })),
        ),
        (
            vec!["Order Completed", "Completed Order"],
            order.clone(),
            with(native_order.clone(), &json!({ "type": "purchase" })),
        ),
        (
            vec!["Order Updated", "Updated Order"],
            order.clone(),
            with(native_order.clone(), &json!({ "type": "order_update" })),
        ),
        (
            vec!["Order Refunded"],
            order.clone(),
            with(native_order.clone(), &json!({ "type": "refund" })),
        ),
        (
            vec!["Order Cancelled"],
            order,
            with(native_order, &json!({ "type": "cancel" })),
        ),
        (
            vec!["Coupon Entered"],
            coupon.clone(),
            with(
                native_coupon.clone(),
                &json!({ "type": "coupon_attempt", "outcome": "entered" }),
            ),
        ),
        (
            vec!["Coupon Applied"],
            coupon.clone(),
            with(
                native_coupon.clone(),
                &json!({ "type": "coupon_attempt", "outcome": "applied" }),
            ),
        ),
        (
            vec!["Coupon Denied"],
            coupon.clone(),
            with(
                native_coupon.clone(),
                &json!({ "type": "coupon_attempt", "outcome": "denied" }),
            ),
        ),
        (
            vec!["Coupon Removed"],
            coupon,
            with(
                native_coupon,
                &json!({ "type": "coupon_attempt", "outcome": "removed" }),
            ),
        ),
        (
            vec!["Promotion Viewed", "Viewed Promotion"],
            promotion.clone(),
            with(
                content.clone(),
                &json!({ "type": "content_interaction", "interaction": "impression" }),
            ),
        ),
        (
            vec!["Promotion Clicked", "Clicked Promotion"],
            promotion,
            with(
                content,
                &json!({ "type": "content_interaction", "interaction": "click" }),
            ),
        ),
        (
            vec!["Product Added to Wishlist"],
            with(
                sent.clone(),
                &json!({ "wishlist_id": "w", "wishlist_name": "for Bob" }),
            ),
            json!({ "type": "wishlist_add", "product": product, "wishlist_id": "w" }),
        ),
        (
            vec!["Product Removed from Wishlist"],
            with(sent.clone(), &json!({ "wishlist_id": "w" })),
            json!({ "type": "wishlist_remove", "product": product, "wishlist_id": "w" }),
        ),
        (
            vec!["Product Shared"],
            with(
                sent,
                &json!({ "share_via": "email", "recipient": "b@x.example", "share_message": "look" }),
            ),
            json!({ "type": "share", "product": product, "via": "email" }),
        ),
        (
            vec!["Cart Shared"],
            json!({ "cart_id": "k", "share_via": "email", "recipient": "b@x.example" }),
            json!({ "type": "share", "cart_id": "k", "via": "email" }),
        ),
        (
            vec!["Product Reviewed"],
            json!({ "product_id": "p", "review_id": "r", "rating": "4.5", "review_body": "by Ann" }),
            json!({ "type": "review", "product_id": "p", "review_id": "r", "rating": 4.5 }),
        ),
        (
            vec!["Size Advisor Used"],
            json!({ "height": 181, "email": "a@b.example", "phone": "5551234", "nested": { "n": 1 }, "share": 0.5, "on": true }),
            json!({
                "type": "custom", "name": "Size Advisor Used",
                "values": [{ "name": "height", "value": 181 }, { "name": "share", "value": 0.5 }],
            }),
        ),
    ] {
        let expected = natively(&fields);
        for name in names {
            assert_eq!(track(name, &properties), Ok(expected.clone()), "{name}");
        }
    }
}

#[test]
fn calls_that_are_no_tracks_have_their_native_twins() {
    let context = json!({ "page": { "path": "/context", "title": "Context", "referrer": "https://s.example/?q=x" } });
    for (item, fields) in [
        (
            json!({ "type": "page", "name": "Home", "category": "landing", "context": context,
                    "properties": { "url": "https://shop.example/start?x=1", "title": "Welcome", "scroll_depth": "0.5" } }),
            json!({ "type": "page_view", "name": "Home", "category": "landing", "path": "/start", "title": "Welcome",
                    "referrer": "s.example/", "scroll_depth": 0.5 }),
        ),
        (
            json!({ "type": "page", "context": context }),
            json!({ "type": "page_view", "path": "/context", "title": "Context", "referrer": "s.example/" }),
        ),
        (
            json!({ "type": "screen", "name": "Basket", "context": context, "properties": null }),
            json!({ "type": "page_view", "name": "Basket" }),
        ),
        (
            json!({ "type": "identify", "context": { "locale": "de_AT", "timezone": "Europe/Vienna" },
                    "traits": { "email": "a@b.example", "name": "Ann", "address": { "country": "at", "street": "x" }, "plan": "gold" } }),
            json!({ "type": "identify", "country": "AT", "language": "de-AT", "time_zone": "Europe/Vienna", "plan": "gold" }),
        ),
        (
            json!({ "type": "identify", "traits": { "country": "Austria", "language": "<b>", "timezone": 5 } }),
            json!({ "type": "identify", "time_zone": "5" }),
        ),
        (
            json!({ "type": "group", "groupId": 9 }),
            json!({ "type": "group", "group_id": "9" }),
        ),
        (
            json!({ "type": "alias", "previousId": "device" }),
            json!({ "type": "alias", "previous_id": "device" }),
        ),
    ] {
        assert_eq!(call(&item), Ok(natively(&fields)), "{item}");
    }
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
            event.session.as_ref().map(|session| session.as_str()),
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
        (
            b"{\"batch\":[],\"sentAt\":\"now\"}",
            "sentAt: is not an RFC 3339",
        ),
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
