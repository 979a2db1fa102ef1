//! What is usual among shoppers: applied when features are read, never folded in.

use std::collections::BTreeMap;

use foretide_events::{Category, Currency, Text};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{State, moments::Moments};

/// Location and scale of something, such as its mean and standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Where its middle is.
    pub location: f64,
    /// How far from there it usually is, above zero.
    pub scale: f64,
}

/// The level of prices of a category in a currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriceLevel {
    /// The category.
    pub category: Category,
    /// The currency.
    pub currency: Currency,
    /// The mean natural logarithm of the prices looked at, in minor units.
    pub mean_ln_price: f64,
}

/// Price levels and population priors, under the name that answers state beside every feature that depends on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Reference {
    version: Text<64>,
    levels: Vec<(u64, PriceLevel)>,
    /// ln(1 + engagement of a day).
    pub(crate) day: Spread,
    /// ln(1 + seconds of a session).
    pub(crate) session: Spread,
    /// ln(1 + worth of an order in major units).
    pub(crate) basket: Spread,
    /// Divergence of the last day's mix of categories from the usual one, in bits.
    pub(crate) mix: Spread,
    /// ln(1 + hours between two visits).
    pub(crate) visit_gap: Spread,
    /// How often a product is put into the cart that is looked at again at the same price.
    pub(crate) review_cart_share: f64,
}

/// The same as it is written down.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    version: Text<64>,
    #[serde(default)]
    levels: Vec<PriceLevel>,
    ln_daily_engagement: Spread,
    ln_session_seconds: Spread,
    ln_basket: Spread,
    category_mix_divergence: Spread,
    ln_visit_gap_hours: Spread,
    review_cart_share: f64,
}

/// Why something is no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// A number is not finite, or a scale is not above zero.
    #[error("`{0}` must be finite, and its scale above zero")]
    NotASpread(&'static str),
    /// A level is not finite.
    #[error("every `mean_ln_price` must be finite and at least 0")]
    NotALevel,
    /// A share is no share.
    #[error("`review_cart_share` must lie between 0 and 1")]
    NotAShare,
}

impl TryFrom<Stored> for Reference {
    type Error = ReferenceError;

    fn try_from(stored: Stored) -> Result<Self, ReferenceError> {
        let spreads = [
            ("ln_daily_engagement", stored.ln_daily_engagement),
            ("ln_session_seconds", stored.ln_session_seconds),
            ("ln_basket", stored.ln_basket),
            ("category_mix_divergence", stored.category_mix_divergence),
            ("ln_visit_gap_hours", stored.ln_visit_gap_hours),
        ];
        for (name, spread) in spreads {
            let sound = spread.location.is_finite() && spread.scale.is_finite();
            if !sound || spread.scale <= 0.0 {
                return Err(ReferenceError::NotASpread(name));
            }
        }
        let sound = |level: &PriceLevel| (0.0..1e3).contains(&level.mean_ln_price);
        if !stored.levels.iter().all(sound) {
            return Err(ReferenceError::NotALevel);
        }
        if !(0.0..=1.0).contains(&stored.review_cart_share) {
            return Err(ReferenceError::NotAShare);
        }
        let hashed = |level: PriceLevel| (xxh3_64(level.category.as_str().as_bytes()), level);
        let mut levels: Vec<_> = stored.levels.into_iter().map(hashed).collect();
        levels.sort_by_key(|(hash, level)| (*hash, level.currency));
        levels.dedup_by_key(|(hash, level)| (*hash, level.currency));
        Ok(Self {
            version: stored.version,
            levels,
            day: stored.ln_daily_engagement,
            session: stored.ln_session_seconds,
            basket: stored.ln_basket,
            mix: stored.category_mix_divergence,
            visit_gap: stored.ln_visit_gap_hours,
            review_cart_share: stored.review_cart_share,
        })
    }
}

impl From<Reference> for Stored {
    fn from(reference: Reference) -> Self {
        Self {
            version: reference.version,
            levels: reference
                .levels
                .into_iter()
                .map(|(_, level)| level)
                .collect(),
            ln_daily_engagement: reference.day,
            ln_session_seconds: reference.session,
            ln_basket: reference.basket,
            category_mix_divergence: reference.mix,
            ln_visit_gap_hours: reference.visit_gap,
            review_cart_share: reference.review_cart_share,
        }
    }
}

impl Default for Reference {
    fn default() -> Self {
        Self::prior()
    }
}

impl Reference {
    /// What is assumed before anything was learnt: rough figures of shops of all kinds, and no price levels.
    pub fn prior() -> Self {
        let spread = |location: f64, scale: f64| Spread { location, scale };
        Self {
            version: Text::new("prior-1").unwrap_or_default(),
            levels: Vec::new(),
            day: spread(libm::log1p(8.0), 1.0),
            session: spread(libm::log1p(300.0), 1.2),
            basket: spread(libm::log1p(60.0), 0.8),
            mix: spread(0.15, 0.15),
            visit_gap: spread(libm::log1p(72.0), 1.0),
            review_cart_share: 0.1,
        }
    }

    /// Its name: features that use a reference are comparable only under the same one.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The levels of prices it knows.
    pub fn levels(&self) -> impl Iterator<Item = &PriceLevel> {
        self.levels.iter().map(|(_, level)| level)
    }

    pub(crate) fn has_levels(&self) -> bool {
        !self.levels.is_empty()
    }

    /// The level of the category with this hash.
    pub(crate) fn level_of(&self, category: u64, currency: Currency) -> Option<f64> {
        let wanted = (category, currency);
        let place = self
            .levels
            .binary_search_by_key(&wanted, |(hash, level)| (*hash, level.currency));
        place.ok().map(|place| self.levels[place].1.mean_ln_price)
    }
}

/// Learns a reference from the profiles of a shop, in any order and in parts that are [merged](Self::merge).
#[derive(Clone, Debug, Default)]
pub struct ReferenceLearner {
    levels: BTreeMap<(Category, Currency), (f64, f64)>,
    day: Moments,
    session: Moments,
    basket: Moments,
    visit_gap: Moments,
    mix: Moments,
    same_views: f64,
    same_taken: f64,
}

/// A level needs so many views of products with a price, decayed.
const LEVEL_VIEWS: f64 = 50.0;
/// A prior needs so many shoppers of whom it is known.
const PRIOR_SHOPPERS: f64 = 100.0;

impl ReferenceLearner {
    /// Adds what is known of one shopper.
    pub fn add(&mut self, state: &State) {
        let worth = state.month_worth();
        if let Some(currency) = state.currency() {
            for entry in state.affinity().0.entries() {
                let viewed = &entry.beside.prices.viewed;
                if viewed.n > 0.0 {
                    let key = (entry.name.category.clone(), currency);
                    let (n, sum) = self.levels.entry(key).or_default();
                    *n += viewed.n * worth;
                    *sum += viewed.above(0.0) * worth;
                }
            }
        }
        let habits = &state.habits;
        for (moments, known) in [
            (&mut self.day, habits.day.known()),
            (&mut self.session, habits.session.known()),
            (&mut self.basket, habits.basket.known()),
        ] {
            if let Some(known) = known {
                moments.add(known.location, 1.0);
                moments.deviations += known.scale * known.scale;
            }
        }
        if state.gaps.n * worth >= 1.0
            && let Some(mean) = state.gaps.mean()
        {
            self.visit_gap.add(mean, 1.0);
            self.visit_gap.deviations += state.gaps.deviations / state.gaps.n;
        }
        if let Some(divergence) = state.mix_divergence(state.as_of()) {
            self.mix.add(divergence, 1.0);
        }
        let (views, taken) = state.same_price_views();
        self.same_views += views;
        self.same_taken += taken;
    }

    /// Adds what `other` has learnt from other shoppers.
    pub fn merge(&mut self, other: &Self) {
        for (key, (n, sum)) in &other.levels {
            let level = self.levels.entry(key.clone()).or_default();
            level.0 += n;
            level.1 += sum;
        }
        self.day.merge(&other.day);
        self.session.merge(&other.session);
        self.basket.merge(&other.basket);
        self.visit_gap.merge(&other.visit_gap);
        self.mix.merge(&other.mix);
        self.same_views += other.same_views;
        self.same_taken += other.same_taken;
    }

    /// What was learnt, under the name `version`. What too few shoppers say anything about is as in [`Reference::prior`].
    pub fn finish(self, version: Text<64>) -> Reference {
        let prior = Reference::prior();
        let spread = |learnt: &Moments, prior: Spread| match learnt.mean() {
            Some(location) if learnt.n >= PRIOR_SHOPPERS => Spread {
                location,
                scale: libm::sqrt(learnt.deviations / learnt.n).max(0.05),
            },
            _ => prior,
        };
        let enough = self
            .levels
            .into_iter()
            .filter(|(_, (n, _))| *n >= LEVEL_VIEWS);
        let levels = enough.map(|((category, currency), (n, sum))| {
            let level = PriceLevel {
                category,
                currency,
                mean_ln_price: sum / n,
            };
            (xxh3_64(level.category.as_str().as_bytes()), level)
        });
        let mut levels: Vec<_> = levels.collect();
        levels.sort_by_key(|(hash, level)| (*hash, level.currency));
        let review_cart_share = if self.same_views >= PRIOR_SHOPPERS {
            (self.same_taken / self.same_views).clamp(0.001, 1.0)
        } else {
            prior.review_cart_share
        };
        Reference {
            version,
            levels,
            day: spread(&self.day, prior.day),
            session: spread(&self.session, prior.session),
            basket: spread(&self.basket, prior.basket),
            mix: spread(&self.mix, prior.mix),
            visit_gap: spread(&self.visit_gap, prior.visit_gap),
            review_cart_share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_json_and_a_senseless_one_is_refused() {
        let mut reference = Reference::prior();
        reference.levels = vec![(
            xxh3_64(b"tea"),
            PriceLevel {
                category: Category::new("tea").unwrap(),
                currency: Currency::EUR,
                mean_ln_price: 6.5,
            },
        )];
        let text = serde_json::to_string(&reference).unwrap();
        let read: Reference = serde_json::from_str(&text).unwrap();
        assert_eq!(read, reference);
        assert_eq!(read.level_of(xxh3_64(b"tea"), Currency::EUR), Some(6.5));
        assert_eq!(read.level_of(xxh3_64(b"mug"), Currency::EUR), None);
        let senseless = text.replace("\"scale\":0.8", "\"scale\":0.0");
        let error = serde_json::from_str::<Reference>(&senseless).unwrap_err();
        assert!(error.to_string().contains("ln_basket"), "{error}");
    }
}
