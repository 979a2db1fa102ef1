//! What the commands say: answers on standard output, everything else on standard error.

use std::io::{self, Write};

use anyhow::Context as _;
use serde::Serialize;

use crate::progress;

/// Where a command's answers go, and in which shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether answers are for machines.
    pub(crate) fn json(self) -> bool {
        self.json
    }

    /// Gives an answer: one line of JSON for machines, `text` for people.
    pub(crate) fn answer(
        self,
        machine: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        let line = if self.json {
            serde_json::to_string(machine)?
        } else {
            text()
        };
        write_line(&mut io::stdout().lock(), &line).context("writing to standard output")
    }
}

/// Whether somebody reads what a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Listener {
    /// Somebody may.
    There,
    /// The other end of the pipe is closed: what comes is of no use to anybody.
    Gone,
}

/// Lines of JSON on standard output, many at a time.
pub(crate) struct Lines<W: Write = io::Stdout> {
    out: io::BufWriter<W>,
}

impl Lines {
    /// Lines that go to standard output.
    pub(crate) fn new() -> Self {
        Self::to(io::stdout())
    }
}

impl<W: Write> Lines<W> {
    /// Lines that go to `out`.
    pub(crate) fn to(out: W) -> Self {
        Self {
            out: io::BufWriter::with_capacity(64 * 1024, out),
        }
    }

    /// Writes a line; it is seen at the next [`Self::flush`] at the latest.
    pub(crate) fn put(&mut self, line: &impl Serialize) -> io::Result<Listener> {
        let text = serde_json::to_vec(line)?;
        let written = self.out.write_all(&text);
        unless_gone(written.and_then(|()| self.out.write_all(b"\n")))
    }

    /// Lets everything be seen.
    pub(crate) fn flush(&mut self) -> io::Result<Listener> {
        unless_gone(self.out.flush())
    }
}

fn unless_gone(written: io::Result<()>) -> io::Result<Listener> {
    match written {
        Ok(()) => Ok(Listener::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Listener::Gone),
        Err(error) => Err(error),
    }
}

/// Says something on standard error: progress, warnings, what to do next.
pub(crate) fn note(text: &str) {
    // Nothing can be done about a standard error that is closed, and no answer depends on it.
    let _ = progress::aside(|| write_line(&mut io::stderr().lock(), text));
}

/// Writes a line. A reader that has gone away (`foretide … | head`) is no error.
fn write_line(to: &mut impl Write, line: &str) -> io::Result<()> {
    let written = to
        .write_all(line.as_bytes())
        .and_then(|()| to.write_all(b"\n"))
        .and_then(|()| to.flush());
    unless_gone(written).map(drop)
}

/// A pipe whose other end is closed.
#[cfg(test)]
pub(crate) struct Gone;

#[cfg(test)]
impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        assert!(write_line(&mut Gone, "hello").is_ok());
    }

    #[test]
    fn whoever_writes_many_lines_learns_that_nobody_reads_them() {
        let mut lines = Lines::to(Gone);
        assert_eq!(lines.put(&"short").unwrap(), Listener::There);
        assert_eq!(lines.flush().unwrap(), Listener::Gone);
        let long = "x".repeat(100_000);
        assert_eq!(Lines::to(Gone).put(&long).unwrap(), Listener::Gone);
    }
}
