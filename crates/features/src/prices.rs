//! What the goods of a category cost that the shopper looks at and buys.

use foretide_events::{EpochMs, Money};

use crate::{
    Affinity, DecodeError, HalfLife, Reference,
    codec::{SumReader, SumWriter},
    moments::Average,
};

/// The half-life of what is known of prices.
const HALF_LIFE: HalfLife = HalfLife::Month;

/// Less than this many observations, decayed, say nothing.
pub(crate) const HARDLY_ANY: f64 = 1e-6;

/// Logarithms of prices of one piece in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CategoryPrices {
    /// Of product views.
    pub(crate) viewed: Average,
    /// Of lines that were bought.
    pub(crate) bought: Average,
}

impl CategoryPrices {
    /// Takes in the price of a product that was looked at; by how much the weighted squared distances from the mean of the
    /// category grow.
    pub(crate) fn view(&mut self, ln_price: f64, weight: f64) -> f64 {
        self.viewed.add(ln_price, weight)
    }

    pub(crate) fn buy(&mut self, ln_price: f64, weight: f64) {
        self.bought.add(ln_price, weight);
    }

    pub(crate) fn move_to(&mut self, from: EpochMs, to: EpochMs) {
        let halvings = HALF_LIFE.halvings(from, to);
        if halvings > 0 {
            self.viewed.halve(halvings);
            self.bought.halve(halvings);
        }
    }

    pub(crate) fn round(&mut self) {
        self.viewed.round();
        self.bought.round();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.viewed.merge(&other.viewed);
        self.bought.merge(&other.bought);
    }

    pub(crate) fn write(&self, sums: &mut SumWriter<'_, '_>) {
        self.viewed.write(sums);
        self.bought.write(sums);
    }

    pub(crate) fn read(sums: &mut SumReader<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            viewed: Average::read(sums)?,
            bought: Average::read(sums)?,
        })
    }
}

/// How the prices of one shopper lie to the levels of their categories, in natural logarithms: 0 is as usual there, 0.1 about a
/// tenth above.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PriceLevels {
    pub(crate) viewed: Option<f64>,
    pub(crate) spread: Option<f64>,
    pub(crate) bought: Option<f64>,
}

impl PriceLevels {
    /// Those of `affinity`, whose prices are in `currency`. `within` is the mean squared distance of a price from the mean of its
    /// category, `worth` what 1 in a sum is worth now.
    pub(crate) fn of(
        affinity: &Affinity,
        currency: foretide_events::Currency,
        reference: &Reference,
        within: f64,
        worth: f64,
    ) -> Self {
        let known = || {
            let entries = affinity.0.entries().iter();
            entries.filter_map(|entry| {
                let level = reference.level_of(entry.name.hash, currency)?;
                Some((&entry.beside.prices, level))
            })
        };
        if !reference.has_levels() {
            return Self::default();
        }
        let (mut viewed_n, mut above, mut bought_n, mut bought_above) = (0.0, 0.0, 0.0, 0.0);
        for (prices, level) in known() {
            viewed_n += prices.viewed.n;
            above += prices.viewed.above(level);
            bought_n += prices.bought.n;
            bought_above += prices.bought.above(level);
        }
        let enough = |n: f64| n * worth >= HARDLY_ANY;
        let viewed = enough(viewed_n).then(|| above / viewed_n);
        let spread = |mean: f64| {
            let squares = known().map(|(prices, level)| {
                let viewed = &prices.viewed;
                let off = viewed.mean().map_or(0.0, |own| own - level - mean);
                viewed.n * off * off
            });
            libm::sqrt(within + squares.sum::<f64>() / viewed_n)
        };
        Self {
            viewed,
            spread: viewed.map(spread),
            bought: enough(bought_n).then(|| bought_above / bought_n),
        }
    }
}

/// The logarithm of a price, in minor units: it is above zero.
pub(crate) fn ln_price(minor_units: i64) -> f64 {
    libm::log(minor_units as f64)
}

/// `price`, if it is one.
pub(crate) fn above_zero(price: Option<Money>) -> Option<Money> {
    price.filter(|price| price.minor_units > 0)
}
