//! The server's HTTP API, as a shop and its staff use it.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, Url};
use serde_json::Value;

use crate::sending::{Receipts, Sender};

const TIMEOUT: Duration = Duration::from_secs(10);

/// One server.
#[derive(Clone, Debug)]
pub(super) struct Api {
    /// The address of the public port.
    pub(super) base: String,
    pub(super) write_key: String,
    pub(super) admin_key: String,
    client: Client,
    actions: Sender,
}

impl Api {
    pub(super) fn new(at: SocketAddr, write_key: &str, admin_key: &str) -> anyhow::Result<Self> {
        let base = format!("http://{at}");
        let url: Url = base.parse()?;
        Ok(Self {
            actions: Sender::new(&url, "/v1/actions", write_key, None)?,
            client: Client::builder().no_proxy().timeout(TIMEOUT).build()?,
            base,
            write_key: write_key.to_owned(),
            admin_key: admin_key.to_owned(),
        })
    }

    /// Sends a body of so many actions until it is answered.
    pub(super) async fn send(&self, body: Vec<u8>, actions: usize) -> anyhow::Result<Receipts> {
        let on_retry = |cause: &str| tracing::warn!(%cause, "sending again");
        let answered = self.actions.send(body, actions, on_retry).await?;
        if let Some(first) = answered.receipts.rejected.first() {
            tracing::warn!(code = %first.code, message = %first.message, "a pretend shopper's action was refused");
        }
        Ok(answered.receipts)
    }

    /// What is at `path`; `None` where it cannot be had.
    pub(super) async fn get(&self, path: &str) -> Option<Value> {
        self.ask(self.client.get(format!("{}{path}", self.base)))
            .await
    }

    /// What `path` answers to `body`; `None` where it cannot be had.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let request = self.client.post(format!("{}{path}", self.base));
        self.ask(request.json(body)).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Option<Value> {
        let response = request
            .basic_auth(&self.admin_key, Some(""))
            .send()
            .await
            .ok()?;
        response.error_for_status().ok()?.json().await.ok()
    }
}
