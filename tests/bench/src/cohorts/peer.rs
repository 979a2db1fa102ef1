//! faiss and scikit-learn in a process of their own, which waits while we measure ourselves.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use foretide_cohorts::Rows;
use foretide_tests::project_root;
use serde::Deserialize;
use serde_json::{Value, json};

/// The peer, ready for commands.
pub struct Clustering {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    directory: PathBuf,
    files: usize,
}

/// Numbers in a file.
pub struct Matrix {
    path: PathBuf,
    width: usize,
}

#[derive(Deserialize)]
struct Answer {
    seconds: f64,
    #[serde(default)]
    inertia: f64,
}

impl Clustering {
    /// Starts it; files are put into `directory`.
    pub fn start(directory: &Path, threads: usize) -> anyhow::Result<Self> {
        let script = project_root().join("tests/bench/peers/clustering/run");
        let made = Command::new(&script).arg("fetch").status()?;
        anyhow::ensure!(made.success(), "the peer cannot be made ready");
        let mut process = Command::new(&script)
            .arg(threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(commands), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            anyhow::bail!("the peer has no pipes");
        };
        Ok(Self {
            process,
            commands,
            answers: BufReader::new(answers),
            directory: directory.canonicalize()?,
            files: 0,
        })
    }

    /// Writes rows to a file that it can read.
    pub fn put(&mut self, rows: &Rows) -> anyhow::Result<Matrix> {
        self.files += 1;
        let path = self.directory.join(format!("{}.f32", self.files));
        let mut bytes = Vec::with_capacity(rows.values().len() * 4);
        for number in rows.values() {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        fs::write(&path, bytes)?;
        let width = rows.width();
        Ok(Matrix { path, width })
    }

    /// The nearest of `points` to each of `rows` by faiss: how long it took, in seconds, and the places.
    pub fn assign(&mut self, rows: &Matrix, points: &Matrix) -> anyhow::Result<(f64, Vec<i32>)> {
        let labels = self.directory.join("labels.i32");
        let answer = self.ask(&json!({
            "do": "assign", "rows": rows.path, "points": points.path, "width": rows.width, "labels": labels,
        }))?;
        let bytes = fs::read(&labels)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        let places = numbers.iter().map(|number| i32::from_le_bytes(*number));
        Ok((answer.seconds, places.collect()))
    }

    /// How long `MiniBatchKMeans` takes to fit, in seconds.
    pub fn minibatch(&mut self, rows: &Matrix, k: usize) -> anyhow::Result<f64> {
        let answer = self.ask(&json!({
            "do": "minibatch", "rows": rows.path, "width": rows.width, "k": k, "seed": 1,
        }))?;
        Ok(answer.seconds)
    }

    /// The inertia that `KMeans` comes to, the best of so many starts.
    pub fn kmeans(&mut self, rows: &Matrix, k: usize, starts: usize) -> anyhow::Result<f64> {
        let answer = self.ask(&json!({
            "do": "kmeans", "rows": rows.path, "width": rows.width, "k": k, "seed": 1, "starts": starts,
        }))?;
        Ok(answer.inertia)
    }

    fn ask(&mut self, command: &Value) -> anyhow::Result<Answer> {
        writeln!(self.commands, "{command}")?;
        self.commands.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        anyhow::ensure!(!line.is_empty(), "the peer has ended");
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Clustering {
    fn drop(&mut self) {
        // What is left of it is of no use to anyone, and it may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
