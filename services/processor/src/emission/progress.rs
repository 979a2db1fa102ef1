//! How far a partition has told what follows from its profiles: part of its counts, and so of each commit.

use foretide_events::{EpochMs, ShopperId};
use serde::{Deserialize, Serialize};

/// How far a partition is. The default knows nothing of what was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmissionProgress {
    /// Points of drift up to this instant, in epoch milliseconds, are told of everyone but those below.
    pub(crate) told_until_ms: Option<i64>,
    /// Of shoppers whose profile has applied this offset or a later one, the last points may not be told.
    pub(crate) untold_from: Option<u64>,
    /// The version of the cohorts that shoppers are in.
    pub(crate) cohorts: Option<String>,
    /// Where shoppers are still being moved there: from which version, and who was the last to be looked at. Those behind are
    /// in the former one.
    pub(crate) moving: Option<(String, Option<ShopperId>)>,
}

impl EmissionProgress {
    #[cfg(test)]
    pub(crate) fn told(until: EpochMs) -> Self {
        Self {
            told_until_ms: Some(until.0),
            ..Self::default()
        }
    }

    pub(crate) fn told_until(&self) -> Option<EpochMs> {
        self.told_until_ms.map(EpochMs)
    }

    pub(crate) fn set_told_until(&mut self, at: Option<EpochMs>) {
        self.told_until_ms = at.map(|at| at.0);
    }
}
