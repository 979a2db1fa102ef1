//! Examples: rows of a frame with what became of them.

use crate::{FitError, Frame};

/// Rows to learn from or to be judged on: all vectors are as long as the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// What is known of each row.
    pub frame: Frame,
    /// Whether it happened.
    pub labels: Vec<bool>,
    /// How much each row counts, at least 0: 1 unless said otherwise.
    pub weights: Vec<f64>,
    /// Whom each row is about: rows of one group depend on each other, so that a group is never on both sides of a fold, and
    /// bootstraps draw groups. Every row is its own unless said otherwise.
    pub groups: Vec<u64>,
    /// When each row was known, in any unit, if the rows have an order.
    pub times: Option<Vec<f64>>,
}

impl Examples {
    /// Examples that all count alike, each a group of its own, without times.
    pub fn new(frame: Frame, labels: Vec<bool>) -> Result<Self, FitError> {
        same("label", labels.len(), frame.rows())?;
        let rows = frame.rows() as u64;
        Ok(Self {
            weights: vec![1.0; frame.rows()],
            groups: (0..rows).collect(),
            times: None,
            frame,
            labels,
        })
    }

    /// The same with weights.
    pub fn weighted(mut self, weights: Vec<f64>) -> Result<Self, FitError> {
        same("weight", weights.len(), self.rows())?;
        let wrong = |weight: &f64| !(weight.is_finite() && *weight >= 0.0);
        if let Some(row) = weights.iter().position(wrong) {
            return Err(FitError::Weight(row));
        }
        self.weights = weights;
        Ok(self)
    }

    /// The same with groups.
    pub fn grouped(mut self, groups: Vec<u64>) -> Result<Self, FitError> {
        same("group", groups.len(), self.rows())?;
        self.groups = groups;
        Ok(self)
    }

    /// The same with times.
    pub fn timed(mut self, times: Vec<f64>) -> Result<Self, FitError> {
        same("time", times.len(), self.rows())?;
        if let Some(row) = times.iter().position(|time| !time.is_finite()) {
            return Err(FitError::Time(row));
        }
        self.times = Some(times);
        Ok(self)
    }

    /// How many there are.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// How many rows are positive and count.
    pub fn positives(&self) -> usize {
        self.labels
            .iter()
            .zip(&self.weights)
            .filter(|(label, weight)| **label && **weight > 0.0)
            .count()
    }

    /// How many rows are negative and count.
    pub fn negatives(&self) -> usize {
        self.labels
            .iter()
            .zip(&self.weights)
            .filter(|(label, weight)| !**label && **weight > 0.0)
            .count()
    }

    /// The examples of `rows`, each below [`Self::rows`].
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            frame: self.frame.select(rows),
            labels: taken(&self.labels, rows),
            weights: taken(&self.weights, rows),
            groups: taken(&self.groups, rows),
            times: self.times.as_ref().map(|times| taken(times, rows)),
        }
    }

    /// Refuses the examples unless both classes have at least `least` rows that count.
    pub(crate) fn need_both(&self, part: &'static str, least: usize) -> Result<(), FitError> {
        let (positives, negatives) = (self.positives(), self.negatives());
        if positives.min(negatives) < least {
            return Err(FitError::Classes {
                part,
                positives,
                negatives,
                least,
            });
        }
        Ok(())
    }
}

/// The values at `rows`.
pub(crate) fn taken<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|row| values[*row]).collect()
}

fn same(column: &str, found: usize, expected: usize) -> Result<(), FitError> {
    if found == expected {
        return Ok(());
    }
    Err(FitError::Lengths {
        column: column.to_owned(),
        found,
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Column;

    fn examples() -> Examples {
        let column = Column::Numbers(vec![1.0, 2.0, 3.0]);
        let frame = Frame::new(vec![("a".to_owned(), column)]).unwrap();
        Examples::new(frame, vec![true, false, true]).unwrap()
    }

    #[test]
    fn what_does_not_fit_the_frame_is_refused() {
        assert!(examples().weighted(vec![1.0]).is_err());
        assert_eq!(
            examples().weighted(vec![1.0, -1.0, 1.0]),
            Err(FitError::Weight(1))
        );
        assert_eq!(
            examples().timed(vec![1.0, 1.0, f64::NAN]),
            Err(FitError::Time(2))
        );
    }

    #[test]
    fn rows_without_weight_do_not_count() {
        let examples = examples().weighted(vec![0.0, 1.0, 1.0]).unwrap();
        assert_eq!((examples.positives(), examples.negatives()), (1, 1));
        assert!(examples.need_both("training", 2).is_err());
    }
}
