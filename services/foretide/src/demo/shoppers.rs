//! Plays the shoppers: sends what they do, asks for offers where a shop would, and shows them the answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use foretide_events::EpochMs;
use foretide_ports::{ACTIONS, Log};
use foretide_processor::SourceCounts;
use foretide_runtime::Clock as _;
use foretide_simulator::{Action, Ask, Batch, Offer, Simulator};
use futures_util::future::{join_all, try_join_all};
use parking_lot::Mutex;
use serde_json::Value;

use super::{
    api::Api,
    clock::ShopClock,
    learnt::Learnt,
    story::{Phase, Story},
};
use crate::serve::Running;

/// Between two looks at the clock.
const PACE: Duration = Duration::from_millis(50);
/// Between two looks at what the server has folded.
const FOLDING: Duration = Duration::from_millis(2);
/// Between two looks at what the server has learnt, and for how long to look for it.
const LOOKING: Duration = Duration::from_millis(500);
const LEARNING: Duration = Duration::from_secs(90);
/// Meanwhile the clock goes on so much at each look.
const LEARNING_STEP_MS: i64 = 10_000;
/// Actions that are sent side by side, at most.
const AT_ONCE: usize = 4_000;
/// In so many requests, each shopper's actions in one of them.
const LANES: u32 = 8;

/// What the server said of what was sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) accepted: AtomicU64,
    pub(super) rejected: AtomicU64,
}

/// The shoppers, at play.
pub(super) struct Shoppers {
    api: Api,
    story: Arc<Mutex<Story>>,
    clock: Arc<ShopClock>,
    speed: f64,
    log: Arc<dyn Log>,
    counts: Arc<SourceCounts>,
}

impl Shoppers {
    /// Shoppers of the server that is `running` by `clock`, which will run at `speed`.
    pub(super) fn new(
        api: Api,
        story: Arc<Mutex<Story>>,
        running: &Running,
        clock: Arc<ShopClock>,
        speed: f64,
    ) -> Self {
        Self {
            api,
            story,
            clock,
            speed,
            log: Arc::clone(&running.host.log),
            counts: Arc::clone(&running.counts),
        }
    }

    /// Plays the past of the regulars, then what happens as it happens, for ever. The clock creeps until the first models are
    /// learnt from the past, and then at the end of what they are judged by. In the last hours of the past, offers are asked for
    /// too: the clock stands at each question until it is answered, and runs from the opening on.
    pub(super) async fn play(self) -> anyhow::Result<()> {
        let (proving_from, asked_from, opens_at) = {
            let story = self.story.lock();
            (story.proving_from(), story.asked_from(), story.opens_at)
        };
        while self.go_on(proving_from).await? < proving_from {}
        self.folded().await?;
        self.story.lock().phase = Phase::Learning;
        self.learnt().await;
        self.story.lock().phase = Phase::Proving;
        self.clock.show(asked_from);
        while self.go_on(asked_from).await? < asked_from {}
        {
            let mut story = self.story.lock();
            if let Some(rate) = story.rate {
                story.simulator.set_rate(rate);
            }
            story.simulator.set_asks(true);
        }
        while self.go_on(opens_at).await? < opens_at {}
        self.clock.show(opens_at);
        self.folded().await?;
        self.story.lock().phase = Phase::Open;
        self.clock.run(self.speed);
        loop {
            let now = EpochMs(self.clock.now_ms());
            if self.go_on(now).await? >= now {
                tokio::time::sleep(PACE).await;
            }
        }
    }

    /// Plays on towards `until` and says how far that went.
    async fn go_on(&self, until: EpochMs) -> anyhow::Result<EpochMs> {
        let Batch {
            actions,
            asks,
            reached,
        } = self.story.lock().simulator.next_batch(until, AT_ONCE);
        if !actions.is_empty() {
            self.send(&actions).await?;
        }
        if !asks.is_empty() && self.clock.is_held() {
            self.clock.show(reached);
            self.folded().await?;
        }
        join_all(asks.into_iter().map(|ask| self.decide(ask))).await;
        Ok(reached)
    }

    /// Waits until there are cohorts and a model for each thing to be predicted. A shop that is too small for them opens
    /// without, after a while.
    async fn learnt(&self) {
        let start = Instant::now();
        while start.elapsed() < LEARNING {
            if Learnt::look(&self.api).await.is_complete() {
                return;
            }
            tokio::time::sleep(LOOKING).await;
            // What is learnt serves from some seconds later on, and is looked at again after some time: of the shop's clock.
            self.clock
                .show(EpochMs(self.clock.now_ms()).plus(LEARNING_STEP_MS));
        }
    }

    /// Waits until the server knows all that it was told.
    async fn folded(&self) -> anyhow::Result<()> {
        let told = self.log.end_offsets(ACTIONS).await?;
        let is_folded = |(partition, end): (u32, &u64)| self.counts.applied(partition) >= *end;
        while !(0..).zip(&told).all(is_folded) {
            tokio::time::sleep(FOLDING).await;
        }
        Ok(())
    }

    async fn send(&self, actions: &[Action]) -> anyhow::Result<()> {
        let bodies = {
            let story = self.story.lock();
            bodies(&story.simulator, actions)
        };
        let sending = bodies
            .into_iter()
            .map(|(body, count)| self.api.send(body, count));
        let sent = Arc::clone(&self.story.lock().ledger.sent);
        for receipts in try_join_all(sending).await? {
            let rejected = receipts.rejected.len() as u64;
            sent.accepted
                .fetch_add(receipts.accepted, Ordering::Relaxed);
            sent.rejected.fetch_add(rejected, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Asks for an offer and shows it to the shopper. A question that cannot be answered offers nothing.
    async fn decide(&self, ask: Ask) {
        let body = ask.body(self.story.lock().simulator.shop());
        match self.api.post("/v1/decisions", &body).await {
            Some(decision) => self.story.lock().show(&ask, decision),
            None => self.story.lock().ledger.unanswered(),
        }
    }
}

impl Story {
    /// Shows the shopper what was decided, and writes down what it does.
    fn show(&mut self, ask: &Ask, decision: Value) {
        let offer = Offer::of_answer(&decision);
        let id = decision["decision_id"].as_str().unwrap_or_default();
        let effect = self.simulator.respond(ask, id, offer.as_ref());
        let temperament = self
            .simulator
            .truth(ask.identity.shopper, ask.at)
            .temperament;
        self.ledger
            .enter(ask, temperament, decision, offer.as_ref(), effect);
    }
}

/// The bodies of `POST /v1/actions` that hold `actions`, each with how many it holds.
fn bodies(simulator: &Simulator, actions: &[Action]) -> Vec<(Vec<u8>, usize)> {
    let mut lanes = vec![(b"{\"actions\":[".to_vec(), 0); LANES as usize];
    for action in actions {
        let (body, count) = &mut lanes[(action.identity.shopper % LANES) as usize];
        simulator.write_native(action, body);
        *count += 1;
    }
    lanes.retain(|(_, count)| *count > 0);
    for (body, _) in &mut lanes {
        body.extend_from_slice(b"]}");
    }
    lanes
}
