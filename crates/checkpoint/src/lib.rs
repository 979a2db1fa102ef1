//! Snapshots of a partition's state on local disk: a cache of what the log holds, so that a restart reads less of it.
//!
//! A checkpoint is a list of opaque entries with named positions and the version of the rules that made the entries. It names
//! its log and its partition, so that a file that was moved or copied is not taken for another. It
//! knows no domain: what an entry means is its writer's business. One is written as a [`Draft`] beside the work and becomes
//! visible only when it is sealed: complete, synced and renamed, with the one before it kept. Reading verifies a file whole
//! before it gives out a single entry, so a torn or altered file is never mistaken for state; the one before it is then
//! offered instead.
//!
//! It never decides whether a checkpoint is still good for anything: whoever wrote the positions compares them.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! use foretide_checkpoint::Checkpoints;
//!
//! let checkpoints = Checkpoints::open(folder.path())?.of_log("log 7");
//! let mut draft = checkpoints.draft(3, "rules 1")?;
//! draft.entry(b"one row of state")?;
//! draft.seal(&[("actions", 1_000)])?;
//!
//! for found in checkpoints.newest_first(3) {
//!     let mut checkpoint = found?;
//!     assert_eq!(checkpoint.position("actions"), Some(1_000));
//!     assert_eq!(checkpoint.next_entry()?, Some(&b"one row of state"[..]));
//!     assert_eq!(checkpoint.next_entry()?, None);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The file
//!
//! Numbers are little-endian.
//!
//! ```text
//! magic "FTCHKPT\n" · format version u16 · rules: length u16, text · log: length u16, text · partition u32
//! entries: length u32, bytes …
//! end of entries: u32::MAX · positions: count u8, each (name: length u8, text · value u64) · number of entries u64
//! length of the part from "end of entries" to here u32 · CRC-32 of everything before u32
//! ```

mod error;
mod folder;
mod format;
mod read;
mod write;

pub use error::CheckpointError;
pub use folder::Checkpoints;
pub use read::Checkpoint;
pub use write::{Draft, Sealed};
