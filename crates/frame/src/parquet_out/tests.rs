use foretide_events::EpochMs;
use parquet::{
    data_type::AsBytes as _,
    file::{
        metadata::RowGroupMetaData,
        reader::{FileReader as _, SerializedFileReader},
    },
    record::Field,
};

use super::*;

fn columns() -> [Column; 5] {
    [
        Column::of("name", Kind::Text),
        Column::of("n", Kind::Integer),
        Column::of("x", Kind::Number),
        Column::of("yes", Kind::Flag),
        Column::of("at", Kind::Instant),
    ]
}

fn read(bytes: Vec<u8>) -> SerializedFileReader<bytes::Bytes> {
    SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap()
}

#[test]
fn what_is_written_is_read_back_with_its_gaps_and_what_the_file_says_of_itself() {
    let metadata = [("foretide.schema".to_owned(), "72b5".to_owned())];
    let mut out = ParquetOut::new(Vec::new(), &columns(), &metadata).unwrap();
    out.row(&[
        Cell::Text("ü"),
        Cell::Integer(-3),
        Cell::Number(0.1 + 0.2),
        Cell::Flag(true),
        Cell::Instant(EpochMs(1_000)),
    ])
    .unwrap();
    out.row(&[Cell::Missing; 5]).unwrap();
    let file = read(out.finish().unwrap());
    let rows: Vec<_> = file
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let fields = |row: usize| -> Vec<Field> {
        let columns = rows[row].get_column_iter();
        columns.map(|(_, field)| field.clone()).collect()
    };
    let there = [
        Field::Str("ü".to_owned()),
        Field::Long(-3),
        Field::Double(0.1 + 0.2),
        Field::Bool(true),
        Field::TimestampMillis(1_000),
    ];
    assert_eq!(fields(0), there);
    assert_eq!(fields(1), vec![Field::Null; 5]);
    let said = file
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap();
    assert_eq!(said[0].value.as_deref(), Some("72b5"));
}

#[test]
fn no_row_group_is_larger_than_its_bound_and_no_rows_are_a_file_too() {
    let columns = [Column::of("n", Kind::Integer)];
    let mut out = ParquetOut::new(Vec::new(), &columns, &[]).unwrap();
    let group = i64::try_from(GROUP_ROWS).unwrap();
    let rows = group * 2 + 5;
    for row in 0..rows {
        out.row(&[Cell::Integer(row)]).unwrap();
    }
    let file = read(out.finish().unwrap());
    let groups = file.metadata().row_groups();
    let sizes: Vec<_> = groups.iter().map(RowGroupMetaData::num_rows).collect();
    assert_eq!(sizes, [group, group, 5]);
    let none = ParquetOut::new(Vec::new(), &columns, &[]).unwrap();
    let none = none.finish().unwrap();
    assert!(none.as_bytes().starts_with(b"PAR1"));
    assert_eq!(read(none).metadata().file_metadata().num_rows(), 0);
}

/// Takes a few bytes and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_sub(bytes.len());
        if self.0 == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_as_such() {
    let columns = [Column::of("x", Kind::Number)];
    let mut out = ParquetOut::new(Full(20_000), &columns, &[]).unwrap();
    let written = (0..100_000).try_for_each(|row| out.row(&[Cell::Number(f64::from(row).sqrt())]));
    let error = written.err().or_else(|| out.finish().err()).unwrap();
    let FrameError::Io(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}
