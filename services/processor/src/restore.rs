//! Getting back the state of partitions: from a checkpoint where one is good, and from `foretide.profiles`.

use std::{collections::BTreeMap, time::Duration};

use foretide_checkpoint::Checkpoints;
use foretide_events::EpochMs;
use foretide_ports::{ACTIONS, Cleanup, LINKS, Log, PROFILES, foretide_topics};
use foretide_runtime::CancellationToken;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use crate::{
    GROUP, ProcessorError, ProcessorMetrics,
    fold::Folder,
    load::{self, Limits},
    pool::FoldPool,
    progress::Progress,
    reading::{Reading, Until, at},
    take_over::check_counts,
};

/// How long `foretide.actions` may be shorter than what was applied of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How soon to look whether it still is.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What is needed to restore partitions.
pub(crate) struct Restorer<'a> {
    pub(crate) log: &'a dyn Log,
    pub(crate) folder: &'a Folder,
    pub(crate) pool: &'a FoldPool,
    pub(crate) checkpoints: Option<&'a Checkpoints>,
    pub(crate) metrics: &'a ProcessorMetrics,
    pub(crate) progress: Progress,
    pub(crate) now: EpochMs,
    pub(crate) stop: &'a CancellationToken,
}

/// What was restored.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// From where on each partition's actions are to be folded.
    pub(crate) positions: Vec<(u32, u64)>,
    /// Partitions for which a checkpoint was good.
    pub(crate) from_checkpoint: usize,
    /// Records of `foretide.profiles` read.
    pub(crate) records: u64,
}

impl Restorer<'_> {
    /// Restores `partitions`, whose former owner, if any, can no longer commit.
    pub(crate) async fn restore(&self, partitions: &[u32]) -> Result<Restored, ProcessorError> {
        let shown = self
            .progress
            .shown(&self.metrics.restored, self.restore_state(partitions));
        shown.await
    }

    async fn restore_state(&self, partitions: &[u32]) -> Result<Restored, ProcessorError> {
        // The order matters: asking for the committed offsets waits for the former owner's transaction, so that the ends
        // noted after that include everything it published.
        let committed = self.log.committed(GROUP, ACTIONS).await?;
        let committed: Vec<u64> = committed
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
        let ends = self.log.end_offsets(PROFILES).await?;
        let begins = self.load(partitions, &committed, &ends).await?;
        let records = self.take_over(&begins, &ends).await?;
        let unfit = self.unfit(&begins, &committed);
        let records = records + self.do_without(&unfit, &ends).await?;
        let Folder { table, counts, .. } = self.folder;
        check_counts(table, counts, partitions.iter().copied())?;
        let positions = partitions
            .iter()
            .map(|p| (*p, self.position(*p, &committed)));
        let restored = Restored {
            positions: positions.collect(),
            from_checkpoint: begins.iter().filter(|(_, begin)| *begin > 0).count() - unfit.len(),
            records,
        };
        self.check_actions(&restored.positions).await?;
        #[cfg(feature = "fault-points")]
        foretide_faults::reach("restored");
        for (partition, _) in &restored.positions {
            if let Some(as_of) = self.folder.counts.as_of(*partition) {
                self.folder.set_fresh(*partition, as_of);
            }
            let unannounced = self.folder.counts.unannounced_as_of(*partition);
            self.folder.sessions.restored(*partition, unannounced);
            let progress = self.folder.counts.emission(*partition);
            self.folder.emission.restored(*partition, &progress);
        }
        Ok(restored)
    }

    /// The partitions whose checkpoint and what follows it on the log do not come to what was committed: the log is not the
    /// one the checkpoint was taken from.
    fn unfit(&self, begins: &[(u32, u64)], committed: &[u64]) -> Vec<u32> {
        let is_unfit = |(partition, begin): &&(u32, u64)| {
            *begin > 0 && self.applied(*partition) != at(committed, *partition)
        };
        begins
            .iter()
            .filter(is_unfit)
            .map(|(partition, _)| *partition)
            .collect()
    }

    /// Restores partitions from the log alone. Returns the number of records read.
    async fn do_without(&self, unfit: &[u32], ends: &[u64]) -> Result<u64, ProcessorError> {
        if unfit.is_empty() {
            return Ok(0);
        }
        tracing::warn!(partitions = ?unfit, "checkpoints do not fit the log: reading all its profiles");
        self.pool.forget(unfit).await?;
        if let Some(checkpoints) = self.checkpoints {
            let (checkpoints, unfit) = (checkpoints.clone(), unfit.to_vec());
            let removing = move || unfit.iter().for_each(|p| load::remove(&checkpoints, *p));
            spawn_blocking(removing)
                .await
                .map_err(|_| ProcessorError::ThreadDied)?;
        }
        let begins: Vec<_> = unfit.iter().map(|partition| (*partition, 0)).collect();
        self.take_over(&begins, ends).await
    }

    /// Refuses a log of actions that is not the one that `positions` were applied from: what came now would be taken for what
    /// was applied, and never be folded.
    async fn check_actions(&self, positions: &[(u32, u64)]) -> Result<(), ProcessorError> {
        // A broker that has just taken over may not show its last records at once.
        let mut until = None;
        while let Err(too_short) = self.check_ends(positions).await? {
            let until = *until.get_or_insert_with(|| {
                tracing::warn!(problem = %too_short, "waiting for the missing records to come back");
                Instant::now() + PATIENCE
            });
            if Instant::now() >= until {
                return Err(too_short);
            }
            tokio::select! {
                () = sleep(LOOK_AGAIN_AFTER) => {}
                () = self.stop.cancelled() => return Err(ProcessorError::Stopped),
            }
        }
        self.check_last_applied(positions).await
    }

    /// Whether `foretide.actions` reaches all `positions` now, and `foretide.links` what was taken in of it.
    async fn check_ends(
        &self,
        positions: &[(u32, u64)],
    ) -> Result<Result<(), ProcessorError>, ProcessorError> {
        let ends = self.log.end_offsets(ACTIONS).await?;
        let too_short = positions
            .iter()
            .find(|(partition, applied)| *applied > at(&ends, *partition));
        if let Some((partition, applied)) = too_short {
            return Ok(Err(ProcessorError::LogTooShort {
                partition: *partition,
                end: at(&ends, *partition),
                applied: *applied,
            }));
        }
        let ends = self.log.end_offsets(LINKS).await?;
        let linked = |partition: u32| self.folder.counts.next_link(partition);
        let mut partitions = positions.iter().map(|(partition, _)| *partition);
        let too_short = partitions.find(|partition| linked(*partition) > at(&ends, *partition));
        Ok(too_short.map_or(Ok(()), |partition| {
            Err(ProcessorError::LinksTooShort {
                partition,
                end: at(&ends, partition),
                linked: linked(partition),
            })
        }))
    }

    /// Refuses a log that was too short at first and has grown since: the last record that is said to be applied was appended
    /// later than all that were.
    async fn check_last_applied(&self, positions: &[(u32, u64)]) -> Result<(), ProcessorError> {
        let some = positions.iter().filter(|(_, applied)| *applied > 0);
        let lasts: Vec<_> = some.map(|(p, applied)| (*p, applied - 1)).collect();
        let ends = (0..self.folder.table.partitions()).map(|partition| self.applied(partition));
        let ends: Vec<u64> = ends.collect();
        let mut reading =
            Reading::begin(self.log, ACTIONS, &lasts, &ends, Until::Noted, self.stop).await?;
        while let Some(chunk) = reading.next().await? {
            let partition = chunk.from.partition;
            let applied = at(&ends, partition);
            let as_of = self.folder.counts.as_of(partition);
            let newer = chunk.records.iter().find(|record| {
                record.offset < applied && as_of.is_some_and(|as_of| record.appended_at > as_of)
            });
            if let Some(record) = newer {
                return Err(ProcessorError::OtherLog {
                    partition,
                    offset: record.offset,
                    applied,
                });
            }
        }
        Ok(())
    }

    /// Where folding goes on. The counts' position belongs to the profiles beside them, whatever became of the transaction
    /// that committed both and the offset.
    fn position(&self, partition: u32, committed: &[u64]) -> u64 {
        let (applied, committed) = (self.applied(partition), at(committed, partition));
        if applied != committed {
            tracing::warn!(
                partition,
                applied,
                committed,
                "the group's offset differs from what the profiles have applied: going by the profiles"
            );
        }
        applied
    }

    fn applied(&self, partition: u32) -> u64 {
        self.folder.counts.applied(partition)
    }

    /// Loads checkpoints where there are good ones. Returns from where on each partition's profiles are to be read.
    async fn load(
        &self,
        partitions: &[u32],
        committed: &[u64],
        ends: &[u64],
    ) -> Result<Vec<(u32, u64)>, ProcessorError> {
        let Some(checkpoints) = self.checkpoints else {
            return Ok(partitions.iter().map(|partition| (*partition, 0)).collect());
        };
        self.progress.begin("checkpoints", 0);
        let limits = partitions.iter().map(|partition| Limits {
            partition: *partition,
            committed: at(committed, *partition),
            end: at(ends, *partition),
            not_before: self.now.plus(-tombstones_kept_ms()),
            progress: self.progress.clone(),
        });
        let loaded = self.pool.load(checkpoints, limits.collect()).await?;
        Ok(loaded
            .into_iter()
            .map(|(partition, begin)| (partition, begin.unwrap_or(0)))
            .collect())
    }

    /// Takes over what `foretide.profiles` holds from `begins` to `ends`. Returns the number of records.
    async fn take_over(&self, begins: &[(u32, u64)], ends: &[u64]) -> Result<u64, ProcessorError> {
        let mut records = 0;
        let left = begins
            .iter()
            .map(|(partition, begin)| at(ends, *partition).saturating_sub(*begin));
        self.progress.begin("foretide.profiles", left.sum());
        let mut positions: BTreeMap<u32, u64> = begins.iter().copied().collect();
        let mut reading =
            Reading::begin(self.log, PROFILES, begins, ends, Until::End, self.stop).await?;
        while let Some(chunk) = reading.next().await? {
            records += chunk.records.len() as u64;
            let former = positions.insert(chunk.from.partition, chunk.next_offset);
            self.progress.add(
                chunk
                    .next_offset
                    .saturating_sub(former.unwrap_or(chunk.next_offset)),
            );
            self.pool.restore(chunk).await?;
            #[cfg(feature = "fault-points")]
            foretide_faults::reach("while-restoring");
        }
        self.pool.settled().await?;
        self.folder.outdated.check()?;
        Ok(records)
    }
}

/// How long a tombstone on `foretide.profiles` can be read at least: who read up to a place longer ago may have missed one.
fn tombstones_kept_ms() -> i64 {
    let topics = foretide_topics(1);
    let profiles = topics.iter().find(|topic| topic.name == PROFILES);
    match profiles.map(|topic| topic.cleanup) {
        Some(Cleanup::Compact {
            delete_retention_ms,
        }) => delete_retention_ms,
        _ => 0,
    }
}
