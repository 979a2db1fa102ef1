//! From rows of the window to a model and its card.

mod card;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use foretide_cohorts::Cohorts;
use foretide_events::{EpochMs, Text};
use foretide_features::{CATALOGUE, Feature, schema_id};
use foretide_models::{
    Correction, Model, ModelCard, ModelParts, Refused, Target, Window, evidence_weight, prior,
};

use crate::{
    Column, Examples, FitError, FitSettings, Fitted, Frame, Kind,
    cohort_models::{CohortSettings, Seen, corrections},
    fit,
    seeded::mixed,
    window::{Row, Rows},
};

/// How models are trained.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainSettings {
    /// The kinds that are tried; what the folds within the training rows say is better is taken.
    pub kinds: Vec<Kind>,
    /// The fewest examples of each label there must be to train at all.
    pub least_of_label: usize,
    /// The share of the rows, the latest, that a model is judged on and does not learn from; above 0 and at most 0.5.
    pub test_share: f64,
    /// The most rows that are learnt from: of more, some are drawn.
    pub most_rows: usize,
    /// What a cohort must have to be corrected.
    pub cohort: CohortSettings,
    /// How many bootstrap samples the intervals of the figures come from.
    pub bootstrap_samples: usize,
    /// How many threads a fit may use. The model does not depend on it.
    pub threads: usize,
    /// The most boosted trees.
    pub max_trees: usize,
    /// The most bytes of an encoded model; a larger one is fitted anew with half the trees.
    pub most_bytes: usize,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            kinds: Kind::ALL.to_vec(),
            least_of_label: 40,
            test_share: 0.2,
            most_rows: 40_000,
            cohort: CohortSettings::default(),
            bootstrap_samples: 200,
            threads: 1,
            max_trees: 400,
            most_bytes: 600 * 1024,
        }
    }
}

/// What a model is trained for, and what it is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Training<'a> {
    /// What it predicts.
    pub target: Target,
    /// How long after a point its label is certain, in milliseconds: what is learnt from lies that long before what is judged.
    pub gap_ms: i64,
    /// The newest version of the reference.
    pub reference: &'a str,
    /// The cohorts whose shoppers are corrected, if there are any.
    pub cohorts: Option<&'a Cohorts>,
    /// What every draw follows from.
    pub seed: u64,
    /// When it is trained.
    pub now: EpochMs,
}

/// A model and what people are told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The model.
    pub model: Model,
    /// Its card.
    pub card: ModelCard,
}

/// Why no model was trained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotTrained {
    /// There are too few examples of one label, or of both.
    #[error(
        "{positives} positive and {negatives} negative examples are certain; at least {least} of each are needed"
    )]
    TooLittle {
        /// How many of them have the label.
        positives: usize,
        /// How many do not.
        negatives: usize,
        /// How many there must be of each.
        least: usize,
    },
    /// The fit was refused.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The model was refused by the checks that serving makes.
    #[error("the model was refused: {0}")]
    Refused(#[from] Refused),
    /// However small it was made, its bytes were too many.
    #[error("the model has {0} bytes, which is too many for a record")]
    TooLarge(usize),
}

/// Trains a model on `rows`, judges it on the latest of them, which it did not learn from, and writes its card. The same arguments give the
/// same model.
///
/// Where the earlier rows, less the gap, are too few to learn from, it learns from all and is judged by nothing yet: then
/// the card has no figures, and only what comes after can promote it.
pub fn train(
    rows: &Rows,
    settings: &TrainSettings,
    training: &Training<'_>,
) -> Result<Trained, NotTrained> {
    let (learn, judge) = split(&rows.rows, settings, training.gap_ms);
    need_both(&learn, settings.least_of_label)?;
    let learn = thinned(learn, settings.most_rows, training.seed);
    let features = informative(&learn);
    let examples = examples(&learn, &features)?;
    let mut max_trees = settings.max_trees;
    loop {
        let fitted = best(&examples, settings, training, max_trees)?;
        let model = Model::new(parts(&learn, &features, &fitted, settings, training))?;
        let bytes = model.encode().len();
        if bytes <= settings.most_bytes {
            let card = card::of(&model, &fitted, (&learn, &judge), rows, settings, training);
            return Ok(Trained { model, card });
        }
        if max_trees < 2 {
            return Err(NotTrained::TooLarge(bytes));
        }
        max_trees = max_trees.min(trees(&fitted)) / 2;
    }
}

/// What is learnt from and what is judged, both by instant.
fn split<'a>(
    rows: &'a [Row],
    settings: &TrainSettings,
    gap_ms: i64,
) -> (Vec<&'a Row>, Vec<&'a Row>) {
    let share = settings.test_share.clamp(0.0, 0.5);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most the number of rows"
    )]
    let tested = (rows.len() as f64 * share) as usize;
    let from = rows.get(rows.len() - tested).map(|row| row.at);
    if let Some(from) = from {
        let until = from.plus(-gap_ms);
        let learn: Vec<&Row> = rows.iter().filter(|row| row.at < until).collect();
        if need_both(&learn, settings.least_of_label).is_ok() {
            return (learn, rows.iter().filter(|row| row.at >= from).collect());
        }
    }
    (rows.iter().collect(), Vec::new())
}

fn need_both(rows: &[&Row], least: usize) -> Result<(), NotTrained> {
    let positives = rows.iter().filter(|row| row.label).count();
    let negatives = rows.len() - positives;
    if positives.min(negatives) < least {
        return Err(NotTrained::TooLittle {
            positives,
            negatives,
            least,
        });
    }
    Ok(())
}

/// At most about `most` of `rows`: all of a shopper's or none, drawn by shopper, so that no label is preferred.
fn thinned(rows: Vec<&Row>, most: usize, seed: u64) -> Vec<&Row> {
    if rows.len() <= most {
        return rows;
    }
    let limit = (most as u128) << 64;
    let all = rows.len() as u128;
    let drawn = |row: &&Row| u128::from(mixed(row.group() ^ mixed(seed))) * all < limit;
    rows.into_iter().filter(drawn).collect()
}

/// The features that are not the same everywhere.
fn informative(rows: &[&Row]) -> Vec<Feature> {
    let varies = |feature: &Feature| {
        let mut values = rows.iter().map(|row| row.get(*feature));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let all = CATALOGUE.iter().map(|spec| spec.feature);
    all.filter(varies).collect()
}

fn examples(rows: &[&Row], features: &[Feature]) -> Result<Examples, FitError> {
    let examples = Examples::new(
        frame(rows, features)?,
        rows.iter().map(|row| row.label).collect(),
    )?;
    examples
        .weighted(rows.iter().map(|row| row.weight()).collect())?
        .grouped(rows.iter().map(|row| row.group()).collect())?
        .timed(rows.iter().map(|row| row.at.0 as f64).collect())
}

fn frame(rows: &[&Row], features: &[Feature]) -> Result<Frame, FitError> {
    let column = |feature: &Feature| {
        let values = rows.iter().map(|row| row.get(*feature).unwrap_or(f64::NAN));
        (
            feature.spec().name.to_owned(),
            Column::Numbers(values.collect()),
        )
    };
    Frame::new(features.iter().map(column).collect())
}

/// The fit of the kind whose folds had the least loss.
fn best(
    examples: &Examples,
    settings: &TrainSettings,
    training: &Training<'_>,
    max_trees: usize,
) -> Result<Fitted, FitError> {
    let mut best: Option<Fitted> = None;
    let mut refused = FitError::NoInputs;
    for kind in &settings.kinds {
        let fit_settings = FitSettings {
            seed: training.seed,
            gap: training.gap_ms as f64,
            threads: settings.threads,
            max_trees: max_trees.max(1),
            ..FitSettings::of(*kind)
        };
        match fit(examples, &fit_settings) {
            Ok(fitted)
                if best
                    .as_ref()
                    .is_none_or(|best| fitted.fold_log_loss < best.fold_log_loss) =>
            {
                best = Some(fitted);
            }
            Ok(_) => {}
            Err(error) => refused = error,
        }
    }
    best.ok_or(refused)
}

fn trees(fitted: &Fitted) -> usize {
    match fitted.tuned {
        crate::Tuned::Boosted { trees, .. } => trees,
        crate::Tuned::Logistic { .. } => 1,
    }
}

fn parts(
    learn: &[&Row],
    features: &[Feature],
    fitted: &Fitted,
    settings: &TrainSettings,
    training: &Training<'_>,
) -> ModelParts {
    let text = |name: &str| Text::new(name).unwrap_or_default();
    let corrections = match training.cohorts {
        Some(cohorts) => cohort_corrections(learn, fitted, cohorts, settings.cohort),
        None => BTreeMap::new(),
    };
    let weights = learn.iter().map(|row| row.weight());
    ModelParts {
        target: training.target,
        schema_id: text(&schema_id()),
        reference: text(training.reference),
        cohorts: training.cohorts.map(|cohorts| cohorts.version.clone()),
        inputs: features
            .iter()
            .map(|feature| feature.spec().name.to_owned())
            .collect(),
        scorer: fitted.scorer.clone(),
        calibration: fitted.calibration.clone(),
        corrections,
        weight: evidence_weight(as_many_equal(weights)),
        prior: text(prior::NAME),
        window: window(learn),
        seed: training.seed,
        created_at: training.now,
    }
}

/// As many examples of equal weight as say as much (L. Kish, 1965).
fn as_many_equal(weights: impl Iterator<Item = f64>) -> f64 {
    let (sum, squares) = weights.fold((0.0, 0.0), |(sum, squares), weight| {
        (sum + weight, squares + weight * weight)
    });
    if squares > 0.0 {
        sum * sum / squares
    } else {
        0.0
    }
}

/// Learns what is different in each cohort, from margins by models of folds that had not seen the row.
fn cohort_corrections(
    learn: &[&Row],
    fitted: &Fitted,
    cohorts: &Cohorts,
    settings: CohortSettings,
) -> BTreeMap<String, Correction> {
    let seen = fitted.out_of_fold.iter().filter_map(|(place, margin)| {
        let row = learn.get(*place)?;
        let cohort = cohorts.get(cohorts.assign(|feature| row.get(feature)).index)?;
        Some(Seen {
            cohort: &cohort.id,
            log_odds: fitted.calibration.apply(*margin),
            label: row.label,
            weight: row.weight(),
        })
    });
    corrections(&seen.collect::<Vec<_>>(), settings)
}

/// When the points of `rows`, which are in order, lie.
fn window(rows: &[&Row]) -> Window {
    let at = |row: Option<&&Row>| row.map_or(EpochMs::EARLIEST, |row| row.at);
    Window {
        from: at(rows.first()),
        until: at(rows.last()).plus(1),
    }
}

/// How many shoppers `rows` are of.
fn shoppers(rows: &[&Row]) -> u64 {
    let distinct: BTreeSet<_> = rows.iter().map(|row| row.shopper).collect();
    distinct.len() as u64
}
