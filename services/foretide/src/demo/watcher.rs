//! Looks at how things stand: at the server through its API, and at the truth, which the shoppers know.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use foretide_events::EpochMs;
use foretide_simulator::{Effect, EffectSum, Moment, PriceChange, Temperament};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

use super::{
    api::Api,
    learnt::Learnt,
    ledger::Offered,
    shoppers::Sent,
    sight::{Drift, Sight},
    story::{Phase, Story},
};
use crate::serve::Running;

/// For how many looks an example stays.
const EXAMPLE_STAYS: usize = 4;

/// What the server has learnt is asked for at every so manieth look.
const LEARNT_EVERY: usize = 2;

/// What goes on, at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Snapshot {
    /// Since the start.
    pub(super) seconds: u64,
    /// What the clock of the shop shows.
    pub(super) shop_time: EpochMs,
    /// How many seconds of the shop pass in one.
    pub(super) speed: u32,
    /// How far the story is; until it is open the server catches up with the past.
    pub(super) phase: Phase,
    /// Over the last second.
    pub(super) events_per_second: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// Shoppers with a profile.
    pub(super) shoppers: usize,
    /// In the shop now, by temperament.
    pub(super) inside: BTreeMap<&'static str, usize>,
    /// `GET /v1/sources/{source}`.
    pub(super) fates: Value,
    /// Decisions so far, by the kind of offer.
    pub(super) offers: BTreeMap<String, u64>,
    /// What the offers truly did, by their kind.
    pub(super) effects: BTreeMap<&'static str, EffectSum>,
    /// Cohorts, movements and models.
    pub(super) learnt: Learnt,
    /// Decisions so far that rested on a trained model.
    pub(super) by_models: u64,
    /// Whether drift is seen.
    pub(super) drift: Drift,
    /// Products that are reduced now.
    pub(super) reduced: usize,
    /// The latest change of a price.
    pub(super) price_change: Option<Repriced>,
    /// A shopper who was made an offer lately.
    pub(super) example: Option<Example>,
}

/// A product whose price changed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Repriced {
    pub(super) product_id: String,
    pub(super) from_cents: i64,
    pub(super) to_cents: i64,
}

/// One shopper, as the API tells, and what is true.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Example {
    /// How the shop names the shopper.
    pub(super) shopper: Value,
    pub(super) decision: Value,
    pub(super) profile: Value,
    pub(super) temperament: Temperament,
    pub(super) moment: Moment,
    /// What the offer truly does.
    pub(super) effect: Effect,
}

/// Takes snapshots.
pub(super) struct Watcher {
    api: Api,
    story: Arc<Mutex<Story>>,
    sent: Arc<Sent>,
    running: Running,
    source: String,
    speed: u32,
    since: Instant,
    sight: Sight,
    learnt: Learnt,
    priced: EpochMs,
    price_change: Option<Repriced>,
    example: Option<Example>,
    turn: usize,
    last: (Instant, u64),
}

impl Watcher {
    pub(super) fn new(api: Api, story: Arc<Mutex<Story>>, running: Running, speed: u32) -> Self {
        let since = Instant::now();
        let (sent, priced) = {
            let story = story.lock();
            (Arc::clone(&story.ledger.sent), story.opens_at)
        };
        Self {
            source: format!("key:{}", running.write_fingerprint),
            api,
            story,
            sent,
            running,
            speed,
            since,
            sight: Sight::default(),
            learnt: Learnt::default(),
            priced,
            price_change: None,
            example: None,
            turn: 0,
            last: (since, 0),
        }
    }

    /// Tells how things stand. A question that fails leaves its part as it was.
    pub(super) async fn look(&mut self) -> Snapshot {
        let now = EpochMs(self.running.clock.now_ms());
        let whom = {
            let story = self.story.lock();
            if story.past_is_told() {
                self.sight.whom(&story)
            } else {
                Vec::new()
            }
        };
        self.sight.ask(&self.api, whom, &now.to_string()).await;
        self.look_for_example().await;
        if self.turn.is_multiple_of(LEARNT_EVERY) {
            self.learnt = Learnt::look(&self.api).await;
        }
        let fates = self.api.get(&format!("/v1/sources/{}", self.source)).await;
        self.turn += 1;

        let accepted = self.sent.accepted.load(Ordering::Relaxed);
        let events_per_second = self.rate(accepted);
        let changes = self.price_changes(now);
        let story = self.story.lock();
        let shop = story.simulator.shop();
        let latest = changes.last().map(|change| Repriced {
            product_id: shop.product(change.product).product_id.clone(),
            from_cents: change.before.cents,
            to_cents: change.after.cents,
        });
        self.price_change = latest.or_else(|| self.price_change.take());
        let reduced = (0..shop.products().len())
            .filter_map(|index| u32::try_from(index).ok())
            .filter(|&index| shop.price(index, now).is_reduced())
            .count();
        Snapshot {
            seconds: self.since.elapsed().as_secs(),
            shop_time: now,
            speed: self.speed,
            phase: story.phase,
            events_per_second,
            accepted,
            rejected: self.sent.rejected.load(Ordering::Relaxed),
            shoppers: self.running.table.len(),
            inside: inside(&story),
            fates: fates.unwrap_or(Value::Null),
            offers: story.ledger.decisions.clone(),
            effects: story.ledger.effects.clone(),
            learnt: self.learnt.clone(),
            by_models: story.ledger.by_models,
            drift: self.sight.drift(&story),
            reduced,
            price_change: self.price_change.clone(),
            example: self.example.clone(),
        }
    }

    /// Takes the latest offer for the example. Each stays a few looks; every third one shows recommendations.
    async fn look_for_example(&mut self) {
        if self.example.is_some() && !self.turn.is_multiple_of(EXAMPLE_STAYS) {
            return;
        }
        let wanted = match (self.turn / EXAMPLE_STAYS) % 3 {
            2 => "recommendations",
            _ => "discount",
        };
        let offered = {
            let latest = &self.story.lock().ledger.latest;
            latest
                .get(wanted)
                .or_else(|| latest.values().next())
                .cloned()
        };
        let Some(Offered {
            shopper,
            temperament,
            moment,
            decision,
            effect,
        }) = offered
        else {
            return;
        };
        let id = decision["shopper_id"].as_str().unwrap_or_default();
        if let Some(profile) = self.api.get(&format!("/v1/shoppers/{id}")).await {
            self.example = Some(Example {
                shopper,
                decision,
                profile,
                temperament,
                moment,
                effect,
            });
        }
    }

    fn price_changes(&mut self, now: EpochMs) -> Vec<PriceChange> {
        let before = std::mem::replace(&mut self.priced, now);
        self.story
            .lock()
            .simulator
            .shop()
            .price_changes(before, now)
    }

    fn rate(&mut self, accepted: u64) -> u64 {
        let (then, before) = std::mem::replace(&mut self.last, (Instant::now(), accepted));
        let elapsed_ms = u64::try_from(then.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        (accepted - before).saturating_mul(1000) / elapsed_ms
    }
}

fn inside(story: &Story) -> BTreeMap<&'static str, usize> {
    let names = Temperament::ALL.map(Temperament::as_str);
    let counts = names.into_iter().zip(story.simulator.inside());
    counts.filter(|(_, count)| *count > 0).collect()
}
