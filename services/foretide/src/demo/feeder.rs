//! Sends what the pretend shoppers do, through the HTTP API.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use foretide_runtime::SharedClock;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Stage;

/// Between two batches.
const PACE: Duration = Duration::from_millis(200);
/// Actions in one request.
const BATCH: usize = 500;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What the server said of what was sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) accepted: AtomicU64,
    pub(super) rejected: AtomicU64,
}

/// Sends for ever.
pub(super) struct Feeder {
    stage: Stage,
    clock: SharedClock,
    sent: Arc<Sent>,
}

#[derive(Deserialize)]
struct Receipts {
    accepted: u64,
    rejected: Vec<Value>,
}

impl Feeder {
    pub(super) fn new(stage: Stage, clock: SharedClock) -> Self {
        Self {
            stage,
            clock,
            sent: Arc::default(),
        }
    }

    /// The running counts.
    pub(super) fn sent(&self) -> Arc<Sent> {
        Arc::clone(&self.sent)
    }

    /// Sends the past of the regulars, then what happens as it happens.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let history = {
            let now_ms = self.clock.now_ms();
            self.stage.simulator.lock().history(now_ms)
        };
        self.send_all(&history).await?;
        loop {
            let happened = {
                let now_ms = self.clock.now_ms();
                self.stage.simulator.lock().advance(now_ms)
            };
            self.send_all(&happened).await?;
            tokio::time::sleep(PACE).await;
        }
    }

    async fn send_all(&self, actions: &[Value]) -> anyhow::Result<()> {
        for batch in actions.chunks(BATCH) {
            self.send(batch).await?;
        }
        Ok(())
    }

    /// Sends one batch until it is answered.
    async fn send(&self, batch: &[Value]) -> anyhow::Result<()> {
        let url = format!("{}/v1/actions", self.stage.base);
        let body = json!({ "actions": batch });
        loop {
            let sent = self
                .stage
                .client
                .post(&url)
                .basic_auth(&self.stage.write_key, Some(""))
                .json(&body)
                .send()
                .await;
            match sent {
                Ok(response) if response.status() == StatusCode::OK => {
                    let receipts: Receipts =
                        response.json().await.context("reading the receipts")?;
                    self.sent
                        .accepted
                        .fetch_add(receipts.accepted, Ordering::Relaxed);
                    self.sent
                        .rejected
                        .fetch_add(receipts.rejected.len() as u64, Ordering::Relaxed);
                    if let Some(first) = receipts.rejected.first() {
                        tracing::warn!(%first, "a pretend shopper's action was refused");
                    }
                    return Ok(());
                }
                Ok(response)
                    if response.status().is_client_error()
                        && response.status() != StatusCode::TOO_MANY_REQUESTS =>
                {
                    bail!(
                        "{url} answered {}: {}",
                        response.status(),
                        response.text().await.unwrap_or_default()
                    );
                }
                Ok(response) => tracing::warn!(status = %response.status(), "sending again"),
                Err(error) => tracing::warn!(%error, "sending again"),
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }
}
