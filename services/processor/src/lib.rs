//! The processor: folds every event on the log into the profile of its shopper, exactly once in effect.
//!
//! ```text
//!                    ┌── thread ── decode, fold ──▶ table of profiles ──▶ scoring, in one process
//!  foretide.actions ─┤            counts of fates
//!    by partition    └── thread …      │ every publishing interval, if anything changed
//!                                      ▼
//!            one commit: dead letters, links, changed profiles, counts, then the group's offsets
//!                                      │
//!   foretide.links ◀── contributions ──┼─▶ foretide.profiles ──▶ restore, followers, digest
//!                                      └─▶ foretide.sessions, foretide.examples, foretide.transitions
//! ```
//!
//! # Why every event counts exactly once
//!
//! * **One owner.** A partition's records reach one member of the group, in order. A member that lost a partition cannot
//!   commit anything of it: the log refuses. It then drops all its state, joins again and restores.
//! * **All or nothing.** What was folded, its counts and the offset up to which it was folded become true in one commit. A
//!   crash at any moment leaves the state of the last commit, and the records after it are folded again: the fold is
//!   deterministic, so the result is the same.
//! * **Positions.** Every profile carries the offset it has applied and refuses an offset that comes again. A partition's
//!   counts carry theirs, in the same partition of `foretide.profiles` as its profiles: folding goes on from there, even if a
//!   broker tore the transaction and the group's own offset says otherwise.
//! * **Restoring.** On assignment, first the group's offsets are asked for, which waits for the former owner's last
//!   transaction; then the ends of `foretide.profiles` are noted; then everything up to there is read, from a checkpoint
//!   where one is good. Only what is applied anew is ever published, so never an older profile over a newer one.
//! * **Sessions.** Those that are over are announced on `foretide.sessions` in the same commit, by a timer where nothing else
//!   happens; see `sessions`.
//! * **Examples and moves.** What models learn from (`foretide.examples`), and who moves between cohorts
//!   (`foretide.transitions`), is in the same commit; see `emission`.
//! * **Every record has one end.** Folded, duplicate or late, counted by source; or a [link](links), which is not counted; or it
//!   is neither and goes to `foretide.dead-letters`, in the same commit, counted apart.
//! * **Links are minima and contributions have positions.** So it does not matter when, in which order and how often they come,
//!   and each step towards the known shopper's profile is part of a commit: see [`links`]. What of `foretide.links` a
//!   partition's profiles have taken in is told by its counts, and read on from there.
//!
//! Where what is: [`Processor`] is the loop; [`published`] is what it writes; [`SourceCounts`] are the counts and applied
//! positions; [`Follower`] reads along where no processor is; [`digest()`] proves that two runs made the same profiles; [`replay`] folds a
//! range of the log again, beside all of this and seen by none of it; [`Refold`] folds all of it anew in the place of profiles
//! that another version made; [`frames`] are what was known at instants of the past.
//!
//! It never answers a request, and decides nothing about shoppers: that is `foretide-scoring`'s.

mod alone;
mod announced;
mod checkpointing;
mod config;
mod contributions;
mod counts;
pub mod dead_letter;
mod digest;
mod emission;
mod error;
mod fold;
mod follower;
pub mod frames;
mod freshness;
mod intake;
mod link_reader;
pub mod links;
mod load;
mod membership;
mod metrics;
mod outdated;
mod pieces;
mod pool;
mod processor;
mod progress;
pub mod published;
mod queue;
mod reading;
mod refold;
pub mod replay;
mod restore;
mod sessions;
mod source_counts;
mod start;
mod take_over;

pub use alone::ProcessorAlone;
pub use config::{ExamplesMode, ProcessorConfig};
pub use counts::{Fates, PartitionCounts, SourceCount};
pub use digest::{DigestReport, FoldedLog, digest, fold_all};
pub use emission::EmissionProgress;
pub use error::ProcessorError;
pub use follower::{Follower, FollowerParts};
pub use metrics::ProcessorMetrics;
pub use processor::{Processor, ProcessorParts};
pub use refold::{Refold, Refolded};
pub use source_counts::{SourceCounts, SourceSummary};
pub use start::{Folded, follow, start};

/// The consumer group of processors on `foretide.actions`.
pub const GROUP: &str = "foretide.processor";
