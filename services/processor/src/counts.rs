//! Counts of fates by source, for one partition: part of what the fold makes, and as exact and repeatable as it.

use std::collections::BTreeMap;

use foretide_events::{EpochMs, Fate, SourceId};
use serde::Serialize;

use crate::EmissionProgress;

/// How many events met each fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fates {
    /// Events that are part of a profile.
    pub folded: u64,
    /// Events whose id was there already.
    pub duplicate: u64,
    /// Events older than their profile reaches back.
    pub late: u64,
}

impl Fates {
    /// Counts one event.
    pub fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Folded => self.folded += 1,
            Fate::Duplicate => self.duplicate += 1,
            Fate::Late => self.late += 1,
        }
    }

    /// Counts the events of `other` too.
    pub fn add(&mut self, other: Self) {
        self.folded += other.folded;
        self.duplicate += other.duplicate;
        self.late += other.late;
    }

    /// All events counted: every event on the log has exactly one fate.
    pub fn total(self) -> u64 {
        self.folded + self.duplicate + self.late
    }
}

/// What is counted for one source in one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCount {
    /// The fates of its events.
    pub fates: Fates,
    /// The offset of the newest of them: how long it has not changed, in terms of the log.
    pub last_offset: u64,
}

/// The counts of one partition, with the position up to which they, and the profiles beside them, have been folded.
///
/// Bounded: where a 1001st source appears, the import run unchanged for longest is merged into `import:older` (where there is
/// none, any other source into `older`). Which one that is follows from the log alone, so counts are the same however often
/// and in whatever portions it was folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionCounts {
    /// The offset on `foretide.actions` after the last record counted.
    pub next_offset: u64,
    /// When the newest of the records counted was appended.
    pub as_of: EpochMs,
    /// Records that were no events.
    pub dead_letters: u64,
    /// The offset on `foretide.links` up to which the profiles have taken in what others contribute.
    pub next_link: u64,
    /// How far what follows from the profiles has been told.
    pub(crate) emission: EmissionProgress,
    /// Where a start is not done with announcing what it found: as of when sessions that went on may not have been announced.
    pub(crate) unannounced_as_of: Option<EpochMs>,
    sources: BTreeMap<SourceId, SourceCount>,
}

impl PartitionCounts {
    /// The most sources that are told apart.
    pub const MAX_SOURCES: usize = 1000;

    pub(crate) fn restored(
        next_offset: u64,
        as_of: EpochMs,
        dead_letters: u64,
        next_link: u64,
        emission: EmissionProgress,
        sources: BTreeMap<SourceId, SourceCount>,
    ) -> Self {
        Self {
            next_offset,
            as_of,
            dead_letters,
            next_link,
            emission,
            unannounced_as_of: None,
            sources,
        }
    }

    /// Counts events of `source`, the last of which is at `last_offset`.
    pub fn add(&mut self, source: &SourceId, fates: Fates, last_offset: u64) {
        if !self.sources.contains_key(source) {
            self.make_room();
        }
        let count = self.sources.entry(source.clone()).or_default();
        count.fates.add(fates);
        count.last_offset = last_offset;
    }

    /// What is counted for `source`.
    pub fn of(&self, source: &SourceId) -> Fates {
        self.sources
            .get(source)
            .map_or_else(Fates::default, |count| count.fates)
    }

    /// Every source, by name.
    pub fn sources(&self) -> impl Iterator<Item = (&SourceId, &SourceCount)> {
        self.sources.iter()
    }

    /// The fates of all events.
    pub fn total(&self) -> Fates {
        self.sources
            .values()
            .fold(Fates::default(), |mut total, count| {
                total.add(count.fates);
                total
            })
    }

    fn make_room(&mut self) {
        while self.sources.len() >= Self::MAX_SOURCES {
            let Some((source, into)) = self.longest_unchanged() else {
                return;
            };
            let Some(merged) = self.sources.remove(&source) else {
                return;
            };
            let older = self.sources.entry(into).or_default();
            older.fates.add(merged.fates);
            older.last_offset = older.last_offset.max(merged.last_offset);
        }
    }

    /// Which source to merge, and into which.
    fn longest_unchanged(&self) -> Option<(SourceId, SourceId)> {
        let longest = |prefix: &str, into: &str| {
            let into = SourceId::new(into).ok()?;
            let candidates = self
                .sources
                .iter()
                .filter(|(source, _)| source.as_str().starts_with(prefix) && **source != into);
            let (source, _) = candidates.min_by_key(|(_, count)| count.last_offset)?;
            Some((source.clone(), into))
        };
        longest("import:", "import:older").or_else(|| longest("", "older"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(name: &str) -> SourceId {
        SourceId::new(name).unwrap()
    }

    const ONE: Fates = Fates {
        folded: 1,
        duplicate: 0,
        late: 0,
    };

    #[test]
    fn the_import_run_unchanged_for_longest_is_merged_into_older() {
        let mut counts = PartitionCounts::default();
        counts.add(&source("key:00c0ffee"), ONE, 0);
        for run in 0..999 {
            counts.add(&source(&format!("import:{run}")), ONE, 1 + run);
        }
        assert_eq!(counts.sources().count(), PartitionCounts::MAX_SOURCES);
        counts.add(&source("import:0"), ONE, 2_000);
        counts.add(&source("import:new"), ONE, 2_001);
        assert_eq!(counts.sources().count(), PartitionCounts::MAX_SOURCES);
        assert_eq!(counts.of(&source("key:00c0ffee")), ONE);
        assert_eq!(counts.of(&source("import:0")).folded, 2);
        assert_eq!(counts.of(&source("import:older")).folded, 2);
        assert_eq!(counts.of(&source("import:1")).folded, 0);
        assert_eq!(counts.of(&source("import:2")).folded, 0);
        assert_eq!(counts.of(&source("import:3")).folded, 1);
        assert_eq!(counts.total().folded, 1002);
    }

    #[test]
    fn without_import_runs_the_bound_holds_as_well() {
        let mut counts = PartitionCounts::default();
        for key in 0..3_000 {
            counts.add(&source(&format!("key:{key}")), ONE, key);
        }
        assert_eq!(counts.sources().count(), PartitionCounts::MAX_SOURCES);
        assert_eq!(counts.of(&source("older")).folded, 2_001);
        assert_eq!(counts.total().folded, 3_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn counts_do_not_depend_on_the_portions_in_which_events_came(
            runs in proptest::collection::vec(0..1_300_u32, 1_200..4_000),
            portion in 1..50_usize,
        ) {
            let mut one_by_one = PartitionCounts::default();
            for (offset, run) in (0..).zip(&runs) {
                one_by_one.add(&source(&format!("import:{run}")), ONE, offset);
            }
            // Neighbours of one source within a portion are counted together, as the fold does.
            let mut in_portions = PartitionCounts::default();
            let events: Vec<_> = (0..).zip(&runs).collect();
            for portion in events.chunks(portion) {
                for same in portion.chunk_by(|(_, a), (_, b)| a == b) {
                    let (last_offset, run) = same[same.len() - 1];
                    let fates = Fates { folded: same.len() as u64, ..Fates::default() };
                    in_portions.add(&source(&format!("import:{run}")), fates, last_offset);
                }
            }
            prop_assert_eq!(&one_by_one, &in_portions);
            prop_assert_eq!(one_by_one.total().folded, runs.len() as u64);
            prop_assert!(one_by_one.sources().count() <= PartitionCounts::MAX_SOURCES);
        }
    }
}
