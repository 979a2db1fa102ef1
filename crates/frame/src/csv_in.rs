//! Comma-separated values, whose columns say nothing of what they hold: it is found out from all of their cells.

use std::{collections::HashMap, fs, path::Path};

use csv::{ByteRecord, Reader, ReaderBuilder, Trim};
use foretide_events::EpochMs;

use crate::{
    ReadError,
    table::{Cells, MISSING, Table, Texts},
};

/// What stands for a missing cell, besides nothing at all.
const ABSENT: [&str; 9] = [
    "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "?",
];

/// Reads the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Table, ReadError> {
    let bytes = fs::read(path)?;
    // Some programs begin a file with the mark of UTF-8.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let names = headings(bytes)?;
    let kinds = kinds(bytes, names.len())?;
    let mut columns: Vec<Building> = kinds.into_iter().map(Building::of).collect();
    each(bytes, |record| {
        for (column, cell) in columns.iter_mut().zip(record) {
            column.push(&text(cell));
        }
    })?;
    let mut table = Table::default();
    for (name, column) in names.into_iter().zip(columns) {
        // What data frames write before the first column is the number of the row.
        if name.is_empty() {
            table.passed_over.push(name);
        } else {
            table.columns.push((name, column.done()));
        }
    }
    Ok(table)
}

fn reader(bytes: &[u8]) -> Reader<&[u8]> {
    ReaderBuilder::new()
        .trim(Trim::All)
        .delimiter(delimiter(bytes))
        .from_reader(bytes)
}

/// What is between the cells: of comma, semicolon and tab the one that the first line has most of.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |delimiter: u8| first.split(|byte| *byte == delimiter).count();
    // The last of equal ones wins.
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|delimiter| count(*delimiter))
        .unwrap_or(b',')
}

/// The first line, which names the columns.
fn headings(bytes: &[u8]) -> Result<Vec<String>, ReadError> {
    let mut reader = reader(bytes);
    let names: Vec<String> = reader.byte_headers()?.iter().map(text).collect();
    if names.is_empty() {
        return Err(ReadError::Headings("the file is empty"));
    }
    if names.iter().all(|name| number(name).is_some()) {
        return Err(ReadError::Headings("it holds numbers"));
    }
    Ok(names)
}

/// Hands every row to `see`. Rows with more or fewer cells than there are columns are an error that names the line.
fn each(bytes: &[u8], mut see: impl FnMut(&ByteRecord)) -> Result<(), ReadError> {
    let mut reader = reader(bytes);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        see(&record);
    }
    Ok(())
}

/// A cell as text; bytes that are not UTF-8 are replaced.
fn text(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).into_owned()
}

fn is_absent(cell: &str) -> bool {
    cell.is_empty() || ABSENT.contains(&cell)
}

fn number(cell: &str) -> Option<f64> {
    cell.parse().ok()
}

fn flag(cell: &str) -> Option<bool> {
    match cell {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// What a column may still hold.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each kind is ruled out by itself"
)]
struct Kinds {
    number: bool,
    flag: bool,
    instant: bool,
    /// Whether any cell is there.
    any: bool,
}

/// What each column holds: the first of numbers, flags and times that all its cells are, or text. One without any cell holds numbers.
fn kinds(bytes: &[u8], columns: usize) -> Result<Vec<Kinds>, ReadError> {
    let all = Kinds {
        number: true,
        flag: true,
        instant: true,
        any: false,
    };
    let mut kinds = vec![all; columns];
    each(bytes, |record| {
        for (kinds, cell) in kinds.iter_mut().zip(record) {
            let cell = String::from_utf8_lossy(cell);
            if is_absent(&cell) {
                continue;
            }
            kinds.any = true;
            kinds.number &= number(&cell).is_some();
            kinds.flag &= flag(&cell).is_some();
            kinds.instant = kinds.instant && crate::table::instant(&cell).is_some();
        }
    })?;
    Ok(kinds)
}

/// A column as it is read.
enum Building {
    Number(Vec<f64>),
    Flag(Vec<Option<bool>>),
    Instant(Vec<Option<EpochMs>>),
    Text(Interned),
}

impl Building {
    fn of(kinds: Kinds) -> Self {
        if kinds.number || !kinds.any {
            Self::Number(Vec::new())
        } else if kinds.flag {
            Self::Flag(Vec::new())
        } else if kinds.instant {
            Self::Instant(Vec::new())
        } else {
            Self::Text(Interned::default())
        }
    }

    fn push(&mut self, cell: &str) {
        let there = (!is_absent(cell)).then_some(cell);
        match self {
            Self::Number(cells) => cells.push(there.and_then(number).unwrap_or(f64::NAN)),
            Self::Flag(cells) => cells.push(there.and_then(flag)),
            Self::Instant(cells) => cells.push(there.and_then(crate::table::instant)),
            Self::Text(cells) => cells.push(there),
        }
    }

    fn done(self) -> Cells {
        match self {
            Self::Number(cells) => Cells::Number(cells),
            Self::Flag(cells) => Cells::Flag(cells),
            Self::Instant(cells) => Cells::Instant(cells),
            Self::Text(cells) => Cells::Text(cells.texts),
        }
    }
}

/// Texts, each kept once.
#[derive(Default)]
pub(crate) struct Interned {
    texts: Texts,
    codes: HashMap<String, u32>,
}

impl Interned {
    pub(crate) fn push(&mut self, cell: Option<&str>) {
        let code = match cell {
            None => MISSING,
            Some(cell) => self.codes.get(cell).copied().unwrap_or_else(|| {
                let code = u32::try_from(self.texts.levels.len()).unwrap_or(MISSING);
                self.codes.insert(cell.to_owned(), code);
                self.texts.levels.push(cell.to_owned());
                code
            }),
        };
        self.texts.codes.push(code);
    }

    pub(crate) fn done(self) -> Texts {
        self.texts
    }
}
