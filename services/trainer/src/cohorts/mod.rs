//! Cohorts: re-forming them again and again, and publishing what is worth it.
//!
//! ```text
//!  table ──▶ a sample, read as of the newest known ──▶ Reformer ──▶ refused ───────────────▶ report: why
//!                                                         │ accepted
//!                                                         ├─▶ hardly another ──────────────▶ report: unchanged
//!                                                         └─▶ all shoppers counted ─┬──────▶ cohorts/<version>, report
//!                                                                                   └ too small a cohort ▶ report: why
//! ```
//!
//! What serves goes on serving until another version does, whatever happens here.

mod gather;
mod publish;
mod report;

use std::sync::Arc;

use foretide_cohorts::{Cohorts, Reformer, Reforming, Settings};
use foretide_events::{EpochMs, Text};
use foretide_features::Reference;
use foretide_ports::{CohortsVersion, LogError, Versioned as _};
use foretide_runtime::CancellationToken;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::{
    gather::{Gathered, View, newest_of},
    publish::{matters, outlived, version_of},
    report::Told,
};
use crate::{
    TrainerConfig, TrainerParts,
    aside::Broke,
    parts::Incomplete,
    rhythm::{Rhythm, Rhythmic},
    sample::Chosen,
};

/// What the report on cohorts is called.
pub(crate) const KIND: &str = "cohorts";

/// Re-forms the cohorts again and again.
pub(crate) struct CohortTrainer {
    parts: TrainerParts,
    settings: Settings,
    sample: usize,
    seed: u64,
    rhythm: Rhythm,
    /// How the last attempt ended.
    last: Option<Outcome>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Another version serves soon.
    Published,
    /// What serves is as good.
    Unchanged,
    /// What was formed must not serve.
    Refused,
    /// There are too few shoppers to form any.
    TooLittle,
    Failed,
    Stopped,
}

/// Why cohorts could not be formed.
#[derive(Debug, thiserror::Error)]
enum CohortsError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Broke(#[from] Broke),
    #[error("the settings of cohorts: {0}")]
    Settings(#[from] foretide_cohorts::SettingsError),
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
}

impl Outcome {
    /// Its stable name; `None` where nothing came of it because the process ends.
    pub(crate) fn label(self) -> Option<&'static str> {
        Some(match self {
            Self::Published => "published",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
            Self::TooLittle => "too_little",
            Self::Failed => "failed",
            Self::Stopped => return None,
        })
    }
}

/// What one re-forming starts from.
struct Task {
    /// What its draws follow from.
    seed: u64,
    /// From about when on it serves.
    since: EpochMs,
    reference: Arc<Reference>,
    serving: Option<Arc<CohortsVersion>>,
}

/// What was formed.
struct Formed {
    reforming: Reforming,
    /// How many shoppers were looked at, held-out ones included.
    sampled: u64,
    /// How many there are, about.
    shoppers: u64,
}

impl CohortTrainer {
    /// A trainer that does nothing until it is run.
    pub(crate) fn new(parts: TrainerParts, config: &TrainerConfig) -> Self {
        Self {
            parts,
            settings: config.cohorts(),
            sample: config.cohorts_sample as usize,
            seed: config.learning_seed,
            rhythm: Rhythm::of(config.cohorts_interval()),
            last: None,
        }
    }
}

impl Rhythmic for CohortTrainer {
    /// Whether it is time. Never from a part of the profiles, nor before it is known what is published.
    fn is_due(&self) -> bool {
        let parts = &self.parts;
        // Another trainer's count as well, whatever became of them.
        let reported = parts.artefacts.reports.get(KIND).map(|report| report.at);
        let last = parts.artefacts.cohorts.newest().map(|newest| newest.since);
        let last = last.map(|since| reported.map_or(since, |at| at.max(since)));
        let (fewest, _) = self.settings.cohorts.range();
        let enough = self.settings.minimum_size.saturating_mul(fewest as u64);
        self.rhythm.is_due(last, parts.now())
            && parts.knows_all()
            && parts.table.len() as u64 >= enough
    }

    async fn attempt(&mut self, stop: &CancellationToken) {
        self.rhythm.begin();
        let began = Instant::now();
        let outcome = match self.reform(stop).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::warn!(
                    %error,
                    "the cohorts could not be formed or published: the last ones go on serving, and it is tried again"
                );
                Outcome::Failed
            }
        };
        if let Some(label) = outcome.label() {
            let metrics = &self.parts.metrics;
            metrics.reformed.with_label_values(&[label]).inc();
            metrics.reforming.observe(began.elapsed().as_secs_f64());
        }
        self.rhythm.end(outcome == Outcome::Failed);
        self.last = Some(outcome);
    }
}

impl CohortTrainer {
    async fn reform(&self, stop: &CancellationToken) -> Result<Outcome, CohortsError> {
        let began = Instant::now();
        let task = self.task();
        let Some((at, gathered)) = self.gather(&task, stop).await? else {
            return Ok(Outcome::Stopped);
        };
        let Some(formed) = self.form(&task, gathered, stop).await? else {
            return Ok(Outcome::Stopped);
        };
        let mut told = Told::of(&formed, task.seed);
        let moved = told.moved();
        let references = &self.parts.artefacts.references;
        if let Some(serving) = &task.serving
            // They go by the reference that they were formed under.
            && let Some(reference) = references.named(&serving.cohorts.reference)
        {
            let sizes = self.count(Arc::clone(&serving.cohorts), at, reference, stop);
            let Some(sizes) = sizes.await? else {
                return Ok(Outcome::Stopped);
            };
            told.counted(serving, sizes);
        }
        let Some(candidate) = formed.reforming.accepted() else {
            return self.tell(told, None, began).await;
        };
        if !matters(&candidate, moved) {
            told.unchanged();
            return self.tell(told, None, began).await;
        }
        let candidate = Arc::new(candidate);
        let reference = Arc::clone(&task.reference);
        let sizes = self.count(Arc::clone(&candidate), at, reference, stop);
        let sizes = sizes.await?;
        let Some(counted) = sizes.and_then(|sizes| Cohorts::clone(&candidate).counted(&sizes))
        else {
            return Ok(Outcome::Stopped);
        };
        if told.has_too_small(&counted, self.settings.minimum_size) {
            return self.tell(told, None, began).await;
        }
        let known = &self.parts.artefacts.cohorts;
        let newest = known.newest();
        let name = |version: &Option<Arc<CohortsVersion>>| {
            version.as_ref().map(|known| known.version.clone())
        };
        if name(&newest) != name(&task.serving) {
            told.overtaken();
            return self.tell(told, None, began).await;
        }
        let since = self.parts.next_since(newest.map(|newest| newest.since));
        let version = version_of(counted, at, since, known);
        self.tell(told, Some(version), began).await
    }

    fn task(&self) -> Task {
        let artefacts = &self.parts.artefacts;
        let now = self.parts.now();
        let newest = artefacts.cohorts.newest();
        let since = self
            .parts
            .next_since(newest.as_ref().map(|newest| newest.since));
        Task {
            seed: xxh3_64_with_seed(&now.0.to_le_bytes(), self.seed),
            since,
            reference: artefacts.references.at(since),
            serving: newest,
        }
    }

    /// Gathers a sample, and says at which instant it was read: that of the newest that is known, so that a shop whose past has
    /// been imported is not told that everybody has been away for years; at the latest, from when on the cohorts serve.
    async fn gather(
        &self,
        task: &Task,
        stop: &CancellationToken,
    ) -> Result<Option<(EpochMs, Gathered)>, Broke> {
        let (features, most, seed) = (self.settings.features.clone(), self.sample, task.seed);
        let (since, table, end) = (task.since, Arc::clone(&self.parts.table), stop.clone());
        let choosing = move || {
            let chosen = Chosen::of(&table, most, seed, &end)?;
            let newest = newest_of(&table, &chosen, &end).unwrap_or(since);
            Some((newest.min(since), chosen))
        };
        let Some((at, chosen)) = self.parts.aside.read(stop, choosing).await?.flatten() else {
            return Ok(None);
        };
        let reference = Arc::clone(&task.reference);
        let reading = self.viewing(at, reference, stop, move |view| {
            view.gather(&features, &chosen)
        });
        let gathered = reading.await?.flatten();
        Ok(gathered.map(|gathered| (at, gathered)))
    }

    /// How many of all shoppers are in each of `cohorts` at `at`; `None` if asked to end.
    async fn count(
        &self,
        cohorts: Arc<Cohorts>,
        at: EpochMs,
        reference: Arc<Reference>,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<u64>>, Broke> {
        let counting = self.viewing(at, reference, stop, move |view| view.count(&cohorts));
        Ok(counting.await?.flatten())
    }

    /// Reads profiles as they are at `at`, at the usual priority.
    async fn viewing<R: Send + 'static>(
        &self,
        at: EpochMs,
        reference: Arc<Reference>,
        stop: &CancellationToken,
        read: impl FnOnce(View<'_>) -> R + Send + 'static,
    ) -> Result<Option<R>, Broke> {
        let (table, rules) = (Arc::clone(&self.parts.table), self.parts.rules);
        let end = stop.clone();
        let work = move || {
            read(View {
                table: &table,
                rules: &rules,
                reference: &reference,
                at,
                stop: &end,
            })
        };
        self.parts.aside.read(stop, work).await
    }

    /// Forms a candidate at the lowest priority.
    async fn form(
        &self,
        task: &Task,
        gathered: Gathered,
        stop: &CancellationToken,
    ) -> Result<Option<Formed>, CohortsError> {
        let reformer = Reformer::new(self.settings.clone(), task.seed)?;
        let (serving, since) = (task.serving.clone(), task.since);
        let reference = Text::new(task.reference.version()).unwrap_or_default();
        let work = move || {
            let serving = serving.as_ref().map(|serving| &*serving.cohorts);
            let Gathered { train, held_out } = &gathered;
            let reforming = reformer.reform(train, held_out, serving, since, &reference);
            Formed {
                sampled: (train.len() + held_out.len()) as u64,
                shoppers: train.shoppers(),
                reforming,
            }
        };
        Ok(self.parts.aside.fit(stop, work).await?)
    }

    /// Publishes what came of it, and tells.
    async fn tell(
        &self,
        mut told: Told,
        version: Option<CohortsVersion>,
        began: Instant,
    ) -> Result<Outcome, CohortsError> {
        self.parts.still_knows_all()?;
        let now = self.parts.now();
        let mut records = Vec::new();
        if let Some(version) = &version {
            told.published(version);
            records.push(version.record()?);
        }
        let (outcome, took) = (told.outcome(), began.elapsed());
        records.push(told.report(now, took).record()?);
        let old = outlived(&self.parts.artefacts.cohorts, now);
        records.extend(old.iter().map(|version| version.tombstone()));
        self.parts.log.append(records).await?;
        told.show(&self.parts.metrics);
        told.log(version.as_ref(), took);
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests;
