//! The columns of a Parquet file, row by row.

use std::path::Path;

use anyhow::bail;
use foretide_events::EpochMs;
use foretide_frame::{Batches, Kind, ParquetIn, Values};

use super::super::row::Unusable;

/// Reads the rows of the file at `path`, with the columns `wanted`, which must be of the kinds named. `take` gets each row with
/// its number, from 1.
///
/// # Errors
/// The file cannot be read, or is another one.
pub(super) fn each_row<const N: usize>(
    path: &Path,
    wanted: [(&str, Kind); N],
    mut take: impl FnMut(u64, Cells<'_, N>),
) -> anyhow::Result<()> {
    let file = ParquetIn::open(path)?;
    for (name, kind) in wanted {
        let found = file.columns().iter().find(|column| column.name == name);
        if found.is_some_and(|column| column.kind != kind) {
            bail!("the column `{name}` holds something else than it does in completejourney 2.0");
        }
    }
    let names = wanted.map(|(name, _)| name);
    let mut batches: Batches<'_> = file.batches(&names)?;
    let mut number = 0;
    while let Some(columns) = batches.next()? {
        let rows = columns.first().map_or(0, length);
        for row in 0..rows {
            number += 1;
            let cells = Cells {
                columns: &columns,
                names: &names,
                row,
            };
            take(number, cells);
        }
    }
    Ok(())
}

/// One row.
pub(super) struct Cells<'a, const N: usize> {
    columns: &'a [Values],
    names: &'a [&'a str; N],
    row: usize,
}

impl<'a, const N: usize> Cells<'a, N> {
    /// The whole number in the column `at`.
    pub(super) fn whole(&self, at: usize) -> Result<i64, Unusable> {
        match &self.columns[at] {
            Values::Integer(cells) => cells[self.row].ok_or_else(|| self.missing(at)),
            _ => Err(self.missing(at)),
        }
    }

    /// The instant in the column `at`.
    pub(super) fn instant(&self, at: usize) -> Result<EpochMs, Unusable> {
        match &self.columns[at] {
            Values::Instant(cells) => cells[self.row].ok_or_else(|| self.missing(at)),
            _ => Err(self.missing(at)),
        }
    }

    /// The dollars in the column `at`, as cents; none are no dollars.
    pub(super) fn cents(&self, at: usize) -> Result<i32, Unusable> {
        let dollars = match &self.columns[at] {
            Values::Number(cells) => cells[self.row].unwrap_or(0.0),
            _ => return Err(self.missing(at)),
        };
        let cents = (dollars * 100.0).round();
        if !(0.0..=f64::from(i32::MAX)).contains(&cents) {
            let name = self.names[at];
            return Err(Unusable::unreadable(format!(
                "{name} is {dollars}, which is no amount of dollars"
            )));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and within the bounds of the type, as was just seen"
        )]
        let cents = cents as i32;
        Ok(cents)
    }

    /// The text in the column `at`, if there is any.
    pub(super) fn text(&self, at: usize) -> Option<&'a str> {
        match &self.columns[at] {
            Values::Text(cells) => cells[self.row].as_deref().filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    fn missing(&self, at: usize) -> Unusable {
        Unusable::missing(self.names[at])
    }
}

fn length(column: &Values) -> usize {
    match column {
        Values::Text(cells) => cells.len(),
        Values::Integer(cells) => cells.len(),
        Values::Number(cells) => cells.len(),
        Values::Flag(cells) => cells.len(),
        Values::Instant(cells) => cells.len(),
    }
}
