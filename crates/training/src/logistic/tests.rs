use foretide_models::Scorer;
use linfa::traits::Fit as _;
use ndarray::{Array1, Array2};
use proptest::prelude::*;

use super::*;
use crate::{Matrix, seeded::Seeded};

/// Numbers from a seed, about standard normal.
fn normal(seeded: &mut Seeded) -> f64 {
    let uniform = |seeded: &mut Seeded| seeded.below(1 << 20) as f64 / f64::from(1 << 20);
    (0..12).map(|_| uniform(seeded)).sum::<f64>() - 6.0
}

/// Rows whose label follows from the sum of the inputs times `slopes`, with noise.
fn rows(count: usize, slopes: &[f64], seed: u64) -> Labelled {
    let mut seeded = Seeded::new(seed, 0);
    let mut columns = vec![Vec::with_capacity(count); slopes.len()];
    let mut labels = Vec::new();
    for _ in 0..count {
        let mut margin = 2.0 * normal(&mut seeded);
        for (column, slope) in columns.iter_mut().zip(slopes) {
            let value = normal(&mut seeded);
            column.push(value);
            margin += slope * value;
        }
        labels.push(margin > 0.5);
    }
    Labelled {
        inputs: Matrix::of(columns, count),
        weights: vec![1.0; count],
        labels,
    }
}

fn fitted(rows: &Labelled, l2: f64) -> Logistic {
    let choice = Choice {
        l2,
        margins: Vec::new(),
        log_loss: 0.0,
    };
    match fit(rows, &choice).unwrap().0 {
        Scorer::Logistic(logistic) => logistic,
        Scorer::Boosted(_) => panic!("another kind"),
    }
}

#[test]
fn weights_agree_with_those_of_linfa() {
    let rows = rows(2_000, &[1.5, -0.5, 0.0, 0.75], 5);
    let design = Design::of(&rows);
    let ours = newton(
        &design.matrix(&rows.inputs),
        &rows,
        3.0,
        Weights::start(&rows, 4),
    )
    .unwrap();
    let matrix = design.matrix(&rows.inputs);
    let inputs = Array2::from_shape_fn((2_000, 4), |(row, column)| matrix[[row, column]]);
    let labels = Array1::from_iter(rows.labels.iter().copied());
    let theirs = linfa_logistic::LogisticRegression::default()
        .alpha(3.0)
        .gradient_tolerance(1e-8)
        .max_iterations(1_000)
        .fit(&linfa::Dataset::new(inputs, labels))
        .unwrap();
    // Which class is positive is theirs to say.
    let sign = if theirs.labels().pos.class { 1.0 } else { -1.0 };
    for (ours, theirs) in ours.slopes().iter().zip(theirs.params()) {
        assert!((ours - sign * theirs).abs() < 1e-4, "{ours} {theirs}");
    }
    assert!((ours.intercept() - sign * theirs.intercept()).abs() < 1e-4);
}

#[test]
fn a_missing_value_gets_a_weight_of_its_own() {
    let mut rows = rows(4_000, &[0.0, 0.0], 7);
    let labels = rows.labels.clone();
    let with = |column: &[f64]| -> Vec<f64> {
        let pairs = column.iter().zip(&labels).enumerate();
        pairs
            .map(|(row, (value, label))| {
                if *label && row % 2 == 0 {
                    f64::NAN
                } else {
                    *value
                }
            })
            .collect()
    };
    let columns = vec![
        with(&rows.inputs.columns()[0]),
        rows.inputs.columns()[1].clone(),
    ];
    rows.inputs = Matrix::of(columns, 4_000);
    let logistic = fitted(&rows, 1.0);
    assert!(
        logistic.terms()[0].missing > 3.0,
        "{:?}",
        logistic.terms()[0]
    );
    assert_eq!(logistic.terms()[1].missing, 0.0);
}

#[test]
fn columns_that_say_nothing_do_no_harm() {
    let mut rows = rows(500, &[1.0], 1);
    let same = rows.inputs.columns()[0].clone();
    let columns = vec![
        same.clone(),
        vec![f64::NAN; 500],
        vec![3.0; 500],
        same,
        (0..500).map(|row| 1.7e12 + f64::from(row)).collect(),
    ];
    rows.inputs = Matrix::of(columns, 500);
    let logistic = fitted(&rows, 0.3);
    assert_eq!(logistic.terms()[1].weight, 0.0);
    assert_eq!(logistic.terms()[2].weight, 0.0);
    let [first, fourth] = [logistic.terms()[0].weight, logistic.terms()[3].weight];
    assert!((first - fourth).abs() < 1e-6 && first > 0.0);
    assert!(logistic.margin(&[f64::NAN; 5]).is_finite());
}

#[test]
fn a_heavy_tail_is_bent() {
    let mut rows = rows(3_000, &[1.5], 3);
    let heavy = rows.inputs.columns()[0]
        .iter()
        .map(|value| libm::exp(3.0 * value))
        .collect();
    rows.inputs = Matrix::of(vec![heavy], 3_000);
    assert_eq!(
        fitted(&rows, 1.0).terms()[0].shape,
        foretide_models::Shape::Log1p
    );
}

#[test]
fn classes_that_can_be_told_apart_get_finite_weights() {
    let inputs = Matrix::of(vec![(0..100).map(f64::from).collect()], 100);
    let labels = (0..100).map(|row| row >= 50).collect();
    let rows = Labelled {
        inputs,
        labels,
        weights: vec![1.0; 100],
    };
    let logistic = fitted(&rows, 0.3);
    assert!(logistic.margin(&[0.0]) < -2.0 && logistic.margin(&[99.0]) > 2.0);
}

#[test]
fn noise_is_penalised_and_signal_is_not() {
    let folds = |slopes: &[f64]| [(rows(300, slopes, 1), rows(2_000, slopes, 2))];
    let noise = choose(&folds(&[0.0; 30])).unwrap();
    let signal = choose(&folds(&[6.0, -4.0, 5.0])).unwrap();
    assert!(noise.l2 > signal.l2, "{} {}", noise.l2, signal.l2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_weight_of_two_is_two_rows(seed in any::<u64>()) {
        let once = rows(200, &[1.0, -1.0], seed);
        let twice: Vec<usize> = (0..200).chain(0..100).collect();
        let mut weighted = once.clone();
        weighted.weights[..100].fill(2.0);
        // The bounds are quantiles of rows, so they are laid by the same ones.
        let design = Design::of(&weighted);
        let repeated = once.select(&twice);
        let of = |rows: &Labelled| {
            newton(&design.matrix(&rows.inputs), rows, 1.0, Weights::start(rows, 2)).unwrap()
        };
        let (a, b) = (of(&weighted), of(&repeated));
        for (a, b) in a.slopes().iter().zip(b.slopes()) {
            prop_assert!((a - b).abs() < 1e-6);
        }
    }
}
