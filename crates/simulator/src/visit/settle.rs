//! Deciding over a cart.

use super::{Visit, World, log_odds, probability};
use crate::{
    Act, CouponResult, Offer, Order, Page,
    act::total_cents,
    draws::{Draws, Purpose},
};

/// A cart of this worth is neither dear nor cheap, in cents.
const USUAL_CART_CENTS: f64 = 15_000.0;
/// By how much a cart that is e times as dear is bought more seldom, in log-odds.
const DEARNESS: f64 = 0.25;
/// What is reduced is bought more often, in log-odds for a cart that is all reduced.
const REDUCED: f64 = 0.6;
/// What ten percent by a coupon add, and a denied coupon takes away.
const COUPON: f64 = 0.5;
const DENIED: f64 = -0.4;
/// The step of the checkout at which payment details are entered.
const LAST_STEP: i64 = 3;
/// How much less often the disengaged buy, in log-odds for those who lost all engagement.
const DISENGAGED: f64 = -1.2;

impl Visit {
    pub(super) fn settle(&mut self, world: World<'_>) {
        let mut draws = self.draws(world, Purpose::Settle);
        if let Some(shown) = self.at_cart.clone() {
            let mut luck = self.draws(world, Purpose::CartClick);
            self.see(world, &shown, &mut luck);
        }
        self.outcome.probability = probability(self.buying_log_odds(world));
        if self
            .draws(world, Purpose::Buy)
            .chance(self.outcome.probability)
        {
            self.buy(&mut draws);
        } else {
            self.leave(&mut draws);
        }
    }

    /// The log-odds that the cart is bought, the answered question included.
    fn buying_log_odds(&self, world: World<'_>) -> f64 {
        let temperament = self.shopper.temperament;
        let effects = &world.settings.effects;
        let total = total_cents(&self.cart).max(1) as f64;
        let coupon = match self.coupon {
            Some(CouponResult::Applied(percent)) => COUPON * f64::from(percent) / 10.0,
            Some(CouponResult::Denied) => DENIED,
            None => 0.0,
        };
        let discount = effects.discount(temperament) * f64::from(self.discount_percent()) / 10.0;
        let help = match self.at_cart.as_ref().map(|shown| &shown.offer) {
            Some(Offer::Assistance) => effects.assistance_log_odds[temperament as usize],
            _ => 0.0,
        };
        let engagement = if self.outcome.won_back {
            1.0
        } else {
            self.engagement
        };
        log_odds(temperament.habits().buy) - DEARNESS * libm::log(total / USUAL_CART_CENTS)
            + REDUCED * self.reduced_share(world)
            + coupon
            + DISENGAGED * (1.0 - engagement)
            + discount
            + help
    }

    fn buy(&mut self, draws: &mut Draws) {
        let order = self.order();
        self.outcome.purchased = true;
        self.outcome.revenue_cents = order.revenue_cents();
        self.check_out(draws, LAST_STEP);
        self.then(draws, Act::Buy(order));
        self.cart.clear();
    }

    fn leave(&mut self, draws: &mut Draws) {
        if draws.chance(0.35) {
            let steps = draws.between(0, LAST_STEP);
            self.check_out(draws, steps);
        }
        if draws.chance(0.2)
            && let Some(line) = self.cart.pop()
        {
            self.then(draws, Act::Remove(line));
        }
        if draws.chance(0.3) {
            self.read(draws, Page::Returns);
        }
    }

    /// Begins the checkout and goes through so many of its steps: the address, the way of shipping, the payment. The first
    /// one that is not completed is seen.
    fn check_out(&mut self, draws: &mut Draws, steps: i64) {
        self.then(draws, Act::StartCheckout(self.order()));
        for step in 1..LAST_STEP {
            let step_of = |completed| Act::Step {
                step: u32::try_from(step).unwrap_or(1),
                completed,
            };
            if step <= steps + 1 {
                self.after(1_500, step_of(false));
            }
            if step <= steps {
                self.then(draws, step_of(true));
            }
        }
        if steps >= LAST_STEP {
            self.then(draws, Act::EnterPayment);
        }
    }

    /// The discount that was offered, on the first page or over the cart: the better one counts, and it holds for the visit.
    fn discount_percent(&self) -> u8 {
        [&self.at_landing, &self.at_cart]
            .into_iter()
            .flatten()
            .filter_map(|shown| match shown.offer {
                Offer::Discount(percent) => Some(percent),
                _ => None,
            })
            .max()
            .unwrap_or(0)
    }

    /// The better of coupon and offered discount counts.
    fn order(&self) -> Order {
        let coupon = match self.coupon {
            Some(CouponResult::Applied(percent)) => percent,
            _ => 0,
        };
        Order {
            lines: self.cart.clone(),
            percent_off: coupon.max(self.discount_percent()),
        }
    }
}
