//! The work of one attempt, apart from the process: what it comes to follows from the task alone.

use std::sync::Arc;

use foretide_events::{EpochMs, Text};
use foretide_models::{Model, Target};
use foretide_ports::{CohortsVersion, LogError, ModelVersion, Versioned as _};
use foretide_training::{
    NotTrained, TrainSettings, Trained, Training,
    promotion::{Challenger, Field, Look, PromotionSettings, Scores, look},
    train,
    window::Rows,
};

use super::{
    memory::{Basis, Memory},
    registry::CHALLENGERS,
    standing::Standing,
};

/// All that an attempt for one target works with.
pub(super) struct Task {
    pub(super) target: Target,
    pub(super) now: EpochMs,
    pub(super) rows: Rows,
    pub(super) standing: Standing,
    pub(super) memory: Memory,
    /// The cohorts that a new model corrects for.
    pub(super) cohorts: Option<Arc<CohortsVersion>>,
    /// These, and those that the models at hand were trained with.
    pub(super) known_cohorts: Vec<Arc<CohortsVersion>>,
    /// The reference that serves.
    pub(super) reference: Text<64>,
    pub(super) promotion: PromotionSettings,
    pub(super) training: TrainSettings,
    /// The gap between what a model is trained on and what it is judged on, in milliseconds.
    pub(super) gap_ms: i64,
    /// How far apart points of one shopper lie that do not share a fate, in milliseconds.
    pub(super) apart_ms: i64,
    pub(super) seed: u64,
}

/// Why there is no new model, though there is something new to learn from.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoModel {
    #[error(transparent)]
    NotTrained(#[from] NotTrained),
    #[error("it cannot be published: {0}")]
    NotPublishable(#[from] LogError),
}

impl NoModel {
    /// Whether it is only a matter of time.
    pub(super) fn is_too_little(&self) -> bool {
        use foretide_training::FitError;
        matches!(
            self,
            Self::NotTrained(
                NotTrained::TooLittle { .. }
                    | NotTrained::Fit(
                        FitError::Classes { .. } | FitError::Folds { .. } | FitError::NoInputs
                    )
            )
        )
    }
}

/// What an attempt came to.
pub(super) struct Done {
    /// The model that was trained, or why none was; `None` where there was nothing new to learn from.
    pub(super) trained: Option<Result<Arc<ModelVersion>, NoModel>>,
    /// What was seen of all models; `None` where a change is on its way, or there is nothing to see.
    pub(super) look: Option<Look>,
    pub(super) memory: Memory,
    /// What there was to learn from.
    pub(super) rows: Rows,
}

impl Task {
    /// Trains where there is something new, and looks at all models.
    pub(super) fn work(self) -> Done {
        let mut memory = self.memory.clone();
        let cohorts = self.cohorts.as_ref().map(|cohorts| &*cohorts.version);
        let basis = memory.learnt_from.as_ref();
        let is_due = basis.is_none_or(|basis| basis.is_outdated(&self.rows, cohorts));
        let trained = is_due.then(|| self.train());
        if let Some(Ok(_)) = &trained {
            memory.challengers += 1;
            memory.learnt_from = Some(Basis::of(&self.rows, cohorts));
        }
        let new = trained.as_ref().and_then(|trained| trained.as_ref().ok());
        let look = self.look(new, memory.challengers);
        Done {
            trained,
            look,
            memory,
            rows: self.rows,
        }
    }

    fn train(&self) -> Result<Arc<ModelVersion>, NoModel> {
        let training = Training {
            target: self.target,
            gap_ms: self.gap_ms,
            reference: &self.reference,
            cohorts: self.cohorts.as_ref().map(|version| &*version.cohorts),
            seed: self.seed,
            now: self.now,
        };
        let Trained { model, card } = train(&self.rows, &self.training, &training)?;
        let version = ModelVersion {
            target: self.target,
            version: model.version().clone(),
            created_at: self.now,
            card,
            model: Arc::new(model),
        };
        // What no record can hold would fail with every attempt.
        version.record()?.check_size()?;
        Ok(Arc::new(version))
    }

    /// Looks at all models, a new one included, where `challengers` were trained ever.
    fn look(&self, new: Option<&Arc<ModelVersion>>, challengers: u64) -> Option<Look> {
        let Standing {
            serving, former, ..
        } = &self.standing;
        let mut all: Vec<&Arc<ModelVersion>> =
            self.standing.challengers.iter().chain(new).collect();
        all.drain(..all.len().saturating_sub(CHALLENGERS));
        if self.standing.is_pending || (all.is_empty() && serving.is_none()) {
            return None;
        }
        // The newest was trained after all others, the one before it after all but one. Those that serve or served count as if they
        // had come first, so that nothing is asked too little of.
        let ever = challengers.max(all.len() as u64);
        let earlier = (0..all.len() as u64).rev().map(|later| ever - 1 - later);
        let challengers: Vec<Challenger<'_>> = all
            .iter()
            .zip(earlier)
            .map(|(version, earlier)| Challenger {
                model: &version.model,
                earlier,
            })
            .collect();
        let field = Field {
            serving: serving.as_ref().map(model),
            serving_since: self.standing.since,
            former: former.as_ref().map(|former| former.as_ref().map(model)),
            earlier_promotions: self.standing.earlier_changes,
            challengers: &challengers,
            gap_ms: self.gap_ms,
            apart_ms: self.apart_ms,
        };
        let cohorts = self.known_cohorts.iter().map(|version| &*version.cohorts);
        let scores = Scores::new(self.target, cohorts);
        Some(look(&field, &self.rows, &scores, &self.promotion))
    }
}

fn model(version: &Arc<ModelVersion>) -> &Model {
    &version.model
}
