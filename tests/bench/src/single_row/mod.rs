//! The score of one row: our trees against those of `LightGBM`, the same model, 200 trees of 31 leaves that it trained on
//! made data; and logistic regression against a plain weighted sum.
//!
//! Both sides score the same rows, one after another, in CPU time of their thread. The rows are many, so that no branch
//! predictor learns them by heart. A turn counts only if both sides say the same.

mod data;
mod model_text;

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use foretide_models::{Logistic, Shape, Term, Trees};
use foretide_tests::project_root;

use crate::measure::{Pairs, print_head, thread_cpu_seconds};
use data::{Rows, WIDTH};

/// Rows that the model is trained on.
const TRAINING_ROWS: usize = 50_000;
/// Rows that are scored over and over.
const SCORED_ROWS: usize = 4096;
/// CPU time of each side in each turn.
const TURN_S: f64 = 1.0;
/// How far the margins of both sides may be apart: they sum in another order.
const TOLERANCE: f64 = 1e-9;

/// `LightGBM` in a process of its own.
struct Peer<'a> {
    directory: &'a Path,
}

impl Peer<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn run(arguments: &[&str], files: &[PathBuf]) -> anyhow::Result<String> {
        let mut command = Command::new(project_root().join("tests/bench/peers/lightgbm/run"));
        let mut files = files.iter();
        for argument in arguments {
            match *argument {
                "FILE" => command.arg(files.next().context("one more file")?),
                plain => command.arg(plain),
            };
        }
        let output = command.output().context("starting peers/lightgbm/run")?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "LightGBM failed: {told}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Trains on `rows`, and gives the model's text.
    fn train(&self, rows: &Rows) -> anyhow::Result<String> {
        let [values, labels, model] =
            ["train.rows", "train.labels", "model.txt"].map(|name| self.file(name));
        fs::write(&values, rows.value_bytes())?;
        fs::write(&labels, rows.label_bytes())?;
        let (count, width) = (rows.len().to_string(), WIDTH.to_string());
        let arguments = ["train", "FILE", "FILE", &count, &width, "FILE"];
        Self::run(&arguments, &[values, labels, model.clone()])?;
        Ok(fs::read_to_string(model)?)
    }

    /// Scores `rows` for a turn: nanoseconds a row.
    fn score(&self, rows: &Rows) -> anyhow::Result<f64> {
        let [values, model, margins] =
            ["scored.rows", "model.txt", "margins"].map(|name| self.file(name));
        fs::write(&values, rows.value_bytes())?;
        let (count, width) = (rows.len().to_string(), WIDTH.to_string());
        let seconds = TURN_S.to_string();
        let arguments = ["score", "FILE", &count, &width, "FILE", "FILE", &seconds];
        let told = Self::run(&arguments, &[values, model, margins])?;
        Ok(told.trim().parse()?)
    }

    /// The margins of the last turn.
    fn margins(&self) -> anyhow::Result<Vec<f64>> {
        let bytes = fs::read(self.file("margins"))?;
        let (numbers, _) = bytes.as_chunks::<8>();
        Ok(numbers
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect())
    }
}

/// Nanoseconds a row that `score` takes, in CPU time over a turn.
fn timed(rows: &Rows, mut score: impl FnMut(&[f64]) -> f64) -> anyhow::Result<f64> {
    let begin = thread_cpu_seconds()?;
    let mut passes = 0.0;
    loop {
        for row in rows.iter() {
            black_box(score(black_box(row)));
        }
        passes += 1.0;
        let spent = thread_cpu_seconds()? - begin;
        if spent >= TURN_S {
            return Ok(spent * 1e9 / (passes * rows.len() as f64));
        }
    }
}

/// Runs `pairs` turns.
pub fn run(directory: &Path, pairs: usize) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(directory)?;
    let peer = Peer {
        directory: directory.path(),
    };
    let training = Rows::made(TRAINING_ROWS, 1);
    let rows = Rows::made(SCORED_ROWS, 2);
    let text = peer.train(&training)?;
    let trees = model_text::read(&text, WIDTH)?;
    tell(&trees);

    let of_trees = Pairs::take(
        pairs,
        || peer.score(&rows),
        || timed(&rows, |row| trees.margin(row)),
    )?;
    let apart = rows
        .iter()
        .zip(peer.margins()?)
        .map(|(row, margin)| (trees.margin(row) - margin).abs())
        .fold(0.0, f64::max);
    ensure!(
        apart <= TOLERANCE,
        "the margins of both sides are up to {apart:e} apart"
    );
    println!("the margins of both sides are at most {apart:.1e} apart");
    let mut contributions = vec![0.0; WIDTH];
    let explained = Pairs::take(
        pairs,
        || timed(&rows, |row| trees.margin(row)),
        || timed(&rows, |row| trees.explain(row, &mut contributions)),
    )?;
    let logistic = logistic(&rows)?;
    let weights: Vec<f64> = logistic.terms().iter().map(|term| term.weight).collect();
    let of_logistic = Pairs::take(
        pairs,
        || {
            timed(&rows, |row| {
                row.iter().zip(&weights).map(|(x, w)| x * w).sum()
            })
        },
        || timed(&rows, |row| logistic.margin(row)),
    )?;
    print_head();
    of_trees.print("one row, 200 trees × 31 leaves", "ns of CPU", "≤ 1");
    explained.print(
        "the same with contributions, against without",
        "ns of CPU",
        "none",
    );
    of_logistic.print(
        &format!("logistic, {WIDTH} inputs, half of them bent, against a plain weighted sum"),
        "ns of CPU",
        "≤ 200 ns",
    );
    Ok(())
}

/// Says what is scored.
fn tell(trees: &Trees) {
    let count = trees.trees().len();
    let nodes: usize = trees.trees().iter().map(|tree| tree.nodes.len()).sum();
    println!("{count} trees, {nodes} nodes, {WIDTH} inputs; {SCORED_ROWS} rows over and over");
}

/// A logistic regression over the same inputs, every other one bent.
fn logistic(rows: &Rows) -> anyhow::Result<Logistic> {
    let terms = (0..WIDTH).map(|input| {
        let values = rows
            .iter()
            .map(|row| row[input])
            .filter(|value| !value.is_nan());
        let high = values.fold(1.0, f64::max);
        Term {
            shape: if input % 2 == 0 {
                Shape::Log1p
            } else {
                Shape::Linear
            },
            low: -high,
            high,
            mean: 0.1,
            scale: 1.5,
            weight: 0.1 + input as f64 / 100.0,
            missing: 0.05,
        }
    });
    Ok(Logistic::build(-1.0, terms.collect())?)
}
