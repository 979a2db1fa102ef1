//! Folding all of `foretide.actions` anew in the place of what `foretide.profiles` holds: the way over when this version
//! folds or stores profiles in another way than the one that made them.
//!
//! Nothing is written before all is folded and no processor is left in the group. Then the counts of each partition are taken
//! away, every shopper's new profile is appended, a tombstone for each of whom the log holds no action any more, and last the
//! new counts with the position of the profiles: a process that dies in between leaves profiles without counts, which the next
//! start refuses. Doing it again sets all right.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use foretide_events::{EpochMs, ShopperId};
use foretide_features::FoldRules;
use foretide_ports::{
    ACTIONS, GroupEvent, GroupMember, LINKS, Log, LogError, NewRecord, PROFILES, ReadOnlyLog,
    TopicPartition, shopper_key,
};
use foretide_runtime::CancellationToken;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    FoldedLog, GROUP, PartitionCounts, ProcessorError,
    published::{self, Key},
    reading::{Reading, Until},
};

/// How many records are appended at once.
const AT_ONCE: usize = 500;
/// How often it is looked whether all partitions are here.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// All actions of a log folded anew, and nothing written yet.
pub struct Refold {
    folded: FoldedLog,
    rules: FoldRules,
    /// Shoppers with a profile on the log and no action any more, by partition.
    gone: BTreeMap<u32, BTreeSet<ShopperId>>,
    /// How many of the oldest records of actions the log has let go of.
    missing: u64,
    /// How many dead letters were counted before whose records it has let go of.
    letters_gone: u64,
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
    /// Dead letters that are no longer counted, because the log holds their records no more.
    pub letters_gone: u64,
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
        // What it holds follows from the actions, which are read to an end that is noted later. An old log has none.
        let link_ends = match log.end_offsets(LINKS).await {
            Err(LogError::Topic { .. }) => Vec::new(),
            ends => ends?,
        };
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
        for (partition, begin) in (0..).zip(&begins) {
            // Of a partition that retention has emptied nothing was read, and the next record is not its first.
            folded.counts.update(partition, |counts| {
                counts.next_offset = counts.next_offset.max(*begin);
            });
        }
        folded.hand_over(&rules, |_| true);
        folded.take_as_linked(&link_ends);

        let mut gone = BTreeMap::<u32, BTreeSet<ShopperId>>::new();
        let mut letters = BTreeMap::<u32, u64>::new();
        let from: Vec<_> = (0..partitions).map(|partition| (partition, 0)).collect();
        let ends = log.end_offsets(PROFILES).await?;
        let reader = log.reader(PROFILES, &from).await?;
        let mut reading = Reading::of(reader, &from, &ends, Until::End, &never);
        while let Some(chunk) = reading.next().await? {
            records += chunk.records.len() as u64;
            progress(records);
            let gone = gone.entry(chunk.from.partition).or_default();
            for record in &chunk.records {
                let shopper = match published::parse_key(&record.key) {
                    Some(Key::Profile(shopper)) => shopper,
                    Some(Key::Counts(partition)) => {
                        // Those of another version tell nothing.
                        let counts = record.value.as_deref().map(published::decode_counts);
                        if let Some(Ok(counts)) = counts {
                            letters.insert(partition, counts.dead_letters);
                        }
                        continue;
                    }
                    None => continue,
                };
                if record.value.is_some() && folded.table.read(&shopper, |_| ()).is_none() {
                    gone.insert(shopper);
                } else {
                    gone.remove(&shopper);
                }
            }
        }
        let letters: u64 = letters.values().sum();
        Ok(Self {
            letters_gone: letters.saturating_sub(folded.counts.dead_letters()),
            folded,
            rules,
            gone,
            missing: begins.iter().sum(),
            committed,
        })
    }

    /// How many dead letters would no longer be counted.
    pub fn letters_gone(&self) -> u64 {
        self.letters_gone
    }

    /// How many of the oldest records of actions the log has let go of: what they were part of comes out otherwise.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// How many shoppers would have no profile any more.
    pub fn gone(&self) -> u64 {
        self.gone.values().map(|gone| gone.len() as u64).sum()
    }

    /// Puts the new profiles in the place of what `log` holds. `member` names this process in the processors' group, whose other
    /// members have `patience` to leave. `progress` is told the number of records written so far.
    ///
    /// # Errors
    /// The log refuses, or a processor is there or has worked on it meanwhile; then nothing is written. One that comes while
    /// it is written ends it as well.
    pub async fn publish(
        self,
        log: &dyn Log,
        member: &str,
        patience: Duration,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Refolded, ProcessorError> {
        let partitions = self.folded.table.partitions();
        let mut hold = Hold::take(log, member, partitions, patience).await?;
        if log.committed(GROUP, ACTIONS).await? != self.committed {
            hold.leave().await?;
            return Err(ProcessorError::AtWork);
        }
        let none = (0..partitions).map(|partition| NewRecord {
            value: None,
            ..published::counts_record(partition, &PartitionCounts::default())
        });
        log.append(none.collect()).await?;
        let mut written = 0;
        for partition in 0..partitions {
            let mut records = self.records(partition);
            records.extend(
                self.folded
                    .counts
                    .record(partition)
                    .map(|(counts, _)| counts),
            );
            for some in records.chunks(AT_ONCE) {
                hold.check().await?;
                log.append(some.to_vec()).await?;
                written += some.len() as u64;
                progress(written);
            }
        }
        hold.leave().await?;
        let digest = self.folded.digest();
        Ok(Refolded {
            gone: self.gone(),
            letters_gone: self.letters_gone,
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

/// All partitions of the processors' group, held by this process: while it has them, no processor has any.
struct Hold {
    member: Box<dyn GroupMember>,
}

impl Hold {
    /// Joins the group and waits for `patience` to be given all of it.
    async fn take(
        log: &dyn Log,
        member: &str,
        partitions: u32,
        patience: Duration,
    ) -> Result<Self, ProcessorError> {
        let mut member = log.join(GROUP, ACTIONS, member).await?;
        let until = Instant::now() + patience;
        let mut held = BTreeSet::new();
        while held.len() < partitions as usize {
            match member.next(LOOK_EVERY).await? {
                GroupEvent::Assigned(some) => held.extend(some),
                GroupEvent::Revoked(some) => {
                    member.release(&some).await?;
                    held.retain(|partition| !some.contains(partition));
                }
                GroupEvent::Lost(some) => held.retain(|partition| !some.contains(partition)),
                GroupEvent::Records(_) | GroupEvent::Idle => {}
            }
            if Instant::now() >= until && held.len() < partitions as usize {
                member.leave().await?;
                return Err(ProcessorError::AtWork);
            }
        }
        Ok(Self { member })
    }

    /// Whether it still has them.
    async fn check(&mut self) -> Result<(), ProcessorError> {
        match self.member.next(Duration::ZERO).await? {
            GroupEvent::Revoked(_) | GroupEvent::Lost(_) => Err(ProcessorError::CutShort),
            GroupEvent::Assigned(_) | GroupEvent::Records(_) | GroupEvent::Idle => Ok(()),
        }
    }

    async fn leave(self) -> Result<(), ProcessorError> {
        Ok(self.member.leave().await?)
    }
}
