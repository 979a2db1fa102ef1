//! Looking around, and perhaps filling a cart.

use foretide_events::EpochMs;

use super::{Part, Visit, World, eye::Eyed, log_odds, probability};
use crate::{
    Act, CouponResult, Line, Moment, Narrowing, Offer, Page, Query, Temperament,
    act::total_cents,
    draws::{Draws, Purpose, whole},
    offer::Shown,
};

/// Products on the first page of a list.
const LIST: usize = 6;
/// Attributes that a product's page offers to be examined.
const ATTRIBUTES: usize = 4;
/// The share of searches that find nothing, and of those that find something but nothing wanted: no product is looked at
/// after them.
const NOTHING_FOUND: f64 = 0.1;
const NOTHING_WANTED: f64 = 0.12;
/// What a cart that was left behind adds to the log-odds that the shopper comes to decide over it.
const LEFT_CART: f64 = 0.8;
/// The share of carts left behind that are cleared out on the next visit.
const CLEARED: f64 = 0.25;
/// The share of visits on which advice is read.
const ADVISED: f64 = 0.12;
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
        self.clear_cart(world);
        self.meet_banner(world);
        let eyed = self.look_at_eyed(world, at);
        let category = self.category(&mut draws);
        let searches = draws.chance(habits.search * self.liveliness());
        let goes_on = !searches || self.search(world, category, &mut draws);
        if self.signs_in {
            self.sign_in(&mut draws);
        }
        if goes_on {
            self.look_around(world, at, category, &mut draws);
        }
        if self.goes_to_cart(world, shown.as_ref(), eyed) {
            self.fill_cart(world, at, eyed);
        }
    }

    /// Looks at a list, perhaps at advice, and at products. Whoever is hardly engaged only drops in for a glance.
    fn look_around(&mut self, world: World<'_>, at: EpochMs, category: usize, draws: &mut Draws) {
        let human = self.shopper.temperament != Temperament::Bot;
        if draws.chance(self.liveliness()) {
            self.look_at_list(world, category, draws);
            if human && draws.chance(ADVISED) {
                self.read(draws, Page::Guide(category));
            }
        }
        let (fewest, most) = self.shopper.temperament.habits().views;
        let views = draws.between(fewest, most) as f64 * self.liveliness();
        for _ in 0..whole(views).max(1) {
            self.look_at_product(world, at, draws);
        }
        if human {
            self.meet_similar(world, at);
            let stores = 3.0 * self.shopper.temperament.habits().store;
            if draws.chance(stores) {
                self.read(draws, Page::Stores);
            }
        }
    }

    /// Searches, once more where nothing was found; `false` if nothing that is wanted is found.
    fn search(&mut self, world: World<'_>, category: usize, draws: &mut Draws) -> bool {
        let any = world.shop.at(category, draws.below(world.shop.per_shelf()));
        let words = draws.below(3);
        let mut query = Query {
            category,
            brand: (words == 1).then(|| world.shop.product(any).brand),
            reduced: draws.chance(self.shopper.temperament.habits().reduced / 2.0),
        };
        let found = !draws.chance(NOTHING_FOUND);
        if !found {
            self.look_for(query, 0, draws);
            query = Query {
                brand: None,
                reduced: false,
                ..query
            };
        }
        let results = draws.between(1, 40);
        self.look_for(query, results, draws);
        !draws.chance(NOTHING_WANTED)
    }

    fn look_for(&mut self, query: Query, results: i64, draws: &mut Draws) {
        let dwell_ms = self.usual_pause(draws);
        self.after(
            dwell_ms,
            Act::Search {
                query,
                results,
                dwell_ms,
            },
        );
    }

    /// Clears out what was left in the cart, perhaps.
    fn clear_cart(&mut self, world: World<'_>) {
        let mut draws = self.draws(world, Purpose::Tidy);
        if !self.cart.is_empty() && draws.chance(CLEARED) {
            for line in std::mem::take(&mut self.cart) {
                self.then(&mut draws, Act::Remove(line));
            }
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

    /// Whether the shopper comes to decide over a cart: one that is filled now, or one that was left behind.
    fn goes_to_cart(
        &mut self,
        world: World<'_>,
        shown: Option<&Shown>,
        eyed: Option<Eyed>,
    ) -> bool {
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
        let left = if self.cart.is_empty() { 0.0 } else { LEFT_CART };
        let pull = eyed.map_or(0.0, |eyed| eyed.pull);
        self.cart_probability = probability(log_odds(base) + moved + left + pull);
        let luck = self.draws(world, Purpose::Cart).unit();
        luck < self.cart_probability || self.cart_for_sure
    }

    /// Fills the cart, first with what there is an eye on if its price is no obstacle, and looks at it. A cart that was left
    /// behind may be taken as it is.
    fn fill_cart(&mut self, world: World<'_>, at: EpochMs, eyed: Option<Eyed>) {
        let mut draws = self.draws(world, Purpose::Basket);
        let fewest = i64::from(self.cart.is_empty());
        let wanted = eyed.filter(|eyed| eyed.pull >= 0.0);
        for turn in 0..draws.between(fewest, 3) {
            let (product, from_wishlist) = match wanted {
                Some(eyed) if turn == 0 => (eyed.product, eyed.wished),
                _ => {
                    let product = self.choose(world, at, &mut draws);
                    self.view(world, product, at, &mut draws);
                    let dear = !world.shop.price(product, at).is_reduced();
                    let minds = self.shopper.temperament.habits().reduced / 2.0;
                    if dear && !self.cart.is_empty() && draws.chance(minds) {
                        continue;
                    }
                    (product, false)
                }
            };
            let line = Line {
                product,
                quantity: 1 + u32::from(draws.chance(0.1)),
                cents: world.shop.price(product, at).cents,
            };
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
            let result = self.try_coupon(&mut draws);
            // Whoever collects coupons has another one.
            if result == CouponResult::Denied && draws.chance(habits.coupon / 2.0) {
                self.try_coupon(&mut draws);
            }
        }
        let pause_ms = if draws.chance(habits.hesitate) {
            self.read(&mut draws, Page::Shipping);
            draws.between(4 * 60_000, 14 * 60_000)
        } else {
            draws.between(3_000, 40_000)
        };
        self.ask(pause_ms, Moment::Cart, Part::Settle);
    }

    fn try_coupon(&mut self, draws: &mut Draws) -> CouponResult {
        let applied = draws.chance(0.35);
        let percent = if draws.chance(0.5) { 5 } else { 10 };
        let result = if applied {
            CouponResult::Applied(percent)
        } else {
            CouponResult::Denied
        };
        self.coupon = Some(result);
        let lines = self.cart.clone();
        self.then(draws, Act::Coupon { result, lines });
        result
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
            product = self.suits(world, draws);
            if !reduced || world.shop.price(product, at).is_reduced() {
                break;
            }
        }
        product
    }

    /// A product that suits taste and purse.
    pub(super) fn suits(&self, world: World<'_>, draws: &mut Draws) -> u32 {
        let category = self.category(draws);
        let places = world.shop.per_shelf() as f64;
        let spread = (draws.unit() + draws.unit() - 1.0) * 0.35;
        let place = whole(((self.shopper.purse + spread).clamp(0.0, 0.999) * places).floor());
        world.shop.at(category, usize::try_from(place).unwrap_or(0))
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
            let example = world.shop.product(world.shop.at(category, first));
            let by = match draws.below(4) {
                0 => Narrowing::Reduced,
                1 => Narrowing::Price,
                2 => Narrowing::UpTo((example.usual_cents / 5_000 + 1) * 50),
                _ => Narrowing::Brand(example.brand),
            };
            self.then(draws, Act::Filter { category, by });
        }
    }

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
            return;
        }
        let luck = draws.unit() * 8.0;
        if luck < habits.wish {
            self.then(draws, Act::Share(product));
        } else if luck < 2.0 * habits.wish {
            let rating = draws.between(2, 5);
            self.then(draws, Act::Review { product, rating });
        }
    }

    /// Looks at a product, longer if it is reduced, and shorter if hardly engaged.
    pub(super) fn view(&mut self, world: World<'_>, product: u32, at: EpochMs, draws: &mut Draws) {
        let longer = if world.shop.price(product, at).is_reduced() {
            5
        } else {
            4
        };
        let usual_ms = self.usual_pause(draws) * longer / 4;
        let dwell_ms = whole(usual_ms as f64 * (0.3 + 0.7 * self.liveliness()));
        let attention = Self::attention(dwell_ms, draws);
        let human = self.shopper.temperament != Temperament::Bot;
        let examined = if human {
            draws.below(ATTRIBUTES + 1)
        } else {
            0
        };
        self.outcome.views += 1;
        self.looked_at = Some(product);
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
