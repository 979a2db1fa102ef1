//! Models: trained again and again, shown beside what serves, promoted and rolled back.
//!
//! ```text
//!  foretide.examples ──┐                            ┌▶ a new model, where there is enough that is new ──▶ model/<target>/<version>
//!  foretide.decisions ─┴▶ window ─▶ rows: untreated,┤
//!                         certain, weighted         └▶ a look at all models on points they were not trained on
//!                                                        ├▶ promote, roll back ──▶ serving/<target>/<sequence>
//!                                                        └▶ what was seen ───────▶ report/<target>
//! ```
//!
//! What an attempt publishes goes to the log in one piece, the report first: whoever is killed in between has at worst counted a
//! challenger that is not there, which asks a little more of the next.

mod decided;
mod follow;
mod learning;
mod memory;
mod registry;
mod report;
mod shift;
mod standing;
mod task;

use std::{sync::Arc, time::Duration};

use foretide_events::{EpochMs, Text};
use foretide_models::Target;
use foretide_ports::{LogError, NewRecord, ServingCause, ServingChange, Versioned as _};
use foretide_runtime::CancellationToken;
use foretide_training::{
    TrainSettings,
    promotion::{Decision, PromotionSettings},
    window::Rows,
};
use tokio::time::{Instant, sleep};

use self::{
    follow::Follower,
    learning::{Learning, Thinning},
    memory::Memory,
    report::Told,
    shift::InputShift,
    standing::Standing,
    task::{Done, Task},
};
use crate::{
    TrainerConfig, TrainerParts,
    aside::Broke,
    rhythm::{Rhythm, Rhythmic},
};

/// How often to look whether all has been read.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Trains models again and again, and says which serve.
pub(crate) struct ModelTrainer {
    parts: TrainerParts,
    learning: Arc<Learning>,
    promotion: PromotionSettings,
    /// How far apart points of one shopper lie that do not share a fate of drift, in milliseconds.
    horizon_ms: i64,
    training: TrainSettings,
    seed: u64,
    rhythm: Rhythm,
    /// Whether what former trainers remembered is known.
    has_remembered: bool,
    /// The version of the cohorts that the last attempt's models are bound to; `None` before the first.
    #[expect(
        clippy::option_option,
        reason = "there may be no cohorts, and there may have been no attempt"
    )]
    bound_to: Option<Option<Text<64>>>,
    /// How far the inputs of what serves have shifted, by target.
    shifts: [InputShift; Target::ALL.len()],
}

/// How an attempt ended for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Another model serves soon, because it proved better.
    Promoted,
    /// What served before serves again soon.
    RolledBack,
    /// There is a new model, and what serves goes on.
    Trained,
    /// There was nothing new to learn from, and what serves goes on.
    Kept,
    /// There are too few examples, or they are all of one label.
    TooLittle,
    Failed,
}

/// Why models could not be trained.
#[derive(Debug, thiserror::Error)]
enum ModelsError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Broke(#[from] Broke),
}

impl Outcome {
    /// Its stable name.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Trained => "trained",
            Self::Kept => "kept",
            Self::TooLittle => "too_little",
            Self::Failed => "failed",
        }
    }
}

impl ModelTrainer {
    /// A trainer that does nothing until it is run, and learns from what its [follower](Self::follower) reads.
    pub(crate) fn new(parts: TrainerParts, config: &TrainerConfig) -> Self {
        let window = config.window(&parts.rules);
        let (drift, horizon_ms) = (window.drift, window.drift.horizon_ms);
        Self {
            parts,
            learning: Arc::new(Learning::new(window, config.other_drift(&drift))),
            promotion: PromotionSettings::default(),
            horizon_ms,
            training: TrainSettings {
                threads: usize::from(config.training_threads),
                ..TrainSettings::default()
            },
            seed: config.learning_seed,
            rhythm: Rhythm::of(config.training_interval()),
            has_remembered: false,
            bound_to: None,
            shifts: Default::default(),
        }
    }

    /// Who reads what it learns from. It is to be run beside.
    pub(crate) fn follower(&self) -> Follower {
        Follower::new(&self.parts, Arc::clone(&self.learning))
    }

    /// Takes up what was remembered of how many shoppers points are to be held. Returns whether they are.
    fn remember(&mut self) -> bool {
        if !self.has_remembered {
            self.has_remembered = true;
            let reports = &self.parts.artefacts.reports;
            let thinning = Thinning::of(|target| Memory::of(reports, target).thinning);
            self.learning.thin(thinning);
        }
        self.learning.is_complete()
    }
}

impl Rhythmic for ModelTrainer {
    /// Whether it is time: at the interval, and whenever other cohorts have begun to serve. Never before all examples and decisions were read that there are, nor before it is known what is published.
    fn is_due(&self) -> bool {
        let reports = &self.parts.artefacts.reports;
        // Another trainer's count as well, whatever became of them.
        let reported = |target: Target| reports.get(target.as_str()).map(|report| report.at);
        let all: Option<Vec<EpochMs>> = Target::ALL.into_iter().map(reported).collect();
        let earliest = all.and_then(|all| all.into_iter().min());
        (self.rhythm.is_due(earliest, self.parts.now()) || self.has_other_cohorts(earliest))
            && self.parts.artefacts_ready.is_ready()
            && (self.learning.is_complete() || !self.has_remembered)
    }

    async fn attempt(&mut self, stop: &CancellationToken) {
        if !self.remember() {
            return;
        }
        self.rhythm.begin();
        if !self.has_caught_up(stop).await {
            return;
        }
        self.bound_to = Some(self.cohorts());
        let (mut has_failed, mut again) = (false, false);
        for target in Target::ALL {
            match self.attempt_for(target, stop).await {
                Ok(Some(outcome)) => has_failed |= outcome == Outcome::Failed,
                Ok(None) => again = true,
                Err(error) => {
                    tracing::warn!(
                        %error,
                        predicts = %target,
                        "no model could be trained or published: what serves goes on serving, and it is tried again"
                    );
                    self.count(target, Outcome::Failed);
                    has_failed = true;
                }
            }
        }
        self.rhythm.end(has_failed);
        if again {
            self.rhythm.soon();
        }
    }
}

impl ModelTrainer {
    /// The version of the cohorts that serves.
    fn cohorts(&self) -> Option<Text<64>> {
        let serving = self.parts.artefacts.cohorts.at(self.parts.now())?;
        Some(serving.version.clone())
    }

    /// Whether other cohorts serve than at the last attempt, and than at the earliest last report, which another trainer may have made: the
    /// models of then are served without corrections, so there are to be new ones at once.
    fn has_other_cohorts(&self, reported: Option<EpochMs>) -> bool {
        let bound_to = self.bound_to.as_ref();
        let serving = self.parts.artefacts.cohorts.at(self.parts.now());
        let is_reported = serving.is_some_and(|serving| reported > Some(serving.since));
        !is_reported && bound_to.is_some_and(|bound_to| *bound_to != self.cohorts())
    }

    /// Waits until all is read that is on the log now, so that a model does not rest on a part of the past only because there is much
    /// of it; `false` if `stop` came first.
    async fn has_caught_up(&self, stop: &CancellationToken) -> bool {
        self.learning.ask();
        let caught_up = async {
            while !self.learning.is_complete() {
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = caught_up => true,
        }
    }

    /// `None` where points have to be read first, or the process ends.
    async fn attempt_for(
        &mut self,
        target: Target,
        stop: &CancellationToken,
    ) -> Result<Option<Outcome>, ModelsError> {
        let began = Instant::now();
        let (learning, now) = (Arc::clone(&self.learning), self.parts.now());
        let held = i64::try_from(learning.held(target)).unwrap_or(i64::MAX);
        let shown = &self.parts.metrics.window;
        shown.with_label_values(&[target.as_str()]).set(held);
        let rows = self
            .parts
            .aside
            // Not at a low priority: those who follow the log wait for the window meanwhile.
            .read(stop, move || learning.rows(target, now));
        let Some(rows) = rows.await?.flatten() else {
            return Ok(None);
        };
        let task = self.task(target, rows);
        let standing = task.standing.clone();
        let Some(done) = self.parts.aside.fit(stop, move || task.work()).await? else {
            return Ok(None);
        };
        let took = began.elapsed();
        let metrics = &self.parts.metrics;
        let seconds = metrics.training.with_label_values(&[target.as_str()]);
        seconds.observe(took.as_secs_f64());
        self.shifts[target as usize].look(
            target,
            standing.serving.as_deref(),
            &done.rows,
            &self.parts.metrics,
        );
        let change = self.change(target, &standing, &done);
        let told = Told::of(target, &done, change.as_ref(), self.learning.measure());
        let outcome = told.outcome();
        let old = registry::outlived(&self.parts.artefacts.models, target, &standing, now);
        self.publish(&done, change, old, &told, took).await?;
        self.count(target, outcome);
        Ok(Some(outcome))
    }

    fn task(&self, target: Target, rows: Rows) -> Task {
        let artefacts = &self.parts.artefacts;
        let now = self.parts.now();
        let standing = Standing::of(&artefacts.models, target, now);
        let mut memory = Memory::of(&artefacts.reports, target);
        memory.thinning = self.learning.reading().1.exponent(target);
        let cohorts = artefacts.cohorts.at(now);
        let known_cohorts = standing
            .models()
            .filter_map(|model| artefacts.cohorts.get(model.model.cohorts()?))
            .chain(cohorts.clone())
            .map(|version| {
                let next = artefacts.cohorts.after(&version.version);
                (version, next.map(|next| next.since))
            })
            .collect();
        Task {
            target,
            now,
            rows,
            memory,
            known_cohorts,
            cohorts,
            reference: Text::new(artefacts.references.at(now).version()).unwrap_or_default(),
            promotion: self.promotion.clone(),
            gap_ms: self.learning.certain_after_ms(target),
            apart_ms: match target {
                Target::Drift => self.horizon_ms,
                Target::Abandonment => 0,
            },
            training: self.training.clone(),
            seed: self.seed,
            standing,
        }
    }

    /// What is to serve, if another model than now.
    fn change(&self, target: Target, standing: &Standing, done: &Done) -> Option<ServingChange> {
        // Whoever changed it meanwhile, by hand or another trainer, is not overruled by a comparison with what no longer serves.
        let now = Standing::of(&self.parts.artefacts.models, target, self.parts.now());
        if now.newest_since != standing.newest_since {
            return None;
        }
        let (version, cause) = match &done.look.as_ref()?.decision {
            Decision::Keep => return None,
            Decision::Promote { version, .. } => (Some(version.clone()), ServingCause::Promoted),
            Decision::RollBack { .. } => {
                let former = standing.former.as_ref()?;
                let version = former.as_ref().map(|former| former.version.clone());
                (version, ServingCause::RolledBack)
            }
        };
        Some(ServingChange {
            target,
            // As it was when the look began: what a person decided meanwhile has the same one, and counts in its place.
            sequence: standing.next_sequence,
            version,
            since: self.parts.next_since(standing.newest_since),
            cause,
            by: self.parts.instance.clone(),
            by_hand: false,
        })
    }

    async fn publish(
        &self,
        done: &Done,
        change: Option<ServingChange>,
        old: Vec<NewRecord>,
        told: &Told,
        took: Duration,
    ) -> Result<(), ModelsError> {
        let now = self.parts.now();
        let mut records: Vec<NewRecord> = vec![told.report(&done.memory, now, took).record()?];
        if let Some(Ok(model)) = &done.trained {
            records.push(model.record()?);
        }
        if let Some(change) = &change {
            records.push(change.record()?);
        }
        records.extend(old);
        self.parts.log.append(records).await?;
        if let Some(change) = &change {
            let labels = [change.target.as_str(), change.cause.as_str()];
            self.parts.metrics.changed.with_label_values(&labels).inc();
        }
        told.log(change.as_ref(), took);
        Ok(())
    }

    fn count(&self, target: Target, outcome: Outcome) {
        let labels = [target.as_str(), outcome.label()];
        self.parts.metrics.trained.with_label_values(&labels).inc();
    }
}

#[cfg(test)]
mod tests;
