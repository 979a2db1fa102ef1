//! A report as people read it.

use std::fmt::Write as _;

use foretide_events::EpochMs;
use foretide_training::{
    Tuned,
    metrics::Figure,
    report::{Part, Report, Split},
};

use super::rows::Rows;

/// How many columns are named as important.
const NAMED: usize = 8;

pub(super) fn of(report: &Report, rows: &Rows) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = write(&mut text, report, rows);
    text
}

fn write(text: &mut String, report: &Report, rows: &Rows) -> std::fmt::Result {
    let Report {
        figures,
        train,
        test,
        ..
    } = report;
    writeln!(text, "{}", report.kind.as_str())?;
    writeln!(text, "  AUC                {}", figure(figures.auc))?;
    writeln!(
        text,
        "  log-loss           {}, by the rate alone {:.4}",
        figure(figures.log_loss),
        report.base_log_loss
    )?;
    writeln!(text, "  Brier score        {}", figure(figures.brier))?;
    writeln!(text, "  calibration error  {}", figure(figures.ece))?;
    match report.split {
        Split::Time {
            train_until,
            test_after,
        } => {
            writeln!(
                text,
                "  learnt from        {} up to {}",
                part(train),
                time(train_until, rows)
            )?;
            writeln!(
                text,
                "  judged on          {} after {}",
                part(test),
                time(test_after, rows)
            )?;
        }
        Split::Folds { folds } => {
            writeln!(
                text,
                "  judged on          {} in {folds} folds by group",
                part(test)
            )?;
        }
    }
    writeln!(text, "  chosen             {}", tuned(&report.tuned))?;
    let named = report
        .importance
        .iter()
        .filter(|column| column.share >= 0.005)
        .take(NAMED);
    let named: Vec<String> = named
        .map(|column| format!("{} {:.0} %", column.column, column.share * 100.0))
        .collect();
    write!(text, "  most important     {}", named.join(", "))?;
    for leak in &report.leaks {
        write!(
            text,
            "\n  likely a leak: `{}` alone has an AUC of {:.4}; was it written down after the fact?",
            leak.column, leak.auc
        )?;
    }
    for caution in &report.cautions {
        write!(text, "\n  note: {caution}")?;
    }
    Ok(())
}

fn figure(figure: Figure) -> String {
    format!("{:.4} ({:.4}–{:.4})", figure.value, figure.low, figure.high)
}

fn part(part: &Part) -> String {
    format!(
        "{} rows of {} groups, {} positive",
        part.rows, part.groups, part.positives
    )
}

fn time(at: f64, rows: &Rows) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds")]
    if rows.has_instants {
        EpochMs(at as i64).to_string()
    } else {
        at.to_string()
    }
}

/// What was chosen; where folds chose for themselves, what most lies between.
fn tuned(tuned: &[Tuned]) -> String {
    let range = |of: &dyn Fn(&Tuned) -> Option<f64>| {
        let values: Vec<f64> = tuned.iter().filter_map(of).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if low < high {
            format!("{low} to {high}")
        } else {
            low.to_string()
        }
    };
    match tuned.first() {
        Some(Tuned::Logistic { .. }) => {
            let l2 = range(&|tuned| match tuned {
                Tuned::Logistic { l2, .. } => Some(*l2),
                Tuned::Boosted { .. } => None,
            });
            format!("L2 penalty {l2}")
        }
        Some(Tuned::Boosted { learning_rate, .. }) => {
            let of = |trees: bool| {
                range(&|tuned| match tuned {
                    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
                    Tuned::Boosted {
                        trees: count,
                        leaves,
                        ..
                    } => Some(if trees { *count as f64 } else { *leaves as f64 }),
                    Tuned::Logistic { .. } => None,
                })
            };
            format!(
                "{} trees of at most {} leaves, steps of {learning_rate}",
                of(true),
                of(false)
            )
        }
        None => "nothing".to_owned(),
    }
}
