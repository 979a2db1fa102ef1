//! What the tests share.

use foretide_decision::{
    OfferId, Percent,
    catalogue::{CatalogueOffer, Name, NewOffer, OfferState, OfferTerms},
};
use foretide_events::EpochMs;
use foretide_ports::{Expected, Store, StoreError};
use foretide_store::{DatabaseUrl, SqlStore};
use foretide_tests::postgres;
use tempfile::TempDir;

/// When everything happens.
pub const AT: EpochMs = EpochMs(1_700_000_000_000);

/// A database of either kind, empty at first.
pub enum Database {
    Sqlite(TempDir),
    Postgres(String),
}

impl Database {
    /// One of each kind.
    pub fn both() -> [Self; 2] {
        [Self::sqlite(), Self::postgres()]
    }

    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub fn postgres() -> Self {
        Self::Postgres(postgres::fresh_database())
    }

    pub fn url(&self) -> DatabaseUrl {
        match self {
            Self::Sqlite(dir) => DatabaseUrl::sqlite(dir.path().join("foretide.db")),
            Self::Postgres(url) => url.parse().unwrap(),
        }
    }

    /// The store, as it is.
    pub async fn connect(&self) -> SqlStore {
        SqlStore::connect(&self.url()).await.unwrap()
    }

    /// The store, with its tables.
    pub async fn prepared(&self) -> SqlStore {
        let store = self.connect().await;
        store.prepare(AT).await.unwrap();
        store
    }

    /// Runs statements behind the store's back.
    pub async fn sql(&self, statement: &str) {
        match self {
            Self::Sqlite(dir) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(dir.path().join("foretide.db"));
                let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
                let script = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()));
                script.execute(&pool).await.unwrap();
                pool.close().await;
            }
            Self::Postgres(url) => drop(postgres::sql(url, statement)),
        }
    }
}

/// An offer of that id.
pub fn offer(id: &str) -> NewOffer {
    NewOffer {
        id: OfferId::new(id.to_owned()).unwrap(),
        name: Name::new("Spring").unwrap(),
        terms: OfferTerms::Discount {
            percent: Percent::TEN,
        },
        state: OfferState::Paused,
    }
}

/// Changes the offer `o`, whatever is there.
pub async fn put(store: &SqlStore) -> Result<CatalogueOffer, StoreError> {
    store.put_offer(offer("o"), Expected::Any, AT).await
}
