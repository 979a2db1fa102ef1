//! A visit: three parts, each planned when it begins and each with luck of its own, so that an offer changes what
//! follows from it and nothing else.
//!
//! ```text
//!   arrive ──ask──▶ browse ──ask, if there is a cart──▶ settle: buy, or leave the cart behind
//! ```

mod arrive;
mod browse;
mod content;
mod eye;
mod settle;

use std::{collections::VecDeque, sync::Arc};

use foretide_events::EpochMs;

use crate::{
    Act, ContentKind, CouponResult, Effect, Identity, Interaction, Line, Moment, Offer, Outcome,
    Settings, Shop, Temperament,
    act::Page,
    draws::{Draws, Purpose},
    offer::Shown,
    shopper::Shopper,
};

/// After a question, the shopper does nothing for at least this long: time to answer it.
pub(crate) const LEAST_WAIT_MS: i64 = 30_000;
const MOST_WAIT_MS: i64 = 75_000;

/// What visits take place in.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) shop: &'a Shop,
}

/// What a shopper brings along from the visit before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// When that ended; `None` before the first visit.
    pub(crate) left_at: Option<EpochMs>,
    /// What was left in the cart.
    pub(crate) cart: Vec<Line>,
}

/// Something that happens after a pause.
#[derive(Clone, Debug)]
struct Beat {
    pause_ms: i64,
    what: Step,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Act(Act),
    Ask(Moment),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Arrive,
    Browse,
    Settle,
    Over,
}

/// A visit, from its beginning on.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) shopper: Shopper,
    pub(crate) number: u32,
    pub(crate) began_at: EpochMs,
    /// How engaged the shopper was on arrival.
    pub(crate) engagement: f64,
    past: Past,
    pub(crate) identity: Identity,
    /// Still to sign in during this visit.
    signs_in: bool,
    pub(crate) cart: Vec<Line>,
    coupon: Option<CouponResult>,
    pub(crate) at_landing: Option<Shown>,
    pub(crate) at_cart: Option<Shown>,
    /// Comes to decide over a cart whatever the luck: to ask what would become of it.
    cart_for_sure: bool,
    /// That the shopper comes to decide over a cart.
    cart_probability: f64,
    /// The product looked at last.
    pub(crate) looked_at: Option<u32>,
    next: Part,
    beats: VecDeque<Beat>,
    pub(crate) acted: u32,
    pub(crate) outcome: Outcome,
}

impl Visit {
    pub(crate) fn begin(
        world: World<'_>,
        shopper: Shopper,
        number: u32,
        began_at: EpochMs,
        engagement: f64,
        past: Past,
    ) -> Self {
        let (identity, signs_in) = shopper.identity(world.settings.seed, number);
        // What is still in the cart costs what it costs now.
        let now = |line: &Line| Line {
            cents: world.shop.price(line.product, began_at).cents,
            ..*line
        };
        Self {
            shopper,
            number,
            began_at,
            engagement,
            identity,
            signs_in,
            cart: past.cart.iter().map(now).collect(),
            past,
            coupon: None,
            at_landing: None,
            at_cart: None,
            cart_for_sure: false,
            cart_probability: 0.0,
            looked_at: None,
            next: Part::Arrive,
            beats: VecDeque::new(),
            acted: 0,
            outcome: Outcome::default(),
        }
    }

    /// What happens at `at`, when the pause that was named before has passed.
    pub(crate) fn step(&mut self, world: World<'_>, at: EpochMs) -> Option<Step> {
        if self.beats.is_empty() {
            self.plan(world, at);
        }
        let beat = self.beats.pop_front()?;
        if let Step::Act(act) = &beat.what {
            if *act == Act::SignIn {
                self.identity.user = true;
            }
            self.acted += 1;
        }
        Some(beat.what)
    }

    /// How long until the next step, in milliseconds; `None` once all is done.
    pub(crate) fn pause_ms(&self, world: World<'_>) -> Option<i64> {
        match self.beats.front() {
            Some(beat) => Some(beat.pause_ms),
            None if self.next == Part::Over => None,
            None => {
                let mut draws = self.draws(world, Purpose::Wait);
                // A bot asks for nothing and waits for nothing.
                Some(if self.shopper.temperament == Temperament::Bot {
                    self.usual_pause(&mut draws)
                } else {
                    draws.between(LEAST_WAIT_MS, MOST_WAIT_MS)
                })
            }
        }
    }

    /// Shows `shown` to the shopper, as the answer to the question of `moment`. `false` where the time for it has passed.
    pub(crate) fn show(&mut self, moment: Moment, shown: Option<Shown>) -> bool {
        let waits = self.beats.is_empty();
        match moment {
            Moment::Landing if waits && self.next == Part::Browse => self.at_landing = shown,
            Moment::Cart if waits && self.next == Part::Settle => self.at_cart = shown,
            _ => return false,
        }
        true
    }

    /// How this visit would end, had the question of `moment` been answered with `offer`: the same visit, played again
    /// from its beginning with the same luck.
    pub(crate) fn would_end(
        &self,
        world: World<'_>,
        moment: Moment,
        offer: Option<&Offer>,
    ) -> Outcome {
        let asked = offer.map(|offer| Shown {
            decision: "".into(),
            offer: offer.clone(),
        });
        let (landing, cart) = match moment {
            Moment::Landing => (asked, None),
            Moment::Cart => (self.at_landing.clone(), asked),
        };
        let again = |cart_for_sure| {
            let mut visit = Self {
                at_landing: landing.clone(),
                at_cart: cart.clone(),
                cart_for_sure,
                ..Self::begin(
                    world,
                    self.shopper,
                    self.number,
                    self.began_at,
                    self.engagement,
                    self.past.clone(),
                )
            };
            visit.play(world);
            visit
        };
        let mut outcome = again(false).outcome;
        if moment == Moment::Landing {
            let carted = again(true);
            outcome.probability = carted.cart_probability * carted.outcome.probability;
        }
        outcome
    }

    /// Plays to the end, with the answers given already, and returns how long it took in milliseconds.
    pub(crate) fn play(&mut self, world: World<'_>) -> i64 {
        let mut at = self.began_at;
        while self.step(world, at).is_some() {
            match self.pause_ms(world) {
                Some(pause_ms) => at = at.plus(pause_ms),
                None => break,
            }
        }
        at.since(self.began_at)
    }

    fn plan(&mut self, world: World<'_>, at: EpochMs) {
        let part = self.next;
        self.next = Part::Over;
        match part {
            Part::Arrive => self.arrive(world),
            Part::Browse => self.browse(world, at),
            Part::Settle => self.settle(world),
            Part::Over => {}
        }
    }

    fn draws(&self, world: World<'_>, purpose: Purpose) -> Draws {
        let names = [self.shopper.number.into(), self.number.into()];
        Draws::of(world.settings.seed, purpose, names)
    }

    /// Adds `act` after a usual pause.
    fn then(&mut self, draws: &mut Draws, act: Act) {
        let pause_ms = self.usual_pause(draws);
        self.after(pause_ms, act);
    }

    fn after(&mut self, pause_ms: i64, act: Act) {
        self.beats.push_back(Beat {
            pause_ms,
            what: Step::Act(act),
        });
    }

    fn ask(&mut self, pause_ms: i64, moment: Moment, next: Part) {
        self.beats.push_back(Beat {
            pause_ms,
            what: Step::Ask(moment),
        });
        self.next = next;
    }

    fn usual_pause(&self, draws: &mut Draws) -> i64 {
        let mean = self.shopper.temperament.habits().pause_ms;
        draws.between(mean / 4, mean * 7 / 4)
    }

    /// Adds that `shown` was seen, and perhaps clicked or closed; says whether it was clicked.
    fn see(&mut self, world: World<'_>, shown: &Shown, draws: &mut Draws) -> bool {
        let click = world.settings.effects.click[self.shopper.temperament as usize];
        let kind = match shown.offer {
            Offer::Discount(_) => ContentKind::Offer,
            Offer::Recommendations(_) => ContentKind::Recommendation,
            Offer::Content => ContentKind::Banner,
            Offer::Assistance => ContentKind::Assistance,
        };
        self.meet(kind, &shown.decision, None, click, draws)
    }

    /// Adds that content was seen, and perhaps, with the probability `click`, clicked, or else closed; says whether it was
    /// clicked.
    fn meet(
        &mut self,
        kind: ContentKind,
        content_id: &Arc<str>,
        product: Option<u32>,
        click: f64,
        draws: &mut Draws,
    ) -> bool {
        let content = |interaction| Act::Content {
            kind,
            interaction,
            content_id: content_id.clone(),
            product,
        };
        self.after(0, content(Interaction::Impression));
        let luck = draws.unit();
        let clicked = luck < click;
        if clicked || luck > 0.9 {
            let interaction = if clicked {
                Interaction::Click
            } else {
                Interaction::Dismiss
            };
            self.then(draws, content(interaction));
        }
        clicked
    }

    /// Looks at a page for a while.
    fn read(&mut self, draws: &mut Draws, page: Page) {
        let dwell_ms = self.usual_pause(draws);
        let attention = Self::attention(dwell_ms, draws);
        self.after(
            dwell_ms,
            Act::Page {
                page,
                referrer: None,
                attention,
            },
        );
    }
}

/// The probability of these log-odds.
fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}

/// The log-odds of this probability, which is kept away from 0 and 1.
fn log_odds(probability: f64) -> f64 {
    let kept = probability.clamp(1e-6, 1.0 - 1e-6);
    libm::log(kept / (1.0 - kept))
}

impl Effect {
    pub(crate) fn of(
        visit: &Visit,
        world: World<'_>,
        moment: Moment,
        offer: Option<&Offer>,
    ) -> Self {
        Self {
            without: visit.would_end(world, moment, None),
            with: visit.would_end(world, moment, offer),
        }
    }
}
