use super::*;
use crate::{Kind, Matrix, seeded::Seeded};

/// Rows whose label follows from two inputs together, with a third that says nothing and holes in the first.
fn rows(count: usize, seed: u64) -> Labelled {
    let mut seeded = Seeded::new(seed, 0);
    let mut columns = vec![Vec::new(); 3];
    let mut labels = Vec::new();
    for _ in 0..count {
        let [a, b, c] = [(); 3].map(|()| seeded.below(1_000) as f64 / 1_000.0);
        let is_missing = seeded.below(10) == 0;
        columns[0].push(if is_missing { f64::NAN } else { a });
        columns[1].push(b);
        columns[2].push(c);
        let likely = if is_missing {
            0.9
        } else if (a < 0.5) == (b < 0.5) {
            0.8
        } else {
            0.1
        };
        labels.push((seeded.below(1_000) as f64) < 1_000.0 * likely);
    }
    Labelled {
        inputs: Matrix::of(columns, count),
        weights: vec![1.0; count],
        labels,
    }
}

fn settings() -> FitSettings {
    FitSettings {
        max_trees: 100,
        ..FitSettings::of(Kind::Boosted)
    }
}

#[test]
fn what_two_inputs_say_together_is_learnt() {
    let folds = [(rows(2_000, 1), rows(1_000, 2))];
    let choice = choose(&folds, &settings()).unwrap();
    let (scorer, tuned, gains) = fit(&folds[0].0, &choice, &settings()).unwrap();
    assert!(
        matches!(tuned, Tuned::Boosted { trees, .. } if trees > 5),
        "{tuned:?}"
    );
    let margin = |row: [f64; 3]| scorer.margin(&row);
    assert!(margin([0.2, 0.2, 0.5]) > 0.7 && margin([0.8, 0.8, 0.5]) > 0.7);
    assert!(margin([0.2, 0.8, 0.5]) < -1.0 && margin([0.8, 0.2, 0.5]) < -1.0);
    assert!(margin([f64::NAN, 0.2, 0.5]) > 1.0);
    assert!(gains[2] < 0.5 * gains[1], "{gains:?}");
}

#[test]
fn a_tree_sees_half_of_many_columns_and_all_of_a_few() {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as the library cuts it off"
    )]
    let seen = |width: usize| (train::share_of_columns(width) * width as f64) as usize;
    assert_eq!([1, 2, 3, 8].map(seen), [1, 2, 3, 8]);
    assert_eq!([9, 15, 36, 101].map(seen), [8, 8, 18, 50]);
}

#[test]
fn converted_trees_say_what_the_library_says() {
    let train = rows(1_000, 3);
    let data = Data::of(&train).unwrap();
    let model = train::plain(&data, 20, &Shape::of(16, 1_000), &settings()).unwrap();
    let trees = convert::trees(&model, 3).unwrap();
    let watched = train::watched(
        &data,
        &data,
        &Shape::of(16, 1_000),
        &FitSettings {
            max_trees: 20,
            ..settings()
        },
    );
    let margins = watched.unwrap().margins(&data, 20).unwrap();
    let mut row = Vec::new();
    for (place, margin) in margins.iter().enumerate() {
        train.inputs.row(place, &mut row);
        assert!((trees.margin(&row) - margin).abs() < 1e-4);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folds = [(rows(2_000, 1), rows(500, 2))];
    let of = |threads| {
        let settings = FitSettings {
            threads,
            ..settings()
        };
        let choice = choose(&folds, &settings).unwrap();
        fit(&folds[0].0, &choice, &settings).unwrap().0
    };
    assert_eq!(of(1), of(2));
}

#[test]
fn columns_that_say_nothing_do_no_harm() {
    let mut rows = rows(500, 1);
    let mut columns = rows.inputs.columns().to_vec();
    columns.extend([vec![f64::NAN; 500], vec![1.0; 500], vec![1e300; 500]]);
    rows.inputs = Matrix::of(columns, 500);
    let choice = choose(&[(rows.clone(), rows.clone())], &settings()).unwrap();
    let (scorer, ..) = fit(&rows, &choice, &settings()).unwrap();
    assert!(scorer.margin(&[f64::NAN; 6]).is_finite());
}

#[test]
fn the_number_of_trees_is_where_the_mean_of_the_curves_is_least() {
    assert_eq!(least(&[&[3.0, 1.0, 2.0], &[3.0, 2.0, 0.5]], &[1.0, 1.0]), 3);
    assert_eq!(least(&[&[3.0, 1.0, 2.0], &[3.0, 2.0, 0.5]], &[9.0, 1.0]), 2);
    assert_eq!(least(&[&[3.0, 1.0], &[3.0, 2.0, 0.5]], &[1.0, 1.0]), 3);
    assert_eq!(least(&[], &[]), 1);
}
