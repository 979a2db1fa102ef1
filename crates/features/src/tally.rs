//! Sums that forget: counts, dwell, engagement and money under exponential decay.

use crate::{
    DecodeError, HalfLife,
    codec::{Reader, Writer},
    half_life::{decayed, kept},
};

/// A decayed sum. Those of one half-life stand together, the fastest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tally {
    Actions30m,
    Dwell30m,
    Engagement30m,

    Actions1d,
    Searches1d,
    ProductViews1d,
    CartAdds1d,
    Dwell1d,
    Engagement1d,

    Actions7d,
    PageViews7d,
    Searches7d,
    ProductListViews7d,
    ProductListFilters7d,
    ProductClicks7d,
    ProductViews7d,
    CartAdds7d,
    CartRemoves7d,
    CartViews7d,
    WishlistAdds7d,
    CouponsApplied7d,
    CouponsDenied7d,
    ContentImpressions7d,
    ContentClicks7d,
    ContentDismissals7d,
    CheckoutStarts7d,
    Shares7d,
    Reviews7d,
    Dwell7d,
    Engagement7d,

    Actions30d,
    Sessions30d,
    Searches30d,
    ProductViews30d,
    CartAdds30d,
    Purchases30d,
    Refunds30d,
    Spend30d,
    Dwell30d,
    Engagement30d,
}

const COUNT: usize = Tally::Engagement30d as usize + 1;

/// Each half-life with where its sums begin and end.
const GROUPS: [(HalfLife, usize, usize); 4] = [
    (HalfLife::HalfHour, 0, Tally::Actions1d as usize),
    (
        HalfLife::Day,
        Tally::Actions1d as usize,
        Tally::Actions7d as usize,
    ),
    (
        HalfLife::Week,
        Tally::Actions7d as usize,
        Tally::Actions30d as usize,
    ),
    (HalfLife::Month, Tally::Actions30d as usize, COUNT),
];

impl Tally {
    /// The half-life it decays by.
    pub(crate) fn half_life(self) -> HalfLife {
        let place = self as usize;
        GROUPS
            .iter()
            .find(|(_, _, end)| place < *end)
            .map_or(HalfLife::Month, |(half_life, ..)| *half_life)
    }
}

/// Every decayed sum, all valid at one instant that the owner keeps. Never negative, never infinite.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tallies([f64; COUNT]);

impl Default for Tallies {
    fn default() -> Self {
        Self([0.0; COUNT])
    }
}

impl Tallies {
    /// Moves the instant they are valid at by `elapsed_ms`.
    pub(crate) fn decay(&mut self, elapsed_ms: i64) {
        if elapsed_ms <= 0 {
            return;
        }
        for (half_life, start, end) in GROUPS {
            let factor = half_life.factor(elapsed_ms);
            for sum in &mut self.0[start..end] {
                *sum = decayed(*sum, factor);
            }
        }
    }

    /// Adds `amount` to each of `tallies`.
    pub(crate) fn add(&mut self, tallies: &[Tally], amount: f64) {
        for tally in tallies {
            let sum = &mut self.0[*tally as usize];
            *sum = kept(*sum + amount);
        }
    }

    /// Starts `tally` anew.
    pub(crate) fn clear(&mut self, tally: Tally) {
        self.0[tally as usize] = 0.0;
    }

    /// The sum at the instant they are valid at.
    pub(crate) fn get(&self, tally: Tally) -> f64 {
        self.0[tally as usize]
    }

    /// Writes which sums are not zero, and those.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        let mask = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, sum)| **sum > 0.0)
            .fold(0, |mask, (place, _)| mask | 1 << place);
        writer.varint(mask);
        self.0
            .iter()
            .filter(|sum| **sum > 0.0)
            .for_each(|sum| writer.sum(*sum));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mask = reader.varint()?;
        if mask >> COUNT != 0 {
            return Err(DecodeError::Corrupt("an unknown sum"));
        }
        let mut tallies = Self::default();
        for (place, sum) in tallies.0.iter_mut().enumerate() {
            if mask >> place & 1 == 1 {
                *sum = reader.sum()?;
            }
        }
        Ok(tallies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sum_decays_by_its_own_half_life() {
        for (tally, half_life) in [
            (Tally::Actions30m, HalfLife::HalfHour),
            (Tally::Engagement30m, HalfLife::HalfHour),
            (Tally::Engagement1d, HalfLife::Day),
            (Tally::Shares7d, HalfLife::Week),
            (Tally::Engagement30d, HalfLife::Month),
        ] {
            assert_eq!(tally.half_life(), half_life);
            let mut tallies = Tallies::default();
            tallies.add(&[tally], 8.0);
            tallies.decay(3 * half_life.ms());
            assert!((tallies.get(tally) - 1.0).abs() < 1e-12, "{tally:?}");
        }
    }

    #[test]
    fn decaying_in_steps_is_decaying_at_once() {
        let mut once = Tallies::default();
        once.add(&[Tally::Actions7d], 1000.0);
        let mut steps = once.clone();
        once.decay(1000 * 3_600_000);
        (0..1000).for_each(|_| steps.decay(3_600_000));
        let (once, steps) = (once.get(Tally::Actions7d), steps.get(Tally::Actions7d));
        assert!((once / steps - 1.0).abs() < 1e-8);
    }

    #[test]
    fn what_is_long_ago_is_exactly_nothing() {
        let mut tallies = Tallies::default();
        tallies.add(&[Tally::Actions30d], 1.0);
        tallies.decay(i64::MAX);
        assert_eq!(tallies, Tallies::default());
    }
}
