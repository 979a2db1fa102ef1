//! The suite of the store port on PostgreSQL, and what belongs to PostgreSQL alone.

use std::sync::Arc;

use async_trait::async_trait;
use foretide_ports::{Store, StoreError, store::conformance::Harness};
use foretide_store::{DatabaseUrl, SqlStore};
use foretide_tests::{free_port, postgres};

use crate::{
    common::{AT, Database, put},
    proxy::Proxy,
};

/// A database of its own on the shared server, reached by a way that can be cut.
struct Reached {
    url: DatabaseUrl,
    proxy: Proxy,
}

impl Reached {
    async fn new() -> Self {
        let url = postgres::fresh_database();
        let (before, database) = url.rsplit_once('/').unwrap();
        let (server, port) = before.rsplit_once(':').unwrap();
        let proxy = Proxy::to(port.parse().unwrap()).await;
        let url: DatabaseUrl = format!("{server}:{}/{database}", proxy.port())
            .parse()
            .unwrap();
        SqlStore::connect(&url)
            .await
            .unwrap()
            .prepare(AT)
            .await
            .unwrap();
        Self { url, proxy }
    }
}

#[async_trait]
impl Harness for Reached {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqlStore::connect(&self.url).await.unwrap())
    }

    async fn set_away(&self, away: bool) -> bool {
        self.proxy.cut(away);
        true
    }
}

foretide_ports::store::conformance::suite!(Reached::new().await);

async fn refusal(url: &str) -> StoreError {
    let url: DatabaseUrl = url.parse().unwrap();
    SqlStore::connect(&url).await.unwrap_err()
}

#[tokio::test]
async fn what_is_wrong_with_the_address_is_told_apart() {
    let url = postgres::fresh_database();
    let (server, name) = url.rsplit_once('/').unwrap();
    let (_, place) = server.rsplit_once('@').unwrap();

    let wrong = refusal(&format!("postgres://foretide:sesame@{place}/{name}")).await;
    assert!(matches!(wrong, StoreError::Refused(_)), "{wrong}");
    assert!(wrong.to_string().contains("password"), "{wrong}");
    assert!(!wrong.to_string().contains("sesame"), "{wrong}");

    let missing = refusal(&format!("{server}/nowhere")).await;
    assert!(matches!(missing, StoreError::Refused(_)), "{missing}");
    assert!(missing.to_string().contains("createdb"), "{missing}");

    let silent = free_port();
    let nobody = refusal(&format!("postgres://foretide:sesame@127.0.0.1:{silent}/f")).await;
    assert!(matches!(nobody, StoreError::Away(_)), "{nobody}");
    let says = format!("postgres://foretide@127.0.0.1:{silent}/f");
    assert!(nobody.to_string().contains(&says), "{nobody}");
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused() {
    let url = postgres::fresh_database();
    let (server, name) = url.rsplit_once('/').unwrap();
    let make =
        format!("CREATE DATABASE latin_{name} ENCODING LATIN1 LOCALE 'C' TEMPLATE template0");
    postgres::sql(&url, &make);
    let url = format!("{server}/latin_{name}").parse().unwrap();
    let store = SqlStore::connect(&url).await.unwrap();
    let refused = store.prepare(AT).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    assert!(refused.to_string().contains("--encoding=UTF8"), "{refused}");
}

#[tokio::test]
async fn a_user_who_may_not_make_tables_is_told_so() {
    let database = Database::postgres();
    let Database::Postgres(url) = &database else {
        unreachable!()
    };
    let (server, name) = url.rsplit_once('/').unwrap();
    let (_, place) = server.rsplit_once('@').unwrap();
    let (user, make) = (
        format!("guest_{name}"),
        format!(
            "CREATE ROLE guest_{name} LOGIN PASSWORD 'sesame'; REVOKE ALL ON SCHEMA public FROM PUBLIC"
        ),
    );
    postgres::sql(url, &make);
    let url = format!("postgres://{user}:sesame@{place}/{name}")
        .parse()
        .unwrap();
    let store = SqlStore::connect(&url).await.unwrap();
    let refused = store.prepare(AT).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    assert!(
        refused.to_string().contains("own the database"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_take_turns_whatever_isolation_the_database_has_by_default() {
    const INSTANCES: u64 = 6;
    let url = postgres::fresh_database();
    let (_, name) = url.rsplit_once('/').unwrap();
    let strict = "SET default_transaction_isolation TO 'serializable'";
    postgres::sql(&url, &format!("ALTER DATABASE {name} {strict}"));
    let database = Database::Postgres(url);
    let mut instances = Vec::new();
    for _ in 0..INSTANCES {
        let store = database.connect().await;
        instances.push(tokio::spawn(async move {
            store.prepare(AT).await.unwrap();
            put(&store).await.unwrap().version
        }));
    }
    let mut versions = Vec::new();
    for instance in instances {
        versions.push(instance.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=INSTANCES).collect::<Vec<_>>());
}
