//! The reference: learning what is usual among shoppers, and when.

mod learn;
mod publish;

use std::sync::Arc;

use foretide_events::EpochMs;
use foretide_ports::{Artefacts, LogError, Versioned as _};
use foretide_runtime::CancellationToken;
use tokio::time::Instant;

use self::{
    learn::learn,
    publish::{next_version, outlived},
};
use crate::{
    TrainerConfig, TrainerParts,
    aside::Broke,
    parts::Incomplete,
    rhythm::{Rhythm, Rhythmic},
};

/// How many shoppers have to be known before a first reference is learnt.
const ENOUGH_SHOPPERS: usize = 100;

/// Learns the reference again and again.
pub(crate) struct ReferenceTrainer {
    parts: TrainerParts,
    rhythm: Rhythm,
    /// How the last attempt ended.
    last: Option<Outcome>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Published,
    Unchanged,
    Failed,
    Stopped,
}

/// Why a reference could not be learnt.
#[derive(Debug, thiserror::Error)]
enum ReferenceError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Broke(#[from] Broke),
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
}

impl Outcome {
    fn label(self) -> Option<&'static str> {
        match self {
            Self::Published => Some("published"),
            Self::Unchanged => Some("unchanged"),
            Self::Failed => Some("failed"),
            Self::Stopped => None,
        }
    }
}

impl ReferenceTrainer {
    /// A trainer that does nothing until it is run.
    pub(crate) fn new(parts: TrainerParts, config: &TrainerConfig) -> Self {
        Self {
            parts,
            rhythm: Rhythm::of(config.reference_interval()),
            last: None,
        }
    }
}

impl Rhythmic for ReferenceTrainer {
    /// Whether it is time to learn. Never from a part of the profiles, nor before it is known what is published.
    fn is_due(&self) -> bool {
        let parts = &self.parts;
        let newest = parts.artefacts.references.newest();
        self.rhythm
            .is_due(newest.map(|newest| newest.since), parts.now())
            && parts.knows_all()
            && parts.table.len() >= ENOUGH_SHOPPERS
    }

    async fn attempt(&mut self, stop: &CancellationToken) {
        self.rhythm.begin();
        let outcome = self.learn(stop).await.unwrap_or_else(|error| {
            tracing::warn!(
                %error,
                "the reference could not be learnt or published: the last one goes on serving, and it is tried again"
            );
            Outcome::Failed
        });
        if let Some(label) = outcome.label() {
            self.parts.metrics.learnt.with_label_values(&[label]).inc();
        }
        self.rhythm.end(outcome == Outcome::Failed);
        self.last = Some(outcome);
    }
}

impl ReferenceTrainer {
    async fn learn(&self, stop: &CancellationToken) -> Result<Outcome, ReferenceError> {
        let parts = &self.parts;
        let (table, end) = (Arc::clone(&parts.table), stop.clone());
        let began = Instant::now();
        let learning = parts.aside.read(stop, move || learn(&table, &end));
        let Some(learnt) = learning.await?.flatten() else {
            return Ok(Outcome::Stopped);
        };
        let took = began.elapsed();
        parts.metrics.learning.observe(took.as_secs_f64());
        parts.still_knows_all()?;
        let now = parts.now();
        self.clear(now).await?;
        let Some(version) = next_version(learnt, &parts.artefacts.references, now) else {
            tracing::debug!("what is usual among shoppers has hardly changed");
            return Ok(Outcome::Unchanged);
        };
        // Clearing away took time, too.
        parts.still_knows_all()?;
        parts.log.append(vec![version.record()?]).await?;
        tracing::info!(
            version = &*version.version,
            since = %version.since,
            shoppers = version.shoppers,
            price_levels = version.reference.levels().count(),
            learning_ms = took.as_millis(),
            "published what is usual among shoppers"
        );
        Ok(Outcome::Published)
    }

    /// Takes away what nobody asks for any more.
    async fn clear(&self, now: EpochMs) -> Result<(), LogError> {
        let Artefacts {
            references,
            cohorts,
            ..
        } = &self.parts.artefacts;
        // The cohorts that serve may be older than the references that came since.
        let serving = cohorts.at(now);
        let in_use = |name: &str| {
            let named = serving.as_ref().map(|version| &*version.cohorts.reference);
            named.is_some_and(|named| named == name)
        };
        let old = outlived(references, now, in_use);
        if old.is_empty() {
            return Ok(());
        }
        let tombstones = old.iter().map(|version| version.tombstone()).collect();
        self.parts.log.append(tombstones).await?;
        tracing::info!(
            versions = old.len(),
            "removed references that served long ago"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests;
