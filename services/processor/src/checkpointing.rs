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
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use foretide_checkpoint::{CheckpointError, Checkpoints, Draft, Sealed};
use foretide_features::Profile;
use foretide_ports::{Log, LogError, PROFILES};
use foretide_runtime::SharedClock;
use tokio::{
    spawn,
    task::{JoinError, JoinHandle, JoinSet, spawn_blocking},
    time::Instant,
};

use crate::{
    ProcessorMetrics,
    fold::Folder,
    load::{self, entry, position},
};

/// For each second that it takes to write the profiles of a partition, the next one waits at least as many. Many profiles would
/// else be written all the time, at the cost of those who ask: a checkpoint only saves time at the next start.
const RESTS: u32 = 31;

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
    /// The log is asked for the end, which takes it as long as a new leader is elected or a transaction is decided.
    Asking(Ask),
    Scanning(Scan),
    Sealing(u32, JoinHandle<Result<Sealed, CheckpointError>>),
}

/// The end of the profiles being asked for.
struct Ask {
    partition: u32,
    noted_at_ms: i64,
    task: JoinHandle<Result<Vec<u64>, LogError>>,
}

/// A draft being written.
struct Scan {
    partition: u32,
    profiles_position: u64,
    noted_at_ms: i64,
    given_up: Arc<AtomicBool>,
    task: JoinHandle<Result<Written, CheckpointError>>,
}

/// A draft with all profiles, and how long that took.
struct Written {
    draft: Draft,
    took: Duration,
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
                if !self.report(partition, outcome) {
                    self.state.changed.insert(partition);
                }
            }
            Stage::Asking(ask) if ask.task.is_finished() => {
                let (partition, noted_at_ms) = (ask.partition, ask.noted_at_ms);
                // While the log is away there is nothing to commit either: the next turn will do.
                if let Ok(Ok(ends)) = ask.task.await {
                    self.write(partition, &ends, noted_at_ms);
                }
            }
            Stage::Resting => self.begin_if_due(owned),
            busy => self.state.stage = busy,
        }
    }

    /// Asks for the end of the profiles, beside the work: commits do not wait for the answer.
    fn begin_if_due(&mut self, owned: usize) {
        let (Some(_), Some(interval)) = (&self.checkpoints, self.interval) else {
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
        let log = Arc::clone(&self.log);
        self.state.stage = Stage::Asking(Ask {
            partition,
            noted_at_ms,
            task: spawn(async move { log.end_offsets(PROFILES).await }),
        });
    }

    /// Begins to write the profiles of `partition`.
    fn write(&mut self, partition: u32, ends: &[u64], noted_at_ms: i64) {
        let Some(checkpoints) = &self.checkpoints else {
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
        let task = spawn_blocking(move || {
            let began = Instant::now();
            let draft = scan(&folder, &checkpoints, partition, &stop)?;
            let took = began.elapsed();
            Ok(Written { draft, took })
        });
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
                match flat((&mut scan.task).await) {
                    Ok(Written { draft, took }) => {
                        let rested = Instant::now() + took * RESTS;
                        self.state.next_at = self.state.next_at.max(rested);
                        let task = spawn_blocking(move || seal(draft, &commit, at, noted_at_ms));
                        self.state.stage = Stage::Sealing(scan.partition, task);
                    }
                    Err(problem) => {
                        self.failed(scan.partition, &problem);
                        // It still is due.
                        self.state.changed.insert(scan.partition);
                    }
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
        let busy_with = match &self.state.stage {
            Stage::Asking(ask) => Some(ask.partition),
            Stage::Scanning(scan) => Some(scan.partition),
            Stage::Resting | Stage::Sealing(..) => None,
        };
        if busy_with.is_some_and(|partition| partitions.contains(&partition)) {
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
                self.report(partition, outcome);
            }
            Stage::Scanning(scan) => _ = self.state.changed.insert(scan.partition),
            // What was asked for is still among those that changed.
            Stage::Resting | Stage::Asking(_) => {}
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
    fn report(&self, partition: u32, outcome: Outcome<Sealed>) -> bool {
        match flat(outcome) {
            Ok(Sealed { entries, bytes }) => {
                tracing::debug!(partition, entries, bytes, "checkpoint written");
                self.count("written");
                true
            }
            Err(problem) => {
                self.failed(partition, &problem);
                false
            }
        }
    }

    fn failed(&self, partition: u32, problem: &str) {
        tracing::warn!(partition, %problem, "a checkpoint could not be written: a restart will read more of the log");
        self.count("failed");
    }

    fn count(&self, outcome: &str) {
        self.metrics.checkpoints.with_label_values(&[outcome]).inc();
    }
}

/// What became of a task that writes.
type Outcome<T> = Result<Result<T, CheckpointError>, JoinError>;

/// Either it worked or there is a problem.
fn flat<T>(outcome: Outcome<T>) -> Result<T, String> {
    match outcome {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_) => Err("it panicked".to_owned()),
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
    scan_into(folder, partition, |entry| {
        if !given_up.load(Ordering::Relaxed) {
            draft.entry(entry)?;
        }
        #[cfg(feature = "fault-points")]
        foretide_faults::reach("while-writing-a-checkpoint");
        Ok(())
    })?;
    // One that cannot be got back from disk would be missing, and after the next start its shopper would begin anew.
    match folder.table.trouble() {
        Some(trouble) => Err(CheckpointError::Io {
            attempt: "write all profiles of",
            path: format!("partition {partition}").into(),
            source: io::Error::other(trouble.clone()),
        }),
        None => Ok(draft),
    }
}

/// Gives each profile of `partition` to `write`, as an entry. A profile is encoded under its lock but written without: the
/// disk must not keep those waiting who fold. A profile that is new since the scan began may be missed, as it is on the
/// topic after the noted end.
fn scan_into(
    folder: &Folder,
    partition: u32,
    mut write: impl FnMut(&[u8]) -> Result<(), CheckpointError>,
) -> Result<(), CheckpointError> {
    let mut buffer = Vec::new();
    for shopper in folder.table.shoppers(partition).flatten() {
        let encode = |profile: &Profile| load::write_profile(profile, &folder.rules, &mut buffer);
        if folder.table.read(&shopper, encode).is_some() {
            write(&buffer)?;
        }
    }
    Ok(())
}

/// Completes a draft whose profiles are all committed.
fn seal(
    mut draft: Draft,
    commit: &Committed,
    profiles_position: u64,
    noted_at_ms: i64,
) -> Result<Sealed, CheckpointError> {
    #[cfg(feature = "fault-points")]
    foretide_faults::reach("before-sealing-a-checkpoint");
    draft.entry(&[&[entry::COUNTS], &commit.counts[..]].concat())?;
    draft.seal(&[
        (position::ACTIONS, commit.next_offset),
        (position::PROFILES, profiles_position),
        (position::NOTED_AT, u64::try_from(noted_at_ms).unwrap_or(0)),
    ])
}

#[cfg(test)]
mod tests {
    use foretide_events::{
        Action, EpochMs, Event, EventId, Identity, Search, ShopperId, SourceId, wire,
    };
    use foretide_features::{FoldRules, ProfileDigest, Texts};
    use foretide_ports::{ACTIONS, Chunk, NewRecord, ProfileTable, Record, TopicPartition};
    use foretide_runtime::ManualClock;

    use super::*;
    use crate::pieces::Pieces;
    use crate::{SourceCounts, fold::Pending, take_over::take_over};

    fn folder() -> Folder {
        let clock: SharedClock = Arc::new(ManualClock::at(0));
        Folder::new(
            &ProfileTable::new(1),
            &SourceCounts::new(1),
            FoldRules::default(),
            &clock,
        )
    }

    fn chunk_of(topic: &'static str, begin: u64, values: Vec<NewRecord>) -> Chunk {
        let record = |(offset, new): (u64, NewRecord)| Record {
            offset,
            appended_at: EpochMs(1),
            key: new.key,
            value: new.value,
        };
        let next_offset = begin + values.len() as u64;
        Chunk {
            from: TopicPartition {
                topic,
                partition: 0,
            },
            records: (begin..).zip(values).map(record).collect(),
            next_offset,
        }
    }

    /// One event of one of 30 shoppers, the first 20 of whom have the first 20 offsets.
    fn action(offset: u64) -> Chunk {
        let shopper = ShopperId([u8::try_from(offset % 30 * 7).unwrap(); 16]);
        let event = Event {
            id: EventId::new(&offset.to_string()).unwrap(),
            at: EpochMs(1_763_000_000_000 + offset.cast_signed()),
            received_at: EpochMs(1_763_000_000_000),
            shopper,
            identity: Identity {
                user: Some(shopper),
                anonymous: None,
            },
            session: None,
            source: SourceId::new("import:a").unwrap(),
            action: Action::Search(Search::default()),
        };
        let mut value = Vec::new();
        wire::encode(&event, &mut value);
        let record = NewRecord {
            at: TopicPartition {
                topic: ACTIONS,
                partition: 0,
            },
            key: Bytes::new(),
            value: Some(value.into()),
        };
        chunk_of(ACTIONS, offset, vec![record])
    }

    fn digest_of(folder: &Folder) -> String {
        let mut digest = ProfileDigest::new();
        folder.table.for_each(0, |profile| digest.add(profile));
        digest.finish()
    }

    #[test]
    fn a_scan_with_folding_between_any_two_entries_and_what_is_published_after_it_are_exact() {
        let live = folder();
        let mut pending = Pending::default();
        for offset in 0..20 {
            let _ = live.fold(&mut pending, &mut Texts::default(), &action(offset));
        }
        // Committed before the end of the profiles is noted.
        assert!(
            live.publish(0, &mut pending, &mut Pieces::default(), false)
                .is_some()
        );

        let restored = folder();
        let mut offset = 20;
        // No lock is held while an entry is written, or this would wait for ever.
        scan_into(&live, 0, |entry| {
            let _ = live.fold(&mut pending, &mut Texts::default(), &action(offset));
            offset += 1;
            let profile = load::read_profile(&entry[1..], &live.rules).unwrap();
            restored.table.insert(profile);
            Ok(())
        })
        .unwrap();
        assert!(offset >= 40, "every profile of before is written");
        let commit = live
            .publish(0, &mut pending, &mut Pieces::default(), false)
            .unwrap();
        let records = commit.profiles.into_iter().chain([commit.counts]);
        take_over(&restored, &chunk_of(PROFILES, 0, records.collect())).unwrap();
        assert_eq!(digest_of(&restored), digest_of(&live));
        assert_eq!(restored.counts.applied(0), offset);
    }
}
