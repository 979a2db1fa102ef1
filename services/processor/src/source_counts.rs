//! The counts and applied positions of all partitions, shared between those who fold and those who ask.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use foretide_events::{EpochMs, SourceId};
use foretide_ports::{ACTIONS, LINKS, Log, LogError, NewRecord};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{
    pin,
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{EmissionProgress, Fates, PartitionCounts, published};

/// What became of one source's events on the log, as `GET /v1/sources/{source}` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceSummary {
    /// Events of the source that the log holds, copies included, as counted by the fold.
    pub accepted: u64,
    /// Those that are part of a profile.
    pub folded: u64,
    /// Those whose id was there already.
    pub duplicate: u64,
    /// Those older than their profile reaches back.
    pub late: u64,
}

impl From<Fates> for SourceSummary {
    fn from(fates: Fates) -> Self {
        let Fates {
            folded,
            duplicate,
            late,
        } = fates;
        Self {
            accepted: fates.total(),
            folded,
            duplicate,
            late,
        }
    }
}

/// The counts of every partition that is folded, or followed, here. A partition that is neither counts nothing.
#[derive(Debug)]
pub struct SourceCounts {
    partitions: Vec<Mutex<PartitionCounts>>,
    /// `next_offset` of each partition's counts, to be read without waiting for a fold.
    applied: Vec<AtomicU64>,
    /// Up to where each partition's state is on `foretide.profiles`.
    published: Vec<AtomicU64>,
    /// Told whenever a position moves.
    moved: Notify,
}

impl SourceCounts {
    /// Nothing counted yet, in any of `partitions` partitions.
    pub fn new(partitions: u32) -> Arc<Self> {
        Arc::new(Self {
            partitions: (0..partitions).map(|_| Mutex::default()).collect(),
            applied: (0..partitions).map(|_| AtomicU64::new(0)).collect(),
            published: (0..partitions).map(|_| AtomicU64::new(0)).collect(),
            moved: Notify::new(),
        })
    }

    /// What became of the events of `source`.
    pub fn of(&self, source: &SourceId) -> SourceSummary {
        self.sum(|counts| counts.of(source)).into()
    }

    /// The fates of all events.
    pub fn total(&self) -> Fates {
        self.sum(PartitionCounts::total)
    }

    /// Records that were no events.
    pub fn dead_letters(&self) -> u64 {
        self.partitions
            .iter()
            .map(|counts| counts.lock().dead_letters)
            .sum()
    }

    /// The offset on `foretide.actions` up to which `partition` has been applied to the profiles; 0 where it is unknown.
    pub fn applied(&self, partition: u32) -> u64 {
        self.applied
            .get(partition as usize)
            .map_or(0, |applied| applied.load(Ordering::Acquire))
    }

    /// The offset on `foretide.links` up to which the profiles of `partition` have taken in what others contribute; 0 where it is
    /// unknown.
    pub fn next_link(&self, partition: u32) -> u64 {
        self.partitions
            .get(partition as usize)
            .map_or(0, |counts| counts.lock().next_link)
    }

    /// How far what follows from the profiles of `partition` has been told.
    pub(crate) fn emission(&self, partition: u32) -> EmissionProgress {
        let counts = self.partitions.get(partition as usize);
        counts.map_or_else(EmissionProgress::default, |counts| {
            counts.lock().emission.clone()
        })
    }

    /// When the newest record that `partition` has applied was appended, by the log's clock; `None` where there is none.
    pub(crate) fn as_of(&self, partition: u32) -> Option<EpochMs> {
        let as_of = self.partitions.get(partition as usize)?.lock().as_of;
        (as_of != EpochMs::default()).then_some(as_of)
    }

    /// As of when sessions of `partition` that went on may not have been announced: as of its newest record, or earlier where the
    /// start before was not done with announcing what it found.
    pub(crate) fn unannounced_as_of(&self, partition: u32) -> Option<EpochMs> {
        let unannounced = self
            .partitions
            .get(partition as usize)?
            .lock()
            .unannounced_as_of;
        let as_of = self.as_of(partition)?;
        Some(unannounced.map_or(as_of, |earlier| earlier.min(as_of)))
    }

    /// Waits until every partition has been applied up to its offset in `ends` (as from `Log::end_offsets`), for at most
    /// `at_most`. Says whether that came true.
    pub async fn wait_applied(&self, ends: &[u64], at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        self.reach(ends, until, |partition| self.applied(partition))
            .await
    }

    /// Waits until everything that `log` holds now is part of the profiles, that anonymous shoppers turned out to be known ones
    /// included, for at most `at_most`. Says whether that came true.
    ///
    /// # Errors
    /// The log cannot say how far it reaches.
    pub async fn wait_complete(&self, log: &dyn Log, at_most: Duration) -> Result<bool, LogError> {
        let until = Instant::now() + at_most;
        let published = |partition: u32| published_of(&self.published, partition);
        // First what is there now, with which links are announced; then these, with which contributions come; then those.
        for _ in 0..2 {
            let ends = log.end_offsets(ACTIONS).await?;
            if !self.reach(&ends, until, published).await {
                return Ok(false);
            }
        }
        let ends = log.end_offsets(LINKS).await?;
        Ok(self.reach(&ends, until, |p| self.next_link(p)).await)
    }

    /// Waits until what `position` says of each partition has reached `ends`. Says whether it did by `until`.
    async fn reach(&self, ends: &[u64], until: Instant, position: impl Fn(u32) -> u64) -> bool {
        timeout_at(until, self.reached(ends, position))
            .await
            .is_ok()
    }

    async fn reached(&self, ends: &[u64], position: impl Fn(u32) -> u64) {
        loop {
            let moved = self.moved.notified();
            pin!(moved);
            // Listen before looking, or a move in between would be missed.
            moved.as_mut().enable();
            if (0..)
                .zip(ends)
                .all(|(partition, end)| position(partition) >= *end)
            {
                return;
            }
            moved.await;
        }
    }

    /// Changes the counts of `partition`.
    pub(crate) fn update(&self, partition: u32, change: impl FnOnce(&mut PartitionCounts)) {
        if let Some(counts) = self.partitions.get(partition as usize) {
            let mut counts = counts.lock();
            change(&mut counts);
            self.applied[partition as usize].store(counts.next_offset, Ordering::Release);
        }
        self.moved.notify_waiters();
    }

    /// Takes `newer` for `partition` unless what is there is newer still; of two as new the later one, which may have been
    /// folded anew. Says whether it did.
    pub(crate) fn replace_older(&self, partition: u32, newer: PartitionCounts) -> bool {
        let mut replaced = false;
        self.update(partition, |counts| {
            replaced = newer.next_offset >= counts.next_offset;
            if replaced {
                *counts = newer;
            }
        });
        self.publish(partition, self.applied(partition));
        replaced
    }

    /// Says that the state of `partition` as of `next_offset` is published.
    pub(crate) fn publish(&self, partition: u32, next_offset: u64) {
        if let Some(published) = self.published.get(partition as usize) {
            published.store(next_offset, Ordering::Release);
        }
        self.moved.notify_waiters();
    }

    /// Forgets the counts of `partition`.
    pub(crate) fn clear(&self, partition: u32) {
        self.update(partition, |counts| *counts = PartitionCounts::default());
        self.publish(partition, 0);
    }

    /// The record to publish for `partition`, and the position it states.
    pub(crate) fn record(&self, partition: u32) -> Option<(NewRecord, u64)> {
        let counts = self.partitions.get(partition as usize)?.lock();
        Some((
            published::counts_record(partition, &counts),
            counts.next_offset,
        ))
    }

    fn sum(&self, part: impl Fn(&PartitionCounts) -> Fates) -> Fates {
        self.partitions
            .iter()
            .fold(Fates::default(), |mut total, counts| {
                total.add(part(&counts.lock()));
                total
            })
    }
}

fn published_of(published: &[AtomicU64], partition: u32) -> u64 {
    published
        .get(partition as usize)
        .map_or(0, |published| published.load(Ordering::Acquire))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn waiting_ends_when_every_partition_has_been_applied() {
        let counts = SourceCounts::new(2);
        assert!(counts.wait_applied(&[0, 0], LONG).await);
        let waiting = tokio::spawn({
            let counts = Arc::clone(&counts);
            async move { counts.wait_applied(&[3, 5], LONG).await }
        });
        tokio::task::yield_now().await;
        counts.update(0, |counts| counts.next_offset = 7);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        counts.update(1, |counts| counts.next_offset = 5);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_gives_up_after_its_time() {
        let counts = SourceCounts::new(1);
        assert!(!counts.wait_applied(&[1], Duration::from_secs(5)).await);
    }

    #[test]
    fn accepted_is_the_sum_of_the_fates_over_all_partitions() {
        let counts = SourceCounts::new(2);
        let source = SourceId::new("import:a").unwrap();
        let fates = [(5, 2, 0), (1, 0, 4)].map(|(folded, duplicate, late)| Fates {
            folded,
            duplicate,
            late,
        });
        for (partition, fates) in (0..).zip(fates) {
            counts.update(partition, |counts| counts.add(&source, fates, 7));
        }
        let summary = counts.of(&source);
        assert_eq!((summary.accepted, summary.folded), (12, 6));
        assert_eq!((summary.duplicate, summary.late), (2, 4));
        assert_eq!(
            counts.of(&SourceId::new("import:b").unwrap()),
            SourceSummary::default()
        );
        assert_eq!(counts.total().total(), 12);
    }
}
