//! The day in progress.

use foretide_events::EpochMs;

use crate::{
    DecodeError,
    codec::{Reader, SumReader, SumWriter, Writer},
    half_life::kept,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The latest UTC day on which the shopper was there, with the plain sum of its engagement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Day {
    /// Days since 1970; `None` if the shopper was never there.
    number: Option<i64>,
    engagement: f64,
}

impl Day {
    /// The shopper is there at `at`: the engagement of the day before, if that is over.
    pub(crate) fn reach(&mut self, at: EpochMs) -> Option<f64> {
        let number = Some(at.0.div_euclid(DAY_MS));
        if self.number == number {
            return None;
        }
        let over = self.number.map(|_| self.engagement);
        *self = Self {
            number,
            engagement: 0.0,
        };
        over
    }

    pub(crate) fn add(&mut self, engagement: f64) {
        self.engagement += engagement;
    }

    /// Rounds it to what is kept.
    pub(crate) fn round(&mut self) {
        self.engagement = kept(self.engagement);
    }

    /// The later of both, or both together.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.number == other.number {
            self.add(other.engagement);
        } else if self.number < other.number {
            *self = *other;
        }
    }

    /// Writes which it is, as days before that of `last`, when the shopper was last there.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, last: EpochMs) {
        let today = last.0.div_euclid(DAY_MS);
        writer.signed(
            self.number
                .map_or(0, |number| today.wrapping_sub(number).wrapping_add(1)),
        );
    }

    pub(crate) fn read(reader: &mut Reader<'_>, last: EpochMs) -> Result<Self, DecodeError> {
        let today = last.0.div_euclid(DAY_MS);
        let before = reader.signed()?;
        Ok(Self {
            number: (before != 0).then(|| today.wrapping_sub(before.wrapping_sub(1))),
            engagement: 0.0,
        })
    }

    pub(crate) fn write_sum(&self, sums: &mut SumWriter<'_, '_>) {
        sums.sum_or_zero(self.engagement);
    }

    pub(crate) fn read_sum(&mut self, sums: &mut SumReader<'_, '_>) -> Result<(), DecodeError> {
        self.engagement = sums.sum_or_zero()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_over_with_the_first_action_of_a_later_one() {
        let mut day = Day::default();
        assert_eq!(day.reach(EpochMs(-1)), None, "the last day of 1969");
        day.add(2.0);
        day.add(1.0);
        assert_eq!(day.reach(EpochMs(-DAY_MS)), None);
        assert_eq!(day.reach(EpochMs(0)), Some(3.0));
        assert_eq!(day.reach(EpochMs(5 * DAY_MS)), Some(0.0));
    }
}
