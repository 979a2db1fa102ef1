//! The progress bar of an import, on standard error, where that is a terminal.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tally::Tally;
use crate::output::note;

/// How often the bar is brought up to date.
const TICK: Duration = Duration::from_millis(200);

/// The bar of one file.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    pub(crate) read_bytes: Arc<AtomicU64>,
}

impl Progress {
    /// For the file at `path`. Draws nothing where standard error is no terminal.
    pub(crate) fn of(path: &Path) -> anyhow::Result<Self> {
        let bytes = path.metadata().map_or(0, |found| found.len());
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template(
            "{bar:30} {bytes}/{total_bytes} of the file  {msg}  {elapsed_precise}",
        )?);
        Ok(Self {
            bar,
            read_bytes: Arc::default(),
        })
    }

    /// Says something above the bar.
    pub(crate) fn say(&self, text: &str) {
        if self.bar.is_hidden() {
            note(text);
        } else {
            self.bar.println(text);
        }
    }

    /// Follows `tally` for ever.
    pub(crate) async fn follow(&self, tally: &Tally) {
        loop {
            self.show(tally);
            tokio::time::sleep(TICK).await;
        }
    }

    /// Everything is answered; now the folding is waited for.
    pub(crate) fn waiting(&self, tally: &Tally) {
        self.show(tally);
        self.bar.set_message("sent; waiting until it is folded");
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, tally: &Tally) {
        let totals = tally.totals();
        self.bar
            .set_position(self.read_bytes.load(Ordering::Relaxed));
        self.bar.set_message(format!(
            "{} accepted, {} rejected, {} tries repeated",
            totals.accepted,
            totals.rejected(),
            totals.retries
        ));
    }
}
