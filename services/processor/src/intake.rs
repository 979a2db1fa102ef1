//! Handing records of the log on to the folding threads.

use std::collections::BTreeSet;

use async_trait::async_trait;
use foretide_ports::{Chunk, Records};

use crate::{ProcessorError, SourceCounts, pool::FoldPool};

/// While a commit is under way folding pauses when the next one would get larger than this, in bytes: the larger a commit, the
/// longer it takes and the more is folded meanwhile, and a log does not keep a transaction open for ever.
const MOST_MEANWHILE: usize = 64 * 1024 * 1024;

/// Takes records of partitions that are owned, be a commit under way or not: what was taken to be published before belongs to
/// that commit, what is folded now to the next.
pub(crate) struct Intake<'a> {
    pub(crate) pool: &'a FoldPool,
    pub(crate) counts: &'a SourceCounts,
    pub(crate) owned: &'a BTreeSet<u32>,
    /// Partitions owned of which nothing came since they were restored.
    pub(crate) unread: &'a mut BTreeSet<u32>,
    /// Whether there may be something to commit.
    pub(crate) unsettled: &'a mut bool,
    /// Why nothing more can be handed on, if so.
    pub(crate) failed: Option<ProcessorError>,
}

impl Intake<'_> {
    /// Lets the records of `chunk` be folded, if they are of a partition that is owned.
    pub(crate) async fn fold(&mut self, chunk: Chunk) -> Result<(), ProcessorError> {
        let partition = chunk.from.partition;
        if !self.owned.contains(&partition) {
            return Ok(());
        }
        self.mind_gap(&chunk);
        *self.unsettled |= chunk.next_offset > self.counts.applied(partition);
        self.pool.fold(chunk).await
    }

    /// Says so if records expired before anyone folded them. Folding goes on with what there is.
    fn mind_gap(&mut self, chunk: &Chunk) {
        let partition = chunk.from.partition;
        if !self.unread.remove(&partition) {
            return;
        }
        // Nothing is folded since the assignment: the position is as it was restored.
        let applied = self.counts.applied(partition);
        let next = chunk
            .records
            .first()
            .map_or(chunk.next_offset, |record| record.offset);
        if next > applied {
            tracing::warn!(
                partition,
                applied,
                next,
                "foretide.actions goes on behind a gap: records between expired before they were folded, or there were none"
            );
        }
    }
}

#[async_trait]
impl Records for Intake<'_> {
    async fn take(&mut self, chunk: Chunk) {
        if self.failed.is_none() {
            self.failed = self.fold(chunk).await.err();
        }
    }

    fn wants_more(&self) -> bool {
        self.failed.is_none() && self.pool.pending_bytes() < MOST_MEANWHILE
    }
}
