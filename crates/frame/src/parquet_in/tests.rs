use std::{fs, sync::Arc};

use parquet::{
    basic::{Compression, GzipLevel, Repetition, ZstdLevel},
    data_type::{
        ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
        Int96, Int96Type,
    },
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::{parser::parse_message_type, types::Type},
};

use super::*;
use crate::{Cell, Format, FrameWriter};

fn file(bytes: &[u8]) -> (tempfile::TempDir, ParquetIn) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("frame.parquet");
    fs::write(&path, bytes).unwrap();
    let opened = ParquetIn::open(&path).unwrap();
    (dir, opened)
}

/// The single column of a file of `schema` with `values`, each there as `levels` say.
fn column<T: DataType>(
    schema: &str,
    packed: Compression,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> (Kind, Values) {
    let schema: Type = parse_message_type(&format!("message frame {{ {schema}; }}")).unwrap();
    let optional = schema.get_fields()[0].get_basic_info().repetition() == Repetition::OPTIONAL;
    assert_eq!(optional, levels.is_some());
    let properties = WriterProperties::builder().set_compression(packed).build();
    let mut out =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = out.next_row_group().unwrap();
    let mut one = group.next_column().unwrap().unwrap();
    one.typed::<T>().write_batch(values, levels, None).unwrap();
    one.close().unwrap();
    group.close().unwrap();
    let (_dir, file) = file(&out.into_inner().unwrap());
    let mut batches = file.batches(&["x"]).unwrap();
    let mut read = batches.next().unwrap().unwrap();
    assert!(batches.next().unwrap().is_none());
    (file.columns()[0].kind, read.pop().unwrap())
}

#[test]
fn what_is_written_is_read_back_in_batches_over_several_groups() {
    let columns = [
        Column::of("name", Kind::Text),
        Column::of("n", Kind::Integer),
        Column::of("x", Kind::Number),
        Column::of("yes", Kind::Flag),
        Column::of("at", Kind::Instant),
    ];
    let mut out = FrameWriter::new(Format::Parquet, Vec::new(), &columns, &[]).unwrap();
    let rows = 40_000_i64;
    for row in 0..rows {
        let text = format!("row {row}");
        let mut cells = [
            Cell::Text(&text),
            Cell::Integer(row),
            Cell::Number(row as f64 / 7.0),
            Cell::Flag(row % 2 == 0),
            Cell::Instant(EpochMs(row)),
        ];
        cells[usize::try_from(row % 5).unwrap()] = Cell::Missing;
        out.row(&cells).unwrap();
    }
    let (_dir, file) = file(&out.finish().unwrap());
    assert_eq!(file.columns(), columns);
    assert_eq!(file.rows(), 40_000);
    let mut batches = file.batches(&["n", "at", "name"]).unwrap();
    let mut expected = 0;
    while let Some(batch) = batches.next().unwrap() {
        let [Values::Integer(n), Values::Instant(at), Values::Text(name)] = &batch[..] else {
            panic!("{batch:?}");
        };
        assert!(n.len() <= BATCH_ROWS && n.len() == at.len() && n.len() == name.len());
        for ((n, at), name) in n.iter().zip(at).zip(name) {
            let row = expected;
            assert_eq!(*n, (row % 5 != 1).then_some(row));
            assert_eq!(*at, (row % 5 != 4).then_some(EpochMs(row)));
            assert_eq!(*name, (row % 5 != 0).then(|| format!("row {row}")));
            expected += 1;
        }
    }
    assert_eq!(expected, rows);
}

#[test]
fn times_of_every_unit_are_instants() {
    let day = 17_167;
    let ms = day * DAY_MS;
    let plain = Compression::UNCOMPRESSED;
    let one = Values::Instant(vec![Some(EpochMs(ms + 7))]);
    for (unit, per_ms) in [("MILLIS", 1), ("MICROS", 1_000), ("NANOS", 1_000_000)] {
        let schema = format!("REQUIRED INT64 x (TIMESTAMP({unit},false))");
        let stored = (ms + 7) * per_ms;
        assert_eq!(
            column::<Int64Type>(&schema, plain, &[stored], None),
            (Kind::Instant, one.clone()),
            "{unit}"
        );
    }
    let mut old = Int96::new();
    old.set_data(7_000_000, 0, u32::try_from(day + 2_440_588).unwrap());
    assert_eq!(
        column::<Int96Type>("OPTIONAL INT96 x", plain, &[old], Some(&[1])),
        (Kind::Instant, one)
    );
    assert_eq!(
        column::<Int32Type>("REQUIRED INT32 x (DATE)", plain, &[17_167], None),
        (Kind::Instant, Values::Instant(vec![Some(EpochMs(ms))]))
    );
}

#[test]
fn decimals_are_numbers_and_unsigned_numbers_stay_positive() {
    let packed = Compression::SNAPPY;
    assert_eq!(
        column::<Int32Type>(
            "OPTIONAL INT32 x (DECIMAL(9,2))",
            packed,
            &[1299],
            Some(&[1, 0])
        ),
        (Kind::Number, Values::Number(vec![Some(12.99), None]))
    );
    assert_eq!(
        column::<Int32Type>("REQUIRED INT32 x (INTEGER(32,false))", packed, &[-1], None),
        (
            Kind::Integer,
            Values::Integer(vec![Some(i64::from(u32::MAX))])
        )
    );
}

#[test]
fn files_packed_as_others_pack_them_are_read() {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let gzip = Compression::GZIP(GzipLevel::default());
    for packed in [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd, gzip] {
        assert_eq!(
            column::<DoubleType>("REQUIRED DOUBLE x", packed, &[0.5; 100], None).1,
            Values::Number(vec![Some(0.5); 100])
        );
    }
}

#[test]
fn text_that_is_no_text_is_refused_by_the_name_of_its_column() {
    let schema = parse_message_type("message frame { REQUIRED BYTE_ARRAY note; }").unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut out = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).unwrap();
    let mut group = out.next_row_group().unwrap();
    let mut one = group.next_column().unwrap().unwrap();
    let bad = ByteArray::from(vec![0xff]);
    one.typed::<ByteArrayType>()
        .write_batch(&[bad], None, None)
        .unwrap();
    one.close().unwrap();
    group.close().unwrap();
    let (_dir, file) = file(&out.into_inner().unwrap());
    let refused = file.batches(&["note"]).unwrap().next().unwrap_err();
    assert!(refused.to_string().contains("`note`"), "{refused}");
}

#[test]
fn a_column_that_is_not_there_is_refused_with_those_that_are() {
    let columns = [Column::of("a", Kind::Number), Column::of("b", Kind::Number)];
    let out = FrameWriter::new(Format::Parquet, Vec::new(), &columns, &[]).unwrap();
    let (_dir, file) = file(&out.finish().unwrap());
    let Err(refused) = file.batches(&["a", "c"]) else {
        panic!("was taken");
    };
    let said = refused.to_string();
    assert!(said.contains("`c`") && said.contains("a, b"), "{said}");
    assert!(file.batches(&["a"]).unwrap().next().unwrap().is_none());
}

#[test]
fn what_is_no_parquet_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("frame.parquet");
    assert!(matches!(ParquetIn::open(&path), Err(ReadError::Io(_))));
    fs::write(&path, b"a,b\n1,2\n").unwrap();
    assert!(matches!(ParquetIn::open(&path), Err(ReadError::Parquet(_))));
}

#[test]
fn long_decimals_halves_and_large_unsigned_numbers_are_numbers() {
    let plain = Compression::UNCOMPRESSED;
    let fixed = |bytes: Vec<u8>| FixedLenByteArray::from(ByteArray::from(bytes));
    let numbers = |numbers: &[f64]| Values::Number(numbers.iter().copied().map(Some).collect());
    let of_12345 = 12_345_i128.to_be_bytes().to_vec();
    let of_minus_1 = (-1_i128).to_be_bytes().to_vec();
    assert_eq!(
        column::<FixedLenByteArrayType>(
            "REQUIRED FIXED_LEN_BYTE_ARRAY (16) x (DECIMAL(38, 2))",
            plain,
            &[fixed(of_12345), fixed(of_minus_1)],
            None,
        ),
        (Kind::Number, numbers(&[123.45, -0.01]))
    );
    let halves = [0x3c00_u16, 0xc000, 0x0001, 0x7c00];
    let halves = halves.map(|half| fixed(half.to_le_bytes().to_vec()));
    assert_eq!(
        column::<FixedLenByteArrayType>(
            "REQUIRED FIXED_LEN_BYTE_ARRAY (2) x (FLOAT16)",
            plain,
            &halves,
            None,
        ),
        (
            Kind::Number,
            numbers(&[1.0, -2.0, 2_f64.powi(-24), f64::INFINITY])
        )
    );
    assert_eq!(
        column::<Int64Type>("REQUIRED INT64 x (UINT_64)", plain, &[-1, 7], None).1,
        numbers(&[18_446_744_073_709_551_615.0, 7.0])
    );
}
