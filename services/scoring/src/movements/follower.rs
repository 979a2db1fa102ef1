//! Following `foretide.transitions`.

use std::{sync::Arc, time::Duration};

use foretide_events::EpochMs;
use foretide_ports::{Chunk, Log, LogError, TRANSITIONS, Transition, TransitionCause};
use foretide_runtime::{CancellationToken, SharedClock, prometheus::IntCounter};
use tokio::time::sleep;

use super::{LONGEST_WINDOW_MIN, MINUTE_MS, SharedMovements};

/// How long to wait for new moves before looking around.
const WAIT: Duration = Duration::from_secs(1);
/// How long to wait before trying again when the log is away.
const PAUSE: Duration = Duration::from_secs(2);
/// How many moves are taken in before answers get their turn.
const PORTION: usize = 256;

foretide_runtime::metrics! {
    /// What is counted of movements between cohorts.
    pub(crate) struct MovementMetrics {
        /// Moves of shoppers between cohorts that were read, by cause: `behaviour` or `reforming`. What the log held at the start
        /// is not counted.
        moves: IntCounterVec = "foretide_cohort_moves_total" by ["cause"],
    }
}

/// Reads who moves.
pub(crate) struct MovementFollower {
    /// Where the moves are.
    pub(crate) log: Arc<dyn Log>,
    /// What they come to.
    pub(crate) movements: SharedMovements,
    /// The time of day.
    pub(crate) clock: SharedClock,
    /// Where it counts.
    pub(crate) metrics: MovementMetrics,
}

/// Where it is: the next offset of each partition, and where the log ended when it was first read.
#[derive(Default)]
struct Progress {
    positions: Vec<u64>,
    ends: Vec<u64>,
    is_old: bool,
}

impl MovementFollower {
    /// Follows until `soft`. While the log is away, what is known stays.
    pub(crate) async fn run(self, soft: CancellationToken) {
        tokio::select! {
            () = soft.cancelled() => {}
            () = self.work() => {}
        }
    }

    async fn work(&self) {
        let mut progress = Progress::default();
        let mut was_away = false;
        loop {
            if let Err(error) = self.follow(&mut progress, &mut was_away).await {
                if !was_away {
                    tracing::warn!(%error, "movements between cohorts are not read while the log is away");
                }
                was_away = true;
                sleep(PAUSE).await;
            }
        }
    }

    /// Reads on until the log fails.
    async fn follow(&self, progress: &mut Progress, was_away: &mut bool) -> Result<(), LogError> {
        let since = self.now().plus(-i64::from(LONGEST_WINDOW_MIN) * MINUTE_MS);
        if progress.positions.is_empty() {
            // Moves are told at once, so none from within the window was appended before it began.
            progress.positions = self.log.offsets_at(TRANSITIONS, since).await?;
            progress.ends = self.log.end_offsets(TRANSITIONS).await?;
            progress.is_old = true;
        }
        let positions: Vec<_> = (0..).zip(progress.positions.iter().copied()).collect();
        let mut reader = self.log.reader(TRANSITIONS, &positions).await?;
        *was_away = false;
        loop {
            if progress.has_caught_up() {
                progress.is_old = false;
                self.movements.write().complete_since(since);
            }
            if let Some(chunk) = reader.next(WAIT).await? {
                self.take(&chunk, progress.is_old);
                progress.advance(&chunk);
            }
        }
    }

    /// What cannot be read is passed over: the processor writes these records, and no other.
    fn take(&self, chunk: &Chunk, is_old: bool) {
        let now = self.now();
        for portion in chunk.records.chunks(PORTION) {
            let moves = portion.iter().filter_map(|record| record.value.as_deref());
            let mut movements = self.movements.write();
            for moved in moves.filter_map(|value| Transition::decode(value).ok()) {
                if !is_old {
                    self.counter(moved.cause).inc();
                }
                movements.take(moved, now);
            }
        }
    }

    fn counter(&self, cause: TransitionCause) -> IntCounter {
        self.metrics.moves.with_label_values(&[cause.as_str()])
    }

    fn now(&self) -> EpochMs {
        EpochMs(self.clock.now_ms())
    }
}

impl Progress {
    fn has_caught_up(&self) -> bool {
        let mut pairs = self.positions.iter().zip(&self.ends);
        pairs.all(|(position, end)| position >= end)
    }

    fn advance(&mut self, chunk: &Chunk) {
        if let Some(position) = self.positions.get_mut(chunk.from.partition as usize) {
            *position = chunk.next_offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use foretide_events::{ShopperId, Text};
    use foretide_ports::{foretide_topics, memory::MemoryLog};
    use foretide_runtime::{ManualClock, prometheus::Registry};

    use super::*;

    fn moved(to: &str) -> Transition {
        Transition {
            v: Transition::VERSION,
            id: "t".to_owned(),
            shopper_id: ShopperId([1; 16]),
            at: EpochMs(0),
            from: Text::new("c-1").unwrap(),
            to: Text::new(to).unwrap(),
            cause: TransitionCause::Behaviour,
            cohorts: Text::new("v1").unwrap(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn moves_of_before_and_after_the_start_are_summed_and_an_absence_of_the_log_is_outlived()
    {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(1)).await.unwrap();
        log.append(vec![moved("c-2").record(0)]).await.unwrap();
        let follower = MovementFollower {
            log: Arc::new(log.clone()),
            movements: SharedMovements::default(),
            clock: Arc::new(ManualClock::at(0)),
            metrics: MovementMetrics::register(&Registry::new()).unwrap(),
        };
        let (movements, metrics) = (Arc::clone(&follower.movements), follower.metrics.clone());
        let soft = CancellationToken::new();
        let running = tokio::spawn(follower.run(soft.clone()));
        sleep(Duration::from_secs(5)).await;
        assert!(movements.read().lately(60, EpochMs(0)).complete);
        log.faults().set_away(true);
        sleep(Duration::from_secs(10)).await;
        log.faults().set_away(false);
        log.append(vec![moved("c-3").record(0)]).await.unwrap();
        sleep(Duration::from_secs(10)).await;
        soft.cancel();
        running.await.unwrap();
        let flows = movements.read().lately(60, EpochMs(0)).flows;
        assert_eq!(flows.values().sum::<u64>(), 2);
        let counted = metrics.moves.with_label_values(&["behaviour"]);
        assert_eq!(counted.get(), 1);
    }
}
