//! What a model is made of.

use std::collections::{BTreeMap, BTreeSet};

use foretide_events::{EpochMs, Text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Calibration, Correction, Refused, Scorer, Target};

/// So many certain examples weigh as much as the prior.
const PRIOR_EXAMPLES: f64 = 200.0;

/// The most cohorts that a model corrects.
const COHORT_LIMIT: usize = 1024;

/// The longest name in a model, in bytes.
const NAME_LIMIT: usize = 128;

/// How much a model counts that rests on so many certain `examples` (at least 0): n / (n + 200). The prior has the rest.
pub fn evidence_weight(examples: f64) -> f64 {
    examples / (examples + PRIOR_EXAMPLES)
}

/// A stretch of time, in which points lay that were learnt from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// Its first instant.
    pub from: EpochMs,
    /// The instant after its last, not before `from`.
    pub until: EpochMs,
}

/// Everything that a [`Model`](crate::Model) is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelParts {
    /// What it predicts.
    pub target: Target,
    /// The catalogue of features that it was trained on: [`foretide_features::schema_id`].
    pub schema_id: Text<64>,
    /// The version of the reference that was newest when it was trained. Examples rest on the reference of their own instant.
    pub reference: Text<64>,
    /// The version of the cohorts that the corrections are of; `None` where there are none.
    pub cohorts: Option<Text<64>>,
    /// The names of the features that it rests on, in the order of a row; at least one, each once.
    pub inputs: Vec<String>,
    /// The global model. Its rows are as wide as `inputs` are many.
    pub scorer: Scorer,
    /// The calibration of the global model.
    pub calibration: Calibration,
    /// The correction of each cohort that has enough examples, by the cohort's id.
    pub corrections: BTreeMap<String, Correction>,
    /// How much the model counts beside the prior, 0 to 1: [`evidence_weight`].
    pub weight: f64,
    /// The prior that has the rest, such as [`prior::NAME`](crate::prior::NAME).
    pub prior: Text<64>,
    /// When the points lay that it was trained on.
    pub window: Window,
    /// The seed of its training.
    pub seed: u64,
    /// When it was trained.
    pub created_at: EpochMs,
}

impl ModelParts {
    /// Refuses what makes no sense. Whether the catalogue is that of this program is not looked at.
    pub fn check(&self) -> Result<(), Refused> {
        self.check_names()?;
        let distinct: BTreeSet<&str> = self.inputs.iter().map(String::as_str).collect();
        if distinct.len() != self.inputs.len() {
            return Err(Refused::nonsense("inputs", "must be distinct"));
        }
        if self.inputs.len() != self.scorer.width() {
            let fault = "must be as many as the scorer takes";
            return Err(Refused::nonsense("inputs", fault));
        }
        self.calibration.check()?;
        if self.corrections.len() > COHORT_LIMIT {
            return Err(Refused::nonsense("corrections", "must be at most 1024"));
        }
        self.corrections.values().try_for_each(Correction::check)?;
        if self.cohorts.is_none() && !self.corrections.is_empty() {
            let fault = "must be named where there are corrections";
            return Err(Refused::nonsense("cohorts", fault));
        }
        if !(0.0..=1.0).contains(&self.weight) {
            return Err(Refused::nonsense("weight", "must lie between 0 and 1"));
        }
        if self.window.until < self.window.from {
            return Err(Refused::nonsense("window", "must not end before it begins"));
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Refused> {
        let named = [
            ("schema_id", &*self.schema_id),
            ("reference", &*self.reference),
            ("prior", &*self.prior),
        ];
        let cohorts = self.cohorts.iter().map(|name| ("cohorts", &**name));
        let inputs = self.inputs.iter().map(|name| ("inputs", name.as_str()));
        let corrected = self.corrections.keys();
        let corrected = corrected.map(|name| ("corrections", name.as_str()));
        let rest = cohorts.chain(inputs).chain(corrected);
        for (field, name) in named.into_iter().chain(rest) {
            if name.is_empty() || name.len() > NAME_LIMIT {
                return Err(Refused::nonsense(field, "must have 1 to 128 bytes"));
            }
        }
        Ok(())
    }
}
