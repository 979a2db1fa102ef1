//! A topic in memory.

use std::collections::HashMap;

use bytes::Bytes;
use foretide_events::EpochMs;
use tokio::sync::watch;

use crate::{Chunk, Cleanup, LogError, NewRecord, Record, TopicPartition, TopicSpec, TopicStats};

/// The most records of a chunk.
const CHUNK_RECORDS: usize = 1024;

pub(super) struct Topic {
    pub(super) spec: TopicSpec,
    partitions: Vec<Partition>,
    /// Told of every append.
    pub(super) growth: watch::Sender<()>,
}

#[derive(Clone, Default)]
pub(super) struct Partition {
    records: Vec<Record>,
    pub(super) next_offset: u64,
}

impl Topic {
    pub(super) fn new(spec: TopicSpec) -> Self {
        let partitions = vec![Partition::default(); spec.partitions as usize];
        Self {
            spec,
            partitions,
            growth: watch::Sender::new(()),
        }
    }

    pub(super) fn partition(&self, partition: u32) -> Result<&Partition, LogError> {
        self.partitions
            .get(partition as usize)
            .ok_or_else(|| LogError::Topic {
                topic: self.spec.name.to_owned(),
                problem: format!("has no partition {partition}"),
            })
    }

    pub(super) fn append(&mut self, new: &NewRecord, now: EpochMs) -> Result<u64, LogError> {
        self.partition(new.at.partition)?;
        let partition = &mut self.partitions[new.at.partition as usize];
        let offset = partition.next_offset;
        partition.next_offset += 1;
        // A clock that is set back does not make append times fall.
        let appended_at = partition
            .records
            .last()
            .map_or(now, |last| now.max(last.appended_at));
        let (key, value) = (new.key.clone(), new.value.clone());
        partition.records.push(Record {
            offset,
            appended_at,
            key,
            value,
        });
        Ok(offset)
    }

    pub(super) fn fetch(&self, partition: u32, offset: u64) -> Result<Chunk, LogError> {
        let held = self.partition(partition)?;
        let first = held
            .records
            .partition_point(|record| record.offset < offset);
        let rest = &held.records[first..];
        let records = rest[..rest.len().min(CHUNK_RECORDS)].to_vec();
        let next_offset = match records.last() {
            Some(last) if records.len() < rest.len() => last.offset + 1,
            _ => held.next_offset,
        };
        Ok(Chunk {
            from: TopicPartition {
                topic: self.spec.name,
                partition,
            },
            records,
            next_offset,
        })
    }

    pub(super) fn ends(&self) -> Vec<u64> {
        self.partitions
            .iter()
            .map(|partition| partition.next_offset)
            .collect()
    }

    pub(super) fn compact(&mut self, now: EpochMs) {
        let Cleanup::Compact {
            delete_retention_ms,
        } = self.spec.cleanup
        else {
            return;
        };
        for partition in &mut self.partitions {
            let newest: HashMap<Bytes, u64> = partition
                .records
                .iter()
                .map(|record| (record.key.clone(), record.offset))
                .collect();
            partition.records.retain(|record| {
                let is_old_tombstone =
                    record.value.is_none() && now.since(record.appended_at) > delete_retention_ms;
                newest.get(&record.key) == Some(&record.offset) && !is_old_tombstone
            });
        }
    }

    pub(super) fn expire(&mut self, now: EpochMs) {
        let Cleanup::Delete { retention_ms } = self.spec.cleanup else {
            return;
        };
        for partition in &mut self.partitions {
            partition
                .records
                .retain(|record| now.since(record.appended_at) <= retention_ms);
        }
    }

    pub(super) fn stats(&self) -> TopicStats {
        let records = || {
            self.partitions
                .iter()
                .flat_map(|partition| &partition.records)
        };
        TopicStats {
            topic: self.spec.name,
            partitions: self.spec.partitions,
            records: records().count() as u64,
            bytes: Some(records().map(Record::bytes).sum::<usize>() as u64),
        }
    }
}
