//! What the shopper does when a product they know costs something else than before.

use foretide_events::EpochMs;

use crate::{
    DecodeError, HalfLife,
    codec::{SumReader, SumWriter},
    half_life::{halved_small, kept, left},
};

/// The half-life of all that is counted here.
pub(crate) const HALF_LIFE: HalfLife = HalfLife::Month;

/// A price that changed by less than this, in natural logarithms, is the same.
pub(crate) const SAME: f64 = 0.005;

/// As many views at the same price as the usual share counts for.
pub(crate) const PRIOR_VIEWS: f64 = 4.0;
/// What the ridge adds to the squares.
pub(crate) const RIDGE: f64 = 0.1;

/// How the price of a product changed between two views of it: by how much, in natural logarithms, above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    Same,
    Drop(f64),
    Rise(f64),
}

impl Change {
    /// The change by `x`.
    pub(crate) fn of(x: f64) -> Self {
        if x.abs() < SAME {
            Self::Same
        } else if x < 0.0 {
            Self::Drop(-x)
        } else {
            Self::Rise(x)
        }
    }
}

/// Views of products whose price was known, by how it changed, and whether the product was taken. All are sums as they are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Responses {
    sums: [f64; COUNT],
}

/// Which sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    SameViews,
    SameTaken,
    DropViews,
    RiseViews,
    /// Squares of all changes.
    Squares,
    /// The changes themselves: drops are below zero.
    By,
    /// Those of what was taken.
    TakenBy,
}

const COUNT: usize = Part::TakenBy as usize + 1;
/// Sums that may be below zero.
const SIGNED: usize = Part::By as usize;

impl Responses {
    /// The sum, as it is kept.
    pub(crate) fn get(&self, part: Part) -> f64 {
        self.sums[part as usize]
    }

    fn add(&mut self, part: Part, amount: f64) {
        self.sums[part as usize] += amount;
    }

    /// A product was looked at again.
    pub(crate) fn view(&mut self, change: Change, weight: f64) {
        match change {
            Change::Same => self.add(Part::SameViews, weight),
            Change::Drop(by) => {
                self.add(Part::DropViews, weight);
                self.add(Part::By, -by * weight);
                self.add(Part::Squares, by * by * weight);
            }
            Change::Rise(by) => {
                self.add(Part::RiseViews, weight);
                self.add(Part::By, by * weight);
                self.add(Part::Squares, by * by * weight);
            }
        }
    }

    /// It was put into the cart or bought.
    pub(crate) fn take(&mut self, change: Change, weight: f64) {
        match change {
            Change::Same => self.add(Part::SameTaken, weight),
            Change::Drop(by) => self.add(Part::TakenBy, -by * weight),
            Change::Rise(by) => self.add(Part::TakenBy, by * weight),
        }
    }

    /// How much likelier a product is taken for each unit that the logarithm of its price falls: the slope of a ridge regression of
    /// taking on the change, whose intercept is how often products are taken that cost what they did. `worth` is what 1 in a
    /// sum is worth now, `usual` how often shoppers take such a product. `None` if no price has changed.
    pub(crate) fn elasticity(&self, worth: f64, usual: f64) -> Option<f64> {
        let now = |part| self.get(part) * worth;
        if now(Part::DropViews) + now(Part::RiseViews) < crate::prices::HARDLY_ANY {
            return None;
        }
        let taken_anyway =
            (now(Part::SameTaken) + PRIOR_VIEWS * usual) / (now(Part::SameViews) + PRIOR_VIEWS);
        let difference = taken_anyway * now(Part::By) - now(Part::TakenBy);
        Some(difference / (now(Part::Squares) + RIDGE))
    }

    pub(crate) fn move_to(&mut self, from: EpochMs, to: EpochMs) {
        let halvings = HALF_LIFE.halvings(from, to);
        if halvings > 0 {
            let views = Part::SameViews as usize..=Part::RiseViews as usize;
            for (place, sum) in self.sums.iter_mut().enumerate() {
                *sum = if views.contains(&place) {
                    halved_small(*sum, halvings)
                } else {
                    left(*sum, halvings)
                };
            }
            if self.get(Part::DropViews) + self.get(Part::RiseViews) <= 0.0 {
                let of_changes = &mut self.sums[Part::Squares as usize..];
                of_changes.fill(0.0);
            }
        }
    }

    /// Rounds all sums to what is kept of them.
    pub(crate) fn round(&mut self) {
        for sum in &mut self.sums {
            *sum = libm::copysign(kept(sum.abs()), *sum);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (sum, other) in self.sums.iter_mut().zip(other.sums) {
            *sum += other;
        }
    }

    pub(crate) fn write(&self, sums: &mut SumWriter<'_, '_>) {
        let (plain, signed) = self.sums.split_at(SIGNED);
        for sum in plain {
            sums.sum_or_zero(*sum);
        }
        for sum in signed {
            sums.signed(*sum);
        }
    }

    pub(crate) fn read(sums: &mut SumReader<'_, '_>) -> Result<Self, DecodeError> {
        let mut responses = Self::default();
        let (plain, signed) = responses.sums.split_at_mut(SIGNED);
        for sum in plain {
            *sum = sums.sum_or_zero()?;
        }
        for sum in signed {
            *sum = sums.signed()?;
        }
        Ok(responses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_buys_what_became_cheaper_has_a_positive_elasticity() {
        let mut responses = Responses::default();
        assert_eq!(responses.elasticity(1.0, 0.1), None);
        for _ in 0..20 {
            responses.view(Change::Same, 1.0);
            responses.view(Change::Rise(0.2), 1.0);
            responses.view(Change::Drop(0.2), 1.0);
            responses.take(Change::Drop(0.2), 1.0);
        }
        // Taken if and only if cheaper: q = 0.4/24; slope = (-4 - q * 0)/(1.6 + 0.1).
        let elasticity = responses.elasticity(1.0, 0.1).unwrap();
        assert!((elasticity - 4.0 / 1.7).abs() < 1e-9, "{elasticity}");
    }
}
