//! What became of the events of an import, as the server counts them on its log.

use anyhow::{Context as _, bail};
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;

use crate::sending::{Backoff, cause_of, client, what_to_do};

/// How long one question may wait for the fold, in milliseconds.
const WAIT_MS: u32 = 10_000;

/// The counts of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Fates {
    pub(crate) folded: u64,
    pub(crate) duplicate: u64,
    pub(crate) late: u64,
}

impl Fates {
    /// Events of the source on the log.
    pub(crate) fn on_the_log(self) -> u64 {
        self.folded + self.duplicate + self.late
    }
}

#[derive(Debug, Deserialize)]
struct Reply {
    #[serde(flatten)]
    fates: Fates,
    /// Whether everything that was on the log when the question came has been folded.
    complete: bool,
}

/// Asks for the fates of one source.
pub(crate) struct FatesClient {
    client: Client,
    url: Url,
    admin_key: String,
}

impl FatesClient {
    pub(crate) fn new(base: &Url, source: &str, admin_key: &str) -> anyhow::Result<Self> {
        let url = base
            .join(&format!("v1/sources/{source}"))
            .with_context(|| format!("asking {base}"))?;
        Ok(Self {
            client: client()?,
            url,
            admin_key: admin_key.to_owned(),
        })
    }

    /// Asks once without waiting, so that a wrong key is told before anything is sent. A server that is away is no
    /// error.
    pub(crate) async fn check_key(&self) -> anyhow::Result<()> {
        self.ask(0).await.map(|_| ())
    }

    /// Waits until all that was sent is folded and returns the counts. Asks again however often the server is away.
    ///
    /// # Errors
    /// The server refuses the question.
    pub(crate) async fn settled(&self) -> anyhow::Result<Fates> {
        let mut backoff = Backoff::new();
        loop {
            match self.ask(WAIT_MS).await? {
                Some(reply) if reply.complete => return Ok(reply.fates),
                Some(_) => {}
                None => backoff.wait(None).await,
            }
        }
    }

    /// One question; `None` when the server is away.
    async fn ask(&self, wait_ms: u32) -> anyhow::Result<Option<Reply>> {
        let question = self
            .client
            .get(self.url.clone())
            .query(&[("wait_ms", wait_ms)]);
        let asked = question.basic_auth(&self.admin_key, Some("")).send().await;
        let response = match asked {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(cause = cause_of(&error), "the server is away");
                return Ok(None);
            }
        };
        let status = response.status();
        let Ok(text) = response.text().await else {
            return Ok(None);
        };
        match status {
            StatusCode::OK => {
                Ok(Some(serde_json::from_str(&text).with_context(|| {
                    format!("{} answered: {text}", self.url)
                })?))
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Ok(None)
            }
            status => bail!(
                "{} answered {status}: {}{}",
                self.url,
                text.trim(),
                what_to_do(status, "--admin-key")
            ),
        }
    }
}
