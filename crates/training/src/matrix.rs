//! What scorers read: numbers only, by column.

use crate::examples::taken;

/// Inputs of rows, `(n_rows, n_inputs)`, kept by column. NaN is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    columns: Vec<Vec<f64>>,
    rows: usize,
}

impl Matrix {
    /// The matrix of `columns`, each of `rows` numbers.
    pub(crate) fn of(columns: Vec<Vec<f64>>, rows: usize) -> Self {
        debug_assert!(columns.iter().all(|column| column.len() == rows));
        Self { columns, rows }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many inputs a row has.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The inputs, by column.
    pub fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// Writes row `row` to `to`.
    pub fn row(&self, row: usize, to: &mut Vec<f64>) {
        to.clear();
        to.extend(self.columns.iter().map(|column| column[row]));
    }
}

/// Rows to learn from or to judge, ready for a scorer.
#[derive(Clone, Debug)]
pub(crate) struct Labelled {
    pub(crate) inputs: Matrix,
    pub(crate) labels: Vec<bool>,
    pub(crate) weights: Vec<f64>,
}

impl Labelled {
    pub(crate) fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The sum of the weights.
    pub(crate) fn weight(&self) -> f64 {
        self.weights.iter().sum()
    }

    /// The weighted share of positives, strictly between 0 and 1 if there are rows of both classes that count.
    pub(crate) fn rate(&self) -> f64 {
        let positive = self
            .labels
            .iter()
            .zip(&self.weights)
            .filter(|(label, _)| **label);
        positive.map(|(_, weight)| *weight).sum::<f64>() / self.weight()
    }

    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let columns = self
            .inputs
            .columns
            .iter()
            .map(|column| taken(column, rows))
            .collect();
        Self {
            inputs: Matrix::of(columns, rows.len()),
            labels: taken(&self.labels, rows),
            weights: taken(&self.weights, rows),
        }
    }
}
