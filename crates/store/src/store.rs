//! The store of the port, over either database.

use std::{
    collections::BTreeMap, fs::OpenOptions, io, os::unix::fs::OpenOptionsExt as _, path::Path,
    time::Duration,
};

use async_trait::async_trait;
use foretide_decision::{
    OfferId,
    catalogue::{CatalogueOffer, NewOffer, Setting, SettingName, SettingValue},
};
use foretide_events::{EpochMs, RejectionReason, SourceId};
use foretide_ports::{
    BatchId, Expected, KeyId, NewKey, RejectionCount, Store, StoreError, StoredKey,
};
use sqlx::{
    ConnectOptions as _,
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    DatabaseUrl, Migrated, SchemaState,
    connection::Pool,
    keys, offers, rejections,
    schema::{self, MIGRATIONS},
    session::{STATEMENT_DEADLINE, Session},
    settings,
    url::Kind,
};

/// The most connections of one instance. The store is asked seldom.
const MAX_CONNECTIONS: u32 = 4;
/// How long getting a connection may take before the database counts as away.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// How long SQLite waits for the lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
/// PostgreSQL's own limits, in milliseconds: on a statement, and on a transaction that does nothing.
const SERVER_LIMITS: [(&str, &str); 2] = [
    ("statement_timeout", "4000"),
    ("idle_in_transaction_session_timeout", "10000"),
];

/// The store in SQLite or PostgreSQL. Clones share their connections.
#[derive(Clone, Debug)]
pub struct SqlStore {
    pool: Pool,
    url: DatabaseUrl,
    /// How `url` is printed.
    place: String,
}

impl SqlStore {
    /// Opens the database, which must answer now. A SQLite file that is not there is made, readable for its owner alone. The
    /// tables stay as they are: look at [`Self::schema`], or call [`Self::prepare`].
    pub async fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let pool = match &url.0 {
            Kind::Sqlite(file) => {
                make_file(file)?;
                Pool::Sqlite(sqlite_pool(file))
            }
            Kind::Postgres(options) => Pool::Postgres(postgres_pool(options)),
        };
        let store = Self {
            pool,
            url: url.clone(),
            place: url.to_string(),
        };
        store.health().await?;
        Ok(store)
    }

    /// Where it is.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// What the database holds, compared with what this binary needs.
    pub async fn schema(&self) -> Result<SchemaState, StoreError> {
        let mut session = self.reading().await?;
        let state = schema::state(&mut session).await;
        session.finish(state).await
    }

    /// Brings the tables to what this binary needs: all or nothing, and once, however many try at the same time.
    pub async fn migrate(&self, at: EpochMs) -> Result<Migrated, StoreError> {
        let mut session = Session::changing(&self.pool, &self.place, schema::DEADLINE).await?;
        let migrated = schema::migrate(&mut session, MIGRATIONS, at).await;
        session.finish(migrated).await
    }

    /// Makes the tables ready for a server that starts, or says why it must not. An empty database is set up. An older one is
    /// migrated if it is SQLite, whose only user this is; in PostgreSQL others may still need it as it is, so that is
    /// refused, as is a newer one.
    pub async fn prepare(&self, at: EpochMs) -> Result<Migrated, StoreError> {
        match self.schema().await? {
            SchemaState::Empty => self.migrate(at).await,
            SchemaState::Older { .. } if !self.url.is_shared() => self.migrate(at).await,
            SchemaState::Current => Ok(Migrated {
                from: SchemaState::needed(),
                to: SchemaState::needed(),
            }),
            state @ (SchemaState::Older { .. } | SchemaState::Newer { .. }) => {
                Err(StoreError::Refused(state.to_string()))
            }
        }
    }

    /// Closes all connections, once they are not in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn reading(&self) -> Result<Session, StoreError> {
        Session::reading(&self.pool, &self.place).await
    }

    async fn changing(&self) -> Result<Session, StoreError> {
        Session::changing(&self.pool, &self.place, STATEMENT_DEADLINE).await
    }

    /// Begins a change that others see: takes its turn and raises the revision.
    async fn revising(&self) -> Result<Session, StoreError> {
        let mut session = self.changing().await?;
        match raise_revision(&mut session).await {
            Ok(()) => Ok(session),
            Err(error) => session.finish(Err(error)).await,
        }
    }
}

async fn raise_revision(session: &mut Session) -> Result<(), StoreError> {
    let sql = "UPDATE foretide_revision SET revision = revision + 1 WHERE only_row = 1";
    match session.execute(sql, &[]).await? {
        1 => Ok(()),
        _ => Err(StoreError::Damaged(
            "the revision is missing (foretide_revision is empty)".to_owned(),
        )),
    }
}

/// Makes the file if it is not there, so that nobody else can read it; what SQLite puts beside it gets the same rights.
fn make_file(file: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = file.parent().unwrap_or(file);
            Err(StoreError::Refused(format!(
                "there is no directory {}: make it, or name another file in --database",
                directory.display()
            )))
        }
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            Err(StoreError::Full(error.to_string()))
        }
        Err(error) => Err(StoreError::Refused(format!(
            "{} cannot be made: {error}",
            file.display()
        ))),
    }
}

fn sqlite_pool(file: &Path) -> sqlx::SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    PoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(CONNECT_DEADLINE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

fn postgres_pool(options: &PgConnectOptions) -> sqlx::PgPool {
    let mut options = options
        .clone()
        .options(SERVER_LIMITS)
        .disable_statement_logging();
    if options.get_application_name().is_none() {
        options = options.application_name("foretide");
    }
    // Connections are tested before they are used: those that a restart of the database broke are replaced unseen.
    PoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(CONNECT_DEADLINE)
        // Never said: who watches the database says what to do.
        .acquire_slow_threshold(CONNECT_DEADLINE)
        .test_before_acquire(true)
        .connect_lazy_with(options)
}

#[async_trait]
impl Store for SqlStore {
    async fn revision(&self) -> Result<u64, StoreError> {
        let mut session = self.reading().await?;
        let sql = "SELECT revision FROM foretide_revision WHERE only_row = 1";
        let revision = session.row(sql).await.and_then(|row| row.count(0));
        session.finish(revision).await
    }

    async fn offers(&self) -> Result<Vec<CatalogueOffer>, StoreError> {
        let mut session = self.reading().await?;
        let offers = offers::all(&mut session).await;
        session.finish(offers).await
    }

    async fn offer(&self, id: &OfferId) -> Result<Option<CatalogueOffer>, StoreError> {
        let mut session = self.reading().await?;
        let offer = offers::one(&mut session, id).await;
        session.finish(offer).await
    }

    async fn put_offer(
        &self,
        offer: NewOffer,
        expected: Expected,
        at: EpochMs,
    ) -> Result<CatalogueOffer, StoreError> {
        let mut session = self.revising().await?;
        let put = offers::put(&mut session, offer, expected, at).await;
        session.finish(put).await
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let mut session = self.reading().await?;
        let keys = keys::all(&mut session).await;
        session.finish(keys).await
    }

    async fn add_key(&self, key: NewKey, at: EpochMs) -> Result<StoredKey, StoreError> {
        let mut session = self.revising().await?;
        let added = keys::add(&mut session, key, at).await;
        session.finish(added).await
    }

    async fn revoke_key(&self, id: &KeyId, at: EpochMs) -> Result<Option<StoredKey>, StoreError> {
        let mut session = self.revising().await?;
        match keys::revoke(&mut session, id, at).await {
            Ok((key, false)) => session.undo(key).await,
            Ok((key, true)) => session.finish(Ok(key)).await,
            Err(error) => session.finish(Err(error)).await,
        }
    }

    async fn settings(&self) -> Result<Vec<Setting>, StoreError> {
        let mut session = self.reading().await?;
        let settings = settings::all(&mut session).await;
        session.finish(settings).await
    }

    async fn put_setting(
        &self,
        value: SettingValue,
        expected: Expected,
        at: EpochMs,
    ) -> Result<Setting, StoreError> {
        let mut session = self.revising().await?;
        let put = settings::put(&mut session, value, expected, at).await;
        session.finish(put).await
    }

    async fn remove_setting(
        &self,
        name: SettingName,
        expected: Expected,
    ) -> Result<bool, StoreError> {
        let mut session = self.revising().await?;
        match settings::remove(&mut session, name, expected).await {
            Ok(false) => session.undo(false).await,
            removed => session.finish(removed).await,
        }
    }

    async fn add_rejections(
        &self,
        batch: BatchId,
        counts: &[RejectionCount],
    ) -> Result<(), StoreError> {
        let mut session = self.changing().await?;
        let added = rejections::add(&mut session, batch, counts).await;
        session.finish(added).await
    }

    async fn rejections(
        &self,
        source: &SourceId,
    ) -> Result<BTreeMap<RejectionReason, u64>, StoreError> {
        let mut session = self.reading().await?;
        let counts = rejections::of(&mut session, source).await;
        session.finish(counts).await
    }

    async fn health(&self) -> Result<(), StoreError> {
        let mut session = self.reading().await?;
        let answer = session.ping().await;
        session.finish(answer).await
    }
}
