//! What services read of the store: the last snapshot that could be had.

use std::{fmt, sync::Arc};

use foretide_decision::catalogue::{CatalogueOffer, Setting};
use tokio::sync::{Mutex, watch};

use super::{Store, StoreError, StoredKey};

/// Everything of the store that services act on.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The revision of the store that this holds at least.
    pub revision: u64,
    /// All offers, by id.
    pub offers: Vec<CatalogueOffer>,
    /// All keys, revoked ones included, the oldest first.
    pub keys: Vec<StoredKey>,
    /// All settings that have a value, by name.
    pub settings: Vec<Setting>,
}

impl Snapshot {
    /// Reads it. The revision comes first: should something change meanwhile, the next look sees a higher one.
    async fn read(store: &dyn Store, revision: u64) -> Result<Self, StoreError> {
        Ok(Self {
            revision,
            offers: store.offers().await?,
            keys: store.keys().await?,
            settings: store.settings().await?,
        })
    }
}

/// The last good snapshot of a store. A database that is away never stops an answer: the snapshot stays.
pub struct StoreView {
    store: Arc<dyn Store>,
    current: watch::Sender<Arc<Snapshot>>,
    /// Held while refreshing, so that an older snapshot never replaces a newer one.
    refreshing: Mutex<()>,
}

impl fmt::Debug for StoreView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreView")
            .field("revision", &self.current().revision)
            .finish_non_exhaustive()
    }
}

impl StoreView {
    /// The view of a store that must answer now.
    pub async fn load(store: Arc<dyn Store>) -> Result<Arc<Self>, StoreError> {
        let revision = store.revision().await?;
        let snapshot = Snapshot::read(&*store, revision).await?;
        Ok(Arc::new(Self {
            store,
            current: watch::Sender::new(Arc::new(snapshot)),
            refreshing: Mutex::new(()),
        }))
    }

    /// The last good snapshot.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.borrow())
    }

    /// Looks whether the store has changed, and reads it if so. An error leaves the snapshot as it is.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _turn = self.refreshing.lock().await;
        let revision = self.store.revision().await?;
        // Not "higher": a database restored from a backup counts on from a lower one.
        if revision != self.current().revision {
            let snapshot = Snapshot::read(&*self.store, revision).await?;
            self.current.send_replace(Arc::new(snapshot));
        }
        Ok(())
    }

    /// Tells of each new snapshot.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.current.subscribe()
    }

    /// The store itself, for changes.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

#[cfg(test)]
mod tests {
    use foretide_decision::catalogue::{SettingName, SettingValue};
    use foretide_events::EpochMs;

    use super::*;
    use crate::store::{Expected, MemoryStore};

    const AT: EpochMs = EpochMs(1_700_000_000_000);

    async fn set_age(store: &dyn Store, age_ms: i64) {
        let value = SettingValue::MaxFeaturesAgeMs(age_ms);
        store.put_setting(value, Expected::Any, AT).await.unwrap();
    }

    #[tokio::test]
    async fn a_refresh_shows_what_changed_and_tells_of_it_once() {
        let store = Arc::new(MemoryStore::new());
        let view = StoreView::load(Arc::clone(&store) as Arc<dyn Store>)
            .await
            .unwrap();
        let mut news = view.subscribe();
        assert_eq!(view.current().offers.len(), 2);

        set_age(&*store, 5).await;
        assert_eq!(view.current().settings, []);
        view.refresh().await.unwrap();
        assert_eq!(
            view.current().settings[0].name,
            SettingName::MaxFeaturesAgeMs
        );
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();

        view.refresh().await.unwrap();
        assert!(!news.has_changed().unwrap());
    }

    #[tokio::test]
    async fn a_store_that_is_away_leaves_the_last_snapshot() {
        let store = Arc::new(MemoryStore::new());
        set_age(&*store, 5).await;
        let view = StoreView::load(Arc::clone(&store) as Arc<dyn Store>)
            .await
            .unwrap();
        let before = view.current();

        store.faults().set_away(true);
        assert!(matches!(view.refresh().await, Err(StoreError::Away(_))));
        assert_eq!(view.current(), before);

        store.faults().set_away(false);
        set_age(&*store, 6).await;
        view.refresh().await.unwrap();
        assert_ne!(view.current(), before);
    }
}
