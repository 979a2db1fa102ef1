use std::fs;

use super::*;
use crate::{Cell, Column, FrameWriter};

fn of_csv(text: &[u8]) -> Result<Table, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.csv");
    fs::write(&path, text).unwrap();
    Table::read(&path, &[])
}

fn column<'a>(table: &'a Table, name: &str) -> &'a Cells {
    &table
        .columns
        .iter()
        .find(|(known, _)| known == name)
        .unwrap()
        .1
}

#[test]
fn a_column_of_csv_is_what_all_its_cells_are() {
    let table = of_csv(
        b"n,flag,at,day,text,none\n\
          1,true,2026-11-22T10:00:00Z,2026-11-22,x,\n\
          NA, False ,,2026-11-23,?,\n\
          -2.5e3,TRUE,2026-11-22 10:00:00.5,2026-11-24 07:30,7,NaN\n",
    )
    .unwrap();
    let Cells::Number(numbers) = column(&table, "n") else {
        panic!("no numbers")
    };
    assert_eq!((numbers[0], numbers[2]), (1.0, -2500.0));
    assert!(numbers[1].is_nan());
    assert_eq!(
        column(&table, "flag"),
        &Cells::Flag(vec![Some(true), Some(false), Some(true)])
    );
    let noon = EpochMs::parse("2026-11-22T10:00:00Z").unwrap();
    assert_eq!(
        column(&table, "at"),
        &Cells::Instant(vec![Some(noon), None, Some(noon.plus(500))])
    );
    assert!(
        matches!(column(&table, "day"), Cells::Instant(days) if days.iter().all(Option::is_some))
    );
    let texts = Texts {
        levels: vec!["x".to_owned(), "7".to_owned()],
        codes: vec![0, MISSING, 1],
    };
    assert_eq!(column(&table, "text"), &Cells::Text(texts));
    assert!(
        matches!(column(&table, "none"), Cells::Number(none) if none.iter().all(|cell| cell.is_nan()))
    );
}

#[test]
fn semicolons_tabs_marks_and_unnamed_columns_are_understood() {
    for text in [
        "a;b\n1;x\n",
        "a\tb\n1\tx\n",
        "\u{feff}a,b\n1,x\n",
        ",a,b\n0,1,x\n",
    ] {
        let table = of_csv(text.as_bytes()).unwrap();
        let names: Vec<&str> = table
            .columns
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["a", "b"], "{text}");
    }
}

#[test]
fn what_is_no_frame_is_refused_with_the_reason() {
    let said = |text: &[u8]| of_csv(text).unwrap_err().to_string();
    assert!(said(b"").contains("empty"));
    assert!(said(b"1,2\n3,4\n").contains("name the columns, but it holds numbers"));
    assert!(said(b"a,b\n1,2\n3\n").contains("line: 3"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.xlsx");
    fs::write(&path, b"x").unwrap();
    assert!(matches!(Table::read(&path, &[]), Err(ReadError::Format)));
    assert!(matches!(
        Table::read(&folder.path().join("none.csv"), &[]),
        Err(ReadError::Io(_))
    ));
}

#[test]
fn a_frame_of_parquet_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.parquet");
    let columns = [
        Column::of("t", Kind::Text),
        Column::of("i", Kind::Integer),
        Column::of("n", Kind::Number),
        Column::of("f", Kind::Flag),
        Column::of("a", Kind::Instant),
        Column::of("__index_level_0__", Kind::Integer),
    ];
    let file = fs::File::create(&path).unwrap();
    let mut writer = FrameWriter::new(Format::Parquet, file, &columns, &[]).unwrap();
    let row = [
        Cell::Text("x"),
        Cell::Integer(7),
        Cell::Number(0.5),
        Cell::Flag(true),
        Cell::Instant(EpochMs(5)),
        Cell::Integer(0),
    ];
    writer.row(&row).unwrap();
    writer.row(&[Cell::Missing; 6]).unwrap();
    writer.finish().unwrap();
    let table = Table::read(&path, &[]).unwrap();
    assert_eq!(table.passed_over, ["__index_level_0__"]);
    assert_eq!(table.columns.len(), 5);
    let texts = Texts {
        levels: vec!["x".to_owned()],
        codes: vec![0, MISSING],
    };
    assert_eq!(column(&table, "t"), &Cells::Text(texts));
    assert!(matches!(column(&table, "i"), Cells::Number(i) if i[0] == 7.0 && i[1].is_nan()));
    assert!(matches!(column(&table, "n"), Cells::Number(n) if n[0] == 0.5 && n[1].is_nan()));
    assert_eq!(column(&table, "f"), &Cells::Flag(vec![Some(true), None]));
    assert_eq!(
        column(&table, "a"),
        &Cells::Instant(vec![Some(EpochMs(5)), None])
    );
}

#[test]
fn texts_that_are_no_times_are_not_taken_for_any() {
    for text in [
        "2026",
        "2026-1-1",
        "2026-13-01",
        "not a day!",
        "12345678901",
        "2026-11-22x",
    ] {
        assert_eq!(instant(text), None, "{text}");
    }
}
