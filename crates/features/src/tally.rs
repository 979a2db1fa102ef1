//! Sums that forget: counts, dwell, engagement and money under exponential decay.

use foretide_events::EpochMs;

use crate::{
    DecodeError, HalfLife,
    codec::{SumReader, SumWriter},
    half_life::{halved, kept},
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
    FollowedSearches30d,
    ProductViews30d,
    PricedViews30d,
    DiscountedViews30d,
    ProductListFilters30d,
    PriceFilters30d,
    CartAdds30d,
    WishlistAdds30d,
    CouponsApplied30d,
    CouponsDenied30d,
    ContentImpressions30d,
    ContentClicks30d,
    Purchases30d,
    Refunds30d,
    Dwell30d,
    Engagement30d,
    Spend30d,
    ViewedValue30d,
    CartValueAdded30d,
    WishlistValue30d,
}

const COUNT: usize = Tally::WishlistValue30d as usize + 1;

/// All, in their order.
const ALL: [Tally; COUNT] = [
    Tally::Actions30m,
    Tally::Dwell30m,
    Tally::Engagement30m,
    Tally::Actions1d,
    Tally::Searches1d,
    Tally::ProductViews1d,
    Tally::CartAdds1d,
    Tally::Dwell1d,
    Tally::Engagement1d,
    Tally::Actions7d,
    Tally::PageViews7d,
    Tally::Searches7d,
    Tally::ProductListViews7d,
    Tally::ProductListFilters7d,
    Tally::ProductClicks7d,
    Tally::ProductViews7d,
    Tally::CartAdds7d,
    Tally::CartRemoves7d,
    Tally::CartViews7d,
    Tally::WishlistAdds7d,
    Tally::CouponsApplied7d,
    Tally::CouponsDenied7d,
    Tally::ContentImpressions7d,
    Tally::ContentClicks7d,
    Tally::ContentDismissals7d,
    Tally::CheckoutStarts7d,
    Tally::Shares7d,
    Tally::Reviews7d,
    Tally::Dwell7d,
    Tally::Engagement7d,
    Tally::Actions30d,
    Tally::Sessions30d,
    Tally::Searches30d,
    Tally::FollowedSearches30d,
    Tally::ProductViews30d,
    Tally::PricedViews30d,
    Tally::DiscountedViews30d,
    Tally::ProductListFilters30d,
    Tally::PriceFilters30d,
    Tally::CartAdds30d,
    Tally::WishlistAdds30d,
    Tally::CouponsApplied30d,
    Tally::CouponsDenied30d,
    Tally::ContentImpressions30d,
    Tally::ContentClicks30d,
    Tally::Purchases30d,
    Tally::Refunds30d,
    Tally::Dwell30d,
    Tally::Engagement30d,
    Tally::Spend30d,
    Tally::ViewedValue30d,
    Tally::CartValueAdded30d,
    Tally::WishlistValue30d,
];

/// Sums that are often the same as another one, which stands before them.
const TWINS: [(Tally, Tally); 3] = [
    (Tally::FollowedSearches30d, Tally::Searches30d),
    (Tally::PricedViews30d, Tally::ProductViews30d),
    (Tally::PriceFilters30d, Tally::ProductListFilters30d),
];

/// The sum that `tally` is often the same as.
fn twin(tally: Tally) -> Option<Tally> {
    let mut twins = TWINS.iter();
    let twins = twins.find(|(one, _)| *one == tally);
    twins.map(|(_, other)| *other)
}

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

/// What 1 weighs in the sums of each half-life at an instant.
pub(crate) struct Weights([f64; HalfLife::ALL.len()]);

impl Weights {
    pub(crate) fn at(at: EpochMs) -> Self {
        Self(HalfLife::ALL.map(|half_life| half_life.weight(at)))
    }

    pub(crate) fn of(&self, half_life: HalfLife) -> f64 {
        self.0[half_life as usize]
    }
}

/// Every decayed sum, all as of one instant that the owner keeps. Never negative, never infinite.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tallies([f64; COUNT]);

impl Default for Tallies {
    fn default() -> Self {
        Self([0.0; COUNT])
    }
}

impl Tallies {
    /// Moves the instant they are as of.
    pub(crate) fn move_to(&mut self, from: EpochMs, to: EpochMs) {
        for (half_life, start, end) in GROUPS {
            let halvings = half_life.halvings(from, to);
            if halvings > 0 {
                for sum in &mut self.0[start..end] {
                    *sum = halved(*sum, halvings);
                }
            }
        }
    }

    /// Adds `amount` to each of `tallies`, at the instant they are as of.
    pub(crate) fn add(&mut self, tallies: &[Tally], amount: f64, weights: &Weights) {
        for tally in tallies {
            let sum = &mut self.0[*tally as usize];
            *sum += amount * weights.0[tally.half_life() as usize];
        }
    }

    /// Rounds all to what is kept of them.
    pub(crate) fn round(&mut self) {
        for sum in self.0.iter_mut().filter(|sum| **sum > 0.0) {
            *sum = kept(*sum);
        }
    }

    /// Starts those with a half-life of half an hour anew.
    pub(crate) fn forget_visit(&mut self) {
        let (_, start, end) = GROUPS[HalfLife::HalfHour as usize];
        self.0[start..end].fill(0.0);
    }

    /// Whether nothing would be left of those at `to`.
    pub(crate) fn visit_is_forgotten(&self, from: EpochMs, to: EpochMs) -> bool {
        let (half_life, start, end) = GROUPS[HalfLife::HalfHour as usize];
        let halvings = half_life.halvings(from, to);
        let mut sums = self.0[start..end].iter();
        sums.all(|sum| halved(*sum, halvings) <= 0.0)
    }

    /// Starts `tally` anew.
    pub(crate) fn clear(&mut self, tally: Tally) {
        self.0[tally as usize] = 0.0;
    }

    /// The sum, as it is kept.
    pub(crate) fn get(&self, tally: Tally) -> f64 {
        self.0[tally as usize]
    }

    /// Adds those of `other`, as of the same instant.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (sum, other) in self.0.iter_mut().zip(other.0) {
            *sum += other;
        }
    }

    /// Writes them. `once` says what a sum is if it counts one thing alone, where that is known.
    pub(crate) fn write(&self, sums: &mut SumWriter<'_, '_>, once: impl Fn(Tally) -> Option<f64>) {
        for (tally, sum) in ALL.iter().zip(self.0) {
            match twin(*tally) {
                Some(twin) => sums.sum_like(sum, self.get(twin)),
                None => match once(*tally) {
                    Some(once) => sums.sum_like(sum, once),
                    None => sums.sum_or_zero(sum),
                },
            }
        }
    }

    pub(crate) fn read(
        sums: &mut SumReader<'_, '_>,
        once: impl Fn(Tally) -> Option<f64>,
    ) -> Result<Self, DecodeError> {
        let mut tallies = Self::default();
        for tally in ALL {
            tallies.0[tally as usize] = match twin(tally) {
                Some(twin) => sums.sum_like(tallies.get(twin))?,
                None => match once(tally) {
                    Some(once) => sums.sum_like(once)?,
                    None => sums.sum_or_zero()?,
                },
            };
        }
        Ok(tallies)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::half_life::{NEGLIGIBLE, read};

    #[test]
    fn every_sum_stands_at_its_place() {
        let places = ALL.map(|tally| tally as usize);
        assert!(places.iter().copied().eq(0..COUNT));
    }

    #[test]
    fn each_sum_decays_by_its_own_half_life() {
        let at = EpochMs(1_795_305_612_345);
        for (tally, half_life) in [
            (Tally::Actions30m, HalfLife::HalfHour),
            (Tally::Engagement30m, HalfLife::HalfHour),
            (Tally::Engagement1d, HalfLife::Day),
            (Tally::Shares7d, HalfLife::Week),
            (Tally::Engagement30d, HalfLife::Month),
        ] {
            assert_eq!(tally.half_life(), half_life);
            let mut tallies = Tallies::default();
            tallies.add(&[tally], 8.0, &Weights::at(at));
            let later = at.plus(3 * half_life.ms());
            tallies.move_to(at, later);
            let value = read(tallies.get(tally), half_life.worth(later, later));
            assert!((value - 1.0).abs() < 1e-9, "{tally:?}");
        }
    }

    /// The most that a sum of thousands may be wrong by, relative to itself, beside what is negligible: less than what is
    /// promised of every sum.
    const RIGHT_TO: f64 = 8e-10;

    /// Adds amounts at times, and compares what is kept with the sum in full precision.
    fn error_of(amounts: &[(i64, f64)]) -> f64 {
        let (mut at, mut tallies) = (EpochMs(1_795_305_600_000), Tallies::default());
        let tallies_of = [
            Tally::Dwell30m,
            Tally::Dwell1d,
            Tally::Dwell7d,
            Tally::Dwell30d,
        ];
        let mut plain = [0.0_f64; 4];
        for (after_ms, amount) in amounts {
            let to = at.plus(*after_ms);
            tallies.move_to(at, to);
            at = to;
            tallies.add(&tallies_of, *amount, &Weights::at(at));
            for (sum, half_life) in plain.iter_mut().zip(HalfLife::ALL) {
                *sum = *sum * half_life.factor(*after_ms) + amount;
            }
        }
        let errors = tallies_of.iter().zip(plain).map(|(tally, plain)| {
            let value = read(tallies.get(*tally), tally.half_life().worth(at, at));
            ((value - plain).abs() - NEGLIGIBLE).max(0.0) / plain
        });
        errors.fold(0.0, f64::max)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn sums_stay_right_over_thousands_of_actions(
            amounts in prop::collection::vec((0..10_000_000_i64, 0.001..300.0), 1..5000),
        ) {
            prop_assert!(error_of(&amounts) < RIGHT_TO);
        }

        /// Equal actions at equal distances are the hardest: their roundings are alike.
        #[test]
        fn sums_stay_right_over_thousands_of_equal_actions(
            apart_ms in prop_oneof![1..2_000_i64, 100..100_000_000_i64],
            amount in prop_oneof![Just(1.0), 0.001..300.0],
            count in 1..5000_usize,
        ) {
            prop_assert!(error_of(&vec![(apart_ms, amount); count]) < RIGHT_TO);
        }
    }

    #[test]
    fn what_is_long_ago_is_exactly_nothing() {
        let mut tallies = Tallies::default();
        tallies.add(&[Tally::Actions30d], 1.0, &Weights::at(EpochMs(0)));
        tallies.move_to(EpochMs(0), EpochMs(i64::MAX));
        assert_eq!(tallies, Tallies::default());
    }
}
