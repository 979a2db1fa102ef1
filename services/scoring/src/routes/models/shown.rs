//! What models look like from outside.

use std::sync::Arc;

use foretide_events::{EpochMs, Text};
use foretide_models::{Interval, ModelCard, ScorerKind, Target};
use foretide_ports::{Artefacts, ModelVersion, Report, ServingChange};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
    last_training: Option<ShownTraining>,
    /// The models that are kept, the newest first.
    models: Vec<Listed>,
}

/// What became of a training.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LastTraining")]
struct ShownTraining {
    #[serde(flatten)]
    report: ShownReport,
    /// What there was to learn from, and what was left out; `null` where that is not told.
    examples: Option<ShownExamples>,
    /// How each model did beside the one that serves, and so why a challenger waits; `null` where there was nothing to compare.
    look: Option<ShownLook>,
}

/// How many points there were to learn from, and how many were left out for which cause.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TrainingExamples")]
struct ShownExamples {
    /// Untreated points whose label is certain.
    learnt_from: u64,
    /// Those of them with the label true.
    positives: u64,
    /// It is not certain yet what becomes of them.
    uncertain: u64,
    /// An offer was shown near them.
    treated: u64,
    /// They lie so far back that it is not known any more whether an offer was shown.
    unknown_treatment: u64,
    /// The shopper had done too little before.
    inactive: u64,
    /// They are of a device under whose owner's name it goes on.
    #[serde(default)]
    signed_in: u64,
}

/// What was seen of all models beside the one that served then.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ModelsLook")]
struct ShownLook {
    /// `keep`, `promote` or `roll_back`.
    decision: String,
    /// Each model that wants to serve.
    challengers: Vec<ShownComparison>,
    /// What would be gone back to; `null` where the prior serves.
    #[serde(default)]
    former: Option<ShownComparison>,
    /// The evidence that what serves is not calibrated, as a natural logarithm; `null` where the prior serves.
    #[serde(default)]
    log_evidence_not_calibrated: Option<f64>,
}

/// How a model did beside the one that served, on points that neither was trained on.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ModelComparison")]
struct ShownComparison {
    /// The model; `null` for the prior.
    #[serde(default)]
    version: Option<Text<64>>,
    /// From when on the points lie.
    from: EpochMs,
    /// How many comparisons there were before this one: the more, the more evidence is needed.
    earlier: u64,
    /// Sessions, or horizons of shoppers, that both were judged on.
    units: u64,
    /// The mean log-loss of what served.
    serving_loss: f64,
    /// The mean log-loss of this one.
    own_loss: f64,
    /// The evidence that its loss is smaller, as a natural logarithm.
    log_evidence_superior: f64,
    /// The evidence that its loss is hardly larger, which is enough for a fresher one, as a natural logarithm.
    log_evidence_not_inferior: f64,
    /// How much evidence is needed, as a natural logarithm.
    log_evidence_needed: f64,
    /// `superior`, `fresher_not_inferior`, `inferior`, or `open` while there is too little evidence.
    verdict: String,
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
    /// Whether a person asked for it.
    by_hand: bool,
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
            last_training: last.as_deref().map(ShownTraining::of),
            models: models.models(target).iter().rev().map(listed).collect(),
            serving,
        }
    }
}

impl ShownTraining {
    fn of(report: &Report) -> Self {
        Self {
            report: ShownReport::of(report),
            examples: part(report, "examples"),
            look: part(report, "look"),
        }
    }
}

/// What the details of `report` have under `name`; `None` where that is missing or none of ours.
fn part<T: DeserializeOwned>(report: &Report, name: &str) -> Option<T> {
    T::deserialize(report.details.get(name)?).ok()
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
            by_hand: change.is_by_hand(),
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
