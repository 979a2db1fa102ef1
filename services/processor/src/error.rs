//! What ends the processor, or makes it join its group again.

use foretide_features::DecodeError;
use foretide_ports::{ColdError, LogError, TopicName};

use crate::published::PublishedError;

/// How to get out of it when the log of actions is not the one that the profiles were folded from.
const WHAT_TO_DO: &str = "bring back foretide.actions as it was, or empty foretide.profiles and foretide.links to fold what is \
                          left of it anew";

/// Why folding cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessorError {
    /// The log refused, or is away.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Profiles that had no place in memory cannot be got back. Nothing since then was published; a new start reads them from the log.
    #[error(
        "a profile that was put on disk cannot be got back: {0}. Restart: all profiles are read from the log again"
    )]
    Cold(ColdError),
    /// A record that carries state cannot be read. Going on without it would lose what was folded.
    #[error("record {offset} of {topic}/{partition} cannot be read: {cause}")]
    Unreadable {
        /// Its topic.
        topic: TopicName,
        /// Its partition.
        partition: u32,
        /// Its offset.
        offset: u64,
        /// What is wrong with it.
        cause: PublishedError,
    },
    /// Profiles that another version made, or that were folded under other settings, which cannot be folded on.
    #[error(
        "{shoppers} shoppers' profiles on foretide.profiles were made by another version, or under other settings of the section \
         Profile, such as --session-gap-s (the first is record {offset} of partition {partition}: {cause}). Stop all services \
         on this log and run `foretide refold` of this version and with these settings, which folds the log's actions anew in \
         their place; or go on with the version and the settings that made them"
    )]
    OtherVersion {
        /// How many.
        shoppers: u64,
        /// Where the first is.
        partition: u32,
        /// Where the first is.
        offset: u64,
        /// What it was made by, and what is read here.
        cause: DecodeError,
    },
    /// Processors work on a log that is to be folded anew in its place.
    #[error(
        "a processor is at work on this log: stop all services that use it, then try again. Nothing was written"
    )]
    AtWork,
    /// A processor joined its group while the log was folded anew in its place.
    #[error(
        "a processor started while the new profiles were written: stop all services that use this log, then run `foretide \
         refold` again. Until it is through, none of them goes on"
    )]
    CutShort,
    /// There are profiles without the counts that are written last: a refold was cut short.
    #[error(
        "partition {partition} of foretide.profiles has profiles and no counts: a `foretide refold` was cut short. Stop all \
         services on this log and run it again"
    )]
    NoCounts {
        /// The partition.
        partition: u32,
    },
    /// The log ends before what its profiles have applied: records that were acknowledged are gone.
    #[error(
        "foretide.actions/{partition} ends at {end}, but its profiles have applied everything up to {applied}: acknowledged \
         records are missing from the log; {WHAT_TO_DO}"
    )]
    LogTooShort {
        /// The partition.
        partition: u32,
        /// Where it ends.
        end: u64,
        /// What the profiles have applied.
        applied: u64,
    },
    /// `foretide.links` ends before what the profiles have taken in of it: what followed would be passed over.
    #[error(
        "foretide.links/{partition} ends at {end}, but the profiles of that partition have taken in everything up to {linked}: \
         records are missing from it; bring it back as it was, or stop all services on this log and run `foretide refold`"
    )]
    LinksTooShort {
        /// The partition.
        partition: u32,
        /// Where it ends.
        end: u64,
        /// What the profiles have taken in.
        linked: u64,
    },
    /// What the profiles have applied is not what the log holds: it was cut short or made anew, and has grown since.
    #[error(
        "record {offset} of foretide.actions/{partition} is newer than its profiles, which have applied everything up to \
         {applied}: acknowledged records are missing from the log; {WHAT_TO_DO}"
    )]
    OtherLog {
        /// The partition.
        partition: u32,
        /// The offset of the record that gave it away.
        offset: u64,
        /// What the profiles have applied.
        applied: u64,
    },
    /// A thread that folds has ended in a panic.
    #[error("a folding thread died")]
    ThreadDied,
    /// The system gave no thread.
    #[error("cannot start a folding thread: {0}")]
    NoThread(String),
    /// The process is asked to end.
    #[error("asked to end")]
    Stopped,
}

impl ProcessorError {
    /// Whether joining the group again and restoring may help.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Log(LogError::Away(_) | LogError::Full(_) | LogError::Fenced(_))
        )
    }
}
