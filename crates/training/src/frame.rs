//! Frames: columns of numbers and categories, by name.

use std::collections::BTreeSet;

use crate::FitError;

/// The code of a missing category.
pub const MISSING: u32 = u32::MAX;

/// A column of a frame. Any cell may be missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers; what is not finite is missing.
    Numbers(Vec<f64>),
    /// One of a few names.
    Categories(Categories),
}

/// Cells that are one of a few names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Categories {
    /// The names, each once, in any order: what is learnt does not depend on it.
    pub levels: Vec<String>,
    /// A cell for each row: the place of its name in `levels`, or [`MISSING`].
    pub codes: Vec<u32>,
}

impl Column {
    /// How many cells it has.
    pub fn rows(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Categories(categories) => categories.codes.len(),
        }
    }

    /// How many cells are missing.
    pub fn missing(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.iter().filter(|number| number.is_nan()).count(),
            Self::Categories(categories) => categories
                .codes
                .iter()
                .filter(|code| **code == MISSING)
                .count(),
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(rows.iter().map(|row| numbers[*row]).collect()),
            Self::Categories(categories) => Self::Categories(Categories {
                levels: categories.levels.clone(),
                codes: rows.iter().map(|row| categories.codes[*row]).collect(),
            }),
        }
    }

    /// Makes everything that is no number missing, and checks the codes.
    fn checked(mut self, name: &str) -> Result<Self, FitError> {
        match &mut self {
            Self::Numbers(numbers) => {
                for number in numbers.iter_mut().filter(|number| !number.is_finite()) {
                    *number = f64::NAN;
                }
            }
            Self::Categories(categories) => {
                let known = |code: &u32| {
                    *code == MISSING
                        || usize::try_from(*code).is_ok_and(|code| code < categories.levels.len())
                };
                if !categories.codes.iter().all(known) {
                    return Err(FitError::Level(name.to_owned()));
                }
            }
        }
        Ok(self)
    }
}

/// A table of rows with named columns of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    names: Vec<String>,
    columns: Vec<Column>,
    rows: usize,
}

impl Frame {
    /// The frame of `columns`. Numbers that are not finite become missing. Refused unless all are of one length and named apart.
    pub fn new(columns: Vec<(String, Column)>) -> Result<Self, FitError> {
        let rows = columns.first().map_or(0, |(_, column)| column.rows());
        let mut seen = BTreeSet::new();
        let mut frame = Self {
            names: Vec::new(),
            columns: Vec::new(),
            rows,
        };
        for (name, column) in columns {
            if column.rows() != rows {
                return Err(FitError::Lengths {
                    found: column.rows(),
                    expected: rows,
                    column: name,
                });
            }
            if !seen.insert(name.clone()) {
                return Err(FitError::Twice(name));
            }
            frame.columns.push(column.checked(&name)?);
            frame.names.push(name);
        }
        Ok(frame)
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The names of the columns, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns with their names, in their order.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&str, &Column)> {
        self.names.iter().map(String::as_str).zip(&self.columns)
    }

    /// The column `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let place = self.names.iter().position(|known| known == name)?;
        self.columns.get(place)
    }

    /// The frame of `rows`, in their order; each is below [`Self::rows`] and may come several times.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            names: self.names.clone(),
            columns: self
                .columns
                .iter()
                .map(|column| column.select(rows))
                .collect(),
            rows: rows.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(name: &str, numbers: &[f64]) -> (String, Column) {
        (name.to_owned(), Column::Numbers(numbers.to_vec()))
    }

    #[test]
    fn what_is_not_finite_is_missing() {
        let frame = Frame::new(vec![numbers("a", &[1.0, f64::INFINITY, f64::NAN])]).unwrap();
        assert_eq!(frame.column("a").unwrap().missing(), 2);
    }

    #[test]
    fn a_frame_that_is_no_table_is_refused_by_the_name_of_the_column() {
        let lengths = Frame::new(vec![numbers("a", &[1.0]), numbers("b", &[1.0, 2.0])]);
        assert!(lengths.unwrap_err().to_string().contains("`b`"));
        let twice = Frame::new(vec![numbers("a", &[1.0]), numbers("a", &[2.0])]);
        assert_eq!(twice, Err(FitError::Twice("a".to_owned())));
        let categories = Categories {
            levels: vec!["x".to_owned()],
            codes: vec![1],
        };
        let level = Frame::new(vec![("c".to_owned(), Column::Categories(categories))]);
        assert_eq!(level, Err(FitError::Level("c".to_owned())));
    }

    #[test]
    fn rows_are_selected_in_any_order() {
        let frame = Frame::new(vec![numbers("a", &[1.0, 2.0, 3.0])]).unwrap();
        let selected = frame.select(&[2, 0, 2]);
        assert_eq!(
            selected.column("a"),
            Some(&Column::Numbers(vec![3.0, 1.0, 3.0]))
        );
        assert_eq!(selected.rows(), 3);
    }
}
