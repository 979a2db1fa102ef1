//! Arriving.

use super::{Part, Visit, World};
use crate::{
    Act, Attention, Moment, Page, Temperament,
    draws::{Draws, Purpose},
};

/// Where shoppers come from who do not type the shop's address.
const REFERRERS: [&str; 3] = [
    "https://search.example/",
    "https://mail.example/newsletter",
    "https://prices.example/outdoor",
];
/// The share of visits that come from there.
const REFERRED: f64 = 0.4;

impl Visit {
    pub(super) fn arrive(&mut self, world: World<'_>) {
        let mut draws = self.draws(world, Purpose::Arrive);
        let dwell_ms = self.usual_pause(&mut draws);
        let attention = Self::attention(dwell_ms, &mut draws);
        let bot = self.shopper.temperament == Temperament::Bot;
        let referred = !bot && draws.chance(REFERRED);
        self.after(
            0,
            Act::Page {
                page: Page::Home,
                referrer: referred.then(|| REFERRERS[draws.below(REFERRERS.len())]),
                attention,
            },
        );
        if bot {
            self.next = Part::Browse;
            return;
        }
        if self.signs_in && draws.chance(0.6) {
            self.sign_in(&mut draws);
        }
        let pause_ms = draws.between(500, 2_000);
        self.ask(pause_ms, Moment::Landing, Part::Browse);
    }

    /// Signs in, and looks at the account at times.
    pub(super) fn sign_in(&mut self, draws: &mut Draws) {
        self.signs_in = false;
        self.then(draws, Act::SignIn);
        if draws.chance(0.2) {
            self.read(draws, Page::Account);
        }
    }

    /// How far down one gets in a while: everything within half a minute or so.
    pub(super) fn attention(dwell_ms: i64, draws: &mut Draws) -> Attention {
        let pace = draws.between(8_000, 40_000);
        Attention {
            dwell_ms,
            depth_percent: (dwell_ms * 100 / pace).clamp(1, 100),
        }
    }
}
