//! What the handlers work with.

use std::sync::Arc;

use foretide_host::LogHealth;
use foretide_http::{Keys, MemoryBudget};
use foretide_ports::Log;
use foretide_privacy::Pseudonymiser;
use foretide_runtime::SharedClock;

use crate::{IngestConfig, IngestMetrics, RejectedCounts};

/// What the handlers work with.
#[derive(Clone)]
pub struct IngestState {
    /// Where events go.
    pub log: Arc<dyn Log>,
    /// Whether the log is there: [`foretide_host::watch_log`] says so. Nothing is taken while it is not.
    pub log_health: LogHealth,
    /// The number of partitions of the topic of actions.
    pub partitions: u32,
    /// Makes pseudonyms of raw ids.
    pub pseudonymiser: Arc<Pseudonymiser>,
    /// Tells when a request came in.
    pub clock: SharedClock,
    /// Tells who calls.
    pub keys: Keys,
    /// Bounds the bodies held at once.
    pub budget: MemoryBudget,
    /// What is let in.
    pub config: IngestConfig,
    /// What is counted.
    pub metrics: IngestMetrics,
    /// What was rejected, by source.
    pub rejected: RejectedCounts,
}
