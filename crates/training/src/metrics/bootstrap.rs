//! Figures and their intervals, by drawing groups.
//!
//! What the samples are off by in the mean is taken off the ends (Efron & Tibshirani 1993, chapter 10): drawn samples are
//! noisier than what they are drawn from, and a calibration error counts noise of either sign.

use std::collections::BTreeMap;

use super::{Figure, Metrics, Scored, auc, curves};
use crate::seeded::Seeded;

/// Bins of the expected calibration error.
const BINS: usize = 10;

/// What probabilities are kept within when logarithms are taken of them.
const SURE: f64 = 1e-12;

/// How intervals are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// How many samples; intervals are the figure itself if none.
    pub samples: usize,
    /// What the samples follow from.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            samples: 200,
            seed: 0,
        }
    }
}

/// The four figures of one sample, in the order of [`Metrics`].
type Sample = [f64; 4];

/// The most that each of them can be.
const MOST: Sample = [1.0, f64::INFINITY, 1.0, 1.0];

/// Rows with what does not change from sample to sample.
struct Prepared<'a> {
    rows: &'a [Scored],
    order: Vec<usize>,
    bins: Vec<usize>,
    losses: Vec<f64>,
    /// The place of each row's group.
    groups: Vec<usize>,
    group_count: usize,
}

pub(super) fn evaluate(rows: &[Scored], bootstrap: &Bootstrap) -> Option<Metrics> {
    let prepared = Prepared::of(rows);
    let whole = prepared.sample(&vec![1.0; prepared.group_count])?;
    let mut seeded = Seeded::new(bootstrap.seed, 0xB007);
    let mut samples = Vec::with_capacity(bootstrap.samples);
    let mut drawn = vec![0.0; prepared.group_count];
    for _ in 0..bootstrap.samples {
        drawn.fill(0.0);
        for _ in 0..prepared.group_count {
            drawn[seeded.below(prepared.group_count)] += 1.0;
        }
        // A sample without one of the classes says nothing of ranks.
        samples.extend(prepared.sample(&drawn));
    }
    let figure = |at: usize| {
        let mut values: Vec<f64> = samples.iter().map(|sample: &Sample| sample[at]).collect();
        values.sort_by(f64::total_cmp);
        let value = whole[at];
        let bias = mean(&values).map_or(0.0, |mean| mean - value);
        let end = |share| quantile(&values, share, value) - bias;
        Figure {
            value,
            low: end(0.025).min(value).max(0.0),
            high: end(0.975).min(MOST[at]).max(value),
        }
    };
    Some(Metrics {
        auc: figure(0),
        log_loss: figure(1),
        brier: figure(2),
        ece: figure(3),
    })
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The value at `share` of sorted `values`; `otherwise` if there are none.
fn quantile(values: &[f64], share: f64, otherwise: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length"
    )]
    let place = (share * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(place).copied().unwrap_or(otherwise)
}

impl<'a> Prepared<'a> {
    fn of(rows: &'a [Scored]) -> Self {
        let mut places = BTreeMap::new();
        let place = |row: &Scored| {
            let next = places.len();
            *places.entry(row.group).or_insert(next)
        };
        let groups = rows.iter().map(place).collect();
        let loss = |row: &Scored| {
            let of_what_happened = if row.label {
                row.probability
            } else {
                1.0 - row.probability
            };
            -libm::log(of_what_happened.clamp(SURE, 1.0))
        };
        Self {
            rows,
            order: auc::order(rows),
            bins: curves::bins(rows, BINS),
            losses: rows.iter().map(loss).collect(),
            groups,
            group_count: places.len(),
        }
    }

    /// The figures if each group counts as often as `drawn` says.
    fn sample(&self, drawn: &[f64]) -> Option<Sample> {
        let weight = |place: usize| self.rows[place].weight * drawn[self.groups[place]];
        let area = auc::area(self.rows, &self.order, weight)?;
        let (mut all, mut loss, mut squares) = (0.0, 0.0, 0.0);
        let mut gaps = [0.0; BINS];
        for (place, row) in self.rows.iter().enumerate() {
            let counts = weight(place);
            let off = row.probability - f64::from(u8::from(row.label));
            all += counts;
            loss += counts * self.losses[place];
            squares += counts * off * off;
            gaps[self.bins[place]] += counts * off;
        }
        let ece = gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>();
        Some([area, loss / all, squares / all, ece / all])
    }
}
