//! Frames read whole, by column.

use std::path::Path;

use foretide_events::EpochMs;

use crate::{Format, Kind, ParquetIn, ReadError, Values, csv_in, csv_in::Interned};

/// The code of a missing text.
pub const MISSING: u32 = u32::MAX;

/// A frame with all its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The columns by name, in the order of the file, all of one length.
    pub columns: Vec<(String, Cells)>,
    /// Columns that were passed over: without a name, as data frames write the numbers of rows, or nested.
    pub passed_over: Vec<String>,
    /// Columns that were not wanted.
    pub unwanted: Vec<String>,
}

/// The cells of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Numbers, whole or not; NaN is missing.
    Number(Vec<f64>),
    /// Yes or no.
    Flag(Vec<Option<bool>>),
    /// Times.
    Instant(Vec<Option<EpochMs>>),
    /// Texts.
    Text(Texts),
}

/// Texts, each different one kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// The different texts, in the order in which they came.
    pub levels: Vec<String>,
    /// For each row the place of its text in `levels`, or [`MISSING`].
    pub codes: Vec<u32>,
}

impl Table {
    /// Reads the file at `path`, whose name says its format, without the columns `unwanted`.
    ///
    /// **CSV**: the first line names the columns; cells are divided by commas, semicolons or tabs. A column whose cells all are numbers
    /// holds numbers; true or false, flags; RFC 3339 times or dates, times; anything else makes it text. Nothing, `NA`, `N/A`, `NaN`,
    /// `null`, `None` and `?` are missing cells.
    ///
    /// **Parquet**: the columns say what they hold. Lists, maps and structs are passed over, and so is the index that data frames add.
    ///
    /// # Errors
    /// The file cannot be read, is no frame, or is of another format.
    pub fn read(path: &Path, unwanted: &[String]) -> Result<Self, ReadError> {
        match Format::of_file(path) {
            Some(Format::Csv) => Ok(csv_in::read(path)?.without(unwanted)),
            Some(Format::Parquet) => parquet(path, unwanted),
            _ => Err(ReadError::Format),
        }
    }

    fn without(mut self, unwanted: &[String]) -> Self {
        let is_unwanted = |name: &String| unwanted.contains(name);
        let gone = self.columns.extract_if(.., |(name, _)| is_unwanted(name));
        self.unwanted.extend(gone.map(|(name, _)| name));
        self
    }
}

fn parquet(path: &Path, unwanted: &[String]) -> Result<Table, ReadError> {
    let file = ParquetIn::open(path)?;
    let (mut table, mut wanted) = (Table::default(), Vec::new());
    for path in file.nested() {
        if unwanted.contains(&path) {
            table.unwanted.push(path);
        } else {
            table.passed_over.push(path);
        }
    }
    for column in file.columns() {
        if unwanted.contains(&column.name) {
            table.unwanted.push(column.name.clone());
        } else if column.name.is_empty() || column.name.starts_with("__index_level_") {
            table.passed_over.push(column.name.clone());
        } else {
            wanted.push((column.name.as_str(), column.kind));
        }
    }
    let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
    let mut columns: Vec<Building> = wanted.iter().map(|(_, kind)| Building::of(*kind)).collect();
    let mut batches = file.batches(&names)?;
    while let Some(batch) = batches.next()? {
        for (column, values) in columns.iter_mut().zip(batch) {
            column.extend(values);
        }
    }
    let columns = names.into_iter().zip(columns);
    table
        .columns
        .extend(columns.map(|(name, column)| (name.to_owned(), column.done())));
    Ok(table)
}

/// A column as its batches come.
enum Building {
    Number(Vec<f64>),
    Flag(Vec<Option<bool>>),
    Instant(Vec<Option<EpochMs>>),
    Text(Interned),
}

impl Building {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Interned::default()),
            Kind::Integer | Kind::Number => Self::Number(Vec::new()),
            Kind::Flag => Self::Flag(Vec::new()),
            Kind::Instant => Self::Instant(Vec::new()),
        }
    }

    /// Takes values of the column's own kind.
    fn extend(&mut self, values: Values) {
        match (self, values) {
            (Self::Number(cells), Values::Number(values)) => {
                cells.extend(values.into_iter().map(|value| value.unwrap_or(f64::NAN)));
            }
            (Self::Number(cells), Values::Integer(values)) => {
                #[expect(clippy::cast_precision_loss, reason = "numbers are doubles here")]
                let number = |value: Option<i64>| value.map_or(f64::NAN, |value| value as f64);
                cells.extend(values.into_iter().map(number));
            }
            (Self::Flag(cells), Values::Flag(values)) => cells.extend(values),
            (Self::Instant(cells), Values::Instant(values)) => cells.extend(values),
            (Self::Text(cells), Values::Text(values)) => {
                for value in &values {
                    cells.push(value.as_deref());
                }
            }
            _ => {}
        }
    }

    fn done(self) -> Cells {
        match self {
            Self::Number(cells) => Cells::Number(cells),
            Self::Flag(cells) => Cells::Flag(cells),
            Self::Instant(cells) => Cells::Instant(cells),
            Self::Text(cells) => Cells::Text(cells.done()),
        }
    }
}

/// Reads a time: RFC 3339, or a date with or without a time of day, which then is UTC's.
pub fn instant(text: &str) -> Option<EpochMs> {
    let bytes = text.as_bytes();
    let is_date =
        bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[0].is_ascii_digit();
    if !is_date {
        return None;
    }
    let zoned = |text: &str| EpochMs::parse(text);
    if text.len() == 10 {
        return zoned(&format!("{text}T00:00:00Z"));
    }
    let joined = text.replacen(' ', "T", 1);
    zoned(&joined)
        .or_else(|| zoned(&format!("{joined}Z")))
        .or_else(|| zoned(&format!("{joined}:00Z")))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests;
