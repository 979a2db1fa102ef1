//! The one thread that writes.
//!
//! It takes every job that waits, makes one change of the store out of all of them, has it synced once, and only then
//! makes it known to readers and answers. So many small requests share one sync, and a partition's offsets are given out
//! in one place.
//!
//! After an error of the store it is not known what of the last change is on the disk. The thread answers every job with
//! the error, drops the store and opens it again, waiting longer after each failure; what then is on the disk is the log.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use foretide_ports::{LogError, NewRecord, TopicName, TopicPartition, groups::Permit};
use tokio::sync::{mpsc, oneshot};

use crate::{batch::Batch, group::Group, shared::Shared, store::Removed};

/// Jobs of one change together have about this many bytes at most.
const GROUP_BYTES: usize = 8 << 20;
/// Jobs that may wait; more wait to be accepted.
pub(crate) const QUEUE: usize = 4096;
/// How long to wait before opening the store again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a job's sender waits for.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, LogError>>;

/// Something to write.
pub(crate) enum Job {
    /// Records of declared topics and partitions, none too large. Answered with their offsets.
    Append {
        records: Vec<NewRecord>,
        reply: Reply<Vec<u64>>,
    },
    /// What a group member commits.
    Commit {
        permit: Permit,
        topic: TopicName,
        outputs: Vec<NewRecord>,
        offsets: Vec<(u32, u64)>,
        reply: Reply<()>,
    },
    /// What retention or compaction changes in a partition.
    Rewrite { rewrite: Rewrite, reply: Reply<()> },
}

/// A change to batches that are there, never to the newest of the partition.
pub(crate) struct Rewrite {
    pub(crate) at: TopicPartition,
    /// Keys to remove.
    pub(crate) remove: Vec<u64>,
    /// Batches to put, under keys that are not in `remove`.
    pub(crate) put: Vec<Batch>,
    /// How the partition's removals stand afterwards.
    pub(crate) removed: Removed,
}

impl Job {
    /// About how many bytes it has to write.
    fn bytes(&self) -> usize {
        let appended = self.records().iter();
        let appended = appended.map(NewRecord::bytes).sum();
        match self {
            Self::Rewrite { rewrite, .. } => {
                rewrite.put.iter().map(|batch| batch.value.len()).sum()
            }
            _ => appended,
        }
    }

    /// What it appends.
    pub(crate) fn records(&self) -> &[NewRecord] {
        match self {
            Self::Append { records, .. } => records,
            Self::Commit { outputs, .. } => outputs,
            Self::Rewrite { .. } => &[],
        }
    }

    /// Whether it adds to what is stored; what only rewrites and deletes may use the reserve.
    fn adds(&self) -> bool {
        !matches!(self, Self::Rewrite { .. })
    }

    /// Answers that it is done. (Whoever does not wait any more need not be told.)
    fn accept(self, offsets: Vec<u64>) {
        match self {
            Self::Append { reply, .. } => drop(reply.send(Ok(offsets))),
            Self::Commit { reply, permit, .. } => {
                drop(permit);
                drop(reply.send(Ok(())));
            }
            Self::Rewrite { reply, .. } => drop(reply.send(Ok(()))),
        }
    }

    /// Answers that it is not done, or not known to be.
    fn refuse(self, error: LogError) {
        match self {
            Self::Append { reply, .. } => drop(reply.send(Err(error))),
            Self::Commit { reply, permit, .. } => {
                drop(permit);
                drop(reply.send(Err(error)));
            }
            Self::Rewrite { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// Writes jobs until nobody can send any more.
pub(crate) fn run(shared: &Shared, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        let mut bytes = group[0].bytes();
        while bytes < GROUP_BYTES
            && let Ok(job) = jobs.try_recv()
        {
            bytes += job.bytes();
            group.push(job);
        }
        shared.set_writing(true);
        if let Err(error) = write(shared, group) {
            recover(shared, &mut jobs, error);
        }
        shared.set_writing(false);
    }
}

/// Writes `jobs` as one change and answers them. An error is one of the store, which must be opened again.
fn write(shared: &Shared, jobs: Vec<Job>) -> Result<(), LogError> {
    let jobs = match shared.check_space() {
        Ok(()) => jobs,
        Err(error) => {
            let (adding, rest): (Vec<_>, Vec<_>) = jobs.into_iter().partition(Job::adds);
            refuse_all(adding, &error);
            rest
        }
    };
    if jobs.is_empty() {
        return Ok(());
    }
    let store = match shared.store() {
        Ok(store) => store,
        Err(error) => {
            refuse_all(jobs, &error);
            return Ok(());
        }
    };
    // The store was seen to panic where it meets what it does not expect of a disk.
    let written = catch_unwind(AssertUnwindSafe(|| Group::write(shared, &store, &jobs)))
        .unwrap_or_else(|_| {
            Err(LogError::Away(
                "the store broke off while writing".to_owned(),
            ))
        });
    match written {
        Ok(group) => {
            let offsets = group.publish(shared, &jobs);
            jobs.into_iter()
                .zip(offsets)
                .for_each(|(job, offsets)| job.accept(offsets));
            Ok(())
        }
        Err(error) => {
            refuse_all(jobs, &error);
            Err(error)
        }
    }
}

fn refuse_all(jobs: Vec<Job>, error: &LogError) {
    for job in jobs {
        job.refuse(error.clone());
    }
}

/// Opens the store again after `error`, however long that takes, answering jobs meanwhile.
fn recover(shared: &Shared, jobs: &mut mpsc::Receiver<Job>, error: LogError) {
    tracing::error!(%error, "the store of the embedded log failed and is opened again");
    shared.lose_store(error);
    let mut pause = FIRST_PAUSE;
    while !jobs.is_closed() {
        std::thread::sleep(pause);
        while let Ok(job) = jobs.try_recv() {
            job.refuse(shared.trouble());
        }
        let reopened = catch_unwind(AssertUnwindSafe(|| shared.reopen())).unwrap_or_else(|_| {
            Err(LogError::Away(
                "the store broke off while opening".to_owned(),
            ))
        });
        match reopened {
            Ok(()) => {
                tracing::info!("the store of the embedded log is open again");
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "the store of the embedded log cannot be opened yet");
                shared.lose_store(error);
            }
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
