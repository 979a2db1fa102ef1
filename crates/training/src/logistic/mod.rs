//! Fitting logistic regression: columns prepared, the penalty chosen, weights by Newton's steps.

mod design;
mod newton;

use foretide_models::{Logistic, Scorer};

use crate::{FitError, Tuned, matrix::Labelled, metrics};

use self::{
    design::Design,
    newton::{Weights, newton},
};

/// The penalties to choose from, the strongest first: each fit starts where the stronger one ended.
const PENALTIES: [f64; 6] = [3_000.0, 300.0, 30.0, 10.0, 3.0, 0.3];

/// The most rows that one fold learns from while the penalty is chosen: more hardly change the choice.
const CHOICE_ROWS: usize = 40_000;

/// What the folds say: the penalty, the margins of the judged rows of each fold, and their log-loss.
pub(crate) struct Choice {
    l2: f64,
    pub(crate) margins: Vec<Vec<f64>>,
    pub(crate) log_loss: f64,
}

/// Chooses the penalty by the log-loss of the judged rows of `folds`, pairs of what is learnt from and what is judged.
pub(crate) fn choose(folds: &[(Labelled, Labelled)]) -> Result<Choice, FitError> {
    let mut margins: Vec<Vec<Vec<f64>>> = vec![Vec::new(); PENALTIES.len()];
    for (train, test) in folds {
        let train = thinned(train);
        let design = Design::of(&train);
        let (learnt, judged) = (design.matrix(&train.inputs), design.matrix(&test.inputs));
        let mut weights = Weights::start(&train, design.width());
        for (penalty, margins) in PENALTIES.iter().zip(&mut margins) {
            weights = newton(&learnt, &train, *penalty, weights)?;
            margins.push(weights.margins(&judged));
        }
    }
    let loss = |margins: &Vec<Vec<f64>>| {
        let tests = folds.iter().map(|(_, test)| test);
        metrics::margin_log_loss(margins.iter().map(Vec::as_slice).zip(tests))
    };
    let losses: Vec<f64> = margins.iter().map(loss).collect();
    let best = (0..PENALTIES.len())
        .min_by(|a, b| losses[*a].total_cmp(&losses[*b]))
        .unwrap_or(0);
    Ok(Choice {
        l2: PENALTIES[best],
        margins: margins.swap_remove(best),
        log_loss: losses[best],
    })
}

/// Fits all of `rows` with the chosen penalty. Also returns how much each input matters: the standard deviation of what it adds.
pub(crate) fn fit(rows: &Labelled, choice: &Choice) -> Result<(Scorer, Tuned, Vec<f64>), FitError> {
    let design = Design::of(rows);
    let learnt = design.matrix(&rows.inputs);
    let weights = newton(
        &learnt,
        rows,
        choice.l2,
        Weights::start(rows, design.width()),
    )?;
    let terms = design.terms(weights.slopes());
    let used = terms
        .iter()
        .filter(|term| term.weight != 0.0 || term.missing != 0.0)
        .count();
    let spread = rows
        .inputs
        .columns()
        .iter()
        .zip(&terms)
        .map(|(column, term)| deviation(column.iter().map(|value| term.log_odds(*value))));
    let spread = spread.collect();
    let scorer = Logistic::build(weights.intercept(), terms);
    let scorer = scorer.map_err(|refused| FitError::Refused(refused.to_string()))?;
    Ok((
        Scorer::Logistic(scorer),
        Tuned::Logistic {
            l2: choice.l2,
            terms: used,
        },
        spread,
    ))
}

/// Evenly spaced rows, not more than [`CHOICE_ROWS`].
fn thinned(rows: &Labelled) -> Labelled {
    let all = rows.rows();
    let kept = all.min(CHOICE_ROWS);
    let places: Vec<usize> = (0..kept).map(|place| place * all / kept).collect();
    rows.select(&places)
}

fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values
        .map(|value| (value - mean) * (value - mean))
        .sum::<f64>()
        / count)
        .sqrt()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests;
