//! Columns that know the label too well.

use serde::{Deserialize, Serialize};

use crate::{
    Column, Examples,
    encoding::rates,
    frame::{Categories, MISSING},
    metrics::{Scored, area_of},
};

/// A column whose own area under the ROC curve is at least this is named.
const SUSPICIOUS: f64 = 0.98;

/// Fewer rows of a class say nothing of a leak.
const LEAST: usize = 20;

/// Numbers are taken together in at most so many bins, of at least so many rows.
const MOST_BINS: usize = 64;
const LEAST_ROWS: usize = 10;

/// A column that alone predicts the label almost perfectly: likely it was written down after the fact, or is the label in other words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// The column.
    pub column: String,
    /// The area under the ROC curve of the rates of positives over its values, out of fold.
    pub auc: f64,
}

/// The columns of `examples` that are likely leaks, the surest first. What counts is what the values say, in any order: how a number
/// rises or falls with the label, and what it means that it is missing.
pub fn leaks(examples: &Examples, seed: u64) -> Vec<Leak> {
    if examples.positives().min(examples.negatives()) < LEAST {
        return Vec::new();
    }
    let leak = |(name, column): (&str, &Column)| {
        let binned;
        let categories = match column {
            Column::Categories(categories) => categories,
            Column::Numbers(numbers) => {
                binned = bins(numbers);
                &binned
            }
        };
        let (_, rates) = rates(categories, examples, seed);
        let row = |(place, rate): (usize, f64)| Scored {
            probability: rate,
            label: examples.labels[place],
            weight: examples.weights[place],
            group: 0,
            fold: 0,
        };
        let rows: Vec<Scored> = rates.into_iter().enumerate().map(row).collect();
        let auc = area_of(&rows).filter(|auc| *auc >= SUSPICIOUS)?;
        Some(Leak {
            column: name.to_owned(),
            auc,
        })
    };
    let mut leaks: Vec<Leak> = examples.frame.columns().filter_map(leak).collect();
    leaks.sort_by(|a, b| b.auc.total_cmp(&a.auc));
    leaks
}

/// Numbers by the stretch they lie in, between quantiles.
fn bins(numbers: &[f64]) -> Categories {
    let mut sorted: Vec<f64> = numbers
        .iter()
        .copied()
        .filter(|number| !number.is_nan())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let count = (sorted.len() / LEAST_ROWS).clamp(1, MOST_BINS);
    let mut edges: Vec<f64> = (1..count)
        .map(|bin| sorted[bin * sorted.len() / count])
        .collect();
    edges.dedup();
    let code = |number: &f64| {
        let bin = edges.partition_point(|edge| edge <= number);
        if number.is_nan() {
            MISSING
        } else {
            u32::try_from(bin).unwrap_or(MISSING)
        }
    };
    Categories {
        codes: numbers.iter().map(code).collect(),
        levels: (0..=edges.len()).map(|bin| bin.to_string()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, seeded::Seeded};

    #[test]
    fn a_column_that_knows_the_label_is_named_and_others_are_not() {
        let mut seeded = Seeded::new(1, 1);
        let labels: Vec<bool> = (0..2_000).map(|_| seeded.below(3) == 0).collect();
        let mut column = |of: &dyn Fn(bool, f64) -> f64| {
            let number = |label: &bool| of(*label, seeded.below(1_000) as f64 / 1_000.0);
            Column::Numbers(labels.iter().map(number).collect())
        };
        let frame = Frame::new(vec![
            (
                "good".to_owned(),
                column(&|label, x| x + if label { 0.5 } else { 0.0 }),
            ),
            // Neither high nor low, but in the middle.
            (
                "middle".to_owned(),
                column(&|label, x| {
                    if label {
                        0.5
                    } else {
                        x * 0.4 + if x > 0.5 { 0.55 } else { 0.0 }
                    }
                }),
            ),
            (
                "missing".to_owned(),
                column(&|label, x| if label { f64::NAN } else { x }),
            ),
            ("noise".to_owned(), column(&|_, x| x)),
        ]);
        let examples = Examples::new(frame.unwrap(), labels.clone()).unwrap();
        let named: Vec<String> = leaks(&examples, 0)
            .into_iter()
            .map(|leak| leak.column)
            .collect();
        assert!(named.contains(&"middle".to_owned()) && named.contains(&"missing".to_owned()));
        assert_eq!(named.len(), 2, "{named:?}");
    }
}
