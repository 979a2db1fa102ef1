//! The shoppers: regulars who sign in, and visitors who come once.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// How a shopper's visits tend to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Looks around and leaves.
    Browsing,
    /// Buys.
    Buying,
    /// Fills a cart, hesitates over the price, and leaves it behind.
    Hesitating,
    /// Came often once; now a glance and gone.
    Drifting,
}

/// One shopper.
#[derive(Clone, Debug)]
pub(crate) struct Shopper {
    /// `{"user_id":…}` or `{"anonymous_id":…}`.
    pub(crate) identity: Value,
    /// The category most looked at.
    pub(crate) favourite: usize,
    /// Whether interest is fading, for good.
    pub(crate) drifting: bool,
}

impl Shopper {
    /// The regular number `number` of those that sign in. One in five drifts.
    pub(crate) fn regular(number: usize, rng: &mut ChaCha8Rng, categories: usize) -> Self {
        Self {
            identity: json!({ "user_id": format!("shopper-{number:04}") }),
            favourite: rng.random_range(0..categories),
            drifting: number % 5 == 4,
        }
    }

    /// A visitor whom the shop does not know.
    pub(crate) fn stranger(number: u64, rng: &mut ChaCha8Rng, categories: usize) -> Self {
        Self {
            identity: json!({ "anonymous_id": format!("browser-{number:06}") }),
            favourite: rng.random_range(0..categories),
            drifting: false,
        }
    }

    /// What the next visit will be like.
    pub(crate) fn mood(&self, rng: &mut ChaCha8Rng) -> Mood {
        if self.drifting {
            return Mood::Drifting;
        }
        match rng.random_range(0..100) {
            0..50 => Mood::Browsing,
            50..70 => Mood::Buying,
            _ => Mood::Hesitating,
        }
    }
}
