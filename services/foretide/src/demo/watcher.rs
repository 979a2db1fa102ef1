//! Looks at the server through its API, as a shop and its staff would: decisions for live shoppers, a profile, the
//! fates.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Stage, feeder::Sent};
use crate::serve::Running;

/// How many shoppers are decided for each second, of each kind.
const LOOKED_AT: usize = 4;
/// For how many looks an example stays.
const EXAMPLE_STAYS: usize = 4;

/// What goes on, at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Snapshot {
    /// Since the start.
    pub(super) seconds: u64,
    /// Over the last second.
    pub(super) events_per_second: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// Shoppers with a profile.
    pub(super) shoppers: usize,
    /// `GET /v1/sources/{source}`.
    pub(super) fates: Value,
    /// Decisions so far, by the kind of offer.
    pub(super) offers: BTreeMap<String, u64>,
    /// The latest shopper who was made an offer.
    pub(super) example: Option<Example>,
}

/// One shopper, as the API tells.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Example {
    /// How the shop names the shopper.
    pub(super) shopper: Value,
    pub(super) decision: Value,
    pub(super) profile: Value,
}

/// Takes snapshots.
pub(super) struct Watcher {
    stage: Stage,
    sent: Arc<Sent>,
    running: Running,
    source: String,
    since: Instant,
    offers: BTreeMap<String, u64>,
    example: Option<Example>,
    turn: usize,
    last: (Instant, u64),
}

impl Watcher {
    pub(super) fn new(stage: Stage, sent: Arc<Sent>, running: Running) -> Self {
        let source = format!("key:{}", running.write_fingerprint);
        let since = Instant::now();
        let last = (since, 0);
        Self {
            stage,
            sent,
            running,
            source,
            since,
            offers: BTreeMap::new(),
            example: None,
            turn: 0,
            last,
        }
    }

    /// Decides for a few shoppers and tells how things stand. A question that fails leaves its part as it was.
    pub(super) async fn look(&mut self) -> Snapshot {
        for (shopper, question) in self.questions() {
            let Some(decision) = self.post("/v1/decisions", &question).await else {
                continue;
            };
            let kind = decision["offer"]["kind"]
                .as_str()
                .unwrap_or("none")
                .to_owned();
            *self.offers.entry(kind.clone()).or_default() += 1;
            if self.is_next_example(&kind) {
                self.show(shopper, decision).await;
            }
        }
        self.turn += 1;
        let accepted = self.sent.accepted.load(Ordering::Relaxed);
        Snapshot {
            seconds: self.since.elapsed().as_secs(),
            events_per_second: self.rate(accepted),
            accepted,
            rejected: self.sent.rejected.load(Ordering::Relaxed),
            shoppers: self.running.table.len(),
            fates: self
                .get(&format!("/v1/sources/{}", self.source))
                .await
                .unwrap_or(Value::Null),
            offers: self.offers.clone(),
            example: self.example.clone(),
        }
    }

    /// Whom to decide for: shoppers with carts, and some whose interest is fading.
    fn questions(&self) -> Vec<(Value, Value)> {
        let simulator = self.stage.simulator.lock();
        let carts = simulator.carts().into_iter().cycle().skip(self.turn * LOOKED_AT).take(LOOKED_AT).map(|sighting| {
            let question = json!({ "shopper": sighting.shopper, "session": sighting.session, "cart": sighting.cart });
            (sighting.shopper, question)
        });
        let drifting = simulator
            .drifting()
            .into_iter()
            .cycle()
            .skip(self.turn)
            .take(1);
        carts
            .chain(drifting.map(|shopper| (shopper.clone(), json!({ "shopper": shopper }))))
            .collect()
    }

    /// Whether a decision for an offer of `kind` becomes the example. Each stays a few seconds; every third one shows
    /// recommendations.
    fn is_next_example(&self, kind: &str) -> bool {
        let wanted = if (self.turn / EXAMPLE_STAYS) % 3 == 2 {
            "recommendations"
        } else {
            "discount"
        };
        match self.example {
            None => kind != "none",
            Some(_) => kind == wanted && self.turn.is_multiple_of(EXAMPLE_STAYS),
        }
    }

    async fn show(&mut self, shopper: Value, decision: Value) {
        let Some(id) = decision["shopper_id"].as_str() else {
            return;
        };
        if let Some(profile) = self.get(&format!("/v1/shoppers/{id}")).await {
            self.example = Some(Example {
                shopper,
                decision,
                profile,
            });
        }
    }

    fn rate(&mut self, accepted: u64) -> u64 {
        let (then, before) = std::mem::replace(&mut self.last, (Instant::now(), accepted));
        let elapsed_ms = u64::try_from(then.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        (accepted - before).saturating_mul(1000) / elapsed_ms
    }

    async fn get(&self, path: &str) -> Option<Value> {
        self.ask(self.stage.client.get(format!("{}{path}", self.stage.base)))
            .await
    }

    async fn post(&self, path: &str, body: &Value) -> Option<Value> {
        self.ask(
            self.stage
                .client
                .post(format!("{}{path}", self.stage.base))
                .json(body),
        )
        .await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Option<Value> {
        let response = request
            .basic_auth(&self.stage.admin_key, Some(""))
            .send()
            .await
            .ok()?;
        response.error_for_status().ok()?.json().await.ok()
    }
}
