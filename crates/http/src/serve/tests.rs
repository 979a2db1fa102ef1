//! Real connections: how they end, and that a refusal reaches a client that is still sending.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    response::IntoResponse as _,
    routing::{get, post},
};
use foretide_runtime::Lifecycle;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

use super::{CONNECTION_BYTES, serve};
use crate::{BodyLimits, MemoryBudget, Protection, protect, read_body};

/// Longer than any test takes.
const LONG: Duration = Duration::from_hours(1);

async fn start(router: Router) -> (SocketAddr, Lifecycle, JoinHandle<anyhow::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let lifecycle = Lifecycle::new(LONG);
    let serving = tokio::spawn(serve(listener, router, lifecycle.clone()));
    (address, lifecycle, serving)
}

async fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// A route that answers once told to, and tells when it was asked.
fn held() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&asked), Arc::clone(&answer));
    let handler = move || async move {
        tell.notify_one();
        wait.notified().await;
        "done"
    };
    (Router::new().route("/", get(handler)), asked, answer)
}

#[tokio::test]
async fn at_the_soft_signal_a_request_that_has_begun_is_finished() {
    let (router, asked, answer) = held();
    let (address, lifecycle, serving) = start(router).await;
    let client = tokio::spawn(async move { ask(address, GET).await });
    asked.notified().await;
    lifecycle.shut_down();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!serving.is_finished());
    answer.notify_one();
    assert!(client.await.unwrap().ends_with("done"));
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_head_that_does_not_end_is_refused_before_it_takes_much_memory() {
    let (router, ..) = held();
    let (address, ..) = start(router).await;
    let mut head = b"GET / HTTP/1.1\r\nx: ".to_vec();
    head.resize(CONNECTION_BYTES, b'a');
    assert!(ask(address, &head).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn at_the_soft_signal_idle_connections_are_closed() {
    let (router, _, answer) = held();
    let (address, lifecycle, serving) = start(router).await;
    answer.notify_one();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    lifecycle.shut_down();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn at_the_hard_signal_requests_are_dropped() {
    let (router, asked, _answer) = held();
    let (address, lifecycle, serving) = start(router).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    asked.notified().await;
    lifecycle.shut_down();
    lifecycle.hard().cancel();
    serving.await.unwrap().unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
}

/// A route that takes bodies of up to 1000 bytes.
fn small() -> Router {
    async fn handler(request: Request) -> axum::response::Response {
        let limits = BodyLimits {
            sent_bytes: 1_000,
            decompressed_bytes: 1_000,
        };
        match read_body(request, limits, &MemoryBudget::new(10_000)).await {
            Ok((_, body)) => body.len().to_string().into_response(),
            Err(problem) => problem.into_response(),
        }
    }
    let protection = Protection::new(8, LONG);
    protect(Router::new().route("/", post(handler)), protection)
}

async fn within_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), work)
        .await
        .expect("hangs")
}

#[tokio::test]
async fn a_client_that_sends_far_too_much_still_reads_why() {
    let (address, _lifecycle, _serving) = start(small()).await;
    let head =
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 20000000\r\n\r\n";
    let request = [head.as_bytes(), &vec![b'x'; 20_000_000]].concat();
    let answer = within_time(ask(address, &request)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("more than 1000 bytes"), "{answer}");
}

#[tokio::test]
async fn a_client_that_waits_for_a_go_ahead_is_refused_without_sending() {
    let (address, _lifecycle, _serving) = start(small()).await;
    let head =
        "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 20000000\r\n\r\n";
    let answer = within_time(ask(address, head.as_bytes())).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_in_chunks_is_read_like_any_other() {
    let (address, _lifecycle, _serving) = start(small()).await;
    let request = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    let answer = within_time(ask(address, request.as_bytes())).await;
    assert!(answer.ends_with("\r\n\r\n7"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_sends_no_head_is_closed_after_a_while() {
    let (router, _, answer) = held();
    let (address, ..) = start(router).await;
    answer.notify_one();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    idle.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"),
        "{answer}"
    );
}
