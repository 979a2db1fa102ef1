//! Sends batches until they are answered.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, StatusCode, Url, header::RETRY_AFTER};
use serde::Deserialize;

use super::backoff::Backoff;

/// How long one try may take. A server that stores a batch durably answers within milliseconds.
const TRY_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where batches go, and on whose behalf.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    client: Client,
    url: Url,
    member: &'static str,
    write_key: String,
    run: String,
}

/// What the server said of a batch.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Receipts {
    /// Events stored.
    pub(crate) accepted: u64,
    /// Events refused.
    #[serde(default)]
    pub(crate) rejected: Vec<Refused>,
}

/// One event refused.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Why, by a stable name.
    pub(crate) code: String,
    /// Its place in the batch, from 0.
    #[serde(default)]
    pub(crate) index: u64,
    /// Why, for people.
    #[serde(default)]
    pub(crate) message: String,
}

/// How a batch was answered in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) receipts: Receipts,
    /// How many tries went before the one that was answered.
    pub(crate) retries: u64,
}

/// What became of one try.
enum Try {
    Answered(Receipts),
    /// Not answered, or not now: for this cause, and not again before this long.
    Again(String, Option<Duration>),
}

impl Sender {
    /// Sends to `path` of the server at `base`, with items as the list `member` of the body, as the import run `run`.
    pub(crate) fn new(base: &Url, path: &str, member: &'static str, write_key: &str, run: &str) -> anyhow::Result<Self> {
        let client = client()?;
        let url = base.join(path).with_context(|| format!("--to {base}"))?;
        Ok(Self { client, url, member, write_key: write_key.to_owned(), run: run.to_owned() })
    }

    /// Sends `items` until they are answered, saying to `on_retry` why a try failed.
    ///
    /// # Errors
    /// The server refuses the batch as a whole: trying again would not help.
    pub(crate) async fn send(&self, items: &[String], on_retry: impl Fn(&str)) -> anyhow::Result<Answered> {
        let body = format!("{{\"{}\":[{}]}}", self.member, items.join(","));
        let mut backoff = Backoff::new();
        let mut retries = 0;
        loop {
            match self.try_once(body.clone()).await? {
                Try::Answered(receipts) => {
                    let answered = receipts.accepted + receipts.rejected.len() as u64;
                    if answered != items.len() as u64 {
                        bail!("{} answered for {answered} of {} events", self.url, items.len());
                    }
                    return Ok(Answered { receipts, retries });
                }
                Try::Again(cause, not_before) => {
                    on_retry(&cause);
                    retries += 1;
                    backoff.wait(not_before).await;
                }
            }
        }
    }

    async fn try_once(&self, body: String) -> anyhow::Result<Try> {
        let sent = self
            .client
            .post(self.url.clone())
            .basic_auth(&self.write_key, Some(""))
            .header("Foretide-Import", &self.run)
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) if error.is_builder() => return Err(error.into()),
            Err(error) => return Ok(Try::Again(cause_of(&error), None)),
        };
        let status = response.status();
        let not_before = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = match response.text().await {
            Ok(text) => text,
            Err(error) => return Ok(Try::Again(cause_of(&error), None)),
        };
        if status == StatusCode::OK {
            let receipts = serde_json::from_str(&text).with_context(|| format!("{} answered: {text}", self.url))?;
            return Ok(Try::Answered(receipts));
        }
        if status.is_server_error() || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status) {
            return Ok(Try::Again(format!("the server answered {status}"), not_before.map(Duration::from_secs)));
        }
        bail!("{} refused a batch with {status}: {}", self.url, text.trim());
    }
}

/// A client that never goes elsewhere than it was told and never waits for ever.
pub(crate) fn client() -> anyhow::Result<Client> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TRY_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("setting up the HTTP client")
}

/// The innermost cause, which is what tells: "connection refused" rather than "error sending request".
pub(crate) fn cause_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_routes_answers_are_understood() {
        let native = r#"{"accepted":1,"rejected":[{"index":1,"id":"x","code":"invalid_field","field":"at","message":"is not a time"}]}"#;
        let receipts: Receipts = serde_json::from_str(native).unwrap();
        assert_eq!((receipts.accepted, receipts.rejected[0].code.as_str()), (1, "invalid_field"));
        let segment = r#"{"success":true,"accepted":2}"#;
        assert_eq!(serde_json::from_str::<Receipts>(segment).unwrap().accepted, 2);
    }
}
