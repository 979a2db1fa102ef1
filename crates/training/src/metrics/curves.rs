//! Curves for people to look at.

use serde::{Deserialize, Serialize};

use super::{Scored, auc::are_tied};

/// The most points of a curve.
const MOST_POINTS: usize = 200;

/// Rows of about the same probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// How many rows there are.
    pub rows: usize,
    /// Their mean probability.
    pub predicted: f64,
    /// The share of them that were positive.
    pub observed: f64,
}

/// What a threshold would do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The share of the negative rows at or above it.
    pub false_positives: f64,
    /// The share of the positive rows at or above it.
    pub true_positives: f64,
}

/// The bin of each row: `bins` bins of as many rows each, by probability, rows of one probability in one bin.
pub(super) fn bins(rows: &[Scored], bins: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| rows[*a].probability.total_cmp(&rows[*b].probability));
    let mut of_row = vec![0; rows.len()];
    let mut passed = 0;
    for tied in order.chunk_by(|a, b| are_tied(&rows[*a], &rows[*b])) {
        // Where its middle lies, so that many rows of one probability fill the bins they cover from within.
        let middle = passed + tied.len() / 2;
        for place in tied {
            of_row[*place] = middle * bins / rows.len();
        }
        passed += tied.len();
    }
    of_row
}

/// Predicted and observed shares over `count` bins of about as many rows each, from the lowest probabilities to the highest. Bins without
/// rows are left out.
pub fn calibration_curve(rows: &[Scored], count: usize) -> Vec<Bin> {
    let mut sums = vec![(0_usize, 0.0, 0.0, 0.0); count];
    for (row, bin) in rows.iter().zip(bins(rows, count)) {
        let sum = &mut sums[bin];
        sum.0 += 1;
        sum.1 += row.weight;
        sum.2 += row.weight * row.probability;
        sum.3 += if row.label { row.weight } else { 0.0 };
    }
    let filled = sums.into_iter().filter(|(_, weight, ..)| *weight > 0.0);
    let bin = |(rows, weight, predicted, observed)| Bin {
        rows,
        predicted: predicted / weight,
        observed: observed / weight,
    };
    filled.map(bin).collect()
}

/// The ROC curve, from the threshold that nothing reaches to the one that everything does, thinned to at most about 200 points.
pub fn roc(rows: &[Scored]) -> Vec<Point> {
    let mut order: Vec<&Scored> = rows.iter().collect();
    order.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let weight = |label: bool| -> f64 {
        rows.iter()
            .filter(|row| row.label == label)
            .map(|row| row.weight)
            .sum()
    };
    let (positives, negatives) = (weight(true), weight(false));
    let (mut positive, mut negative) = (0.0, 0.0);
    let mut points = vec![Point {
        false_positives: 0.0,
        true_positives: 0.0,
    }];
    for tied in order.chunk_by(|a, b| are_tied(a, b)) {
        for row in tied {
            *(if row.label {
                &mut positive
            } else {
                &mut negative
            }) += row.weight;
        }
        points.push(Point {
            false_positives: negative / negatives,
            true_positives: positive / positives,
        });
    }
    thinned(&points)
}

/// Points that are a step apart on either axis, with the first and the last.
fn thinned(points: &[Point]) -> Vec<Point> {
    let step = 2.0 / MOST_POINTS as f64;
    let mut kept: Vec<Point> = Vec::new();
    for (place, point) in points.iter().enumerate() {
        let is_far = kept.last().is_none_or(|last| {
            let moved = point.false_positives - last.false_positives + point.true_positives
                - last.true_positives;
            moved >= step
        });
        if is_far || place + 1 == points.len() {
            kept.push(*point);
        }
    }
    kept
}
