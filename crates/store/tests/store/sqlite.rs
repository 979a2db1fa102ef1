//! The suite of the store port on SQLite, and what belongs to SQLite alone.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use async_trait::async_trait;
use foretide_ports::{Store, StoreError, store::conformance::Harness};
use foretide_store::{DatabaseUrl, SqlStore};
use sqlx::Connection as _;

use crate::common::{AT, Database, put};

struct File(Database);

impl File {
    async fn new() -> Self {
        let database = Database::sqlite();
        database.prepared().await;
        Self(database)
    }
}

#[async_trait]
impl Harness for File {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.connect().await)
    }
}

foretide_ports::store::conformance::suite!(File::new().await);

fn file(database: &Database) -> std::path::PathBuf {
    database.url().sqlite_file().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let database = Database::sqlite();
    let store = database.prepared().await;
    put(&store).await.unwrap();
    let directory = file(&database).parent().unwrap().to_owned();
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["foretide.db", "foretide.db-shm", "foretide.db-wal"]);
}

#[tokio::test]
async fn what_was_written_is_there_when_it_is_opened_again() {
    let database = Database::sqlite();
    let store = database.prepared().await;
    put(&store).await.unwrap();
    store.close().await;
    let closed = store.health().await;
    assert!(matches!(closed, Err(StoreError::Away(_))), "{closed:?}");
    assert_eq!(put(&database.connect().await).await.unwrap().version, 2);
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let missing = DatabaseUrl::sqlite(dir.path().join("missing/foretide.db"));
    let refused = SqlStore::connect(&missing).await.unwrap_err().to_string();
    assert!(refused.contains("there is no directory"), "{refused}");
    assert!(refused.contains("/missing: make it"), "{refused}");

    let directory = SqlStore::connect(&DatabaseUrl::sqlite(dir.path())).await;
    let refused = directory.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
}

#[tokio::test]
async fn another_kind_of_file_is_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    let text = "no database at all. ".repeat(1000);
    fs::write(&path, &text).unwrap();
    let refused = SqlStore::connect(&DatabaseUrl::sqlite(&path)).await;
    let error = match refused {
        Ok(store) => store.prepare(AT).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert!(
        error.to_string().contains("another kind of file"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_lock_held_by_another_process_is_an_absence_that_ends_with_it() {
    let database = Database::sqlite();
    let store = database.prepared().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file(&database));
    let mut other = sqlx::SqliteConnection::connect_with(&options)
        .await
        .unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();

    let away = put(&store).await;
    assert!(matches!(away, Err(StoreError::Away(_))), "{away:?}");
    // Readers are not held up.
    assert_eq!(store.offers().await.unwrap().len(), 2);

    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(put(&store).await.unwrap().version, 1);
}
