use proptest::prelude::*;

use super::*;
use crate::{Column, frame::Categories, seeded::Seeded};

/// Examples whose label follows from a number and a category; a year of days, many rows a shopper.
fn examples(count: usize, seed: u64) -> Examples {
    let mut seeded = Seeded::new(seed, 0);
    let (mut visits, mut shops, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let (mut groups, mut days) = (Vec::new(), Vec::new());
    for row in 0..count {
        let visit = seeded.below(100) as f64;
        let shop = u32::try_from(seeded.below(5)).unwrap();
        let likely = visit / 200.0 + if shop == 2 { 0.45 } else { 0.0 };
        visits.push(if seeded.below(20) == 0 {
            f64::NAN
        } else {
            visit
        });
        shops.push(shop);
        labels.push((seeded.below(1_000) as f64) < 1_000.0 * likely);
        groups.push((row % 50) as u64);
        days.push((row * 365 / count) as f64);
    }
    let levels = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let frame = Frame::new(vec![
        ("visits".to_owned(), Column::Numbers(visits)),
        (
            "shop".to_owned(),
            Column::Categories(Categories {
                levels,
                codes: shops,
            }),
        ),
    ]);
    let examples = Examples::new(frame.unwrap(), labels).unwrap();
    examples.grouped(groups).unwrap().timed(days).unwrap()
}

fn settings(kind: Kind) -> FitSettings {
    FitSettings {
        gap: 7.0,
        max_trees: 200,
        ..FitSettings::of(kind)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn both_kinds_learn_numbers_and_categories_and_mean_what_they_say() {
    let (train, test) = (examples(4_000, 1), examples(4_000, 2));
    for kind in Kind::ALL {
        let fitted = fit(&train, &settings(kind)).unwrap();
        assert!(fitted.counts.is_forward);
        let probabilities = fitted.probabilities(&test.frame).unwrap();
        let of = |label: bool| -> Vec<f64> {
            let pairs = probabilities.iter().zip(&test.labels);
            pairs
                .filter(|(_, known)| **known == label)
                .map(|(p, _)| *p)
                .collect()
        };
        assert!(mean(&of(true)) > mean(&of(false)) + 0.15, "{kind:?}");
        let rate = test.positives() as f64 / test.rows() as f64;
        assert!((mean(&probabilities) - rate).abs() < 0.03, "{kind:?}");
        let shares: f64 = fitted
            .importance
            .iter()
            .map(|importance| importance.share)
            .sum();
        assert!(
            (shares - 1.0).abs() < 1e-9 && fitted.importance.len() == 2,
            "{kind:?}"
        );
    }
}

#[test]
fn equal_data_and_seed_give_the_same_model_on_any_number_of_threads() {
    let examples = examples(1_500, 1);
    for kind in Kind::ALL {
        let of = |threads| {
            let fitted = fit(
                &examples,
                &FitSettings {
                    threads,
                    ..settings(kind)
                },
            )
            .unwrap();
            (fitted.scorer, fitted.calibration, fitted.encoding)
        };
        assert_eq!(of(1), of(2), "{kind:?}");
    }
}

#[test]
fn a_rare_class_keeps_its_rate() {
    let mut examples = examples(8_000, 3);
    let mut seeded = Seeded::new(9, 9);
    for label in &mut examples.labels {
        *label = *label && seeded.below(20) == 0;
    }
    let rate = examples.positives() as f64 / examples.rows() as f64;
    for kind in Kind::ALL {
        let fitted = fit(&examples, &settings(kind)).unwrap();
        let mean = mean(&fitted.probabilities(&examples.frame).unwrap());
        assert!(
            (mean - rate).abs() < 0.3 * rate,
            "{kind:?}: {mean} for {rate}"
        );
    }
}

#[test]
fn too_few_of_a_class_are_refused_with_the_counts() {
    let mut examples = examples(100, 1);
    examples.labels.fill(true);
    for kind in Kind::ALL {
        let refused = fit(&examples, &settings(kind)).unwrap_err();
        let expected = FitError::Classes {
            part: "training",
            positives: 100,
            negatives: 0,
            least: 10,
        };
        assert_eq!(refused, expected);
    }
}

#[test]
fn one_group_is_tuned_by_its_rows() {
    let mut examples = examples(200, 1);
    examples.times = None;
    examples.groups.fill(0);
    let fitted = fit(&examples, &settings(Kind::Logistic)).unwrap();
    assert!(!fitted.counts.is_forward && fitted.counts.groups == 1);
    assert_eq!(fitted.out_of_fold.len(), 200);
}

#[test]
fn settings_without_meaning_are_refused() {
    let examples = examples(100, 1);
    let good = settings(Kind::Logistic);
    for bad in [
        FitSettings {
            gap: -1.0,
            ..good.clone()
        },
        FitSettings {
            gap: f64::NAN,
            ..good.clone()
        },
        FitSettings {
            folds: 1,
            ..good.clone()
        },
        FitSettings {
            threads: 0,
            ..good.clone()
        },
        FitSettings {
            max_trees: 0,
            ..good.clone()
        },
    ] {
        assert!(
            matches!(fit(&examples, &bad), Err(FitError::Setting(_))),
            "{bad:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_small_frame_is_fitted_or_refused_and_never_says_nonsense(
        rows in prop::collection::vec(
            (prop_oneof![4 => -1e3..1e3_f64, 1 => Just(f64::NAN), 1 => any::<f64>()], 0_u32..4, any::<bool>(), 0_u8..3),
            20..80,
        ),
        seed in any::<u64>(),
    ) {
        let levels = ["a", "b", "c"].map(str::to_owned).to_vec();
        let codes = rows.iter().map(|row| if row.1 == 3 { crate::frame::MISSING } else { row.1 }).collect();
        let frame = Frame::new(vec![
            ("n".to_owned(), Column::Numbers(rows.iter().map(|row| row.0).collect())),
            ("c".to_owned(), Column::Categories(Categories { levels, codes })),
            ("empty".to_owned(), Column::Numbers(vec![f64::NAN; rows.len()])),
        ]).unwrap();
        let examples = Examples::new(frame, rows.iter().map(|row| row.2).collect()).unwrap();
        let examples = examples.weighted(rows.iter().map(|row| f64::from(row.3)).collect()).unwrap();
        for kind in Kind::ALL {
            let settings = FitSettings { seed, max_trees: 20, ..FitSettings::of(kind) };
            if let Ok(fitted) = fit(&examples, &settings) {
                prop_assert_eq!(fitted.calibration.check(), Ok(()));
                let probabilities = fitted.probabilities(&examples.frame).unwrap();
                prop_assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
            }
        }
    }
}
