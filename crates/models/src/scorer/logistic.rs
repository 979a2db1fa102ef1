//! Logistic regression: a weighted sum of standardised inputs.

use serde::{Deserialize, Serialize};

use super::INPUT_LIMIT;
use crate::refused::{Refused, sensible};

/// How an input is bent before it is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// Not at all.
    Linear,
    /// sign(x) · ln(1 + |x|): for counts, sums and times, which have heavy tails.
    Log1p,
}

/// What one input adds to the margin.
///
/// A value that is there adds `weight · (shape(x) − mean) / scale`, where `x` is first brought between `low` and `high`, so that
/// what training never saw cannot run away. One that is missing adds `missing`: it counts as the mean, and that it is missing
/// is an indicator of its own weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// How the input is bent.
    pub shape: Shape,
    /// The least value that counts, in the input's unit.
    pub low: f64,
    /// The largest value that counts, not below `low`.
    pub high: f64,
    /// The mean of the bent input.
    pub mean: f64,
    /// Its standard deviation, above zero.
    pub scale: f64,
    /// Log-odds a standard deviation.
    pub weight: f64,
    /// Log-odds of a missing value.
    pub missing: f64,
}

impl Term {
    /// The input bent and standardised: what `weight` is multiplied by. `None` if `value` is NaN, which is missing.
    #[inline]
    pub fn standardised(&self, value: f64) -> Option<f64> {
        if value.is_nan() {
            return None;
        }
        let value = value.max(self.low).min(self.high);
        let bent = match self.shape {
            Shape::Linear => value,
            Shape::Log1p => signed_log1p(value),
        };
        Some((bent - self.mean) / self.scale)
    }

    /// What `value` adds to the margin, in log-odds.
    #[inline]
    pub fn log_odds(&self, value: f64) -> f64 {
        self.standardised(value)
            .map_or(self.missing, |standardised| self.weight * standardised)
    }

    fn check(&self) -> Result<(), Refused> {
        sensible("term.weight", self.weight)?;
        sensible("term.missing", self.missing)?;
        let Self {
            low, high, mean, ..
        } = *self;
        // What is not a number lies nowhere.
        let within = |value: f64| (-LARGEST_INPUT..=LARGEST_INPUT).contains(&value);
        if !(within(low) && within(high) && within(mean) && low <= high) {
            let fault =
                "must lie between -1e30 and 1e30, as `high` and `mean` do, and not be above `high`";
            return Err(Refused::nonsense("term.low", fault));
        }
        if !(self.scale.is_finite() && self.scale >= SMALLEST_SCALE) {
            return Err(Refused::nonsense(
                "term.scale",
                "must be finite and at least 1e-30",
            ));
        }
        Ok(())
    }
}

/// No input that is weighed is further from zero.
const LARGEST_INPUT: f64 = 1e30;

/// The least standard deviation: with the largest input a term is still finite.
const SMALLEST_SCALE: f64 = 1e-30;

/// So many sums are begun side by side, because each addition waits for the one before it.
const SUMS: usize = 4;

/// A term, ready to be added up.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    input: usize,
    low: f64,
    high: f64,
    mean: f64,
    /// Weight over scale.
    gain: f64,
    missing: f64,
}

impl Line {
    fn of(input: usize, term: &Term) -> Self {
        Self {
            input,
            low: term.low,
            high: term.high,
            mean: term.mean,
            gain: term.weight / term.scale,
            missing: term.missing,
        }
    }

    /// What it adds, without a branch on what the row holds.
    #[inline]
    fn log_odds(&self, row: &[f64], bend: impl Fn(f64) -> f64) -> f64 {
        let value = row[self.input];
        let least = if value > self.low { value } else { self.low };
        let within = if least < self.high { least } else { self.high };
        let there = (bend(within) - self.mean) * self.gain;
        if value.is_nan() { self.missing } else { there }
    }
}

/// The sum of what `lines` add.
#[inline]
fn sum(lines: &[Line], row: &[f64], bend: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; SUMS];
    for lines in lines.chunks(SUMS) {
        for (sum, line) in sums.iter_mut().zip(lines) {
            *sum += line.log_odds(row, &bend);
        }
    }
    sums.iter().sum()
}

/// Logistic regression over standardised inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    intercept: f64,
    terms: Vec<Term>,
    /// The terms of inputs that are not bent.
    straight: Vec<Line>,
    /// The others.
    bent: Vec<Line>,
}

impl Logistic {
    /// Begins at `intercept`, in log-odds, and adds a term for each input, in the order of a row.
    pub fn build(intercept: f64, terms: Vec<Term>) -> Result<Self, Refused> {
        sensible("intercept", intercept)?;
        if terms.is_empty() || terms.len() > INPUT_LIMIT {
            return Err(Refused::nonsense("terms", "must be 1 to 4096"));
        }
        terms.iter().try_for_each(Term::check)?;
        let of = |shape| {
            let terms = terms.iter().enumerate();
            let of = terms.filter(|(_, term)| term.shape == shape);
            of.map(|(input, term)| Line::of(input, term)).collect()
        };
        Ok(Self {
            intercept,
            straight: of(Shape::Linear),
            bent: of(Shape::Log1p),
            terms,
        })
    }

    /// How many inputs a row has.
    pub fn width(&self) -> usize {
        self.terms.len()
    }

    /// What it begins with, in log-odds.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The term of each input.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The margin of `row`.
    pub fn margin(&self, row: &[f64]) -> f64 {
        if row.len() < self.terms.len() {
            let mut whole = row.to_vec();
            whole.resize(self.terms.len(), f64::NAN);
            return self.margin(&whole);
        }
        let straight = sum(&self.straight, row, |value| value);
        self.intercept + straight + sum(&self.bent, row, signed_log1p)
    }

    /// As [`Scorer::explain`](super::Scorer::explain): the contribution of an input is its own term, for the others say
    /// nothing of it.
    pub fn explain(&self, row: &[f64], contributions: &mut [f64]) -> f64 {
        let values = row.iter().copied().chain(std::iter::repeat(f64::NAN));
        for ((term, value), contribution) in self.terms.iter().zip(values).zip(contributions) {
            *contribution += term.log_odds(value);
        }
        self.intercept
    }
}

/// sign(x) · ln(1 + |x|), right to 1e-14 of itself or of 1, whichever is larger. Made of additions, multiplications and divisions
/// alone, so machines agree to the last bit; and several times as fast as a logarithm that is right to the last bit for all arguments.
#[inline]
fn signed_log1p(x: f64) -> f64 {
    /// The bits of √½: fractions lie between √½ and √2, around 1.
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let whole = (1.0 + x.abs()).to_bits();
    // The exponent for which the rest lies there.
    let exponent = (whole.wrapping_sub(ROOT_HALF).cast_signed()) >> 52;
    let fraction = f64::from_bits(whole.wrapping_sub((exponent << 52).cast_unsigned()));
    // ln f = 2 artanh((f − 1) / (f + 1)), whose argument is at most 0.172.
    let s = (fraction - 1.0) / (fraction + 1.0);
    let z = s * s;
    // Two by two, so that little waits for the term before it.
    let (z2, z4) = (z * z, z * z * z * z);
    let first = (1.0 + z * (1.0 / 3.0)) + (1.0 / 5.0 + z * (1.0 / 7.0)) * z2;
    let second = (1.0 / 9.0 + z * (1.0 / 11.0)) + (1.0 / 13.0 + z * (1.0 / 15.0)) * z2;
    let series = first + (second + z4 * (1.0 / 17.0)) * z4;
    let ln = exponent as f64 * std::f64::consts::LN_2 + 2.0 * s * series;
    if x < 0.0 { -ln } else { ln }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn term(shape: Shape) -> Term {
        Term {
            shape,
            low: -10.0,
            high: 1000.0,
            mean: 1.0,
            scale: 2.0,
            weight: 0.5,
            missing: -0.25,
        }
    }

    #[test]
    fn a_value_is_clipped_bent_standardised_and_weighed() {
        let linear = term(Shape::Linear);
        assert_eq!(linear.log_odds(5.0), 1.0);
        assert_eq!(linear.log_odds(1e12), linear.log_odds(1000.0));
        assert_eq!(linear.log_odds(f64::NEG_INFINITY), linear.log_odds(-10.0));
        let bent = term(Shape::Log1p).log_odds(6.0);
        assert!((bent - 0.25 * (libm::log(7.0) - 1.0)).abs() < 1e-14);
    }

    #[test]
    fn a_missing_value_has_a_weight_of_its_own_and_so_has_one_beyond_the_row() {
        let logistic =
            Logistic::build(0.125, vec![term(Shape::Linear), term(Shape::Log1p)]).unwrap();
        assert_eq!(logistic.margin(&[f64::NAN, f64::NAN]), 0.125 - 0.5);
        assert_eq!(logistic.margin(&[]), 0.125 - 0.5);
        assert_eq!(logistic.margin(&[5.0]), 0.125 + 1.0 - 0.25);
        assert_eq!(logistic.margin(&[5.0, f64::NAN, 3.0]), 0.125 + 1.0 - 0.25);
    }

    #[test]
    fn terms_that_make_no_sense_are_refused() {
        let good = term(Shape::Linear);
        for bad in [
            Term { scale: 0.0, ..good },
            Term {
                scale: f64::NAN,
                ..good
            },
            Term {
                mean: f64::NAN,
                ..good
            },
            Term {
                weight: f64::INFINITY,
                ..good
            },
            Term {
                weight: 1e7,
                ..good
            },
            Term {
                missing: f64::NAN,
                ..good
            },
            Term { low: 2e3, ..good },
            Term {
                scale: 1e-40,
                ..good
            },
            Term { high: 1e40, ..good },
            Term {
                low: f64::NAN,
                ..good
            },
        ] {
            assert!(Logistic::build(0.0, vec![good, bad]).is_err(), "{bad:?}");
        }
        assert!(Logistic::build(f64::NAN, vec![good]).is_err());
        assert!(Logistic::build(0.0, Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn the_logarithm_is_right(x in prop_oneof![-1e9..1e9, -2.0..2.0, -1e-6..1e-6, any::<f64>()]) {
            let x: f64 = x;
            prop_assume!(x.is_finite());
            let right = libm::copysign(libm::log1p(x.abs()), x);
            let error = (signed_log1p(x) - right).abs();
            prop_assert!(error <= 1e-14 * right.abs().max(1.0), "{} for {}", signed_log1p(x), right);
        }

        #[test]
        fn contributions_add_up_to_the_margin(
            row in prop::collection::vec(prop_oneof![4 => -100.0..2000.0, 1 => Just(f64::NAN), 1 => any::<f64>()], 0..4),
        ) {
            let logistic = Logistic::build(-1.5, vec![term(Shape::Linear), term(Shape::Log1p), term(Shape::Linear)]).unwrap();
            let mut contributions = [0.0; 3];
            let base = logistic.explain(&row, &mut contributions);
            let sum = base + contributions.iter().sum::<f64>();
            prop_assert!((sum - logistic.margin(&row)).abs() < 1e-12);
        }
    }
}
