use super::*;
use crate::{Column, Frame, seeded::Seeded};

/// A year of days. Until day 200 the label follows from the column; later it follows from its opposite.
fn turning(count: usize) -> Examples {
    let mut seeded = Seeded::new(4, 0);
    let (mut column, mut labels, mut days) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..count {
        let x = seeded.below(1_000) as f64 / 1_000.0;
        let day = (row * 365 / count) as f64;
        let likely = if day < 200.0 { x } else { 1.0 - x };
        column.push(x);
        labels.push((seeded.below(1_000) as f64) < 1_000.0 * likely);
        days.push(day);
    }
    let frame = Frame::new(vec![("x".to_owned(), Column::Numbers(column))]).unwrap();
    Examples::new(frame, labels).unwrap().timed(days).unwrap()
}

fn settings(kind: Kind) -> FitSettings {
    FitSettings {
        max_trees: 100,
        ..FitSettings::of(kind)
    }
}

fn by_time(until: f64, after: f64) -> Split {
    Split::Time {
        train_until: until,
        test_after: after,
    }
}

fn few() -> Bootstrap {
    Bootstrap {
        samples: 20,
        seed: 0,
    }
}

#[test]
fn later_rows_judge_earlier_ones_and_are_never_learnt_from() {
    let examples = turning(3_000);
    for kind in Kind::ALL {
        let report = evaluate(&examples, by_time(180.0, 210.0), &settings(kind), &few()).unwrap();
        assert!(report.test_auc < 0.3, "{kind:?}: {}", report.test_auc);
        assert!(
            report
                .cautions
                .iter()
                .any(|caution| caution.contains("base_log_loss"))
        );
        assert_eq!(
            (report.train.until, report.test.from),
            (Some(180.0), Some(211.0))
        );
        let before = evaluate(&examples, by_time(100.0, 107.0), &settings(kind), &few()).unwrap();
        assert!(before.test.rows < examples.rows() && before.train.rows > 0);
    }
}

#[test]
fn folds_judge_every_row_once() {
    let mut examples = turning(1_000);
    examples.times = None;
    let report = evaluate(
        &examples,
        Split::Folds { folds: 5 },
        &settings(Kind::Logistic),
        &few(),
    );
    let report = report.unwrap();
    assert_eq!(
        (
            report.test.rows,
            report.tuned.len(),
            report.calibration.len()
        ),
        (1_000, 5, 5)
    );
    assert!(
        report.figures.auc.low <= report.test_auc && report.test_auc <= report.figures.auc.high
    );
}

#[test]
fn a_report_is_the_same_again_and_goes_through_json() {
    let examples = turning(800);
    let of = || {
        evaluate(
            &examples,
            by_time(120.0, 130.0),
            &settings(Kind::Boosted),
            &few(),
        )
        .unwrap()
    };
    let report = of();
    assert_eq!(report, of());
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn a_split_that_leaves_nothing_is_refused_with_the_counts() {
    let examples = turning(500);
    let of = |split| evaluate(&examples, split, &settings(Kind::Logistic), &few()).unwrap_err();
    assert!(
        of(by_time(-1.0, 10.0))
            .to_string()
            .contains("training rows have 0 positive")
    );
    assert!(
        of(by_time(100.0, 400.0))
            .to_string()
            .contains("test rows have 0 positive")
    );
    assert!(matches!(of(by_time(100.0, 90.0)), FitError::Setting(_)));
    assert!(matches!(
        of(Split::Folds { folds: 1 }),
        FitError::Setting(_)
    ));
}
