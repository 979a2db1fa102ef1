//! A trained model, as it is published and served.

mod codec;
mod explanation;
mod parts;
#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests;

use foretide_events::Text;
use foretide_features::{CATALOGUE, Feature, schema_id};

pub use self::{
    explanation::{Explanation, TERMS_SHOWN},
    parts::{ModelParts, Window, evidence_weight},
};

use crate::{Correction, Prediction, Probability, Refused, Target};

/// Log-odds that a model says, calibrated.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Margin(pub f64);

impl Margin {
    /// The probability they stand for.
    pub fn probability(self) -> Probability {
        Probability::from_log_odds(self.0)
    }
}

/// A trained model of one target: features in, a [`Prediction`] out. It holds no nonsense: what is not sound is refused when it
/// is made or decoded.
///
/// ```text
/// features ─▶ scorer ─▶ calibration ─▶ correction of the cohort ─▶ blend with the prior ─▶ probability
///             margin    log-odds                                   w · model + (1 − w) · prior
/// ```
///
/// Where the shopper's cohort has no correction, or is one of another version of the cohorts, the calibrated global model speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    parts: ModelParts,
    /// The inputs, as features of the catalogue.
    features: Vec<Feature>,
    version: Text<64>,
}

impl Model {
    /// Makes a model of its parts, and refuses what makes no sense.
    pub fn new(parts: ModelParts) -> Result<Self, Refused> {
        let known = schema_id();
        if *parts.schema_id != *known {
            return Err(Refused::Schema {
                found: parts.schema_id.to_string(),
                known,
            });
        }
        parts.check()?;
        let features = parts.inputs.iter().map(|name| feature(name));
        let features = features.collect::<Result<_, _>>()?;
        let version = codec::version_of(&codec::write(&parts), &parts);
        Ok(Self {
            parts,
            features,
            version,
        })
    }

    /// Its bytes, in a format of its own.
    pub fn encode(&self) -> Vec<u8> {
        codec::write(&self.parts)
    }

    /// Reads the bytes of a model. Never panics, whatever they are.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        Self::new(codec::read(bytes)?)
    }

    /// What it is made of.
    pub fn parts(&self) -> &ModelParts {
        &self.parts
    }

    /// Its name, by its content: `drift-` or `abandonment-` and 16 hexadecimal digits. Equal names are equal models.
    pub fn version(&self) -> &Text<64> {
        &self.version
    }

    /// What it predicts.
    pub fn target(&self) -> Target {
        self.parts.target
    }

    /// The version of the cohorts that it corrects.
    pub fn cohorts(&self) -> Option<&Text<64>> {
        self.parts.cohorts.as_ref()
    }

    /// The features that it rests on, in the order of a row. A decision records these, so that it can be predicted again.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The cohort that it corrects for a shopper whom version `version` of the cohorts puts into the cohort `id`: `None` where
    /// it was trained with other cohorts, or has no correction for this one.
    pub fn corrects<'a>(&self, version: &str, id: &'a str) -> Option<&'a str> {
        let same = self.parts.cohorts.as_deref() == Some(version);
        (same && self.parts.corrections.contains_key(id)).then_some(id)
    }

    /// The calibrated log-odds of `row`, which has the inputs in their order, NaN where they are missing; corrected for `cohort`,
    /// an id of the version of cohorts that the model was trained with. Not blended with the prior.
    pub fn score(&self, row: &[f64], cohort: Option<&str>) -> Margin {
        let global = self.parts.calibration.apply(self.parts.scorer.margin(row));
        Margin(self.correction(cohort).apply(global))
    }

    /// Takes the log-odds of `row` apart.
    pub fn explain(&self, row: &[f64], cohort: Option<&str>) -> Explanation {
        let correction = self.correction(cohort);
        Explanation::of(&self.parts.scorer, &self.parts.calibration, correction, row)
    }

    /// Predicts from the features that `get` gives, asked for those of [`features`](Self::features), each once and in their
    /// order; `None` is a missing one. What the evidence behind the model does not carry is filled up with `prior`, which is what the
    /// prior says of the same shopper.
    ///
    /// The contributions are those of the strongest features, [`TERMS_SHOWN`] at most, and of the prior; all others are in
    /// one term. Their sum is the log-odds.
    pub fn predict(
        &self,
        get: impl FnMut(Feature) -> Option<f64>,
        cohort: Option<&str>,
        prior: &Prediction,
    ) -> Prediction {
        let weight = self.parts.weight;
        if weight <= 0.0 {
            return prior.clone();
        }
        let row = self.row(get);
        let model = self.explain(&row, cohort).contributions(|input| {
            let name = self.features[input].spec().name;
            (name, Some(row[input]).filter(|value| !value.is_nan()))
        });
        prior.blend(&Prediction::of(model), weight)
    }

    /// The row of the features that `get` gives, asked for as [`predict`](Self::predict) does.
    pub fn row(&self, mut get: impl FnMut(Feature) -> Option<f64>) -> Vec<f64> {
        let value = |feature: &Feature| get(*feature).unwrap_or(f64::NAN);
        self.features.iter().map(value).collect()
    }

    fn correction(&self, cohort: Option<&str>) -> Correction {
        let found = cohort.and_then(|id| self.parts.corrections.get(id));
        found.copied().unwrap_or(Correction::NONE)
    }
}

fn feature(name: &str) -> Result<Feature, Refused> {
    let found = CATALOGUE.iter().find(|spec| spec.name == name);
    let unknown = || Refused::UnknownInput(name.to_owned());
    Ok(found.ok_or_else(unknown)?.feature)
}
