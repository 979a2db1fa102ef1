//! Fitting gradient-boosted trees: their size and number chosen by the folds, then all rows fitted.

mod convert;
mod train;

use foretide_models::Scorer;

use crate::{FitError, FitSettings, Tuned, matrix::Labelled, metrics};

use self::train::{Data, Shape};

/// The sizes of trees to choose from, as their most leaves. Twice the size can say one more interaction.
const LEAVES: [usize; 6] = [4, 8, 16, 32, 64, 128];

/// Where the search begins.
const FIRST: usize = 2;

/// A size is better only if its loss is lower by this share: of two that are as good, the smaller is faster and safer.
const CLEARLY: f64 = 2e-4;

/// What the folds say: the shape and number of trees, the margins of the judged rows of each fold, and their log-loss.
pub(crate) struct Choice {
    shape: Shape,
    trees: usize,
    pub(crate) margins: Vec<Vec<f64>>,
    pub(crate) log_loss: f64,
}

/// Chooses the size of trees and their number by the log-loss of the judged rows of `folds`, pairs of what is learnt from and what is
/// judged: from a middling size to the better neighbour, until neither is clearly better. The number is where the mean of the folds'
/// losses is least; a fold is not boosted further once its own loss has not fallen for a while (early stopping).
pub(crate) fn choose(
    folds: &[(Labelled, Labelled)],
    settings: &FitSettings,
) -> Result<Choice, FitError> {
    let data = folds
        .iter()
        .map(|(train, test)| Ok((Data::of(train)?, Data::of(test)?)));
    let data = data.collect::<Result<Vec<_>, FitError>>()?;
    let largest = folds
        .iter()
        .map(|(train, _)| train.rows())
        .max()
        .unwrap_or(0);
    let tried = |size: usize| tried(folds, &data, Shape::of(LEAVES[size], largest), settings);
    let mut best = tried(FIRST)?;
    let mut size = FIRST;
    for up in [true, false] {
        let start = size;
        loop {
            let next = if up { size + 1 } else { size.wrapping_sub(1) };
            if next >= LEAVES.len() || (!up && start != FIRST) {
                break;
            }
            let choice = tried(next)?;
            if choice.log_loss >= best.log_loss * (1.0 - CLEARLY) {
                break;
            }
            (best, size) = (choice, next);
        }
    }
    Ok(best)
}

/// What the folds say of one shape.
fn tried(
    folds: &[(Labelled, Labelled)],
    data: &[(Data, Data)],
    shape: Shape,
    settings: &FitSettings,
) -> Result<Choice, FitError> {
    let boosted = data
        .iter()
        .map(|(train, test)| train::watched(train, test, &shape, settings));
    let boosted = boosted.collect::<Result<Vec<_>, _>>()?;
    let weights: Vec<f64> = folds.iter().map(|(_, test)| test.weight()).collect();
    let trees = least(
        &boosted
            .iter()
            .map(|fold| &fold.losses[..])
            .collect::<Vec<_>>(),
        &weights,
    );
    let margins = boosted
        .iter()
        .zip(data)
        .map(|(fold, (_, test))| fold.margins(test, trees));
    let margins = margins.collect::<Result<Vec<_>, _>>()?;
    let tests = folds.iter().map(|(_, test)| test);
    let log_loss = metrics::margin_log_loss(margins.iter().map(Vec::as_slice).zip(tests));
    Ok(Choice {
        shape,
        trees,
        margins,
        log_loss,
    })
}

/// After how many trees the mean of `losses`, one curve a fold, is least. A curve that ended early stays where it ended, which is
/// above its least.
fn least(losses: &[&[f64]], weights: &[f64]) -> usize {
    let longest = losses.iter().map(|curve| curve.len()).max().unwrap_or(0);
    let at = |place: usize| -> f64 {
        let of = |(curve, weight): (&&[f64], &f64)| {
            curve.get(place).or(curve.last()).copied().unwrap_or(0.0) * weight
        };
        losses.iter().zip(weights).map(of).sum()
    };
    let best = (0..longest).min_by(|a, b| at(*a).total_cmp(&at(*b)));
    best.map_or(1, |place| place + 1)
}

/// Fits all of `rows` with what was chosen. Also returns how much each input matters: by how much its splits reduced the loss.
pub(crate) fn fit(
    rows: &Labelled,
    choice: &Choice,
    settings: &FitSettings,
) -> Result<(Scorer, Tuned, Vec<f64>), FitError> {
    let model = train::plain(&Data::of(rows)?, choice.trees, &choice.shape, settings)?;
    let width = rows.inputs.width();
    let scorer = Scorer::Boosted(convert::trees(&model, width)?);
    let tuned = Tuned::Boosted {
        trees: choice.trees,
        leaves: choice.shape.leaves,
        learning_rate: choice.shape.learning_rate,
    };
    Ok((scorer, tuned, convert::gains(&model, width)))
}

#[cfg(test)]
mod tests;
