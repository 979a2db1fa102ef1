//! The store: what people write down and every instance must know. Offers, keys, settings; and how many events ingest
//! rejected.
//!
//! It is small, changes seldom and is read whole. Services never wait for it: they read the last snapshot of a
//! [`StoreView`], which whoever hosts them refreshes when [`Store::revision`] rises. [`MemoryStore`] is a complete
//! implementation that can be told to fail; [`conformance`] is the suite that every implementation must pass.

pub mod conformance;
mod keys;
mod memory;
mod view;

use std::collections::BTreeMap;

use async_trait::async_trait;
use foretide_decision::{
    OfferId,
    catalogue::{CatalogueOffer, NewOffer, Setting, SettingName, SettingValue},
};
use foretide_events::{EpochMs, RejectionReason, SourceId};
use uuid::Uuid;

pub use keys::{InvalidKeyId, KeyId, KeyRole, NewKey, StoredKey};
pub use memory::{MemoryStore, StoreFaults};
pub use view::{Snapshot, StoreView};

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer; a change may or may not have taken effect. Asking again later helps.
    #[error("the database is away: {0}")]
    Away(String),
    /// What is there is not what the change was made for. Nothing was changed.
    #[error("{}", conflict(*.found))]
    Conflict {
        /// The version that is there (a key counts as 1); `None` if there is nothing.
        found: Option<u64>,
    },
    /// The database has no room. Nothing was changed.
    #[error("the database has no room: {0}")]
    Full(String),
    /// The database answers and will not do it: wrong password, missing right, missing or other schema. Nothing was changed.
    #[error("the database refuses: {0}")]
    Refused(String),
    /// What the database holds cannot be understood, or it failed in a way that it should not.
    #[error("the database is damaged: {0}")]
    Damaged(String),
}

fn conflict(found: Option<u64>) -> String {
    match found {
        Some(version) => format!("it has been changed meanwhile: version {version} is there"),
        None => "it is not there".to_owned(),
    }
}

/// What a change takes to be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: it is made anew.
    Absent,
    /// This version: nobody changed it meanwhile.
    Version(u64),
    /// Whatever is there, or nothing.
    Any,
}

impl Expected {
    /// Refuses what is there (`found`, its version) if it is not as expected.
    pub fn check(self, found: Option<u64>) -> Result<(), StoreError> {
        let fits = match self {
            Self::Absent => found.is_none(),
            Self::Version(version) => found == Some(version),
            Self::Any => true,
        };
        if fits {
            Ok(())
        } else {
            Err(StoreError::Conflict { found })
        }
    }
}

/// How many events of a source ingest rejected for a reason, since the last time it said so.
pub type RejectionCount = (SourceId, RejectionReason, u64);

/// How many import runs may have counts. Anyone with a write key, which may be public, can name any number of them.
pub const MOST_IMPORT_RUNS: usize = 1000;

/// How many writers of counts are remembered, those that began last. A process that has ended tries no batch again.
pub const MOST_WRITERS: usize = 1000;

/// Names some counts, so that they are added once, however often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchId {
    /// Who counted: another one after each start of a process, of version 7, so that the order is that of the starts.
    pub writer: Uuid,
    /// Rises with each batch of the writer.
    pub number: u64,
}

/// Offers, keys, settings, and counts of rejections. A change that was answered is durable and seen by every instance.
///
/// A new store holds the [default offers](foretide_decision::catalogue::default_offers), no keys and no settings.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A number that rises with each change of an offer, a key or a setting, and only then. Cheap enough for every second.
    /// What is read after it is at least as new.
    async fn revision(&self) -> Result<u64, StoreError>;

    /// All offers, by id.
    async fn offers(&self) -> Result<Vec<CatalogueOffer>, StoreError>;

    /// One offer, if there is one of that id.
    async fn offer(&self, id: &OfferId) -> Result<Option<CatalogueOffer>, StoreError>;

    /// Makes or changes an offer at the time `at`, unless what is there is not as `expected`.
    async fn put_offer(
        &self,
        offer: NewOffer,
        expected: Expected,
        at: EpochMs,
    ) -> Result<CatalogueOffer, StoreError>;

    /// All keys, revoked ones included, the oldest first.
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// Adds a key. One whose id is there already, even revoked, is a [`StoreError::Conflict`].
    async fn add_key(&self, key: NewKey, at: EpochMs) -> Result<StoredKey, StoreError>;

    /// Revokes a key for good. `None` if there is none of that id; one that is revoked already stays as it is.
    async fn revoke_key(&self, id: &KeyId, at: EpochMs) -> Result<Option<StoredKey>, StoreError>;

    /// All settings that have a value, by name.
    async fn settings(&self) -> Result<Vec<Setting>, StoreError>;

    /// Gives a setting a value at the time `at`, unless what is there is not as `expected`.
    async fn put_setting(
        &self,
        value: SettingValue,
        expected: Expected,
        at: EpochMs,
    ) -> Result<Setting, StoreError>;

    /// Takes a setting's value away, so that the flag counts again, unless what is there is not as `expected`. Whether there
    /// was one.
    async fn remove_setting(
        &self,
        name: SettingName,
        expected: Expected,
    ) -> Result<bool, StoreError>;

    /// Adds to the counts of rejected events, all or none of them, unless this batch or a later one of its writer was added
    /// before. After an error the same batch may be tried again.
    ///
    /// What is kept is bounded: where more than [`MOST_IMPORT_RUNS`] import runs have counts, those with the fewest are
    /// forgotten first, and of writers the [`MOST_WRITERS`] that began last are remembered, and what was added just now on top
    /// of either.
    async fn add_rejections(
        &self,
        batch: BatchId,
        counts: &[RejectionCount],
    ) -> Result<(), StoreError>;

    /// How many events of a source were rejected, by reason; reasons without any are absent. A count stops at `i64::MAX`,
    /// and one of an import run may have been forgotten.
    async fn rejections(
        &self,
        source: &SourceId,
    ) -> Result<BTreeMap<RejectionReason, u64>, StoreError>;

    /// Whether the store answers.
    async fn health(&self) -> Result<(), StoreError>;
}
