//! Standard error for many lines a second: those of requests are written together, all others at once.

use std::{
    io, mem,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// A line waits at most about so long.
const AT_MOST: Duration = Duration::from_millis(100);
/// Lines of so many bytes together do not wait.
const ENOUGH_BYTES: usize = 32 << 10;

/// The target of the events that may wait for one another: there is one for each request.
pub(crate) const GATHERED_TARGET: &str = "foretide_http::request";

/// Lines that wait to be written, of the whole process.
static WAITING: OnceLock<Lines<io::Stderr>> = OnceLock::new();

/// Lines on their way to `out`. Clones are the same.
#[derive(Debug)]
pub(crate) struct Lines<W>(Arc<Mutex<State<W>>>);

#[derive(Debug)]
struct State<W> {
    waiting: Vec<u8>,
    out: W,
}

impl<W> Clone for Lines<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: io::Write> Lines<W> {
    fn to(out: W) -> Self {
        Self(Arc::new(Mutex::new(State {
            waiting: Vec::new(),
            out,
        })))
    }

    /// Writes what waits. Where that fails there is nobody to tell.
    fn write_out(&self) {
        self.0.lock().write_out();
    }
}

impl<W: io::Write> State<W> {
    fn write_out(&mut self) {
        let mut lines = mem::take(&mut self.waiting);
        let _ = self.out.write_all(&lines);
        lines.clear();
        self.waiting = lines;
    }
}

/// The lines of the process. Without a thread to write out what waits, nothing does wait for longer than the next line.
pub(crate) fn standard_error() -> Lines<io::Stderr> {
    let begin = || {
        let lines = Lines::to(io::stderr());
        let writer = lines.clone();
        let write_out_for_ever = move || {
            loop {
                thread::sleep(AT_MOST);
                writer.write_out();
            }
        };
        let name = "log-lines".to_owned();
        let _ = thread::Builder::new().name(name).spawn(write_out_for_ever);
        lines
    };
    WAITING.get_or_init(begin).clone()
}

/// Writes what waits: the end of the process would lose it.
pub(crate) fn write_out() {
    if let Some(lines) = WAITING.get() {
        lines.write_out();
    }
}

/// The writer of one event.
#[derive(Debug)]
pub(crate) struct Line<'a, W> {
    lines: &'a Lines<W>,
    waits: bool,
}

impl<W: io::Write> io::Write for Line<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.lines.0.lock();
        state.waiting.extend_from_slice(bytes);
        if !self.waits || state.waiting.len() >= ENOUGH_BYTES {
            state.write_out();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a, W: io::Write + 'a> MakeWriter<'a> for Lines<W> {
    type Writer = Line<'a, W>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            lines: self,
            waits: false,
        }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        Line {
            lines: self,
            waits: event.target() == GATHERED_TARGET && *event.level() > Level::WARN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(lines: &Lines<Vec<u8>>) -> String {
        String::from_utf8(lines.0.lock().out.clone()).unwrap()
    }

    fn logging(lines: &Lines<Vec<u8>>, log: impl FnOnce()) {
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_writer(lines.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
    }

    #[test]
    fn the_lines_of_requests_wait_and_keep_their_place_before_others() {
        let lines = Lines::to(Vec::new());
        logging(&lines, || {
            tracing::info!(target: GATHERED_TARGET, "first");
            assert_eq!(written(&lines), "");
            tracing::info!("second");
            tracing::info!(target: GATHERED_TARGET, "third");
            tracing::error!(target: GATHERED_TARGET, "fourth");
            tracing::info!(target: GATHERED_TARGET, "fifth");
        });
        let places = ["first", "second", "third", "fourth"].map(|word| written(&lines).find(word));
        assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
        assert!(!written(&lines).contains("fifth"));
        lines.write_out();
        assert!(written(&lines).ends_with("fifth\n"));
    }

    #[test]
    fn many_lines_do_not_wait() {
        let lines = Lines::to(Vec::new());
        logging(&lines, || {
            for _ in 0..2_000 {
                tracing::info!(target: GATHERED_TARGET, "a request like any other");
            }
        });
        assert!(written(&lines).len() > 2_000);
        assert!(lines.0.lock().waiting.len() < ENOUGH_BYTES);
    }
}
