//! The work of one attempt, apart from the process: what it comes to follows from the task alone.

use std::sync::Arc;

use foretide_events::{EpochMs, Text};
use foretide_models::{Model, Target};
use foretide_ports::{CohortsVersion, LogError, ModelVersion, Versioned as _};
use foretide_training::{
    NotTrained, TrainSettings, Trained, Training,
    promotion::{
        Challenger, Field, Look, Pairing, PromotionSettings, Scores, Watched, judged_from, look,
    },
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
    /// These, and those that the models at hand were trained with, each with when another version took over.
    pub(super) known_cohorts: Vec<(Arc<CohortsVersion>, Option<EpochMs>)>,
    /// The reference that serves.
    pub(super) reference: Text<64>,
    pub(super) promotion: PromotionSettings,
    pub(super) training: TrainSettings,
    /// The gap between what a model is trained on and what it is judged on, in milliseconds.
    pub(super) gap_ms: i64,
    /// How far apart points of one shopper lie that do not share a fate, in milliseconds.
    pub(super) apart_ms: i64,
    /// What all draws follow from, together with what is learnt from.
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
        let look = self.look(new, &mut memory);
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
            seed: Basis::of(&self.rows, None).seed(self.target, self.seed),
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

    /// Looks at all models, a new one included, and remembers which comparisons are under way.
    fn look(&self, new: Option<&Arc<ModelVersion>>, memory: &mut Memory) -> Option<Look> {
        let serving = self.standing.serving.as_ref();
        let mut all: Vec<&Arc<ModelVersion>> =
            self.standing.challengers.iter().chain(new).collect();
        all.drain(..all.len().saturating_sub(CHALLENGERS));
        if self.standing.is_pending || (all.is_empty() && serving.is_none()) {
            return None;
        }
        let watched = self.watched(memory);
        // Who remembers nothing knows at least of those that are there, and of each change that somebody made.
        let changes = u64::from(self.standing.next_sequence.saturating_sub(1));
        let ledger = &mut memory.comparisons;
        ledger.at_least(memory.challengers.saturating_sub(1).max(changes));
        let pairings: Vec<Pairing> = all.iter().map(|own| self.pairing(own)).collect();
        let stretches = ledger.go_on(&pairings, &self.rows, memory.thinning);
        let challengers: Vec<Challenger<'_>> = all
            .iter()
            .zip(stretches)
            .map(|(version, stretch)| Challenger {
                model: &version.model,
                stretch,
            })
            .collect();
        let field = Field {
            serving: serving.map(model),
            watched,
            challengers: &challengers,
            cohorts: self.cohorts.as_ref().map(|cohorts| &*cohorts.version),
            apart_ms: self.apart_ms,
        };
        let known = self.known_cohorts.iter();
        let cohorts = known.map(|(version, until)| (&*version.cohorts, *until));
        let scores = Scores::served(self.target, cohorts);
        Some(look(&field, &self.rows, &scores, &self.promotion))
    }

    /// How what serves is watched beside what would be gone back to.
    fn watched(&self, memory: &mut Memory) -> Option<Watched<'_>> {
        let standing = &self.standing;
        let former = standing.former.as_ref()?;
        let pairing = Pairing {
            serving: standing.serving.as_ref().map(|own| own.version.clone()),
            other: former.as_ref().map(|former| former.version.clone()),
            earliest: standing.since,
        };
        let changes = standing.next_sequence.saturating_sub(2);
        memory.watches.at_least(u64::from(changes));
        let stretches = memory
            .watches
            .go_on(&[pairing], &self.rows, memory.thinning);
        stretches.first().map(|stretch| Watched {
            former: former.as_ref().map(model),
            stretch: *stretch,
        })
    }

    /// A challenger beside what serves.
    fn pairing(&self, challenger: &Arc<ModelVersion>) -> Pairing {
        let serving = self.standing.serving.as_ref();
        Pairing {
            serving: serving.map(|own| own.version.clone()),
            other: Some(challenger.version.clone()),
            earliest: judged_from(model(challenger), serving.map(model), self.gap_ms),
        }
    }
}

fn model(version: &Arc<ModelVersion>) -> &Model {
    &version.model
}
