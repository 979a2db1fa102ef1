//! Features of some shoppers, and their places in a space.

use foretide_features::Feature;

use crate::Space;

/// The features of some shoppers as they are known, shape `(n_shoppers, n_features)`: what a re-forming rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    features: Vec<Feature>,
    /// Row after row; what is missing is not a number.
    values: Vec<f64>,
    stands_for: Option<u64>,
}

impl Sample {
    /// No shopper yet, of whom `features` will be known.
    pub fn new(features: &[Feature]) -> Self {
        Self {
            features: features.to_vec(),
            values: Vec::new(),
            stands_for: None,
        }
    }

    /// Takes a shopper in. What is missing, or not finite, is missing.
    pub fn push(&mut self, mut get: impl FnMut(Feature) -> Option<f64>) {
        let known = |feature: &Feature| {
            let value = get(*feature).filter(|value| value.is_finite());
            value.unwrap_or(f64::NAN)
        };
        self.values.extend(self.features.iter().map(known));
    }

    /// Says of how many shoppers this is a sample, itself included: from this the sizes of cohorts are estimated. Unless it is
    /// called, the sample is all there are.
    #[must_use]
    pub fn stands_for(mut self, shoppers: u64) -> Self {
        self.stands_for = Some(shoppers);
        self
    }

    /// How many shoppers it stands for, never fewer than it has.
    pub fn shoppers(&self) -> u64 {
        let own = self.len() as u64;
        self.stands_for.map_or(own, |all| all.max(own))
    }

    /// How many shoppers it has.
    pub fn len(&self) -> usize {
        self.values
            .len()
            .checked_div(self.features.len())
            .unwrap_or(0)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The features that are known.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The values of the feature at `column` of every shopper out of `step`, `None` where it is missing.
    pub(crate) fn values(&self, column: usize, step: usize) -> impl Iterator<Item = Option<f64>> {
        let rows = (0..self.len()).step_by(step.max(1));
        rows.map(move |row| self.value(row, column))
    }

    /// The column of `feature`.
    pub(crate) fn column(&self, feature: Feature) -> Option<usize> {
        self.features.iter().position(|own| *own == feature)
    }

    /// The value at (`row`, `column`), `None` if it is missing.
    pub(crate) fn value(&self, row: usize, column: usize) -> Option<f64> {
        let value = self.values.get(row * self.features.len() + column)?;
        (!value.is_nan()).then_some(*value)
    }

    /// Where its shoppers lie in `space`. A feature that it does not know is missing for all.
    pub fn placed(&self, space: &Space) -> Rows {
        let width = space.len();
        let columns: Vec<_> = space
            .dimensions
            .iter()
            .map(|dimension| (dimension, self.column(dimension.feature)))
            .collect();
        let mut values = Vec::with_capacity(self.len() * width);
        for row in 0..self.len() {
            values.extend(columns.iter().map(|(dimension, column)| {
                dimension.scaled(column.and_then(|column| self.value(row, column)))
            }));
        }
        Rows { width, values }
    }
}

/// Places in a space, shape `(n_shoppers, n_dimensions)`, row after row, scaled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    width: usize,
    values: Vec<f32>,
}

impl Rows {
    /// Of `values`, `width` a row; what is left over behind the last whole row is cut off.
    pub fn new(width: usize, mut values: Vec<f32>) -> Self {
        let whole = values.len().checked_div(width).unwrap_or(0) * width;
        values.truncate(whole);
        Self { width, values }
    }

    /// Numbers a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All numbers, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Row after row.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// The row at `index`, which is below [`Self::len`].
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..][..self.width]
    }

    /// Puts `row` behind the last one.
    pub(crate) fn push(&mut self, row: &[f32]) {
        self.values.extend_from_slice(row);
    }

    /// Puts `row` in the place of the one at `index`.
    pub(crate) fn replace(&mut self, index: usize, row: &[f32]) {
        self.values[index * self.width..][..self.width].copy_from_slice(row);
    }

    /// All but the row at `index`.
    pub(crate) fn without(&self, index: usize) -> Self {
        let mut values = self.values.clone();
        values.drain(index * self.width..(index + 1) * self.width);
        Self {
            width: self.width,
            values,
        }
    }

    /// At most `most` of its rows, evenly spread.
    pub(crate) fn thinned(&self, most: usize) -> Self {
        let len = self.len();
        if len <= most {
            return self.clone();
        }
        let mut thinned = Self {
            width: self.width,
            values: Vec::with_capacity(most * self.width),
        };
        for number in 0..most {
            thinned.push(self.row(number * len / most));
        }
        thinned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_kept_as_missing_and_sizes_are_those_it_stands_for() {
        let mut sample = Sample::new(&[Feature::Spend30d, Feature::Purchases30d]);
        sample.push(|feature| (feature == Feature::Spend30d).then_some(3.0));
        sample.push(|_| Some(f64::INFINITY));
        assert_eq!((sample.len(), sample.shoppers()), (2, 2));
        assert_eq!((sample.value(0, 0), sample.value(0, 1)), (Some(3.0), None));
        assert_eq!(sample.values(0, 1).flatten().count(), 1);
        assert_eq!(sample.values(1, 1).flatten().count(), 0);
        assert_eq!(sample.stands_for(50).shoppers(), 50);
    }

    #[test]
    fn thinning_keeps_rows_whole_and_spread() {
        let rows = Rows::new(2, (0_u8..20).map(f32::from).collect());
        let thinned = rows.thinned(5);
        assert_eq!(
            thinned.values(),
            [0., 1., 4., 5., 8., 9., 12., 13., 16., 17.]
        );
        assert_eq!(rows.without(0).row(0), [2.0, 3.0]);
    }
}
