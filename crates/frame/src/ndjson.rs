//! Lines of JSON.

use std::io::{BufWriter, Write};

use crate::{Cell, Column, FrameError};

/// Writes a JSON object for each row. Numbers have as many digits as it takes to read the same bits back.
pub(crate) struct NdjsonOut<W: Write> {
    out: BufWriter<W>,
    /// `"name":` of each column.
    names: Vec<String>,
    line: Vec<u8>,
}

impl<W: Write> NdjsonOut<W> {
    pub(crate) fn new(out: W, columns: &[Column]) -> Self {
        let name = |column: &Column| format!("{}:", serde_json::Value::from(column.name.as_str()));
        Self {
            out: BufWriter::with_capacity(64 * 1024, out),
            names: columns.iter().map(name).collect(),
            line: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), FrameError> {
        self.line.clear();
        for (cell, name) in cells.iter().zip(&self.names) {
            let before = if self.line.is_empty() { b'{' } else { b',' };
            self.line.push(before);
            self.line.extend_from_slice(name.as_bytes());
            write_cell(&mut self.line, cell)?;
        }
        self.line.extend_from_slice(b"}\n");
        Ok(self.out.write_all(&self.line)?)
    }

    pub(crate) fn finish(self) -> Result<W, FrameError> {
        let out = self.out.into_inner();
        out.map_err(|error| FrameError::Io(error.into_error()))
    }
}

fn write_cell(line: &mut Vec<u8>, cell: &Cell<'_>) -> Result<(), FrameError> {
    let written = match cell {
        Cell::Missing => serde_json::to_writer(line, &()),
        Cell::Text(text) => serde_json::to_writer(line, text),
        Cell::Integer(number) => serde_json::to_writer(line, number),
        Cell::Number(number) => serde_json::to_writer(line, number),
        Cell::Flag(flag) => serde_json::to_writer(line, flag),
        Cell::Instant(at) => serde_json::to_writer(line, at),
    };
    written.map_err(|error| FrameError::Io(error.into()))
}

#[cfg(test)]
mod tests {
    use foretide_events::EpochMs;

    use super::*;
    use crate::Kind;

    #[test]
    fn a_row_is_an_object_with_the_columns_in_their_order() {
        let columns = [
            Column::of("a \"b\"", Kind::Text),
            Column::of("n", Kind::Integer),
            Column::of("x", Kind::Number),
            Column::of("yes", Kind::Flag),
            Column::of("at", Kind::Instant),
        ];
        let mut out = NdjsonOut::new(Vec::new(), &columns);
        let at = EpochMs(1_000);
        out.row(&[
            Cell::Text("ü"),
            Cell::Integer(-3),
            Cell::Number(0.1 + 0.2),
            Cell::Flag(true),
            Cell::Instant(at),
        ])
        .unwrap();
        out.row(&[Cell::Missing; 5]).unwrap();
        let text = String::from_utf8(out.finish().unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"a \\\"b\\\"\":\"ü\",\"n\":-3,\"x\":0.30000000000000004,\"yes\":true,\"at\":\"1970-01-01T00:00:01.000Z\"}\n\
             {\"a \\\"b\\\"\":null,\"n\":null,\"x\":null,\"yes\":null,\"at\":null}\n"
        );
    }
}
