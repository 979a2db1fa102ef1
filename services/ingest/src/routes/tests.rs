//! What is the same on every route.

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};
use foretide_http::{HttpMetrics, observe};
use foretide_ports::LogError;
use serde_json::{Value, json};

use crate::testing::{Answer, Shop, WRITE_KEY, answer_of, basic, post, pseudonym_of};

const POSTS: [&str; 17] = [
    "/v1/actions",
    "/v1/batch",
    "/v1/import",
    "/v1/b",
    "/beacon/v1/batch",
    "/v1/track",
    "/v1/page",
    "/v1/screen",
    "/v1/identify",
    "/v1/group",
    "/v1/alias",
    "/v1/t",
    "/v1/p",
    "/v1/s",
    "/v1/i",
    "/v1/g",
    "/v1/a",
];

const GETS: [&str; 5] = [
    "/v1/projects/k/settings",
    "/sourceConfig/",
    "/pixel/v1/track",
    "/pixel/v1/page",
    "/v1/schema/actions",
];

const ORIGIN: (&str, &str) = ("origin", "https://shop.example");

fn with_and_without_slash(path: &str) -> [String; 2] {
    let path = path.trim_end_matches('/');
    [path.to_owned(), format!("{path}/")]
}

fn every_path() -> Vec<String> {
    let paths = POSTS.iter().chain(&GETS);
    paths
        .flat_map(|path| with_and_without_slash(path))
        .filter(|path| path != "/v1/actions/" && path != "/v1/schema/actions/")
        .collect()
}

async fn served() -> (Shop, Router) {
    let shop = Shop::open().await;
    let metrics = HttpMetrics::register(&prometheus::Registry::new()).unwrap();
    let router = observe(shop.router.clone(), metrics);
    (shop, router)
}

fn assert_open_to_the_page(answer: &Answer, what: &str) {
    assert_eq!(
        answer.header("access-control-allow-origin"),
        ORIGIN.1,
        "{what}"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert!(answer.header("vary").contains("origin"), "{what}");
}

#[tokio::test]
async fn any_page_may_send_after_a_preflight() {
    let (_shop, router) = served().await;
    let asked = "authorization,content-type,x-retry-count,anonymousid,sentat,rsa-key";
    for path in every_path() {
        let preflight = Request::options(&path)
            .header(ORIGIN.0, ORIGIN.1)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", asked)
            .body(Body::empty())
            .unwrap();
        let answer = answer_of(router.clone(), preflight).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_open_to_the_page(&answer, &path);
        assert_eq!(answer.header("access-control-allow-headers"), asked);
        assert_eq!(answer.header("access-control-allow-methods"), "GET,POST");
        assert_eq!(answer.header("access-control-max-age"), "7200");
    }
}

#[tokio::test]
async fn a_page_may_read_refusals_too() {
    let (shop, router) = served().await;
    let key = basic(WRITE_KEY);
    let keyed = [ORIGIN, ("authorization", &*key)];
    let body = json!({"batch": [{"type": "page", "userId": "a"}], "type": "cart_view",
        "shopper": {"user_id": "a"}, "event": "e", "name": "n", "userId": "a", "groupId": "g", "previousId": "p"});
    for path in POSTS {
        let unknown = answer_of(router.clone(), post(path, &[ORIGIN], body.to_string())).await;
        assert_eq!(unknown.status, 401, "{path}");
        assert_open_to_the_page(&unknown, path);
        let malformed = answer_of(router.clone(), post(path, &keyed, "{")).await;
        assert_eq!(malformed.status, 400, "{path}");
        assert_open_to_the_page(&malformed, path);
        shop.log.faults().set_away(true);
        let away = answer_of(router.clone(), post(path, &keyed, body.to_string())).await;
        assert_eq!(away.status, 503, "{path}");
        assert_open_to_the_page(&away, path);
        assert!(away.header("retry-after").parse::<u32>().unwrap() >= 1);
        // What is sent, and nothing that never is.
        assert_eq!(away.header("access-control-expose-headers"), "retry-after");
        shop.log.faults().set_away(false);
        shop.log_health.there();
    }
}

#[tokio::test]
async fn another_method_is_refused_and_says_which_it_would_be() {
    let (_shop, router) = served().await;
    for (paths, method, allowed) in [
        (&POSTS[..], Method::GET, "POST"),
        (&GETS[..], Method::POST, "GET,HEAD"),
        (&GETS[..], Method::DELETE, "GET,HEAD"),
    ] {
        for path in paths {
            let request = Request::builder().method(&method).uri(*path);
            let answer = answer_of(router.clone(), request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 405, "{path}");
            assert_eq!(answer.header("allow"), allowed, "{path}");
        }
    }
}

/// A body that every route of POST takes, with a good event and, where there may be several, a bad one.
fn mixed() -> Value {
    json!({
        "batch": [{"type": "page", "name": "Home", "userId": "ann", "messageId": "m-1"}, {"type": "page"}],
        "event": "Something", "name": "Home", "userId": "ann", "groupId": "club", "previousId": "b", "messageId": "m-1",
        "timestamp": "2026-11-22T07:59:00Z", "sentAt": "2026-11-22T08:00:00Z",
        "actions": [{"type": "cart_view", "id": "m-1", "shopper": {"user_id": "ann"}}, 7],
    })
}

#[tokio::test]
async fn a_dry_run_on_every_route_explains_and_stores_and_counts_nothing() {
    let shop = Shop::open().await;
    shop.log_health
        .not_there(&LogError::Away("no answer".to_owned()));
    let mut explained = 0;
    for path in POSTS {
        for wanted in ["1", "true"] {
            let path = format!("{path}?dry_run={wanted}");
            let answer = shop.post(&path, mixed().to_string()).await;
            assert_eq!(answer.status, 200, "{path} {answer:?}");
            assert_eq!(answer.json["dry_run"], true);
            let events = answer.json["events"].as_array().unwrap();
            let first = &events[0];
            assert_eq!(first["outcome"], "accepted", "{path}");
            assert_eq!(first["stored"]["id"], "m-1");
            let shown = first["stored"]["shopper"]["user"].as_str().unwrap();
            assert_ne!(
                shown,
                pseudonym_of("ann"),
                "a public key learns no pseudonym"
            );
            assert_eq!(first["stored"]["type"], first["type"]);
            assert!(!first.to_string().contains("ann"), "{first}");
            if let Some(second) = events.get(1) {
                assert_eq!(second["outcome"], "rejected");
                assert_eq!(second["code"], answer.json["rejected"][0]["code"]);
            }
            explained += events.len();
        }
    }
    assert_eq!(shop.stored().await, 0);
    let metrics = &shop.metrics;
    assert_eq!(metrics.dry_run_events.get(), explained as u64);
    assert_eq!(
        metrics.receipts.with_label_values(&["accepted", ""]).get(),
        0
    );
    assert_eq!(metrics.batch_events.get_sample_count(), 0);
    assert_eq!(metrics.ids_made.get(), 0);
}

#[tokio::test]
async fn a_dry_run_tells_how_times_came_about_and_what_is_ignored() {
    let shop = Shop::open().await;
    let shopper = json!({"user_id": "ann", "userId": "ann"});
    let actions = json!({"actions": [
        {"type": "cart_view", "shopper": shopper},
        {"type": "cart_view", "shopper": {"user_id": "ann"}, "at": "2026-11-22T07:00:00Z"},
        {"type": "cart_view", "shopper": {"user_id": "ann"}, "at": "2029-01-01T00:00:00Z"},
        {"type": "cart_view", "at": "2026-11-22T05:00:00Z"},
        {"type": "cart_view", "shopper": {"user_id": "ann"}, "at": "2026-11-22T05:00:00Z",
         "sent_at": "2026-11-22T05:00:01Z", "cart_idd": "c"},
    ]});
    let answer = shop
        .post("/v1/actions?dry_run=1", actions.to_string())
        .await;
    let events = answer.json["events"].as_array().unwrap();
    let time = |at: usize| {
        let time = &events[at]["time"];
        (
            time["basis"].as_str().unwrap(),
            time["clamped"].as_bool().unwrap(),
        )
    };
    assert_eq!(time(0), ("received", false));
    assert_eq!(time(1), ("senders_clock", false));
    assert_eq!(time(2), ("senders_clock", true));
    assert_eq!(events[3]["code"], "missing_identity");
    assert_eq!(time(4), ("corrected_clock", false));
    assert_eq!(events[4]["time"]["at"], "2026-11-22T07:59:59.000Z");
    assert_eq!(events[4]["stored"]["at"], "2026-11-22T07:59:59.000Z");
    assert_eq!(events[4]["time"]["sent"], "2026-11-22T05:00:00.000Z");
    assert_eq!(
        events[0]["ignored"],
        json!([{"member": "shopper.userId", "did_you_mean": "user_id"}])
    );
    assert_eq!(
        events[4]["ignored"],
        json!([{"member": "cart_idd", "did_you_mean": "cart_id"}])
    );
    assert!(events[1].get("ignored").is_none());
}

#[tokio::test]
async fn a_dry_run_needs_a_key_and_a_clear_wish() {
    let shop = Shop::open().await;
    for path in ["/v1/actions", "/v1/batch", "/v1/t"] {
        let unknown = post(&format!("{path}?dry_run=1"), &[], mixed().to_string());
        assert_eq!(shop.send(unknown).await.status, 401);
        for unclear in ["0", "yes", "", "1&dry_run=2"] {
            let answer = shop
                .post(&format!("{path}?dry_run={unclear}"), mixed().to_string())
                .await;
            assert_eq!(
                (answer.status, &answer.json["field"]),
                (400, &json!("dry_run")),
                "{unclear}"
            );
        }
    }
    assert_eq!(shop.stored().await, 0);
}

async fn document() -> Value {
    serde_json::to_value(Shop::open().await.document).unwrap()
}

#[tokio::test]
async fn the_document_describes_every_path() {
    let document = document().await;
    let paths = document["paths"].as_object().unwrap();
    for path in POSTS {
        let described = &paths[path]["post"];
        for status in ["200", "400", "401", "503"] {
            assert!(
                described["responses"][status].is_object(),
                "{path} {status}"
            );
        }
        assert!(described["requestBody"]["content"]["application/json"].is_object());
    }
    for path in GETS {
        let path = path.replace("/k/", "/{key}/");
        assert!(paths[&path]["get"].is_object(), "{path}");
    }
    assert_eq!(paths.len(), POSTS.len() + GETS.len());
    let mut ids: Vec<_> = paths
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    found.push(target.clone());
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document().await;
    let mut found = Vec::new();
    references(&document, &mut found);
    found.retain(|target| target != "#/components/schemas/Problem");
    assert!(found.len() > 100, "{}", found.len());
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}
