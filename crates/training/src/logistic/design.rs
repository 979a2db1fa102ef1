//! Columns made ready for weights: bounded, bent, standardised, missing values marked.

use foretide_models::{Shape, Term};
use ndarray::Array2;

use crate::{Matrix, matrix::Labelled};

/// What lies beyond these quantiles counts as lying on them.
const WINSOR: [f64; 2] = [0.002, 0.998];

/// Numbers beyond this are always bent, so that their means stay what a model may hold.
const LARGE: f64 = 1e5;

/// How each input is prepared: a term without its weights.
pub(super) struct Design {
    terms: Vec<Term>,
    /// The place of each input in a row of the design: of its value, and of its mark for missing.
    places: Vec<[Option<usize>; 2]>,
    width: usize,
}

impl Design {
    /// Prepares the inputs of `rows`.
    ///
    /// Each is bounded by the quantiles of what is there, because one enormous order must not set the scale of all. It is bent by
    /// sign(x) · ln(1 + |x|) where that goes better with the label (by correlation), as it does for most counts, sums and times. One
    /// that is the same everywhere has no weight, and a mark for missing is there only if something is missing and something is not.
    pub(super) fn of(rows: &Labelled) -> Self {
        let mut design = Self {
            terms: Vec::new(),
            places: Vec::new(),
            width: 0,
        };
        for column in rows.inputs.columns() {
            let term = prepared(column, rows);
            let missing = column.iter().filter(|value| value.is_nan()).count();
            let mut place = |is_used: bool| {
                design.width += usize::from(is_used);
                is_used.then(|| design.width - 1)
            };
            let value = place(term.low < term.high);
            let mark = place(missing > 0 && missing < column.len());
            design.places.push([value, mark]);
            design.terms.push(term);
        }
        design
    }

    /// How many weights there are, without the intercept.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The rows of `inputs` as weights are multiplied with them, `(n_rows, width + 1)`: the last is the 1 of the intercept.
    pub(super) fn matrix(&self, inputs: &Matrix) -> Array2<f64> {
        let mut matrix = Array2::zeros((inputs.rows(), self.width + 1));
        matrix.column_mut(self.width).fill(1.0);
        for ((column, term), [value, mark]) in
            inputs.columns().iter().zip(&self.terms).zip(&self.places)
        {
            for (row, number) in column.iter().enumerate() {
                match (term.standardised(*number), value, mark) {
                    (Some(standardised), Some(place), _) => matrix[[row, *place]] = standardised,
                    (None, _, Some(place)) => matrix[[row, *place]] = 1.0,
                    _ => {}
                }
            }
        }
        matrix
    }

    /// The terms with their weights.
    pub(super) fn terms(&self, weights: &[f64]) -> Vec<Term> {
        let of = |place: &Option<usize>| place.map_or(0.0, |place| weights[place]);
        let pairs = self.terms.iter().zip(&self.places);
        let term = |(term, [value, mark]): (&Term, &[Option<usize>; 2])| Term {
            weight: of(value),
            missing: of(mark),
            ..*term
        };
        pairs.map(term).collect()
    }
}

/// The term of a column, without weights.
fn prepared(column: &[f64], rows: &Labelled) -> Term {
    let mut there: Vec<f64> = column
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    there.sort_by(f64::total_cmp);
    let [low, high] = bounds(&there);
    let term = |shape| {
        let blank = Term {
            shape,
            low,
            high,
            mean: 0.0,
            scale: 1.0,
            weight: 0.0,
            missing: 0.0,
        };
        standardised(blank, column, rows)
    };
    let (linear, correlation) = term(Shape::Linear);
    let (bent, bent_correlation) = term(Shape::Log1p);
    let is_large = low.abs().max(high.abs()) > LARGE;
    if is_large || bent_correlation > correlation {
        bent
    } else {
        linear
    }
}

/// The bounds of sorted values: their outer quantiles, or all there is where these are one.
fn bounds(sorted: &[f64]) -> [f64; 2] {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return [0.0, 0.0];
    };
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of rows"
        )]
        let place = (share * (sorted.len() - 1) as f64).round() as usize;
        sorted[place]
    };
    let [low, high] = WINSOR.map(at);
    if low < high {
        [low, high]
    } else {
        [*first, *last]
    }
}

/// `term` with mean and deviation of the bent values, and how strongly these go with the label: their correlation, without sign.
fn standardised(term: Term, column: &[f64], rows: &Labelled) -> (Term, f64) {
    let (mut weight, mut sum, mut squares) = (0.0, 0.0, 0.0);
    let (mut positives, mut together) = (0.0, 0.0);
    // With a mean of 0 and a scale of 1, what is standardised is the bent value; around the first one, sums stay exact.
    let around = column
        .iter()
        .find_map(|value| term.standardised(*value))
        .unwrap_or(0.0);
    for ((value, label), counts) in column.iter().zip(&rows.labels).zip(&rows.weights) {
        let Some(bent) = term.standardised(*value) else {
            continue;
        };
        let bent = bent - around;
        weight += counts;
        sum += counts * bent;
        squares += counts * bent * bent;
        if *label {
            positives += counts;
            together += counts * bent;
        }
    }
    if weight <= 0.0 {
        return (
            Term {
                mean: around,
                ..term
            },
            0.0,
        );
    }
    let mean = sum / weight;
    let variance = (squares / weight - mean * mean).max(0.0);
    let rate = positives / weight;
    let covariance = together / weight - mean * rate;
    let spread = (variance * rate * (1.0 - rate)).sqrt();
    let correlation = if spread > 0.0 {
        covariance.abs() / spread
    } else {
        0.0
    };
    let scale = variance.sqrt();
    // What hardly differs at all would be blown up to noise.
    let is_flat = scale <= 1e-9 * (mean + around).abs().max(1e-9);
    let term = Term {
        mean: mean + around,
        scale: if is_flat { 1.0 } else { scale },
        ..term
    };
    (
        if is_flat {
            Term {
                high: term.low,
                ..term
            }
        } else {
            term
        },
        correlation,
    )
}
