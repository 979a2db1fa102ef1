//! How good probabilities are, and how sure that is.

mod auc;
mod bootstrap;
mod curves;

use serde::{Deserialize, Serialize};

use crate::matrix::Labelled;

pub use self::{
    bootstrap::Bootstrap,
    curves::{Bin, Point, calibration_curve, roc},
};

/// A row that was judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// What the model said, 0 to 1.
    pub probability: f64,
    /// What happened.
    pub label: bool,
    /// How much it counts, at least 0.
    pub weight: f64,
    /// Whom it is about.
    pub group: u64,
    /// By which of several models it was judged: ranks are only compared within one.
    pub fold: u32,
}

/// A figure, and where it would lie with other shoppers of the same kind: the middle 95 % of its values over bootstrap samples of the
/// groups, less what the samples are off by in the mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Of the rows themselves.
    pub value: f64,
    /// 2.5 % of the samples lie below; never above the figure itself.
    pub low: f64,
    /// 2.5 % of the samples lie above; never below the figure itself.
    pub high: f64,
}

/// How good the probabilities of some rows are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The chance that a positive row has a higher probability than a negative one, ties counting half. 0.5 is guessing, 1 is perfect.
    pub auc: Figure,
    /// The mean of −ln of the probability of what happened: at least 0.
    pub log_loss: Figure,
    /// The mean squared distance of the probability from what happened, 0 to 1.
    pub brier: Figure,
    /// Expected calibration error: the mean distance of the mean probability from the rate of positives, over ten bins of as many rows
    /// each. 0 to 1.
    pub ece: Figure,
}

/// How good the probabilities of `rows` are; `None` unless both classes count.
pub fn evaluate(rows: &[Scored], bootstrap: &Bootstrap) -> Option<Metrics> {
    bootstrap::evaluate(rows, bootstrap)
}

/// The area under the ROC curve alone.
pub(crate) fn area_of(rows: &[Scored]) -> Option<f64> {
    auc::area(rows, &auc::order(rows), |place| rows[place].weight)
}

/// −ln of the probability of what happened, from a margin.
pub(crate) fn margin_loss(margin: f64, label: bool) -> f64 {
    let against = if label { -margin } else { margin };
    against.max(0.0) + libm::log1p(libm::exp(-against.abs()))
}

/// The weighted mean of −ln of the probability of what happened, over several sets of judged rows.
pub(crate) fn margin_log_loss<'a>(judged: impl Iterator<Item = (&'a [f64], &'a Labelled)>) -> f64 {
    let (mut loss, mut weight) = (0.0, 0.0);
    for (margins, rows) in judged {
        for ((margin, label), counts) in margins.iter().zip(&rows.labels).zip(&rows.weights) {
            loss += counts * margin_loss(*margin, *label);
            weight += counts;
        }
    }
    if weight > 0.0 {
        loss / weight
    } else {
        f64::INFINITY
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests;
