use foretide_events::EpochMs;
use foretide_ports::{LogError, memory::MemoryLog};
use serde_json::{Value, json};

use crate::testing::{ADMIN_KEY, Answer, NOW_MS, Shop, WRITE_KEY, basic, gzip, post, zstd};

const PATHS: [&str; 3] = ["/v1/batch", "/v1/import", "/v1/b"];

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
async fn a_batch_is_taken_on_every_path_in_every_encoding_whatever_its_content_type() {
    let shop = Shop::open().await;
    let mut sent = 0;
    for path in PATHS {
        for path in [path.to_owned(), format!("{path}/")] {
            for content_type in ["application/json", "text/plain", "", "x"] {
                for encoding in ["", "identity", "gzip", "zstd"] {
                    let body = one(&format!("{sent}")).into_bytes();
                    let body = match encoding {
                        "gzip" => gzip(&body),
                        "zstd" => zstd(&body),
                        _ => body,
                    };
                    let headers = [
                        ("content-type", content_type),
                        ("content-encoding", encoding),
                    ];
                    let answer = shop.post_with(&path, &headers, body).await;
                    let expected = json!({"success": true, "accepted": 1, "rejected": []});
                    assert_eq!(
                        (answer.status, answer.json),
                        (200, expected),
                        "{path} {content_type} {encoding}"
                    );
                    assert_eq!(answer.headers["content-type"], "application/json");
                    sent += 1;
                }
            }
        }
    }
    let events = shop.events().await;
    assert_eq!(events.len(), sent);
    assert_eq!(events[0].at, EpochMs(NOW_MS - 60_000));
    for (_, record) in shop.records().await {
        let stored = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        assert!(
            !stored.contains("ann@") && !stored.contains("example.org"),
            "{stored}"
        );
    }
}

/// A call that lacks nothing, whatever its type, and says another type.
fn call(id: &str) -> Value {
    json!({
        "type": "screen-of-another-kind", "event": "Product Viewed", "name": "Home", "messageId": id, "userId": "ann",
        "groupId": "club", "previousId": "device-7", "traits": {"country": "AT"}, "sentAt": "2026-11-22T09:00:01Z",
        "timestamp": "2026-11-22T09:00:00Z", "properties": {"product_id": "p-1"}, "writeKey": WRITE_KEY,
    })
}

#[tokio::test]
async fn a_single_call_is_taken_on_every_path_and_the_path_says_its_type() {
    let shop = Shop::open().await;
    let paths = [
        ("track", "product_view"),
        ("page", "page_view"),
        ("screen", "page_view"),
        ("identify", "identify"),
        ("group", "group"),
        ("alias", "alias"),
    ];
    let mut wanted = Vec::new();
    for (name, kind) in paths {
        let letter = &name[..1];
        for path in [
            format!("/v1/{name}"),
            format!("/v1/{name}/"),
            format!("/v1/{letter}"),
            format!("/v1/{letter}/"),
        ] {
            let headers = [("content-type", "text/plain")];
            let answer = shop
                .send(post(&path, &headers, call(&path).to_string()))
                .await;
            let expected = json!({"success": true, "accepted": 1, "rejected": []});
            assert_eq!((answer.status, answer.json), (200, expected), "{path}");
            wanted.push((path, kind));
        }
    }
    wanted.sort();
    let events = shop.events().await;
    let stored = events
        .iter()
        .map(|event| (event.id.to_string(), event.action.action_type().as_str()));
    assert_eq!(stored.collect::<Vec<_>>(), wanted);
    assert_eq!(
        events[0].at,
        EpochMs(NOW_MS - 1_000),
        "the skew is corrected"
    );
}

#[tokio::test]
async fn a_single_call_that_lacks_something_is_rejected_as_in_a_batch() {
    let shop = Shop::open().await;
    let nobody = json!({"event": "Product Viewed", "messageId": "m", "writeKey": WRITE_KEY});
    let answer = shop.send(post("/v1/t", &[], nobody.to_string())).await;
    assert_eq!(
        (answer.status, &answer.json["success"]),
        (200, &json!(true))
    );
    let rejected = &answer.json["rejected"][0];
    assert_eq!(
        (&rejected["messageId"], &rejected["code"]),
        (&json!("m"), &json!("missing_identity"))
    );
    let mut large = call("large");
    large["properties"]["text"] = json!("x".repeat(40_000));
    let answer = shop.send(post("/v1/t", &[], large.to_string())).await;
    assert_eq!(
        (answer.status, &answer.json["rejected"][0]["code"]),
        (200, &json!("too_large"))
    );
    let deep = format!("{}1{}", r#"{"a":"#.repeat(50), "}".repeat(50));
    for (body, code) in [
        ("[]", "invalid_body"),
        ("{", "not_json"),
        ("7", "invalid_body"),
        (&*deep, "too_deep"),
        (r#"{"writeKey":{}}"#, "invalid_body"),
    ] {
        assert_refused(&shop.post("/v1/track", body.to_owned()).await, 400, code);
    }
    assert!(shop.records().await.is_empty());
}

#[tokio::test]
async fn a_beacon_brings_its_key_in_the_query() {
    let shop = Shop::open().await;
    let blob = [("content-type", "text/plain;charset=UTF-8")];
    let key = WRITE_KEY.replace(' ', "%20");
    for path in ["/beacon/v1/batch", "/beacon/v1/batch/"] {
        let keyed = format!("{path}?writeKey={key}");
        let answer = shop.send(post(&keyed, &blob, one(path))).await;
        assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(1)));
        for query in ["", "?writeKey=", "?writeKey=wrong"] {
            let refused = shop
                .send(post(&format!("{path}{query}"), &blob, one("m")))
                .await;
            assert_eq!(refused.status, 401, "{query}");
        }
    }
    let not_here = format!("/v1/batch?writeKey={key}");
    assert_refused(
        &shop.send(post(&not_here, &blob, one("m"))).await,
        401,
        "missing_key",
    );
    assert_eq!(shop.stored().await, 2);
}

#[tokio::test]
async fn a_call_without_an_id_is_counted_as_one_whose_retries_cannot_be_told_apart() {
    let shop = Shop::open().await;
    let mut item = viewed("", "ann");
    item.as_object_mut().unwrap().remove("messageId");
    shop.post(
        "/v1/batch",
        json!({"batch": [item, viewed("m", "ann")]}).to_string(),
    )
    .await;
    assert_eq!(shop.metrics.ids_made.get(), 1);
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
async fn a_call_that_is_not_json_is_rejected_alone_in_a_reply_that_no_sdk_sends_again() {
    let shop = Shop::open().await;
    let bodies = [&b"NaN"[..], b"\"a\x01b\"", b"\"caf\xe9\""].map(|value| {
        let bad = [br#"{"type":"track","messageId":"bad","x":"#, value, b"}"].concat();
        let good = viewed("good", "ann").to_string();
        [br#"{"batch":["#, &bad[..], b",", good.as_bytes(), b"]}"].concat()
    });
    for body in bodies {
        for body in [body.clone(), gzip(&body)] {
            let encoding = if body.starts_with(b"{") { "" } else { "gzip" };
            let headers = [("content-encoding", encoding)];
            let answer = shop.post_with("/v1/batch", &headers, body).await;
            assert_eq!(
                (
                    answer.status,
                    &answer.json["success"],
                    &answer.json["accepted"]
                ),
                (200, &json!(true), &json!(1)),
                "{answer:?}"
            );
            let rejected = &answer.json["rejected"];
            assert_eq!(rejected.as_array().unwrap().len(), 1);
            assert_eq!(
                (&rejected[0]["messageId"], &rejected[0]["code"]),
                (&json!("bad"), &json!("not_an_object"))
            );
        }
    }
    assert_eq!(shop.stored().await, 6);
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
    for encoding in ["br", "gzip, zstd"] {
        let headers = [("content-encoding", encoding)];
        assert_refused(
            &shop.post_with("/v1/batch", &headers, "x").await,
            400,
            "unsupported_encoding",
        );
    }
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
async fn an_import_of_stock_java_is_counted_for_its_run() {
    let shop = Shop::open().await;
    let headers = [
        ("content-encoding", "gzip"),
        ("content-type", "application/json"),
        ("foretide-import", "java"),
    ];
    let answer = shop
        .post_with("/v1/import/", &headers, gzip(one("m").as_bytes()))
        .await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(1)));
    assert_eq!(shop.events().await[0].source.as_str(), "import:java");
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
async fn nobody_is_told_where_the_log_is() {
    let shop = Shop::open().await;
    shop.log_health.not_there(&LogError::Away(
        "no answer from broker-7.internal:9092".to_owned(),
    ));
    let strangers = shop.send(post("/v1/batch", &[], one("m"))).await;
    assert_refused(&strangers, 503, "log_away");
    assert!(!strangers.json.to_string().contains("broker-7"));
    shop.log_health.there();
    for fail in [
        |log: &MemoryLog| log.faults().set_full(true),
        |log: &MemoryLog| log.faults().set_away(true),
    ] {
        fail(&shop.log);
        let answer = shop.post("/v1/batch", one("m")).await;
        assert_eq!(answer.status, 503);
        let cause = shop.log_ready.cause().unwrap();
        assert!(!answer.json.to_string().contains(&cause), "{answer:?}");
        shop.log_health.there();
    }
}

#[tokio::test]
async fn a_time_of_sending_that_cannot_be_read_costs_no_event() {
    let shop = Shop::open().await;
    let mut item = viewed("m", "ann");
    item["sentAt"] = json!("yesterday");
    let batch = json!({"batch": [item], "sentAt": 1_795_334_400_000_i64});
    let answer = shop.post("/v1/batch", batch.to_string()).await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(1)));
    assert_eq!(shop.events().await[0].at, EpochMs(NOW_MS - 60_000));
}

#[tokio::test]
async fn another_method_is_refused_in_the_same_shape() {
    let shop = Shop::open().await;
    assert_refused(&shop.get("/v1/batch").await, 405, "method_not_allowed");
}
