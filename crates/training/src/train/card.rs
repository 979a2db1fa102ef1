//! What people are told of a model.

use foretide_events::EpochMs;
use foretide_models::{
    CalibrationBin, DataCard, Importance, InputSummary, Interval, Metrics, Model, ModelCard,
    shift::summarise,
};

use super::{TrainSettings, Training, shoppers, window};
use crate::{
    Fitted,
    metrics::{self, Bootstrap, Scored, calibration_curve},
    promotion::Scores,
    window::{Row, Rows},
};

/// Into so many bins the calibration curve is cut.
const BINS: usize = 10;

pub(super) fn of(
    model: &Model,
    fitted: &Fitted,
    (learn, judge): (&[&Row], &[&Row]),
    rows: &Rows,
    settings: &TrainSettings,
    training: &Training<'_>,
) -> ModelCard {
    let parts = model.parts();
    let scores = Scores::new(training.target, training.cohorts);
    // What is judged is what would be served: blended with the prior, and corrected for the cohort.
    let judged = |model: Option<&Model>| -> Vec<Scored> {
        let figure = |row: &&Row| Scored {
            probability: scores.of(model, row),
            label: row.label,
            weight: row.weight(),
            group: row.group(),
            fold: 0,
        };
        judge.iter().map(figure).collect()
    };
    let bootstrap = Bootstrap {
        samples: settings.bootstrap_samples,
        seed: training.seed,
    };
    let by_model = judged(Some(model));
    ModelCard {
        version: model.version().clone(),
        target: training.target,
        kind: parts.scorer.kind(),
        created_at: parts.created_at,
        schema_id: parts.schema_id.clone(),
        reference: parts.reference.clone(),
        cohorts: parts.cohorts.clone(),
        seed: parts.seed,
        weight: parts.weight,
        training: data(learn, &rows.treated_at),
        test: data(judge, &rows.treated_at),
        metrics: metrics::evaluate(&by_model, &bootstrap).map(told),
        prior_metrics: metrics::evaluate(&judged(None), &bootstrap).map(told),
        calibration_curve: curve(&by_model),
        importance: importance(fitted),
        corrections: parts.corrections.clone(),
        inputs: inputs(model, learn),
    }
}

fn data(rows: &[&Row], treated_at: &[EpochMs]) -> DataCard {
    let window = window(rows);
    let treated = treated_at
        .iter()
        .filter(|at| (window.from..window.until).contains(at));
    DataCard {
        window,
        examples: rows.len() as u64,
        positives: rows.iter().filter(|row| row.label).count() as u64,
        shoppers: shoppers(rows),
        treated: treated.count() as u64,
    }
}

fn told(metrics: metrics::Metrics) -> Metrics {
    let told = |figure: metrics::Figure| Interval {
        value: figure.value,
        low: figure.low,
        high: figure.high,
    };
    Metrics {
        auc: told(metrics.auc),
        log_loss: told(metrics.log_loss),
        brier: told(metrics.brier),
        calibration_error: told(metrics.ece),
    }
}

fn curve(judged: &[Scored]) -> Vec<CalibrationBin> {
    let bins = calibration_curve(judged, BINS).into_iter();
    bins.map(|bin| CalibrationBin {
        predicted: bin.predicted,
        observed: bin.observed,
        examples: bin.rows as u64,
    })
    .collect()
}

fn importance(fitted: &Fitted) -> Vec<Importance> {
    let shares = fitted
        .importance
        .iter()
        .filter(|importance| importance.share > 0.0);
    shares
        .map(|importance| Importance {
            feature: importance.column.clone(),
            share: importance.share,
        })
        .collect()
}

/// How each input is distributed in training.
fn inputs(model: &Model, learn: &[&Row]) -> Vec<InputSummary> {
    let summary = |feature: &foretide_features::Feature| {
        let values = learn
            .iter()
            .map(|row| row.get(*feature).unwrap_or(f64::NAN));
        summarise(feature.spec().name, &mut values.collect::<Vec<_>>())
    };
    model.features().iter().map(summary).collect()
}
