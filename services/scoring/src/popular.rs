//! Learning which products are popular, from the newest actions on the log.
//!
//! What is popular can be learnt from a sample, so this follower is bounded in work: it starts a little before the end of
//! each partition, takes a limited number of actions a second, and skips ahead when it has fallen far behind.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use foretide_decision::Popularity;
use foretide_events::wire;
use foretide_ports::{ACTIONS, Chunk, Log, LogError, Reader};
use foretide_runtime::CancellationToken;
use parking_lot::RwLock;
use tokio::time::{Instant, sleep};

use crate::metrics::ScoringMetrics;

/// The most actions looked at a second.
const ACTIONS_PER_SECOND: u32 = 5_000;
/// How many actions are learnt from before answers get their turn.
const PORTION: usize = 64;
/// How long to wait for new actions before looking at the signals again.
const WAIT: Duration = Duration::from_secs(1);
/// How long to wait before trying again when the log is away.
const PAUSE: Duration = Duration::from_secs(2);
/// How often the distance to the end is looked at.
const CATCH_UP_EVERY: Duration = Duration::from_secs(10);

/// What is popular, shared by the learner and the answers.
pub(crate) type SharedPopularity = Arc<RwLock<Popularity>>;

/// The follower.
#[derive(Clone)]
pub(crate) struct Learner {
    /// Where the actions are.
    pub(crate) log: Arc<dyn Log>,
    /// What is learnt.
    pub(crate) popularity: SharedPopularity,
    /// How many actions before the end of each partition it starts.
    pub(crate) tail: u64,
    /// Where it counts.
    pub(crate) metrics: ScoringMetrics,
}

/// Where it is: the next offset by partition.
type Positions = BTreeMap<u32, u64>;

impl Learner {
    /// Follows until `soft`. While the log is away, what was learnt stays.
    pub(crate) async fn run(self, soft: CancellationToken) {
        tokio::select! {
            () = soft.cancelled() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&self) {
        let mut positions = Positions::new();
        let mut away = false;
        loop {
            if let Err(error) = self.follow_from(&mut positions, &mut away).await {
                if !away {
                    tracing::warn!(%error, "popular products are not learnt while the log is away");
                }
                away = true;
                sleep(PAUSE).await;
            }
        }
    }

    /// Reads on from `positions`, brought near the end, until it has fallen behind or the log fails.
    async fn follow_from(
        &self,
        positions: &mut Positions,
        away: &mut bool,
    ) -> Result<(), LogError> {
        let ends = self.log.end_offsets(ACTIONS).await?;
        skip_ahead(positions, &ends, self.tail);
        let starts: Vec<_> = positions
            .iter()
            .map(|(partition, offset)| (*partition, *offset))
            .collect();
        let mut reader = self.log.reader(ACTIONS, &starts).await?;
        *away = false;
        let mut looked = Instant::now();
        loop {
            self.read(&mut *reader, positions).await?;
            if looked.elapsed() > CATCH_UP_EVERY {
                looked = Instant::now();
                if is_behind(positions, &self.log.end_offsets(ACTIONS).await?, self.tail) {
                    return Ok(());
                }
            }
        }
    }

    async fn read(
        &self,
        reader: &mut dyn Reader,
        positions: &mut Positions,
    ) -> Result<(), LogError> {
        let Some(chunk) = reader.next(WAIT).await? else {
            return Ok(());
        };
        positions.insert(chunk.from.partition, chunk.next_offset);
        let looked_at = self.learn(&chunk);
        if looked_at > 0 {
            sleep(Duration::from_secs(1) * looked_at / ACTIONS_PER_SECOND).await;
        }
        Ok(())
    }

    /// Counts what `chunk` holds. What cannot be read is the processor's to report.
    fn learn(&self, chunk: &Chunk) -> u32 {
        let events: Vec<_> = chunk
            .records
            .iter()
            .filter_map(|record| wire::decode(record.value.as_deref()?).ok())
            .collect();
        // In small portions, because answers wait for the lock.
        for portion in events.chunks(PORTION) {
            let mut popularity = self.popularity.write();
            for event in portion {
                popularity.observe(event);
            }
        }
        self.metrics.popularity_actions.inc_by(events.len() as u64);
        u32::try_from(chunk.records.len()).unwrap_or(u32::MAX)
    }
}

/// Moves every position to at most `tail` before its end, and never back.
fn skip_ahead(positions: &mut Positions, ends: &[u64], tail: u64) {
    for (partition, end) in (0..).zip(ends) {
        let position = positions.entry(partition).or_default();
        *position = (*position).max(end.saturating_sub(tail));
    }
}

/// Whether a position is more than twice `tail` before its end.
fn is_behind(positions: &Positions, ends: &[u64], tail: u64) -> bool {
    (0..).zip(ends).any(|(partition, end)| {
        let position = positions.get(&partition).copied().unwrap_or(0);
        end.saturating_sub(position) > tail.saturating_mul(2)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use foretide_decision::PopularityRules;
    use foretide_events::EpochMs;
    use foretide_ports::{foretide_topics, memory::MemoryLog};
    use foretide_runtime::prometheus::Registry;

    use super::*;
    use crate::testing;

    #[tokio::test(start_paused = true)]
    async fn it_outlives_an_absence_of_the_log_and_keeps_what_it_learnt() {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(1)).await.unwrap();
        let metrics = ScoringMetrics::register(&Registry::new()).unwrap();
        let popularity = Popularity::new(PopularityRules::default());
        let learner = Learner {
            log: Arc::new(log.clone()),
            popularity: Arc::new(RwLock::new(popularity)),
            tail: 10,
            metrics,
        };
        let soft = CancellationToken::new();
        let running = tokio::spawn(learner.clone().run(soft.clone()));
        for product in ["p1", "p2"] {
            let viewed = testing::record(1, "ann", testing::view(product));
            log.append(vec![viewed]).await.unwrap();
            sleep(Duration::from_mins(1)).await;
            log.faults().set_away(true);
            sleep(Duration::from_mins(1)).await;
            log.faults().set_away(false);
        }
        soft.cancel();
        running.await.unwrap();
        let learnt = learner.popularity.read().recommend(&[], &[].into(), 5);
        assert_eq!(learnt.len(), 2);
        assert_eq!(learner.metrics.popularity_actions.get(), 2);
    }

    #[test]
    fn it_starts_near_the_end_and_never_goes_back() {
        let mut positions = Positions::new();
        skip_ahead(&mut positions, &[10, 1_000], 100);
        assert_eq!(positions, Positions::from([(0, 0), (1, 900)]));
        skip_ahead(&mut positions, &[10, 950], 100);
        assert_eq!(positions, Positions::from([(0, 0), (1, 900)]));
    }

    #[test]
    fn it_has_fallen_behind_when_twice_its_start_is_ahead() {
        let positions = Positions::from([(0, 100)]);
        assert!(!is_behind(&positions, &[300], 100));
        assert!(is_behind(&positions, &[301], 100));
        assert!(is_behind(&positions, &[100, 201], 100));
    }
}
