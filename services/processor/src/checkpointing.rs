//! Writing checkpoints beside the work, one partition at a time.
//!
//! A checkpoint is taken while folding goes on, and is exact nevertheless:
//!
//! 1. Note the end of the partition's `foretide.profiles`. Everything before it is in the table.
//! 2. Write every profile of the partition as it is when it is reached, perhaps with events that are not committed yet.
//! 3. Wait for a commit of the partition that began after that, and succeeded: now everything written is committed. Add the
//!    counts of that commit and seal.
//!
//! A profile that changed since (1) is on the topic after the noted end and replaces what was written. If the commit of (3)
//! fails or the partition goes, the draft is dropped.

use std::{
    collections::BTreeSet,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use foretide_checkpoint::{CheckpointError, Checkpoints, Draft, Sealed};
use foretide_ports::{Log, LogError, PROFILES};
use foretide_runtime::SharedClock;
use tokio::{
    task::{JoinHandle, JoinSet, spawn_blocking},
    time::Instant,
};

use crate::{
    ProcessorMetrics,
    fold::Folder,
    load::{entry, position},
};

/// What of a commit matters to checkpoints: a partition, its position and its counts as published.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) partition: u32,
    pub(crate) next_offset: u64,
    pub(crate) counts: Bytes,
}

/// Writes checkpoints, if there is a folder for them.
pub(crate) struct Checkpointing {
    pub(crate) checkpoints: Option<Checkpoints>,
    /// Time between two checkpoints of a partition; `None` writes some only at the end.
    pub(crate) interval: Option<Duration>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) folder: Folder,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: ProcessorMetrics,
    pub(crate) state: State,
}

/// Where it is.
pub(crate) struct State {
    stage: Stage,
    /// Partitions with commits since their last checkpoint.
    changed: BTreeSet<u32>,
    /// The partition whose turn was last.
    last: u32,
    next_at: Instant,
}

enum Stage {
    Resting,
    Scanning(Scan),
    Sealing(u32, JoinHandle<Result<Sealed, CheckpointError>>),
}

/// A draft being written.
struct Scan {
    partition: u32,
    profiles_position: u64,
    noted_at_ms: i64,
    given_up: Arc<AtomicBool>,
    task: JoinHandle<Result<Draft, CheckpointError>>,
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Resting,
            changed: BTreeSet::new(),
            last: 0,
            next_at: Instant::now(),
        }
    }
}

impl Checkpointing {
    /// Goes on with what can go on: begins a checkpoint when one is due, and takes note of a finished one.
    pub(crate) async fn step(&mut self, owned: usize) {
        match mem::replace(&mut self.state.stage, Stage::Resting) {
            Stage::Sealing(partition, task) if task.is_finished() => {
                let outcome = task.await;
                if !self.report(partition, outcome.map_err(|_| "it panicked")) {
                    self.state.changed.insert(partition);
                }
            }
            Stage::Resting => self.begin_if_due(owned).await,
            busy => self.state.stage = busy,
        }
    }

    async fn begin_if_due(&mut self, owned: usize) {
        let (Some(checkpoints), Some(interval)) = (&self.checkpoints, self.interval) else {
            return;
        };
        if Instant::now() < self.state.next_at {
            return;
        }
        self.state.next_at =
            Instant::now() + interval / u32::try_from(owned.max(1)).unwrap_or(u32::MAX);
        let Some(partition) = self.next_partition() else {
            return;
        };
        let noted_at_ms = self.clock.now_ms();
        // While the log is away there is nothing to commit either: the next turn will do.
        let Ok(ends) = self.log.end_offsets(PROFILES).await else {
            return;
        };
        self.state.changed.remove(&partition);
        self.state.last = partition;
        let profiles_position = ends.get(partition as usize).copied().unwrap_or(0);
        let given_up = Arc::new(AtomicBool::new(false));
        let (checkpoints, folder, stop) = (
            checkpoints.clone(),
            self.folder.clone(),
            Arc::clone(&given_up),
        );
        let task = spawn_blocking(move || scan(&folder, &checkpoints, partition, &stop));
        self.state.stage = Stage::Scanning(Scan {
            partition,
            profiles_position,
            noted_at_ms,
            given_up,
            task,
        });
    }

    /// The changed partition after the last one, so that each has its turn.
    fn next_partition(&self) -> Option<u32> {
        let State { changed, last, .. } = &self.state;
        changed
            .range(last + 1..)
            .chain(changed.iter())
            .next()
            .copied()
    }

    /// The partition whose draft is complete but for a commit of it.
    pub(crate) fn awaits_commit_of(&self) -> Option<u32> {
        match &self.state.stage {
            Stage::Scanning(scan) if scan.task.is_finished() => Some(scan.partition),
            _ => None,
        }
    }

    /// Takes note of a commit that succeeded. `awaited` is what [`Self::awaits_commit_of`] said before it began.
    pub(crate) async fn committed(&mut self, commits: &[Committed], awaited: Option<u32>) {
        self.state
            .changed
            .extend(commits.iter().map(|commit| commit.partition));
        let Some(commit) = commits
            .iter()
            .find(|commit| Some(commit.partition) == awaited)
        else {
            return;
        };
        match mem::replace(&mut self.state.stage, Stage::Resting) {
            Stage::Scanning(mut scan) => {
                let commit = commit.clone();
                self.state.changed.remove(&commit.partition);
                let (at, noted_at_ms) = (scan.profiles_position, scan.noted_at_ms);
                match (&mut scan.task).await {
                    Ok(Ok(draft)) => {
                        let task = spawn_blocking(move || seal(draft, &commit, at, noted_at_ms));
                        self.state.stage = Stage::Sealing(scan.partition, task);
                    }
                    Ok(Err(error)) => _ = self.report(scan.partition, Ok(Err(error))),
                    Err(_) => _ = self.report(scan.partition, Err("it panicked")),
                }
            }
            other => self.state.stage = other,
        }
    }

    /// Gives up whatever concerns `partitions`.
    pub(crate) fn forget(&mut self, partitions: &[u32]) {
        self.state
            .changed
            .retain(|partition| !partitions.contains(partition));
        if let Stage::Scanning(scan) = &self.state.stage
            && partitions.contains(&scan.partition)
        {
            self.state.stage = Stage::Resting;
        }
    }

    /// Writes a checkpoint of every partition that changed since its last one, after the last commit: nothing folds any more.
    pub(crate) async fn write_all(&mut self, owned: Vec<u32>) -> Result<(), LogError> {
        let Some(checkpoints) = self.checkpoints.clone() else {
            return Ok(());
        };
        match mem::replace(&mut self.state.stage, Stage::Resting) {
            Stage::Sealing(partition, task) => {
                let outcome = task.await;
                self.report(partition, outcome.map_err(|_| "it panicked"));
            }
            Stage::Scanning(scan) => _ = self.state.changed.insert(scan.partition),
            Stage::Resting => {}
        }
        let noted_at_ms = self.clock.now_ms();
        let ends = self.log.end_offsets(PROFILES).await?;
        let mut tasks = JoinSet::new();
        for partition in owned.into_iter().filter(|p| self.state.changed.contains(p)) {
            let Some((counts, next_offset)) = self.folder.counts.record(partition) else {
                continue;
            };
            let commit = Committed {
                partition,
                next_offset,
                counts: counts.value.unwrap_or_default(),
            };
            let at = ends.get(partition as usize).copied().unwrap_or(0);
            let (folder, checkpoints) = (self.folder.clone(), checkpoints.clone());
            tasks.spawn_blocking(move || {
                let sealed = scan(&folder, &checkpoints, partition, &AtomicBool::new(false))
                    .and_then(|draft| seal(draft, &commit, at, noted_at_ms));
                (partition, sealed)
            });
        }
        while let Some(outcome) = tasks.join_next().await {
            if let Ok((partition, sealed)) = outcome {
                self.report(partition, Ok(sealed));
            }
        }
        Ok(())
    }

    /// Logs and counts what became of a checkpoint. Says whether it was sealed.
    fn report(
        &self,
        partition: u32,
        outcome: Result<Result<Sealed, CheckpointError>, &str>,
    ) -> bool {
        let problem = match outcome {
            Ok(Ok(sealed)) => {
                let Sealed { entries, bytes } = sealed;
                tracing::debug!(partition, entries, bytes, "checkpoint written");
                self.metrics
                    .checkpoints
                    .with_label_values(&["written"])
                    .inc();
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(problem) => problem.to_owned(),
        };
        tracing::warn!(partition, %problem, "a checkpoint could not be written: a restart will read more of the log");
        self.metrics
            .checkpoints
            .with_label_values(&["failed"])
            .inc();
        false
    }
}

/// Writes the profiles of `partition` into a draft.
fn scan(
    folder: &Folder,
    checkpoints: &Checkpoints,
    partition: u32,
    given_up: &AtomicBool,
) -> Result<Draft, CheckpointError> {
    let mut draft = checkpoints.draft(partition, &folder.rules.version().to_string())?;
    let mut buffer = Vec::new();
    let mut outcome = Ok(());
    folder.table.for_each(partition, |profile| {
        if outcome.is_ok() && !given_up.load(Ordering::Relaxed) {
            buffer.clear();
            buffer.push(entry::PROFILE);
            profile.encode(&folder.rules, &mut buffer);
            outcome = draft.entry(&buffer);
        }
    });
    outcome.map(|()| draft)
}

/// Completes a draft whose profiles are all committed.
fn seal(
    mut draft: Draft,
    commit: &Committed,
    profiles_position: u64,
    noted_at_ms: i64,
) -> Result<Sealed, CheckpointError> {
    draft.entry(&[&[entry::COUNTS], &commit.counts[..]].concat())?;
    draft.seal(&[
        (position::ACTIONS, commit.next_offset),
        (position::PROFILES, profiles_position),
        (position::NOTED_AT, u64::try_from(noted_at_ms).unwrap_or(0)),
    ])
}
