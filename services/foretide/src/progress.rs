//! How far a command is, on standard error: a bar where that is a terminal, else a plain line now and then.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use crate::output::note;

/// How often a line is written where no bar can be drawn.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Everything that is drawn, so that what is said meanwhile does not run into it.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Shows how far one thing is, until it is dropped.
pub(crate) struct Meter {
    bar: ProgressBar,
    /// When a line was written last.
    told_at: Mutex<Instant>,
}

impl Meter {
    /// A bar by the `template` of indicatif, in which `{msg}` is the text shown.
    pub(crate) fn new(template: &str) -> Self {
        let bar = BARS.add(ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            told_at: Mutex::new(Instant::now()),
        }
    }

    /// Shows that `done` is done, of `total` if that is known. `text` says it in words, the only ones where no bar can be drawn.
    pub(crate) fn show(&self, done: u64, total: Option<u64>, text: impl FnOnce() -> String) {
        if self.bar.is_hidden() {
            let is_due = {
                let mut told_at = self.told_at.lock();
                let is_due = told_at.elapsed() >= TOLD_EVERY;
                if is_due {
                    *told_at = Instant::now();
                }
                is_due
            };
            if is_due {
                note(&text());
            }
            return;
        }
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_message(text());
        self.bar.set_position(done);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Lets `say` write to the terminal with nothing drawn in its way.
pub(crate) fn aside<T>(say: impl FnOnce() -> T) -> T {
    BARS.suspend(say)
}
