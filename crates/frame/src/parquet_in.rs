//! Apache Parquet, read by columns, a bounded number of rows at a time.

use std::{fs::File, io, path::Path};

use foretide_events::EpochMs;
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{AsBytes, ByteArray, DataType},
    errors::ParquetError,
    file::reader::{FileReader as _, SerializedFileReader},
    schema::types::ColumnDescriptor,
};

use crate::{Column, Kind};

/// The most rows of one batch.
const BATCH_ROWS: usize = 16 * 1024;
const DAY_MS: i64 = 86_400_000;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("opening the file: {0}")]
    Io(#[from] io::Error),
    /// It is no Parquet file, is damaged, or is packed in a way that is not known here (snappy, zstd and gzip are).
    #[error("reading Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// It is no table of comma-separated values.
    #[error("reading CSV: {0}")]
    Csv(#[from] csv::Error),
    /// The first line of comma-separated values does not name the columns.
    #[error("reading CSV: the first line must name the columns, but {0}")]
    Headings(&'static str),
    /// The name of the file ends with neither `.csv` nor `.parquet`.
    #[error("a frame is read from a file that ends with .csv or .parquet")]
    Format,
    /// There is no such column, or it is nested.
    #[error("there is no plain column `{name}`; there are: {there}")]
    NoColumn {
        /// The one that was asked for.
        name: String,
        /// Those that there are.
        there: String,
    },
    /// A value is none that its column can have: bytes that are no text, a time that there is not.
    #[error(
        "a value of the column `{0}` cannot be read: leave the column out, or write it as text or numbers"
    )]
    Value(String),
}

/// A Parquet file.
///
/// Its plain columns are those of text, whole numbers, numbers, flags and times; lists, maps and structs are passed over. Times
/// without a zone are taken for UTC, and all times are cut to the millisecond.
pub struct ParquetIn {
    file: SerializedFileReader<File>,
    columns: Vec<Column>,
    places: Vec<Place>,
}

/// Where a column is among the leaves of the schema, and what its stored values mean.
#[derive(Clone, Copy, Debug)]
struct Place {
    leaf: usize,
    meaning: Meaning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Text,
    Integer,
    Unsigned,
    /// A whole number to be divided by so many powers of ten.
    Decimal(i32),
    /// The same in bytes, the highest first.
    LongDecimal(i32),
    Number,
    /// A number of sixteen bits (IEEE 754 binary16).
    Half,
    Flag,
    Days,
    Millis,
    Micros,
    Nanos,
}

/// The cells of one column, `None` where there is nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of [`Kind::Text`].
    Text(Vec<Option<String>>),
    /// Of [`Kind::Integer`].
    Integer(Vec<Option<i64>>),
    /// Of [`Kind::Number`].
    Number(Vec<Option<f64>>),
    /// Of [`Kind::Flag`].
    Flag(Vec<Option<bool>>),
    /// Of [`Kind::Instant`].
    Instant(Vec<Option<EpochMs>>),
}

impl ParquetIn {
    /// Opens the file at `path` and reads what it says of itself.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = SerializedFileReader::new(File::open(path)?)?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        let (mut columns, mut places) = (Vec::new(), Vec::new());
        for (leaf, column) in schema.columns().iter().enumerate() {
            if let Some(meaning) = Meaning::of(column) {
                columns.push(Column::of(column.name(), meaning.kind()));
                places.push(Place { leaf, meaning });
            }
        }
        Ok(Self {
            file,
            columns,
            places,
        })
    }

    /// Its plain columns, in the order of the file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The columns that are passed over, by their paths.
    pub(crate) fn nested(&self) -> Vec<String> {
        let schema = self.file.metadata().file_metadata().schema_descr();
        let leaves = schema.columns().iter();
        let nested = leaves.filter(|column| Meaning::of(column).is_none());
        nested.map(|column| column.path().string()).collect()
    }

    /// How many rows it says it has.
    pub fn rows(&self) -> u64 {
        let rows = self.file.metadata().file_metadata().num_rows();
        u64::try_from(rows).unwrap_or(0)
    }

    /// Reads the columns `wanted`, in this order, from the beginning.
    ///
    /// # Errors
    /// One of them is not among the plain columns.
    pub fn batches(&self, wanted: &[&str]) -> Result<Batches<'_>, ReadError> {
        let place = |name: &&str| {
            let at = self.columns.iter().position(|column| column.name == **name);
            let place = at.and_then(|at| self.places.get(at).copied());
            place.ok_or_else(|| ReadError::NoColumn {
                name: (*name).to_owned(),
                there: self.names().join(", "),
            })
        };
        Ok(Batches {
            from: self,
            wanted: wanted.iter().map(place).collect::<Result<_, _>>()?,
            next_group: 0,
            open: Vec::new(),
            left: 0,
        })
    }

    fn names(&self) -> Vec<&str> {
        let names = self.columns.iter().map(|column| column.name.as_str());
        names.collect()
    }

    fn name_of(&self, place: Place) -> String {
        let schema = self.file.metadata().file_metadata().schema_descr();
        schema.column(place.leaf).name().to_owned()
    }
}

/// The rows of a file, batch by batch. See [`ParquetIn::batches`].
pub struct Batches<'a> {
    from: &'a ParquetIn,
    wanted: Vec<Place>,
    next_group: usize,
    /// The columns of the group that is being read, and how many of its rows are left.
    open: Vec<ColumnReader>,
    left: usize,
}

impl Batches<'_> {
    /// The next rows, at most 16 Ki, by column; `None` at the end.
    #[expect(
        clippy::should_implement_trait,
        reason = "it can fail, and what it says is no item"
    )]
    pub fn next(&mut self) -> Result<Option<Vec<Values>>, ReadError> {
        while self.left == 0 {
            if self.next_group == self.from.file.num_row_groups() {
                return Ok(None);
            }
            let group = self.from.file.get_row_group(self.next_group)?;
            let columns = self.wanted.iter();
            let columns = columns.map(|place| group.get_column_reader(place.leaf));
            self.open = columns.collect::<Result<_, _>>()?;
            self.left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            self.next_group += 1;
        }
        let rows = self.left.min(BATCH_ROWS);
        self.left -= rows;
        let columns = self.open.iter_mut().zip(&self.wanted);
        let columns = columns.map(|(column, &place)| {
            let values = read(column, place.meaning, rows)?;
            values.ok_or_else(|| ReadError::Value(self.from.name_of(place)))
        });
        columns.collect::<Result<Vec<_>, _>>().map(Some)
    }
}

impl Meaning {
    /// What the values of a column mean; `None` for a nested one, or of a kind that is not known here.
    fn of(column: &ColumnDescriptor) -> Option<Self> {
        let is_plain = column.path().parts().len() == 1 && column.max_rep_level() == 0;
        is_plain.then_some(())?;
        let logical = column.logical_type_ref();
        let converted = column.converted_type();
        Some(match column.physical_type() {
            Physical::BOOLEAN => Self::Flag,
            Physical::FLOAT | Physical::DOUBLE => Self::Number,
            Physical::INT96 => Self::Nanos,
            Physical::INT32 | Physical::INT64 => Self::of_whole(column, logical, converted),
            Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => match (logical, converted) {
                (Some(LogicalType::Decimal(decimal)), _) => Self::LongDecimal(decimal.scale),
                (_, ConvertedType::DECIMAL) => Self::LongDecimal(column.type_scale()),
                (Some(LogicalType::Float16), _) => Self::Half,
                _ if column.physical_type() == Physical::BYTE_ARRAY => Self::Text,
                _ => return None,
            },
        })
    }

    fn of_whole(
        column: &ColumnDescriptor,
        logical: Option<&LogicalType>,
        converted: ConvertedType,
    ) -> Self {
        match (logical, converted) {
            (Some(LogicalType::Timestamp(stamp)), _) => match stamp.unit {
                TimeUnit::MILLIS => Self::Millis,
                TimeUnit::MICROS => Self::Micros,
                TimeUnit::NANOS => Self::Nanos,
            },
            (_, ConvertedType::TIMESTAMP_MILLIS) => Self::Millis,
            (_, ConvertedType::TIMESTAMP_MICROS) => Self::Micros,
            (Some(LogicalType::Date), _) | (_, ConvertedType::DATE) => Self::Days,
            (Some(LogicalType::Decimal(decimal)), _) => Self::Decimal(decimal.scale),
            (_, ConvertedType::DECIMAL) => Self::Decimal(column.type_scale()),
            (Some(LogicalType::Integer(whole)), _) if !whole.is_signed => Self::Unsigned,
            (
                _,
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64,
            ) => Self::Unsigned,
            _ => Self::Integer,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Text => Kind::Text,
            Self::Integer | Self::Unsigned => Kind::Integer,
            Self::Decimal(_) | Self::LongDecimal(_) | Self::Number | Self::Half => Kind::Number,
            Self::Flag => Kind::Flag,
            Self::Days | Self::Millis | Self::Micros | Self::Nanos => Kind::Instant,
        }
    }

    /// Whole numbers as what they mean. `None` if one is too large.
    fn of_wholes(self, wholes: Vec<Option<i64>>) -> Option<Values> {
        let instants = |to_ms: fn(i64) -> Option<i64>| {
            let cell = |whole: Option<i64>| match whole {
                Some(whole) => to_ms(whole).map(|ms| Some(EpochMs(ms))),
                None => Some(None),
            };
            Some(Values::Instant(
                wholes.iter().copied().map(cell).collect::<Option<_>>()?,
            ))
        };
        match self {
            Self::Days => instants(|days| days.checked_mul(DAY_MS)),
            Self::Millis => instants(Some),
            Self::Micros => instants(|micros| Some(micros.div_euclid(1_000))),
            Self::Nanos => instants(|nanos| Some(nanos.div_euclid(1_000_000))),
            Self::Decimal(scale) => {
                let unit = 10_f64.powi(scale);
                #[expect(clippy::cast_precision_loss, reason = "numbers are doubles here")]
                let number = |whole: i64| whole as f64 / unit;
                Some(Values::Number(
                    wholes.into_iter().map(|whole| whole.map(number)).collect(),
                ))
            }
            // Larger than a signed number can be: the nearest double.
            Self::Unsigned if wholes.iter().flatten().any(|&whole| whole < 0) => {
                #[expect(clippy::cast_precision_loss, reason = "numbers are doubles here")]
                let number = |whole: i64| whole.cast_unsigned() as f64;
                Some(Values::Number(
                    wholes.into_iter().map(|whole| whole.map(number)).collect(),
                ))
            }
            _ => Some(Values::Integer(wholes)),
        }
    }
}

impl Meaning {
    /// Bytes as the numbers they are. `None` if some are none.
    fn of_bytes<T: AsBytes>(self, cells: &[Option<T>]) -> Option<Values> {
        let number = |bytes: &[u8]| match self {
            Self::LongDecimal(scale) => {
                #[expect(clippy::cast_precision_loss, reason = "numbers are doubles here")]
                let whole = whole_of(bytes)? as f64;
                Some(whole / 10_f64.powi(scale))
            }
            Self::Half => half_of(bytes),
            _ => None,
        };
        let cell = |cell: &Option<T>| match cell {
            Some(bytes) => number(bytes.as_bytes()).map(Some),
            None => Some(None),
        };
        Some(Values::Number(
            cells.iter().map(cell).collect::<Option<_>>()?,
        ))
    }
}

/// The next `rows` values of a column. `None` if one of them is none that the column can have.
fn read(
    column: &mut ColumnReader,
    meaning: Meaning,
    rows: usize,
) -> Result<Option<Values>, ParquetError> {
    Ok(match column {
        ColumnReader::BoolColumnReader(reader) => Some(Values::Flag(cells(reader, rows)?)),
        ColumnReader::Int32ColumnReader(reader) => {
            let widened = |value: i32| match meaning {
                Meaning::Unsigned => i64::from(value.cast_unsigned()),
                _ => i64::from(value),
            };
            let wholes = cells(reader, rows)?.into_iter();
            meaning.of_wholes(wholes.map(|value| value.map(widened)).collect())
        }
        ColumnReader::Int64ColumnReader(reader) => meaning.of_wholes(cells(reader, rows)?),
        ColumnReader::Int96ColumnReader(reader) => {
            let instants = cells(reader, rows)?.into_iter();
            let instant = |at: parquet::data_type::Int96| EpochMs(at.to_millis());
            Some(Values::Instant(
                instants.map(|at| at.map(instant)).collect(),
            ))
        }
        ColumnReader::FloatColumnReader(reader) => {
            let numbers = cells(reader, rows)?.into_iter();
            Some(Values::Number(
                numbers.map(|number| number.map(f64::from)).collect(),
            ))
        }
        ColumnReader::DoubleColumnReader(reader) => Some(Values::Number(cells(reader, rows)?)),
        ColumnReader::ByteArrayColumnReader(reader) => {
            let cells = cells(reader, rows)?;
            match meaning {
                Meaning::Text => texts(cells),
                _ => meaning.of_bytes(&cells),
            }
        }
        ColumnReader::FixedLenByteArrayColumnReader(reader) => {
            meaning.of_bytes(&cells(reader, rows)?)
        }
    })
}

/// The number that `bytes` are in two's complement, the highest first; `None` if there are more than sixteen.
fn whole_of(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide[16_usize.checked_sub(bytes.len())?..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// The number that two bytes are, the lowest first: a sign, five bits of exponent, ten of fraction.
fn half_of(bytes: &[u8]) -> Option<f64> {
    let bits = u16::from_le_bytes(bytes.try_into().ok()?);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    let size = match i32::from(bits >> 10 & 0x1f) {
        0 => fraction * 2_f64.powi(-14),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        exponent => (1.0 + fraction) * 2_f64.powi(exponent - 15),
    };
    Some(if bits >> 15 == 0 { size } else { -size })
}

/// Bytes as texts; `None` if some are not UTF-8.
fn texts(cells: Vec<Option<ByteArray>>) -> Option<Values> {
    let text = |cell: Option<ByteArray>| match cell {
        Some(bytes) => {
            let text = std::str::from_utf8(bytes.data()).ok()?;
            Some(Some(text.to_owned()))
        }
        None => Some(None),
    };
    let texts = cells.into_iter().map(text).collect::<Option<_>>()?;
    Some(Values::Text(texts))
}

/// The next `rows` cells as they are stored.
fn cells<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let mut levels = Vec::with_capacity(rows);
    let mut values = Vec::with_capacity(rows);
    let (read, _, _) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    if read != rows {
        let said = format!("a column has {read} of {rows} rows");
        return Err(ParquetError::General(said));
    }
    // A column that must have every value keeps no levels.
    if levels.is_empty() {
        return Ok(values.into_iter().map(Some).collect());
    }
    let mut values = values.into_iter();
    let cell = |&level: &i16| if level > 0 { values.next() } else { None };
    Ok(levels.iter().map(cell).collect())
}

#[cfg(test)]
mod tests;
