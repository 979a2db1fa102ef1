//! Arriving.

use super::{Part, Visit, World};
use crate::{Act, Attention, Moment, Temperament, draws::Purpose};

impl Visit {
    pub(super) fn arrive(&mut self, world: World<'_>) {
        let mut draws = self.draws(world, Purpose::Arrive);
        let dwell_ms = self.usual_pause(&mut draws);
        self.after(
            0,
            Act::Page {
                path: "/",
                name: "Home",
                attention: Self::attention(dwell_ms, &mut draws),
            },
        );
        if self.shopper.temperament == Temperament::Bot {
            self.next = Part::Browse;
            return;
        }
        if self.signs_in && draws.chance(0.6) {
            self.signs_in = false;
            self.then(&mut draws, Act::SignIn);
        }
        let pause_ms = draws.between(500, 2_000);
        self.ask(pause_ms, Moment::Landing, Part::Browse);
    }

    /// How far down one gets in a while: everything within half a minute or so.
    pub(super) fn attention(dwell_ms: i64, draws: &mut crate::draws::Draws) -> Attention {
        let pace = draws.between(8_000, 40_000);
        Attention {
            dwell_ms,
            depth_percent: (dwell_ms * 100 / pace).clamp(1, 100),
        }
    }
}
