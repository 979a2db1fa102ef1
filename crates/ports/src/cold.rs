//! Where profiles are that have no place in memory: the port, and a fake in memory.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use foretide_events::ShopperId;
use parking_lot::Mutex;

/// Why a profile could not be put away or taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ColdError(pub String);

/// Keeps stored profiles by shopper, for one process and as long as it runs: a start begins with none, for all of them are on the
/// log. So nothing in it has to be durable.
///
/// It keeps what it was given last, and gives it back as it was.
pub trait ColdProfiles: Send + Sync {
    /// Keeps `profile`, in the place of what it may have of `shopper`.
    fn put(&self, partition: u32, shopper: &ShopperId, profile: &[u8]) -> Result<(), ColdError>;

    /// What it keeps of `shopper`, if anything.
    fn get(&self, partition: u32, shopper: &ShopperId) -> Result<Option<Vec<u8>>, ColdError>;

    /// Keeps nothing of `shopper` any more.
    fn remove(&self, partition: u32, shopper: &ShopperId) -> Result<(), ColdError>;

    /// Keeps nothing of `partition` any more.
    fn clear(&self, partition: u32) -> Result<(), ColdError>;
}

/// A fake in memory, which can fail.
#[derive(Debug, Default)]
pub struct MemoryCold {
    profiles: Mutex<BTreeMap<(u32, ShopperId), Vec<u8>>>,
    is_away: AtomicBool,
}

impl MemoryCold {
    /// Has everything fail from now on, or nothing.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// How many profiles it keeps.
    pub fn len(&self) -> usize {
        self.profiles.lock().len()
    }

    /// Whether it keeps none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check(&self) -> Result<(), ColdError> {
        if self.is_away.load(Ordering::Relaxed) {
            Err(ColdError("as told".to_owned()))
        } else {
            Ok(())
        }
    }
}

impl ColdProfiles for MemoryCold {
    fn put(&self, partition: u32, shopper: &ShopperId, profile: &[u8]) -> Result<(), ColdError> {
        self.check()?;
        let mut profiles = self.profiles.lock();
        profiles.insert((partition, *shopper), profile.to_vec());
        Ok(())
    }

    fn get(&self, partition: u32, shopper: &ShopperId) -> Result<Option<Vec<u8>>, ColdError> {
        self.check()?;
        Ok(self.profiles.lock().get(&(partition, *shopper)).cloned())
    }

    fn remove(&self, partition: u32, shopper: &ShopperId) -> Result<(), ColdError> {
        self.check()?;
        self.profiles.lock().remove(&(partition, *shopper));
        Ok(())
    }

    fn clear(&self, partition: u32) -> Result<(), ColdError> {
        self.check()?;
        self.profiles.lock().retain(|(of, _), _| *of != partition);
        Ok(())
    }
}

/// What holds for all that keep profiles. `cold` keeps nothing yet.
///
/// # Panics
/// It does not hold.
#[expect(
    clippy::unwrap_used,
    reason = "a test suite: panicking with what was expected is its way of reporting"
)]
pub fn cold_conformance(cold: &dyn ColdProfiles) {
    let shopper = |n: u8| ShopperId([n; 16]);
    assert_eq!(cold.get(0, &shopper(1)), Ok(None));
    for n in 0..=255 {
        let profile = vec![n; usize::from(n) * 20];
        cold.put(u32::from(n % 2), &shopper(n), &profile).unwrap();
    }
    for n in 0..=255 {
        let profile = vec![n; usize::from(n) * 20];
        assert_eq!(cold.get(u32::from(n % 2), &shopper(n)), Ok(Some(profile)));
    }
    cold.put(1, &shopper(7), b"another").unwrap();
    assert_eq!(cold.get(1, &shopper(7)), Ok(Some(b"another".to_vec())));
    cold.remove(1, &shopper(7)).unwrap();
    assert_eq!(cold.get(1, &shopper(7)), Ok(None));
    cold.put(1, &shopper(7), b"again").unwrap();
    assert_eq!(cold.get(1, &shopper(7)), Ok(Some(b"again".to_vec())));
    cold.clear(1).unwrap();
    assert_eq!(cold.get(1, &shopper(7)), Ok(None));
    assert_eq!(cold.get(1, &shopper(255)), Ok(None));
    assert!(cold.get(0, &shopper(254)).unwrap().is_some());
    cold.put(1, &shopper(9), b"anew").unwrap();
    assert_eq!(cold.get(1, &shopper(9)), Ok(Some(b"anew".to_vec())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fake_keeps_what_it_is_given() {
        cold_conformance(&MemoryCold::default());
    }
}
