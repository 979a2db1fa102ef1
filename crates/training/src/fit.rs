//! One fit, of either kind.

use std::collections::BTreeSet;

use foretide_models::{Calibration, Probability, Scorer};
use serde::{Deserialize, Serialize};

use crate::{
    Encoding, Examples, FitError, Frame, Matrix, boosted,
    calibrate::{self, Judged},
    folds::{self, Fold},
    logistic,
    matrix::Labelled,
};

/// The fewest rows of each class that anything is learnt from.
pub(crate) const LEAST: usize = 10;

/// The fewest rows of each class on either side of a fold.
const LEAST_IN_FOLD: usize = 3;

/// What kind of model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Logistic regression over prepared columns, with an L2 penalty.
    Logistic,
    /// Gradient-boosted trees.
    Boosted,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Logistic, Self::Boosted];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Boosted => "boosted",
        }
    }
}

/// How a model is fitted. Start from [`FitSettings::of`].
#[derive(Clone, Debug, PartialEq)]
pub struct FitSettings {
    /// The kind.
    pub kind: Kind,
    /// What every draw follows from.
    pub seed: u64,
    /// Least distance between what is learnt from and what is judged in a fold, in the unit of the examples' times, at least 0:
    /// the time until a label is certain.
    pub gap: f64,
    /// How many folds within the training rows choose and calibrate, 2 to 20.
    pub folds: usize,
    /// How many threads the fit may use, at least 1. The result does not depend on it.
    pub threads: usize,
    /// The most boosted trees, at least 1. Early stopping mostly ends far below.
    pub max_trees: usize,
}

impl FitSettings {
    /// The usual settings of `kind`: three folds, one thread.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            seed: 0,
            gap: 0.0,
            folds: 3,
            threads: 1,
            max_trees: 1_000,
        }
    }

    /// Refuses settings without meaning.
    pub fn check(&self) -> Result<(), FitError> {
        let wrong = if !(self.gap.is_finite() && self.gap >= 0.0) {
            "the gap must be a number of at least 0"
        } else if !(2..=20).contains(&self.folds) {
            "there must be 2 to 20 folds"
        } else if self.threads == 0 {
            "a fit needs at least one thread"
        } else if self.max_trees == 0 {
            "a model needs at least one tree"
        } else {
            return Ok(());
        };
        Err(FitError::Setting(wrong))
    }
}

/// A fitted model of a frame.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Its kind.
    pub kind: Kind,
    /// How frames become the scorer's inputs. For a frame of numbers only, the inputs are its columns in their order.
    pub encoding: Encoding,
    /// Inputs to margins (log-odds).
    pub scorer: Scorer,
    /// Margins to probabilities.
    pub calibration: Calibration,
    /// How much each column matters, the most important first; the shares sum to 1 unless nothing was learnt.
    pub importance: Vec<Importance>,
    /// What was chosen.
    pub tuned: Tuned,
    /// What it rests on.
    pub counts: Counts,
    /// Log-loss of the folds' judged rows by the uncalibrated margins: what the choices were made by.
    pub fold_log_loss: f64,
    /// The margin (not calibrated) of each training row that a fold judged, with the row's place, by a model that had not learnt from it;
    /// each fold's [brought to the level](calibrate::levelled) of what it judged, as the calibration saw them.
    pub out_of_fold: Vec<(usize, f64)>,
}

/// The share of a column in what a model does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The column of the frame.
    pub column: String,
    /// Boosted: its share of the loss reduction of all splits. Logistic: its share of the summed standard deviations of the
    /// columns' contributions. 0 to 1.
    pub share: f64,
}

/// What the folds chose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tuned {
    /// For logistic regression.
    Logistic {
        /// The penalty: half of it times the sum of the squared standardised weights is added to the summed log-loss.
        l2: f64,
        /// How many terms the sum has.
        terms: usize,
    },
    /// For boosted trees.
    Boosted {
        /// How many trees there are.
        trees: usize,
        /// The most leaves of a tree.
        leaves: usize,
        /// How much of each tree's step is taken.
        learning_rate: f64,
    },
}

/// How many examples a model rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Training rows that count.
    pub rows: usize,
    /// Those that are positive.
    pub positives: usize,
    /// Their groups.
    pub groups: usize,
    /// Whether the folds went forward in time; by group otherwise.
    pub is_forward: bool,
}

impl Fitted {
    /// The margins (log-odds, not calibrated) of `frame`'s rows.
    pub fn margins(&self, frame: &Frame) -> Result<Vec<f64>, FitError> {
        Ok(margins(&self.scorer, &self.encoding.apply(frame)?))
    }

    /// The calibrated probabilities of `frame`'s rows.
    pub fn probabilities(&self, frame: &Frame) -> Result<Vec<f64>, FitError> {
        let margins = self.margins(frame)?;
        let probability = |margin| Probability::from_log_odds(self.calibration.apply(margin)).get();
        Ok(margins.into_iter().map(probability).collect())
    }
}

/// Fits a model of `settings.kind` to `examples`, as the documentation of this crate says.
///
/// Both classes need at least ten rows that count. There are no more folds within them than there are groups; the rows of one group
/// alone are each taken for a group of its own.
pub fn fit(examples: &Examples, settings: &FitSettings) -> Result<Fitted, FitError> {
    settings.check()?;
    examples.need_both("training", LEAST)?;
    let FitSettings {
        kind,
        folds,
        gap,
        seed,
        ..
    } = *settings;
    let (folds, is_forward) = folds::within(examples, folds, gap, seed, LEAST_IN_FOLD)?;
    let parts = folds.iter().map(|fold| parts(examples, fold, kind, seed));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let (encoding, inputs) = Encoding::fit(examples, kind, seed)?;
    let whole = labelled(inputs, examples);
    let (scorer, tuned, matters, margins, fold_log_loss) = match settings.kind {
        Kind::Logistic => {
            let choice = logistic::choose(&parts)?;
            let (scorer, tuned, matters) = logistic::fit(&whole, &choice)?;
            (scorer, tuned, matters, choice.margins, choice.log_loss)
        }
        Kind::Boosted => {
            let choice = boosted::choose(&parts, settings)?;
            let (scorer, tuned, matters) = boosted::fit(&whole, &choice, settings)?;
            (scorer, tuned, matters, choice.margins, choice.log_loss)
        }
    };
    let judged = judged(&margins, &parts);
    Ok(Fitted {
        kind: settings.kind,
        calibration: calibrate::choose(&judged),
        importance: importance(&encoding, &matters),
        encoding,
        scorer,
        tuned,
        counts: counts(examples, is_forward),
        fold_log_loss,
        out_of_fold: out_of_fold(&judged, &folds),
    })
}

/// The margins of the judged rows of all folds, with the places of the rows.
fn out_of_fold(judged: &[Judged], folds: &[Fold]) -> Vec<(usize, f64)> {
    let places = folds.iter().flat_map(|fold| fold.test.iter().copied());
    places.zip(judged.iter().map(|row| row.margin)).collect()
}

/// What a fold learns from and what it judges; only what it learns from says how categories are encoded.
fn parts(
    examples: &Examples,
    fold: &Fold,
    kind: Kind,
    seed: u64,
) -> Result<(Labelled, Labelled), FitError> {
    let (train, test) = (examples.select(&fold.train), examples.select(&fold.test));
    let (encoding, inputs) = Encoding::fit(&train, kind, seed)?;
    let judged = encoding.apply(&test.frame)?;
    Ok((labelled(inputs, &train), labelled(judged, &test)))
}

fn labelled(inputs: Matrix, examples: &Examples) -> Labelled {
    Labelled {
        inputs,
        labels: examples.labels.clone(),
        weights: examples.weights.clone(),
    }
}

/// The judged rows of all folds, each fold's brought to the level of what it judged.
fn judged(margins: &[Vec<f64>], parts: &[(Labelled, Labelled)]) -> Vec<Judged> {
    let fold = |(margins, (_, test)): (&Vec<f64>, &(Labelled, Labelled))| -> Vec<Judged> {
        let rows = margins.iter().zip(&test.labels).zip(&test.weights);
        let rows = rows.map(|((&margin, &label), &weight)| Judged {
            margin,
            label,
            weight,
        });
        calibrate::levelled(rows.collect())
    };
    margins.iter().zip(parts).flat_map(fold).collect()
}

/// The margins of all rows of `inputs`.
fn margins(scorer: &Scorer, inputs: &Matrix) -> Vec<f64> {
    let mut row = Vec::with_capacity(inputs.width());
    let margin = |place| {
        inputs.row(place, &mut row);
        scorer.margin(&row)
    };
    (0..inputs.rows()).map(margin).collect()
}

/// The share of each column, from how much each of its inputs matters.
fn importance(encoding: &Encoding, matters: &[f64]) -> Vec<Importance> {
    let mut shares: Vec<Importance> = Vec::new();
    let all: f64 = matters.iter().sum();
    for (input, matters) in encoding.inputs().iter().zip(matters) {
        let share = if all > 0.0 { matters / all } else { 0.0 };
        // The inputs of a column follow each other.
        match shares.last_mut() {
            Some(last) if last.column == input.column => last.share += share,
            _ => shares.push(Importance {
                column: input.column.clone(),
                share,
            }),
        }
    }
    shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    shares
}

fn counts(examples: &Examples, is_forward: bool) -> Counts {
    let counted = examples
        .groups
        .iter()
        .zip(&examples.weights)
        .filter(|(_, weight)| **weight > 0.0);
    let groups: BTreeSet<u64> = counted.map(|(group, _)| *group).collect();
    let positives = examples.positives();
    Counts {
        rows: positives + examples.negatives(),
        positives,
        groups: groups.len(),
        is_forward,
    }
}

#[cfg(test)]
mod tests;
