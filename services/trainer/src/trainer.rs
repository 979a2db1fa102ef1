//! The loop: when to learn, and what becomes of it.

use std::{sync::Arc, time::Duration};

use foretide_events::EpochMs;
use foretide_ports::{Log, LogError, ProfileTable, References};
use foretide_runtime::{CancellationToken, Component, SharedClock};
use tokio::{
    task::{JoinError, spawn_blocking},
    time::{Instant, sleep},
};

use crate::{
    TrainerConfig, TrainerMetrics,
    learn::learn,
    publish::{next_version, outlived},
};

/// How often to look whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many shoppers have to be known before a first reference is learnt.
const ENOUGH_SHOPPERS: usize = 100;
/// How long to wait after an attempt that brought nothing while there is none, or that failed.
const TRY_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// What a trainer works with.
pub struct TrainerParts {
    /// Where it publishes.
    pub log: Arc<dyn Log>,
    /// All profiles.
    pub table: Arc<ProfileTable>,
    /// What is published, by itself and by others.
    pub references: Arc<References>,
    /// Whether `references` are those of the log.
    pub references_ready: Component,
    /// The time of day.
    pub clock: SharedClock,
    /// What it counts.
    pub metrics: TrainerMetrics,
}

/// Learns the reference again and again.
pub struct Trainer {
    parts: TrainerParts,
    interval: Duration,
    /// When it last tried, and how that ended.
    last: Option<(Instant, Outcome)>,
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
enum TrainerError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("learning broke off: {0}")]
    Died(#[from] JoinError),
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

impl Trainer {
    /// A trainer that does nothing until it is [run](Self::run).
    pub fn new(parts: TrainerParts, config: TrainerConfig) -> Self {
        Self {
            parts,
            interval: config.reference_interval(),
            last: None,
        }
    }

    /// Learns until `stop`. What fails is told and tried again.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if self.is_due() {
                self.attempt(&stop).await;
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Whether it is time to learn. Never from a part of the profiles, nor before it is known what is published.
    fn is_due(&self) -> bool {
        let parts = &self.parts;
        let waited = |time: Duration| self.last.is_none_or(|(at, _)| at.elapsed() >= time);
        let failed = matches!(self.last, Some((_, Outcome::Failed)));
        let is_time = match parts.references.newest() {
            _ if failed => waited(TRY_AGAIN_AFTER.min(self.interval)),
            None => waited(TRY_AGAIN_AFTER.min(self.interval)),
            // Another trainer's counts as well.
            Some(newest) => {
                let age_ms = EpochMs(parts.clock.now_ms()).since(newest.since);
                let interval_ms = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX);
                age_ms >= interval_ms && waited(self.interval)
            }
        };
        let complete = |partition| parts.table.fresh_as_of(partition).is_some();
        is_time
            && parts.references_ready.is_ready()
            && (0..parts.table.partitions()).all(complete)
            && parts.table.len() >= ENOUGH_SHOPPERS
    }

    async fn attempt(&mut self, stop: &CancellationToken) {
        let began = Instant::now();
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
        self.last = Some((began, outcome));
    }

    async fn learn(&self, stop: &CancellationToken) -> Result<Outcome, TrainerError> {
        let parts = &self.parts;
        let (table, stop) = (Arc::clone(&parts.table), stop.clone());
        let began = Instant::now();
        let Some(learnt) = spawn_blocking(move || learn(&table, &stop)).await? else {
            return Ok(Outcome::Stopped);
        };
        let took = began.elapsed();
        parts.metrics.learning.observe(took.as_secs_f64());
        let now = EpochMs(parts.clock.now_ms());
        self.clear(now).await?;
        let Some(version) = next_version(learnt, &parts.references, now) else {
            tracing::debug!("what is usual among shoppers has hardly changed");
            return Ok(Outcome::Unchanged);
        };
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
        let old = outlived(&self.parts.references, now);
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
