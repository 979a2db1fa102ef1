//! When a loop does its work: at its interval, whoever did it last, and sooner after a failure.

use std::time::Duration;

use foretide_events::EpochMs;
use foretide_runtime::CancellationToken;
use tokio::time::{Instant, sleep};

/// How often to look whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait after an attempt that failed, or that brought nothing while there is nothing yet.
pub(crate) const TRY_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// Something that is done again and again.
pub(crate) trait Rhythmic: Send {
    /// Whether it is to be done now.
    fn is_due(&self) -> bool;

    /// Does it; what fails is told, and tried again. Returns soon after `stop`.
    fn attempt(&mut self, stop: &CancellationToken) -> impl Future<Output = ()> + Send;
}

/// Does `work` whenever it is due, until `stop`.
pub(crate) async fn run(mut work: impl Rhythmic, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if work.is_due() {
            work.attempt(&stop).await;
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// The time from one attempt to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    interval: Duration,
    /// When the last attempt began.
    began: Option<Instant>,
    has_failed: bool,
}

impl Rhythm {
    /// Every `interval`.
    pub(crate) fn of(interval: Duration) -> Self {
        Self {
            interval,
            began: None,
            has_failed: false,
        }
    }

    /// An attempt begins.
    pub(crate) fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    /// It ended.
    pub(crate) fn end(&mut self, has_failed: bool) {
        self.has_failed = has_failed;
    }

    /// It came to nothing, and is to be done as soon as it can be.
    pub(crate) fn soon(&mut self) {
        self.began = None;
    }

    /// Whether it is time at `now`, where what was done last, here or by another process, is of `last`.
    pub(crate) fn is_due(&self, last: Option<EpochMs>, now: EpochMs) -> bool {
        let waited = |time: Duration| self.began.is_none_or(|began| began.elapsed() >= time);
        match last {
            Some(last) if !self.has_failed => {
                let interval_ms = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX);
                now.since(last) >= interval_ms && waited(self.interval)
            }
            _ => waited(TRY_AGAIN_AFTER.min(self.interval)),
        }
    }
}
