//! The profiles of the partitions that this process folds or follows: in memory, and on local disk where there are more than
//! have a place there.
//!
//! Those in memory are the ones that something happened to lately, roughly: each has a mark that is set when it is asked for or
//! changes, and who has to make room goes round, takes marks away, and puts the first without one on disk. A stored profile folds on
//! exactly as one that never left memory, so nobody can tell which is where but by the time it takes.
//!
//! Nobody waits at a lock for the disk: a profile is fetched first, and counts if nothing was taken from disk meanwhile; one that leaves
//! stays in memory until it is on disk, and longer if something happened to it meanwhile.

mod shard;

use std::{
    fmt, mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, Profile};
use parking_lot::{Mutex, RwLock};

use self::shard::{Place, Shard};
use crate::{ColdError, ColdProfiles, partition_for, shopper_key};

/// How many locks the profiles of a partition are spread over, so that folding one shopper seldom holds up the reading
/// of another. A power of two.
const SHARDS: usize = 16;
/// So often a profile on disk is fetched before it is fetched under the lock, as others are taken from disk all the time.
const FETCHES: usize = 3;

/// Profiles by partition of the shopper's key. One writer for each partition and any number of readers share it; a
/// profile is locked for as long as the given function runs, so keep those short.
pub struct ProfileTable {
    partitions: Vec<Partition>,
    spill: Option<Spill>,
}

struct Partition {
    shards: [RwLock<Shard>; SHARDS],
    /// Held by who puts profiles on disk, or takes them away from there.
    moving: Mutex<()>,
    /// Up to when everything that was on the log is in the profiles, in epoch milliseconds; [`NEVER`] at first.
    fresh_as_of: AtomicI64,
}

/// How far someone is who looks at every profile of a partition, a part at a time.
#[derive(Clone, Debug)]
pub struct ProfileWalk {
    partition: u32,
    /// So many locks' profiles in memory were shown.
    shards: usize,
    /// Those on disk under the last of them that were not.
    cold: Vec<ShopperId>,
}

impl ProfileWalk {
    /// Begins with `partition`.
    pub fn over(partition: u32) -> Self {
        Self {
            partition,
            shards: 0,
            cold: Vec::new(),
        }
    }
}

/// Where profiles go that have no place in memory.
struct Spill {
    cold: Arc<dyn ColdProfiles>,
    rules: FoldRules,
    /// The most profiles in memory under one lock.
    per_shard: usize,
    /// Whether any profile was put there.
    is_used: AtomicBool,
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
            is_used: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            trouble: OnceLock::new(),
        };
        Arc::new(Self::of(partitions, Some(spill)))
    }

    fn of(partitions: u32, spill: Option<Spill>) -> Self {
        let partition = || Partition {
            shards: std::array::from_fn(|_| RwLock::default()),
            moving: Mutex::default(),
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
        let shard = self.partition(partition)?.shard(shopper);
        let place = self.place(partition);
        let mut fetched = None;
        for tries in 0.. {
            let held = shard.read();
            if let Some(hot) = held.hot(shopper) {
                if place.is_some() {
                    hot.use_it();
                }
                return Some(read(&hot.profile));
            }
            let place = place.as_ref().filter(|_| held.is_cold(shopper))?;
            let taken = held.taken();
            if let Some((_, fetched)) = fetched.take_if(|(of, _)| *of == taken) {
                drop(held);
                return place.found(fetched).as_ref().map(read);
            }
            if tries == FETCHES {
                let fetched = place.fetch(shopper);
                return place.found(fetched).as_ref().map(read);
            }
            drop(held);
            fetched = Some((taken, place.fetch(shopper)));
        }
        None
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
        let found = &self.partitions[partition as usize];
        let shard = found.shard(shopper);
        let Some(place) = self.place(partition) else {
            let mut held = shard.write();
            return match held.hot_mut(shopper) {
                Some(hot) => change(&mut hot.profile),
                None => change(&mut held.admit(Profile::new(*shopper), false).profile),
            };
        };
        let (mut fetched, mut tries) = (None, 0);
        loop {
            let mut held = shard.write();
            if let Some(hot) = held.hot_mut(shopper) {
                hot.use_it();
                return change(&mut hot.profile);
            }
            let kept = if held.is_cold(shopper) {
                let taken = held.taken();
                let fetched_now = fetched.take_if(|(of, _)| *of == taken);
                if fetched_now.is_none() && tries < FETCHES {
                    drop(held);
                    tries += 1;
                    fetched = Some((taken, place.fetch(shopper)));
                    continue;
                }
                place.found(fetched_now.map_or_else(|| place.fetch(shopper), |(_, found)| found))
            } else {
                None
            };
            let profile = kept.unwrap_or_else(|| Profile::new(*shopper));
            let changed = change(&mut held.admit(profile, true).profile);
            drop(held);
            found.make_room(shard, &place);
            return changed;
        }
    }

    /// Puts `profile` in the place of the one its shopper may have.
    pub fn insert(&self, profile: Profile) {
        let shopper = profile.shopper();
        let partition = self.partition_of(&shopper);
        let found = &self.partitions[partition as usize];
        let (shard, place) = (found.shard(&shopper), self.place(partition));
        let mut held = shard.write();
        let Some(hot) = held.hot_mut(&shopper) else {
            held.admit(profile, place.is_some());
            drop(held);
            if let Some(place) = place {
                found.make_room(shard, &place);
            }
            return;
        };
        hot.use_it();
        let former = mem::replace(&mut hot.profile, profile);
        // The former profile is freed after the lock.
        drop(held);
        drop(former);
    }

    /// Takes a shopper's profile out, if there is one.
    pub fn remove(&self, shopper: &ShopperId) -> Option<Profile> {
        let partition = self.partition_of(shopper);
        let found = &self.partitions[partition as usize];
        let _moving = found.moving.lock();
        let (hot, was_cold) = found.shard(shopper).write().remove(shopper);
        let Some(place) = self.place(partition) else {
            return hot;
        };
        let kept = || place.found(place.fetch(shopper));
        let removed = hot.or_else(|| was_cold.then(kept).flatten());
        // An older copy may lie there also of one that was in memory. What was erased must not stay on a disk.
        if removed.is_some() {
            place.remove(shopper);
        }
        removed
    }

    /// Forgets the profiles of `partition` and that they were fresh.
    pub fn clear_partition(&self, partition: u32) {
        let Some(found) = self.partition(partition) else {
            return;
        };
        found.fresh_as_of.store(NEVER, Ordering::Release);
        let _moving = found.moving.lock();
        // All locks first: they go in one piece.
        let mut shards: Vec<_> = found.shards.iter().map(RwLock::write).collect();
        let former: Vec<Shard> = shards.iter_mut().map(|shard| shard.clear()).collect();
        drop(shards);
        if let Some(place) = self.place(partition) {
            place.clear();
        }
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
        for shard in &found.shards {
            let cold = shard.read().for_each_hot(&mut visit);
            for shopper in cold {
                self.read_in(partition, &shopper, &mut visit);
            }
        }
    }

    /// Goes on showing `visit` every profile of a partition, and reads no more than `most_cold` of them from disk, one at least. Says
    /// whether all were shown. Profiles that come or change between two steps may be seen or not.
    pub fn look_on(
        &self,
        walk: &mut ProfileWalk,
        most_cold: usize,
        mut visit: impl FnMut(&Profile),
    ) -> bool {
        let Some(found) = self.partition(walk.partition) else {
            return true;
        };
        for _ in 0..most_cold.max(1) {
            while walk.cold.is_empty() {
                let Some(shard) = found.shards.get(walk.shards) else {
                    return true;
                };
                walk.cold = shard.read().for_each_hot(&mut visit);
                walk.shards += 1;
            }
            if let Some(shopper) = walk.cold.pop() {
                self.read_in(walk.partition, &shopper, &mut visit);
            }
        }
        walk.cold.is_empty() && walk.shards >= found.shards.len()
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
    /// Puts profiles of `shard` on disk until there is room for all others; where that cannot be done, more than intended stay.
    fn make_room(&self, shard: &RwLock<Shard>, place: &Place<'_>) {
        let most = place.spill.per_shard;
        if !shard.read().is_over(most) {
            return;
        }
        let _moving = self.moving.lock();
        loop {
            let mut stored = Vec::new();
            let leaving = shard.write().leaving(most).map(|profile| {
                profile.encode(&place.spill.rules, &mut stored);
                profile.shopper()
            });
            let Some(shopper) = leaving else {
                return;
            };
            if !place.put(&shopper, &stored) {
                shard.write().stays(shopper);
                return;
            }
            // It is freed after the lock.
            let _left = shard.write().has_left(shopper);
        }
    }

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
mod tests;
