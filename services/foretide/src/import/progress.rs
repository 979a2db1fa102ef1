//! How far an import is.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::tally::Tally;
use crate::progress::Meter;

/// How often it is brought up to date.
const TICK: Duration = Duration::from_millis(200);

/// Tells how far a file is as a share of it.
pub(crate) struct Share {
    bytes: u64,
    read_bytes: Arc<AtomicU64>,
}

impl Share {
    /// So much of it is read: 1 is all.
    pub(crate) fn set(&self, done: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length, for people to look at"
        )]
        let read = (done.clamp(0.0, 1.0) * self.bytes as f64) as u64;
        self.read_bytes.store(read, Ordering::Relaxed);
    }
}

/// Shows how far one file is.
pub(crate) struct Progress {
    meter: Meter,
    /// The length of the file; 0 where it has none, as a pipe.
    bytes: u64,
    pub(crate) read_bytes: Arc<AtomicU64>,
    is_sent: AtomicBool,
}

impl Progress {
    /// For the file at `path`.
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            meter: Meter::new("{bar:30} {msg}  {elapsed_precise}"),
            bytes: path.metadata().map_or(0, |found| found.len()),
            read_bytes: Arc::default(),
            is_sent: AtomicBool::new(false),
        }
    }

    /// For a reader that knows how far it is by other means than bytes.
    pub(crate) fn share(&self) -> Share {
        Share {
            bytes: self.bytes,
            read_bytes: self.read_bytes.clone(),
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
    pub(crate) fn waiting(&self) {
        self.is_sent.store(true, Ordering::Relaxed);
    }

    fn show(&self, tally: &Tally) {
        let read = self.read_bytes.load(Ordering::Relaxed);
        self.meter.show(read, Some(self.bytes), || {
            let totals = tally.totals();
            let place = if self.is_sent.load(Ordering::Relaxed) {
                "all is sent; waiting until it is folded".to_owned()
            } else if let Some(percent) = (read * 100).checked_div(self.bytes) {
                format!("{percent} % of the file is read")
            } else {
                format!("{read} bytes are read")
            };
            format!(
                "{place}: {} accepted, {} rejected, {} tries repeated",
                totals.accepted,
                totals.rejected(),
                totals.retries
            )
        });
    }
}
