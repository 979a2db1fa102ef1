//! Questions: put as they come up, answered while the shoppers go on.

use std::{sync::Arc, time::Duration};

use foretide_simulator::{Ask, Offer, Simulator};
use parking_lot::Mutex;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::tally::Tally;
use crate::sending::{cause_of, what_to_do};

/// So many questions may be open at once; beyond, they are not put.
const OPEN: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Puts questions to a server.
#[derive(Clone)]
pub(super) struct Decisions {
    client: Client,
    url: Url,
    admin_key: String,
    open: Arc<Semaphore>,
    simulator: Arc<Mutex<Simulator>>,
    tally: Arc<Tally>,
}

impl Decisions {
    pub(super) fn new(
        base: &Url,
        admin_key: &str,
        simulator: &Arc<Mutex<Simulator>>,
        tally: &Arc<Tally>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::builder().no_proxy().timeout(TIMEOUT).build()?,
            url: base.join("v1/decisions")?,
            admin_key: admin_key.to_owned(),
            open: Arc::new(Semaphore::new(OPEN)),
            simulator: Arc::clone(simulator),
            tally: Arc::clone(tally),
        })
    }

    /// Puts `ask`, with `body` as the question, on a task of its own.
    pub(super) fn put(&self, ask: Ask, body: Value, runtime: &tokio::runtime::Handle) {
        let Ok(permit) = Arc::clone(&self.open).try_acquire_owned() else {
            self.tally.decided(|decisions| decisions.skipped += 1);
            return;
        };
        let this = self.clone();
        runtime.spawn(async move {
            let began = tokio::time::Instant::now();
            match this.answer(&body).await {
                Ok(answer) => {
                    this.tally.decided.add([began.elapsed()].into_iter());
                    this.show(&ask, &answer);
                }
                Err(cause) => this.tally.unanswered(&cause),
            }
            drop(permit);
        });
    }

    /// Waits until no question is open.
    pub(super) async fn settled(&self) {
        let all = u32::try_from(OPEN).unwrap_or(u32::MAX);
        drop(self.open.acquire_many(all).await);
    }

    /// The answer to `body`, or why there is none.
    async fn answer(&self, body: &Value) -> Result<Value, String> {
        let lost = |error: &reqwest::Error| {
            let cause = cause_of(error);
            format!(
                "{} does not answer ({cause}): is it up, and is that its address (--to, or --scoring where the services run alone)?",
                self.url
            )
        };
        let request = self.client.post(self.url.clone()).json(body);
        let request = request.basic_auth(&self.admin_key, Some(""));
        let response = request.send().await.map_err(|error| lost(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| lost(&error))?;
        if status != StatusCode::OK {
            return Err(format!(
                "{} answered {status}: {}{}",
                self.url,
                text.trim(),
                what_to_do(status, "--admin-key")
            ));
        }
        serde_json::from_str(&text).map_err(|error| format!("{} answered: {error}", self.url))
    }

    fn show(&self, ask: &Ask, answer: &Value) {
        let offer = Offer::of_answer(answer);
        let id = answer["decision_id"].as_str().unwrap_or_default();
        let effect = self.simulator.lock().respond(ask, id, offer.as_ref());
        let degraded = answer["degraded"].as_bool().unwrap_or_default();
        self.tally
            .decided(|decisions| decisions.add(offer.as_ref(), effect.as_ref(), degraded));
    }
}
