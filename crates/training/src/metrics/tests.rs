use proptest::prelude::*;

use super::*;

fn scored(probability: f64, label: bool) -> Scored {
    Scored {
        probability,
        label,
        weight: 1.0,
        group: 0,
        fold: 0,
    }
}

fn each_its_own(rows: &mut [Scored]) {
    for (group, row) in rows.iter_mut().enumerate() {
        row.group = group as u64;
    }
}

fn value(rows: &[Scored]) -> Metrics {
    evaluate(
        rows,
        &Bootstrap {
            samples: 0,
            seed: 0,
        },
    )
    .unwrap()
}

#[test]
fn figures_are_those_worked_out_by_hand() {
    let rows = [
        scored(0.9, true),
        scored(0.6, false),
        scored(0.6, true),
        scored(0.1, false),
    ];
    let metrics = value(&rows);
    assert_eq!(metrics.auc.value, 0.875);
    let loss = -[0.9, 0.4, 0.6, 0.9].map(libm::log).iter().sum::<f64>() / 4.0;
    assert!((metrics.log_loss.value - loss).abs() < 1e-12);
    assert!((metrics.brier.value - (0.01 + 0.36 + 0.16 + 0.01) / 4.0).abs() < 1e-12);
    // The two of one probability are one bin: 0.6 against a half.
    assert!((metrics.ece.value - (0.1 + 0.2 + 0.1) / 4.0).abs() < 1e-12);
}

#[test]
fn ranks_are_compared_within_a_fold_only() {
    let mut rows = [
        scored(0.2, true),
        scored(0.1, false),
        scored(0.9, true),
        scored(0.8, false),
    ];
    assert_eq!(value(&rows).auc.value, 0.75);
    rows[2].fold = 1;
    rows[3].fold = 1;
    assert_eq!(value(&rows).auc.value, 1.0);
}

#[test]
fn rows_of_one_class_have_no_figures() {
    assert_eq!(
        evaluate(&[scored(0.5, true); 3], &Bootstrap::default()),
        None
    );
    assert_eq!(evaluate(&[], &Bootstrap::default()), None);
}

#[test]
fn an_interval_is_wider_where_rows_hang_together() {
    let mut rows: Vec<Scored> = (0..2_000)
        .map(|row| scored(f64::from(row % 97) / 97.0, (row * 31) % 97 < row % 97))
        .collect();
    each_its_own(&mut rows);
    let alone = evaluate(&rows, &Bootstrap::default()).unwrap().log_loss;
    for (place, row) in rows.iter_mut().enumerate() {
        row.group = (place % 97) as u64;
    }
    let together = evaluate(&rows, &Bootstrap::default()).unwrap().log_loss;
    assert_eq!(alone.value, together.value);
    assert!(alone.low < alone.value && alone.value < alone.high);
    assert!(together.high - together.low > 1.5 * (alone.high - alone.low));
}

#[test]
fn curves_go_from_nothing_to_all_and_bins_hold_all_rows() {
    let rows: Vec<Scored> = (0..1_000)
        .map(|row| scored(f64::from(row) / 1_000.0, row % 3 == 0))
        .collect();
    let roc = roc(&rows);
    assert!(roc.len() <= 202, "{}", roc.len());
    assert_eq!((roc[0].false_positives, roc[0].true_positives), (0.0, 0.0));
    let last = roc.last().unwrap();
    assert_eq!((last.false_positives, last.true_positives), (1.0, 1.0));
    let bins = calibration_curve(&rows, 10);
    assert_eq!(bins.iter().map(|bin| bin.rows).sum::<usize>(), 1_000);
    assert!(bins.is_sorted_by_key(|bin| bin.predicted));
}

proptest! {
    #[test]
    fn the_area_is_the_share_of_pairs_in_order(
        rows in prop::collection::vec((0_u8..20, any::<bool>(), 0_u8..4), 2..60),
    ) {
        let rows: Vec<Scored> = rows.into_iter().map(|(p, label, weight)| Scored {
            weight: f64::from(weight), ..scored(f64::from(p) / 20.0, label)
        }).collect();
        let (mut above, mut pairs) = (0.0, 0.0);
        for positive in rows.iter().filter(|row| row.label) {
            for negative in rows.iter().filter(|row| !row.label) {
                let counts = positive.weight * negative.weight;
                pairs += counts;
                above += counts * match positive.probability.total_cmp(&negative.probability) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
            }
        }
        if let Some(metrics) = evaluate(&rows, &Bootstrap { samples: 5, seed: 1 }) {
            prop_assert!((metrics.auc.value - above / pairs).abs() < 1e-9);
        } else {
            prop_assert_eq!(pairs, 0.0);
        }
    }

    #[test]
    fn the_loss_of_a_margin_is_that_of_its_probability(margin in -20.0..20.0_f64, label in any::<bool>()) {
        let probability = 1.0 / (1.0 + libm::exp(-margin));
        let right = -libm::log(if label { probability } else { 1.0 - probability });
        prop_assert!((margin_loss(margin, label) - right).abs() < 1e-6);
    }
}

#[test]
fn the_interval_of_a_small_calibration_error_holds_it_and_is_not_all_noise() {
    let mut seeded = crate::seeded::Seeded::new(5, 0);
    let mut rows: Vec<_> = (0..5_000)
        .map(|_| {
            let likely = seeded.below(1_000) as f64 / 1_000.0;
            scored(likely, (seeded.below(1_000) as f64) < 1_000.0 * likely)
        })
        .collect();
    each_its_own(&mut rows);
    let ece = evaluate(&rows, &Bootstrap::default()).unwrap().ece;
    assert!(ece.low < ece.value && ece.value < ece.high, "{ece:?}");
    assert!(ece.low >= 0.0 && ece.high < 2.5 * ece.value, "{ece:?}");
}
