//! Segment batches as a stock SDK sends them.

use serde_json::{Value, json};

/// `count` product views and cart adds with message ids `<prefix>-<n>`, over `shoppers` people, one a second.
pub fn batch(prefix: &str, count: usize, shoppers: usize) -> Value {
    let items: Vec<Value> = (0..count)
        .map(|place| item(prefix, place, shoppers))
        .collect();
    json!({ "batch": items })
}

/// One item of such a batch.
pub fn item(prefix: &str, place: usize, shoppers: usize) -> Value {
    let event = if place % 7 == 3 {
        "Product Added"
    } else {
        "Product Viewed"
    };
    json!({
        "type": "track",
        "event": event,
        "userId": format!("user-{}", place % shoppers),
        "messageId": format!("{prefix}-{place}"),
        "timestamp": format!("2026-01-01T{:02}:{:02}:{:02}.000Z", place / 3600 % 24, place / 60 % 60, place % 60),
        "properties": {
            "product_id": format!("p{}", place % 50),
            "category": format!("c{}", place % 5),
            "price": 5 + place % 90,
            "currency": "EUR",
        },
    })
}
