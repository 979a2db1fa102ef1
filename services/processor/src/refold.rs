//! Folding all of `foretide.actions` anew in the place of what `foretide.profiles` holds: the way over when this version
//! folds or stores profiles in another way than the one that made them.
//!
//! Nothing is written before all is folded. Then every shopper's new profile is appended, a tombstone for each of whom the
//! log holds no action any more, and last the counts of each partition with the position of the profiles: a process that
//! dies in between leaves profiles that the next start refuses, or that have applied what their counts do not cover yet,
//! which folding passes over. Doing it again sets all right.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use foretide_events::{EpochMs, ShopperId};
use foretide_features::FoldRules;
use foretide_ports::{ACTIONS, Log, NewRecord, PROFILES, ReadOnlyLog, TopicPartition, shopper_key};
use foretide_runtime::CancellationToken;
use serde::Serialize;

use crate::{
    FoldedLog, GROUP, ProcessorError,
    published::{self, Key},
    reading::{Reading, Until},
};

/// How many records are appended at once.
const AT_ONCE: usize = 500;

/// All actions of a log folded anew, and nothing written yet.
pub struct Refold {
    folded: FoldedLog,
    rules: FoldRules,
    /// Shoppers with a profile on the log and no action any more, by partition.
    gone: BTreeMap<u32, BTreeSet<ShopperId>>,
    /// How many of the oldest actions the log has let go of.
    missing: u64,
    /// What the processors had committed when this began.
    committed: Vec<Option<u64>>,
}

/// What folding anew came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refolded {
    /// The digest of the new profiles.
    pub digest: String,
    /// Shoppers with a profile now.
    pub shoppers: u64,
    /// Events that are part of their profiles.
    pub events: u64,
    /// Shoppers who had a profile and have none now, because the log holds no action of theirs any more.
    pub gone: u64,
}

impl Refold {
    /// Folds all that `log` holds by `rules`. `progress` is told the number of records dealt with so far.
    pub async fn fold(
        log: &ReadOnlyLog,
        partitions: u32,
        rules: FoldRules,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Self, ProcessorError> {
        // Waits for a transaction on its way.
        let committed = log.committed(GROUP, ACTIONS).await?;
        let folded = FoldedLog::nothing(partitions);
        let pool = folded.pool(rules)?;
        let never = CancellationToken::new();
        let begins = log.offsets_at(ACTIONS, EpochMs::default()).await?;
        let mut records = 0;
        let actions = log.end_offsets(ACTIONS).await?;
        let from: Vec<_> = (0..).zip(begins.iter().copied()).collect();
        let reader = log.reader(ACTIONS, &from).await?;
        let mut reading = Reading::of(reader, &from, &actions, Until::Noted, &never);
        while let Some(chunk) = reading.next().await? {
            records += chunk.records.len() as u64;
            progress(records);
            pool.fold(chunk).await?;
        }
        pool.settled().await?;

        let mut gone = BTreeMap::<u32, BTreeSet<ShopperId>>::new();
        let from: Vec<_> = (0..partitions).map(|partition| (partition, 0)).collect();
        let ends = log.end_offsets(PROFILES).await?;
        let reader = log.reader(PROFILES, &from).await?;
        let mut reading = Reading::of(reader, &from, &ends, Until::End, &never);
        while let Some(chunk) = reading.next().await? {
            records += chunk.records.len() as u64;
            progress(records);
            let gone = gone.entry(chunk.from.partition).or_default();
            for record in &chunk.records {
                let Some(Key::Profile(shopper)) = published::parse_key(&record.key) else {
                    continue;
                };
                if record.value.is_some() && folded.table.read(&shopper, |_| ()).is_none() {
                    gone.insert(shopper);
                } else {
                    gone.remove(&shopper);
                }
            }
        }
        Ok(Self {
            folded,
            rules,
            gone,
            missing: begins.iter().sum(),
            committed,
        })
    }

    /// How many of the oldest actions the log has let go of: what they were part of comes out otherwise.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// How many shoppers would have no profile any more.
    pub fn gone(&self) -> u64 {
        self.gone.values().map(|gone| gone.len() as u64).sum()
    }

    /// Puts the new profiles in the place of what `log` holds. `progress` is told the number of records written so far.
    ///
    /// # Errors
    /// The log refuses, or a processor has worked on it meanwhile; then nothing is written.
    pub async fn publish(
        self,
        log: &dyn Log,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Refolded, ProcessorError> {
        if log.committed(GROUP, ACTIONS).await? != self.committed {
            return Err(ProcessorError::AtWork);
        }
        let mut written = 0;
        for partition in 0..self.folded.table.partitions() {
            let mut records = self.records(partition);
            records.extend(
                self.folded
                    .counts
                    .record(partition)
                    .map(|(counts, _)| counts),
            );
            for some in records.chunks(AT_ONCE) {
                log.append(some.to_vec()).await?;
                written += some.len() as u64;
                progress(written);
            }
        }
        let digest = self.folded.digest();
        Ok(Refolded {
            gone: self.gone(),
            digest: digest.digest,
            shoppers: digest.shoppers,
            events: digest.events,
        })
    }

    /// The profiles of `partition`, and tombstones for those that are gone.
    fn records(&self, partition: u32) -> Vec<NewRecord> {
        let record = |shopper: &ShopperId, value: Option<Vec<u8>>| NewRecord {
            at: TopicPartition {
                topic: PROFILES,
                partition,
            },
            key: Bytes::copy_from_slice(&shopper_key(shopper)),
            value: value.map(Bytes::from),
        };
        let gone = self.gone.get(&partition).into_iter().flatten();
        let mut records: Vec<_> = gone.map(|shopper| record(shopper, None)).collect();
        self.folded.table.for_each(partition, |profile| {
            let mut stored = Vec::new();
            profile.encode(&self.rules, &mut stored);
            records.push(record(&profile.shopper(), Some(stored)));
        });
        records
    }
}
