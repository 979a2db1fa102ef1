//! Looking around, and perhaps filling a cart.

use foretide_events::EpochMs;

use super::{Part, Visit, World, log_odds, probability};
use crate::{
    Act, CouponResult, Line, Moment, Narrowing, Offer, Temperament,
    act::total_cents,
    draws::{Draws, Purpose, whole},
    offer::Shown,
};

/// Products on the first page of a list.
const LIST: usize = 6;
/// Attributes that a product's page offers to be examined.
const ATTRIBUTES: usize = 4;
/// How often a cheaper product is looked for before the next best is taken.
const TRIES: usize = 6;

impl Visit {
    pub(super) fn browse(&mut self, world: World<'_>, at: EpochMs) {
        let shown = self.at_landing.clone();
        if let Some(shown) = &shown {
            self.be_moved(world, shown, at);
        }
        let habits = self.shopper.temperament.habits();
        let mut draws = self.draws(world, Purpose::Browse);
        let category = self.category(&mut draws);
        if draws.chance(habits.search) {
            let dwell_ms = self.usual_pause(&mut draws);
            let results = draws.between(0, 40);
            self.after(
                dwell_ms,
                Act::Search {
                    category,
                    results,
                    dwell_ms,
                },
            );
        }
        self.look_at_list(world, category, &mut draws);
        if self.signs_in {
            self.signs_in = false;
            self.then(&mut draws, Act::SignIn);
        }
        let (fewest, most) = habits.views;
        let views = draws.between(fewest, most) as f64 * self.liveliness().max(0.2);
        for _ in 0..whole(views).max(1) {
            self.look_at_product(world, at, &mut draws);
        }
        if self.fills_cart(world, shown.as_ref()) {
            self.fill_cart(world, at);
        }
    }

    /// How engaged the shopper is in this visit, at once lively again if won back.
    fn liveliness(&self) -> f64 {
        if self.outcome.won_back {
            1.0
        } else {
            self.engagement
        }
    }

    /// Sees what is offered on the first page, follows it or not, and may be won back by it.
    fn be_moved(&mut self, world: World<'_>, shown: &Shown, at: EpochMs) {
        let mut draws = self.draws(world, Purpose::LandingClick);
        let clicked = self.see(world, shown, &mut draws);
        let Offer::Recommendations(products) = &shown.offer else {
            return;
        };
        let recovers = self
            .draws(world, Purpose::Recover)
            .chance(world.settings.effects.recovery);
        self.outcome.won_back = self.engagement < 1.0 && recovers;
        if clicked {
            let known = products.iter().filter_map(|id| world.shop.find(id)).take(2);
            for product in known.collect::<Vec<_>>() {
                self.view(world, product, at, &mut draws);
            }
        }
    }

    fn fills_cart(&mut self, world: World<'_>, shown: Option<&Shown>) -> bool {
        let effects = &world.settings.effects;
        let temperament = self.shopper.temperament;
        let base = temperament.habits().cart * (0.3 + 0.7 * self.liveliness());
        let moved = match shown.map(|shown| &shown.offer) {
            Some(Offer::Recommendations(_)) => {
                effects.recommendations_log_odds[temperament as usize]
            }
            Some(Offer::Content) => effects.content_log_odds[temperament as usize],
            _ => 0.0,
        };
        if temperament == Temperament::Bot {
            return false;
        }
        self.cart_probability = probability(log_odds(base) + moved);
        let luck = self.draws(world, Purpose::Cart).unit();
        luck < self.cart_probability || self.cart_for_sure
    }

    fn fill_cart(&mut self, world: World<'_>, at: EpochMs) {
        let mut draws = self.draws(world, Purpose::Basket);
        for _ in 0..draws.between(1, 3) {
            let product = self.choose(world, at, &mut draws);
            self.view(world, product, at, &mut draws);
            let line = Line {
                product,
                quantity: 1 + u32::from(draws.chance(0.1)),
                cents: world.shop.price(product, at).cents,
            };
            let from_wishlist = draws.chance(self.shopper.temperament.habits().wish / 2.0);
            self.cart.push(line);
            self.then(
                &mut draws,
                Act::Add {
                    line,
                    from_wishlist,
                },
            );
        }
        self.then(&mut draws, Act::LookAtCart(self.cart.clone()));
        self.hesitate(world);
    }

    /// What lies between a full cart and the decision over it: a coupon tried, a long pause.
    fn hesitate(&mut self, world: World<'_>) {
        let habits = self.shopper.temperament.habits();
        let mut draws = self.draws(world, Purpose::Hesitate);
        if draws.chance(habits.coupon) {
            let applied = draws.chance(0.35);
            let percent = if draws.chance(0.5) { 5 } else { 10 };
            let result = if applied {
                CouponResult::Applied(percent)
            } else {
                CouponResult::Denied
            };
            self.coupon = Some(result);
            let lines = self.cart.clone();
            self.then(&mut draws, Act::Coupon { result, lines });
        }
        let pause_ms = if draws.chance(habits.hesitate) {
            self.read(&mut draws, "/shipping-costs", "Shipping costs");
            draws.between(4 * 60_000, 14 * 60_000)
        } else {
            draws.between(3_000, 40_000)
        };
        self.ask(pause_ms, Moment::Cart, Part::Settle);
    }

    pub(super) fn read(&mut self, draws: &mut Draws, path: &'static str, name: &'static str) {
        let dwell_ms = self.usual_pause(draws);
        let attention = Self::attention(dwell_ms, draws);
        self.after(
            dwell_ms,
            Act::Page {
                path,
                name,
                attention,
            },
        );
    }

    /// One of the favourites most of the time.
    fn category(&self, draws: &mut Draws) -> usize {
        let [first, second, third] = self.shopper.tastes;
        let any = draws.below(crate::shop::CATEGORIES);
        draws.weighted(
            &[(first, 0.55), (second, 0.2), (third, 0.1), (any, 0.15)],
            any,
        )
    }

    /// A product that suits taste and purse, and is reduced, where that matters.
    fn choose(&self, world: World<'_>, at: EpochMs, draws: &mut Draws) -> u32 {
        let reduced = draws.chance(self.shopper.temperament.habits().reduced);
        let mut product = 0;
        for _ in 0..TRIES {
            let category = self.category(draws);
            let places = world.shop.per_shelf() as f64;
            let spread = (draws.unit() + draws.unit() - 1.0) * 0.35;
            let place = whole(((self.shopper.purse + spread).clamp(0.0, 0.999) * places).floor());
            product = world.shop.at(category, usize::try_from(place).unwrap_or(0));
            if !reduced || world.shop.price(product, at).is_reduced() {
                break;
            }
        }
        product
    }

    fn look_at_list(&mut self, world: World<'_>, category: usize, draws: &mut Draws) {
        let dwell_ms = self.usual_pause(draws);
        let first = draws.below(world.shop.per_shelf());
        let products = (first..first + LIST)
            .map(|place| world.shop.at(category, place))
            .collect();
        self.after(
            dwell_ms,
            Act::List {
                category,
                products,
                dwell_ms,
            },
        );
        if draws.chance(self.shopper.temperament.habits().filter) {
            let by = match draws.below(3) {
                0 => Narrowing::Reduced,
                1 => Narrowing::Price,
                _ => Narrowing::Brand(world.shop.product(world.shop.at(category, first)).brand),
            };
            self.then(draws, Act::Filter { category, by });
        }
    }

    #[expect(
        clippy::same_functions_in_if_condition,
        reason = "each call draws anew"
    )]
    fn look_at_product(&mut self, world: World<'_>, at: EpochMs, draws: &mut Draws) {
        let product = self.choose(world, at, draws);
        if self.shopper.temperament != Temperament::Bot && draws.chance(0.5) {
            let position = u32::try_from(draws.between(1, 24)).unwrap_or(1);
            self.then(draws, Act::Click { product, position });
        }
        self.view(world, product, at, draws);
        let habits = self.shopper.temperament.habits();
        if draws.chance(habits.wish) {
            self.then(draws, Act::Wish(product));
        } else if draws.chance(habits.wish / 8.0) {
            self.then(draws, Act::Unwish(product));
        } else if draws.chance(habits.wish / 8.0) {
            let rating = draws.between(2, 5);
            self.then(draws, Act::Review { product, rating });
        }
    }

    /// Looks at a product, longer if it is reduced.
    fn view(&mut self, world: World<'_>, product: u32, at: EpochMs, draws: &mut Draws) {
        let longer = if world.shop.price(product, at).is_reduced() {
            5
        } else {
            4
        };
        let dwell_ms = self.usual_pause(draws) * longer / 4;
        let attention = Self::attention(dwell_ms, draws);
        let human = self.shopper.temperament != Temperament::Bot;
        let examined = if human {
            draws.below(ATTRIBUTES + 1)
        } else {
            0
        };
        self.outcome.views += 1;
        self.after(
            dwell_ms,
            Act::View {
                product,
                attention,
                examined,
            },
        );
    }

    /// The part of the cart's worth that is reduced.
    pub(super) fn reduced_share(&self, world: World<'_>) -> f64 {
        let reduced = self
            .cart
            .iter()
            .filter(|line| world.shop.product(line.product).usual_cents > line.cents * 11 / 10);
        let cents: i64 = reduced.map(|line| line.total_cents()).sum();
        cents as f64 / total_cents(&self.cart).max(1) as f64
    }
}
