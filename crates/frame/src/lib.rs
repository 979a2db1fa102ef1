//! Frames: tables of rows with typed columns, as data scientists load them. Written as Parquet, CSV or lines of JSON.
//!
//! ```
//! use foretide_events::EpochMs;
//! use foretide_frame::{Cell, Column, Format, FrameWriter, Kind};
//!
//! let columns = [Column::of("at", Kind::Instant), Column::of("engagement_7d", Kind::Number)];
//! let mut frame = FrameWriter::new(Format::Ndjson, Vec::new(), &columns, &[]).unwrap();
//! frame.row(&[Cell::Instant(EpochMs(0)), Cell::Number(1.5)]).unwrap();
//! frame.row(&[Cell::Instant(EpochMs(1)), Cell::Missing]).unwrap();
//! let lines = String::from_utf8(frame.finish().unwrap()).unwrap();
//! assert_eq!(lines.lines().next(), Some(r#"{"at":"1970-01-01T00:00:00.000Z","engagement_7d":1.5}"#));
//! ```
//!
//! Rows come one by one; no more than a bounded number of them is held. Parquet is written by columns and without Arrow, which
//! would more than double what the project takes to build.

mod csv_in;
mod csv_out;
mod ndjson;
mod parquet_in;
mod parquet_out;
pub mod table;

use std::{io, io::Write, path::Path, str::FromStr};

use foretide_events::EpochMs;

use self::{csv_out::CsvOut, ndjson::NdjsonOut, parquet_out::ParquetOut};
pub use self::{
    parquet_in::{Batches, ParquetIn, ReadError, Values},
    table::{Cells, Table, Texts},
};

/// How a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet, compressed with Snappy.
    Parquet,
    /// Comma-separated values under a heading; what is missing is an empty field.
    Csv,
    /// One JSON object a row.
    Ndjson,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Parquet, Self::Csv, Self::Ndjson];

    /// Its name, which is also the extension of its files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// The format that the extension of `path` stands for.
    pub fn of_file(path: &Path) -> Option<Self> {
        path.extension()?
            .to_str()?
            .to_ascii_lowercase()
            .parse()
            .ok()
    }
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            _ => Err("a format is parquet, csv or ndjson"),
        }
    }
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// An instant, in UTC, to the millisecond.
    Instant,
}

/// A column. Every one may have missing cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
}

impl Column {
    /// The column `name` of cells of `kind`.
    pub fn of(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
        }
    }
}

/// One cell of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// There is nothing.
    Missing,
    /// Text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// An instant.
    Instant(EpochMs),
}

impl Cell<'_> {
    fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Missing => true,
            Self::Text(_) => kind == Kind::Text,
            Self::Integer(_) => kind == Kind::Integer,
            Self::Number(_) => kind == Kind::Number,
            Self::Flag(_) => kind == Kind::Flag,
            Self::Instant(_) => kind == Kind::Instant,
        }
    }
}

/// Why a frame cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Where it goes to takes no more.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It cannot be written as Parquet.
    #[error("writing Parquet: {0}")]
    Parquet(String),
    /// A row has more or fewer cells than there are columns.
    #[error("a row has {0} cells for {1} columns")]
    Cells(usize, usize),
    /// A cell is not of its column's kind.
    #[error("a cell of the column `{0}` is not of its kind")]
    Kind(String),
}

/// Writes the rows of a frame to `W`.
pub struct FrameWriter<W: Write + Send> {
    columns: Vec<Column>,
    out: Out<W>,
}

enum Out<W: Write + Send> {
    Parquet(Box<ParquetOut<W>>),
    Csv(Box<CsvOut<W>>),
    Ndjson(NdjsonOut<W>),
}

impl<W: Write + Send> FrameWriter<W> {
    /// Begins a frame of `columns`. `metadata` is what the whole file says of itself, by name; only Parquet has a place for it.
    pub fn new(
        format: Format,
        out: W,
        columns: &[Column],
        metadata: &[(String, String)],
    ) -> Result<Self, FrameError> {
        let out = match format {
            Format::Parquet => Out::Parquet(Box::new(ParquetOut::new(out, columns, metadata)?)),
            Format::Csv => Out::Csv(Box::new(CsvOut::new(out, columns)?)),
            Format::Ndjson => Out::Ndjson(NdjsonOut::new(out, columns)),
        };
        Ok(Self {
            columns: columns.to_vec(),
            out,
        })
    }

    /// Writes a row: a cell for each column, in their order.
    pub fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), FrameError> {
        if cells.len() != self.columns.len() {
            return Err(FrameError::Cells(cells.len(), self.columns.len()));
        }
        let mut pairs = cells.iter().zip(&self.columns);
        if let Some((_, column)) = pairs.find(|(cell, column)| !cell.fits(column.kind)) {
            return Err(FrameError::Kind(column.name.clone()));
        }
        match &mut self.out {
            Out::Parquet(out) => out.row(cells),
            Out::Csv(out) => out.row(cells),
            Out::Ndjson(out) => out.row(cells),
        }
    }

    /// Writes what is held and the end of the file.
    pub fn finish(self) -> Result<W, FrameError> {
        match self.out {
            Out::Parquet(out) => out.finish(),
            Out::Csv(out) => out.finish(),
            Out::Ndjson(out) => out.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_as_its_extension_says() {
        let format = |path: &str| Format::of_file(Path::new(path));
        assert_eq!(format("a/frame.parquet"), Some(Format::Parquet));
        assert_eq!(format("frame.CSV"), Some(Format::Csv));
        assert_eq!(format("frame.jsonl"), Some(Format::Ndjson));
        assert_eq!(format("frame"), None);
        for format in Format::ALL {
            assert_eq!(format.as_str().parse(), Ok(format));
        }
    }

    #[test]
    fn a_row_that_does_not_fit_is_refused_in_every_format() {
        for format in Format::ALL {
            let columns = [Column::of("a", Kind::Number)];
            let mut frame = FrameWriter::new(format, Vec::new(), &columns, &[]).unwrap();
            assert!(matches!(frame.row(&[]), Err(FrameError::Cells(0, 1))));
            let refused = frame.row(&[Cell::Text("x")]).unwrap_err().to_string();
            assert!(refused.contains("`a`"), "{refused}");
            frame.row(&[Cell::Missing]).unwrap();
            assert!(!frame.finish().unwrap().is_empty());
        }
    }
}
