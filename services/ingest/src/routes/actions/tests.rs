use std::{collections::BTreeMap, time::Duration};

use foretide_events::{EpochMs, RejectionReason, SourceId, limits::MAX_BATCH_EVENTS};
use foretide_http::{KeyFingerprint, Role, key_digest};
use foretide_ports::{ACTIONS, Log as _, partition_for};
use serde_json::{Value, json};

use crate::{
    IngestConfig,
    testing::{ADMIN_KEY, NOW_MS, PARTITIONS, Shop, WRITE_KEY, answer_of, basic, gzip, post, zstd},
};

const PATH: &str = "/v1/actions";
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson; charset=utf-8");

fn view(id: &str, user: &str) -> Value {
    json!({
        "type": "product_view", "id": id, "at": "2026-11-22T07:59:00Z", "shopper": {"user_id": user},
        "product": {"product_id": "p-7", "category": "shoes"},
    })
}

fn code(answer: &crate::testing::Answer) -> (u16, &str) {
    (
        answer.status,
        answer.json["code"].as_str().unwrap_or("none"),
    )
}

#[tokio::test]
async fn an_action_is_stored_under_its_shoppers_pseudonym_and_counted_for_its_key() {
    let shop = Shop::open().await;
    let answer = shop
        .post(PATH, view("e-1", "ann@example.org").to_string())
        .await;
    assert_eq!(
        (answer.status, &answer.json),
        (200, &json!({"accepted": 1, "rejected": []}))
    );

    let records = shop.records().await;
    let (partition, record) = &records[0];
    let event = &shop.events().await[0];
    assert_eq!(record.key, event.shopper.to_string());
    assert_eq!(*partition, partition_for(&record.key, PARTITIONS));
    assert_eq!(event.id.as_str(), "e-1");
    assert_eq!(
        (event.at, event.received_at),
        (EpochMs(NOW_MS - 60_000), EpochMs(NOW_MS))
    );
    assert!(
        event.source.as_str().starts_with("key:"),
        "{}",
        event.source
    );
    let stored = std::str::from_utf8(record.value.as_ref().unwrap()).unwrap();
    assert!(
        !stored.contains("ann") && !stored.contains(WRITE_KEY),
        "{stored}"
    );
}

#[tokio::test]
async fn one_batch_of_many_shoppers_keeps_the_order_of_each() {
    let shop = Shop::open().await;
    let actions: Vec<_> = (0..60)
        .map(|n| view(&format!("e-{n:02}"), &format!("user-{}", n % 5)))
        .collect();
    let answer = shop
        .post(PATH, json!({"actions": actions}).to_string())
        .await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(60)));
    let mut last = BTreeMap::new();
    for (_, record) in shop.records().await {
        let event = foretide_events::wire::decode(record.value.as_ref().unwrap()).unwrap();
        let before = last.insert(event.shopper, event.id.clone());
        assert!(before < Some(event.id));
    }
    assert_eq!(last.len(), 5);
}

#[tokio::test]
async fn a_bad_action_is_rejected_for_cause_and_its_neighbours_live() {
    let shop = Shop::open().await;
    let nobody = json!({"type": "cart_view", "id": "bad-1"});
    let unknown = json!({"type": "levitate", "shopper": {"user_id": "ann"}});
    let actions = json!({"actions": [view("e-1", "ann"), nobody, 7, unknown, view("e-2", "bob")]});
    let answer = shop.post(PATH, actions.to_string()).await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(2)));
    let rejected = answer.json["rejected"].as_array().unwrap();
    let verdicts: Vec<_> = rejected
        .iter()
        .map(|r| (r["index"].as_u64().unwrap(), r["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        verdicts,
        [
            (1, "missing_identity"),
            (2, "not_an_object"),
            (3, "unknown_type")
        ]
    );
    assert_eq!(
        (&rejected[0]["id"], &rejected[0]["field"]),
        (&json!("bad-1"), &json!("shopper"))
    );
    assert!(!rejected[0]["message"].as_str().unwrap().is_empty());

    let events = shop.events().await;
    assert_eq!(
        events
            .iter()
            .map(|event| event.id.as_str())
            .collect::<Vec<_>>(),
        ["e-1", "e-2"]
    );
    let counted = shop.rejected.of(&events[0].source);
    assert_eq!(counted.values().sum::<u64>(), 3);
    let receipts = &shop.metrics.receipts;
    assert_eq!(receipts.with_label_values(&["accepted", ""]).get(), 2);
    assert_eq!(
        receipts
            .with_label_values(&["rejected", "unknown_type"])
            .get(),
        1
    );
}

#[tokio::test]
async fn lines_are_taken_by_content_type_and_a_bad_line_is_rejected_alone() {
    let shop = Shop::open().await;
    let mut body = format!(
        "{}\n{{\"type\":\n\n{}\n",
        view("e-1", "ann"),
        view("e-2", "bob")
    )
    .into_bytes();
    body.extend_from_slice(b"\xff\n");
    let answer = shop.post_with(PATH, &[NDJSON], body).await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(2)));
    assert_eq!(answer.json["rejected"].as_array().unwrap().len(), 2);
    assert_eq!(shop.events().await.len(), 2);
}

#[tokio::test]
async fn a_careless_content_type_does_no_harm() {
    let shop = Shop::open().await;
    for content_type in ["text/plain", "application/octet-stream", "nonsense"] {
        let body = view(content_type, "ann").to_string();
        let answer = shop
            .post_with(PATH, &[("content-type", content_type)], body)
            .await;
        assert_eq!(
            (answer.status, &answer.json["accepted"]),
            (200, &json!(1)),
            "{content_type}"
        );
    }
}

#[tokio::test]
async fn an_event_without_an_id_gets_one_of_its_own() {
    let shop = Shop::open().await;
    let mut action = view("", "ann");
    action.as_object_mut().unwrap().remove("id");
    let actions = json!({"actions": [action, action]}).to_string();
    assert_eq!(shop.post(PATH, actions).await.json["accepted"], 2);
    let events = shop.events().await;
    assert_ne!(events[0].id, events[1].id);
    let id = uuid::Uuid::parse_str(events[0].id.as_str()).unwrap();
    assert_eq!(id.get_version_num(), 7);
    let (seconds, _) = id.get_timestamp().unwrap().to_unix();
    assert_eq!(i64::try_from(seconds).unwrap(), NOW_MS / 1000);
    assert_eq!(shop.metrics.ids_made.get(), 2);
}

#[tokio::test]
async fn an_import_is_counted_for_its_run() {
    let shop = Shop::open().await;
    let actions = json!({"actions": [view("e-1", "ann"), 7]}).to_string();
    let answer = shop
        .post_with(PATH, &[("foretide-import", "rees46")], actions)
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(shop.events().await[0].source.as_str(), "import:rees46");
    let counted = shop.rejected.of(&SourceId::new("import:rees46").unwrap());
    assert_eq!(counted, BTreeMap::from([(RejectionReason::NotAnObject, 1)]));
    let refused = shop
        .post_with(PATH, &[("foretide-import", "a b")], "{}")
        .await;
    assert_eq!(code(&refused), (400, "invalid_field"));
}

#[tokio::test]
async fn only_the_write_key_sends_actions() {
    let shop = Shop::open().await;
    let send = async |authorization: Option<&str>| {
        let headers: Vec<_> = authorization
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        let answer = shop
            .send(post(PATH, &headers, view("e-1", "ann").to_string()))
            .await;
        (
            answer.status,
            answer.json["code"].as_str().unwrap_or("none").to_owned(),
        )
    };
    assert_eq!(
        send(Some(&basic("wrong"))).await,
        (401, "wrong_key".to_owned())
    );
    assert_eq!(send(None).await, (401, "missing_key".to_owned()));
    assert_eq!(
        send(Some(&basic(ADMIN_KEY))).await,
        (403, "key_not_allowed".to_owned())
    );
    assert!(shop.records().await.is_empty());
    assert_eq!(send(Some(&format!("Bearer {WRITE_KEY}"))).await.0, 200);
    assert_eq!(
        shop.metrics
            .refusals
            .with_label_values(&["wrong_key"])
            .get(),
        1
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_taken_is_refused_as_a_problem_and_nothing_is_stored() {
    let shop = Shop::open().await;
    let deep = b"[".repeat(100_000);
    let deep_object = format!(
        "{}{}",
        r#"{"a":"#.repeat(50),
        "1".to_owned() + &"}".repeat(50)
    );
    let large = vec![b' '; IngestConfig::default().max_body_bytes + 1];
    let cases: [(&[u8], (u16, &str)); 8] = [
        (b"{", (400, "not_json")),
        (b"", (400, "not_json")),
        (b"\xff\xfe{}", (400, "not_utf8")),
        (&deep, (400, "too_deep")),
        (deep_object.as_bytes(), (400, "too_deep")),
        (b"[]", (400, "invalid_body")),
        (br#"{"actions":7}"#, (400, "invalid_body")),
        (&large, (413, "too_large")),
    ];
    for (body, expected) in cases {
        let answer = shop.post(PATH, body.to_vec()).await;
        assert_eq!(code(&answer), expected);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(!answer.json["detail"].as_str().unwrap().is_empty());
    }
    assert!(shop.records().await.is_empty());
}

#[tokio::test]
async fn an_action_that_is_not_json_is_rejected_alone() {
    let shop = Shop::open().await;
    let body = b"{\"actions\":[{\"type\":\"search\",\"id\":\"bad\",\"query\":\"a\x0bb\",\"shopper\":{\"user_id\":\"a\"}},\
        {\"type\":\"cart_view\",\"id\":\"good\",\"shopper\":{\"user_id\":\"a\"}}]}";
    let answer = shop.post(PATH, body.to_vec()).await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(1)));
    let rejected = &answer.json["rejected"][0];
    assert_eq!(
        (&rejected["index"], &rejected["id"], &rejected["code"]),
        (&json!(0), &json!("bad"), &json!("not_an_object"))
    );
    assert_eq!(shop.events().await[0].id.as_str(), "good");
}

#[tokio::test]
async fn members_that_mean_nothing_are_counted_in_one_request_a_second() {
    let shop = Shop::open().await;
    let action =
        json!({"type": "cart_view", "shopper": {"user_id": "a"}, "cart_idd": 1, "weather": 2});
    let counted = || {
        let counter = &shop.metrics.ignored_members;
        ["cart_id", ""].map(|meant| counter.with_label_values(&[meant]).get())
    };
    for (moved_ms, expected) in [(0, [1, 1]), (999, [1, 1]), (1, [2, 2]), (-5000, [3, 3])] {
        shop.clock.advance(moved_ms);
        assert_eq!(shop.post(PATH, action.to_string()).await.status, 200);
        assert_eq!(counted(), expected, "{moved_ms}");
    }
    let dry = format!("{PATH}?dry_run=1");
    shop.clock.advance(9000);
    assert_eq!(shop.post(&dry, action.to_string()).await.status, 200);
    assert_eq!(counted(), [3, 3]);
}

#[tokio::test]
async fn gzip_and_zstd_are_taken_and_bombs_are_not() {
    let shop = Shop::open().await;
    let packed = [("content-encoding", "gzip")];
    let answer = shop
        .post_with(
            PATH,
            &packed,
            gzip(view("e-1", "ann").to_string().as_bytes()),
        )
        .await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(1)));
    let bomb = gzip(&vec![b' '; 100 << 20]);
    assert_eq!(
        code(&shop.post_with(PATH, &packed, bomb).await),
        (413, "too_large")
    );
    assert_eq!(
        code(&shop.post_with(PATH, &packed, "plain").await),
        (400, "unreadable_body")
    );
    let packed = [("content-encoding", "zstd")];
    let action = view("e-2", "ann").to_string();
    let answer = shop.post_with(PATH, &packed, zstd(action.as_bytes())).await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(1)));
    let bomb = zstd(&vec![b' '; 100 << 20]);
    assert_eq!(
        code(&shop.post_with(PATH, &packed, bomb).await),
        (413, "too_large")
    );
    let twice = [("content-encoding", "gzip, zstd")];
    assert_eq!(
        code(&shop.post_with(PATH, &twice, "x").await),
        (415, "unsupported_encoding")
    );
    let brotli = [("content-encoding", "br")];
    assert_eq!(
        code(&shop.post_with(PATH, &brotli, "x").await),
        (415, "unsupported_encoding")
    );
    assert_eq!(shop.records().await.len(), 2);
}

#[tokio::test]
async fn beyond_the_largest_batch_events_are_rejected_and_the_rest_is_taken() {
    let shop = Shop::open().await;
    let small =
        |n: usize| json!({"type": "cart_view", "id": format!("{n}"), "shopper": {"user_id": "u"}});
    let actions: Vec<_> = (0..MAX_BATCH_EVENTS + 2).map(small).collect();
    let answer = shop
        .post(PATH, json!({"actions": actions}).to_string())
        .await;
    assert_eq!(
        (answer.status, &answer.json["accepted"]),
        (200, &json!(MAX_BATCH_EVENTS))
    );
    assert_eq!(answer.json["rejected"][1]["code"], "batch_full");
}

#[tokio::test(start_paused = true)]
async fn the_reply_waits_for_the_log() {
    let hour = Duration::from_hours(1);
    let shop = Shop::with(IngestConfig {
        append_timeout_ms: 2 * 3_600_000,
        ..IngestConfig::default()
    })
    .await;
    shop.log.faults().delay_appends(hour);
    let key = basic(WRITE_KEY);
    let request = post(
        PATH,
        &[("authorization", &key)],
        view("e-1", "ann").to_string(),
    );
    let reply = tokio::spawn(answer_of(shop.router.clone(), request));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!reply.is_finished(), "answered before the log had it");
    assert_eq!(
        shop.log
            .end_offsets(ACTIONS)
            .await
            .unwrap()
            .iter()
            .sum::<u64>(),
        0
    );
    tokio::time::advance(hour).await;
    assert_eq!(reply.await.unwrap().json["accepted"], 1);
    assert_eq!(shop.records().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_store_in_time_is_away() {
    let shop = Shop::open().await;
    shop.log.faults().delay_appends(Duration::from_hours(1));
    let answer = shop.post(PATH, view("e-1", "ann").to_string()).await;
    assert_eq!(code(&answer), (503, "log_away"));
}

#[tokio::test]
async fn while_the_log_is_away_nothing_is_acknowledged_and_senders_are_told_when_to_try_again() {
    let shop = Shop::open().await;
    shop.log.faults().set_away(true);
    for _ in 0..2 {
        // First because the append fails, then because readiness is red.
        let answer = shop
            .post(
                PATH,
                json!({"actions": [view("e-1", "ann"), 7]}).to_string(),
            )
            .await;
        assert_eq!(code(&answer), (503, "log_away"));
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        assert!(answer.json.get("accepted").is_none());
        assert!(!shop.log_health.is_there());
    }
    shop.log.faults().set_away(false);
    assert!(shop.records().await.is_empty());
    assert_eq!(
        shop.metrics
            .append_failures
            .with_label_values(&["away"])
            .get(),
        2
    );
    assert_eq!(
        shop.metrics
            .receipts
            .with_label_values(&["rejected", "not_an_object"])
            .get(),
        0
    );
    shop.log_health.there();
    assert_eq!(
        shop.post(PATH, view("e-1", "ann").to_string()).await.status,
        200
    );
}

#[tokio::test]
async fn a_full_log_is_told_apart_from_an_absent_one() {
    let shop = Shop::open().await;
    shop.log.faults().set_full(true);
    for _ in 0..2 {
        // First because the append fails, then because it is known to be full.
        let answer = shop.post(PATH, view("e-1", "ann").to_string()).await;
        assert_eq!(code(&answer), (503, "log_full"));
        assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 30);
    }
    assert_eq!(
        shop.metrics
            .append_failures
            .with_label_values(&["full"])
            .get(),
        2
    );
}

#[tokio::test]
async fn an_event_stored_although_its_append_failed_is_sent_again_under_its_own_id() {
    let shop = Shop::open().await;
    shop.log.faults().fail_next_appends(1, true);
    assert_eq!(
        shop.post(PATH, view("e-1", "ann").to_string()).await.status,
        503
    );
    shop.log_health.there();
    assert_eq!(
        shop.post(PATH, view("e-1", "ann").to_string()).await.status,
        200
    );
    let ids: Vec<_> = shop
        .events()
        .await
        .into_iter()
        .map(|event| event.id)
        .collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
}

#[tokio::test]
async fn a_batch_with_nothing_to_store_does_not_need_the_log() {
    let shop = Shop::open().await;
    shop.log.faults().set_away(true);
    let answer = shop.post(PATH, r#"{"actions":[7]}"#).await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(0)));
}

#[tokio::test]
async fn events_are_counted_for_the_key_that_sent_them() {
    let shop = Shop::open().await;
    shop.keys
        .replace_stored(vec![(Role::Write, key_digest("another key"))]);
    for (id, key) in [("e-1", WRITE_KEY), ("e-2", "another key")] {
        let headers = [("authorization", &*basic(key))];
        let answer = shop
            .send(post(PATH, &headers, view(id, "ann").to_string()))
            .await;
        assert_eq!(answer.status, 200);
    }
    let sources: Vec<_> = shop
        .events()
        .await
        .into_iter()
        .map(|event| event.source.to_string())
        .collect();
    let source = |key| {
        let fingerprint = KeyFingerprint::of_digest(&key_digest(key));
        format!("key:{fingerprint}")
    };
    assert_eq!(sources, [source(WRITE_KEY), source("another key")]);
    shop.keys.replace_stored(Vec::new());
    let headers = [("authorization", &*basic("another key"))];
    let refused = shop
        .send(post(PATH, &headers, view("e-3", "ann").to_string()))
        .await;
    assert_eq!(code(&refused), (401, "wrong_key"));
}
