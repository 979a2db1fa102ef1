//! Honest figures: a fit on some rows, judged on others.

use std::collections::{BTreeMap, BTreeSet};

use foretide_models::Calibration;
use serde::{Deserialize, Serialize};

use crate::{
    Examples, FitError, FitSettings, Fitted, Importance, Kind, Tuned,
    fit::{LEAST, fit},
    folds,
    leak::{Leak, leaks},
    metrics::{self, Bin, Bootstrap, Figure, Metrics, Point, Scored},
};

/// Bins of the calibration curve.
const BINS: usize = 10;

/// What is learnt from and what is judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Split {
    /// Rows up to an instant are learnt from, rows after a later one are judged. Between them lies the gap in which the labels of the
    /// first become certain; it is the gap of the folds within the training rows, too.
    Time {
        /// The last instant that is learnt from.
        train_until: f64,
        /// What is judged is later than this, which is not before `train_until`.
        test_after: f64,
    },
    /// Each group is judged by what was learnt from the others, so many of them together.
    Folds {
        /// How many folds, 2 to 20.
        folds: usize,
    },
}

/// One side of a split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its rows.
    pub rows: usize,
    /// Those that are positive.
    pub positives: usize,
    /// Its groups.
    pub groups: usize,
    /// Its first time, if the rows have times.
    pub from: Option<f64>,
    /// Its last time.
    pub until: Option<f64>,
}

/// How good a model of one kind is on rows that it never saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The kind.
    pub kind: Kind,
    /// Area under the ROC curve. With folds, ranks are compared within each.
    pub test_auc: f64,
    /// Log-loss.
    pub test_log_loss: f64,
    /// Brier score.
    pub test_brier: f64,
    /// Expected calibration error.
    pub test_ece: f64,
    /// The log-loss of saying the rate of the training rows for every row: what a model must be below to say anything.
    pub base_log_loss: f64,
    /// The figures with their intervals by bootstrap over groups.
    pub figures: Metrics,
    /// How the rows were split.
    pub split: Split,
    /// What was learnt from; with folds, all rows.
    pub train: Part,
    /// What was judged.
    pub test: Part,
    /// What every draw followed from.
    pub seed: u64,
    /// What was chosen within the training rows; one for each fold.
    pub tuned: Vec<Tuned>,
    /// How margins became probabilities; one for each fold.
    pub calibration: Vec<Calibration>,
    /// Predicted and observed shares, from the lowest probabilities to the highest.
    pub calibration_curve: Vec<Bin>,
    /// The ROC curve.
    pub roc: Vec<Point>,
    /// The columns, the most important first; means over the folds.
    pub importance: Vec<Importance>,
    /// Columns that likely know the label.
    pub leaks: Vec<Leak>,
    /// What to bear in mind when reading the figures.
    pub cautions: Vec<String>,
}

/// Fits models of `settings.kind` and judges them on rows that they did not learn from. With a split by time, `settings.gap` is at least
/// the distance of the split.
pub fn evaluate(
    examples: &Examples,
    split: Split,
    settings: &FitSettings,
    bootstrap: &Bootstrap,
) -> Result<Report, FitError> {
    let (folds, settings) = sides(examples, split, settings)?;
    let mut judged = Judged::default();
    for (fold, (train, test)) in folds.iter().enumerate() {
        judged.add(
            u32::try_from(fold).unwrap_or(0),
            &examples.select(train),
            &examples.select(test),
            &settings,
        )?;
    }
    let train = if let [(train, _)] = &folds[..] {
        examples.select(train)
    } else {
        examples.clone()
    };
    let tested: Vec<usize> = folds
        .iter()
        .flat_map(|(_, test)| test.iter().copied())
        .collect();
    let test = examples.select(&tested);
    let figures = metrics::evaluate(&judged.rows, bootstrap);
    let figures = figures.ok_or_else(|| too_few(&test))?;
    let leaks = leaks(&train, settings.seed);
    let value = |figure: Figure| figure.value;
    Ok(Report {
        kind: settings.kind,
        test_auc: value(figures.auc),
        test_log_loss: value(figures.log_loss),
        test_brier: value(figures.brier),
        test_ece: value(figures.ece),
        base_log_loss: judged.base_log_loss(),
        cautions: cautions(&judged, &figures, &train, &test, split),
        split,
        train: part(&train),
        test: part(&test),
        seed: settings.seed,
        tuned: judged.fitted.iter().map(|fitted| fitted.tuned).collect(),
        calibration: judged
            .fitted
            .iter()
            .map(|fitted| fitted.calibration.clone())
            .collect(),
        calibration_curve: metrics::calibration_curve(&judged.rows, BINS),
        roc: metrics::roc(&judged.rows),
        importance: judged.importance(),
        figures,
        leaks,
    })
}

/// Training and test rows of each fit.
type Sides = Vec<(Vec<usize>, Vec<usize>)>;

fn sides(
    examples: &Examples,
    split: Split,
    settings: &FitSettings,
) -> Result<(Sides, FitSettings), FitError> {
    match split {
        Split::Time {
            train_until,
            test_after,
        } => {
            let Some(times) = &examples.times else {
                return Err(FitError::Setting(
                    "a split by time needs the times of the rows",
                ));
            };
            // Written so that a number that is none is refused, too.
            if test_after.is_nan() || train_until.is_nan() || test_after < train_until {
                return Err(FitError::Setting(
                    "the test must not begin before the training ends",
                ));
            }
            let rows = |of: &dyn Fn(f64) -> bool| -> Vec<usize> {
                (0..times.len()).filter(|row| of(times[*row])).collect()
            };
            let train = rows(&|time| time <= train_until);
            let test = rows(&|time| time > test_after);
            examples.select(&train).need_both("training", LEAST)?;
            examples.select(&test).need_both("test", 1)?;
            let gap = settings.gap.max(test_after - train_until);
            Ok((
                vec![(train, test)],
                FitSettings {
                    gap,
                    ..settings.clone()
                },
            ))
        }
        Split::Folds { folds } => {
            if !(2..=20).contains(&folds) {
                return Err(FitError::Setting("there must be 2 to 20 folds"));
            }
            examples.need_both("training", LEAST)?;
            let folds = folds::grouped(examples, folds, settings.seed)?;
            let sides = folds
                .into_iter()
                .map(|fold| (fold.train, fold.test))
                .collect();
            Ok((sides, settings.clone()))
        }
    }
}

fn too_few(test: &Examples) -> FitError {
    FitError::Classes {
        part: "test",
        positives: test.positives(),
        negatives: test.negatives(),
        least: 1,
    }
}

/// The judged rows of all folds.
#[derive(Default)]
struct Judged {
    rows: Vec<Scored>,
    fitted: Vec<Fitted>,
    /// The weighted log-loss of the rate of the training rows, and the weight.
    base: (f64, f64),
}

impl Judged {
    fn add(
        &mut self,
        fold: u32,
        train: &Examples,
        test: &Examples,
        settings: &FitSettings,
    ) -> Result<(), FitError> {
        let fitted = fit(train, settings)?;
        let probabilities = fitted.probabilities(&test.frame)?;
        let weight: f64 = train.weights.iter().sum();
        let positive = train
            .weights
            .iter()
            .zip(&train.labels)
            .filter(|(_, label)| **label);
        let rate = positive.map(|(weight, _)| *weight).sum::<f64>() / weight;
        for (row, probability) in probabilities.into_iter().enumerate() {
            let (label, weight) = (test.labels[row], test.weights[row]);
            self.rows.push(Scored {
                probability,
                label,
                weight,
                group: test.groups[row],
                fold,
            });
            self.base.0 -= weight * libm::log(if label { rate } else { 1.0 - rate });
            self.base.1 += weight;
        }
        self.fitted.push(fitted);
        Ok(())
    }

    fn base_log_loss(&self) -> f64 {
        self.base.0 / self.base.1
    }

    fn importance(&self) -> Vec<Importance> {
        let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
        for Importance { column, share } in self.fitted.iter().flat_map(|fitted| &fitted.importance)
        {
            *shares.entry(column).or_default() += share / self.fitted.len() as f64;
        }
        let named = |(column, share): (&str, f64)| Importance {
            column: column.to_owned(),
            share,
        };
        let mut importance: Vec<Importance> = shares.into_iter().map(named).collect();
        importance.sort_by(|a, b| b.share.total_cmp(&a.share));
        importance
    }
}

fn part(examples: &Examples) -> Part {
    let groups: BTreeSet<u64> = examples.groups.iter().copied().collect();
    let times = examples.times.as_deref().unwrap_or_default();
    Part {
        rows: examples.rows(),
        positives: examples.labels.iter().filter(|label| **label).count(),
        groups: groups.len(),
        from: times.iter().copied().reduce(f64::min),
        until: times.iter().copied().reduce(f64::max),
    }
}

/// What a reader of the figures should know, in whole sentences.
fn cautions(
    judged: &Judged,
    figures: &Metrics,
    train: &Examples,
    test: &Examples,
    split: Split,
) -> Vec<String> {
    let mut cautions = Vec::new();
    if figures.log_loss.value >= judged.base_log_loss() {
        cautions.push(
            "the model says no more than the rate of positives does: its log-loss is not below base_log_loss".to_owned(),
        );
    }
    let rarer = test.positives().min(test.negatives());
    if rarer < 100 {
        cautions.push(format!(
            "only {rarer} test rows are of the rarer class: look at the intervals"
        ));
    }
    if matches!(split, Split::Time { train_until, test_after } if test_after <= train_until) {
        cautions.push(
            "there is no gap between training and test: if a label looks into the future, leave at least that much".to_owned(),
        );
    }
    let groups = BTreeSet::from_iter(&train.groups).len();
    if groups < 5 {
        cautions.push(format!(
            "there are only {groups} groups to learn from: rows of other groups may be unlike all of them"
        ));
    }
    let is_forward = judged.fitted.iter().all(|fitted| fitted.counts.is_forward);
    if train.times.is_some() && !is_forward {
        cautions.push(
            "the training rows span too little time for folds with the gap: the model was tuned by group instead".to_owned(),
        );
    }
    cautions
}

#[cfg(test)]
mod tests;
