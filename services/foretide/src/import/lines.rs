//! A file as lines, gzip or not, each of bounded length, however long the file is.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use flate2::bufread::MultiGzDecoder;

/// The longest line that is read; a longer one is passed over and reported.
pub(crate) const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The lines of a file.
pub(crate) struct Lines {
    from: Box<dyn BufRead + Send>,
    number: u64,
}

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// It has more than [`MAX_LINE_BYTES`].
    TooLong,
}

impl Lines {
    /// Opens `path`, unpacking it if it begins as gzip does. `read_bytes` follows how much of the file has been read.
    pub(crate) fn open(path: &Path, read_bytes: Arc<AtomicU64>) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let mut file = BufReader::with_capacity(256 * 1024, Counted { file, read_bytes });
        let head = file
            .fill_buf()
            .with_context(|| format!("reading {}", path.display()))?;
        let packed = head.starts_with(&[0x1f, 0x8b]);
        Ok(if packed {
            Self::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Self::new(file)
        })
    }

    /// Reads lines from `from`.
    pub(crate) fn new(from: impl BufRead + Send + 'static) -> Self {
        Self {
            from: Box::new(from),
            number: 0,
        }
    }

    /// Number of the line last read, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next line, kept in `buffer`; `None` at the end. A byte order mark at the beginning is left out.
    pub(crate) fn next<'a>(&mut self, buffer: &'a mut Vec<u8>) -> io::Result<Option<Line<'a>>> {
        buffer.clear();
        let limit = MAX_LINE_BYTES as u64 + 2;
        if self.from.by_ref().take(limit).read_until(b'\n', buffer)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let ended = buffer.last() == Some(&b'\n');
        if !ended && buffer.len() as u64 == limit {
            self.from.skip_until(b'\n')?;
            return Ok(Some(Line::TooLong));
        }
        let mut line = buffer.as_slice();
        line = line.strip_suffix(b"\n").unwrap_or(line);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.number == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        Ok(Some(if line.len() > MAX_LINE_BYTES {
            Line::TooLong
        } else {
            Line::Whole(line)
        }))
    }
}

/// Counts what is read of a file.
struct Counted {
    file: File,
    read_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.read_bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn all(mut lines: Lines) -> Vec<String> {
        let mut buffer = Vec::new();
        let mut found = Vec::new();
        while let Some(line) = lines.next(&mut buffer).unwrap() {
            found.push(match line {
                Line::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                Line::TooLong => "(too long)".to_owned(),
            });
        }
        found
    }

    #[test]
    fn line_ends_and_byte_order_mark_are_left_out() {
        let lines = Lines::new(&b"\xef\xbb\xbfone\r\n\ntwo"[..]);
        assert_eq!(all(lines), ["one", "", "two"]);
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over_and_the_next_is_read() {
        let mut text = vec![b'x'; MAX_LINE_BYTES * 2];
        text.extend_from_slice(b"\nshort\n");
        text.extend(vec![b'y'; MAX_LINE_BYTES]);
        let found = all(Lines::new(io::Cursor::new(text)));
        assert_eq!(found[..2], ["(too long)", "short"]);
        assert_eq!(found[2].len(), MAX_LINE_BYTES);
    }

    #[test]
    fn gzip_is_unpacked_even_in_several_members() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file.gz");
        let mut file = File::create(&path).unwrap();
        for part in ["one\ntwo\n", "three\n"] {
            let mut packer = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
            packer.write_all(part.as_bytes()).unwrap();
            packer.finish().unwrap();
        }
        let read_bytes = Arc::new(AtomicU64::new(0));
        assert_eq!(
            all(Lines::open(&path, read_bytes.clone()).unwrap()),
            ["one", "two", "three"]
        );
        assert_eq!(
            read_bytes.load(Ordering::Relaxed),
            path.metadata().unwrap().len()
        );
    }
}
