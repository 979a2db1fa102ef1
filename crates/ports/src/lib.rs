//! The traits by which the services reach the outside, so that everything above them is one code whichever adapter runs.
//!
//! [`Log`] is the log of topics; [`GroupMember`] is one consumer of a group that folds its partitions with exactly-once
//! effect. [`memory::MemoryLog`] is a complete implementation in memory that can be told to fail. [`conformance`] is the
//! suite that every implementation must pass: memory, embedded and Kafka alike. Logs that live in this process share how
//! consumer groups work ([`groups`], [`member`]) and how partitions are followed ([`tail`]).
//!
//! [`Store`] is the database of what people write down: offers, keys, settings. [`StoreView`] is what services read of it.
//!
//! [`ProfileTable`] is where processor and scoring meet: the profiles, in memory and beyond a number of them on disk
//! ([`ColdProfiles`]). [`Artefacts`] tells which reference is
//! applied to them at an instant, which cohorts there were then and which models served.
//!
//! ```text
//!   ingest ── append (durable when it returns) ──▶ Log ◀── read, follow ── scoring, digest, topics
//!                                                   ▲
//!   processor ── GroupMember: next → fold → commit (outputs, profiles, offsets: all or nothing)
//! ```

mod artefacts;
mod cohorts;
mod cold;
pub mod conformance;
pub mod groups;
mod log;
pub mod member;
pub mod memory;
mod models;
mod partition;
mod profile_table;
mod read_only;
mod references;
mod seek;
pub mod store;
pub mod tail;
mod topics;
mod transition;
mod versions;

pub use artefacts::{ArtefactKind, Artefacts, Noted, Report, Reports, why_refused};
pub use cohorts::{CohortSizes, CohortVersions, CohortsVersion};
pub use cold::{ColdError, ColdProfiles, MemoryCold, cold_conformance};
pub use log::*;
pub use models::{ModelRecord, ModelVersion, ModelVersions, ServingCause, ServingChange};
pub use partition::{partition_for, shopper_key};
pub use profile_table::{ProfileTable, ProfileWalk};
pub use read_only::{ReadOnlyLog, ReadOnlyMember};
pub use references::{ReferenceVersion, References, Serving};
pub use store::{
    BatchId, Expected, KeyId, KeyRole, MemoryStore, NewKey, RejectionCount, Snapshot, Store,
    StoreError, StoreView, StoredKey,
};
pub use topics::{
    ACTIONS, ARTEFACTS, DEAD_LETTERS, DECISIONS, EXAMPLES, LINKS, PROFILES, SESSIONS, TRANSITIONS,
    foretide_topics,
};
pub use transition::{Transition, TransitionCause, TransitionRefused};
pub use versions::{Artefact, ArtefactRefused, Versioned, Versions, read_artefacts};
