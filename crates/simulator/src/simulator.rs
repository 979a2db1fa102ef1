//! Many lives at once, as one stream of actions in order of time.

use std::collections::HashMap;

use foretide_events::EpochMs;
use serde::Serialize;
use serde_json::json;

use crate::{
    Act, Action, Ask, Effect, Identity, Line, Moment, Offer, Outcome, Settings, Shop, Temperament,
    act::total_cents,
    calendar::{Calendar, Due, What},
    draws::{Draws, Purpose},
    offer::Shown,
    pace::Sample,
    render::Names,
    rhythm::next_visit,
    shopper::Shopper,
    visit::{LEAST_WAIT_MS, Past, Step, Visit, World},
};

/// Of the orders, this share is sent back in part.
const REFUNDED: f64 = 0.06;
/// Of the orders, this share is called off.
const CANCELLED: f64 = 0.015;
/// Whoever left something in the cart goes to a store so many times as often.
const IN_CART_URGES: f64 = 3.0;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// For so long after a question a batch goes on, gathering more of them: less than any shopper waits.
const GATHERED_MS: i64 = LEAST_WAIT_MS - 5_000;

/// What happened, and what is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Actions, by time.
    pub actions: Vec<Action>,
    /// Questions to be answered with [`Simulator::respond`] before the next batch is asked for. An unanswered one is as
    /// if nothing was offered.
    pub asks: Vec<Ask>,
    /// Everything up to this instant has happened, or up to a number of actions at this instant.
    pub reached: EpochMs,
}

/// What is true of a shopper.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Truth {
    /// The temperament.
    pub temperament: Temperament,
    /// Whether the shopper has an account, and so signs in sooner or later.
    pub has_account: bool,
    /// What a price that is lower by the factor e, on a product that the shopper has an eye on, adds to the log-odds that
    /// something is put into the cart.
    pub price_elasticity: f64,
    /// When engagement begins to fall, for the first time.
    pub drifts_at: Option<EpochMs>,
    /// How engaged the shopper is at the instant asked for: 1 as ever, less while drifting.
    pub engagement: f64,
    /// The IANA time zone.
    pub time_zone: &'static str,
}

/// What follows a visit, days later.
#[derive(Debug)]
struct Aftermath {
    identity: Identity,
    number: u32,
    act: Act,
}

/// The shop at work.
#[derive(Debug)]
pub struct Simulator {
    settings: Settings,
    shop: Shop,
    names: Names,
    calendar: Calendar,
    inside: HashMap<u32, Box<Visit>>,
    aftermaths: HashMap<(u32, What), Aftermath>,
    /// What was left in a cart.
    carts: HashMap<u32, Vec<Line>>,
    /// When recommendations last won a drifting shopper back.
    won_back: HashMap<u32, EpochMs>,
    reached: EpochMs,
}

impl Simulator {
    /// Opens the shop. Takes about a microsecond and 24 bytes for each shopper.
    pub fn new(settings: Settings) -> Self {
        let calendar = Calendar::of((0..settings.shoppers).map(|number| {
            let shopper = Shopper::of(&settings, number);
            let from = if number < settings.established {
                settings.start_at
            } else {
                settings.newcomers_from
            };
            Due {
                at: next_visit(&settings, &shopper, 0, from, None),
                shopper: number,
                what: What::Visit {
                    number: 0,
                    left_s: 0,
                },
            }
        }));
        Self {
            shop: Shop::new(settings.seed, settings.products_per_category),
            names: Names::of(&settings),
            calendar,
            inside: HashMap::new(),
            aftermaths: HashMap::new(),
            carts: HashMap::new(),
            won_back: HashMap::new(),
            reached: settings.start_at,
            settings,
        }
    }

    /// What is played.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The shop.
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// How ids are written.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Everything that has happened so far happened up to this instant.
    pub fn reached(&self) -> EpochMs {
        self.reached
    }

    /// What happens next, up to and with `until`, but no more than `most` actions. However the time is cut into
    /// batches, the actions are the same.
    pub fn next_batch(&mut self, until: EpochMs, most: usize) -> Batch {
        let mut batch = Batch::default();
        let mut end = until.max(self.reached);
        while batch.actions.len() < most {
            let Some(due) = self.calendar.take(end) else {
                self.reached = end;
                break;
            };
            self.reached = due.at;
            match due.what {
                What::Visit { number, left_s } => self.begin(due, number, left_s),
                What::Step => {}
                What::Refund(_) | What::Store(_) => {
                    batch.actions.extend(self.follow(due));
                    continue;
                }
            }
            let asks = batch.asks.len();
            self.step(due, &mut batch);
            if batch.asks.len() > asks && self.settings.waits {
                end = end.min(due.at.plus(GATHERED_MS));
            }
        }
        batch.reached = self.reached;
        batch
    }

    /// Answers `ask`: the shopper is shown `offer` (or, with `None`, nothing) as that decision's. Returns what the offer
    /// truly does to the visit, or `None` if the answer comes too late to do anything.
    pub fn respond(
        &mut self,
        ask: &Ask,
        decision_id: &str,
        offer: Option<&Offer>,
    ) -> Option<Effect> {
        let effect = self.effect(ask, offer)?;
        let visit = self.inside.get_mut(&ask.identity.shopper)?;
        let shown = offer.map(|offer| Shown {
            decision: decision_id.into(),
            offer: offer.clone(),
        });
        visit.show(ask.moment, shown).then_some(effect)
    }

    /// What `offer` would truly do to the visit of `ask`; `None` if that is over.
    pub fn effect(&self, ask: &Ask, offer: Option<&Offer>) -> Option<Effect> {
        let visit = self.visit(ask)?;
        Some(Effect::of(visit, self.world(), ask.moment, offer))
    }

    /// How the visit of `ask` would end under `offer`; `None` if that is over.
    pub fn outcome(&self, ask: &Ask, offer: Option<&Offer>) -> Option<Outcome> {
        let visit = self.visit(ask)?;
        Some(visit.would_end(self.world(), ask.moment, offer))
    }

    /// What is true of shopper number `shopper` at `at`.
    pub fn truth(&self, shopper: u32, at: EpochMs) -> Truth {
        let traits = Shopper::of(&self.settings, shopper);
        let won_back_at = self.won_back.get(&shopper).copied();
        Truth {
            temperament: traits.temperament,
            has_account: traits.has_account(),
            price_elasticity: traits.temperament.habits().elasticity,
            drifts_at: traits.drifts_at,
            engagement: traits.engagement(&self.settings, at, won_back_at),
            time_zone: traits.time_zone(),
        }
    }

    /// Number of shoppers in the shop now, by temperament in the order of [`Temperament::ALL`].
    pub fn inside(&self) -> [usize; 5] {
        let mut counts = [0; 5];
        for visit in self.inside.values() {
            counts[visit.shopper.temperament as usize] += 1;
        }
        counts
    }

    /// About how many actions a second of shop time there are, averaged over days, while all are as engaged as
    /// they are now.
    pub fn rate(&self) -> f64 {
        self.sample().rate(&self.settings)
    }

    /// From now on the shoppers come so often that there are about `rate` actions a second of shop time, while all are
    /// as engaged as they are now. Visits to come are set anew.
    pub fn set_rate(&mut self, rate: f64) {
        let sample = self.sample();
        self.settings.busyness = sample.busyness(&self.settings, rate);
        let now = self.reached;
        let mut coming = self.calendar.take_coming();
        for due in &mut coming {
            let What::Visit { number, .. } = due.what else {
                continue;
            };
            let newcomer = due.shopper >= self.settings.established;
            let from = if newcomer {
                now.max(self.settings.newcomers_from)
            } else {
                now
            };
            due.at = self.comes(due.shopper, number, from);
        }
        self.calendar.put_coming(coming);
    }

    /// From now on the hour of the day and the day of the week matter, or no longer, for visits that are not set yet: see
    /// [`Settings::rhythm`] and [`set_rate`](Self::set_rate), which sets them anew.
    pub fn set_rhythm(&mut self, rhythm: bool) {
        self.settings.rhythm = rhythm;
    }

    /// Raises questions from now on, or no longer: see [`Settings::asks`].
    pub fn set_asks(&mut self, asks: bool) {
        self.settings.asks = asks;
    }

    /// Visits of some of the shoppers, as engaged as they are now.
    fn sample(&self) -> Sample {
        Sample::of(&self.settings, &self.shop, |shopper| {
            let won_back_at = self.won_back.get(&shopper.number).copied();
            shopper.engagement(&self.settings, self.reached, won_back_at)
        })
    }

    fn world(&self) -> World<'_> {
        World {
            settings: &self.settings,
            shop: &self.shop,
        }
    }

    fn visit(&self, ask: &Ask) -> Option<&Visit> {
        let visit = self.inside.get(&ask.identity.shopper)?.as_ref();
        (visit.number == ask.visit).then_some(visit)
    }

    fn comes(&self, shopper: u32, visit: u32, left: EpochMs) -> EpochMs {
        let traits = Shopper::of(&self.settings, shopper);
        let won_back_at = self.won_back.get(&shopper).copied();
        next_visit(&self.settings, &traits, visit, left, won_back_at)
    }

    fn begin(&mut self, due: Due, number: u32, left_s: u32) {
        let traits = Shopper::of(&self.settings, due.shopper);
        let won_back_at = self.won_back.get(&due.shopper).copied();
        let engagement = traits.engagement(&self.settings, due.at, won_back_at);
        let left_at = self.settings.start_at.plus(i64::from(left_s) * 1000);
        let past = Past {
            left_at: (number > 0).then_some(left_at),
            cart: self.carts.remove(&due.shopper).unwrap_or_default(),
        };
        let visit = Visit::begin(self.world(), traits, number, due.at, engagement, past);
        self.inside.insert(due.shopper, Box::new(visit));
    }

    /// The visit of a shopper goes on.
    fn step(&mut self, due: Due, batch: &mut Batch) {
        let Some(mut visit) = self.inside.remove(&due.shopper) else {
            return;
        };
        match visit.step(self.world(), due.at) {
            Some(Step::Act(act)) => {
                self.remember_order(&visit, &act, due.at);
                batch.actions.push(Action {
                    identity: visit.identity,
                    visit: visit.number,
                    number: visit.acted - 1,
                    at: due.at,
                    act,
                });
            }
            Some(Step::Ask(moment)) if self.settings.asks => {
                batch.asks.push(self.ask(&visit, moment, due.at));
            }
            Some(Step::Ask(_)) | None => {}
        }
        match visit.pause_ms(self.world()) {
            Some(pause_ms) => {
                self.inside.insert(due.shopper, visit);
                self.calendar.put(Due {
                    at: due.at.plus(pause_ms),
                    what: What::Step,
                    ..due
                });
            }
            None => self.end(visit, due.at),
        }
    }

    fn end(&mut self, mut visit: Box<Visit>, at: EpochMs) {
        let shopper = visit.shopper.number;
        if visit.outcome.won_back {
            self.won_back.insert(shopper, at);
        }
        self.send_to_store(&visit, at);
        if !visit.cart.is_empty() {
            self.carts.insert(shopper, std::mem::take(&mut visit.cart));
        }
        let number = visit.number + 1;
        let left_s = at.since(self.settings.start_at) / 1000;
        self.calendar.put(Due {
            at: self.comes(shopper, number, at),
            shopper,
            what: What::Visit {
                number,
                left_s: u32::try_from(left_s).unwrap_or(u32::MAX),
            },
        });
    }

    fn ask(&self, visit: &Visit, moment: Moment, at: EpochMs) -> Ask {
        Ask {
            identity: visit.identity,
            visit: visit.number,
            moment,
            at,
            cart: visit.cart.clone(),
            cart_cents: total_cents(&visit.cart),
            names: json!({
                "shopper": self.names.who(visit.identity),
                "session": self.names.session(visit.identity.shopper, visit.number),
            }),
        }
    }

    /// Sets down that an order will be called off, or something of it sent back, if it will.
    fn remember_order(&mut self, visit: &Visit, act: &Act, at: EpochMs) {
        let Act::Buy(order) = act else { return };
        let mut draws = self.draws(Purpose::Refund, visit);
        let luck = draws.unit();
        let number = visit.number;
        let (act, after_ms) = if luck < CANCELLED {
            let order = order.clone();
            let act = Act::Cancel {
                visit: number,
                order,
            };
            (act, draws.between(HOUR_MS, 12 * HOUR_MS))
        } else if luck < CANCELLED + REFUNDED {
            let lines = order.lines.iter().take(1).copied().collect();
            let act = Act::Refund {
                visit: number,
                lines,
            };
            (act, draws.between(2 * DAY_MS, 10 * DAY_MS))
        } else {
            return;
        };
        self.follow_with(visit, act, What::Refund(number), at.plus(after_ms));
    }

    /// Sets down that a shopper who bought nothing will buy in a store, if so: what was left in the cart, and then more
    /// likely, or else what was looked at last.
    fn send_to_store(&mut self, visit: &Visit, at: EpochMs) {
        let Some(product) = visit.looked_at else {
            return;
        };
        if !visit.identity.user || visit.outcome.purchased {
            return;
        }
        let mut draws = self.draws(Purpose::Store, visit);
        let urgent = if visit.cart.is_empty() {
            1.0
        } else {
            IN_CART_URGES
        };
        let usual = visit.shopper.temperament.habits().store;
        if draws.chance(usual * urgent * visit.engagement) {
            let cents = match total_cents(&visit.cart) {
                0 => self.shop.price(product, at).cents,
                cart => cart,
            };
            let after_ms = draws.between(4 * HOUR_MS, 5 * DAY_MS);
            let act = Act::BuyInStore { cents };
            self.follow_with(visit, act, What::Store(visit.number), at.plus(after_ms));
        }
    }

    fn draws(&self, purpose: Purpose, visit: &Visit) -> Draws {
        let names = [visit.shopper.number.into(), visit.number.into()];
        Draws::of(self.settings.seed, purpose, names)
    }

    /// After `visit`, the shopper will do `act` at `at`.
    fn follow_with(&mut self, visit: &Visit, act: Act, what: What, at: EpochMs) {
        let shopper = visit.shopper.number;
        let device = visit.identity.device.filter(|_| act.is_on_site());
        let aftermath = Aftermath {
            identity: Identity {
                device,
                ..visit.identity
            },
            number: visit.acted,
            act,
        };
        self.aftermaths.insert((shopper, what), aftermath);
        self.calendar.put(Due { at, shopper, what });
    }

    fn follow(&mut self, due: Due) -> Option<Action> {
        let (What::Refund(visit) | What::Store(visit)) = due.what else {
            return None;
        };
        let Aftermath {
            identity,
            number,
            act,
        } = self.aftermaths.remove(&(due.shopper, due.what))?;
        Some(Action {
            identity,
            visit,
            number,
            at: due.at,
            act,
        })
    }
}
