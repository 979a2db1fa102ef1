//! Folding the records of one partition into its profiles and counts, and gathering what has to be published.

use std::{collections::HashSet, mem, sync::Arc};

use bytes::Bytes;
use foldhash::fast::FixedState;
use foretide_events::{EpochMs, Event, ShopperId, SourceId, wire};
use foretide_features::FoldRules;
use foretide_ports::{
    Chunk, NewRecord, PROFILES, ProfileTable, Record, TopicPartition, shopper_key,
};
use foretide_runtime::SharedClock;

use crate::{
    Fates, SourceCounts,
    dead_letter::{Cause, dead_letter},
    outdated::Outdated,
};

/// What all folding shares.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) table: Arc<ProfileTable>,
    pub(crate) counts: Arc<SourceCounts>,
    pub(crate) rules: FoldRules,
    pub(crate) clock: SharedClock,
    pub(crate) outdated: Outdated,
}

/// What one partition has to publish since its last commit.
#[derive(Default)]
pub(crate) struct Pending {
    /// Shoppers whose profile has applied something.
    changed: HashSet<ShopperId, FixedState>,
    dead_letters: Vec<NewRecord>,
    dead_letter_bytes: usize,
    /// Whether the position moved, be it over a gap.
    consumed: bool,
}

/// What one partition publishes in one commit.
pub(crate) struct Publication {
    pub(crate) partition: u32,
    /// The next offset to consume.
    pub(crate) next_offset: u64,
    pub(crate) dead_letters: Vec<NewRecord>,
    pub(crate) profiles: Vec<NewRecord>,
    pub(crate) counts: NewRecord,
    pub(crate) profile_bytes: usize,
}

/// What became of the records of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct Outcome {
    pub(crate) fates: Fates,
    /// Causes of the dead letters, one for each.
    pub(crate) dead_letters: Vec<&'static str>,
    pub(crate) settled_early: u64,
    /// Events whose profile had applied them already, though the counts had not: nothing was done.
    pub(crate) applied_before: u64,
    /// Offsets passed over because the log holds no record there.
    pub(crate) skipped: u64,
}

impl Pending {
    /// Whether there is anything to commit.
    pub(crate) fn is_empty(&self) -> bool {
        !self.consumed
    }

    /// About how large its publication will be, in bytes, if a profile takes `profile_bytes`.
    pub(crate) fn estimated_bytes(&self, profile_bytes: usize) -> usize {
        self.changed.len() * profile_bytes + self.dead_letter_bytes
    }
}

impl Folder {
    /// Folds by `rules` into `table` and `counts`.
    pub(crate) fn new(
        table: &Arc<ProfileTable>,
        counts: &Arc<SourceCounts>,
        rules: FoldRules,
        clock: &SharedClock,
    ) -> Self {
        Self {
            table: Arc::clone(table),
            counts: Arc::clone(counts),
            rules,
            clock: Arc::clone(clock),
            outdated: Outdated::default(),
        }
    }

    /// Folds `chunk`, whose profiles have been restored. Records before the partition's position are passed over.
    pub(crate) fn fold(&self, pending: &mut Pending, chunk: &Chunk) -> Outcome {
        let partition = chunk.from.partition;
        let begin = self.counts.applied(partition);
        let mut outcome = Outcome::default();
        let mut runs = Runs::default();
        let (mut as_of, mut records) = (None, 0);
        for record in chunk.records.iter().filter(|record| record.offset >= begin) {
            as_of = as_of.max(Some(record.appended_at));
            records += 1;
            match self.event_of(record, partition) {
                Ok(event) => {
                    self.fold_event(&event, record.offset, pending, &mut runs, &mut outcome);
                }
                Err(cause) => {
                    let letter = dead_letter(chunk.from, record, &cause);
                    pending.dead_letter_bytes += letter.value.as_ref().map_or(0, Bytes::len);
                    pending.dead_letters.push(letter);
                    outcome.dead_letters.push(cause.code());
                }
            }
        }
        // A gap at the end is consumed as well, or it would be passed again after every start.
        pending.consumed |= chunk.next_offset > begin;
        outcome.skipped = chunk
            .next_offset
            .saturating_sub(begin)
            .saturating_sub(records);
        self.advance(chunk, as_of, runs, outcome.dead_letters.len() as u64);
        outcome
    }

    fn fold_event(
        &self,
        event: &Event,
        offset: u64,
        pending: &mut Pending,
        runs: &mut Runs,
        outcome: &mut Outcome,
    ) {
        let applied = self.table.update(&event.shopper, |profile| {
            profile.apply(event, offset, &self.rules)
        });
        let Some(applied) = applied else {
            outcome.applied_before += 1;
            return;
        };
        pending.changed.insert(event.shopper);
        outcome.settled_early += u64::from(applied.settled_early);
        outcome.fates.count(applied.fate);
        runs.count(&event.source, applied.fate, offset);
    }

    /// The event that `record` of `partition` holds, if it is one and in its place. A shopper folded in two partitions would
    /// have two owners.
    fn event_of(&self, record: &Record, partition: u32) -> Result<Event, Cause> {
        let value = record.value.as_ref().ok_or(Cause::Empty)?;
        let event =
            wire::decode(value).map_err(|problem| Cause::NotAnEvent(problem.to_string()))?;
        if self.table.partition_of(&event.shopper) == partition {
            Ok(event)
        } else {
            Err(Cause::WrongPartition)
        }
    }

    /// Counts what a chunk held and moves the position past it. Profiles come first: who sees the position finds them.
    fn advance(&self, chunk: &Chunk, as_of: Option<EpochMs>, runs: Runs, dead_letters: u64) {
        let partition = chunk.from.partition;
        self.counts.update(partition, |counts| {
            for Run {
                source,
                fates,
                last_offset,
            } in runs.0
            {
                counts.add(&source, fates, last_offset);
            }
            counts.dead_letters += dead_letters;
            counts.next_offset = counts.next_offset.max(chunk.next_offset);
            counts.as_of = counts.as_of.max(as_of.unwrap_or(counts.as_of));
        });
        if let Some(as_of) = as_of {
            self.set_fresh(partition, as_of);
        }
    }

    /// Says that the profiles of `partition` hold everything that was on the log at `as_of`, by the log's clock: where that
    /// is ahead of the one here, profiles would be fresher than now.
    pub(crate) fn set_fresh(&self, partition: u32, as_of: EpochMs) {
        let now = EpochMs(self.clock.now_ms());
        self.table.set_fresh(partition, as_of.min(now));
    }

    /// Takes what `partition` has to publish. Its profiles are encoded one after the other into one piece of memory.
    pub(crate) fn publish(&self, partition: u32, pending: &mut Pending) -> Option<Publication> {
        let Pending {
            changed,
            dead_letters,
            ..
        } = mem::take(pending);
        let mut bytes = Vec::with_capacity(changed.len() * 1024);
        let mut ends = Vec::with_capacity(changed.len());
        for shopper in &changed {
            bytes.extend_from_slice(&shopper_key(shopper));
            self.table
                .read(shopper, |profile| profile.encode(&self.rules, &mut bytes));
            ends.push(bytes.len());
        }
        let bytes = Bytes::from(bytes);
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let profiles = begins.zip(&ends).map(|(begin, end)| NewRecord {
            at: TopicPartition {
                topic: PROFILES,
                partition,
            },
            key: bytes.slice(begin..begin + 32),
            value: Some(bytes.slice(begin + 32..*end)),
        });
        let profiles = profiles.collect();
        let (counts, next_offset) = self.counts.record(partition)?;
        let profile_bytes = bytes.len();
        Some(Publication {
            partition,
            next_offset,
            dead_letters,
            profiles,
            counts,
            profile_bytes,
        })
    }

    /// Drops everything about `partition`.
    pub(crate) fn forget(&self, partition: u32) {
        self.table.clear_partition(partition);
        self.counts.clear(partition);
        self.outdated.forget(partition);
    }
}

/// Neighbouring events of one source, counted together.
#[derive(Default)]
struct Runs(Vec<Run>);

struct Run {
    source: SourceId,
    fates: Fates,
    last_offset: u64,
}

impl Runs {
    fn count(&mut self, source: &SourceId, fate: foretide_events::Fate, offset: u64) {
        match self.0.last_mut() {
            Some(run) if run.source == *source => {
                run.fates.count(fate);
                run.last_offset = offset;
            }
            _ => {
                let mut fates = Fates::default();
                fates.count(fate);
                self.0.push(Run {
                    source: source.clone(),
                    fates,
                    last_offset: offset,
                });
            }
        }
    }
}
