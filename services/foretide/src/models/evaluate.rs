//! `foretide models evaluate`: fits models to any frame by the code of the trainer, and says how good they are on rows they never saw.

use std::{fs, num::NonZeroUsize, path::PathBuf, thread};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use foretide_frame::Table;
use foretide_host::config::Checked;
use foretide_training::{
    FitSettings, Kind,
    metrics::Bootstrap,
    report::{self, Report},
};
use serde::Serialize;

use super::{plots, rows, rows::Rows, text};
use crate::output::{Output, note};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # What a model learns by 8 September, judged on what came after the 15th: the label looks seven days ahead
  foretide models evaluate frame.parquet --label bought --time day --group shopper_id \\
    --train-until 2026-09-08 --test-after 2026-09-15

  # A frame without times: five folds, no shopper on both sides of any
  foretide models evaluate frame.csv --label y --group shopper --folds 5

  # The label is not 0 or 1; one column is known only afterwards; plots to look at
  foretide models evaluate adult.csv --label income --positive '>50K' --exclude refund \\
    --kind boosted --out report.json --plots plots

The frame is CSV (the first line names the columns) or Parquet. Every column but the label, the group, the time and those \
excluded is a feature. Numbers are taken as they are, true and false as 1 and 0; texts are categories. Missing cells (in CSV: \
empty, NA, NaN, null, None, ?) stay missing: logistic regression learns a weight for them, trees which way they go. A \
category is what its 20 most frequent levels say, one by one, and the rate of positives of its level, learnt from other groups than \
the row's own; a level that training never saw counts as an average one. Columns of times are left out unless one is --time, and so \
are texts that are nearly all different, such as ids. Rows without a label (or without a time, if it is asked for) are left out.

With --time the past judges nothing: rows up to --train-until are learnt from, rows after --test-after are judged. Leave at \
least the span that the label looks ahead between them; the same gap is kept wherever something is chosen within the training \
rows. Without --train-until the first three quarters of the rows are learnt from. Without --time each group is judged by \
models that learnt from other groups.

A line of JSON for each kind: kind, test_auc (0.5 is guessing, 1 is perfect), test_log_loss and test_brier (lower is better; \
base_log_loss is that of always saying the rate), test_ece (how far probabilities are from the rates that they name), figures \
(these with the middle 95 % of 200 bootstrap samples of the groups), calibration_curve, roc, importance, tuned, leaks and \
cautions. A figure that looks great is first of all suspect: leaks names each column that alone tells the label, with an AUC \
of at least 0.98; see whether it was written down after the fact.

The same frame, flags and seed give the same report on any machine.";

/// Which kinds are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kinds {
    Logistic,
    Boosted,
    Both,
}

impl Kinds {
    fn all(self) -> &'static [Kind] {
        match self {
            Self::Logistic => &[Kind::Logistic],
            Self::Boosted => &[Kind::Boosted],
            Self::Both => &Kind::ALL,
        }
    }
}

/// Fits models to a frame by the code of the trainer and judges them on rows that they never saw
#[derive(Args, Debug)]
pub(crate) struct EvaluateArgs {
    /// The frame: a .csv or .parquet file
    #[arg(value_name = "FRAME")]
    frame: PathBuf,

    /// The column to predict: 0 or 1, true or false, yes or no
    #[arg(long, env = "FORETIDE_EVALUATE_LABEL", value_name = "COLUMN")]
    pub(super) label: String,

    /// The value of the label that is to be predicted, if it is not 1, true or yes; all others are its opposite
    #[arg(long, env = "FORETIDE_EVALUATE_POSITIVE", value_name = "VALUE")]
    pub(super) positive: Option<String>,

    /// The column that says whom a row is about: such rows depend on each other
    #[arg(long, env = "FORETIDE_EVALUATE_GROUP", value_name = "COLUMN")]
    pub(super) group: Option<String>,

    /// The column that says when a row was known: numbers, dates or RFC 3339 times
    #[arg(long, env = "FORETIDE_EVALUATE_TIME", value_name = "COLUMN")]
    pub(super) time: Option<String>,

    /// The last time that is learnt from; three quarters of the rows by default
    #[arg(
        long,
        env = "FORETIDE_EVALUATE_TRAIN_UNTIL",
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub(super) train_until: Option<String>,

    /// Only rows later than this are judged; what comes after --train-until by default
    #[arg(
        long,
        env = "FORETIDE_EVALUATE_TEST_AFTER",
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub(super) test_after: Option<String>,

    /// Columns that are no features
    #[arg(
        long,
        env = "FORETIDE_EVALUATE_EXCLUDE",
        value_name = "COLUMN,…",
        value_delimiter = ','
    )]
    pub(super) exclude: Vec<String>,

    /// Which kinds of models
    #[arg(long, env = "FORETIDE_EVALUATE_KIND", default_value = "both")]
    kind: Kinds,

    /// How many folds judge a frame without times
    #[arg(long, env = "FORETIDE_EVALUATE_FOLDS", value_name = "N", default_value_t = 5,
        value_parser = clap::value_parser!(u8).range(2..=20))]
    pub(super) folds: u8,

    /// What every draw follows from
    #[arg(
        long,
        env = "FORETIDE_EVALUATE_SEED",
        value_name = "N",
        default_value_t = 0
    )]
    seed: u64,

    /// Write the reports here, as JSON
    #[arg(long, env = "FORETIDE_EVALUATE_OUT", value_name = "FILE")]
    out: Option<PathBuf>,

    /// Draw ROC, calibration and importance into this directory, as SVG and as PNG
    #[arg(long, env = "FORETIDE_EVALUATE_PLOTS", value_name = "DIR")]
    plots: Option<PathBuf>,
}

impl EvaluateArgs {
    /// The columns that nothing is read of.
    pub(super) fn unwanted(&self) -> Vec<String> {
        let names = self.exclude.iter().map(|name| name.trim().to_owned());
        names.filter(|name| !self.is_needed(name)).collect()
    }

    /// Whether the column `name` has a part of its own.
    fn is_needed(&self, name: &str) -> bool {
        let needed = [Some(&self.label), self.group.as_ref(), self.time.as_ref()];
        needed.into_iter().flatten().any(|needed| needed == name)
    }
}

impl Checked for EvaluateArgs {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.time.is_none() {
            for (flag, given) in [
                ("--train-until", &self.train_until),
                ("--test-after", &self.test_after),
            ] {
                if given.is_some() {
                    faults.push(format!(
                        "{flag} needs --time COLUMN: which column says when?"
                    ));
                }
            }
        }
        let special = [Some(&self.label), self.group.as_ref(), self.time.as_ref()];
        let mut special: Vec<&String> = special.into_iter().flatten().collect();
        special.sort();
        let mut neighbours = special.iter().zip(special.iter().skip(1));
        if let Some((twice, _)) = neighbours.find(|(one, next)| one == next) {
            faults.push(format!(
                "`{twice}` can only be one of --label, --group and --time"
            ));
        }
        faults
    }
}

/// What is said of one kind.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// What became of rows and columns that were not used.
    notes: &'a [String],
}

/// Runs the command.
pub(super) fn run(args: &EvaluateArgs, output: Output) -> anyhow::Result<()> {
    let name = args.frame.display();
    let table =
        Table::read(&args.frame, &args.unwanted()).with_context(|| format!("the frame {name}"))?;
    let rows = rows::of(args, table).with_context(|| format!("the frame {name}"))?;
    for said in &rows.notes {
        note(said);
    }
    let mut reports = Vec::new();
    for kind in args.kind.all() {
        let report = judged(*kind, args, &rows).with_context(|| format!("the frame {name}"))?;
        let line = Line {
            report: &report,
            notes: &rows.notes,
        };
        output.answer(&line, || text::of(&report, &rows))?;
        reports.push(report);
    }
    if let Some(out) = &args.out {
        let lines: Vec<Line<'_>> = reports
            .iter()
            .map(|report| Line {
                report,
                notes: &rows.notes,
            })
            .collect();
        fs::write(out, serde_json::to_vec_pretty(&lines)?)
            .with_context(|| format!("writing {} (--out)", out.display()))?;
    }
    if let Some(folder) = &args.plots {
        plots::draw(&reports, folder)
            .with_context(|| format!("drawing into {} (--plots)", folder.display()))?;
    }
    Ok(())
}

fn judged(kind: Kind, args: &EvaluateArgs, rows: &Rows) -> anyhow::Result<Report> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let settings = FitSettings {
        seed: args.seed,
        threads,
        ..FitSettings::of(kind)
    };
    let bootstrap = Bootstrap {
        seed: args.seed,
        ..Bootstrap::default()
    };
    Ok(report::evaluate(
        &rows.examples,
        rows.split,
        &settings,
        &bootstrap,
    )?)
}

#[cfg(test)]
mod tests;
