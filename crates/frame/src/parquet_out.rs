//! Apache Parquet, by columns.

use std::{io::Write, mem, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};

use crate::{Cell, Column, FrameError, Kind};

/// The most rows of a row group, which are held until they are written: about 30 MB of all features.
const GROUP_ROWS: usize = 32 * 1024;

/// Writes row groups of a bounded number of rows.
pub(crate) struct ParquetOut<W: Write + Send> {
    out: SerializedFileWriter<W>,
    held: Vec<Held>,
    rows: usize,
}

/// The cells of one column that are not written yet: which are there, and these.
struct Held {
    there: Vec<i16>,
    values: Values,
}

enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Number(Vec<f64>),
    Flag(Vec<bool>),
}

impl<W: Write + Send> ParquetOut<W> {
    pub(crate) fn new(
        out: W,
        columns: &[Column],
        metadata: &[(String, String)],
    ) -> Result<Self, FrameError> {
        let fields = columns.iter().map(|column| Ok(Arc::new(field(column)?)));
        let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
        let schema = Type::group_type_builder("frame")
            .with_fields(fields)
            .build()?;
        let pair = |(name, value): &(String, String)| KeyValue::new(name.clone(), value.clone());
        let properties = WriterProperties::builder()
            .set_created_by(concat!("foretide ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(metadata.iter().map(pair).collect()))
            .build();
        Ok(Self {
            out: SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?,
            held: columns.iter().map(Held::of).collect(),
            rows: 0,
        })
    }

    pub(crate) fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), FrameError> {
        for (held, cell) in self.held.iter_mut().zip(cells) {
            held.push(cell);
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), FrameError> {
        if mem::take(&mut self.rows) == 0 {
            return Ok(());
        }
        let mut group = self.out.next_row_group()?;
        for held in &mut self.held {
            held.write(&mut group)?;
        }
        group.close()?;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<W, FrameError> {
        self.write_group()?;
        Ok(self.out.into_inner()?)
    }
}

/// How a column is declared.
fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Integer => (Physical::INT64, None),
        Kind::Number => (Physical::DOUBLE, None),
        Kind::Flag => (Physical::BOOLEAN, None),
        Kind::Instant => (
            Physical::INT64,
            Some(LogicalType::timestamp(true, TimeUnit::MILLIS)),
        ),
    };
    Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

impl Held {
    fn of(column: &Column) -> Self {
        Self {
            there: Vec::new(),
            values: match column.kind {
                Kind::Text => Values::Text(Vec::new()),
                Kind::Integer | Kind::Instant => Values::Integer(Vec::new()),
                Kind::Number => Values::Number(Vec::new()),
                Kind::Flag => Values::Flag(Vec::new()),
            },
        }
    }

    /// Takes a cell of the column's kind.
    fn push(&mut self, cell: &Cell<'_>) {
        let is_there = match (&mut self.values, cell) {
            (Values::Text(values), Cell::Text(text)) => {
                values.push(ByteArray::from(*text));
                true
            }
            (Values::Integer(values), Cell::Integer(number)) => {
                values.push(*number);
                true
            }
            (Values::Integer(values), Cell::Instant(at)) => {
                values.push(at.0);
                true
            }
            (Values::Number(values), Cell::Number(number)) => {
                values.push(*number);
                true
            }
            (Values::Flag(values), Cell::Flag(flag)) => {
                values.push(*flag);
                true
            }
            _ => false,
        };
        self.there.push(i16::from(is_there));
    }

    /// Writes all as the next column of `group`, and holds nothing any more.
    fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        match &mut self.values {
            Values::Text(values) => write::<ByteArrayType, W>(group, values, &self.there)?,
            Values::Integer(values) => write::<Int64Type, W>(group, values, &self.there)?,
            Values::Number(values) => write::<DoubleType, W>(group, values, &self.there)?,
            Values::Flag(values) => write::<BoolType, W>(group, values, &self.there)?,
        }
        self.there.clear();
        Ok(())
    }
}

fn write<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &mut Vec<T::T>,
    there: &[i16],
) -> Result<(), ParquetError> {
    let next = group.next_column()?;
    let mut column = next.ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
    column.typed::<T>().write_batch(values, Some(there), None)?;
    values.clear();
    column.close()
}

impl From<ParquetError> for FrameError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
                Ok(cause) => Self::Io(*cause),
                Err(cause) => Self::Parquet(cause.to_string()),
            },
            other => Self::Parquet(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
