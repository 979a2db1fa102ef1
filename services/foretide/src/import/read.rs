//! Reads a file row by row into the lanes.

use anyhow::Context as _;

use super::{
    lanes::Lanes,
    lines::{Line, Lines},
    row::{Reader, Row, Unusable},
    tally::Tally,
};

/// Reads all `lines`. A row that cannot be read is counted and the rest goes on.
///
/// # Errors
/// The file cannot be read on, or does not begin as its format does.
pub(crate) fn into_lanes(
    mut lines: Lines,
    mut reader: Box<dyn Reader>,
    into: &Lanes,
    tally: &Tally,
) -> anyhow::Result<()> {
    let mut buffer = Vec::new();
    let mut heading_expected = reader.has_heading();
    loop {
        let before = lines.number();
        let read = lines
            .next(&mut buffer)
            .with_context(|| format!("after line {before}"))?;
        let Some(line) = read else { return Ok(()) };
        if matches!(line, Line::Whole(bytes) if bytes.trim_ascii().is_empty()) {
            continue;
        }
        if std::mem::take(&mut heading_expected) {
            heading(&line, reader.as_mut())?;
            continue;
        }
        tally.row();
        let number = lines.number();
        match usable(&line, reader.as_mut()) {
            Ok(row) => {
                if !into.put(Row {
                    line: number,
                    ..row
                }) {
                    // The lane has ended because the server refused a batch, which is told elsewhere.
                    return Ok(());
                }
            }
            Err(unusable) => {
                tally.refused(unusable.reason, || format!("line {number}: {unusable}"));
            }
        }
    }
}

fn heading(line: &Line<'_>, reader: &mut dyn Reader) -> anyhow::Result<()> {
    match text(line) {
        Ok(line) => reader.heading(line),
        Err(unusable) => anyhow::bail!("the first line {unusable}"),
    }
}

fn usable(line: &Line<'_>, reader: &mut dyn Reader) -> Result<Row, Unusable> {
    reader.row(text(line)?)?.fitting()
}

fn text<'a>(line: &Line<'a>) -> Result<&'a str, Unusable> {
    match line {
        Line::Whole(bytes) => {
            std::str::from_utf8(bytes).map_err(|_| Unusable::unreadable("is not UTF-8"))
        }
        Line::TooLong => Err(Unusable::too_large("is longer than a megabyte")),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

    use foretide_events::Currency;

    use super::{super::Format, *};
    use crate::sending::Sender;

    /// Reads `lines` and counts what becomes of them, by reason for the refused and by lane for the others.
    fn read(lines: Lines, format: Format) -> (u64, BTreeMap<String, u64>) {
        let mut reader = format.reader(Currency::EUR).unwrap();
        let tally = Arc::new(Tally::new(|_| {}));
        let mut lines = lines;
        let mut buffer = Vec::new();
        let mut usable_rows = 0;
        let mut heading_expected = reader.has_heading();
        while let Some(line) = lines.next(&mut buffer).unwrap() {
            if std::mem::take(&mut heading_expected) {
                heading(&line, reader.as_mut()).unwrap();
                continue;
            }
            match usable(&line, reader.as_mut()) {
                Ok(_) => usable_rows += 1,
                Err(unusable) => tally.refused(unusable.reason, String::new),
            }
        }
        (usable_rows, tally.totals().rejected)
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_is_counted_and_the_rest_goes_on() {
        let text = b"user_id,session_id,event,timestamp\n\
            u1,s,home,2024-03-13 10:21:14\n\
            u1,s,home\n\
            \xff\xfe,s,home,2024-03-13 10:21:14\n\
            u1,s,home,2024-03-13 10:21:15\n";
        let (usable, rejected) = read(Lines::new(&text[..]), Format::Retentioneering);
        assert_eq!(usable, 2);
        assert_eq!(rejected, BTreeMap::from([("unreadable_row".to_owned(), 2)]));
    }

    #[tokio::test]
    async fn a_file_of_another_format_is_refused_at_its_first_line() {
        let tally = Arc::new(Tally::new(|_| {}));
        let base = "http://127.0.0.1:1/".parse().unwrap();
        let sender = Sender::new(&base, "v1/actions", "key", Some("run")).unwrap();
        let (lanes, mut sending) = Lanes::open(1, 1, "actions", &sender, &tally);
        let reader = Format::Rees46.reader(Currency::EUR).unwrap();
        let refused =
            into_lanes(Lines::new(&b"a,b,c\n1,2,3\n"[..]), reader, &lanes, &tally).unwrap_err();
        assert!(refused.to_string().contains("event_time"), "{refused}");
        drop(lanes);
        assert!(sending.join_next().await.unwrap().unwrap().is_ok());
    }

    /// The public files that lie beside the project, where they do.
    fn shared(file: &str) -> Option<PathBuf> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/data")
            .join(file);
        if !path.exists() {
            println!("skipped: {} is not there", path.display());
            return None;
        }
        Some(path)
    }

    #[test]
    fn every_whole_row_of_the_real_files_is_readable() {
        // The head of the REES46 file is cut off in the middle of its last row.
        for (file, format, readable, unreadable) in [
            ("rees46/2019-Oct-head.csv", Format::Rees46, 17_434, 1),
            (
                "retentioneering/ecom.csv.gz",
                Format::Retentioneering,
                31_106,
                0,
            ),
        ] {
            let Some(path) = shared(file) else { continue };
            let lines = Lines::open(&path, Arc::default()).unwrap();
            let (found, rejected) = read(lines, format);
            assert_eq!(
                (found, rejected.values().sum()),
                (readable, unreadable),
                "{file}"
            );
        }
    }
}
