//! How far restoring is, for whoever waits for it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use foretide_runtime::prometheus::Gauge;
use parking_lot::Mutex;
use tokio::{
    pin,
    time::{Instant, sleep},
};

/// How often the gauge is set.
const TICK: Duration = Duration::from_millis(500);
/// A line is logged once in so many ticks.
const TICKS_TO_A_LINE: u32 = 6;

/// How much of the present stage is done. Cheap to clone and to add to, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stage: Mutex<(&'static str, Instant)>,
    done: AtomicU64,
    total: AtomicU64,
}

/// Progress at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Look {
    stage: &'static str,
    /// From 0 to 1.
    share: f64,
    /// How long the rest of the stage will take, if it goes on like this.
    rest: Option<Duration>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            stage: Mutex::new(("waiting for the log", Instant::now())),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
        }))
    }

    /// Begins a stage of which `total` is to be done, as far as is known.
    pub(crate) fn begin(&self, stage: &'static str, total: u64) {
        *self.0.stage.lock() = (stage, Instant::now());
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
    }

    /// There is `more` to do than was known.
    pub(crate) fn expect(&self, more: u64) {
        self.0.total.fetch_add(more, Ordering::Relaxed);
    }

    /// So much more is done.
    pub(crate) fn add(&self, done: u64) {
        self.0.done.fetch_add(done, Ordering::Relaxed);
    }

    fn look(&self) -> Look {
        let (stage, began) = *self.0.stage.lock();
        let done = self.0.done.load(Ordering::Relaxed) as f64;
        let total = self.0.total.load(Ordering::Relaxed) as f64;
        let share = if total > 0.0 {
            (done / total).min(1.0)
        } else {
            0.0
        };
        let rest = began.elapsed().as_secs_f64() * (1.0 - share) / share;
        Look {
            stage,
            share,
            rest: Duration::try_from_secs_f64(rest).ok(),
        }
    }

    /// Does `work` and shows meanwhile how far it is: in `gauge`, which is 1 at the end, and by a line every few seconds.
    pub(crate) async fn shown<T>(&self, gauge: &Gauge, work: impl Future<Output = T>) -> T {
        pin!(work);
        gauge.set(0.0);
        let mut ticks = 0_u32;
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                () = sleep(TICK) => {}
            }
            let look = self.look();
            gauge.set(look.share);
            ticks += 1;
            if ticks.is_multiple_of(TICKS_TO_A_LINE) {
                tell(&look);
            }
        };
        gauge.set(1.0);
        done
    }
}

fn tell(look: &Look) {
    let Look { stage, share, rest } = look;
    tracing::info!(
        restore.stage = stage,
        restore.done_percent = (share * 100.0).floor(),
        restore.rest_s = rest.map(|rest| rest.as_secs()),
        "restoring"
    );
}

#[cfg(test)]
mod tests {
    use foretide_runtime::prometheus::Opts;

    use super::*;

    fn is(number: f64, expected: f64) -> bool {
        (number - expected).abs() < 1e-9
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_is_estimated_from_what_is_done() {
        let progress = Progress::new();
        progress.begin("reading", 50);
        assert!(is(progress.look().share, 0.0) && progress.look().rest.is_none());
        progress.expect(50);
        progress.add(25);
        sleep(Duration::from_secs(10)).await;
        let look = progress.look();
        assert!(look.stage == "reading" && is(look.share, 0.25));
        assert_eq!(look.rest, Some(Duration::from_secs(30)));
        progress.add(1_000);
        assert!(is(progress.look().share, 1.0), "never more than all");
    }

    #[tokio::test(start_paused = true)]
    async fn the_gauge_goes_from_nothing_to_all() {
        let gauge = Gauge::with_opts(Opts::new("share", "share")).unwrap();
        let progress = Progress::new();
        progress.begin("reading", 4);
        progress.add(1);
        let work = async {
            sleep(Duration::from_secs(1)).await;
            gauge.get()
        };
        assert!(is(progress.shown(&gauge, work).await, 0.25));
        assert!(is(gauge.get(), 1.0));
    }
}
