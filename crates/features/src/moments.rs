//! Number, mean and spread of values that forget.

use crate::{
    DecodeError,
    codec::{SumReader, SumWriter},
    half_life::{halved_small, kept, kept_mean, left},
};

/// A value within this of the mean is the mean: it is rounded by less.
const SAME: f64 = 1e-9;

/// Decayed number of values that are not negative, and their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Average {
    pub(crate) n: f64,
    mean: f64,
}

impl Average {
    /// Adds `value` with the weight of now; by how much the weighted squared distances from the mean grow.
    pub(crate) fn add(&mut self, value: f64, weight: f64) -> f64 {
        self.merge(&Self {
            n: weight,
            mean: value,
        })
    }

    /// Adds the values of `other`, as of the same instant; by how much the squared distances are more than both had.
    pub(crate) fn merge(&mut self, other: &Self) -> f64 {
        if other.n <= 0.0 {
            return 0.0;
        }
        let n = self.n + other.n;
        let apart = other.mean - self.mean;
        let mut grown = 0.0;
        if self.n <= 0.0 {
            self.mean = other.mean;
        } else if apart.abs() > SAME {
            self.mean += apart * (other.n / n);
            grown = apart * apart * (self.n / n) * other.n;
        }
        self.n = n;
        grown
    }

    /// The mean; `None` without a value.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.n > 0.0).then_some(self.mean)
    }

    /// The weighted sum of distances from `centre`.
    pub(crate) fn above(&self, centre: f64) -> f64 {
        (self.mean - centre) * self.n
    }

    pub(crate) fn halve(&mut self, halvings: i64) {
        self.n = halved_small(self.n, halvings);
        if self.n <= 0.0 {
            *self = Self::default();
        }
    }

    /// Rounds both to what is kept of them.
    pub(crate) fn round(&mut self) {
        self.n = kept(self.n);
        self.mean = kept_mean(self.mean);
    }

    pub(crate) fn write(&self, sums: &mut SumWriter<'_, '_>) {
        sums.sum_or_zero(self.n);
        if self.n > 0.0 {
            sums.mean(self.mean);
        }
    }

    pub(crate) fn read(sums: &mut SumReader<'_, '_>) -> Result<Self, DecodeError> {
        let n = sums.sum_or_zero()?;
        if n <= 0.0 {
            return Ok(Self::default());
        }
        Ok(Self {
            n,
            mean: sums.mean()?,
        })
    }
}

/// The same with the weighted sum of squared distances from the mean. (Sums of values and of squares would lose to rounding how
/// values that lie close together differ.)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) values: Average,
    pub(crate) deviations: f64,
}

impl Moments {
    /// Adds `value` with the weight of now.
    pub(crate) fn add(&mut self, value: f64, weight: f64) {
        self.deviations += self.values.add(value, weight);
    }

    /// Adds the values of `other`, as of the same instant.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.deviations += self.values.merge(&other.values) + other.deviations;
    }

    /// The weighted sum of squared distances from `centre`.
    pub(crate) fn squares_around(&self, centre: f64) -> f64 {
        let off = self.values.mean - centre;
        self.deviations + self.values.n * off * off
    }

    pub(crate) fn halve(&mut self, halvings: i64) {
        self.values.halve(halvings);
        self.deviations = if self.values.n > 0.0 {
            left(self.deviations, halvings)
        } else {
            0.0
        };
    }

    /// Rounds all to what is kept of them.
    pub(crate) fn round(&mut self) {
        self.values.round();
        self.deviations = kept(self.deviations);
    }

    pub(crate) fn write(&self, sums: &mut SumWriter<'_, '_>) {
        self.values.write(sums);
        if self.values.n > 0.0 {
            sums.sum_or_zero(self.deviations);
        }
    }

    pub(crate) fn read(sums: &mut SumReader<'_, '_>) -> Result<Self, DecodeError> {
        let values = Average::read(sums)?;
        let spreads = values.n > 0.0;
        Ok(Self {
            values,
            deviations: if spreads { sums.sum_or_zero()? } else { 0.0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_values_have_no_spread() {
        let mut moments = Moments::default();
        for n in 0..1000 {
            moments.add(8.123_456, 1.0 + f64::from(n) / 1000.0);
            if n % 3 == 0 {
                moments.round();
            }
        }
        assert!((moments.values.mean().unwrap() - 8.123_456).abs() < 1e-10);
        assert!(moments.deviations <= 0.0);
    }

    proptest! {
        /// Two halves merged have the mean and spread of the whole.
        #[test]
        fn halves_merge_to_the_whole(values in prop::collection::vec((0.0..12.0, 1.0..2.0), 1..60), cut in any::<prop::sample::Index>()) {
            let cut = cut.index(values.len());
            let of = |values: &[(f64, f64)]| {
                let mut moments = Moments::default();
                for (value, weight) in values {
                    moments.add(*value, *weight);
                }
                moments
            };
            let mut merged = of(&values[..cut]);
            merged.merge(&of(&values[cut..]));
            let n: f64 = values.iter().map(|(_, weight)| weight).sum();
            let mean = values.iter().map(|(value, weight)| value * weight).sum::<f64>() / n;
            let spread: f64 = values.iter().map(|(value, weight)| weight * (value - mean) * (value - mean)).sum();
            prop_assert!((merged.values.mean().unwrap() - mean).abs() < 1e-9);
            prop_assert!((merged.squares_around(mean) - spread).abs() < 1e-8 * (1.0 + spread));
            prop_assert!((merged.squares_around(mean + 1.0) - spread - n).abs() < 1e-7 * (1.0 + spread));
        }
    }
}
