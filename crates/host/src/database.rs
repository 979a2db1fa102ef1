//! Where offers, keys, settings and counts are: opening the database, and watching whether it is there.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Args;
use foretide_events::EpochMs;
use foretide_http::{Keys, Role};
use foretide_ports::store::{KeyRole, Snapshot, Store, StoreError, StoreView};
use foretide_runtime::{CancellationToken, prometheus};
use foretide_store::{DatabaseUrl, SqlStore};
use tokio::time::{Instant, timeout};

/// How often to look whether something has changed.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait for an answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Where offers, keys and settings are.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Storage")]
pub struct DatabaseArgs {
    /// The database of offers, keys and settings: `sqlite:FILE` or `postgres://USER:PASSWORD@HOST/NAME`; without it
    /// `sqlite:DATA_DIR/foretide.db`
    #[arg(
        long,
        env = "FORETIDE_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database: Option<DatabaseUrl>,
}

impl DatabaseArgs {
    /// Whether other hosts can reach it.
    pub fn is_shared(&self) -> bool {
        self.database.as_ref().is_some_and(DatabaseUrl::is_shared)
    }

    /// Where it is, for a process that keeps its data in `data_dir`.
    pub fn url(&self, data_dir: &Path) -> DatabaseUrl {
        self.database
            .clone()
            .unwrap_or_else(|| DatabaseUrl::sqlite(data_dir.join("foretide.db")))
    }
}

/// Opens the database at `url`, with its schema as this program needs it: SQLite is brought to it, and an empty PostgreSQL is
/// set up. Fails with [`StoreError::Away`] in its causes while the database is away.
pub async fn open(url: &DatabaseUrl, now: EpochMs) -> anyhow::Result<Arc<dyn Store>> {
    let store = SqlStore::connect(url)
        .await
        .with_context(|| format!("opening the database {url} (--database)"))?;
    let done = store
        .prepare(now)
        .await
        .with_context(|| format!("checking the schema of the database {url} (--database)"))?;
    if done.from != done.to {
        let (from, to) = (done.from, done.to);
        tracing::info!(database = %url, from, to, "the database has the schema of this version now");
    }
    Ok(Arc::new(store))
}

foretide_runtime::metrics! {
    /// What can be watched of the database.
    pub struct DatabaseMetrics {
        /// Whether the database of offers, keys and settings answers: 1 or 0.
        pub up: IntGauge = "foretide_database_up",
        /// How long ago the database was last seen to hold what is acted on, in seconds.
        pub snapshot_age: Gauge = "foretide_database_snapshot_age_seconds",
    }
}

/// Keeps a view of the store and the keys of the process as new as the database, until told to stop.
pub struct DatabaseWatch {
    view: Arc<StoreView>,
    keys: Keys,
    metrics: DatabaseMetrics,
    seen: Instant,
    trouble: Trouble,
}

/// What was last said of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// It does not answer.
    Away,
    /// It answers something else than it should.
    Other,
}

impl DatabaseWatch {
    /// Takes over the keys of `view` now.
    pub fn new(
        view: Arc<StoreView>,
        keys: Keys,
        registry: &prometheus::Registry,
    ) -> prometheus::Result<Self> {
        let metrics = DatabaseMetrics::register(registry)?;
        metrics.up.set(1);
        keys.replace_stored_with(|| valid_keys(&view.current()));
        Ok(Self {
            view,
            keys,
            metrics,
            seen: Instant::now(),
            trouble: Trouble::None,
        })
    }

    /// Looks every second until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut news = self.view.subscribe();
        while !stop.is_cancelled() {
            tokio::select! {
                () = self.look() => {}
                () = stop.cancelled() => break,
            }
            // Changes made through this process are seen at once.
            let rest = async {
                while news.changed().await.is_ok() {
                    self.keys
                        .replace_stored_with(|| valid_keys(&self.view.current()));
                }
            };
            tokio::select! {
                _ = timeout(EVERY, rest) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    async fn look(&mut self) {
        let looked = timeout(ANSWERS_WITHIN, self.view.refresh())
            .await
            .unwrap_or_else(|_| {
                let waited = ANSWERS_WITHIN.as_secs();
                Err(StoreError::Away(format!("no answer within {waited} s")))
            });
        match looked {
            Ok(()) => {
                self.seen = Instant::now();
                self.metrics.up.set(1);
                if std::mem::replace(&mut self.trouble, Trouble::None) != Trouble::None {
                    tracing::info!("the database is there again");
                }
            }
            Err(error) => {
                self.metrics.up.set(0);
                self.tell(&error);
            }
        }
        let age = self.seen.elapsed().as_secs_f64();
        self.metrics.snapshot_age.set(age);
    }

    /// Logs `error` with what to do, if that is news.
    fn tell(&mut self, error: &StoreError) {
        let (trouble, what_to_do) = match error {
            StoreError::Away(_) => (
                Trouble::Away,
                "check that it runs and can be reached (--database)",
            ),
            _ => (
                Trouble::Other,
                "see the error and `foretide database status --database …`",
            ),
        };
        if std::mem::replace(&mut self.trouble, trouble) != trouble {
            tracing::warn!(
                %error,
                what_to_do,
                "the database does not answer as it should: events are taken and decisions made by the offers, keys and \
                 settings last read; until it does, these cannot be changed and counts of sources cannot be read"
            );
        }
    }
}

/// The keys of `snapshot` that open something, as [`Keys::replace_stored_with`] takes them.
pub fn valid_keys(snapshot: &Snapshot) -> Vec<(Role, [u8; 32])> {
    let role = |role| match role {
        KeyRole::Write => Role::Write,
        KeyRole::Admin => Role::Admin,
    };
    snapshot
        .keys
        .iter()
        .filter(|key| key.is_active())
        .map(|key| (role(key.role), key.digest))
        .collect()
}

#[cfg(test)]
mod tests {
    use foretide_events::Text;
    use foretide_ports::store::{MemoryStore, NewKey};
    use foretide_runtime::Secret;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn at() -> EpochMs {
        EpochMs(1_700_000_000_000)
    }

    #[tokio::test]
    async fn a_new_file_is_set_up_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let url = DatabaseArgs { database: None }.url(dir.path());
        for _ in 0..2 {
            let store = open(&url, at()).await.unwrap();
            assert_eq!(store.offers().await.unwrap().len(), 2);
        }
        assert!(dir.path().join("foretide.db").exists());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_counts_from_the_next_look_on_and_a_lost_database_takes_nothing_away() {
        let store = Arc::new(MemoryStore::new());
        let view = StoreView::load(store.clone()).await.unwrap();
        let keys = Keys::new(&Secret::new("w"), &Secret::new("a"));
        let registry = prometheus::Registry::new();
        let watch = DatabaseWatch::new(view, keys.clone(), &registry).unwrap();
        let up = watch.metrics.up.clone();
        let age = watch.metrics.snapshot_age.clone();
        let stop = CancellationToken::new();
        let watching = tokio::spawn(watch.run(stop.clone()));

        assert!(keys.check("handed-out", Role::Write).is_err());
        let new = NewKey {
            digest: Sha256::digest("handed-out").into(),
            role: KeyRole::Write,
            name: Text::new("web").unwrap(),
        };
        store.add_key(new, at()).await.unwrap();
        tokio::time::sleep(2 * EVERY).await;
        assert!(keys.check("handed-out", Role::Write).is_ok());

        store.faults().set_away(true);
        tokio::time::sleep(10 * EVERY).await;
        assert!(keys.check("handed-out", Role::Write).is_ok());
        assert_eq!(up.get(), 0);
        assert!(age.get() > 5.0, "{}", age.get());
        store.faults().set_away(false);
        tokio::time::sleep(2 * EVERY).await;
        assert_eq!(up.get(), 1);
        assert!(age.get() < 2.0, "{}", age.get());
        stop.cancel();
        watching.await.unwrap().unwrap();
    }
}
