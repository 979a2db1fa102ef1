//! Sums in bits: 38 each where they are rounded, and one more where a sum may be zero or below.
//!
//! ```text
//! sum           step (4 bits) · fraction (34)         or 0 · exponent (8) · fraction (34)
//! sum or zero   1 · sum                               or 0
//! signed        1 · sum · whether it is below zero    or 0
//! mean          1 · length (6) · price                or 0 · mean in units of 2^-35 (41)
//! ```
//!
//! Many a mean is the logarithm of one price, which takes less than it. Where sums are not rounded, as in the middle of a session,
//! sums and means that are no logarithms take 64 bits.
//!
//! The step is the exponent less that of the sum before, from −7 to 7, plus 8. The lowest bit comes first. A run of sums
//! ends at a whole byte.

use super::{DecodeError, Reader, Writer};
use crate::half_life::{KEPT_BITS, MEAN_BITS, MEAN_FRACTION, from_stored, kept_mean, to_stored};

const FRACTION: u64 = (1 << KEPT_BITS) - 1;
const STEP_BITS: u32 = 4;
const EXPONENT_BITS: u32 = 8;
/// The step of an exponent that did not change.
const NO_STEP: u64 = 1 << (STEP_BITS - 1);
/// The exponent that the first step is taken from: that of 8.
const FIRST_EXPONENT: u64 = 131;

/// Bits of the longest number whose logarithm is told by it: a longer one takes no less than its logarithm.
const LONGEST_NUMBER: u64 = 36;

/// How the sums of a run are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// As they are.
    Exact,
    /// Rounded.
    Rounded,
}

impl Precision {
    /// The mean that is the logarithm of `number`.
    fn logarithm(self, number: u64) -> f64 {
        let logarithm = libm::log(number as f64);
        match self {
            Self::Exact => logarithm,
            Self::Rounded => kept_mean(logarithm),
        }
    }
}

/// The whole number above zero that `mean` is the logarithm of.
fn whole(mean: f64, precision: Precision) -> Option<u64> {
    let value = libm::exp(mean);
    let number = libm::round(value);
    // Most means are no such logarithm, which is seen without working one out: those that are kept are right to 1.5e-11.
    if (value - number).abs() > number * 1e-9 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies in between"
    )]
    let number = (1.0..(1_u64 << LONGEST_NUMBER) as f64)
        .contains(&number)
        .then_some(number as u64)?;
    (precision.logarithm(number).to_bits() == mean.to_bits()).then_some(number)
}

/// A mean in units of what is kept of it.
fn to_units(mean: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean that is kept has so many bits"
    )]
    let units = (mean * (1_u64 << MEAN_FRACTION) as f64) as u64;
    units
}

/// Writes a run of sums.
pub(crate) struct SumWriter<'w, 'a> {
    writer: &'w mut Writer<'a>,
    precision: Precision,
    /// Up to 63 bits that are no whole word yet.
    bits: u64,
    used: u32,
    exponent: u64,
}

impl<'w, 'a> SumWriter<'w, 'a> {
    pub(super) fn new(writer: &'w mut Writer<'a>, precision: Precision) -> Self {
        Self {
            writer,
            precision,
            bits: 0,
            used: 0,
            exponent: FIRST_EXPONENT,
        }
    }

    /// A sum above zero.
    pub(crate) fn sum(&mut self, sum: f64) {
        match self.precision {
            Precision::Exact => self.exact(sum),
            Precision::Rounded => {
                let (bits, count) = self.code(sum);
                self.put(bits, count);
            }
        }
    }

    pub(crate) fn sum_or_zero(&mut self, sum: f64) {
        let above_zero = sum > 0.0;
        self.put(u64::from(above_zero), 1);
        if above_zero {
            self.sum(sum);
        }
    }

    /// A sum that may be below zero.
    pub(crate) fn signed(&mut self, sum: f64) {
        self.sum_or_zero(sum.abs());
        if sum != 0.0 {
            self.put(u64::from(sum < 0.0), 1);
        }
    }

    /// A sum that is often the same as `other`, which was written before: one bit if it is.
    pub(crate) fn sum_like(&mut self, sum: f64, other: f64) {
        let same = sum.to_bits() == other.to_bits();
        self.put(u64::from(same), 1);
        if !same {
            self.sum_or_zero(sum);
        }
    }

    /// A mean, which may be the logarithm of a whole number above zero.
    pub(crate) fn mean(&mut self, mean: f64) {
        let number = whole(mean, self.precision);
        self.put(u64::from(number.is_some()), 1);
        match (number, self.precision) {
            (Some(number), _) => {
                let length = u64::BITS - number.leading_zeros();
                self.put(u64::from(length), 6);
                self.put(number, length);
            }
            (None, Precision::Exact) => self.exact(mean),
            (None, Precision::Rounded) => self.put(to_units(mean), MEAN_BITS),
        }
    }

    /// Fills up the last byte.
    pub(crate) fn end(self) {
        let bytes = self.used.div_ceil(8) as usize;
        self.writer.bytes(&self.bits.to_le_bytes()[..bytes]);
    }

    fn exact(&mut self, number: f64) {
        let bits = number.to_bits();
        self.put(bits & u64::from(u32::MAX), u32::BITS);
        self.put(bits >> u32::BITS, u32::BITS);
    }

    /// The bits of a rounded sum and their number.
    fn code(&mut self, sum: f64) -> (u64, u32) {
        let stored = to_stored(sum).unwrap_or(0);
        let (exponent, fraction) = (stored >> KEPT_BITS, stored & FRACTION);
        let step = (exponent + NO_STEP).wrapping_sub(self.exponent);
        self.exponent = exponent;
        if (1..1 << STEP_BITS).contains(&step) {
            (step | fraction << STEP_BITS, STEP_BITS + KEPT_BITS)
        } else {
            let after = STEP_BITS + EXPONENT_BITS;
            (exponent << STEP_BITS | fraction << after, after + KEPT_BITS)
        }
    }

    /// At most 63 bits.
    fn put(&mut self, bits: u64, count: u32) {
        self.bits |= bits << self.used;
        let used = self.used + count;
        if used < u64::BITS {
            self.used = used;
            return;
        }
        self.writer.bytes(&self.bits.to_le_bytes());
        // What had no room any more: there was something before, or all would have had.
        self.bits = bits >> (u64::BITS - self.used);
        self.used = used - u64::BITS;
    }
}

/// Reads a run of sums.
pub(crate) struct SumReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    precision: Precision,
    bytes: &'a [u8],
    /// Bits of `bytes` that were taken.
    taken: usize,
    exponent: u64,
}

impl<'r, 'a> SumReader<'r, 'a> {
    pub(super) fn new(reader: &'r mut Reader<'a>, precision: Precision) -> Self {
        Self {
            bytes: reader.rest(),
            reader,
            precision,
            taken: 0,
            exponent: FIRST_EXPONENT,
        }
    }

    /// A sum above zero.
    pub(crate) fn sum(&mut self) -> Result<f64, DecodeError> {
        if self.precision == Precision::Exact {
            return match self.exact()? {
                sum if sum > 0.0 => Ok(sum),
                _ => Err(DecodeError::Corrupt("a sum of nothing")),
            };
        }
        let (first, fraction) = self.peek(STEP_BITS);
        let (exponent, fraction) = if first == 0 {
            self.taken += STEP_BITS as usize;
            let (exponent, fraction) = self.peek(EXPONENT_BITS);
            self.taken += (EXPONENT_BITS + KEPT_BITS) as usize;
            (exponent, fraction)
        } else {
            self.taken += (STEP_BITS + KEPT_BITS) as usize;
            ((self.exponent + first).wrapping_sub(NO_STEP), fraction)
        };
        if self.taken > self.bytes.len() * 8 {
            return Err(DecodeError::Truncated);
        }
        self.exponent = exponent;
        let stored = (exponent < 1 << EXPONENT_BITS)
            .then(|| from_stored(exponent << KEPT_BITS | fraction & FRACTION));
        stored
            .flatten()
            .ok_or(DecodeError::Corrupt("a sum of nothing"))
    }

    pub(crate) fn sum_or_zero(&mut self) -> Result<f64, DecodeError> {
        if self.bit() { self.sum() } else { Ok(0.0) }
    }

    pub(crate) fn signed(&mut self) -> Result<f64, DecodeError> {
        let sum = self.sum_or_zero()?;
        let below_zero = sum > 0.0 && self.bit();
        Ok(if below_zero { -sum } else { sum })
    }

    pub(crate) fn sum_like(&mut self, other: f64) -> Result<f64, DecodeError> {
        if self.bit() {
            Ok(other)
        } else {
            self.sum_or_zero()
        }
    }

    pub(crate) fn mean(&mut self) -> Result<f64, DecodeError> {
        if !self.bit() {
            if self.precision == Precision::Exact {
                return self.exact();
            }
            let (units, _) = self.peek(MEAN_BITS);
            self.taken += MEAN_BITS as usize;
            return Ok(units as f64 / (1_u64 << MEAN_FRACTION) as f64);
        }
        let (length, number) = self.peek(6);
        if length > LONGEST_NUMBER {
            return Err(DecodeError::Corrupt("a price out of range"));
        }
        let number = number & ((1 << length) - 1);
        self.taken += 6 + usize::try_from(length).unwrap_or(0);
        if number == 0 {
            return Err(DecodeError::Corrupt("the logarithm of nothing"));
        }
        Ok(self.precision.logarithm(number))
    }

    /// Checks that the rest of the last byte is empty, and leaves what follows it to the reader.
    pub(crate) fn end(self) -> Result<(), DecodeError> {
        let whole = self.taken.div_ceil(8);
        let Some((run, rest)) = self.bytes.split_at_checked(whole) else {
            return Err(DecodeError::Truncated);
        };
        self.reader.go_on(rest);
        match (self.taken % 8, run.last()) {
            (used @ 1.., Some(last)) if last >> used != 0 => {
                Err(DecodeError::Corrupt("bits after the last sum"))
            }
            _ => Ok(()),
        }
    }

    fn bit(&mut self) -> bool {
        let (bit, _) = self.peek(1);
        self.taken += 1;
        bit == 1
    }

    /// A number as it is, which is finite and not below zero.
    fn exact(&mut self) -> Result<f64, DecodeError> {
        let (low, _) = self.peek(u32::BITS);
        self.taken += u32::BITS as usize;
        let (high, _) = self.peek(u32::BITS);
        self.taken += u32::BITS as usize;
        if self.taken > self.bytes.len() * 8 {
            return Err(DecodeError::Truncated);
        }
        let number = f64::from_bits(high << u32::BITS | low);
        if number.is_finite() && number.is_sign_positive() {
            Ok(number)
        } else {
            Err(DecodeError::Corrupt("no number"))
        }
    }

    /// The next `count` bits, and at least 45 after them. Beyond the end there are zeros.
    fn peek(&self, count: u32) -> (u64, u64) {
        let rest = self.bytes.get(self.taken / 8..).unwrap_or_default();
        let word = if let Some(word) = rest.first_chunk() {
            u64::from_le_bytes(*word)
        } else {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            u64::from_le_bytes(word)
        };
        let word = word >> (self.taken % 8);
        (word & ((1 << count) - 1), word >> count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::half_life::kept;

    const PRECISIONS: [Precision; 2] = [Precision::Rounded, Precision::Exact];

    fn any_sum() -> impl Strategy<Value = f64> {
        prop_oneof![
            Just(0.0),
            1e-9..1.0,
            0.1..1000.0,
            (-120..120_i32).prop_map(f64::from).prop_map(libm::exp2),
            Just(f64::MAX),
        ]
        .prop_map(kept)
    }

    /// A mean that is kept, the logarithm of a price where the sum is a large one.
    fn mean_of(sum: f64) -> f64 {
        kept_mean(if sum > 100.0 {
            libm::log(libm::round(sum.min(1e14)))
        } else {
            sum.min(50.0)
        })
    }

    proptest! {
        #[test]
        fn sums_survive_to_the_bit(sums in prop::collection::vec(any_sum(), 0..50), precision in prop::sample::select(&PRECISIONS)) {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes);
            let mut run = writer.sums(precision);
            for sum in &sums {
                run.sum_or_zero(*sum);
                run.mean(mean_of(*sum));
                run.signed(-*sum);
                if *sum > 0.0 {
                    run.sum(*sum);
                }
            }
            run.end();
            writer.varint(7);

            let mut reader = Reader::new(&bytes);
            let mut run = reader.sums(precision);
            for sum in &sums {
                prop_assert_eq!(run.sum_or_zero().map(f64::to_bits), Ok(sum.to_bits()));
                prop_assert_eq!(run.mean().map(f64::to_bits), Ok(mean_of(*sum).to_bits()));
                prop_assert_eq!(run.signed(), Ok(-*sum));
                if *sum > 0.0 {
                    prop_assert_eq!(run.sum().map(f64::to_bits), Ok(sum.to_bits()));
                }
            }
            prop_assert_eq!(run.end(), Ok(()));
            prop_assert_eq!(reader.varint(), Ok(7));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn bits_that_are_no_sums_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..40), count in 0..20_usize) {
            let mut reader = Reader::new(&bytes);
            let mut run = reader.sums(Precision::Rounded);
            let read: Result<Vec<f64>, _> = (0..count).map(|_| run.sum()).collect();
            if let Ok(sums) = read {
                prop_assert!(bytes.len() * 8 >= count * 38);
                prop_assert!(sums.iter().all(|sum| *sum > 0.0 && sum.is_finite()));
            }
            prop_assert_ne!(run.end(), Err(DecodeError::UnknownVersion(0)));
        }
    }

    #[test]
    fn a_sum_like_the_one_before_takes_less_than_five_bytes() {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        let mut run = writer.sums(Precision::Rounded);
        for sum in [8.0, 1000.0, 30.0, 9.0] {
            run.sum(sum);
        }
        run.end();
        assert_eq!(bytes.len(), 19);
    }
}
