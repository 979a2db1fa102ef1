//! Predicting by the models that serve, and by the prior where none does.

use std::sync::Arc;

use foretide_features::Feature;
use foretide_models::{Model, Prediction, Predictions, Target, prior};

/// So many sessions a shopper has at least of whom a model says whether engagement falls: it has learnt from no others.
const DRIFT_LEAST_SESSIONS: f64 = 3.0;

/// Models by their names, for who decides again.
pub trait KnownModels {
    /// The model of `target` called `version`; `None` if it is not known here.
    fn model(&self, target: Target, version: &str) -> Option<Arc<Model>>;
}

/// Knows no models: what rests on the prior alone can be decided again.
impl KnownModels for () {
    fn model(&self, _: Target, _: &str) -> Option<Arc<Model>> {
        None
    }
}

/// The models that predict; where there is none, the prior.
#[derive(Clone, Debug, Default)]
pub struct Predictors {
    /// Of drift.
    pub drift: Option<Arc<Model>>,
    /// Of abandonment.
    pub abandonment: Option<Arc<Model>>,
}

/// What is known of a shopper who is predicted.
pub struct Predicted<'a> {
    /// The features that the prior and the models rest on.
    pub feature: &'a dyn Fn(Feature) -> Option<f64>,
    /// Whether there is something in the cart.
    pub has_cart: bool,
    /// The version of the cohorts and the id of the shopper's among them, where there are any.
    pub cohort: Option<(&'a str, &'a str)>,
}

impl Predictors {
    /// Those of them that have learnt from shoppers such as this one, who has come in so many `sessions`. Nothing can be abandoned
    /// where nothing `is_open`, a cart in a session that goes on, and whoever came hardly ever cannot come less: of these the prior
    /// speaks.
    #[must_use]
    pub fn of_such(&self, sessions: Option<f64>, is_open: bool) -> Self {
        let comes = sessions.unwrap_or(0.0) >= DRIFT_LEAST_SESSIONS;
        Self {
            drift: self.drift.clone().filter(|_| comes),
            abandonment: self.abandonment.clone().filter(|_| is_open),
        }
    }

    /// Whether only the prior speaks.
    pub fn are_none(&self) -> bool {
        self.drift.is_none() && self.abandonment.is_none()
    }

    /// Predicts. Every model speaks, blended with the prior as far as the evidence behind it does not carry.
    pub fn predict(&self, known: &Predicted<'_>) -> Predictions {
        let inputs = prior::Inputs {
            has_cart: known.has_cart,
            ..prior::Inputs::of(known.feature)
        };
        let by_prior = prior::predict(&inputs);
        if self.are_none() {
            return by_prior;
        }
        let drift = speak(self.drift.as_deref(), known, by_prior.drift);
        let abandonment = speak(self.abandonment.as_deref(), known, by_prior.abandonment);
        Predictions {
            source: Predictions::source_of(
                name(self.drift.as_ref()),
                name(self.abandonment.as_ref()),
            ),
            drift,
            abandonment,
        }
    }

    /// The features that they and the prior rest on, each once, those of the prior first.
    pub fn features(&self) -> Vec<Feature> {
        let mut features = prior::Inputs::FEATURES.to_vec();
        let mut seen = [false; Feature::COUNT];
        for feature in &features {
            seen[*feature as usize] = true;
        }
        for model in [&self.drift, &self.abandonment].into_iter().flatten() {
            for feature in model.features() {
                if !std::mem::replace(&mut seen[*feature as usize], true) {
                    features.push(*feature);
                }
            }
        }
        features
    }
}

fn speak(model: Option<&Model>, known: &Predicted<'_>, by_prior: Prediction) -> Prediction {
    let Some(model) = model else {
        return by_prior;
    };
    let corrected = known
        .cohort
        .and_then(|(version, id)| model.corrects(version, id));
    model.predict(known.feature, corrected, &by_prior)
}

fn name(model: Option<&Arc<Model>>) -> &str {
    model.map_or(prior::NAME, |model| model.version())
}
