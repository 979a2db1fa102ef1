//! At which instants of each day a shopper has a point of drift.

use foretide_events::{EpochMs, ShopperId};

/// One day, in milliseconds.
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The instants of one shopper: the same time of each day, in UTC, which follows from the pseudonym, so that those of all
/// shoppers are spread over the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// The time of day, in milliseconds.
    time: i64,
}

impl Schedule {
    /// That of `shopper`.
    pub(crate) fn of(shopper: &ShopperId) -> Self {
        let (first, second) = shopper.as_bytes().split_at(8);
        let number = |half: &[u8]| half.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        // A pseudonym is a keyed hash: its halves are as good as two numbers drawn.
        let time = (number(first) ^ number(second)) % DAY_MS.unsigned_abs();
        Self {
            time: time.cast_signed(),
        }
    }

    /// The first instant at `from` or later.
    pub(crate) fn next(self, from: EpochMs) -> EpochMs {
        from.plus((self.time - from.0).rem_euclid(DAY_MS))
    }

    /// The instants from `from` on, and before `until`.
    pub(crate) fn between(self, from: EpochMs, until: EpochMs) -> impl Iterator<Item = EpochMs> {
        let first = (from < until).then(|| self.next(from));
        std::iter::successors(first, |at| Some(at.plus(DAY_MS))).take_while(move |at| *at < until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_day_has_one_instant_wherever_it_is_asked_from(
            bytes in any::<[u8; 16]>(),
            from in -4_000_000_000_000..4_000_000_000_000_i64,
            days in 0..40_i64,
        ) {
            let (schedule, from) = (Schedule::of(&ShopperId(bytes)), EpochMs(from));
            let until = from.plus(days * DAY_MS);
            let all: Vec<_> = schedule.between(from, until).collect();
            prop_assert_eq!(all.len(), usize::try_from(days).unwrap());
            for at in all {
                prop_assert!(at >= from && at < until);
                prop_assert_eq!(schedule.next(at), at);
                prop_assert_eq!(schedule.next(at.plus(1)), at.plus(DAY_MS));
            }
        }
    }

    #[test]
    fn shoppers_are_spread_over_the_day() {
        let mut hours = [0_u32; 24];
        for number in 0..2_400_u64 {
            let mut bytes = [7; 16];
            bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            let at = Schedule::of(&ShopperId(bytes)).next(EpochMs(0));
            hours[usize::try_from(at.0 / 3_600_000).unwrap()] += 1;
        }
        assert!(
            hours.iter().all(|count| (40..200).contains(count)),
            "{hours:?}"
        );
    }
}
