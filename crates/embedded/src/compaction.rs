//! Compaction of a partition: of each key only the newest record stays, with the offset and time it has.
//!
//! Readers may be anywhere meanwhile. Every step takes records away whose newer successors are already readable further
//! on, in one change of the store; a reader sees the partition before or after it. The newest batch is left alone: it
//! knows where the partition ends.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use foretide_events::EpochMs;
use foretide_ports::{LogError, Record, TopicPartition};

use crate::{
    batch::{self, Batch, Builder, Totals},
    keeper::Keeper,
    store::{Removed, Standing, damaged},
    writer::Rewrite,
};

/// A batch at least this large of which all records stay is left as it is.
const LARGE: usize = 64 << 10;
/// New batches are closed at this size.
const BATCH_BYTES: usize = 256 << 10;
/// A change is made once it replaces this many bytes or batches.
const CHANGE_BYTES: u64 = 2 << 20;
const CHANGE_BATCHES: usize = 512;

/// Whether more than half of a partition, and at least `least` bytes, came since it was compacted last.
pub(crate) fn is_due(standing: &Standing, least: u64) -> bool {
    let held = standing
        .appended
        .bytes
        .saturating_sub(standing.removed.totals.bytes);
    let new = standing
        .appended
        .bytes
        .saturating_sub(standing.removed.appended_when_clean);
    new >= least && new > held / 2
}

/// Compacts `at`; tombstones older than `delete_retention_ms` go too.
pub(crate) fn compact(
    keeper: &Keeper,
    at: TopicPartition,
    delete_retention_ms: i64,
    now: EpochMs,
) -> Result<(), LogError> {
    let before = keeper.standing(at)?;
    let Some((newest, newest_batch)) = newest_records(keeper, at)? else {
        return Ok(());
    };
    let stays = |record: &Record| {
        let is_newest = newest.get(record.key.as_ref()) == Some(&record.offset);
        let is_tombstone = record.value.is_none();
        is_newest && !(is_tombstone && now.since(record.appended_at) > delete_retention_ms)
    };
    let mut compactor = Compactor {
        keeper,
        at,
        changes: Changes::default(),
        open: None,
    };
    for entry in keeper.store()?.batches(at, 0) {
        let (last, head, value) = entry?;
        if last >= newest_batch {
            break;
        }
        if keeper.is_stopping() {
            return Ok(());
        }
        let mut records = Vec::new();
        batch::records(&value, 0, &mut records).map_err(|why| damaged(at, last, why))?;
        records.retain(stays);
        if records.len() == head.count as usize && head.plain_bytes >= LARGE {
            compactor.close();
        } else {
            let size = Totals {
                records: head.count.into(),
                bytes: value.len() as u64,
            };
            compactor.replace(last, size, &records);
        }
        compactor.change_if_large()?;
    }
    compactor.close();
    compactor.change(Some(before.appended.bytes))
}

type NewestOffsets = HashMap<Box<[u8]>, u64, RandomState>;

/// The offset of the newest record of each key, and the key of the newest batch. `None` if there is nothing.
fn newest_records(
    keeper: &Keeper,
    at: TopicPartition,
) -> Result<Option<(NewestOffsets, u64)>, LogError> {
    let mut newest = NewestOffsets::default();
    let mut newest_batch = None;
    let mut records = Vec::new();
    for entry in keeper.store()?.batches(at, 0) {
        let (last, _, value) = entry?;
        newest_batch = Some(last);
        records.clear();
        batch::records(&value, 0, &mut records).map_err(|why| damaged(at, last, why))?;
        for record in &records {
            if let Some(offset) = newest.get_mut(record.key.as_ref()) {
                *offset = record.offset;
            } else {
                newest.insert(record.key.as_ref().into(), record.offset);
            }
        }
    }
    Ok(newest_batch.map(|newest_batch| (newest, newest_batch)))
}

/// Replaces batches by fewer, fuller ones.
struct Compactor<'a> {
    keeper: &'a Keeper,
    at: TopicPartition,
    changes: Changes,
    /// The batch being filled.
    open: Option<Builder>,
}

/// What the next change of the store does.
#[derive(Default)]
struct Changes {
    replaced: Vec<u64>,
    replaced_size: Totals,
    put: Vec<Batch>,
    put_size: Totals,
}

impl Compactor<'_> {
    /// Replaces the batch that ends at `last` by `records`.
    fn replace(&mut self, last: u64, size: Totals, records: &[Record]) {
        self.changes.replaced.push(last);
        self.changes.replaced_size = self.changes.replaced_size.plus(size);
        for record in records {
            let open = self.open.get_or_insert_with(|| {
                Builder::new(record.offset, record.appended_at, BATCH_BYTES / 4)
            });
            open.push(
                record.offset,
                record.appended_at,
                &record.key,
                record.value.as_deref(),
            );
            if open.len() >= BATCH_BYTES {
                self.close();
            }
        }
    }

    /// Ends the batch being filled: what follows begins another.
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let (batch, size) = open.finish(Totals::default());
            self.changes.put_size = self.changes.put_size.plus(size);
            self.changes.put.push(batch);
        }
    }

    fn change_if_large(&mut self) -> Result<(), LogError> {
        let is_large = self.changes.replaced_size.bytes >= CHANGE_BYTES
            || self.changes.replaced.len() >= CHANGE_BATCHES;
        if !is_large {
            return Ok(());
        }
        self.close();
        self.change(None)
    }

    /// Makes the change; the last one notes how much had been appended when the partition was found clean.
    fn change(&mut self, appended_when_clean: Option<u64>) -> Result<(), LogError> {
        let Changes {
            replaced,
            replaced_size,
            put,
            put_size,
        } = std::mem::take(&mut self.changes);
        let standing = self.keeper.standing(self.at)?;
        let totals = standing.removed.totals.plus(replaced_size.minus(put_size));
        let appended_when_clean =
            appended_when_clean.unwrap_or(standing.removed.appended_when_clean);
        // What is put under the same key replaces it; a key both removed and put in one change would be neither.
        let is_put = |last: &u64| put.iter().any(|batch| batch.last == *last);
        let remove = replaced.into_iter().filter(|last| !is_put(last)).collect();
        let removed = Removed {
            totals,
            appended_when_clean,
        };
        self.keeper.rewrite(Rewrite {
            at: self.at,
            remove,
            put,
            removed,
        })
    }
}
