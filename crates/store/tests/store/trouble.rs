//! A PostgreSQL that dies, hangs and comes back, and callers that give up.

use std::{sync::Arc, time::Duration};

use foretide_events::{RejectionReason::TooLarge, SourceId};
use foretide_ports::{BatchId, Store, StoreError, StoreView};
use foretide_store::SqlStore;
use foretide_tests::postgres::Postgres;
use uuid::Uuid;

use crate::common::{AT, Database, put};

async fn prepared(server: &Postgres) -> Arc<SqlStore> {
    let store = SqlStore::connect(&server.url().parse().unwrap())
        .await
        .unwrap();
    store.prepare(AT).await.unwrap();
    Arc::new(store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_is_used_again_once_it_is_back() {
    let mut server = Postgres::start();
    let store = prepared(&server).await;
    let view = StoreView::load(Arc::clone(&store) as Arc<dyn Store>)
        .await
        .unwrap();
    for version in 1..=2 {
        assert_eq!(put(&store).await.unwrap().version, version);
        view.refresh().await.unwrap();
        let before = view.current();

        server.kill();
        let away = put(&store).await;
        assert!(matches!(away, Err(StoreError::Away(_))), "{away:?}");
        assert!(view.refresh().await.is_err());
        assert_eq!(view.current(), before);

        server.restart();
        view.refresh().await.unwrap();
        assert_eq!(view.current(), before);
    }
    assert_eq!(put(&store).await.unwrap().version, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_away_and_leaves_no_connection_stuck() {
    let server = Postgres::start();
    let store = prepared(&server).await;
    put(&store).await.unwrap();
    server.freeze();
    // More than there are connections, and twice: what hung the first time must not be in the way the second time.
    for _ in 0..2 {
        let asked: Vec<_> = (0..12)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.revision().await })
            })
            .collect();
        for answer in asked {
            let answer = answer.await.unwrap();
            assert!(matches!(answer, Err(StoreError::Away(_))), "{answer:?}");
        }
    }
    server.thaw();
    assert_eq!(put(&store).await.unwrap().version, 2);
    let others = (0..12).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.revision().await.unwrap() })
    });
    for other in others.collect::<Vec<_>>() {
        other.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_gives_up_half_way_leaves_nothing_half_done() {
    for database in Database::both() {
        let store = database.prepared().await;
        let mut done = 0;
        for microseconds in (0..60).map(|step| step * 100) {
            let limit = Duration::from_micros(microseconds);
            if let Ok(put) = tokio::time::timeout(limit, put(&store)).await {
                done = put.unwrap().version;
            }
        }
        // Nobody holds the turn; the revision has risen once for each version that was made.
        let version = put(&store).await.unwrap().version;
        assert!(version > done);
        assert_eq!(store.revision().await.unwrap(), 1 + version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_that_are_added_again_after_giving_up_count_once() {
    const BATCHES: u64 = 60;
    for database in Database::both() {
        let store = database.prepared().await;
        let source = SourceId::new("key:a").unwrap();
        let counts = [(source.clone(), TooLarge, 1)];
        for number in 1..=BATCHES {
            let batch = BatchId {
                writer: Uuid::from_u128(1),
                number,
            };
            let limit = Duration::from_micros(100 * number);
            let _ = tokio::time::timeout(limit, store.add_rejections(batch, &counts)).await;
            store.add_rejections(batch, &counts).await.unwrap();
        }
        let held = store.rejections(&source).await.unwrap();
        assert_eq!(held[&TooLarge], BATCHES);
    }
}
