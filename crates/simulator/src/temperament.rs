//! The kinds of shoppers, and their habits.

use serde::Serialize;

/// What kind of shopper one is, for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Temperament {
    /// Looks at much and buys little.
    Browser,
    /// Looks for what is reduced, tries coupons, waits for a better price.
    BargainHunter,
    /// Comes often, knows what to buy, buys it.
    Loyal,
    /// Came often once; from a known instant on engagement falls.
    Drifting,
    /// No shopper at all: a machine that reads the catalogue, fast.
    Bot,
}

impl Temperament {
    /// Every temperament.
    pub const ALL: [Self; 5] = [
        Self::Browser,
        Self::BargainHunter,
        Self::Loyal,
        Self::Drifting,
        Self::Bot,
    ];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::BargainHunter => "bargain_hunter",
            Self::Loyal => "loyal",
            Self::Drifting => "drifting",
            Self::Bot => "bot",
        }
    }

    pub(crate) fn habits(self) -> &'static Habits {
        &HABITS[self as usize]
    }
}

/// What shoppers of one temperament tend to do. Probabilities are per visit unless said otherwise.
#[derive(Debug)]
pub(crate) struct Habits {
    /// Visits a day, on average.
    pub(crate) visits_per_day: f64,
    /// Fewest and most products looked at in a visit.
    pub(crate) views: (i64, i64),
    /// Mean time between two actions, in milliseconds.
    pub(crate) pause_ms: i64,
    /// That a search opens the visit.
    pub(crate) search: f64,
    /// That a list is filtered or sorted by price.
    pub(crate) filter: f64,
    /// That a product that is looked at is looked for among the reduced ones.
    pub(crate) reduced: f64,
    /// That a product that is looked at goes on the wishlist.
    pub(crate) wish: f64,
    /// That something is put into the cart.
    pub(crate) cart: f64,
    /// That there is a long pause before the decision over a cart.
    pub(crate) hesitate: f64,
    /// That a coupon is tried on a cart.
    pub(crate) coupon: f64,
    /// That a cart is bought, without offer or coupon, at the prices the shopper likes.
    pub(crate) buy: f64,
    /// That the shopper has an account and signs in sooner or later.
    pub(crate) account: f64,
    /// That the shopper looks again at the product that there is an eye on.
    pub(crate) returns: f64,
    /// What a price lower by the factor e, since the shopper last saw it, adds to the log-odds that the product is put into
    /// the cart; a higher one takes as much away.
    pub(crate) elasticity: f64,
    /// That a shopper with an account who bought nothing goes to a store instead, within days.
    pub(crate) store: f64,
}

const HABITS: [Habits; 5] = [
    Habits {
        visits_per_day: 0.25,
        views: (3, 9),
        pause_ms: 22_000,
        search: 0.4,
        filter: 0.15,
        reduced: 0.1,
        wish: 0.08,
        cart: 0.2,
        hesitate: 0.5,
        coupon: 0.15,
        buy: 0.3,
        account: 0.5,
        returns: 0.5,
        elasticity: 3.0,
        store: 0.03,
    },
    Habits {
        visits_per_day: 0.35,
        views: (3, 8),
        pause_ms: 18_000,
        search: 0.35,
        filter: 0.6,
        reduced: 0.7,
        wish: 0.12,
        cart: 0.45,
        hesitate: 0.8,
        coupon: 0.6,
        buy: 0.25,
        account: 0.7,
        returns: 0.75,
        elasticity: 9.0,
        store: 0.02,
    },
    Habits {
        visits_per_day: 0.5,
        views: (2, 6),
        pause_ms: 20_000,
        search: 0.6,
        filter: 0.1,
        reduced: 0.1,
        wish: 0.1,
        cart: 0.45,
        hesitate: 0.3,
        coupon: 0.15,
        buy: 0.7,
        account: 1.0,
        returns: 0.4,
        elasticity: 1.0,
        store: 0.06,
    },
    Habits {
        visits_per_day: 0.5,
        views: (3, 8),
        pause_ms: 20_000,
        search: 0.4,
        filter: 0.15,
        reduced: 0.15,
        wish: 0.08,
        cart: 0.35,
        hesitate: 0.5,
        coupon: 0.2,
        buy: 0.45,
        account: 1.0,
        returns: 0.5,
        elasticity: 3.0,
        store: 0.03,
    },
    Habits {
        visits_per_day: 1.0,
        views: (40, 120),
        pause_ms: 450,
        search: 0.0,
        filter: 0.0,
        reduced: 0.0,
        wish: 0.0,
        cart: 0.0,
        hesitate: 0.0,
        coupon: 0.0,
        buy: 0.0,
        account: 0.0,
        returns: 0.0,
        elasticity: 0.0,
        store: 0.0,
    },
];
