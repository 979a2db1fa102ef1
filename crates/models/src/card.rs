//! What people are told of a model.

use std::collections::BTreeMap;

use foretide_events::{EpochMs, Text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Correction, ScorerKind, Target, Window};

/// What a model is, what it was trained on and how good it is on data it has not seen: the registry keeps one beside each model,
/// and `/v1/models` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelCard {
    /// Its name, by its content.
    pub version: Text<64>,
    /// What it predicts, if no offer is shown.
    pub target: Target,
    /// Which kind of scorer it has.
    pub kind: ScorerKind,
    /// When it was trained.
    pub created_at: EpochMs,
    /// The catalogue of features that it was trained on; it serves under no other.
    pub schema_id: Text<64>,
    /// The version of the reference that was newest then.
    pub reference: Text<64>,
    /// The version of the cohorts that its corrections are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohorts: Option<Text<64>>,
    /// The seed of its training: the same examples and the same seed give the same model.
    pub seed: u64,
    /// How much it counts beside the prior, 0 to 1.
    pub weight: f64,
    /// What it was trained on.
    pub training: DataCard,
    /// The later data that it was judged on, at least a horizon after.
    pub test: DataCard,
    /// How good it is on the test data; absent where these are too few or of one label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// How good the prior is on the same data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior_metrics: Option<Metrics>,
    /// Predicted and observed shares on the test data, by predicted probability ascending.
    pub calibration_curve: Vec<CalibrationBin>,
    /// The features by how much they matter, the most important first.
    pub importance: Vec<Importance>,
    /// The correction of each cohort.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub corrections: BTreeMap<String, Correction>,
    /// How each input was distributed in training: what shift is measured against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputSummary>,
}

/// Examples that a model was trained or judged on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataCard {
    /// When their points lay.
    pub window: Window,
    /// How many they are.
    pub examples: u64,
    /// How many of them have the label: drifted, or abandoned.
    pub positives: u64,
    /// How many shoppers they are of.
    pub shoppers: u64,
    /// How many further ones in the window were left out, because an offer was shown.
    pub treated: u64,
}

/// How good probabilities are. Each figure has an interval of 95 %, by bootstrap over shoppers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// The probability that of two shoppers the one with the label is the one with the higher probability: 0.5 is guessing, 1 perfect.
    pub auc: Interval,
    /// The mean of −ln of the probability of what happened: the lower the better.
    pub log_loss: Interval,
    /// The mean squared difference between probability and label: the lower the better.
    pub brier: Interval,
    /// The mean difference between predicted and observed shares over bins: expected calibration error.
    pub calibration_error: Interval,
}

/// A figure and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Test examples with about the same probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibrationBin {
    /// Their mean probability.
    pub predicted: f64,
    /// The share of them that has the label.
    pub observed: f64,
    /// How many they are.
    pub examples: u64,
}

/// How much a feature matters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Importance {
    /// The feature.
    pub feature: String,
    /// Its share of all that features matter, 0 to 1.
    pub share: f64,
}

/// How an input was distributed in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputSummary {
    /// The feature.
    pub feature: String,
    /// The ends of bins, ascending: below the first, from the first to the second, and so on; from the last on.
    pub edges: Vec<f64>,
    /// The share of examples in each bin, one more than there are ends. With `missing` they sum to 1.
    pub shares: Vec<f64>,
    /// The share of examples in which it is missing.
    pub missing: f64,
}

impl ModelCard {
    /// One line for logs and lists: the kind, the examples and the figures.
    pub fn summary(&self) -> String {
        let Self {
            version,
            kind,
            training,
            ..
        } = self;
        let examples = training.examples;
        match &self.metrics {
            Some(Metrics { auc, log_loss, .. }) => format!(
                "{}: {kind}, {examples} examples, AUC {:.3} ({:.3} to {:.3}), log-loss {:.4}",
                &**version, auc.value, auc.low, auc.high, log_loss.value
            ),
            None => format!("{}: {kind}, {examples} examples, not judged", &**version),
        }
    }
}
