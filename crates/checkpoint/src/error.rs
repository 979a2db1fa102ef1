//! What can go wrong with a checkpoint.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a checkpoint could not be written or read. None of these loses anything: the log has it all.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The disk or the system refused.
    #[error("cannot {attempt} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is torn or altered.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: &'static str,
    },
    /// Another version of the program wrote it.
    #[error("{} has format version {version}, which is not known here", path.display())]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// The version it states.
        version: u16,
    },
    /// It is whole, but lies in the wrong place: someone moved or copied it.
    #[error("{} is a checkpoint of another {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// `log` or `partition`.
        what: &'static str,
    },
    /// Something to be written is over a limit of the format.
    #[error("cannot write a checkpoint whose {what} is {length} long, over the limit of {limit}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

/// Says what was attempted on what, for `map_err`.
pub(crate) fn io_error(
    attempt: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io {
        attempt,
        path,
        source,
    }
}
