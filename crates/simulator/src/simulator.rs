//! Many visits at once, as one stream of actions in order of time.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use foretide_events::EpochMs;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::{
    Shop,
    plan::{MEAN_PAUSE_MS, plan},
    render::{render, total_cents},
    shop::CURRENCY,
    shopper::{Mood, Shopper},
    visit::Visit,
};

/// Carts left behind that are remembered for [`Simulator::carts`].
const REMEMBERED_CARTS: usize = 300;
const RECENT_VISITS_DAYS_AGO: [i64; 3] = [12, 9, 5];
const FADED_VISITS_DAYS_AGO: [i64; 14] =
    [119, 112, 105, 98, 91, 84, 77, 70, 63, 56, 49, 42, 35, 28];
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How much goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// Actions per second, about; at least 0.25.
    pub actions_per_second: f64,
    /// Number of shoppers who come back.
    pub regulars: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 7,
            actions_per_second: 20.0,
            regulars: 100,
        }
    }
}

/// A cart with something in it, of a visit under way or of one that ended without a purchase.
#[derive(Clone, Debug, PartialEq)]
pub struct CartSighting {
    /// The shopper as requests name them: `{"user_id":…}` or `{"anonymous_id":…}`.
    pub shopper: Value,
    /// The visit.
    pub session: String,
    /// The cart as `POST /v1/decisions` takes it.
    pub cart: Value,
    /// Whether the shopper has gone.
    pub left_behind: bool,
}

/// The shop at work.
#[derive(Debug)]
pub struct Simulator {
    shop: Shop,
    settings: Settings,
    rng: ChaCha8Rng,
    regulars: Vec<Regular>,
    visits: Vec<Visit>,
    /// When which visit goes on.
    due: BinaryHeap<Reverse<(i64, usize)>>,
    left_carts: VecDeque<CartSighting>,
    strangers: u64,
    sessions: u64,
    actions: u64,
}

#[derive(Debug)]
struct Regular {
    shopper: Shopper,
    in_shop: bool,
}

impl Simulator {
    /// Opens the shop at `start_ms` (milliseconds since the Unix epoch).
    pub fn new(settings: Settings, start_ms: i64) -> Self {
        let shop = Shop::small();
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        let regulars = (0..settings.regulars)
            .map(|number| Regular {
                shopper: Shopper::regular(number, &mut rng, shop.category_count()),
                in_shop: false,
            })
            .collect();
        let mut simulator = Self {
            shop,
            settings,
            rng,
            regulars,
            visits: Vec::new(),
            due: BinaryHeap::new(),
            left_carts: VecDeque::new(),
            strangers: 0,
            sessions: 0,
            actions: 0,
        };
        for slot in 0..simulator.slots() {
            let visit = simulator.begin_visit();
            let first_ms = start_ms + simulator.rng.random_range(0..MEAN_PAUSE_MS);
            simulator.visits.push(visit);
            simulator.due.push(Reverse((first_ms, slot)));
        }
        simulator
    }

    /// The shop.
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// What the regulars did before `now_ms`, by rising time: three visits in the last two weeks, one of them to
    /// buy; of those whose interest is fading, a visit every week for three months that ended a month ago.
    pub fn history(&mut self, now_ms: i64) -> Vec<Value> {
        let mut past = Vec::new();
        for number in 0..self.regulars.len() {
            let shopper = self.regulars[number].shopper.clone();
            let days: &[i64] = if shopper.drifting {
                &FADED_VISITS_DAYS_AGO
            } else {
                &RECENT_VISITS_DAYS_AGO
            };
            for (visit, days) in days.iter().enumerate() {
                let mood = if visit % 3 == 1 {
                    Mood::Buying
                } else {
                    Mood::Browsing
                };
                let mut at_ms = now_ms - days * DAY_MS - self.rng.random_range(0..DAY_MS);
                let mut visit = self.plan_visit(shopper.clone(), Some(number), mood);
                while let Some(beat) = visit.next_beat() {
                    at_ms += beat.pause_ms;
                    past.extend(
                        self.act(&mut visit, beat, at_ms)
                            .map(|action| (at_ms, action)),
                    );
                }
            }
        }
        past.sort_by_key(|(at_ms, _)| *at_ms);
        past.into_iter().map(|(_, action)| action).collect()
    }

    /// Everything that happens until `now_ms`, by rising time. Time that was passed already yields nothing.
    pub fn advance(&mut self, now_ms: i64) -> Vec<Value> {
        let mut happened = Vec::new();
        while let Some(&Reverse((at_ms, slot))) = self.due.peek() {
            if at_ms > now_ms {
                break;
            }
            self.due.pop();
            let Some(beat) = self.visits[slot].next_beat() else {
                continue;
            };
            let mut visit = self.visits[slot].clone();
            happened.extend(self.act(&mut visit, beat, at_ms));
            let pause_ms = if let Some(pause_ms) = visit.next_pause_ms() {
                self.visits[slot] = visit;
                pause_ms
            } else {
                self.end_visit(&visit);
                self.visits[slot] = self.begin_visit();
                MEAN_PAUSE_MS
            };
            self.due.push(Reverse((at_ms + pause_ms, slot)));
        }
        happened
    }

    /// Carts with something in them: first those left behind, the earliest first, then those of visits under way.
    pub fn carts(&self) -> Vec<CartSighting> {
        let open = self.visits.iter().filter(|visit| !visit.cart.is_empty());
        self.left_carts
            .iter()
            .cloned()
            .chain(open.map(|visit| self.sighting(visit, false)))
            .collect()
    }

    /// Shoppers in the shop now, as requests name them.
    pub fn present(&self) -> Vec<Value> {
        self.visits
            .iter()
            .map(|visit| visit.shopper.identity.clone())
            .collect()
    }

    /// Regulars whose interest is fading, as requests name them.
    pub fn drifting(&self) -> Vec<Value> {
        self.regulars
            .iter()
            .filter(|r| r.shopper.drifting)
            .map(|r| r.shopper.identity.clone())
            .collect()
    }

    /// Visits under way at once: so many that their pauses make up the wanted rate.
    fn slots(&self) -> usize {
        let slots = self.settings.actions_per_second * MEAN_PAUSE_MS as f64 / 1000.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a small positive range"
        )]
        let slots = slots.clamp(1.0, 1_000_000.0) as usize;
        slots
    }

    fn begin_visit(&mut self) -> Visit {
        let regular = self.regular_who_comes();
        let shopper = if let Some(number) = regular {
            self.regulars[number].in_shop = true;
            self.regulars[number].shopper.clone()
        } else {
            self.strangers += 1;
            Shopper::stranger(self.strangers, &mut self.rng, self.shop.category_count())
        };
        let mood = shopper.mood(&mut self.rng);
        self.plan_visit(shopper, regular, mood)
    }

    /// Who of the regulars comes next, if it is one of them. The drifting seldom come.
    fn regular_who_comes(&mut self) -> Option<usize> {
        if self.regulars.is_empty() || !self.rng.random_bool(0.3) {
            return None;
        }
        let number = self.rng.random_range(0..self.regulars.len());
        let Regular { shopper, in_shop } = &self.regulars[number];
        let comes = !in_shop && (!shopper.drifting || self.rng.random_bool(0.02));
        comes.then_some(number)
    }

    fn plan_visit(&mut self, shopper: Shopper, regular: Option<usize>, mood: Mood) -> Visit {
        self.sessions += 1;
        let beats = plan(&self.shop, &shopper, mood, &mut self.rng);
        let session = format!("visit-{}-{}", self.settings.seed, self.sessions);
        Visit::new(shopper, regular, session, beats)
    }

    fn end_visit(&mut self, visit: &Visit) {
        if let Some(number) = visit.regular {
            self.regulars[number].in_shop = false;
        }
        self.left_carts
            .retain(|cart| cart.shopper != visit.shopper.identity);
        if visit.cart.is_empty() {
            return;
        }
        if self.left_carts.len() == REMEMBERED_CARTS {
            self.left_carts.pop_front();
        }
        let sighting = self.sighting(visit, true);
        self.left_carts.push_back(sighting);
    }

    fn act(&mut self, visit: &mut Visit, beat: crate::plan::Beat, at_ms: i64) -> Option<Value> {
        let mut action = render(&self.shop, visit, beat, self.actions)?;
        visit.settle(beat.act);
        self.actions += 1;
        action["id"] = json!(format!("simulated-{}-{}", self.settings.seed, self.actions));
        action["at"] = json!(EpochMs(at_ms));
        action["shopper"] = visit.shopper.identity.clone();
        action["session"] = json!(visit.session);
        Some(action)
    }

    fn sighting(&self, visit: &Visit, left_behind: bool) -> CartSighting {
        let price = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
        let items: Vec<Value> = visit
            .cart
            .iter()
            .map(|line| {
                let article = &self.shop.articles()[line.article];
                json!({ "product_id": article.product_id, "quantity": line.quantity, "price": price(article.price_cents) })
            })
            .collect();
        let total = price(total_cents(&self.shop, &visit.cart));
        CartSighting {
            shopper: visit.shopper.identity.clone(),
            session: visit.session.clone(),
            cart: json!({ "total": total, "currency": CURRENCY, "items": items }),
            left_behind,
        }
    }
}

#[cfg(test)]
mod tests;
