//! What is usual for one shopper: robust running estimates of location and scale (M6).

use crate::{
    DecodeError, Spread,
    codec::{SumReader, SumWriter},
    half_life::kept,
};

/// So many values are remembered: each later one moves the estimates by a twentieth.
pub(crate) const MEMORY: u8 = 20;
/// A value further off than so many scales counts as that far off (Huber's ψ).
pub(crate) const CUT: f64 = 3.0;
/// √(π/2): makes a standard deviation of a mean absolute one, where values are normal.
const SD_OF_MEAN_DEVIATION: f64 = 1.253_314_137_315_500_3;
/// As many values, of a habit or of times away, as the population counts for.
pub(crate) const PRIOR: f64 = 3.0;
/// No scale that a deviation is told in is less.
pub(crate) const LEAST_SHRUNK_SCALE: f64 = 0.1;
/// No scale is less.
pub(crate) const LEAST_SCALE: f64 = 0.05;

/// The scales of engagement, sessions and baskets while there is one value.
pub(crate) const FIRST_SCALES: [f64; 3] = [0.7, 1.0, 0.6];

/// A running estimate, by count and not by time. Its numbers are rounded as sums are, and never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Baseline {
    n: u8,
    location: f64,
    scale: f64,
}

impl Baseline {
    /// Takes in `value`. `first_scale` is the scale while it is the only one.
    fn add(&mut self, value: f64, first_scale: f64) {
        if self.n == 0 {
            *self = Self {
                n: 1,
                location: value,
                scale: first_scale,
            };
            return;
        }
        let step = 1.0 / f64::from((self.n + 1).min(MEMORY));
        let off = (value - self.location).clamp(-CUT * self.scale, CUT * self.scale);
        let scale = self.scale + step * (off.abs() * SD_OF_MEAN_DEVIATION - self.scale);
        self.location = (self.location + step * off).max(0.0);
        self.scale = scale.max(LEAST_SCALE);
        self.n = (self.n + 1).min(MEMORY);
    }

    /// How far `now` is from what is usual, in scales, shrunk towards the population while little is known.
    pub(crate) fn deviation(&self, now: f64, usual: Spread) -> f64 {
        let n = f64::from(self.n);
        let shrunk = |own: f64, usual: f64| (n * own + PRIOR * usual) / (n + PRIOR);
        let scale = shrunk(self.scale, usual.scale).max(LEAST_SHRUNK_SCALE);
        bounded((now - shrunk(self.location, usual.location)) / scale)
    }

    /// What is usual, once enough is known.
    pub(crate) fn known(&self) -> Option<Spread> {
        (self.n >= 3).then_some(Spread {
            location: self.location,
            scale: self.scale,
        })
    }

    /// The mean of both, by how much each has seen.
    fn merge(&mut self, other: &Self) {
        let (n, more) = (f64::from(self.n), f64::from(other.n));
        if other.n > 0 {
            let mean = |own: f64, other: f64| (n * own + more * other) / (n + more);
            *self = Self {
                n: (self.n + other.n).min(MEMORY),
                location: mean(self.location, other.location),
                scale: mean(self.scale, other.scale),
            };
        }
    }
}

/// No standardised deviation is further from zero than ten.
pub(crate) fn bounded(deviation: f64) -> f64 {
    deviation.clamp(-10.0, 10.0)
}

/// The three baselines of a shopper, each of logarithms ln(1 + x).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Habits {
    /// Engagement of a day on which the shopper was there.
    pub(crate) day: Baseline,
    /// Seconds from the first action of a session to its last.
    pub(crate) session: Baseline,
    /// Worth of an order, in major units of the currency of the latest.
    pub(crate) basket: Baseline,
}

impl Habits {
    pub(crate) fn end_day(&mut self, engagement: f64) {
        self.day.add(libm::log1p(engagement), FIRST_SCALES[0]);
    }

    pub(crate) fn end_session(&mut self, lasted_ms: i64) {
        let seconds = lasted_ms.max(0) as f64 / 1000.0;
        self.session.add(libm::log1p(seconds), FIRST_SCALES[1]);
    }

    pub(crate) fn order(&mut self, major_units: f64) {
        if major_units > 0.0 {
            self.basket.add(libm::log1p(major_units), FIRST_SCALES[2]);
        }
    }

    pub(crate) fn clear_basket(&mut self) {
        self.basket = Baseline::default();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.day.merge(&other.day);
        self.session.merge(&other.session);
        self.basket.merge(&other.basket);
    }

    /// Rounds all numbers to what is kept of them.
    pub(crate) fn round(&mut self) {
        for baseline in self.all() {
            baseline.location = kept(baseline.location);
            baseline.scale = kept(baseline.scale);
        }
    }

    fn all(&mut self) -> [&mut Baseline; 3] {
        [&mut self.day, &mut self.session, &mut self.basket]
    }

    /// How many values each has seen, in base 21: one number.
    pub(crate) fn counts(&self) -> u64 {
        let base = u64::from(MEMORY) + 1;
        let [day, session, basket] = self.clone().all().map(|baseline| u64::from(baseline.n));
        (basket * base + session) * base + day
    }

    pub(crate) fn write(&self, sums: &mut SumWriter<'_, '_>) {
        for (baseline, first_scale) in self.clone().all().into_iter().zip(FIRST_SCALES) {
            if baseline.n > 0 {
                sums.sum_or_zero(baseline.location);
                match baseline.n {
                    1 => sums.sum_like(baseline.scale, kept(first_scale)),
                    _ => sums.sum(baseline.scale),
                }
            }
        }
    }

    /// Reads them, given their [`counts`](Self::counts).
    pub(crate) fn read(sums: &mut SumReader<'_, '_>, counts: u64) -> Result<Self, DecodeError> {
        let (base, mut rest) = (u64::from(MEMORY) + 1, counts);
        let mut habits = Self::default();
        for (baseline, first_scale) in habits.all().into_iter().zip(FIRST_SCALES) {
            baseline.n = u8::try_from(rest % base).unwrap_or(MEMORY);
            rest /= base;
            if baseline.n > 0 {
                baseline.location = sums.sum_or_zero()?;
                baseline.scale = match baseline.n {
                    1 => sums.sum_like(kept(first_scale))?,
                    _ => sums.sum()?,
                };
            }
        }
        if rest > 0 {
            return Err(DecodeError::Corrupt("more than is remembered"));
        }
        Ok(habits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Spread = Spread {
        location: 5.0,
        scale: 1.0,
    };

    fn after(values: impl IntoIterator<Item = f64>) -> Baseline {
        let mut baseline = Baseline::default();
        values
            .into_iter()
            .for_each(|value| baseline.add(value, 1.0));
        baseline
    }

    #[test]
    fn of_whom_nothing_is_known_the_population_is_usual() {
        assert!(after([]).deviation(5.0, USUAL).abs() < 1e-12);
        assert!((after([]).deviation(7.0, USUAL) - 2.0).abs() < 1e-12);
        assert!((after([]).deviation(1e9, USUAL) - 10.0).abs() < 1e-12);
    }

    #[test]
    fn one_wild_value_hardly_moves_what_is_usual() {
        let steady = || (0..20).map(|n| 2.0 + 0.1 * f64::from(n % 5));
        let (calm, shaken) = (after(steady()), after(steady().chain([1000.0])));
        assert!((calm.location - shaken.location).abs() < 0.1, "{shaken:?}");
        assert!(after([1.0; 100]).scale <= LEAST_SCALE + 1e-12);
        assert_eq!(after([1.0; 100]).n, MEMORY);
    }

    #[test]
    fn the_first_value_is_the_location() {
        let one = after([3.0]);
        assert!((one.location - 3.0).abs() < 1e-10 && (one.scale - 1.0).abs() < 1e-10);
        // a = 1/2, r = 1: 3.5, and 1 + (1.2533 - 1) / 2.
        let two = after([3.0, 4.0]);
        assert!((two.location - 3.5).abs() < 1e-10);
        let scale = f64::midpoint(1.0, SD_OF_MEAN_DEVIATION);
        assert!((two.scale - scale).abs() < 1e-10);
    }
}
