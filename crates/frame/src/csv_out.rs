//! Comma-separated values.

use std::io::Write;

use crate::{Cell, Column, FrameError};

/// Writes a heading and a line for each row. Numbers have as many digits as it takes to read the same bits back.
pub(crate) struct CsvOut<W: Write> {
    out: csv::Writer<W>,
    field: String,
}

impl<W: Write> CsvOut<W> {
    pub(crate) fn new(out: W, columns: &[Column]) -> Result<Self, FrameError> {
        let mut out = csv::WriterBuilder::new()
            .buffer_capacity(64 * 1024)
            .from_writer(out);
        let names = columns.iter().map(|column| column.name.as_str());
        out.write_record(names).map_err(error)?;
        Ok(Self {
            out,
            field: String::new(),
        })
    }

    pub(crate) fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), FrameError> {
        use std::fmt::Write as _;
        for cell in cells {
            self.field.clear();
            // Writing to memory cannot fail.
            let _ = match cell {
                Cell::Missing => Ok(()),
                Cell::Text(text) => write!(self.field, "{text}"),
                Cell::Integer(number) => write!(self.field, "{number}"),
                Cell::Number(number) => write!(self.field, "{number:?}"),
                Cell::Flag(flag) => write!(self.field, "{flag}"),
                Cell::Instant(at) => write!(self.field, "{at}"),
            };
            self.out.write_field(&self.field).map_err(error)?;
        }
        self.out.write_record(None::<&[u8]>).map_err(error)
    }

    pub(crate) fn finish(self) -> Result<W, FrameError> {
        let out = self.out.into_inner();
        out.map_err(|error| FrameError::Io(error.into_error()))
    }
}

fn error(error: csv::Error) -> FrameError {
    FrameError::Io(error.into())
}

#[cfg(test)]
mod tests {
    use foretide_events::EpochMs;

    use super::*;
    use crate::Kind;

    #[test]
    fn fields_are_quoted_where_they_must_be_and_empty_where_nothing_is_known() {
        let columns = [
            Column::of("name", Kind::Text),
            Column::of("x", Kind::Number),
            Column::of("at", Kind::Instant),
        ];
        let mut out = CsvOut::new(Vec::new(), &columns).unwrap();
        let row = [
            Cell::Text("a, b"),
            Cell::Number(2.0),
            Cell::Instant(EpochMs(0)),
        ];
        out.row(&row).unwrap();
        out.row(&[Cell::Missing; 3]).unwrap();
        let text = String::from_utf8(out.finish().unwrap()).unwrap();
        assert_eq!(
            text,
            "name,x,at\n\"a, b\",2.0,1970-01-01T00:00:00.000Z\n,,\n"
        );
    }
}
