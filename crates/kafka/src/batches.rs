//! Messages polled one by one, gathered into chunks by partition.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use foretide_events::EpochMs;
use foretide_ports::{Chunk, Record, TopicName, TopicPartition};
use rdkafka::message::{BorrowedMessage, Message};

/// A round of polling ends at this many records or bytes, so that a chunk folds in milliseconds and the channel's bound
/// is one of memory.
const MAX_RECORDS: usize = 2_000;
const MAX_BYTES: usize = 1 << 20;
/// The contents of messages share memory in pieces of this size, which is freed with the last of them: they are folded and
/// forgotten together, and a piece each would be much to ask of the allocator.
const PIECE: usize = 64 << 10;

/// What was polled and not yet handed on.
#[derive(Debug)]
pub(crate) struct Batches {
    topic: TopicName,
    records: BTreeMap<u32, Vec<Record>>,
    count: usize,
    bytes: usize,
    /// The rest of a piece.
    piece: BytesMut,
}

impl Batches {
    pub(crate) fn new(topic: TopicName) -> Self {
        Self {
            topic,
            records: BTreeMap::new(),
            count: 0,
            bytes: 0,
            piece: BytesMut::new(),
        }
    }

    /// Takes in a message, whose content is copied.
    pub(crate) fn take_in(&mut self, message: &BorrowedMessage<'_>) {
        let (partition, offset) = place_of(message);
        let record = Record {
            offset,
            appended_at: EpochMs(message.timestamp().to_millis().unwrap_or(0)),
            key: message.key().map(|key| self.copy(key)).unwrap_or_default(),
            value: message.payload().map(|value| self.copy(value)),
        };
        self.push(partition, record);
    }

    fn copy(&mut self, content: &[u8]) -> Bytes {
        if self.piece.capacity() < content.len() {
            self.piece = BytesMut::with_capacity(PIECE.max(content.len()));
        }
        self.piece.extend_from_slice(content);
        self.piece.split().freeze()
    }

    fn push(&mut self, partition: u32, record: Record) {
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

/// The partition of a message and its offset, which are never negative.
pub(crate) fn place_of(message: &BorrowedMessage<'_>) -> (u32, u64) {
    (
        message.partition().cast_unsigned(),
        message.offset().cast_unsigned(),
    )
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

    #[test]
    fn contents_are_copied_whole_whatever_their_size() {
        let mut batches = Batches::new("t");
        for size in [0, 1, PIECE - 1, 3, 2 * PIECE, 5] {
            let content = vec![7; size];
            assert_eq!(batches.copy(&content), content);
        }
    }
}
