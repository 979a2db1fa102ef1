//! Newton's method for penalised logistic regression.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::{FitError, matrix::Labelled};

/// Steps, of which a handful is usual.
const MOST_STEPS: usize = 60;

/// The loss must fall by this share of itself for another step to be worth it.
const LEAST_GAIN: f64 = 1e-9;

/// Rows whose products are summed at once: what they need stays in the cache.
const BLOCK_ROWS: usize = 512;

/// A weight for each column of a design, the intercept last.
#[derive(Clone, Debug)]
pub(super) struct Weights(Array1<f64>);

impl Weights {
    /// Every weight 0 and the intercept that of the rate of positives.
    pub(super) fn start(rows: &Labelled, width: usize) -> Self {
        let rate = rows.rate().clamp(1e-9, 1.0 - 1e-9);
        let mut weights = Array1::zeros(width + 1);
        weights[width] = libm::log(rate / (1.0 - rate));
        Self(weights)
    }

    pub(super) fn intercept(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// The weights without the intercept.
    pub(super) fn slopes(&self) -> &[f64] {
        let all = self.0.as_slice().unwrap_or_default();
        all.split_last().map_or(&[], |(_, slopes)| slopes)
    }

    pub(super) fn margins(&self, design: &Array2<f64>) -> Vec<f64> {
        design.dot(&self.0).to_vec()
    }
}

/// Minimises the summed weighted log-loss of `rows` plus `l2 / 2` times the squared slopes, from `start`.
pub(super) fn newton(
    design: &Array2<f64>,
    rows: &Labelled,
    l2: f64,
    start: Weights,
) -> Result<Weights, FitError> {
    let mut weights = start.0;
    let mut loss = objective(&design.dot(&weights), rows, &weights, l2);
    for _ in 0..MOST_STEPS {
        let (gradient, hessian) = derivatives(design, rows, &weights, l2);
        let step = solve(hessian, gradient)?;
        let mut share = 1.0;
        let (better, lower) = loop {
            let tried = &weights - &(&step * share);
            let reached = objective(&design.dot(&tried), rows, &tried, l2);
            if reached <= loss || share < 1e-6 {
                break (tried, reached);
            }
            share /= 2.0;
        };
        let gain = loss - lower;
        if gain > 0.0 {
            (weights, loss) = (better, lower);
        }
        if gain <= LEAST_GAIN * loss.abs() {
            break;
        }
    }
    Ok(Weights(weights))
}

/// ln(1 + e^x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

fn objective(margins: &Array1<f64>, rows: &Labelled, weights: &Array1<f64>, l2: f64) -> f64 {
    let row = |((margin, label), counts): ((&f64, &bool), &f64)| {
        counts * (softplus(*margin) - if *label { *margin } else { 0.0 })
    };
    let loss: f64 = margins
        .iter()
        .zip(&rows.labels)
        .zip(&rows.weights)
        .map(row)
        .sum();
    let slopes = weights.iter().take(weights.len() - 1);
    loss + l2 / 2.0 * slopes.map(|slope| slope * slope).sum::<f64>()
}

/// The gradient and the Hessian.
fn derivatives(
    design: &Array2<f64>,
    rows: &Labelled,
    weights: &Array1<f64>,
    l2: f64,
) -> (Array1<f64>, Array2<f64>) {
    let width = weights.len();
    let mut gradient = Array1::zeros(width);
    let mut hessian = Array2::zeros((width, width));
    let margins = design.dot(weights);
    let mut scaled = Array2::zeros((BLOCK_ROWS, width));
    for (at, block) in design.axis_chunks_iter(Axis(0), BLOCK_ROWS).enumerate() {
        let (mut scaled, _) = scaled.view_mut().split_at(Axis(0), block.nrows());
        for (place, row) in block.outer_iter().enumerate() {
            let whole = at * BLOCK_ROWS + place;
            let probability = 1.0 / (1.0 + libm::exp(-margins[whole]));
            let label = f64::from(u8::from(rows.labels[whole]));
            gradient.scaled_add(rows.weights[whole] * (probability - label), &row);
            let root = (rows.weights[whole] * probability * (1.0 - probability)).sqrt();
            scaled.row_mut(place).assign(&(&row * root));
        }
        add_square(&scaled.view(), &mut hessian);
    }
    for place in 0..width - 1 {
        gradient[place] += l2 * weights[place];
        hessian[[place, place]] += l2;
    }
    (gradient, hessian)
}

/// Adds the product of the transpose of `rows` with `rows`.
fn add_square(rows: &ArrayView2<'_, f64>, to: &mut Array2<f64>) {
    ndarray::linalg::general_mat_mul(1.0, &rows.t(), rows, 1.0, to);
}

/// Solves `matrix · x = right` for a symmetric matrix that is positive but for rounding, by Cholesky's decomposition.
fn solve(mut matrix: Array2<f64>, right: Array1<f64>) -> Result<Array1<f64>, FitError> {
    let width = right.len();
    let largest = matrix
        .diag()
        .iter()
        .fold(0.0_f64, |most, value| most.max(*value));
    for place in 0..width {
        // Far below what any data say: it only keeps columns apart that rounding makes one.
        matrix[[place, place]] += 1e-12 * largest + f64::MIN_POSITIVE;
    }
    let mut x = right;
    for row in 0..width {
        for column in 0..=row {
            let known: f64 = (0..column)
                .map(|k| matrix[[row, k]] * matrix[[column, k]])
                .sum();
            let rest = matrix[[row, column]] - known;
            matrix[[row, column]] = if row == column {
                if rest.is_nan() || rest <= 0.0 {
                    let fault =
                        "the columns depend on each other in a way that rounding cannot tell apart";
                    return Err(FitError::Setting(fault));
                }
                rest.sqrt()
            } else {
                rest / matrix[[column, column]]
            };
        }
    }
    for row in 0..width {
        let known: f64 = (0..row).map(|k| matrix[[row, k]] * x[k]).sum();
        x[row] = (x[row] - known) / matrix[[row, row]];
    }
    for row in (0..width).rev() {
        let known: f64 = (row + 1..width).map(|k| matrix[[k, row]] * x[k]).sum();
        x[row] = (x[row] - known) / matrix[[row, row]];
    }
    Ok(x)
}
