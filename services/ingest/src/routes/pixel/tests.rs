use axum::{body::Body, http::Request};
use foretide_events::EpochMs;
use serde_json::json;

use super::*;
use crate::testing::{Answer, NOW_MS, Shop};

const KEY: &str = "writeKey=the%20write%20key";

fn assert_picture(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "image/gif")
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.body.starts_with(b"GIF89a") && answer.body.ends_with(b";"));
}

#[tokio::test]
async fn a_picture_tracks_what_its_address_says() {
    let shop = Shop::open().await;
    let track = format!(
        "/pixel/v1/track?{KEY}&event=Product%20Viewed&anonymousId=%22device-7%22&messageId=m-1\
         &properties.product_id=p-7&properties.price=9.50&context.sessionId=s-1"
    );
    let page = format!(
        "/pixel/v1/page/?{KEY}&anonymousId=device-7&messageId=m-2&name=Home&context.page.path=%2Fa"
    );
    assert_picture(&shop.get(&track).await);
    assert_picture(&shop.get(&page).await);
    let events = shop.events().await;
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event.action.action_type().as_str())
        .collect();
    assert_eq!(kinds, ["product_view", "page_view"]);
    assert_eq!(events[0].shopper, events[1].shopper);
    assert_eq!(events[0].at, EpochMs(NOW_MS));
    assert_eq!(events[0].session.as_ref().unwrap().as_str(), "s-1");
    assert!(events[0].source.as_str().starts_with("key:"));
    let product = events[0].action.needed_product().unwrap();
    assert_eq!(product.product_id.as_deref(), Some("p-7"));
}

#[tokio::test]
async fn the_picture_comes_whatever_becomes_of_the_event() {
    let shop = Shop::open().await;
    let deep = format!("{KEY}&anonymousId=a&event=e&{}=1", ["a"; 1_000].join("."));
    for query in [
        "",
        "writeKey=wrong&event=e&anonymousId=a",
        "event=e&anonymousId=a",
        &format!("{KEY}&event=e"),
        &format!("{KEY}&dry_run=perhaps"),
        &deep,
        "%ff=%zz&&&=",
    ] {
        assert_picture(&shop.get(&format!("/pixel/v1/track?{query}")).await);
    }
    let refused = |code: &str| shop.metrics.refusals.with_label_values(&[code]).get();
    assert_eq!((refused("wrong_key"), refused("missing_key")), (1, 3));
    assert_eq!((refused("invalid_field"), refused("too_deep")), (1, 1));
    shop.log.faults().set_away(true);
    let whole = format!("/pixel/v1/track?{KEY}&event=e&anonymousId=a");
    assert_picture(&shop.get(&whole).await);
    assert_eq!(refused("log_away"), 1);
    shop.log.faults().set_away(false);
    assert_eq!(shop.stored().await, 0);
}

#[tokio::test]
async fn asking_only_for_the_head_of_a_picture_tracks_nothing() {
    let shop = Shop::open().await;
    let path = format!("/pixel/v1/page?{KEY}&anonymousId=a");
    let request = Request::head(&path).body(Body::empty()).unwrap();
    assert_eq!(shop.send(request).await.status, 200);
    assert_eq!(shop.stored().await, 0);
}

#[tokio::test]
async fn a_dry_run_answers_what_would_become_of_the_event_instead() {
    let shop = Shop::open().await;
    let path = format!("/pixel/v1/page?{KEY}&anonymousId=a&dry_run=1");
    let answer = shop.get(&path).await;
    assert_eq!(answer.json["events"][0]["type"], "page_view");
    assert_eq!(shop.stored().await, 0);
}

#[test]
fn dots_lead_into_members_and_what_is_there_stays() {
    let mut item = Map::new();
    for (name, value) in [
        ("a.b", "1"),
        ("a.c.d", "2"),
        ("a.b.x", "3"),
        ("a", "4"),
        ("a.b", "5"),
    ] {
        put(&mut item, name, value.to_owned()).unwrap();
    }
    assert_eq!(
        Value::Object(item),
        json!({"a": {"b": "1", "c": {"d": "2"}}})
    );
}
