//! The profiles under one lock.

use std::{
    collections::{HashMap, HashSet, VecDeque},
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
}

/// A profile in memory.
struct Hot {
    profile: Profile,
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

    pub(super) fn has_cold(&self) -> bool {
        !self.cold.is_empty()
    }

    pub(super) fn shoppers(&self) -> Vec<ShopperId> {
        self.hot.keys().chain(&self.cold).copied().collect()
    }

    /// Shows `visit` every profile in memory, and returns whose are not.
    pub(super) fn for_each_hot(&self, visit: &mut impl FnMut(&Profile)) -> Vec<ShopperId> {
        self.hot.values().for_each(|hot| visit(&hot.profile));
        self.cold.iter().copied().collect()
    }

    pub(super) fn read<R>(
        &self,
        place: Option<&Place<'_>>,
        shopper: &ShopperId,
        read: impl FnOnce(&Profile) -> R,
    ) -> Option<R> {
        if let Some(hot) = self.hot.get(shopper) {
            if place.is_some() {
                hot.use_it();
            }
            return Some(read(&hot.profile));
        }
        let place = place.filter(|_| self.cold.contains(shopper))?;
        Some(read(&place.get(shopper)?))
    }

    pub(super) fn update<R>(
        &mut self,
        place: Option<&Place<'_>>,
        shopper: &ShopperId,
        change: impl FnOnce(&mut Profile) -> R,
    ) -> R {
        let Some(place) = place else {
            let hot = self.hot.entry(*shopper);
            return change(
                &mut hot
                    .or_insert_with(|| Hot::of(Profile::new(*shopper)))
                    .profile,
            );
        };
        if let Some(hot) = self.hot.get_mut(shopper) {
            hot.use_it();
            return change(&mut hot.profile);
        }
        let kept = self.cold.remove(shopper).then(|| place.get(shopper));
        let mut profile = kept.flatten().unwrap_or_else(|| Profile::new(*shopper));
        let changed = change(&mut profile);
        self.admit(place, profile);
        changed
    }

    /// Returns what was there before, as far as it was in memory.
    pub(super) fn insert(
        &mut self,
        place: Option<&Place<'_>>,
        profile: Profile,
    ) -> Option<Profile> {
        let shopper = profile.shopper();
        let Some(place) = place else {
            let former = self.hot.insert(shopper, Hot::of(profile));
            return former.map(|hot| hot.profile);
        };
        if let Some(hot) = self.hot.get_mut(&shopper) {
            return Some(std::mem::replace(&mut hot.profile, profile));
        }
        self.cold.remove(&shopper);
        self.admit(place, profile);
        None
    }

    pub(super) fn remove(
        &mut self,
        place: Option<&Place<'_>>,
        shopper: &ShopperId,
    ) -> Option<Profile> {
        let kept = self.cold.remove(shopper);
        let Some(place) = place else {
            return self.hot.remove(shopper).map(|hot| hot.profile);
        };
        let hot = self.hot.remove(shopper).map(|hot| hot.profile);
        let found = hot.or_else(|| kept.then(|| place.get(shopper)).flatten());
        // An older copy may lie there also of one that was in memory. What was erased must not stay on a disk.
        if found.is_some() {
            place.remove(shopper);
        }
        found
    }

    /// Takes a profile into memory that is not there, and makes room for it.
    fn admit(&mut self, place: &Place<'_>, profile: Profile) {
        while self.hot.len() >= place.spill.per_shard {
            if !self.make_room(place) {
                break;
            }
        }
        self.round.push_back(profile.shopper());
        self.hot.insert(profile.shopper(), Hot::of(profile));
    }

    /// Puts one profile on disk; `false` where that cannot be done: then more than intended stay in memory.
    fn make_room(&mut self, place: &Place<'_>) -> bool {
        while let Some(shopper) = self.round.pop_front() {
            let Some(hot) = self.hot.get(&shopper) else {
                continue;
            };
            if hot.used.swap(false, Ordering::Relaxed) {
                self.round.push_back(shopper);
                continue;
            }
            if !place.put(&hot.profile) {
                self.round.push_front(shopper);
                return false;
            }
            self.hot.remove(&shopper);
            self.cold.insert(shopper);
            return true;
        }
        false
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
    fn use_it(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

impl Place<'_> {
    /// A profile that was put there. `None` is trouble.
    fn get(&self, shopper: &ShopperId) -> Option<Profile> {
        let Spill { cold, rules, .. } = self.spill;
        let decoded = cold.get(self.partition, shopper).and_then(|stored| {
            let stored = stored.ok_or_else(|| ColdError("it is not there any more".to_owned()))?;
            Profile::decode(*shopper, &stored, rules).map_err(|error| ColdError(error.to_string()))
        });
        match decoded {
            Ok(profile) => Some(profile),
            Err(error) => {
                let _ = self.spill.trouble.set(error);
                None
            }
        }
    }

    /// Says whether it is there now. A full disk is no trouble: the profile stays where it is.
    fn put(&self, profile: &Profile) -> bool {
        let mut stored = Vec::new();
        profile.encode(&self.spill.rules, &mut stored);
        let put = self
            .spill
            .cold
            .put(self.partition, &profile.shopper(), &stored);
        match put {
            Ok(()) => self.spill.is_refused.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.spill.is_refused.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "profiles cannot be put on disk: more than intended stay in memory");
                }
                return false;
            }
        }
        true
    }

    fn remove(&self, shopper: &ShopperId) {
        if let Err(error) = self.spill.cold.remove(self.partition, shopper) {
            let _ = self.spill.trouble.set(error);
        }
    }

    pub(super) fn clear(&self) {
        if let Err(error) = self.spill.cold.clear(self.partition) {
            let _ = self.spill.trouble.set(error);
        }
    }
}
