use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::{Json, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    super::{args::args, summary::Summary},
    *,
};

/// A server that refuses one action and is away for every third request, having kept what it got.
#[derive(Default)]
struct Server {
    requests: AtomicUsize,
    /// The ids of the actions that were acknowledged, by shopper, in order.
    ids: Mutex<BTreeMap<String, Vec<String>>>,
    times: Mutex<Vec<String>>,
}

async fn take(State(server): State<Arc<Server>>, Json(body): Json<Value>) -> Response {
    if server.requests.fetch_add(1, Ordering::SeqCst) % 3 == 1 {
        return (StatusCode::SERVICE_UNAVAILABLE, [("Retry-After", "0")]).into_response();
    }
    let actions = body["actions"].as_array().unwrap();
    for action in actions {
        let shopper = action["shopper"].to_string();
        let id = action["id"].as_str().unwrap().to_owned();
        server.ids.lock().entry(shopper).or_default().push(id);
        server
            .times
            .lock()
            .push(action["at"].as_str().unwrap().to_owned());
    }
    let first = json!({ "index": 0, "code": "invalid_field", "field": "at", "message": "is odd" });
    Json(json!({ "accepted": actions.len() - 1, "rejected": [first] })).into_response()
}

async fn decide() -> Json<Value> {
    let offer = json!({ "kind": "discount", "percent": 10 });
    Json(json!({ "decision_id": "d-1", "offer": offer, "degraded": false }))
}

async fn server() -> (Arc<Server>, String) {
    let server = Arc::new(Server::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/v1/actions", post(take))
        .route("/v1/decisions", post(decide))
        .with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (server, url)
}

async fn played(url: &str, words: &str) -> Summary {
    let args = args(&format!("--to {url} --write-key w {words}"));
    let tally = Arc::new(Tally::default());
    let stop = CancellationToken::new();
    play(&args, Timeline::of(&args), &tally, stop)
        .await
        .unwrap();
    Summary::of(&args, &tally)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_due_is_answered_for_though_the_server_is_away_now_and_then() {
    let (server, url) = server().await;
    let summary = played(
        &url,
        "--rate 400 --duration 1 --shoppers 100 --connections 3 --batch 50 --admin-key a --decisions",
    )
    .await;
    assert_eq!((summary.sent, summary.unsent), (400, 0));
    assert_eq!(summary.accepted + summary.rejected["invalid_field"], 400);
    assert!(summary.retried > 0 && summary.p99_ms >= summary.p50_ms);
    assert!(summary.decisions > 0 && summary.asked.failed == 0);
    summary.verdict().unwrap();
    let ids = server.ids.lock();
    let distinct: BTreeSet<_> = ids.values().flatten().collect();
    assert_eq!(
        distinct.len(),
        400,
        "a batch is sent again only when it was not acknowledged"
    );
    let place = |id: &String| -> Vec<u64> {
        id.split('-')
            .skip(3)
            .map(|part| u64::from_str_radix(part, 16).unwrap())
            .collect()
    };
    for ids in ids.values() {
        assert!(
            ids.is_sorted_by_key(place),
            "no shopper's action was overtaken: {ids:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_played_to_its_end_and_alone_if_no_load_was_asked_for() {
    let (server, url) = server().await;
    let words = "--days 2 --as-fast-as-possible --shoppers 60 --as-of 2026-11-01T00:00:00Z";
    let summary = played(&url, words).await;
    assert!(summary.sent > 100 && summary.unsent == 0);
    assert_eq!(summary.kept_rate, None);
    let times = server.times.lock();
    let days = "2026-10-30T00:00:00.000Z".to_owned()..="2026-11-01T00:00:00.000Z".to_owned();
    assert!(times.iter().all(|at| days.contains(at)));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_which_none_is_answered_fail_the_run_with_the_cause() {
    let refuse = async || (StatusCode::UNAUTHORIZED, "the key is not known here");
    let (taking, url) = server().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scoring = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/decisions", post(refuse));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let words = "--rate 400 --duration 1 --shoppers 100 --admin-key wrong --decisions";
    let summary = played(&url, &format!("{words} --scoring {scoring}")).await;
    assert_eq!((summary.sent, summary.decisions), (400, 0));
    assert!(summary.asked.failed > 0 && taking.requests.load(Ordering::SeqCst) > 0);
    let verdict = summary.verdict().unwrap_err().to_string();
    for words in ["401", "not known here", "--admin-key", &scoring] {
        assert!(verdict.contains(words), "{verdict}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_know_the_key_ends_it_with_its_words() {
    let refuse = async || (StatusCode::UNAUTHORIZED, "the key is not known here");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/actions", post(refuse));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let args = args(&format!(
        "--to {url} --write-key w --rate 1000 --duration 1"
    ));
    let tally = Arc::new(Tally::default());
    let played = play(&args, Timeline::of(&args), &tally, CancellationToken::new()).await;
    let refusal = played.unwrap_err().to_string();
    assert!(
        refusal.contains("401") && refusal.contains("not known here"),
        "{refusal}"
    );
}
