//! The floor for embedded ingest: parse the batch, append the body to a file, sync it, answer.
//!
//! `peer-axum-append LISTEN FILE`

#[path = "../plain_action.rs"]
mod plain_action;

use std::{fs::File, io::Write as _, sync::Arc};

use axum::{Json, Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use plain_action::Batch;
use serde_json::{Value, json};
use tokio::sync::Mutex;

async fn take(
    State(file): State<Arc<Mutex<File>>>,
    body: Bytes,
) -> Result<Json<Value>, StatusCode> {
    let batch: Batch = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut file = file.lock_owned().await;
    let append = move || file.write_all(&body).and_then(|()| file.sync_data());
    let appended = tokio::task::spawn_blocking(append).await;
    match appended {
        Ok(Ok(())) => Ok(Json(json!({ "accepted": batch.actions.len() }))),
        _ => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, listen, path] = &arguments[..] else {
        anyhow::bail!("usage: peer-axum-append LISTEN FILE");
    };
    let file = Arc::new(Mutex::new(
        File::options().create(true).append(true).open(path)?,
    ));
    let router = Router::new()
        .route("/v1/actions", post(take))
        .with_state(file);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    axum::serve(listener, router).await?;
    Ok(())
}
