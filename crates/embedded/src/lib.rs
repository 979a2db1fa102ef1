//! The log in one directory of one process: an adapter of [`foretide_ports::Log`] that needs no other software.
//!
//! # How an acknowledged record stays
//!
//! ```text
//!   append ──▶ queue ──▶ writer thread: all that waits becomes one change of the store,
//!                        one batch of records for each partition it touches
//!                          │  the store writes the change to its journal, checksummed as a whole
//!                          │  fdatasync of the journal
//!                          ▼
//!                        readers see it ──▶ append returns
//! ```
//!
//! A change is in the store as a whole or not at all, whatever happens between: so a group member's outputs and offsets
//! come true together. Readers see nothing that is not durable. New files and directories are synced into their
//! directory before anything in them is acknowledged.
//!
//! Those who follow the end read from the newest batches in memory; others read whole batches from the store.
//!
//! It never spreads over machines, and one process at a time has the directory.
//!
//! [`ColdFolder`] is something else, which only shares the store underneath: where a process, whichever log it works on, puts
//! the profiles that have no place in memory.

mod batch;
mod cold;
mod compaction;
mod directory;
mod group;
mod journal;
mod keeper;
mod log;
mod retention;
mod shared;
mod space;
mod store;
mod topic;
mod writer;

pub use cold::ColdFolder;
pub use log::{EmbeddedLog, EmbeddedOptions};

#[cfg(test)]
mod tests;
