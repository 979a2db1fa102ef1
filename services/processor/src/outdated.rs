//! Profiles on `foretide.profiles` that another version made, until something newer of their shopper comes.
//!
//! Folding on from them would mix two definitions of the features, so they are never taken over. A log that was folded anew
//! still holds them, ahead of what took their place and until they are compacted away; so whether one counts is known only
//! when all has been read.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use foldhash::fast::FixedState;
use foretide_events::ShopperId;
use foretide_features::DecodeError;
use parking_lot::Mutex;

use crate::ProcessorError;

/// Those that nothing newer has taken the place of so far.
#[derive(Clone, Default)]
pub(crate) struct Outdated(Arc<Inner>);

#[derive(Default)]
struct Inner {
    by_partition: Mutex<BTreeMap<u32, OfPartition>>,
    /// How many there are: nearly always none, and then nothing is locked.
    count: AtomicUsize,
}

/// For each shopper where the record is, and what it says of itself.
type OfPartition = HashMap<ShopperId, (u64, DecodeError), FixedState>;

impl Outdated {
    /// Takes note of the record at `offset`, if `cause` says that another version made it.
    pub(crate) fn note(
        &self,
        partition: u32,
        shopper: ShopperId,
        offset: u64,
        cause: DecodeError,
    ) -> bool {
        let is_other = matches!(
            cause,
            DecodeError::UnknownVersion(_) | DecodeError::OtherRules { .. }
        );
        if is_other {
            self.change(|all| {
                all.entry(partition)
                    .or_default()
                    .insert(shopper, (offset, cause));
            });
        }
        is_other
    }

    /// Something newer of `shopper` has come.
    pub(crate) fn superseded(&self, partition: u32, shopper: &ShopperId) {
        if self.0.count.load(Ordering::Acquire) > 0 {
            self.change(|all| {
                if let Some(of_partition) = all.get_mut(&partition) {
                    of_partition.remove(shopper);
                }
            });
        }
    }

    /// Drops what is known of `partition`.
    pub(crate) fn forget(&self, partition: u32) {
        if self.0.count.load(Ordering::Acquire) > 0 {
            self.change(|all| drop(all.remove(&partition)));
        }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<u32, OfPartition>)) {
        let mut all = self.0.by_partition.lock();
        change(&mut all);
        let count = all.values().map(HashMap::len).sum();
        self.0.count.store(count, Ordering::Release);
    }

    /// Whether all that was read is of this version: to be asked when all was read.
    pub(crate) fn check(&self) -> Result<(), ProcessorError> {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let all = self.0.by_partition.lock();
        let shoppers = all.values().map(HashMap::len).sum::<usize>() as u64;
        let placed = all.iter().flat_map(|(partition, of_partition)| {
            let place = |(offset, cause): &(u64, DecodeError)| (*partition, *offset, *cause);
            of_partition.values().map(place)
        });
        let first = placed.min_by_key(|(partition, offset, _)| (*partition, *offset));
        first.map_or(Ok(()), |(partition, offset, cause)| {
            Err(ProcessorError::OtherVersion {
                shoppers,
                partition,
                offset,
                cause,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: DecodeError = DecodeError::UnknownVersion(1);

    #[test]
    fn only_what_nothing_newer_has_taken_the_place_of_counts() {
        let outdated = Outdated::default();
        let shopper = |n| ShopperId([n; 16]);
        assert_eq!(outdated.check(), Ok(()));
        for n in 1..=3 {
            assert!(outdated.note(0, shopper(n), n.into(), OLD));
        }
        assert!(outdated.note(1, shopper(4), 0, OLD));
        outdated.superseded(0, &shopper(1));
        outdated.superseded(1, &shopper(2));
        let expected = ProcessorError::OtherVersion {
            shoppers: 3,
            partition: 0,
            offset: 2,
            cause: OLD,
        };
        assert_eq!(outdated.check(), Err(expected));
        outdated.forget(0);
        assert!(outdated.check().is_err());
        outdated.superseded(1, &shopper(4));
        assert_eq!(outdated.check(), Ok(()));
    }

    #[test]
    fn what_is_damaged_is_of_no_other_version() {
        let outdated = Outdated::default();
        assert!(!outdated.note(0, ShopperId([1; 16]), 0, DecodeError::Truncated));
        assert_eq!(outdated.check(), Ok(()));
    }
}
