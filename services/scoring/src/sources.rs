//! What became of the events of one write key or import run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use foretide_events::{RejectionReason, SourceId};
use foretide_ports::{ACTIONS, Log, LogError};
use foretide_processor::{SourceCounts, SourceSummary};
use serde::Serialize;

/// The receipts and fates of one source's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceAnswer {
    /// Fates, as the fold counts them from the log.
    #[serde(flatten)]
    pub counts: SourceSummary,
    /// Refused events by reason, as ingest counts them since it started.
    pub rejected: BTreeMap<RejectionReason, u64>,
    /// Whether everything that was on the log when the question came has been folded.
    pub complete: bool,
}

/// Tells what became of a source's events, wherever they are folded.
#[async_trait]
pub trait SourceReader: Send + Sync + 'static {
    /// The counts of `source`, waiting up to `wait` until all that the log holds now is folded.
    async fn read(&self, source: &SourceId, wait: Duration) -> Result<SourceAnswer, LogError>;
}

/// What ingest refused of a source, by reason.
pub type RejectedOf = dyn Fn(&SourceId) -> BTreeMap<RejectionReason, u64> + Send + Sync;

/// Counts that are kept in this process, by the processor itself or by a follower of what it publishes.
pub struct LocalSources {
    /// Tells how far there is to fold.
    pub log: Arc<dyn Log>,
    /// The fates.
    pub counts: Arc<SourceCounts>,
    /// What ingest refused of a source.
    pub rejected: Arc<RejectedOf>,
}

#[async_trait]
impl SourceReader for LocalSources {
    async fn read(&self, source: &SourceId, wait: Duration) -> Result<SourceAnswer, LogError> {
        let ends = self.log.end_offsets(ACTIONS).await?;
        let complete = self.counts.wait_applied(&ends, wait).await;
        Ok(SourceAnswer {
            counts: self.counts.of(source),
            rejected: (self.rejected)(source),
            complete,
        })
    }
}
