//! One run over all actions on the log: how far it was when, and what it had used until then.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use foretide_tests::broker::Broker;

use crate::{measure::cpu_seconds, peer_cluster::Cluster};

/// How often is looked.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Whatever takes longer has gone wrong.
const PATIENCE: Duration = Duration::from_mins(20);
/// How long a process may take to end when asked to.
const ENDED_WITHIN: Duration = Duration::from_secs(20);

/// What was seen at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    committed: u64,
    cpu_s: f64,
    broker_cpu_s: f64,
}

/// A stretch of a run.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Events per second of the process's CPU time.
    pub per_cpu_second: f64,
    /// Events per second.
    pub per_second: f64,
    /// CPU time of the broker an event, in microseconds.
    pub broker_us: f64,
}

/// A whole run.
pub struct Run {
    samples: Vec<Sample>,
}

impl Run {
    /// Lets `process` work until `group` has committed all `events`.
    pub fn watch(
        process: &mut Process,
        cluster: &Cluster,
        broker: &Broker,
        group: &str,
        events: u64,
    ) -> anyhow::Result<Self> {
        let progress = cluster.progress(group)?;
        let broker = fs::read_to_string(broker.directory().join("broker.pid"))?
            .trim()
            .parse()?;
        let begin = Instant::now();
        let mut samples = Vec::new();
        loop {
            process.check()?;
            let committed = progress.committed()?;
            samples.push(Sample {
                at: Instant::now(),
                committed,
                cpu_s: cpu_seconds(process.id())?,
                broker_cpu_s: cpu_seconds(broker)?,
            });
            if committed >= events {
                ensure!(
                    committed == events,
                    "{committed} events were committed of {events}"
                );
                return Ok(Self { samples });
            }
            ensure!(
                begin.elapsed() < PATIENCE,
                "only {committed} events of {events} are committed after {PATIENCE:?}"
            );
            sleep(LOOK_AGAIN);
        }
    }

    /// From the first moment at which `share` of all was committed, or the first commit if that is zero, to the end.
    pub fn from(&self, share: f64) -> Stretch {
        let last = self.samples[self.samples.len() - 1];
        let at_least = ((last.committed as f64 * share) as u64).max(1);
        let begun = |sample: &&Sample| sample.committed >= at_least;
        let first = *self.samples.iter().find(begun).unwrap_or(&last);
        let events = (last.committed - first.committed) as f64;
        Stretch {
            // The kernel counts in ticks of 10 ms.
            per_cpu_second: events / (last.cpu_s - first.cpu_s).max(0.01),
            per_second: events / (last.at - first.at).as_secs_f64().max(0.001),
            broker_us: (last.broker_cpu_s - first.broker_cpu_s) * 1e6 / events.max(1.0),
        }
    }

    /// Events per second of all CPU time of the process, with that of its start.
    pub fn whole_per_cpu_second(&self) -> f64 {
        let last = self.samples[self.samples.len() - 1];
        last.committed as f64 / last.cpu_s
    }

    /// CPU time of the process until its first commit was seen, in seconds.
    pub fn cpu_before_s(&self) -> f64 {
        let begun = |sample: &&Sample| sample.committed > 0;
        self.samples.iter().find(begun).map_or(0.0, |s| s.cpu_s)
    }
}

/// A process under measurement; ended when dropped.
pub struct Process {
    child: Child,
    name: String,
    told: PathBuf,
}

impl Process {
    /// Starts `command`; what it says is kept in `directory`.
    pub fn start(mut command: Command, directory: &Path) -> anyhow::Result<Self> {
        let name = command.get_program().display().to_string();
        let told = directory.join("told");
        let out = File::options().create(true).append(true).open(&told)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self { child, name, told })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let told = fs::read_to_string(&self.told).unwrap_or_default();
            let tail: Vec<_> = told.lines().rev().take(20).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            bail!("{} ended with {status}:\n{}", self.name, tail.join("\n"));
        }
        Ok(())
    }

    /// Asks it to end, waits, and ends it if it does not.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let id = self.id().to_string();
        Command::new("kill").args(["-s", "TERM", &id]).status()?;
        let begin = Instant::now();
        while self.child.try_wait()?.is_none() && begin.elapsed() < ENDED_WITHIN {
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
