//! The same fact is the same event, whether Segment's API or the native one brings it.

#![expect(clippy::expect_used, reason = "helpers of tests fail tests")]

mod common;

use common::{accepted, native, segment};
use foretide_events::Event;
use serde_json::{Value, json};

fn with(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        object[name] = value.clone();
    }
    object
}

/// Checks that a call, as Segment has it, is the event that `fields` make by the native API.
fn same(call: &Value, fields: &Value) {
    let call = with(json!({ "userId": "ann", "messageId": "m" }), call);
    assert_eq!(
        accepted(segment(&json!({ "batch": [call] }))),
        natively(fields),
        "{call}"
    );
}

fn natively(fields: &Value) -> Event {
    accepted(native(&with(
        json!({ "id": "m", "shopper": { "user_id": "ann" } }),
        fields,
    )))
}

/// Checks it of tracked events of each of these names.
fn same_track(names: &[&str], properties: &Value, fields: &Value) {
    for name in names {
        same(
            &json!({ "type": "track", "event": name, "properties": properties }),
            fields,
        );
    }
}

fn eur(minor_units: i64) -> Value {
    json!({ "minor_units": minor_units, "currency": "EUR" })
}

/// A product as properties, with `more` properties.
fn sent(more: &Value) -> Value {
    let product = json!({
        "product_id": "p", "sku": "s", "category": "shoes", "name": "Runner", "brand": "Fleet", "variant": "red",
        "price": "129.90", "quantity": "2", "coupon": "c", "position": 3, "currency": "eur", "url": "https://x.example",
    });
    with(product, more)
}

/// The same product natively.
fn product() -> Value {
    json!({
        "product_id": "p", "sku": "s", "category": "shoes", "name": "Runner", "brand": "Fleet", "variant": "red",
        "price": eur(12990), "quantity": 2, "coupon": "c", "position": 3,
    })
}

#[test]
fn looking_around() {
    let filters = json!([{ "type": "price", "value": "under 50" }, { "value": "of nothing" }]);
    let kinds = json!([{ "kind": "price", "value": "under 50" }]);
    same_track(
        &["Products Searched"],
        &json!({ "query": "shoes" }),
        &json!({ "type": "search", "query": "shoes" }),
    );
    same_track(
        &["Product List Viewed", "Viewed Product Category"],
        &json!({ "list_id": "l", "category": "shoes", "products": [sent(&json!({}))] }),
        &json!({ "type": "product_list_view", "list_id": "l", "category": "shoes", "products": [product()] }),
    );
    same_track(
        &["Product List Filtered"],
        &json!({ "list_id": "l", "category": "shoes", "filters": filters, "sorts": filters, "products": [] }),
        &json!({ "type": "product_list_filter", "list_id": "l", "category": "shoes", "filters": kinds, "sorts": kinds }),
    );
    same_track(
        &["Product Clicked", "Clicked Product"],
        &sent(&json!({ "list_id": "l" })),
        &json!({ "type": "product_click", "product": product(), "list_id": "l" }),
    );
    same_track(
        &[
            "Product Viewed",
            "Viewed Product",
            "PRODUCT VIEWED",
            " product viewed ",
        ],
        &sent(&json!({ "value": 3, "dwell_ms": 5, "attributes": ["size"] })),
        &json!({ "type": "product_view", "product": product(), "dwell_ms": 5, "attributes": ["size"] }),
    );
}

#[test]
fn carts_and_wishlists() {
    let in_cart = sent(&json!({ "cart_id": "k", "wishlist_id": "w" }));
    same_track(
        &["Product Added", "Added Product"],
        &in_cart,
        &json!({ "type": "cart_add", "product": product(), "cart_id": "k" }),
    );
    same_track(
        &["Wishlist Product Added to Cart"],
        &in_cart,
        &json!({ "type": "cart_add", "product": product(), "cart_id": "k", "from_wishlist": true }),
    );
    same_track(
        &["Product Removed", "Removed Product"],
        &in_cart,
        &json!({ "type": "cart_remove", "product": product(), "cart_id": "k" }),
    );
    same_track(
        &["Cart Viewed"],
        &json!({ "cart_id": "k", "products": [sent(&json!({}))] }),
        &json!({ "type": "cart_view", "cart_id": "k", "products": [product()] }),
    );
    for (name, kind) in [
        ("Product Added to Wishlist", "wishlist_add"),
        ("Product Removed from Wishlist", "wishlist_remove"),
    ] {
        let fields = json!({ "type": kind, "product": product(), "wishlist_id": "w" });
        same_track(
            &[name],
            &sent(&json!({ "wishlist_id": "w", "wishlist_name": "for Bob" })),
            &fields,
        );
    }
}

#[test]
fn checkout_and_orders() {
    let order = json!({
        "order_id": "o", "checkout_id": "co", "affiliation": "web", "subtotal": 259.8, "total": "270", "shipping": 10.2,
        "tax": 0, "discount": "1.5", "coupon": "c", "currency": "EUR", "products": [sent(&json!({}))],
    });
    let fields = json!({
        "order_id": "o", "checkout_id": "co", "affiliation": "web", "value": eur(25980), "value_basis": "subtotal",
        "subtotal": eur(25980), "total": eur(27000), "shipping": eur(1020), "tax": eur(0), "discount": eur(150),
        "coupon": "c", "products": [product()],
    });
    for (names, kind) in [
        (&["Checkout Started", "Started Order"][..], "checkout_start"),
        (&["Order Completed", "Completed Order"], "purchase"),
        (&["Order Updated", "Updated Order"], "order_update"),
        (&["Order Refunded"], "refund"),
        (&["Order Cancelled"], "cancel"),
    ] {
        same_track(
            names,
            &order,
            &with(fields.clone(), &json!({ "type": kind })),
        );
    }
    let step = json!({
        "checkout_id": "co", "order_id": "o", "step": 2, "shipping_method": "bike", "payment_method": "invoice",
    });
    for (names, more) in [
        (
            &["Checkout Step Viewed", "Viewed Checkout Step"][..],
            json!({ "type": "checkout_step", "progress": "viewed" }),
        ),
        (
            &["Checkout Step Completed", "Completed Checkout Step"],
            json!({ "type": "checkout_step", "progress": "completed" }),
        ),
        (&["Payment Info Entered"], json!({ "type": "payment_info" })),
    ] {
        same_track(names, &step, &with(step.clone(), &more));
    }
}

#[test]
fn coupons_and_promotions() {
    let coupon = json!({
        "coupon_id": "c", "coupon_name": "Summer", "order_id": "o", "cart_id": "k", "discount": 10, "reason": "expired",
    });
    let fields = with(
        coupon.clone(),
        &json!({ "type": "coupon_attempt", "discount": eur(1000) }),
    );
    for (name, outcome) in [
        ("Coupon Entered", "entered"),
        ("Coupon Applied", "applied"),
        ("Coupon Denied", "denied"),
        ("Coupon Removed", "removed"),
    ] {
        same_track(
            &[name],
            &coupon,
            &with(fields.clone(), &json!({ "outcome": outcome })),
        );
    }
    let promotion =
        json!({ "promotion_id": "d-1", "creative": "red", "name": "Sale", "position": "top" });
    let fields = json!({
        "type": "content_interaction", "content_id": "d-1", "kind": "banner", "creative": "red", "name": "Sale",
        "position": "top",
    });
    for (names, interaction) in [
        (["Promotion Viewed", "Viewed Promotion"], "impression"),
        (["Promotion Clicked", "Clicked Promotion"], "click"),
    ] {
        let fields = with(fields.clone(), &json!({ "interaction": interaction }));
        same_track(&names, &promotion, &fields);
    }
}

#[test]
fn shares_and_reviews_without_what_is_personal() {
    let personal =
        json!({ "share_via": "email", "recipient": "b@x.example", "share_message": "look" });
    same_track(
        &["Product Shared"],
        &sent(&personal),
        &json!({ "type": "share", "product": product(), "via": "email" }),
    );
    same_track(
        &["Cart Shared"],
        &with(json!({ "cart_id": "k" }), &personal),
        &json!({ "type": "share", "cart_id": "k", "via": "email" }),
    );
    same_track(
        &["Product Reviewed"],
        &json!({ "product_id": "p", "review_id": "r", "rating": "4.5", "review_body": "by Ann" }),
        &json!({ "type": "review", "product_id": "p", "review_id": "r", "rating": 4.5 }),
    );
    same_track(
        &["Product Reviewed"],
        &json!({ "product_id": "p", "rating": "very good" }),
        &json!({ "type": "review", "product_id": "p" }),
    );
}

#[test]
fn any_other_track_is_custom_and_keeps_its_numbers() {
    same_track(
        &["Size Advisor Used"],
        &json!({
            "height": 181, "email": "a@b.example", "nested": { "n": 1 }, "on": true, "phone": "5551234", "share": 0.5,
        }),
        &json!({
            "type": "custom", "name": "Size Advisor Used",
            "values": [{ "name": "height", "value": 181 }, { "name": "share", "value": 0.5 }],
        }),
    );
}

#[test]
fn pages_and_screens() {
    let page = json!({
        "path": "/context", "title": "Context", "referrer": "https://s.example/?q=x", "search": "?secret",
    });
    let context = json!({ "page": page });
    same(
        &json!({
            "type": "page", "name": "Home", "category": "landing", "context": context,
            "properties": { "url": "https://shop.example/start?x=1", "title": "Welcome", "scroll_depth": "0.5" },
        }),
        &json!({
            "type": "page_view", "name": "Home", "category": "landing", "path": "/start", "title": "Welcome",
            "referrer": "s.example/", "scroll_depth": 0.5,
        }),
    );
    same(
        &json!({ "type": "page", "context": context }),
        &json!({ "type": "page_view", "path": "/context", "title": "Context", "referrer": "s.example/" }),
    );
    same(
        &json!({ "type": "screen", "name": "Basket", "context": context, "properties": null }),
        &json!({ "type": "page_view", "name": "Basket" }),
    );
}

#[test]
fn traits_that_are_coarse_enough() {
    same(
        &json!({
            "type": "identify", "context": { "locale": "de_AT", "timezone": "Europe/Vienna" },
            "traits": {
                "email": "a@b.example", "name": "Ann", "address": { "country": "at", "street": "x" }, "plan": "gold",
            },
        }),
        &json!({
            "type": "identify", "country": "AT", "language": "de-AT", "time_zone": "Europe/Vienna", "plan": "gold",
        }),
    );
    let context = json!({ "traits": { "country": "Austria", "language": "<b>", "plan": ["x"] } });
    same(
        &json!({ "type": "identify", "context": context }),
        &json!({ "type": "identify" }),
    );
}

#[test]
fn groups_and_aliases() {
    same(
        &json!({ "type": "group", "groupId": 9 }),
        &json!({ "type": "group", "group_id": "9" }),
    );
    same(
        &json!({ "type": "alias", "previousId": "device" }),
        &json!({ "type": "alias", "previous_id": "device" }),
    );
}
