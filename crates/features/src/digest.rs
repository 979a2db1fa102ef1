//! One number for all profiles of a run.

use foretide_events::{EpochMs, ShopperId};
use sha2::{Digest as _, Sha256};

use crate::{Profile, codec::Writer};

/// Sums up the current states of any number of shoppers as a SHA-256. Two runs with equal digests made the same
/// profiles, wherever and in whatever order they were folded: log positions, and what of a profile is settled, do
/// not count.
#[derive(Clone, Debug, Default)]
pub struct ProfileDigest {
    states: Vec<(ShopperId, [u8; 32])>,
    bytes: Vec<u8>,
}

impl ProfileDigest {
    /// The digest of no profiles.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a profile. The order does not matter; each shopper must be added once.
    pub fn add(&mut self, profile: &Profile) {
        self.bytes.clear();
        let mut writer = Writer::new(&mut self.bytes);
        writer.time(EpochMs(0), profile.state().as_of());
        profile.state().write(&mut writer);
        self.states
            .push((profile.shopper(), Sha256::digest(&self.bytes).into()));
    }

    /// Number of shoppers added.
    pub fn shoppers(&self) -> usize {
        self.states.len()
    }

    /// The digest in 64 hexadecimal digits.
    pub fn finish(mut self) -> String {
        self.states.sort_unstable();
        let mut all = Sha256::new();
        for (shopper, state) in &self.states {
            all.update(shopper.as_bytes());
            all.update(state);
        }
        format!("{:x}", all.finalize())
    }
}
