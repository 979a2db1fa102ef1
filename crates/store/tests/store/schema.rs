//! The version of the tables, on both kinds of database.

use foretide_decision::catalogue::default_offers;
use foretide_ports::{Store, StoreError};
use foretide_store::{Migrated, SchemaState};

use crate::common::{AT, Database, put};

#[tokio::test]
async fn an_empty_database_is_set_up_with_the_default_offers() {
    for database in Database::both() {
        let store = database.connect().await;
        assert_eq!(store.schema().await.unwrap(), SchemaState::Empty);
        let missing = store.offers().await.unwrap_err();
        assert!(matches!(missing, StoreError::Refused(_)), "{missing}");
        assert!(missing.to_string().contains("foretide database migrate"));

        let to = SchemaState::needed();
        assert_eq!(store.prepare(AT).await.unwrap(), Migrated { from: 0, to });
        assert_eq!(store.schema().await.unwrap(), SchemaState::Current);
        assert_eq!(store.migrate(AT).await.unwrap(), Migrated { from: to, to });

        let offers = store.offers().await.unwrap();
        assert_eq!(offers.len(), default_offers().len());
        assert!(offers.iter().all(|offer| offer.created_at == AT));
    }
}

#[tokio::test]
async fn instances_that_start_at_once_set_it_up_once() {
    for database in Database::both() {
        let mut starts = Vec::new();
        for _ in 0..6 {
            let store = database.connect().await;
            starts.push(tokio::spawn(
                async move { store.prepare(AT).await.unwrap() },
            ));
        }
        let mut first = 0;
        for start in starts {
            first += usize::from(start.await.unwrap().from == 0);
        }
        assert_eq!(first, 1);
        assert_eq!(put(&database.connect().await).await.unwrap().version, 1);
    }
}

/// What the first version of the tables looked like.
const BACK_TO_1: &str = "DROP TABLE foretide_rejections; DROP TABLE foretide_rejection_batches; DELETE FROM foretide_schema WHERE version = 2";

#[tokio::test]
async fn an_older_schema_is_migrated_where_nobody_else_may_need_it() {
    for database in Database::both() {
        let store = database.prepared().await;
        put(&store).await.unwrap();
        database.sql(BACK_TO_1).await;
        let needed = SchemaState::needed();
        let older = SchemaState::Older { found: 1, needed };
        assert_eq!(store.schema().await.unwrap(), older);

        let prepared = store.prepare(AT).await;
        if store.url().is_shared() {
            let refused = prepared.unwrap_err().to_string();
            assert!(
                refused.contains("run `foretide database migrate"),
                "{refused}"
            );
            assert_eq!(store.schema().await.unwrap(), older);
            store.migrate(AT).await.unwrap();
        } else {
            let to = needed;
            assert_eq!(prepared.unwrap(), Migrated { from: 1, to });
        }
        assert_eq!(store.schema().await.unwrap(), SchemaState::Current);
        assert_eq!(put(&store).await.unwrap().version, 2);
        let source = foretide_events::SourceId::new("key:a").unwrap();
        assert!(store.rejections(&source).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_all() {
    for database in Database::both() {
        let store = database.prepared().await;
        let found = SchemaState::needed() + 1;
        database
            .sql(&format!(
                "INSERT INTO foretide_schema VALUES ({found}, 'later', 'x', 0)"
            ))
            .await;
        let known = SchemaState::needed();
        assert_eq!(
            store.schema().await.unwrap(),
            SchemaState::Newer { found, known }
        );
        for refused in [store.prepare(AT).await, store.migrate(AT).await] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
            assert!(
                refused.to_string().contains("this binary is older"),
                "{refused}"
            );
        }
    }
}

#[tokio::test]
async fn a_schema_made_by_other_migrations_is_not_touched() {
    for database in Database::both() {
        let store = database.prepared().await;
        database
            .sql("UPDATE foretide_schema SET checksum = 'x' WHERE version = 1")
            .await;
        for refused in [store.prepare(AT).await, store.migrate(AT).await] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, StoreError::Damaged(_)), "{refused}");
            assert!(refused.to_string().contains("(catalogue)"), "{refused}");
        }
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_told_and_not_guessed() {
    for (statement, says) in [
        (
            "UPDATE foretide_offers SET terms = '{\"kind\":\"gift\"}'",
            "gift",
        ),
        (
            "UPDATE foretide_offers SET terms = 'no'",
            "offer discount-10",
        ),
        ("UPDATE foretide_offers SET name = 'a\\nb'", "a\\nb"),
    ] {
        for database in Database::both() {
            let store = database.prepared().await;
            database.sql(statement).await;
            let error = store.offers().await.unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}

#[tokio::test]
async fn a_setting_of_a_newer_binary_is_passed_over() {
    for database in Database::both() {
        let store = database.prepared().await;
        database
            .sql("INSERT INTO foretide_settings VALUES ('colour', '\"red\"', 1, 0)")
            .await;
        assert_eq!(store.settings().await.unwrap(), []);
    }
}
