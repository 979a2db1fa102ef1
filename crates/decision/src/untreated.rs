//! The shoppers who never get an offer.
//!
//! Probabilities mean *if no offer is shown*. Whoever learns them only from shoppers of whom the rule expected the best learns
//! from no others, and the next models, and the offers they lead to, swing. So a small share of all shoppers is left without
//! offers for good: what they do is what everyone would have done.

use std::{fmt, str::FromStr};

use foretide_events::ShopperId;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What the hash of a shopper is salted with, so that nothing else that divides shoppers by a hash divides them alike.
const SALT: u64 = 0x756e_7472_6561_7465;

/// Why something is no share of shoppers without offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a share between 0 and 0.5")]
pub struct InvalidShare;

/// Which share of shoppers never gets an offer, 0 to 0.5.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct UntreatedShare(f64);

impl UntreatedShare {
    /// Everyone gets offers.
    pub const NONE: Self = Self(0.0);

    /// Takes `share`, unless it lies outside 0 to 0.5.
    pub fn new(share: f64) -> Result<Self, InvalidShare> {
        if (0.0..=0.5).contains(&share) {
            Ok(Self(share))
        } else {
            Err(InvalidShare)
        }
    }

    /// The number, 0 to 0.5.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Whether it is none.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(crate) fn is_none(&self) -> bool {
        self.0 == 0.0
    }

    /// Whether `shopper` is one of them. Who is one at a share is one at any larger.
    pub fn holds(self, shopper: &ShopperId) -> bool {
        // The pseudonym is keyed already, so that nobody outside can tell who is one.
        let hash = xxh3_64_with_seed(&shopper.0, SALT);
        (hash as f64) < self.0 * u64::MAX as f64
    }
}

impl TryFrom<f64> for UntreatedShare {
    type Error = InvalidShare;

    fn try_from(share: f64) -> Result<Self, InvalidShare> {
        Self::new(share)
    }
}

impl From<UntreatedShare> for f64 {
    fn from(share: UntreatedShare) -> Self {
        share.0
    }
}

impl FromStr for UntreatedShare {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        Self::new(text.parse().unwrap_or(f64::NAN))
    }
}

impl fmt::Display for UntreatedShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shoppers() -> impl Iterator<Item = ShopperId> {
        (0_u128..20_000).map(|number| ShopperId((number << 64 | number).to_be_bytes()))
    }

    #[test]
    fn about_that_share_of_shoppers_is_left_without_and_a_larger_one_keeps_them() {
        let share = |text: &str| text.parse::<UntreatedShare>().unwrap();
        assert_eq!(
            shoppers()
                .filter(|id| UntreatedShare::NONE.holds(id))
                .count(),
            0
        );
        let few = shoppers().filter(|id| share("0.05").holds(id)).count();
        assert!((900..1_100).contains(&few), "{few}");
        for shopper in shoppers().filter(|id| share("0.05").holds(id)) {
            assert!(share("0.1").holds(&shopper));
        }
    }

    #[test]
    fn who_is_left_without_never_changes() {
        let share = UntreatedShare(0.05);
        let first: Vec<_> = shoppers().map(|id| share.holds(&id)).take(200).collect();
        let places: Vec<_> = (0..).zip(first).filter(|(_, held)| *held).collect();
        let places: Vec<u32> = places.into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, GOLDEN);
    }

    const GOLDEN: &[u32] = &[9, 71, 108, 109, 114, 132, 169, 182, 192];

    #[test]
    fn only_0_to_one_half_are_shares() {
        for bad in ["-0.1", "0.51", "NaN", "few"] {
            assert_eq!(bad.parse::<UntreatedShare>(), Err(InvalidShare), "{bad}");
        }
        assert!("0.5".parse::<UntreatedShare>().is_ok());
    }
}
