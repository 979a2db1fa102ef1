//! Folding a range of `foretide.actions` again: exact, and silent by construction.
//!
//! What replays is given a [`ReadOnlyLog`], which has no method to append, and a consumer group of its own. It folds by the
//! same code as the processor, so the same events make the same profiles; it keeps them in memory, and whoever asked for the
//! replay decides what to do with them. The group's offsets say how far it is, to any tool that shows the lag of a group.
//!
//! Replayers of one group share its partitions. State is in memory, so a partition that changes hands is folded again from the
//! beginning of the range by its new owner, unless its former owner was done with it: then it stays that one's. (One that
//! joins late cannot tell what the others have finished from what an earlier run committed, and folds it as well.)
//!
//! What goes at a pace, or on top of a [shadow], is folded by one process [alone](AloneReplay), in no group.

mod alone;
mod compare;
mod late;
mod pace;
pub mod shadow;
mod turn;

use std::collections::BTreeMap;

use foretide_features::FoldRules;
use foretide_ports::ReadOnlyLog;
use foretide_runtime::CancellationToken;
use serde::Serialize;

pub use alone::{AloneReplay, Lateness, RanAlone};
pub use compare::{Differences, FeatureDifference, Sight, compare, feature_differences};
pub use late::Placed;
pub use pace::Speed;

use crate::{FoldedLog, GROUP, ProcessorError};

/// A range of `foretide.actions` to fold again.
#[derive(Clone)]
pub struct Replay {
    /// The log.
    pub log: ReadOnlyLog,
    /// For each partition, the offset to begin at.
    pub begins: Vec<u64>,
    /// For each partition, the offset to end before.
    pub ends: Vec<u64>,
    /// The rules to fold by.
    pub rules: FoldRules,
    /// The consumer group to be a member of.
    pub group: GroupName,
    /// The member's name, of this process alone.
    pub member: String,
    /// Whether to commit in that group how far it is.
    pub commits: bool,
}

/// The name of a group that a replay may use: any but the processor's, whose offsets are not to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName(String);

impl GroupName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 200;

    /// Takes `name`, or says why it cannot be the group of a replay.
    pub fn new(name: &str) -> Result<Self, &'static str> {
        if name == GROUP {
            return Err("that is the processor's own group: a replay has one of its own");
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > Self::MAX_BYTES || !name.chars().all(is_plain) {
            return Err(
                "a group's name is up to 200 letters, digits, dots, dashes and underscores",
            );
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far a replay is, over the partitions that it has now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Offsets dealt with.
    pub done: u64,
    /// Offsets there are in the range.
    pub total: u64,
}

/// What one partition of a replay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// The offset it began at.
    pub from: u64,
    /// The offset it was to end before.
    pub to: u64,
    /// The offset up to which everything is folded.
    pub reached: u64,
}

/// The outcome of a replay.
pub struct Replayed {
    /// The profiles and counts of the events folded.
    pub folded: FoldedLog,
    /// By partition, what was folded here; those of other replayers of the group are not in it.
    pub stretches: BTreeMap<u32, Stretch>,
    /// Whether all of the range is folded, here or by the others of the group; not so if it was asked to end before.
    pub is_complete: bool,
}

impl Replay {
    /// Folds the range, or as much of it as there is time for until `stop`. `progress` is told
    /// whenever something was folded, and now and then while the log answers and only the others of the group have work: who is
    /// told nothing for long knows that the log says nothing.
    pub async fn run(
        &self,
        stop: &CancellationToken,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Replayed, ProcessorError> {
        turn::run(self, stop, progress).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_never_moves_the_offsets_of_the_processor() {
        assert!(GroupName::new(GROUP).is_err());
        assert!(GroupName::new("foretide.replay.1").is_ok());
        for odd in ["", "a b", "ä", &"x".repeat(201)] {
            assert!(GroupName::new(odd).is_err(), "{odd}");
        }
    }
}
