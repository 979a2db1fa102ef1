//! What the commands say: answers on standard output, everything else on standard error.

use std::io::{self, Write};

use serde::Serialize;

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
    ) -> io::Result<()> {
        let line = if self.json {
            serde_json::to_string(machine)?
        } else {
            text()
        };
        write_line(&mut io::stdout().lock(), &line)
    }
}

/// Says something on standard error: progress, warnings, what to do next.
pub(crate) fn note(text: &str) {
    // Nothing can be done about a standard error that is closed, and no answer depends on it.
    let _ = write_line(&mut io::stderr().lock(), text);
}

/// Writes a line. A reader that has gone away (`foretide … | head`) is no error.
fn write_line(to: &mut impl Write, line: &str) -> io::Result<()> {
    match to
        .write_all(line.as_bytes())
        .and_then(|()| to.write_all(b"\n"))
        .and_then(|()| to.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        assert!(write_line(&mut Gone, "hello").is_ok());
    }
}
