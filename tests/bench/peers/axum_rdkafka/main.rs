//! The peer for ingest over Kafka: what an engineer writes in an afternoon. It parses the batch, produces each action
//! under its shopper's id and answers when all deliveries of the batch are confirmed. No validation, no pseudonyms, no
//! receipts.
//!
//! `peer-axum-rdkafka LISTEN BROKERS TOPIC`

#[path = "../plain_action.rs"]
mod plain_action;

use std::time::Duration;

use axum::{Json, Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use futures_util::future::try_join_all;
use plain_action::Batch;
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};

#[derive(Clone)]
struct Peer {
    producer: FutureProducer,
    topic: String,
}

async fn take(State(peer): State<Peer>, body: Bytes) -> Result<Json<Value>, StatusCode> {
    let batch: Batch = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let deliveries = batch.actions.iter().map(|action| {
        let peer = &peer;
        async move {
            let payload = serde_json::to_vec(action).map_err(|_| ())?;
            let record = FutureRecord::to(&peer.topic)
                .key(&action.shopper.user_id)
                .payload(&payload);
            peer.producer
                .send(record, Duration::from_secs(5))
                .await
                .map_err(|_| ())
        }
    });
    try_join_all(deliveries)
        .await
        .map_err(|()| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(json!({ "accepted": batch.actions.len() })))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, listen, brokers, topic] = &arguments[..] else {
        anyhow::bail!("usage: peer-axum-rdkafka LISTEN BROKERS TOPIC");
    };
    let producer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .create()?;
    let peer = Peer {
        producer,
        topic: topic.clone(),
    };
    let router = Router::new()
        .route("/v1/actions", post(take))
        .with_state(peer);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    axum::serve(listener, router).await?;
    Ok(())
}
