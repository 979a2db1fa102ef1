//! Letting go of what is too old.

use foretide_events::EpochMs;
use foretide_ports::{LogError, TopicPartition};

use crate::{
    batch::{self, Totals},
    keeper::Keeper,
    store::{Removed, damaged},
    writer::Rewrite,
};

/// The most batches that one change removes.
const BATCHES: usize = 512;
/// Nothing is removed before the oldest batch is this share of the retention too old. The store has to merge what it holds
/// when old keys are removed beside new ones, so it is done seldom and for many: every day of thirty.
const SLACK: i64 = 32;

/// Removes the batches of `at` whose records are all older than `retention_ms`, but never the newest: it knows where the
/// partition ends. Does nothing while the oldest is only a little too old.
pub(crate) fn expire(
    keeper: &Keeper,
    at: TopicPartition,
    retention_ms: i64,
    now: EpochMs,
) -> Result<(), LogError> {
    let due_ms = retention_ms.saturating_add(retention_ms / SLACK);
    let oldest = keeper.store()?.batches(at, 0).next().transpose()?;
    if oldest.is_none_or(|(_, head, _)| now.since(head.first_at) <= due_ms) {
        return Ok(());
    }
    loop {
        let standing = keeper.standing(at)?;
        let mut remove = Vec::new();
        let mut gone = Totals::default();
        for entry in keeper.store()?.batches(at, 0) {
            let (last, head, value) = entry?;
            let is_old = |appended_at: EpochMs| now.since(appended_at) > retention_ms;
            if last + 1 == standing.end || remove.len() == BATCHES || !is_old(head.first_at) {
                break;
            }
            let mut records = Vec::new();
            batch::records(&value, last, &mut records).map_err(|why| damaged(at, last, why))?;
            if !records.iter().all(|record| is_old(record.appended_at)) {
                break;
            }
            gone = gone.plus(Totals {
                records: head.count.into(),
                bytes: value.len() as u64,
            });
            remove.push(last);
        }
        if remove.is_empty() {
            return Ok(());
        }
        let removed = Removed {
            totals: standing.removed.totals.plus(gone),
            ..standing.removed
        };
        let is_done = remove.len() < BATCHES;
        keeper.rewrite(Rewrite {
            at,
            remove,
            put: Vec::new(),
            removed,
        })?;
        if is_done {
            return Ok(());
        }
    }
}
