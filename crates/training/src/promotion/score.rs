//! What models say of points, as they would if they served.

use std::collections::BTreeMap;

use foretide_cohorts::Cohorts;
use foretide_events::EpochMs;
use foretide_features::Feature;
use foretide_models::{Model, Prediction, Probability, Target, prior};

use crate::window::Row;

/// Probabilities are cut to this and one minus this, before a loss is taken.
const CUT: f64 = 0.005;

/// Scores points of one target with models and with the prior.
#[derive(Clone, Debug)]
pub struct Scores<'a> {
    target: Target,
    /// The versions of cohorts that models were trained with, as far as they are still there, each with when another took over.
    cohorts: BTreeMap<&'a str, (&'a Cohorts, Option<EpochMs>)>,
}

impl<'a> Scores<'a> {
    /// Scores points of `target`. Where a model was trained with one of the versions of `cohorts`, it corrects for the cohort that this puts the
    /// shopper into.
    pub fn new(target: Target, cohorts: impl IntoIterator<Item = &'a Cohorts>) -> Self {
        Self::served(target, cohorts.into_iter().map(|cohorts| (cohorts, None)))
    }

    /// The same, where each version comes with when another one took over, if one did. From then on models that were trained with it are
    /// served without corrections, so points from then on are scored without; those before the version served at all are scored with them,
    /// for they tell what the corrections are worth.
    pub fn served(
        target: Target,
        cohorts: impl IntoIterator<Item = (&'a Cohorts, Option<EpochMs>)>,
    ) -> Self {
        let named = |(cohorts, until): (&'a Cohorts, Option<EpochMs>)| {
            (&*cohorts.version, (cohorts, until))
        };
        Self {
            target,
            cohorts: cohorts.into_iter().map(named).collect(),
        }
    }

    /// The probability that `model` gives a point at `at` with the features that `get` gives, blended with the prior as it is served; that of
    /// the prior alone where there is no model.
    pub fn probability(
        &self,
        model: Option<&Model>,
        at: EpochMs,
        get: impl Fn(Feature) -> Option<f64>,
    ) -> f64 {
        let predictions = prior::predict(&prior::Inputs::of(&get));
        let prior = self.target.of(&predictions);
        match model {
            None => prior.probability.get(),
            Some(model) => self.blended(model, prior, at, get),
        }
    }

    fn blended(
        &self,
        model: &Model,
        prior: &Prediction,
        at: EpochMs,
        get: impl Fn(Feature) -> Option<f64>,
    ) -> f64 {
        let known = model
            .cohorts()
            .and_then(|version| self.cohorts.get(&**version))
            .filter(|(_, until)| until.is_none_or(|until| at < until));
        let cohort = known.and_then(|(cohorts, _)| cohorts.get(cohorts.assign(&get).index));
        let row = model.row(&get);
        let own = model.score(&row, cohort.map(|cohort| &*cohort.id)).0;
        let weight = model.parts().weight;
        let log_odds = weight * own + (1.0 - weight) * prior.log_odds();
        Probability::from_log_odds(log_odds).get()
    }

    /// The probability that `model` gives `row`.
    pub fn of(&self, model: Option<&Model>, row: &Row) -> f64 {
        self.probability(model, row.at, |feature| row.get(feature))
    }
}

/// The log-loss, in nats, of having given what happened, or did not, this probability.
pub(super) fn loss(probability: f64, happened: bool) -> f64 {
    let p = cut(probability);
    -libm::log(if happened { p } else { 1.0 - p })
}

pub(super) fn cut(probability: f64) -> f64 {
    if probability.is_nan() {
        return 0.5;
    }
    probability.clamp(CUT, 1.0 - CUT)
}
