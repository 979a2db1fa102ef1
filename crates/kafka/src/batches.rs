//! Messages polled one by one, gathered into chunks by partition.

use std::collections::BTreeMap;

use bytes::Bytes;
use foretide_events::EpochMs;
use foretide_ports::{Chunk, Record, TopicName, TopicPartition};
use rdkafka::message::{BorrowedMessage, Message};

/// A round of polling ends at this many records or bytes, so that a chunk folds in milliseconds and the channel's bound
/// is one of memory.
const MAX_RECORDS: usize = 2_000;
const MAX_BYTES: usize = 1 << 20;

/// What was polled and not yet handed on.
#[derive(Debug)]
pub(crate) struct Batches {
    topic: TopicName,
    records: BTreeMap<u32, Vec<Record>>,
    count: usize,
    bytes: usize,
}

impl Batches {
    pub(crate) fn new(topic: TopicName) -> Self {
        Self {
            topic,
            records: BTreeMap::new(),
            count: 0,
            bytes: 0,
        }
    }

    pub(crate) fn push(&mut self, partition: u32, record: Record) {
        self.count += 1;
        self.bytes += record.bytes();
        self.records.entry(partition).or_default().push(record);
    }

    /// Whether it is time to hand on.
    pub(crate) fn is_full(&self) -> bool {
        self.count >= MAX_RECORDS || self.bytes >= MAX_BYTES
    }

    /// The chunk of one partition, if it has records.
    pub(crate) fn take(&mut self, partition: u32) -> Option<Chunk> {
        let records = self.records.remove(&partition)?;
        self.chunk(partition, records)
    }

    /// The chunks of all partitions.
    pub(crate) fn take_all(&mut self) -> Vec<Chunk> {
        self.count = 0;
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        records
            .into_iter()
            .filter_map(|(p, records)| self.chunk(p, records))
            .collect()
    }

    fn chunk(&self, partition: u32, records: Vec<Record>) -> Option<Chunk> {
        let next_offset = records.last()?.offset + 1;
        let from = TopicPartition {
            topic: self.topic,
            partition,
        };
        Some(Chunk {
            from,
            records,
            next_offset,
        })
    }
}

/// The record of a message and its partition. Offsets and partitions of messages are never negative.
pub(crate) fn record_of(message: &BorrowedMessage<'_>) -> (u32, Record) {
    let record = Record {
        offset: message.offset().cast_unsigned(),
        appended_at: EpochMs(message.timestamp().to_millis().unwrap_or(0)),
        key: message
            .key()
            .map(Bytes::copy_from_slice)
            .unwrap_or_default(),
        value: message.payload().map(Bytes::copy_from_slice),
    };
    (message.partition().cast_unsigned(), record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64) -> Record {
        Record {
            offset,
            appended_at: EpochMs(0),
            key: Bytes::new(),
            value: None,
        }
    }

    #[test]
    fn chunks_keep_the_order_of_their_partition_and_end_behind_their_last_record() {
        let mut batches = Batches::new("t");
        for (partition, offset) in [(1, 4), (0, 9), (1, 7)] {
            batches.push(partition, record(offset));
        }
        let first = batches.take(1).unwrap();
        assert_eq!((first.from.partition, first.next_offset), (1, 8));
        assert_eq!(
            first.records.iter().map(|r| r.offset).collect::<Vec<_>>(),
            [4, 7]
        );
        assert_eq!(batches.take(1), None);
        let rest = batches.take_all();
        assert_eq!(
            (rest.len(), rest[0].from.partition, rest[0].next_offset),
            (1, 0, 10)
        );
        assert!(batches.take_all().is_empty());
    }
}
