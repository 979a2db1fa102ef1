use axum::{body::Body, http::Request};
use foretide_events::EpochMs;
use foretide_http::{HttpMetrics, observe};
use serde_json::{Value, json};

use crate::testing::{ADMIN_KEY, Answer, NOW_MS, Shop, WRITE_KEY, answer_of, basic, gzip, post};

const PATHS: [&str; 4] = ["/v1/batch", "/v1/batch/", "/v1/import", "/v1/import/"];

fn viewed(id: &str, user: &str) -> Value {
    json!({
        "type": "track", "event": "Product Viewed", "messageId": id, "userId": user,
        "timestamp": "2026-11-22T07:59:00.000Z", "properties": {"product_id": "p-1", "price": 9.5},
    })
}

fn one(id: &str) -> String {
    json!({"batch": [viewed(id, "ann@example.org")]}).to_string()
}

/// Asserts that `answer` has the shape every SDK takes for a refusal.
fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.json["code"].as_str()),
        (status, Some(code)),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json["success"], false);
    assert!(answer.json["error"].is_string() && answer.json["message"].is_string());
}

#[tokio::test]
async fn a_batch_is_taken_on_every_path_whatever_its_content_type() {
    let shop = Shop::open().await;
    for (path, content_type) in PATHS
        .iter()
        .zip(["application/json", "text/plain", "", "x"])
    {
        let answer = shop
            .post_with(path, &[("content-type", content_type)], one(path))
            .await;
        let expected = json!({"success": true, "accepted": 1, "rejected": []});
        assert_eq!((answer.status, answer.json), (200, expected), "{path}");
    }
    let events = shop.events().await;
    assert_eq!(events.len(), PATHS.len());
    assert_eq!(events[0].at, EpochMs(NOW_MS - 60_000));
    for (_, record) in shop.records().await {
        let stored = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        assert!(
            !stored.contains("ann@") && !stored.contains("example.org"),
            "{stored}"
        );
    }
}

#[tokio::test]
async fn a_partly_bad_batch_is_a_success_with_a_verdict_for_each_bad_event() {
    let shop = Shop::open().await;
    let mut nobody = viewed("bad", "");
    nobody.as_object_mut().unwrap().remove("userId");
    let batch = json!({"batch": [viewed("m-1", "ann"), nobody, viewed("m-2", "bob")]});
    let answer = shop.post("/v1/batch", batch.to_string()).await;
    assert_eq!(
        (answer.status, &answer.json["success"]),
        (200, &json!(true))
    );
    assert_eq!(answer.json["accepted"], 2);
    let rejected = &answer.json["rejected"][0];
    assert_eq!(
        (&rejected["index"], &rejected["messageId"]),
        (&json!(1), &json!("bad"))
    );
    assert_eq!(
        (&rejected["code"], &rejected["field"]),
        (&json!("missing_identity"), &json!("userId"))
    );
    assert_eq!(shop.events().await.len(), 2);
}

#[tokio::test]
async fn the_key_comes_in_three_ways() {
    let shop = Shop::open().await;
    let body = |id: &str| json!({"batch": [viewed(id, "ann")], "writeKey": WRITE_KEY}).to_string();
    let (basic, bearer) = (basic(WRITE_KEY), format!("Bearer {WRITE_KEY}"));
    let requests = [
        post("/v1/batch", &[("authorization", &basic)], one("basic")),
        post("/v1/batch", &[("authorization", &bearer)], one("bearer")),
        post("/v1/batch", &[], body("body")),
        post("/v1/batch", &[("authorization", &basic)], body("both")),
    ];
    for request in requests {
        let answer = shop.send(request).await;
        assert_eq!(
            (answer.status, &answer.json["accepted"]),
            (200, &json!(1)),
            "{answer:?}"
        );
    }
    assert_eq!(shop.events().await.len(), 4);
}

#[tokio::test]
async fn a_wrong_key_anywhere_is_refused_and_nothing_is_stored() {
    let shop = Shop::open().await;
    let body = |key: &str| json!({"batch": [viewed("m", "ann")], "writeKey": key}).to_string();
    let (right, wrong) = (basic(WRITE_KEY), basic("wrong"));
    let header = |value| [("authorization", value)];
    let cases = [
        (
            post("/v1/batch", &header(wrong.as_str()), body(WRITE_KEY)),
            "wrong_key",
        ),
        (
            post("/v1/batch", &header(right.as_str()), body("wrong")),
            "wrong_key",
        ),
        (post("/v1/batch", &[], body("wrong")), "wrong_key"),
        (post("/v1/batch", &[], one("m")), "missing_key"),
        (post("/v1/batch", &[], body("")), "missing_key"),
        (
            post("/v1/batch", &header(basic(ADMIN_KEY).as_str()), one("m")),
            "key_not_allowed",
        ),
    ];
    for (request, code) in cases {
        assert_refused(&shop.send(request).await, 401, code);
    }
    assert!(shop.records().await.is_empty());
}

#[tokio::test]
async fn a_body_that_cannot_be_taken_is_a_400_that_no_sdk_sends_again() {
    let shop = Shop::open().await;
    let deep = b"[".repeat(100_000);
    let large = vec![b' '; 2 << 20];
    let cases: [(&[u8], &str); 6] = [
        (b"{", "not_json"),
        (b"\xff\xfe{}", "not_utf8"),
        (&deep, "too_deep"),
        (br#"{"batch":7}"#, "invalid_body"),
        (b"{}", "invalid_body"),
        (&large, "too_large"),
    ];
    for (body, code) in cases {
        assert_refused(&shop.post("/v1/batch", body.to_vec()).await, 400, code);
    }
    let packed = [("content-encoding", "gzip")];
    let bomb = gzip(
        json!({"batch": ["x".repeat(100 << 20)]})
            .to_string()
            .as_bytes(),
    );
    assert_refused(
        &shop.post_with("/v1/batch", &packed, bomb).await,
        400,
        "too_large",
    );
    assert_refused(
        &shop.post_with("/v1/batch", &packed, "plain").await,
        400,
        "unreadable_body",
    );
    let brotli = [("content-encoding", "br")];
    assert_refused(
        &shop.post_with("/v1/batch", &brotli, "x").await,
        400,
        "unsupported_encoding",
    );
    assert!(shop.records().await.is_empty());
}

#[tokio::test]
async fn the_largest_batch_of_a_stock_sdk_is_taken_plain() {
    let shop = Shop::open().await;
    let mut item = viewed("m", "ann");
    item["properties"]["description"] = json!("x".repeat(24_000));
    let body = json!({"batch": vec![item; 20]}).to_string();
    assert!((480_000..512_000).contains(&body.len()), "{}", body.len());
    assert_eq!(shop.post("/v1/batch", body).await.json["accepted"], 20);
}

#[tokio::test]
async fn gzip_is_taken() {
    let shop = Shop::open().await;
    let packed = [
        ("content-encoding", "gzip"),
        ("content-type", "application/json"),
    ];
    let answer = shop
        .post_with("/v1/batch", &packed, gzip(one("m").as_bytes()))
        .await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(1)));
}

#[tokio::test]
async fn while_the_log_is_away_sdks_are_told_to_try_again() {
    let shop = Shop::open().await;
    shop.log.faults().set_away(true);
    for _ in 0..2 {
        let answer = shop.post("/v1/batch", one("m")).await;
        assert_refused(&answer, 503, "log_away");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    }
    shop.log.faults().set_away(false);
    assert!(shop.records().await.is_empty());
}

#[tokio::test]
async fn another_method_is_refused_in_the_same_shape() {
    let shop = Shop::open().await;
    assert_refused(&shop.get("/v1/batch").await, 405, "method_not_allowed");
}

#[tokio::test]
async fn any_page_may_send_after_a_preflight() {
    let shop = Shop::open().await;
    let metrics = HttpMetrics::register(&prometheus::Registry::new()).unwrap();
    let router = observe(shop.router.clone(), metrics);
    for path in ["/v1/batch", "/v1/import/", "/v1/actions"] {
        let preflight = Request::options(path)
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,x-retry-count,rsa-key",
            )
            .body(Body::empty())
            .unwrap();
        let answer = answer_of(router.clone(), preflight).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "https://shop.example"
        );
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "authorization,content-type,x-retry-count,rsa-key"
        );
    }
    let origin = [("origin", "https://shop.example")];
    let refused = answer_of(router, post("/v1/batch", &origin, one("m"))).await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "https://shop.example"
    );
}
