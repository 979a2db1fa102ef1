//! The product that a shopper has an eye on for some visits, looks at again, and buys rather when it has become cheaper.

use foretide_events::EpochMs;

use super::{Visit, World};
use crate::{
    Act, Temperament,
    draws::{Draws, Purpose},
};

/// After so many visits a shopper has an eye on something else.
const VISITS: u32 = 6;
/// However much a price has changed, this is the most it adds to the log-odds, or takes away.
const MOST_PULL: f64 = 2.5;
/// What there is an eye on goes on the wishlist so much more often than what is just looked at.
const RATHER_WISHED: f64 = 4.0;

/// The product that there is an eye on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eyed {
    pub(super) product: u32,
    /// Whether it is on the wishlist.
    pub(super) wished: bool,
    /// What the change of its price since the visit before adds to the log-odds that it is put into the cart; 0 if the
    /// shopper did not look at it then.
    pub(super) pull: f64,
}

impl Visit {
    /// Looks at the product that there is an eye on, if that is on the shopper's mind.
    pub(super) fn look_at_eyed(&mut self, world: World<'_>, at: EpochMs) -> Option<Eyed> {
        let (visit, seed) = (self.number, world.settings.seed);
        if self.shopper.temperament == Temperament::Bot || !self.looks_again(seed, visit) {
            return None;
        }
        let since = visit / VISITS * VISITS;
        let names = [self.shopper.number.into(), since.into()];
        let product = self.suits(world, &mut Draws::of(seed, Purpose::EyedProduct, names));
        let habits = self.shopper.temperament.habits();
        let likes = Draws::of(seed, Purpose::Wishes, names).chance(RATHER_WISHED * habits.wish);
        let looked_before = (since..visit).any(|earlier| self.looks_again(seed, earlier));
        let just_before = visit > since && self.looks_again(seed, visit - 1);

        let mut draws = self.draws(world, Purpose::Eye);
        // Whether the shopper looks again at all was the first draw.
        draws.unit();
        self.view(world, product, at, &mut draws);
        let pull = match self.past.left_at.filter(|_| just_before) {
            Some(left_at) => {
                let [before, now] =
                    [left_at, at].map(|at| world.shop.price(product, at).cents as f64);
                (habits.elasticity * libm::log(before / now)).clamp(-MOST_PULL, MOST_PULL)
            }
            None => 0.0,
        };
        if likes && !looked_before {
            self.then(&mut draws, Act::Wish(product));
        } else if likes && visit == since + VISITS - 1 {
            self.then(&mut draws, Act::Unwish(product));
        }
        Some(Eyed {
            product,
            wished: likes && looked_before,
            pull,
        })
    }

    /// Whether the shopper looks at it on visit number `visit`.
    fn looks_again(&self, seed: u64, visit: u32) -> bool {
        let names = [self.shopper.number.into(), visit.into()];
        Draws::of(seed, Purpose::Eye, names).chance(self.shopper.temperament.habits().returns)
    }
}
