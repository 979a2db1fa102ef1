//! The store in memory, which can be told to fail.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use foretide_decision::{
    OfferId,
    catalogue::{CatalogueOffer, NewOffer, Setting, SettingName, SettingValue, default_offers},
};
use foretide_events::{EpochMs, RejectionReason, SourceId};
use parking_lot::Mutex;
use uuid::Uuid;

use super::{
    BatchId, Expected, KeyId, MOST_IMPORT_RUNS, MOST_WRITERS, NewKey, RejectionCount, Store,
    StoreError, StoredKey,
};

/// The most that a count of rejections reaches, as in a database.
const MOST: u64 = i64::MAX as u64;

/// A store that lives and ends with the process.
#[derive(Debug)]
pub struct MemoryStore {
    content: Mutex<Content>,
    faults: StoreFaults,
}

#[derive(Debug, Default)]
struct Content {
    revision: u64,
    offers: BTreeMap<String, CatalogueOffer>,
    keys: Vec<StoredKey>,
    /// One that was removed keeps its version, so that versions never repeat.
    settings: BTreeMap<SettingName, (u64, Option<Setting>)>,
    rejections: BTreeMap<(SourceId, RejectionReason), u64>,
    /// The last batch of rejections of each writer.
    batches: BTreeMap<Uuid, u64>,
}

impl Content {
    /// Forgets what nobody needs any more of the counts of rejections.
    fn bound_rejections(&mut self) {
        let mut runs = BTreeMap::<&SourceId, u64>::new();
        for ((source, _), events) in &self.rejections {
            if source.as_str().starts_with("import:") {
                let most = runs.entry(source).or_default();
                *most = (*most).max(*events);
            }
        }
        let mut runs: Vec<_> = runs.into_iter().collect();
        runs.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
        let surplus = runs.into_iter().skip(MOST_IMPORT_RUNS);
        let surplus: BTreeSet<SourceId> = surplus.map(|(source, _)| source.clone()).collect();
        self.rejections
            .retain(|(source, _), _| !surplus.contains(source));
        while self.batches.len() > MOST_WRITERS {
            self.batches.pop_first();
        }
    }
}

/// The ways to make a [`MemoryStore`] fail. All are off at first and may be thrown while it is in use.
#[derive(Debug, Default)]
pub struct StoreFaults(Mutex<Switches>);

#[derive(Debug, Default)]
struct Switches {
    is_away: bool,
    is_full: bool,
    loses_next_answer: bool,
}

impl StoreFaults {
    /// Makes the store absent (everything answers [`StoreError::Away`]), or present again.
    pub fn set_away(&self, is_away: bool) {
        self.0.lock().is_away = is_away;
    }

    /// Leaves the store no room (changes answer [`StoreError::Full`]), or gives it room again.
    pub fn set_full(&self, is_full: bool) {
        self.0.lock().is_full = is_full;
    }

    /// Makes the next change take effect and answer [`StoreError::Away`] nevertheless.
    pub fn lose_next_answer(&self) {
        self.0.lock().loses_next_answer = true;
    }

    fn check_presence(&self) -> Result<(), StoreError> {
        if self.0.lock().is_away {
            return Err(StoreError::Away("absent on demand".to_owned()));
        }
        Ok(())
    }

    fn check_room(&self) -> Result<(), StoreError> {
        if self.0.lock().is_full {
            return Err(StoreError::Full("full on demand".to_owned()));
        }
        Ok(())
    }

    fn check_answer(&self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.0.lock().loses_next_answer) {
            return Err(StoreError::Away("the answer is lost on demand".to_owned()));
        }
        Ok(())
    }
}

impl MemoryStore {
    /// A new store, with the default offers, written at the beginning of time.
    pub fn new() -> Self {
        let by_id = |offer: NewOffer| {
            let id = offer.id.as_str().to_owned();
            (id, first_version(offer, EpochMs(0)))
        };
        let content = Content {
            revision: 1,
            offers: default_offers().map(by_id).into(),
            ..Content::default()
        };
        Self {
            content: Mutex::new(content),
            faults: StoreFaults::default(),
        }
    }

    /// The switches by which it fails.
    pub fn faults(&self) -> &StoreFaults {
        &self.faults
    }

    fn read<R>(&self, see: impl FnOnce(&Content) -> R) -> Result<R, StoreError> {
        self.faults.check_presence()?;
        Ok(see(&self.content.lock()))
    }

    /// Makes a change, all or nothing.
    fn change<R>(
        &self,
        make: impl FnOnce(&mut Content) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.faults.check_presence()?;
        self.faults.check_room()?;
        let answer = make(&mut self.content.lock())?;
        self.faults.check_answer()?;
        Ok(answer)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

fn first_version(offer: NewOffer, at: EpochMs) -> CatalogueOffer {
    CatalogueOffer {
        id: offer.id,
        name: offer.name,
        terms: offer.terms,
        state: offer.state,
        version: 1,
        created_at: at,
        updated_at: at,
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn revision(&self) -> Result<u64, StoreError> {
        self.read(|content| content.revision)
    }

    async fn offers(&self) -> Result<Vec<CatalogueOffer>, StoreError> {
        self.read(|content| content.offers.values().cloned().collect())
    }

    async fn offer(&self, id: &OfferId) -> Result<Option<CatalogueOffer>, StoreError> {
        self.read(|content| content.offers.get(id.as_str()).cloned())
    }

    async fn put_offer(
        &self,
        offer: NewOffer,
        expected: Expected,
        at: EpochMs,
    ) -> Result<CatalogueOffer, StoreError> {
        self.change(|content| {
            let before = content.offers.get(offer.id.as_str());
            expected.check(before.map(|before| before.version))?;
            let mut after = first_version(offer, at);
            if let Some(before) = before {
                after.version = before.version + 1;
                after.created_at = before.created_at;
            }
            content.revision += 1;
            let id = after.id.as_str().to_owned();
            content.offers.insert(id, after.clone());
            Ok(after)
        })
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.read(|content| {
            let mut keys = content.keys.clone();
            keys.sort_by_key(|key| (key.created_at, key.id));
            keys
        })
    }

    async fn add_key(&self, key: NewKey, at: EpochMs) -> Result<StoredKey, StoreError> {
        self.change(|content| {
            let key = StoredKey::new(key, at);
            if content.keys.iter().any(|other| other.id == key.id) {
                return Err(StoreError::Conflict { found: Some(1) });
            }
            content.revision += 1;
            content.keys.push(key.clone());
            Ok(key)
        })
    }

    async fn revoke_key(&self, id: &KeyId, at: EpochMs) -> Result<Option<StoredKey>, StoreError> {
        self.change(|content| {
            let Some(key) = content.keys.iter_mut().find(|key| key.id == *id) else {
                return Ok(None);
            };
            if key.is_active() {
                key.revoked_at = Some(at);
                content.revision += 1;
            }
            Ok(Some(key.clone()))
        })
    }

    async fn settings(&self) -> Result<Vec<Setting>, StoreError> {
        self.read(|content| {
            let held = content.settings.values();
            let mut settings: Vec<_> = held.filter_map(|(_, setting)| setting.clone()).collect();
            settings.sort_by_key(|setting| setting.name.as_str());
            settings
        })
    }

    async fn put_setting(
        &self,
        value: SettingValue,
        expected: Expected,
        at: EpochMs,
    ) -> Result<Setting, StoreError> {
        self.change(|content| {
            let name = value.name();
            let (last, before) = content.settings.get(&name).cloned().unwrap_or_default();
            expected.check(before.map(|before| before.version))?;
            let version = last + 1;
            let after = Setting {
                name,
                value,
                version,
                updated_at: at,
            };
            content.revision += 1;
            content
                .settings
                .insert(name, (version, Some(after.clone())));
            Ok(after)
        })
    }

    async fn remove_setting(
        &self,
        name: SettingName,
        expected: Expected,
    ) -> Result<bool, StoreError> {
        self.change(|content| {
            let held = content.settings.get_mut(&name);
            let found = held.as_ref().and_then(|(_, held)| held.as_ref());
            expected.check(found.map(|held| held.version))?;
            let Some((version, held @ Some(_))) = held else {
                return Ok(false);
            };
            *held = None;
            *version += 1;
            content.revision += 1;
            Ok(true)
        })
    }

    async fn add_rejections(
        &self,
        batch: BatchId,
        counts: &[RejectionCount],
    ) -> Result<(), StoreError> {
        self.change(|content| {
            content.bound_rejections();
            let last = content.batches.get(&batch.writer);
            if last.is_some_and(|last| *last >= batch.number) {
                return Ok(());
            }
            content.batches.insert(batch.writer, batch.number);
            for (source, reason, count) in counts {
                let held = content
                    .rejections
                    .entry((source.clone(), *reason))
                    .or_default();
                *held = held.saturating_add(*count).min(MOST);
            }
            Ok(())
        })
    }

    async fn rejections(
        &self,
        source: &SourceId,
    ) -> Result<BTreeMap<RejectionReason, u64>, StoreError> {
        self.read(|content| {
            let held = content.rejections.iter();
            held.filter(|((of, _), count)| of == source && **count > 0)
                .map(|((_, reason), count)| (*reason, *count))
                .collect()
        })
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.faults.check_presence()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::conformance::Harness;

    struct InMemory(Arc<MemoryStore>);

    #[async_trait]
    impl Harness for InMemory {
        async fn open(&self) -> Arc<dyn Store> {
            Arc::clone(&self.0) as Arc<dyn Store>
        }

        async fn set_away(&self, away: bool) -> bool {
            self.0.faults().set_away(away);
            true
        }
    }

    crate::store::conformance::suite!(InMemory(Arc::default()));

    #[tokio::test]
    async fn a_store_can_be_full_or_lose_an_answer() {
        let store = MemoryStore::new();
        let value = SettingValue::MaxFeaturesAgeMs(1);
        let put = async || {
            let value = value.clone();
            store.put_setting(value, Expected::Absent, EpochMs(0)).await
        };

        store.faults().set_full(true);
        assert!(matches!(put().await, Err(StoreError::Full(_))));
        store.faults().set_full(false);

        store.faults().lose_next_answer();
        assert!(matches!(put().await, Err(StoreError::Away(_))));
        assert_eq!(put().await, Err(StoreError::Conflict { found: Some(1) }));
    }
}
