//! What happens in a visit: a list of acts with the time each takes, drawn before the visit begins.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    Article, Shop,
    shopper::{Mood, Shopper},
};

/// Mean time between two actions of a visit, in milliseconds.
pub(crate) const MEAN_PAUSE_MS: i64 = 4_000;

/// One thing a shopper does. Products are numbers into [`Shop::articles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Land,
    ReadPage(&'static str),
    Search { category: usize, results: u32 },
    LookAtList { category: usize },
    FilterByPrice { category: usize },
    SeeBanner,
    ClickBanner,
    ClickProduct(usize),
    LookAtProduct { article: usize, examined: usize },
    Wish(usize),
    AddToCart { article: usize, quantity: u32 },
    TakeOutLast,
    LookAtCart,
    CouponDenied,
    CouponApplied,
    StartCheckout,
    CheckoutStep(u32),
    EnterPayment,
    Buy,
}

/// An act and how long the shopper takes before doing it, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) pause_ms: i64,
    pub(crate) act: Act,
}

/// Draws a visit of `shopper` in `mood`.
pub(crate) fn plan(shop: &Shop, shopper: &Shopper, mood: Mood, rng: &mut ChaCha8Rng) -> Vec<Beat> {
    let mut plan = Plan {
        shop,
        shopper,
        rng,
        beats: Vec::new(),
    };
    plan.then(Act::Land);
    match mood {
        Mood::Browsing => plan.browse(2..7),
        Mood::Buying => {
            plan.browse(1..5);
            plan.fill_cart(1..3);
            plan.buy();
        }
        Mood::Hesitating => {
            plan.browse(1..4);
            plan.fill_cart(1..4);
            plan.hesitate();
        }
        Mood::Drifting => plan.glance(),
    }
    plan.beats
}

struct Plan<'a> {
    shop: &'a Shop,
    shopper: &'a Shopper,
    rng: &'a mut ChaCha8Rng,
    beats: Vec<Beat>,
}

impl Plan<'_> {
    fn then(&mut self, act: Act) {
        let pause_ms = self
            .rng
            .random_range(MEAN_PAUSE_MS / 4..=MEAN_PAUSE_MS * 7 / 4);
        self.beats.push(Beat { pause_ms, act });
    }

    fn sometimes(&mut self, percent: u32, act: Act) {
        if self.rng.random_range(0..100) < percent {
            self.then(act);
        }
    }

    /// The favourite category most of the time.
    fn category(&mut self) -> usize {
        if self.rng.random_range(0..10) < 7 {
            self.shopper.favourite
        } else {
            self.rng.random_range(0..self.shop.category_count())
        }
    }

    /// A product of `category`; the cheaper half is more popular.
    fn article(&mut self, category: usize) -> usize {
        let articles: &[Article] = self.shop.shelf(category);
        let one = self.rng.random_range(0..articles.len());
        let other = self.rng.random_range(0..articles.len());
        category * articles.len() + one.min(other)
    }

    fn browse(&mut self, products: std::ops::Range<usize>) {
        self.sometimes(30, Act::SeeBanner);
        self.sometimes(8, Act::ClickBanner);
        let category = self.category();
        let results = self.rng.random_range(0..40);
        self.sometimes(40, Act::Search { category, results });
        self.then(Act::LookAtList { category });
        self.sometimes(25, Act::FilterByPrice { category });
        for _ in 0..self.rng.random_range(products) {
            let category = self.category();
            let article = self.article(category);
            let examined = self.rng.random_range(0..4);
            self.sometimes(60, Act::ClickProduct(article));
            self.then(Act::LookAtProduct { article, examined });
            self.sometimes(8, Act::Wish(article));
        }
    }

    fn fill_cart(&mut self, products: std::ops::Range<usize>) {
        for _ in 0..self.rng.random_range(products) {
            let category = self.category();
            let article = self.article(category);
            let quantity = 1 + u32::from(self.rng.random_range(0..10) == 0);
            self.then(Act::LookAtProduct {
                article,
                examined: 2,
            });
            self.then(Act::AddToCart { article, quantity });
        }
        self.then(Act::LookAtCart);
    }

    fn buy(&mut self) {
        self.sometimes(20, Act::CouponApplied);
        self.then(Act::StartCheckout);
        self.then(Act::CheckoutStep(1));
        self.then(Act::CheckoutStep(2));
        self.then(Act::EnterPayment);
        self.then(Act::Buy);
    }

    fn hesitate(&mut self) {
        self.sometimes(40, Act::StartCheckout);
        self.sometimes(60, Act::ReadPage("/shipping-costs"));
        self.sometimes(60, Act::CouponDenied);
        self.sometimes(20, Act::TakeOutLast);
        self.sometimes(50, Act::LookAtCart);
        self.sometimes(30, Act::ReadPage("/returns"));
    }

    fn glance(&mut self) {
        let category = self.shopper.favourite;
        self.sometimes(50, Act::LookAtList { category });
        let article = self.article(category);
        self.sometimes(
            40,
            Act::LookAtProduct {
                article,
                examined: 0,
            },
        );
    }
}
