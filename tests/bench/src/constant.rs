//! The floor of HTTP (F1): axum answering a constant.

use std::net::SocketAddr;

use axum::{Router, http::header::CONTENT_TYPE, routing::post, serve::ListenerExt as _};
use bytes::Bytes;
use tokio::net::TcpListener;

/// Answers every `POST /v1/decisions` on `listen` with `answer`. It looks at neither the headers nor the body.
pub async fn serve(listen: SocketAddr, answer: Bytes) -> anyhow::Result<()> {
    let constant = move || async move { ([(CONTENT_TYPE, "application/json")], answer) };
    let listener = TcpListener::bind(listen).await?.tap_io(|stream| {
        // As the product does: an answer is not held back to fill a packet.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(
        listener,
        Router::new().route("/v1/decisions", post(constant)),
    )
    .await?;
    Ok(())
}
