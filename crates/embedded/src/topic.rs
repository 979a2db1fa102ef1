//! What is known in memory of a topic: where its partitions end, and their newest batches.

use std::collections::VecDeque;

use foretide_events::EpochMs;
use foretide_ports::{Cleanup, LogError, Record, TopicName, TopicSpec};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    batch::{self, Batch, Totals},
    store::{Removed, Standing},
};

/// How much of a topic's newest batches is kept for those who follow its end. They share the memory of the store's buffer.
const TAIL_BYTES: usize = 8 << 20;
/// A chunk ends with the batch that brings it over this.
pub(crate) const CHUNK_BYTES: usize = 512 << 10;

/// A declared topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    pub(crate) cleanup: Cleanup,
    partitions: Vec<Mutex<Partition>>,
    /// Told of every append.
    growth: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Partition {
    standing: Standing,
    /// The newest batches, without gaps.
    tail: VecDeque<Batch>,
    tail_bytes: usize,
}

impl Topic {
    /// The topic as the store has it.
    pub(crate) fn new(spec: TopicSpec, standings: Vec<Standing>) -> Self {
        let partition = |standing| {
            Mutex::new(Partition {
                standing,
                ..Partition::default()
            })
        };
        Self {
            name: spec.name,
            cleanup: spec.cleanup,
            partitions: standings.into_iter().map(partition).collect(),
            growth: watch::Sender::new(()),
        }
    }

    /// Takes over what the store has after it was opened anew.
    pub(crate) fn reset(&self, standings: Vec<Standing>) {
        for (partition, standing) in self.partitions.iter().zip(standings) {
            *partition.lock() = Partition {
                standing,
                ..Partition::default()
            };
        }
        self.grew();
    }

    /// The number of partitions.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    /// How a partition stands.
    pub(crate) fn standing(&self, partition: u32) -> Result<Standing, LogError> {
        Ok(self.partition(partition)?.lock().standing)
    }

    /// Refuses a partition that is not there.
    pub(crate) fn check_partition(&self, partition: u32) -> Result<(), LogError> {
        self.partition(partition).map(drop)
    }

    /// How all partitions stand.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        self.partitions
            .iter()
            .map(|partition| partition.lock().standing)
            .collect()
    }

    /// The records from `offset` on, as far as the newest batches in memory reach back, and where reading goes on.
    /// `None` if they do not reach back to `offset`.
    pub(crate) fn read_tail(
        &self,
        partition: u32,
        offset: u64,
    ) -> Result<Option<(Vec<Record>, u64)>, LogError> {
        let batches = self.partition(partition)?.lock().batches_from(offset);
        let Some(newest) = batches.last() else {
            return Ok(None);
        };
        let next_offset = newest.last + 1;
        let mut records = Vec::new();
        for batch in &batches {
            batch::records(&batch.value, offset, &mut records)
                .map_err(|why| LogError::Damaged(why.to_string()))?;
        }
        Ok(Some((records, next_offset)))
    }

    /// Makes appended batches known to readers: they are durable.
    pub(crate) fn appended(
        &self,
        partition: u32,
        batches: Vec<Batch>,
        totals: Totals,
        newest_at: EpochMs,
    ) {
        let Some(partition) = self.partitions.get(partition as usize) else {
            return;
        };
        let mut partition = partition.lock();
        partition.standing.newest_at = newest_at.0;
        partition.standing.appended = totals;
        for batch in batches {
            partition.standing.end = batch.last + 1;
            partition.tail_bytes += batch.value.len();
            partition.tail.push_back(batch);
        }
        let limit = TAIL_BYTES / self.partitions.len();
        while partition.tail_bytes > limit && partition.tail.len() > 1 {
            partition.forget_oldest();
        }
    }

    /// Takes note that batches up to the one that ends at `last`, if any, were removed or rewritten.
    pub(crate) fn rewritten(&self, partition: u32, last: Option<u64>, removed: Removed) {
        let Some(partition) = self.partitions.get(partition as usize) else {
            return;
        };
        let mut partition = partition.lock();
        partition.standing.removed = removed;
        while partition
            .tail
            .front()
            .is_some_and(|oldest| Some(oldest.last) <= last)
        {
            partition.forget_oldest();
        }
    }

    /// Wakes those who follow the topic.
    pub(crate) fn grew(&self) {
        self.growth.send_replace(());
    }

    /// Tells of every append.
    pub(crate) fn growth(&self) -> watch::Receiver<()> {
        self.growth.subscribe()
    }

    fn partition(&self, partition: u32) -> Result<&Mutex<Partition>, LogError> {
        self.partitions
            .get(partition as usize)
            .ok_or_else(|| LogError::Topic {
                topic: self.name.to_owned(),
                problem: format!(
                    "has no partition {partition}, it has {}",
                    self.partitions.len()
                ),
            })
    }
}

impl Partition {
    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.tail.pop_front() {
            self.tail_bytes -= oldest.value.len();
        }
    }

    /// A chunk's worth of batches from the one with `offset` on; none if the tail begins after it.
    fn batches_from(&self, offset: u64) -> Vec<Batch> {
        if self.tail.front().is_none_or(|oldest| oldest.base > offset) {
            return Vec::new();
        }
        let first = self.tail.partition_point(|batch| batch.last < offset);
        let mut bytes = 0;
        let mut batches = Vec::new();
        for batch in self.tail.range(first..) {
            batches.push(batch.clone());
            bytes += batch.plain_bytes;
            if bytes >= CHUNK_BYTES {
                break;
            }
        }
        batches
    }
}
