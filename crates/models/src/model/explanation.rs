//! What a prediction is made of.

use std::borrow::Cow;

use crate::{Calibration, Contribution, Correction, Scorer};

/// So many features are named in a prediction, those that moved it most.
pub const TERMS_SHOWN: usize = 8;

/// The log-odds of one row, taken apart. All terms together are the log-odds.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Where every row begins.
    pub base: f64,
    /// What each input adds, `(n_inputs,)`, in the order of a row.
    pub inputs: Vec<f64>,
    /// What a calibration adds that is no straight line; 0 for others, which stretch all terms and move the base.
    pub calibration: f64,
    /// What the cohort adds. Its slope stretches all terms.
    pub cohort: f64,
}

impl Explanation {
    pub(super) fn of(
        scorer: &Scorer,
        calibration: &Calibration,
        correction: Correction,
        row: &[f64],
    ) -> Self {
        let mut inputs = vec![0.0; scorer.width()];
        let mut base = scorer.explain(row, &mut inputs);
        let bent = match calibration {
            Calibration::None => 0.0,
            Calibration::Platt { slope: own, offset } => {
                base = base * own + offset;
                stretch(&mut inputs, *own);
                0.0
            }
            Calibration::Isotonic { .. } => {
                let margin = base + inputs.iter().sum::<f64>();
                calibration.apply(margin) - margin
            }
        };
        let slope = correction.slope;
        stretch(&mut inputs, slope);
        Self {
            base: base * slope,
            inputs,
            calibration: bent * slope,
            cohort: correction.offset,
        }
    }

    /// The log-odds.
    pub fn log_odds(&self) -> f64 {
        self.base + self.inputs.iter().sum::<f64>() + self.calibration + self.cohort
    }

    /// The terms of a prediction: the base, the strongest inputs with the name and the value that `input` gives, the strongest
    /// first, what is left of the others, the cohort, the calibration. Terms that add nothing are left out.
    pub fn contributions(
        &self,
        input: impl Fn(usize) -> (&'static str, Option<f64>),
    ) -> Vec<Contribution> {
        let mut order: Vec<usize> = (0..self.inputs.len())
            .filter(|place| self.inputs[*place] != 0.0)
            .collect();
        let strength = |place: &usize| self.inputs[*place].abs();
        // Ties keep the order of the row, so that the same row always gives the same terms.
        order.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
        let (shown, others) = order.split_at(order.len().min(TERMS_SHOWN));
        let mut terms = Vec::with_capacity(shown.len() + 4);
        terms.push(Contribution::base(self.base));
        for place in shown {
            let (name, value) = input(*place);
            terms.push(Contribution {
                feature: Cow::Borrowed(name),
                value,
                log_odds: self.inputs[*place],
            });
        }
        let others = others.iter().map(|place| self.inputs[*place]).sum();
        for (name, log_odds) in [
            ("other_features", others),
            ("cohort", self.cohort),
            ("calibration", self.calibration),
        ] {
            if log_odds != 0.0 {
                terms.push(Contribution::unvalued(name, log_odds));
            }
        }
        terms
    }
}

fn stretch(terms: &mut [f64], factor: f64) {
    for term in terms {
        *term *= factor;
    }
}
