//! Cohorts and models for tests.

use std::{collections::BTreeMap, sync::Arc};

use foretide_cohorts::{Counts, Reformer, Sample, Settings};
use foretide_events::{EpochMs, Text};
use foretide_features::{Feature, Reference, schema_id};
use foretide_models::{
    Calibration, Correction, DataCard, InputSummary, Logistic, Model, ModelCard, ModelParts,
    Scorer, ScorerKind, Shape, Target, Term, Window, prior,
};
use foretide_ports::{CohortsVersion, ModelVersion, ServingCause, ServingChange};

use super::{DAY_MS, NOW};

/// Two cohorts that serve from `since` on: one third of 600 shoppers looks at many products, the others at few. One with `few`
/// shoppers is made of the first.
pub(crate) fn cohorts(version: &str, since: EpochMs, few: bool) -> CohortsVersion {
    let features = vec![Feature::ProductViews30d, Feature::Searches30d];
    let sample = |offset: u32| {
        let mut sample = Sample::new(&features);
        for number in 0..600_u32 {
            let jitter = f64::from((number + offset) * 37 % 101) / 101.0;
            let level = if number % 3 == 0 { 60.0 } else { 0.5 };
            sample.push(|_| Some(level + jitter));
        }
        sample
    };
    let settings = Settings {
        features: features.clone(),
        cohorts: Counts::Fixed(2),
        ..Settings::default()
    };
    let reference = Text::new(Reference::prior().version()).unwrap();
    let reformer = Reformer::new(settings, 7).unwrap();
    let reforming = reformer.reform(&sample(0), &sample(11), None, since, &reference);
    let formed = reforming.accepted().unwrap();
    let version = Text::new(version).unwrap();
    let sizes = if few { [49, 551] } else { [200, 400] };
    let formed = formed.named(version.clone(), since);
    let formed = formed.counted(&sizes).unwrap();
    CohortsVersion {
        as_of: None,
        version,
        since,
        shoppers: 600,
        cohorts: Arc::new(formed),
    }
}

/// A model that says of everyone `log_odds`, and more of those with more sessions; one half the prior. Of version `v1` of the
/// cohorts it corrects both by some log-odds.
pub(crate) fn model(target: Target, log_odds: f64) -> ModelVersion {
    let term = |weight, missing| Term {
        shape: Shape::Linear,
        low: 0.0,
        high: 1e6,
        mean: 0.0,
        scale: 1.0,
        weight,
        missing,
    };
    let scorer = Logistic::build(log_odds, vec![term(0.01, 0.0), term(0.0, 0.25)]).unwrap();
    let correction = |offset| Correction {
        offset,
        slope: 1.0,
        trust: 0.5,
        examples: 500,
    };
    let window = Window {
        from: NOW.plus(-30 * DAY_MS),
        until: NOW.plus(-DAY_MS),
    };
    let inputs = ["sessions_total", "days_since_purchase"];
    let corrections = [("c-1", 4.0), ("c-2", 5.0)];
    let parts = ModelParts {
        target,
        schema_id: Text::new(&schema_id()).unwrap(),
        reference: Text::new("prior-1").unwrap(),
        cohorts: Text::new("v1"),
        inputs: inputs.map(String::from).to_vec(),
        scorer: Scorer::Logistic(scorer),
        calibration: Calibration::None,
        corrections: corrections
            .map(|(id, offset)| (id.to_owned(), correction(offset)))
            .into(),
        weight: 0.5,
        prior: Text::new(prior::NAME).unwrap(),
        window,
        seed: 7,
        created_at: NOW,
    };
    let model = Model::new(parts).unwrap();
    ModelVersion {
        target,
        version: model.version().clone(),
        created_at: NOW,
        card: card(&model, window),
        model: Arc::new(model),
    }
}

fn card(model: &Model, window: Window) -> ModelCard {
    let data = DataCard {
        window,
        examples: 5_000,
        positives: 1_000,
        shoppers: 800,
        treated: 10,
    };
    let parts = model.parts();
    ModelCard {
        version: model.version().clone(),
        target: model.target(),
        kind: ScorerKind::Logistic,
        created_at: parts.created_at,
        schema_id: parts.schema_id.clone(),
        reference: parts.reference.clone(),
        cohorts: parts.cohorts.clone(),
        seed: parts.seed,
        weight: parts.weight,
        training: data.clone(),
        test: data,
        metrics: None,
        prior_metrics: None,
        calibration_curve: Vec::new(),
        importance: Vec::new(),
        corrections: BTreeMap::new(),
        inputs: vec![InputSummary {
            feature: "sessions_total".to_owned(),
            edges: vec![5.0, 10.0],
            shares: vec![0.5, 0.3, 0.2],
            missing: 0.0,
        }],
    }
}

/// That `model` serves from `since` on.
pub(crate) fn serving(model: &ModelVersion, sequence: u32, since: EpochMs) -> ServingChange {
    ServingChange {
        target: model.target,
        sequence,
        version: Some(model.version.clone()),
        since,
        cause: ServingCause::Promoted,
        by: Text::new("test").unwrap(),
        by_hand: false,
    }
}
