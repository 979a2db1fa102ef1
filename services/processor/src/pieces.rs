//! The memory that profiles are encoded into to be published, taken again once the log has copied what was in it: fresh memory for
//! each commit would have to be cleared by the kernel page by page.

use std::collections::VecDeque;

use bytes::Bytes;
use foretide_events::ShopperId;
use foretide_ports::{NewRecord, PROFILES, TopicPartition, shopper_key};

/// The size of a piece, in bytes.
const SIZE: usize = 256 * 1024;
/// What a profile seldom takes: a piece with less room is full.
const ROOM: usize = 8 * 1024;
/// So many pieces are kept for the next commits: 16 MiB.
const KEPT: usize = 64;

/// Pieces that were given out, the oldest first. Those that nobody uses any more are free.
#[derive(Default)]
pub(crate) struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn take(&mut self) -> Vec<u8> {
        if self.0.front().is_none_or(|oldest| !oldest.is_unique()) {
            return Vec::with_capacity(SIZE);
        }
        let mut piece = self.0.pop_front().map(Vec::from).unwrap_or_default();
        piece.clear();
        piece.reserve(SIZE);
        piece
    }

    fn give(&mut self, piece: Bytes) {
        if self.0.len() < KEPT {
            self.0.push_back(piece);
        }
    }
}

/// Records of profiles of one partition, one encoded behind the other.
pub(crate) struct Encoding<'a> {
    at: TopicPartition,
    pieces: &'a mut Pieces,
    piece: Vec<u8>,
    /// Where each record in the piece ends.
    ends: Vec<usize>,
    records: Vec<NewRecord>,
    bytes: usize,
}

impl<'a> Encoding<'a> {
    /// Begins with none, of about `count` to come.
    pub(crate) fn new(pieces: &'a mut Pieces, partition: u32, count: usize) -> Self {
        let at = TopicPartition {
            topic: PROFILES,
            partition,
        };
        Self {
            at,
            piece: Vec::new(),
            pieces,
            ends: Vec::new(),
            records: Vec::with_capacity(count),
            bytes: 0,
        }
    }

    /// Adds the profile of `shopper`, which `encode` appends to what it is given.
    pub(crate) fn add<R>(
        &mut self,
        shopper: &ShopperId,
        encode: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> R {
        if self.piece.capacity() - self.piece.len() < ROOM {
            self.close();
            self.piece = self.pieces.take();
        }
        self.piece.extend_from_slice(&shopper_key(shopper));
        let done = encode(&mut self.piece);
        self.ends.push(self.piece.len());
        done
    }

    fn close(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        self.bytes += piece.len();
        let mut begin = 0;
        for end in self.ends.drain(..) {
            self.records.push(NewRecord {
                at: self.at,
                key: piece.slice(begin..begin + 32),
                value: Some(piece.slice(begin + 32..end)),
            });
            begin = end;
        }
        self.pieces.give(piece);
    }

    /// The records, and how many bytes they are.
    pub(crate) fn finish(mut self) -> (Vec<NewRecord>, usize) {
        self.close();
        (self.records, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(pieces: &mut Pieces, count: u8, size: usize) -> Vec<NewRecord> {
        let mut encoding = Encoding::new(pieces, 3, usize::from(count));
        for number in 0..count {
            let shopper = ShopperId([number; 16]);
            encoding.add(&shopper, |out| out.extend(vec![number; size]));
        }
        let (records, bytes) = encoding.finish();
        assert_eq!(bytes, records.iter().map(NewRecord::bytes).sum::<usize>());
        records
    }

    #[test]
    fn each_record_is_as_it_was_encoded_whatever_its_size() {
        let mut pieces = Pieces::default();
        for size in [0, 1, 300, 20_000, 2 * SIZE, 300] {
            let records = encoded(&mut pieces, 100, size);
            assert_eq!(records.len(), 100);
            for (number, record) in (0..).zip(records) {
                assert_eq!(record.key[..], shopper_key(&ShopperId([number; 16]))[..]);
                assert_eq!(record.value.unwrap(), vec![number; size]);
            }
        }
    }

    #[test]
    fn a_piece_is_taken_again_only_when_nobody_uses_it() {
        let mut pieces = Pieces::default();
        let first = encoded(&mut pieces, 2, 100);
        let place = first[0].key.as_ptr();
        let second = encoded(&mut pieces, 2, 100);
        assert_ne!(second[0].key.as_ptr(), place);
        drop(first);
        let third = encoded(&mut pieces, 2, 100);
        assert_eq!(third[0].key.as_ptr(), place);
    }
}
