//! What groups and predicts shoppers at an instant, and what is read of a shopper for it.

use std::sync::Arc;

use foretide_decision::{Cohort, Predictors};
use foretide_events::EpochMs;
use foretide_features::{Feature, FoldRules, Reference, State};
use foretide_models::prior;
use foretide_ports::{Artefacts, CohortsVersion, ModelVersion};

/// The cohorts and the models of an instant. A decision holds them, so that none changes under its hands.
pub(crate) struct Serving {
    /// What is usual among shoppers.
    pub(crate) reference: Arc<Reference>,
    cohorts: Option<(Arc<CohortsVersion>, Arc<Reference>)>,
    drift: Option<Arc<ModelVersion>>,
    abandonment: Option<Arc<ModelVersion>>,
}

/// What was read of a shopper.
#[derive(Default)]
pub(crate) struct Known {
    features: Features,
    /// The shopper's cohort, by its place among those that serve.
    cohort: Option<u16>,
    /// Whether a session goes on.
    is_in_session: bool,
}

/// The features that the predictions rest on.
enum Features {
    /// Where only the prior speaks, as [`prior::Inputs::FEATURES`] has them.
    OfPrior([Option<f64>; prior::Inputs::FEATURES.len()]),
    /// By the feature's place in the catalogue.
    OfModels(Box<[Option<f64>; Feature::COUNT]>),
}

impl Default for Features {
    fn default() -> Self {
        Self::OfPrior([None; prior::Inputs::FEATURES.len()])
    }
}

impl Serving {
    /// That of `at`.
    pub(crate) fn at(artefacts: &Artefacts, at: EpochMs) -> Self {
        let reference = artefacts.references.at(at);
        let cohorts = artefacts.cohorts.at(at).and_then(|cohorts| {
            // Cohorts go by the reference that they were formed under, whatever is usual by now.
            let named = &*cohorts.cohorts.reference;
            let own = if reference.version() == named {
                Some(Arc::clone(&reference))
            } else {
                artefacts.references.named(named)
            };
            Some((cohorts, own?))
        });
        let [drift, abandonment] = artefacts.models.serving(at);
        Self {
            reference,
            cohorts,
            drift,
            abandonment,
        }
    }

    /// Whether only the prior speaks.
    fn is_prior(&self) -> bool {
        self.drift.is_none() && self.abandonment.is_none()
    }

    /// The models, for whoever they have learnt to predict.
    pub(crate) fn predictors(&self) -> Predictors {
        let model = |version: &Option<Arc<ModelVersion>>| {
            let version = version.as_ref()?;
            Some(Arc::clone(&version.model))
        };
        Predictors {
            drift: model(&self.drift),
            abandonment: model(&self.abandonment),
        }
    }

    /// Reads of a shopper what cohorts and predictions rest on, as of `at`. The profile is locked meanwhile.
    pub(crate) fn read(&self, state: &State, at: EpochMs, rules: &FoldRules) -> Known {
        let reading = state.reading(at, rules, &self.reference);
        let features = if self.is_prior() {
            Features::OfPrior(prior::Inputs::FEATURES.map(|feature| reading.get(feature)))
        } else {
            let mut values = Box::new([None; Feature::COUNT]);
            for feature in self.predictors().features() {
                values[feature as usize] = reading.get(feature);
            }
            Features::OfModels(values)
        };
        let assigned = |(cohorts, own): &(Arc<CohortsVersion>, Arc<Reference>)| {
            let membership = if Arc::ptr_eq(own, &self.reference) {
                cohorts.cohorts.assign(|feature| reading.get(feature))
            } else {
                let reading = state.reading(at, rules, own);
                cohorts.cohorts.assign(|feature| reading.get(feature))
            };
            membership.index
        };
        Known {
            features,
            cohort: self.cohorts.as_ref().map(assigned),
            is_in_session: state.session(at, rules).is_some(),
        }
    }

    /// The cohort of whom `known` is known, and the version that it is one of; that of everyone where there is no other, or nothing
    /// is known. `name` has the names that people gave.
    pub(crate) fn cohort<'a>(
        &self,
        known: &Known,
        name: impl Fn(&str) -> Option<&'a str>,
    ) -> (Cohort, Option<&CohortsVersion>) {
        let found = self.cohorts.as_ref().zip(known.cohort);
        let found = found.and_then(|((cohorts, _), index)| {
            let cohort = cohorts.cohorts.get(index)?;
            Some((cohort, &**cohorts))
        });
        let Some((cohort, version)) = found else {
            return (Cohort::EVERYONE, None);
        };
        let shown = Cohort {
            id: cohort.id.to_string().into(),
            name: name(&cohort.id).unwrap_or(&cohort.name).to_owned().into(),
        };
        (shown, Some(version))
    }
}

impl Known {
    /// Whether a session of the shopper goes on.
    pub(crate) fn is_in_session(&self) -> bool {
        self.is_in_session
    }

    /// The value of a feature that the predictions rest on.
    pub(crate) fn feature(&self, feature: Feature) -> Option<f64> {
        match &self.features {
            Features::OfPrior(values) => {
                let mut places = prior::Inputs::FEATURES.iter();
                values[places.position(|known| *known == feature)?]
            }
            Features::OfModels(values) => values[feature as usize],
        }
    }
}
