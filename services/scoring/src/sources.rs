//! What became of the events of one write key or import run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use foretide_events::{RejectionReason, SourceId};
use foretide_ports::{
    Log, LogError,
    store::{Store, StoreError},
};
use foretide_processor::{SourceCounts, SourceSummary};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::timeout;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The receipts and fates of one source's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceAnswer {
    /// Fates, as the fold counts them from the log.
    #[serde(flatten)]
    pub counts: SourceSummary,
    /// Refused events by reason, as all instances of ingest count them.
    pub rejected: BTreeMap<RejectionReason, u64>,
    /// Whether everything that was on the log when the question came has been folded and published, and every link of an anonymous
    /// shopper to a known one that it tells is applied.
    pub complete: bool,
}

/// Why it cannot be told now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The log cannot say how far it reaches.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database cannot say how many were rejected.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Tells what became of a source's events, wherever they are folded.
#[async_trait]
pub trait SourceReader: Send + Sync + 'static {
    /// The counts of `source`, waiting up to `wait` until all that the log holds now is folded.
    async fn read(&self, source: &SourceId, wait: Duration) -> Result<SourceAnswer, SourceError>;
}

/// Tells how many events of a source were rejected, by reason, wherever.
#[async_trait]
pub trait Rejections: Send + Sync + 'static {
    /// Those of `source`.
    async fn of(&self, source: &SourceId) -> Result<BTreeMap<RejectionReason, u64>, StoreError>;
}

/// The rejections that instances of ingest have added to the store: all but those of about the last second.
pub struct StoredRejections(pub Arc<dyn Store>);

#[async_trait]
impl Rejections for StoredRejections {
    async fn of(&self, source: &SourceId) -> Result<BTreeMap<RejectionReason, u64>, StoreError> {
        self.0.rejections(source).await
    }
}

/// Fates that are known in this process, from the processor itself or from what processors publish.
pub struct LocalSources {
    /// Tells how far there is to fold.
    pub log: Arc<dyn Log>,
    /// The fates.
    pub counts: Arc<SourceCounts>,
    /// What ingest refused.
    pub rejections: Arc<dyn Rejections>,
}

#[async_trait]
impl SourceReader for LocalSources {
    async fn read(&self, source: &SourceId, wait: Duration) -> Result<SourceAnswer, SourceError> {
        let complete = self.counts.wait_complete(&*self.log, wait).await?;
        let rejected = timeout(PATIENCE, self.rejections.of(source)).await;
        let rejected = rejected.unwrap_or_else(|_| {
            let waited = PATIENCE.as_secs();
            Err(StoreError::Away(format!("no answer within {waited} s")))
        });
        Ok(SourceAnswer {
            counts: self.counts.of(source),
            rejected: rejected?,
            complete,
        })
    }
}
