//! The profiles under one lock.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    mem,
    sync::atomic::{AtomicBool, Ordering},
};

use foldhash::fast::RandomState;
use foretide_events::ShopperId;
use foretide_features::Profile;

use super::Spill;
use crate::ColdError;

/// Profiles in memory, and whose are on disk. Each profile is in one of both; what disk still keeps of one that is in memory again
/// counts nothing.
#[derive(Default)]
pub(super) struct Shard {
    /// Each has a piece of memory of its own: the map grows without moving them, and has no room for as many again.
    hot: HashMap<ShopperId, Box<Hot>, RandomState>,
    cold: HashSet<ShopperId, RandomState>,
    /// Those in memory, and some that no longer are, in the order in which they are looked at when there is no room. Not kept where
    /// all have room.
    round: VecDeque<ShopperId>,
    /// How many were taken from disk so far.
    taken: u64,
}

/// A profile in memory.
pub(super) struct Hot {
    pub(super) profile: Profile,
    /// Whether anything happened to it since it was looked at last.
    used: AtomicBool,
}

/// Where the profiles of a partition go that have no place in memory.
pub(super) struct Place<'a> {
    pub(super) spill: &'a Spill,
    pub(super) partition: u32,
}

impl Shard {
    pub(super) fn len(&self) -> usize {
        self.hot.len() + self.cold.len()
    }

    pub(super) fn cold(&self) -> usize {
        self.cold.len()
    }

    pub(super) fn shoppers(&self) -> Vec<ShopperId> {
        self.hot.keys().chain(&self.cold).copied().collect()
    }

    /// Shows `visit` every profile in memory, and returns whose are not.
    pub(super) fn for_each_hot(&self, visit: &mut impl FnMut(&Profile)) -> Vec<ShopperId> {
        self.hot.values().for_each(|hot| visit(&hot.profile));
        self.cold.iter().copied().collect()
    }

    /// A profile in memory.
    pub(super) fn hot(&self, shopper: &ShopperId) -> Option<&Hot> {
        self.hot.get(shopper).map(|hot| &**hot)
    }

    /// The same, to be changed.
    pub(super) fn hot_mut(&mut self, shopper: &ShopperId) -> Option<&mut Hot> {
        self.hot.get_mut(shopper).map(|hot| &mut **hot)
    }

    /// Whether the profile is on disk: until [this number](Self::taken) is another one, it is the one that lies there.
    pub(super) fn is_cold(&self, shopper: &ShopperId) -> bool {
        self.cold.contains(shopper)
    }

    /// How many were taken from disk so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes a profile into memory that is not there, be it from disk. `in_turn` where there may be no room for all: then it is looked
    /// at when room has to be made.
    pub(super) fn admit(&mut self, profile: Profile, in_turn: bool) -> &mut Hot {
        let shopper = profile.shopper();
        if self.cold.remove(&shopper) {
            self.taken += 1;
        }
        if in_turn {
            self.round.push_back(shopper);
        }
        let place = self.hot.entry(shopper);
        place.insert_entry(Hot::of(profile)).into_mut()
    }

    /// Takes a profile out: that in memory, and whether it was on disk.
    pub(super) fn remove(&mut self, shopper: &ShopperId) -> (Option<Profile>, bool) {
        let was_cold = self.cold.remove(shopper);
        self.taken += u64::from(was_cold);
        (self.hot.remove(shopper).map(|hot| hot.profile), was_cold)
    }

    /// Takes all out.
    pub(super) fn clear(&mut self) -> Self {
        let former = mem::take(self);
        self.taken = former.taken + 1;
        former
    }

    /// Whether more than `most` are in memory.
    pub(super) fn is_over(&self, most: usize) -> bool {
        self.hot.len() > most
    }

    /// Who is to leave memory, if more than `most` are there: nothing happened to that profile since it was looked at last. It stays
    /// until it [has left](Self::has_left).
    pub(super) fn leaving(&mut self, most: usize) -> Option<&Profile> {
        let mut found = None;
        while found.is_none() && self.is_over(most) {
            let shopper = self.round.pop_front()?;
            let Some(hot) = self.hot.get(&shopper) else {
                continue;
            };
            if hot.used.swap(false, Ordering::Relaxed) {
                self.round.push_back(shopper);
            } else {
                found = Some(shopper);
            }
        }
        self.hot.get(&found?).map(|hot| &hot.profile)
    }

    /// The profile of `shopper` lies on disk as it was, and leaves memory, unless something happened to it meanwhile.
    pub(super) fn has_left(&mut self, shopper: ShopperId) -> Option<Profile> {
        let hot = self.hot.get(&shopper)?;
        if hot.used.load(Ordering::Relaxed) {
            self.round.push_back(shopper);
            return None;
        }
        self.cold.insert(shopper);
        self.hot.remove(&shopper).map(|hot| hot.profile)
    }

    /// It could not be put on disk, and is the first to be asked again.
    pub(super) fn stays(&mut self, shopper: ShopperId) {
        self.round.push_front(shopper);
    }
}

impl Hot {
    fn of(profile: Profile) -> Box<Self> {
        Box::new(Self {
            profile,
            used: AtomicBool::new(false),
        })
    }

    /// Seldom written, so that those who read a profile at once do not take its memory from each other.
    pub(super) fn use_it(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

impl Place<'_> {
    /// What lies there of `shopper`.
    pub(super) fn fetch(&self, shopper: &ShopperId) -> Result<Profile, ColdError> {
        let Spill { cold, rules, .. } = self.spill;
        let stored = cold.get(self.partition, shopper)?;
        let stored = stored.ok_or_else(|| ColdError("it is not there any more".to_owned()))?;
        Profile::decode(*shopper, &stored, rules).map_err(|error| ColdError(error.to_string()))
    }

    /// What was fetched of a shopper who is on disk. `None` is trouble.
    pub(super) fn found(&self, fetched: Result<Profile, ColdError>) -> Option<Profile> {
        fetched
            .map_err(|error| {
                let _ = self.spill.trouble.set(error);
            })
            .ok()
    }

    /// Says whether it is there now. A full disk is no trouble: the profile stays where it is.
    pub(super) fn put(&self, shopper: &ShopperId, stored: &[u8]) -> bool {
        match self.spill.cold.put(self.partition, shopper, stored) {
            Ok(()) => {
                self.spill.is_used.store(true, Ordering::Relaxed);
                self.spill.is_refused.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                if !self.spill.is_refused.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "profiles cannot be put on disk: more than intended stay in memory");
                }
                return false;
            }
        }
        true
    }

    pub(super) fn remove(&self, shopper: &ShopperId) {
        if let Err(error) = self.spill.cold.remove(self.partition, shopper) {
            let _ = self.spill.trouble.set(error);
        }
    }

    /// Takes all away, copies of what is in memory again included.
    pub(super) fn clear(&self) {
        if !self.spill.is_used.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.spill.cold.clear(self.partition) {
            let _ = self.spill.trouble.set(error);
        }
    }
}
