//! The profiles of the partitions that this process folds or follows, in memory.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use foldhash::fast::RandomState;
use foretide_events::{EpochMs, ShopperId};
use foretide_features::Profile;
use parking_lot::RwLock;

use crate::{partition_for, shopper_key};

/// How many locks the profiles of a partition are spread over, so that folding one shopper seldom holds up the reading
/// of another. A power of two.
const SHARDS: usize = 16;

type Shard = RwLock<HashMap<ShopperId, Profile, RandomState>>;

/// Profiles by partition of the shopper's key. One writer for each partition and any number of readers share it; a
/// profile is locked for as long as the given function runs, so keep those short.
pub struct ProfileTable {
    partitions: Vec<Partition>,
}

struct Partition {
    shards: [Shard; SHARDS],
    /// Up to when everything that was on the log is in the profiles, in epoch milliseconds; [`NEVER`] at first.
    fresh_as_of: AtomicI64,
}

/// Stands for a partition whose profiles are not complete.
const NEVER: i64 = i64::MIN;

impl ProfileTable {
    /// An empty table for `partitions` partitions, at least one.
    pub fn new(partitions: u32) -> Arc<Self> {
        let partition = || Partition {
            shards: std::array::from_fn(|_| Shard::default()),
            fresh_as_of: AtomicI64::new(NEVER),
        };
        Arc::new(Self {
            partitions: (0..partitions.max(1)).map(|_| partition()).collect(),
        })
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
        self.shard(shopper).read().get(shopper).map(read)
    }

    /// The same where the shopper's partition is known; `None` also where it is another one.
    pub fn read_in<R>(
        &self,
        partition: u32,
        shopper: &ShopperId,
        read: impl FnOnce(&Profile) -> R,
    ) -> Option<R> {
        let shard = self.partition(partition)?.shard(shopper);
        shard.read().get(shopper).map(read)
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
        change(
            shard
                .entry(*shopper)
                .or_insert_with(|| Profile::new(*shopper)),
        )
    }

    /// Puts `profile` in the place of the one its shopper may have.
    pub fn insert(&self, profile: Profile) {
        let shopper = profile.shopper();
        // The former profile is freed after the lock.
        let _former = self.shard(&shopper).write().insert(shopper, profile);
    }

    /// Takes a shopper's profile out, if there is one.
    pub fn remove(&self, shopper: &ShopperId) -> Option<Profile> {
        self.shard(shopper).write().remove(shopper)
    }

    /// Forgets the profiles of `partition` and that they were fresh.
    pub fn clear_partition(&self, partition: u32) {
        let Some(partition) = self.partition(partition) else {
            return;
        };
        partition.fresh_as_of.store(NEVER, Ordering::Release);
        for shard in &partition.shards {
            drop(std::mem::take(&mut *shard.write()));
        }
    }

    /// The number of profiles.
    pub fn len(&self) -> usize {
        self.partitions
            .iter()
            .flat_map(|partition| &partition.shards)
            .map(|s| s.read().len())
            .sum()
    }

    /// Whether there are no profiles.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows `visit` every profile of `partition`, in no order. Profiles that come or change meanwhile may be seen or not.
    pub fn for_each(&self, partition: u32, mut visit: impl FnMut(&Profile)) {
        let Some(partition) = self.partition(partition) else {
            return;
        };
        for shard in &partition.shards {
            shard.read().values().for_each(&mut visit);
        }
    }

    /// The shoppers of `partition`, in one piece for each of its locks, which is held for as long as it takes to list
    /// them. Who reads them one by one keeps no one waiting.
    pub fn shoppers(&self, partition: u32) -> impl Iterator<Item = Vec<ShopperId>> {
        let shards = self.partition(partition).map(|found| &found.shards);
        shards
            .into_iter()
            .flatten()
            .map(|shard| shard.read().keys().copied().collect())
    }

    /// Says that everything that was on the log at `as_of` is in the profiles of `partition`. Where as much is known
    /// already, nothing changes.
    pub fn set_fresh(&self, partition: u32, as_of: EpochMs) {
        if let Some(partition) = self.partition(partition) {
            partition.fresh_as_of.fetch_max(as_of.0, Ordering::AcqRel);
        }
    }

    /// Up to when everything that was on the log is in the profiles of `partition`; `None` while they are being restored
    /// or belong to another process.
    pub fn fresh_as_of(&self, partition: u32) -> Option<EpochMs> {
        let as_of = self
            .partition(partition)?
            .fresh_as_of
            .load(Ordering::Acquire);
        (as_of != NEVER).then_some(EpochMs(as_of))
    }

    fn partition(&self, partition: u32) -> Option<&Partition> {
        self.partitions.get(partition as usize)
    }

    fn shard(&self, shopper: &ShopperId) -> &Shard {
        self.partitions[self.partition_of(shopper) as usize].shard(shopper)
    }
}

impl Partition {
    fn shard(&self, shopper: &ShopperId) -> &Shard {
        // A pseudonym is a keyed hash: any of its bytes spreads evenly.
        &self.shards[usize::from(shopper.as_bytes()[0]) % SHARDS]
    }
}

impl fmt::Debug for ProfileTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileTable")
            .field("partitions", &self.partitions.len())
            .field("profiles", &self.len())
            .finish()
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
