//! What models look like from outside.

use std::sync::Arc;

use foretide_events::{EpochMs, Text};
use foretide_models::{Interval, ModelCard, ScorerKind, Target};
use foretide_ports::{Artefacts, ModelVersion, ServingChange};
use schemars::JsonSchema;
use serde::Serialize;

use crate::routes::cohorts::ShownReport;

/// All models.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Models")]
pub(crate) struct ShownModels {
    /// By what they predict.
    targets: Vec<ShownTarget>,
}

/// The models of a target.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ModelsOfTarget")]
struct ShownTarget {
    /// What they predict, if no offer is shown.
    target: Target,
    /// The model that serves; `null` for the prior.
    serving: Option<Text<64>>,
    /// Every change of what serves, the newest first; one may lie a few seconds ahead.
    changes: Vec<ShownChange>,
    /// What became of the last training; `null` before the first.
    last_training: Option<ShownReport>,
    /// The models that are kept, the newest first.
    models: Vec<Listed>,
}

/// A model in a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ListedModel")]
struct Listed {
    /// Its id.
    id: Text<64>,
    /// Which kind of scorer it has.
    kind: ScorerKind,
    /// When it was trained.
    created_at: EpochMs,
    /// How much it counts beside the prior, 0 to 1.
    weight: f64,
    /// How many examples it was trained on.
    examples: u64,
    /// Its AUC on data that it had not seen; `null` where these were too few.
    auc: Option<Interval>,
    /// Its log-loss there.
    log_loss: Option<Interval>,
    /// Its expected calibration error there.
    calibration_error: Option<Interval>,
    /// Whether it serves now.
    serving: bool,
}

/// A model.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Model")]
pub(crate) struct ShownModel {
    /// Its id.
    id: Text<64>,
    /// Whether it serves now.
    serving: bool,
    /// Every change that let it serve, the newest first.
    served: Vec<ShownChange>,
    /// What it is, what it comes from, and how good it is.
    card: ModelCard,
}

/// What serves from when on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServingChange")]
pub(crate) struct ShownChange {
    /// What is predicted.
    target: Target,
    /// The model; `null` for the prior.
    id: Option<Text<64>>,
    /// From when on it serves.
    since: EpochMs,
    /// `promoted` (it proved better, or as good and fresher), `rolled_back`, or `admin` for a promotion that was asked for.
    cause: &'static str,
    /// Who says so: an instance of the trainer, or an admin key by its id.
    by: Text<128>,
}

impl ShownModels {
    /// Those that are kept at `now`.
    pub(super) fn now(artefacts: &Artefacts, now: EpochMs) -> Self {
        let targets = Target::ALL.map(|target| ShownTarget::of(artefacts, target, now));
        Self {
            targets: targets.into(),
        }
    }
}

impl ShownTarget {
    fn of(artefacts: &Artefacts, target: Target, now: EpochMs) -> Self {
        let models = &artefacts.models;
        let serving = models.at(target, now).map(|model| model.version.clone());
        let listed = |model: &Arc<ModelVersion>| Listed::of(model, serving.as_ref());
        let last = artefacts.reports.get(target.as_str());
        Self {
            target,
            changes: newest_first(&models.changes(target), |_| true),
            last_training: last.as_deref().map(ShownReport::of),
            models: models.models(target).iter().rev().map(listed).collect(),
            serving,
        }
    }
}

impl Listed {
    fn of(model: &ModelVersion, serving: Option<&Text<64>>) -> Self {
        let card = &model.card;
        let metrics = card.metrics;
        Self {
            id: model.version.clone(),
            kind: card.kind,
            created_at: model.created_at,
            weight: card.weight,
            examples: card.training.examples,
            auc: metrics.map(|metrics| metrics.auc),
            log_loss: metrics.map(|metrics| metrics.log_loss),
            calibration_error: metrics.map(|metrics| metrics.calibration_error),
            serving: serving == Some(&model.version),
        }
    }
}

impl ShownModel {
    /// `model` as it is at `now`.
    pub(super) fn of(artefacts: &Artefacts, model: &ModelVersion, now: EpochMs) -> Self {
        let models = &artefacts.models;
        let is_it = |known: &Option<Text<64>>| known.as_ref() == Some(&model.version);
        let serving = models.at(model.target, now).map(|now| now.version.clone());
        Self {
            id: model.version.clone(),
            serving: is_it(&serving),
            served: newest_first(&models.changes(model.target), |change| {
                is_it(&change.version)
            }),
            card: model.card.clone(),
        }
    }
}

impl ShownChange {
    /// Shows `change`.
    pub(super) fn of(change: &ServingChange) -> Self {
        Self {
            target: change.target,
            id: change.version.clone(),
            since: change.since,
            cause: change.cause.as_str(),
            by: change.by.clone(),
        }
    }
}

fn newest_first(
    changes: &[Arc<ServingChange>],
    is_shown: impl Fn(&ServingChange) -> bool,
) -> Vec<ShownChange> {
    let shown = changes.iter().rev().filter(|change| is_shown(change));
    shown.map(|change| ShownChange::of(change)).collect()
}
