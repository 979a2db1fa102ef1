//! How many events were rejected, by source and reason: counted here, then added to the store, where all instances of ingest
//! add theirs.
//!
//! What is counted waits in memory until the store has taken it, and longer while the database is away. What is on its way
//! has a name by which the store adds it once, even if the answer is lost and it is sent again. A process that is killed
//! loses what it counted in the last second, and so does not lose events: only their refusals are not counted.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use foretide_events::{Rejection, RejectionReason, SourceId};
use foretide_ports::store::{BatchId, RejectionCount, Store, StoreError};
use foretide_runtime::{CancellationToken, prometheus::IntCounter};
use parking_lot::Mutex;
use tokio::time::timeout;
use uuid::Uuid;

/// How many sources can wait for the store. Beyond it the one that was quiet longest is forgotten: anyone with the write key
/// can name any number of import runs.
const MAX_SOURCES: usize = 1024;

/// How often what was counted is added to the store.
const EVERY: Duration = Duration::from_secs(1);

/// Rejected events that the store does not know of yet. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct RejectedCounts {
    pending: Arc<Mutex<Pending>>,
    /// Held while adding to the store, so that whoever waits for it finds nothing on its way afterwards.
    batch: Arc<tokio::sync::Mutex<Batch>>,
}

/// Counts on their way to the store. They stay as they are until it has taken them: it may have done so unheard.
#[derive(Debug)]
struct Batch {
    id: BatchId,
    counts: Vec<RejectionCount>,
}

impl Default for Batch {
    fn default() -> Self {
        let (writer, number) = (Uuid::now_v7(), 0);
        Self {
            id: BatchId { writer, number },
            counts: Vec::new(),
        }
    }
}

impl Batch {
    async fn send(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        if !self.counts.is_empty() {
            store.add_rejections(self.id, &self.counts).await?;
            self.counts.clear();
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Pending {
    by_source: HashMap<SourceId, Counts>,
    /// Rises with every change: the age of `Counts::changed`.
    changes: u64,
    /// Rejections whose count was forgotten.
    forgotten: u64,
}

#[derive(Debug, Default)]
struct Counts {
    by_reason: BTreeMap<RejectionReason, u64>,
    changed: u64,
}

impl RejectedCounts {
    /// What was rejected of `source` since the last flush.
    pub fn of(&self, source: &SourceId) -> BTreeMap<RejectionReason, u64> {
        self.pending
            .lock()
            .by_source
            .get(source)
            .map(|counts| counts.by_reason.clone())
            .unwrap_or_default()
    }

    /// Counts `rejections` for `source`.
    pub(crate) fn add(&self, source: &SourceId, rejections: &[Rejection]) {
        if rejections.is_empty() {
            return;
        }
        let mut pending = self.pending.lock();
        for rejection in rejections {
            pending.count(source, rejection.code);
        }
    }

    /// Adds everything that waits to `store`. What it does not take waits on.
    pub async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut batch = self.batch.lock().await;
        // What an earlier attempt has left comes first.
        batch.send(store).await?;
        batch.id.number += 1;
        batch.counts = self.pending.lock().take();
        batch.send(store).await
    }

    /// Adds what waits to `store` every second until the last request has been answered (`closed`), and then until the
    /// store has taken all or the process stops (`hard`). `uncounted` counts rejections whose count was lost.
    pub async fn keep_flushed(
        self,
        store: Arc<dyn Store>,
        uncounted: IntCounter,
        closed: CancellationToken,
        hard: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut told = false;
        loop {
            let last = closed.is_cancelled();
            let flushed = tokio::select! {
                flushed = self.flush(&*store) => flushed,
                () = hard.cancelled() => Err(StoreError::Away("no answer before the end".to_owned())),
            };
            uncounted.inc_by(std::mem::take(&mut self.pending.lock().forgotten));
            match flushed {
                Ok(()) if last => return Ok(()),
                Ok(()) => {
                    if std::mem::take(&mut told) {
                        tracing::info!("the database takes the counts of rejected events again");
                    }
                }
                // Whoever watches the database says so.
                Err(StoreError::Away(_)) => {}
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(
                            %error,
                            "the database does not take the counts of rejected events: they wait in memory until it does, and \
                             GET /v1/sources does not show them"
                        );
                    }
                }
            }
            if hard.is_cancelled() {
                let rejections = self.waiting();
                uncounted.inc_by(rejections);
                if rejections > 0 {
                    tracing::error!(
                        rejections,
                        "the database did not take the counts of rejected events before the end: these refusals were answered, \
                         but GET /v1/sources will not show them"
                    );
                }
                return Ok(());
            }
            let wake = async {
                tokio::select! {
                    () = closed.cancelled(), if !last => {}
                    () = hard.cancelled() => {}
                }
            };
            let _ = timeout(EVERY, wake).await;
        }
    }

    /// How many rejections the store has not taken, as far as is known.
    fn waiting(&self) -> u64 {
        let sum = |counts: &[RejectionCount]| counts.iter().map(|(.., count)| count).sum::<u64>();
        // One that somebody is sending just now may still get there.
        let unsent = self.batch.try_lock().map_or(0, |batch| sum(&batch.counts));
        unsent + sum(&self.pending.lock().take())
    }
}

impl Pending {
    fn count(&mut self, source: &SourceId, reason: RejectionReason) {
        if self.by_source.len() >= MAX_SOURCES && !self.by_source.contains_key(source) {
            self.forget_the_quietest();
        }
        self.changes += 1;
        let counts = self.by_source.entry(source.clone()).or_default();
        counts.changed = self.changes;
        *counts.by_reason.entry(reason).or_default() += 1;
    }

    fn forget_the_quietest(&mut self) {
        let quietest = self
            .by_source
            .iter()
            .min_by_key(|(_, counts)| counts.changed);
        if let Some(source) = quietest.map(|(source, _)| source.clone()) {
            let counts = self.by_source.remove(&source).unwrap_or_default();
            self.forgotten += counts.by_reason.values().sum::<u64>();
        }
    }

    fn take(&mut self) -> Vec<RejectionCount> {
        let taken = std::mem::take(&mut self.by_source);
        let one = |(source, counts): (SourceId, Counts)| {
            counts
                .by_reason
                .into_iter()
                .map(move |(reason, count)| (source.clone(), reason, count))
        };
        taken.into_iter().flat_map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use foretide_ports::store::MemoryStore;

    use super::*;

    fn source(name: &str) -> SourceId {
        SourceId::new(name).unwrap()
    }

    fn rejection(code: RejectionReason) -> Rejection {
        Rejection {
            index: 0,
            id: None,
            code,
            field: None,
            message: String::new(),
        }
    }

    #[test]
    fn each_source_has_its_own_counts_by_reason() {
        let counts = RejectedCounts::default();
        let [missing, large] = [RejectionReason::MissingField, RejectionReason::TooLarge];
        counts.add(
            &source("one"),
            &[rejection(missing), rejection(large), rejection(missing)],
        );
        counts.clone().add(&source("two"), &[rejection(large)]);
        assert_eq!(
            counts.of(&source("one")),
            BTreeMap::from([(missing, 2), (large, 1)])
        );
        assert_eq!(counts.of(&source("two")), BTreeMap::from([(large, 1)]));
        assert!(counts.of(&source("three")).is_empty());
    }

    #[test]
    fn any_number_of_sources_takes_bounded_memory_and_the_busy_are_kept() {
        let counts = RejectedCounts::default();
        let large = [rejection(RejectionReason::TooLarge)];
        for run in 0..3 * MAX_SOURCES {
            counts.add(&source(&format!("import:{run}")), &large);
            counts.add(&source("key:0a1b2c3d"), &large);
        }
        assert_eq!(counts.pending.lock().by_source.len(), MAX_SOURCES);
        let busy = counts.of(&source("key:0a1b2c3d"));
        assert_eq!(busy[&RejectionReason::TooLarge], 3 * MAX_SOURCES as u64);
        let forgotten = counts.pending.lock().forgotten;
        assert_eq!(forgotten, 2 * MAX_SOURCES as u64 + 1);
    }

    #[tokio::test]
    async fn two_instances_add_to_one_count_and_nothing_is_added_twice() {
        let store = MemoryStore::new();
        let (one, other) = (RejectedCounts::default(), RejectedCounts::default());
        let large = [rejection(RejectionReason::TooLarge)];
        for counts in [&one, &other, &one] {
            counts.add(&source("import:a"), &large);
            counts.flush(&store).await.unwrap();
            counts.flush(&store).await.unwrap();
        }
        let sum = store.rejections(&source("import:a")).await.unwrap();
        assert_eq!(sum, BTreeMap::from([(RejectionReason::TooLarge, 3)]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_counted_while_the_database_is_away_is_added_when_it_is_back() {
        let store = Arc::new(MemoryStore::new());
        let counts = RejectedCounts::default();
        let (closed, hard) = (CancellationToken::new(), CancellationToken::new());
        let lost = IntCounter::new("lost", "lost").unwrap();
        let keeping = tokio::spawn(counts.clone().keep_flushed(
            store.clone(),
            lost.clone(),
            closed.clone(),
            hard,
        ));
        store.faults().set_away(true);
        counts.add(&source("import:a"), &[rejection(RejectionReason::TooLarge)]);
        tokio::time::sleep(5 * EVERY).await;
        counts.add(&source("import:a"), &[rejection(RejectionReason::TooLarge)]);
        closed.cancel();
        tokio::time::sleep(5 * EVERY).await;
        assert!(!keeping.is_finished(), "it ends only when all is added");
        store.faults().set_away(false);
        keeping.await.unwrap().unwrap();
        let sum = store.rejections(&source("import:a")).await.unwrap();
        assert_eq!(sum[&RejectionReason::TooLarge], 2);
        assert_eq!(lost.get(), 0);
    }

    #[tokio::test]
    async fn what_the_database_took_without_an_answer_is_not_added_again() {
        let store = MemoryStore::new();
        let counts = RejectedCounts::default();
        let large = [rejection(RejectionReason::TooLarge)];
        counts.add(&source("import:a"), &large);
        store.faults().lose_next_answer();
        assert!(counts.flush(&store).await.is_err());
        counts.add(&source("import:a"), &large);
        counts.flush(&store).await.unwrap();
        let sum = store.rejections(&source("import:a")).await.unwrap();
        assert_eq!(sum, BTreeMap::from([(RejectionReason::TooLarge, 2)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_must_stop_says_how_many_counts_are_lost() {
        let store = Arc::new(MemoryStore::new());
        store.faults().set_away(true);
        let counts = RejectedCounts::default();
        counts.add(&source("import:a"), &[rejection(RejectionReason::TooLarge)]);
        let (closed, hard) = (CancellationToken::new(), CancellationToken::new());
        let lost = IntCounter::new("lost", "lost").unwrap();
        closed.cancel();
        let stops = async {
            tokio::time::sleep(5 * EVERY).await;
            hard.cancel();
        };
        let keeping = counts.keep_flushed(store, lost.clone(), closed, hard.clone());
        let (kept, ()) = tokio::join!(keeping, stops);
        kept.unwrap();
        assert_eq!(lost.get(), 1);
    }
}
