//! The profiles of the partitions that this process folds or follows: in memory, and on local disk where there are more than
//! have a place there.
//!
//! Those in memory are the ones that something happened to lately, roughly: each has a mark that is set when it is asked for or
//! changes, and who has to make room goes round, takes marks away, and puts the first without one on disk. A stored profile folds on
//! exactly as one that never left memory, so nobody can tell which is where but by the time it takes.

mod shard;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, Profile};
use parking_lot::RwLock;

use self::shard::{Place, Shard};
use crate::{ColdError, ColdProfiles, partition_for, shopper_key};

/// How many locks the profiles of a partition are spread over, so that folding one shopper seldom holds up the reading
/// of another. A power of two.
const SHARDS: usize = 16;

/// Profiles by partition of the shopper's key. One writer for each partition and any number of readers share it; a
/// profile is locked for as long as the given function runs, so keep those short.
pub struct ProfileTable {
    partitions: Vec<Partition>,
    spill: Option<Spill>,
}

struct Partition {
    shards: [RwLock<Shard>; SHARDS],
    /// Up to when everything that was on the log is in the profiles, in epoch milliseconds; [`NEVER`] at first.
    fresh_as_of: AtomicI64,
}

/// Where profiles go that have no place in memory.
struct Spill {
    cold: Arc<dyn ColdProfiles>,
    rules: FoldRules,
    /// The most profiles in memory under one lock.
    per_shard: usize,
    /// Whether the last profile could not be put there.
    is_refused: AtomicBool,
    /// What went wrong first.
    trouble: OnceLock<ColdError>,
}

/// Stands for a partition whose profiles are not complete.
const NEVER: i64 = i64::MIN;

impl ProfileTable {
    /// An empty table for `partitions` partitions, at least one, with all profiles in memory.
    pub fn new(partitions: u32) -> Arc<Self> {
        Arc::new(Self::of(partitions, None))
    }

    /// The same with about `in_memory` profiles in memory at most, and the others in `cold`, which keeps none yet, stored by `rules`.
    /// Of one in `cold` the shopper's id stays in memory.
    pub fn spilling(
        partitions: u32,
        in_memory: usize,
        cold: Arc<dyn ColdProfiles>,
        rules: FoldRules,
    ) -> Arc<Self> {
        let shards = SHARDS * partitions.max(1) as usize;
        let spill = Spill {
            cold,
            rules,
            per_shard: in_memory.div_ceil(shards).max(1),
            is_refused: AtomicBool::new(false),
            trouble: OnceLock::new(),
        };
        Arc::new(Self::of(partitions, Some(spill)))
    }

    fn of(partitions: u32, spill: Option<Spill>) -> Self {
        let partition = || Partition {
            shards: std::array::from_fn(|_| RwLock::default()),
            fresh_as_of: AtomicI64::new(NEVER),
        };
        Self {
            partitions: (0..partitions.max(1)).map(|_| partition()).collect(),
            spill,
        }
    }

    /// The number of partitions.
    pub fn partitions(&self) -> u32 {
        // It was made from a u32.
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    /// The partition of a shopper: that of the key of its records.
    pub fn partition_of(&self, shopper: &ShopperId) -> u32 {
        partition_for(&shopper_key(shopper), self.partitions())
    }

    /// What `read` makes of the shopper's profile; `None` if there is none.
    pub fn read<R>(&self, shopper: &ShopperId, read: impl FnOnce(&Profile) -> R) -> Option<R> {
        self.read_in(self.partition_of(shopper), shopper, read)
    }

    /// The same where the shopper's partition is known; `None` also where it is another one.
    pub fn read_in<R>(
        &self,
        partition: u32,
        shopper: &ShopperId,
        read: impl FnOnce(&Profile) -> R,
    ) -> Option<R> {
        let shard = self.partition(partition)?.shard(shopper).read();
        shard.read(self.place(partition).as_ref(), shopper, read)
    }

    /// Changes the shopper's profile, which starts empty.
    pub fn update<R>(&self, shopper: &ShopperId, change: impl FnOnce(&mut Profile) -> R) -> R {
        self.update_in(self.partition_of(shopper), shopper, change)
    }

    /// The same where it is known that the shopper's partition is `partition`: telling it takes as long as finding the profile.
    pub fn update_in<R>(
        &self,
        partition: u32,
        shopper: &ShopperId,
        change: impl FnOnce(&mut Profile) -> R,
    ) -> R {
        let mut shard = self.partitions[partition as usize].shard(shopper).write();
        shard.update(self.place(partition).as_ref(), shopper, change)
    }

    /// Puts `profile` in the place of the one its shopper may have.
    pub fn insert(&self, profile: Profile) {
        let shopper = profile.shopper();
        let partition = self.partition_of(&shopper);
        let shard = self.partitions[partition as usize].shard(&shopper);
        // The former profile is freed after the lock.
        let _former = shard
            .write()
            .insert(self.place(partition).as_ref(), profile);
    }

    /// Takes a shopper's profile out, if there is one.
    pub fn remove(&self, shopper: &ShopperId) -> Option<Profile> {
        let partition = self.partition_of(shopper);
        let mut shard = self.partitions[partition as usize].shard(shopper).write();
        shard.remove(self.place(partition).as_ref(), shopper)
    }

    /// Forgets the profiles of `partition` and that they were fresh.
    pub fn clear_partition(&self, partition: u32) {
        let Some(found) = self.partition(partition) else {
            return;
        };
        found.fresh_as_of.store(NEVER, Ordering::Release);
        // All locks first: what is on disk goes in one piece.
        let mut shards: Vec<_> = found.shards.iter().map(RwLock::write).collect();
        let had_cold = shards.iter().any(|shard| shard.has_cold());
        let former: Vec<_> = shards
            .iter_mut()
            .map(|shard| std::mem::take(&mut **shard))
            .collect();
        if had_cold && let Some(place) = self.place(partition) {
            place.clear();
        }
        drop(shards);
        drop(former);
    }

    /// The number of profiles.
    pub fn len(&self) -> usize {
        self.shards().map(|shard| shard.read().len()).sum()
    }

    /// How many of them are on disk.
    pub fn cold(&self) -> usize {
        self.shards().map(|shard| shard.read().cold()).sum()
    }

    /// Whether there are no profiles.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows `visit` every profile of `partition`, in no order. Profiles that come or change meanwhile may be seen or not.
    pub fn for_each(&self, partition: u32, mut visit: impl FnMut(&Profile)) {
        let Some(found) = self.partition(partition) else {
            return;
        };
        let place = self.place(partition);
        for shard in &found.shards {
            let cold = shard.read().for_each_hot(&mut visit);
            for shopper in cold {
                shard.read().read(place.as_ref(), &shopper, &mut visit);
            }
        }
    }

    /// The shoppers of `partition`, in one piece for each of its locks, which is held for as long as it takes to list
    /// them. Who reads them one by one keeps no one waiting.
    pub fn shoppers(&self, partition: u32) -> impl Iterator<Item = Vec<ShopperId>> {
        let shards = self.partition(partition).map(|found| &found.shards);
        shards
            .into_iter()
            .flatten()
            .map(|shard| shard.read().shoppers())
    }

    /// Why profiles on disk cannot be got any more, if it is so. What was read since then may lack a profile: nothing of it may be
    /// published, and the process has to begin anew.
    pub fn trouble(&self) -> Option<&ColdError> {
        self.spill.as_ref()?.trouble.get()
    }

    /// Says that everything that was on the log at `as_of` is in the profiles of `partition`. Where as much is known
    /// already, nothing changes.
    pub fn set_fresh(&self, partition: u32, as_of: EpochMs) {
        if let Some(partition) = self.partition(partition) {
            partition.fresh_as_of.fetch_max(as_of.0, Ordering::AcqRel);
        }
    }

    /// Up to when everything that was on the log is in the profiles of `partition`; `None` while they are being restored,
    /// cannot be got, or belong to another process.
    pub fn fresh_as_of(&self, partition: u32) -> Option<EpochMs> {
        let as_of = self
            .partition(partition)?
            .fresh_as_of
            .load(Ordering::Acquire);
        (as_of != NEVER && self.trouble().is_none()).then_some(EpochMs(as_of))
    }

    fn partition(&self, partition: u32) -> Option<&Partition> {
        self.partitions.get(partition as usize)
    }

    fn shards(&self) -> impl Iterator<Item = &RwLock<Shard>> {
        self.partitions
            .iter()
            .flat_map(|partition| &partition.shards)
    }

    /// Where the profiles of `partition` go that have no place in memory.
    fn place(&self, partition: u32) -> Option<Place<'_>> {
        let spill = self.spill.as_ref()?;
        Some(Place { spill, partition })
    }
}

impl Partition {
    fn shard(&self, shopper: &ShopperId) -> &RwLock<Shard> {
        // A pseudonym is a keyed hash: any of its bytes spreads evenly.
        &self.shards[usize::from(shopper.as_bytes()[0]) % SHARDS]
    }
}

impl fmt::Debug for ProfileTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileTable")
            .field("partitions", &self.partitions.len())
            .field("profiles", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shopper(n: u8) -> ShopperId {
        ShopperId([n; 16])
    }

    #[test]
    fn a_profile_is_made_by_its_first_update_and_found_again() {
        let table = ProfileTable::new(4);
        assert_eq!(table.read(&shopper(1), Profile::shopper), None);
        assert_eq!(
            table.update(&shopper(1), |profile| profile.shopper()),
            shopper(1)
        );
        assert_eq!(table.read(&shopper(1), Profile::shopper), Some(shopper(1)));
        assert_eq!(table.len(), 1);
        assert!(table.remove(&shopper(1)).is_some());
        assert!(table.is_empty());
    }

    #[test]
    fn each_profile_is_visited_once_in_the_partition_of_its_shopper() {
        let table = ProfileTable::new(3);
        (0..=255).for_each(|n| table.insert(Profile::new(shopper(n))));
        let mut seen = Vec::new();
        for partition in 0..3 {
            table.for_each(partition, |profile| {
                assert_eq!(table.partition_of(&profile.shopper()), partition);
                seen.push(profile.shopper());
            });
        }
        seen.sort();
        assert_eq!(seen, (0..=255).map(shopper).collect::<Vec<_>>());
    }

    #[test]
    fn the_shoppers_of_a_partition_are_listed_and_no_lock_is_kept() {
        let table = ProfileTable::new(2);
        (0..=255).for_each(|n| table.insert(Profile::new(shopper(n))));
        let mut seen = Vec::new();
        for partition in 0..3 {
            for piece in table.shoppers(partition) {
                for shopper in &piece {
                    assert_eq!(table.partition_of(shopper), partition);
                    assert!(table.remove(shopper).is_some());
                }
                seen.extend(piece);
            }
        }
        seen.sort();
        assert_eq!(seen, (0..=255).map(shopper).collect::<Vec<_>>());
    }

    #[test]
    fn freshness_never_goes_back() {
        let table = ProfileTable::new(1);
        for (said, known) in [(-5, -5), (7, 7), (3, 7), (8, 8)] {
            table.set_fresh(0, EpochMs(said));
            assert_eq!(table.fresh_as_of(0), Some(EpochMs(known)));
        }
    }

    #[test]
    fn clearing_a_partition_leaves_the_others_and_ends_its_freshness() {
        let table = ProfileTable::new(2);
        (0..=255).for_each(|n| table.insert(Profile::new(shopper(n))));
        for partition in 0..2 {
            assert_eq!(table.fresh_as_of(partition), None);
            table.set_fresh(partition, EpochMs(7));
        }
        table.clear_partition(0);
        table.for_each(0, |profile| panic!("{:?} was kept", profile.shopper()));
        assert_eq!(
            (table.fresh_as_of(0), table.fresh_as_of(1)),
            (None, Some(EpochMs(7)))
        );
        assert!(!table.is_empty() && table.len() < 256);
    }
}
