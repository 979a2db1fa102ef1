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

    /// The same under another name.
    #[must_use]
    pub fn named(self, version: Text<64>) -> Self {
        Self { version, ..self }
    }

    /// A hash of what it says, whatever its name.
    pub fn content_hash(&self) -> u64 {
        let mut bytes = Vec::new();
        for (_, level) in &self.levels {
            bytes.extend(level.category.as_str().as_bytes());
            bytes.extend(level.currency.as_str().as_bytes());
            bytes.extend(level.mean_ln_price.to_bits().to_le_bytes());
        }
        let spreads = self.spreads().into_iter();
        for number in spreads.flat_map(|spread| [spread.location, spread.scale]) {
            bytes.extend(number.to_bits().to_le_bytes());
        }
        bytes.extend(self.review_cart_share.to_bits().to_le_bytes());
        xxh3_64(&bytes)
    }

    /// Whether features under one and under the other hardly differ: the levels are those of the same categories, within one
    /// per cent of a price each; the rest lies within a twentieth of its scale.
    pub fn is_close_to(&self, other: &Self) -> bool {
        let level =
            |((one_key, one), (other_key, other)): (&(u64, PriceLevel), &(u64, PriceLevel))| {
                one_key == other_key
                    && one.currency == other.currency
                    && (one.mean_ln_price - other.mean_ln_price).abs() <= CLOSE_LN_PRICE
            };
        let spread = |(one, other): (&Spread, &Spread)| {
            let off = (one.location - other.location).abs();
            off.max((one.scale - other.scale).abs()) <= CLOSE_SCALES * other.scale
        };
        self.levels.len() == other.levels.len()
            && self.levels.iter().zip(&other.levels).all(level)
            && self.spreads().iter().zip(&other.spreads()).all(spread)
            && (self.review_cart_share - other.review_cart_share).abs() <= CLOSE_SHARE
    }

    fn spreads(&self) -> [Spread; 5] {
        [
            self.day,
            self.session,
            self.basket,
            self.mix,
            self.visit_gap,
        ]
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

/// How far the logarithm of a level may lie from another that is hardly different.
const CLOSE_LN_PRICE: f64 = 0.01;
/// The same of a spread, in its scale.
const CLOSE_SCALES: f64 = 0.05;
/// The same of a share.
const CLOSE_SHARE: f64 = 0.01;

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
/// So many levels are kept, of the categories that are looked at most: a reference is held by version, for months.
const MOST_LEVELS: usize = 1000;
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
        if state.gaps.values.n * worth >= 1.0
            && let Some(mean) = state.gaps.values.mean()
        {
            self.visit_gap.add(mean, 1.0);
            self.visit_gap.deviations += state.gaps.deviations / state.gaps.values.n;
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

    /// What was learnt, under the name `version`. What too few shoppers say anything about is as in [`Reference::prior`]; of more
    /// than a thousand levels those of the categories looked at most are kept.
    pub fn finish(self, version: Text<64>) -> Reference {
        let prior = Reference::prior();
        let spread = |learnt: &Moments, prior: Spread| match learnt.values.mean() {
            Some(location) if learnt.values.n >= PRIOR_SHOPPERS => Spread {
                location,
                scale: libm::sqrt(learnt.deviations / learnt.values.n).max(0.05),
            },
            _ => prior,
        };
        let mut enough: Vec<_> = self
            .levels
            .into_iter()
            .filter(|(_, (n, _))| *n >= LEVEL_VIEWS)
            .collect();
        // A stable order: of equally many views the first by name.
        enough.sort_by(|(_, (one, _)), (_, (other, _))| other.total_cmp(one));
        enough.truncate(MOST_LEVELS);
        let levels = enough.into_iter().map(|((category, currency), (n, sum))| {
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
        let other_name = reference.clone().named(Text::new("other").unwrap());
        assert_eq!(other_name.content_hash(), reference.content_hash());
        let senseless = text.replace("\"scale\":0.8", "\"scale\":0.0");
        let error = serde_json::from_str::<Reference>(&senseless).unwrap_err();
        assert!(error.to_string().contains("ln_basket"), "{error}");
    }
    #[test]
    fn what_hardly_moved_is_close_and_what_moved_is_not() {
        let with = |change: fn(&mut Reference)| {
            let mut reference = Reference::prior();
            let category = Category::new("tea").unwrap();
            let (currency, mean_ln_price) = (Currency::EUR, 6.5);
            let level = PriceLevel {
                category,
                currency,
                mean_ln_price,
            };
            reference.levels = vec![(xxh3_64(b"tea"), level)];
            change(&mut reference);
            reference
        };
        let usual = with(|_| ());
        for hardly in [
            with(|reference| reference.levels[0].1.mean_ln_price += 0.009),
            with(|reference| reference.mix.location += 0.005),
            with(|reference| reference.review_cart_share -= 0.009),
        ] {
            assert!(hardly.is_close_to(&usual) && usual.is_close_to(&hardly));
            assert_ne!(hardly.content_hash(), usual.content_hash());
        }
        for moved in [
            with(|reference| reference.levels.clear()),
            with(|reference| reference.levels[0].1.mean_ln_price += 0.011),
            with(|reference| reference.levels[0].1.currency = Currency::all().next().unwrap()),
            with(|reference| reference.mix.location += 0.01),
            with(|reference| reference.day.scale *= 1.2),
            with(|reference| reference.review_cart_share += 0.02),
        ] {
            assert!(!moved.is_close_to(&usual) && !usual.is_close_to(&moved));
        }
    }
}
