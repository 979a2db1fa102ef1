//! Reading checkpoints: which one is good, and what is in it.

use foretide_checkpoint::{Checkpoint, CheckpointError, Checkpoints};
use foretide_events::{EpochMs, ShopperId};
use foretide_features::{DecodeError, FoldRules, Profile};

use crate::{
    fold::Folder,
    progress::Progress,
    published::{self, PublishedError},
};

/// The names of a checkpoint's positions.
pub(crate) mod position {
    /// On `foretide.actions`: what the checkpoint's state has applied.
    pub(crate) const ACTIONS: &str = "actions";
    /// On `foretide.profiles`: from where on newer state may follow.
    pub(crate) const PROFILES: &str = "profiles";
    /// When the position on `foretide.profiles` was noted, in milliseconds since the Unix epoch.
    pub(crate) const NOTED_AT: &str = "noted_at_ms";
}

/// What the first byte of a checkpoint's entry says of the rest.
pub(crate) mod entry {
    /// A profile.
    pub(crate) const PROFILE: u8 = b'p';
    /// The partition's counts.
    pub(crate) const COUNTS: u8 = b'c';
}

/// Puts the entry of `profile` into `buffer`, in the place of what it held.
pub(crate) fn write_profile(profile: &Profile, rules: &FoldRules, buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.push(entry::PROFILE);
    buffer.extend_from_slice(profile.shopper().as_bytes());
    profile.encode(rules, buffer);
}

/// The profile that an entry holds behind its first byte.
pub(crate) fn read_profile(stored: &[u8], rules: &FoldRules) -> Result<Profile, DecodeError> {
    let (shopper, stored) = stored.split_first_chunk().ok_or(DecodeError::Truncated)?;
    Profile::decode(ShopperId(*shopper), stored, rules)
}

/// What a checkpoint of a partition has to keep to, to be good for the log as it is.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) partition: u32,
    /// The group's offset on `foretide.actions`: a checkpoint that has applied more is ahead of the log.
    pub(crate) committed: u64,
    /// The end of `foretide.profiles`: likewise.
    pub(crate) end: u64,
    /// A tombstone since the checkpoint may be gone already if it is older than this.
    pub(crate) not_before: EpochMs,
    /// Told how far it is.
    pub(crate) progress: Progress,
}

/// Takes over the state of a partition from its newest good checkpoint. Returns from where on `foretide.profiles` is to be
/// read, or `None`, with nothing taken over, if there is no good one.
pub(crate) fn load(folder: &Folder, checkpoints: &Checkpoints, limits: &Limits) -> Option<u64> {
    let partition = limits.partition;
    let rules = folder.rules.version().to_string();
    for found in checkpoints.newest_first(partition) {
        let loaded = found.map_err(LoadError::from).and_then(|mut checkpoint| {
            let begin = limits.check(&checkpoint, &rules)?;
            load_entries(folder, limits, &mut checkpoint)?;
            Ok(begin)
        });
        match loaded {
            Ok(begin) => return Some(begin),
            Err(problem) => {
                tracing::warn!(partition, %problem, "a checkpoint is not used");
                folder.forget(partition);
                if matches!(problem, LoadError::Ahead) {
                    // It is of another log, and must not look right when this one has grown.
                    remove(checkpoints, partition);
                    return None;
                }
            }
        }
    }
    None
}

/// Removes the checkpoints of `partition`, which are of another log.
pub(crate) fn remove(checkpoints: &Checkpoints, partition: u32) {
    if let Err(error) = checkpoints.remove(partition) {
        tracing::warn!(partition, %error, "a checkpoint of another log stays");
    }
}

/// Why a checkpoint is not used.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("it has no position {0:?}")]
    NoPosition(&'static str),
    #[error("its profiles were folded by rules {0:?}")]
    OtherRules(String),
    #[error("it is ahead of the log")]
    Ahead,
    #[error("it is older than tombstones are kept")]
    TooOld,
    #[error("an entry cannot be read: {0}")]
    Entry(#[from] PublishedError),
    #[error("an entry is of no known kind")]
    UnknownEntry,
}

impl Limits {
    /// From where on `foretide.profiles` is to be read after `checkpoint`.
    fn check(&self, checkpoint: &Checkpoint, rules: &str) -> Result<u64, LoadError> {
        let position =
            |name: &'static str| checkpoint.position(name).ok_or(LoadError::NoPosition(name));
        if checkpoint.rules() != rules {
            return Err(LoadError::OtherRules(checkpoint.rules().to_owned()));
        }
        let begin = position(position::PROFILES)?;
        if begin > self.end || position(position::ACTIONS)? > self.committed {
            return Err(LoadError::Ahead);
        }
        let noted_at = i64::try_from(position(position::NOTED_AT)?).unwrap_or(i64::MAX);
        if noted_at < self.not_before.0 {
            return Err(LoadError::TooOld);
        }
        Ok(begin)
    }
}

fn load_entries(
    folder: &Folder,
    limits: &Limits,
    checkpoint: &mut Checkpoint,
) -> Result<(), LoadError> {
    let partition = limits.partition;
    limits.progress.expect(checkpoint.entries());
    while let Some(entry) = checkpoint.next_entry()? {
        limits.progress.add(1);
        match entry.split_first() {
            Some((&entry::PROFILE, stored)) => {
                let profile = read_profile(stored, &folder.rules).map_err(PublishedError::from)?;
                folder.table.insert(profile);
            }
            Some((&entry::COUNTS, stored)) => {
                folder
                    .counts
                    .replace_older(partition, published::decode_counts(stored)?);
            }
            _ => return Err(LoadError::UnknownEntry),
        }
    }
    Ok(())
}
