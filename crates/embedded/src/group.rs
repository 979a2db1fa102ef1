//! Many jobs as one change of the store.

use std::{collections::HashMap, sync::Arc};

use foretide_events::EpochMs;
use foretide_ports::{LogError, NewRecord, TopicName, TopicPartition};

use crate::{
    batch::{Batch, Builder, Totals},
    shared::Shared,
    store::Store,
    topic::Topic,
    writer::Job,
};

/// A batch is closed once it is larger than this.
const BATCH_BYTES: usize = 256 << 10;
/// More than the numbers before a record's key take.
const RECORD_OVERHEAD: usize = 16;

/// What a change appends, by topic.
pub(crate) struct Group {
    now: EpochMs,
    topics: Vec<TopicGroup>,
    /// For each job, the offsets of its records.
    offsets: Vec<Vec<u64>>,
}

struct TopicGroup {
    topic: Arc<Topic>,
    partitions: Vec<PartitionGroup>,
}

/// What is appended to a partition.
#[derive(Default)]
struct PartitionGroup {
    /// Bytes that are still to come, about.
    expected: usize,
    next_offset: u64,
    at: EpochMs,
    appended: Totals,
    open: Option<Builder>,
    done: Vec<Batch>,
}

impl Group {
    /// Writes `jobs` durably. Nothing is known to readers or told to the jobs' senders yet.
    pub(crate) fn write(shared: &Shared, store: &Store, jobs: &[Job]) -> Result<Self, LogError> {
        let mut group = Self {
            now: shared.now(),
            topics: Vec::new(),
            offsets: Vec::new(),
        };
        for job in jobs {
            group.expect(shared, job.records())?;
        }
        for job in jobs {
            let offsets = job
                .records()
                .iter()
                .map(|record| group.push(record))
                .collect();
            group.offsets.push(offsets);
        }
        let mut change = store.change();
        for topic in &mut group.topics {
            let keyspaces = store.partitions(topic.topic.name);
            for (partition, keyspace) in topic.partitions.iter_mut().zip(keyspaces.iter()) {
                partition.close();
                for batch in &partition.done {
                    change.put(keyspace, batch.last, batch.value.clone());
                }
            }
        }
        for ((group, at), offset) in group_offsets(jobs) {
            change.put_offset(group, at, offset);
        }
        for job in jobs {
            let Job::Rewrite { rewrite, .. } = job else {
                continue;
            };
            let keyspaces = store.partitions(rewrite.at.topic);
            let Some(keyspace) = keyspaces.get(rewrite.at.partition as usize) else {
                continue;
            };
            rewrite
                .remove
                .iter()
                .for_each(|last| change.remove(keyspace, *last));
            for batch in &rewrite.put {
                change.put(keyspace, batch.last, batch.value.clone());
            }
            change.put_removed(rewrite.at, &rewrite.removed);
        }
        change.commit()?;
        Ok(group)
    }

    /// Makes known to readers what was written, and returns the offsets for each job.
    pub(crate) fn publish(self, shared: &Shared, jobs: &[Job]) -> Vec<Vec<u64>> {
        shared.move_groups(group_offsets(jobs));
        for job in jobs {
            if let Job::Rewrite { rewrite, .. } = job {
                let keys = rewrite.remove.iter().copied();
                let keys = keys.chain(rewrite.put.iter().map(|batch| batch.last));
                if let Ok(topic) = shared.topic(rewrite.at.topic) {
                    topic.rewritten(rewrite.at.partition, keys.max(), rewrite.removed);
                }
            }
        }
        for TopicGroup { topic, partitions } in self.topics {
            for (number, partition) in (0..).zip(partitions) {
                if !partition.done.is_empty() {
                    topic.appended(number, partition.done, partition.appended, partition.at);
                }
            }
            topic.grew();
        }
        self.offsets
    }

    /// Gets ready for `records`.
    fn expect(&mut self, shared: &Shared, records: &[NewRecord]) -> Result<(), LogError> {
        for record in records {
            if self.place(record.at.topic).is_none() {
                let topic = shared.topic(record.at.topic)?;
                let now = self.now;
                let partition = |standing: crate::store::Standing| PartitionGroup {
                    next_offset: standing.end,
                    // A clock that is set back does not make append times fall.
                    at: now.max(EpochMs(standing.newest_at)),
                    appended: standing.appended,
                    ..PartitionGroup::default()
                };
                let partitions = topic.standings().into_iter().map(partition).collect();
                self.topics.push(TopicGroup { topic, partitions });
            }
            if let Some(partition) = self.partition(record.at) {
                partition.expected += record.bytes() + RECORD_OVERHEAD;
            }
        }
        Ok(())
    }

    fn place(&self, topic: TopicName) -> Option<usize> {
        self.topics
            .iter()
            .position(|group| group.topic.name == topic)
    }

    fn partition(&mut self, at: TopicPartition) -> Option<&mut PartitionGroup> {
        let place = self.place(at.topic)?;
        self.topics[place].partitions.get_mut(at.partition as usize)
    }

    /// Takes a record that was expected and returns its offset.
    fn push(&mut self, record: &NewRecord) -> u64 {
        self.partition(record.at)
            .map_or(0, |partition| partition.push(record))
    }
}

impl PartitionGroup {
    fn push(&mut self, record: &NewRecord) -> u64 {
        let offset = self.next_offset;
        self.next_offset += 1;
        let capacity = self.expected.min(BATCH_BYTES + BATCH_BYTES / 8);
        let batch = self
            .open
            .get_or_insert_with(|| Builder::new(offset, self.at, capacity));
        batch.push(offset, self.at, &record.key, record.value.as_deref());
        self.expected -= record.bytes() + RECORD_OVERHEAD;
        if batch.len() >= BATCH_BYTES {
            self.close();
        }
        offset
    }

    fn close(&mut self) {
        if let Some(batch) = self.open.take() {
            let (batch, own) = batch.finish(self.appended);
            self.appended = self.appended.plus(own);
            self.done.push(batch);
        }
    }
}

/// Where the jobs' commits move their groups: for each group and partition the last.
fn group_offsets(jobs: &[Job]) -> HashMap<(&str, TopicPartition), u64> {
    let mut moved = HashMap::new();
    for job in jobs {
        if let Job::Commit {
            permit,
            topic,
            offsets,
            ..
        } = job
        {
            for (partition, offset) in offsets {
                let at = TopicPartition {
                    topic,
                    partition: *partition,
                };
                moved.insert((permit.group(), at), *offset);
            }
        }
    }
    moved
}
