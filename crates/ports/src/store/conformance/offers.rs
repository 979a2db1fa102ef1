//! Offers, and what holds for all that is kept: texts, times, the revision.

use foretide_decision::{
    Percent,
    catalogue::{CatalogueOffer, Name, OfferState, OfferTerms, ProductCount, default_offers},
};
use foretide_events::{EpochMs, Label, ShopId};

use super::{Harness, Outcome, Outcome::Passed, at, offer, put};
use crate::store::{Expected, KeyRole, NewKey, StoreError};

/// The defaults are there, in their first version, and nothing else is.
pub async fn a_new_store_holds_the_default_offers(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let held = store.offers().await.unwrap();
    assert_eq!(held.len(), 2);
    for (held, default) in held.iter().zip(default_offers()) {
        assert_eq!(
            (&held.id, &held.name, &held.terms, held.state, held.version),
            (&default.id, &default.name, &default.terms, default.state, 1)
        );
        assert_eq!(held.created_at, held.updated_at);
    }
    assert_eq!(store.keys().await.unwrap(), []);
    assert_eq!(store.settings().await.unwrap(), []);
    Passed
}

/// Terms of every kind and every state come back whole.
pub async fn an_offer_is_read_back_as_it_was_put(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let kinds = [
        OfferTerms::Discount {
            percent: Percent::new(100).unwrap(),
        },
        OfferTerms::Recommendations {
            products: ProductCount::new(50).unwrap(),
        },
        OfferTerms::Content {
            content_id: ShopId::new("").unwrap(),
        },
        OfferTerms::Assistance {
            means: Label::new("chat").unwrap(),
        },
    ];
    for (terms, state) in kinds.into_iter().zip(OfferState::ALL.into_iter().cycle()) {
        let mut new = offer(&format!("new {}", terms.kind().as_str()));
        (new.terms, new.state) = (terms, state);
        let put = store
            .put_offer(new.clone(), Expected::Absent, at(0))
            .await
            .unwrap();
        let expected = CatalogueOffer {
            id: new.id.clone(),
            name: new.name,
            terms: new.terms,
            state,
            version: 1,
            created_at: at(0),
            updated_at: at(0),
        };
        assert_eq!(put, expected);
        assert_eq!(store.offer(&new.id).await.unwrap(), Some(expected));
    }
    assert_eq!(store.offer(&offer("none").id).await.unwrap(), None);
    Passed
}

/// The order is that of the ids' characters, whatever the database's own is.
pub async fn offers_come_by_id(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    for id in ["ä", "b", "B", "a-1", "a1", "A", "_", "z"] {
        put(&*store, offer(id)).await;
    }
    let held = store.offers().await.unwrap();
    let ids: Vec<_> = held.iter().map(|offer| offer.id.as_str()).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    assert_eq!(ids, sorted);
    Passed
}

/// Each change is one version more; when it was made at first is not forgotten.
pub async fn versions_rise_and_the_time_of_the_first_stays(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let changes = [Expected::Absent, Expected::Version(1), Expected::Any];
    for (seconds, (version, expected)) in (0..).zip((1..).zip(changes)) {
        let put = store
            .put_offer(offer("o"), expected, at(seconds))
            .await
            .unwrap();
        assert_eq!(put.version, version);
        assert_eq!((put.created_at, put.updated_at), (at(0), at(seconds)));
        assert_eq!(store.offer(&put.id).await.unwrap(), Some(put));
    }
    Passed
}

/// What is there is told, and left as it is.
pub async fn a_change_of_something_else_than_expected_is_a_conflict(
    harness: &dyn Harness,
) -> Outcome {
    let store = harness.open().await;
    put(&*store, offer("o")).await;
    put(&*store, offer("o")).await;
    let before = (
        store.revision().await.unwrap(),
        store.offers().await.unwrap(),
    );
    for (id, expected, found) in [
        ("o", Expected::Absent, Some(2)),
        ("o", Expected::Version(1), Some(2)),
        ("o", Expected::Version(3), Some(2)),
        ("new", Expected::Version(1), None),
    ] {
        let mut other = offer(id);
        other.name = Name::new("other").unwrap();
        let refused = store.put_offer(other, expected, at(9)).await;
        assert_eq!(
            refused,
            Err(StoreError::Conflict { found }),
            "{id} {expected:?}"
        );
    }
    let after = (
        store.revision().await.unwrap(),
        store.offers().await.unwrap(),
    );
    assert_eq!(after, before);
    Passed
}

/// Nobody's change is overwritten unseen.
pub async fn of_changes_at_once_of_one_version_one_is_made(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    put(&*store, offer("o")).await;
    for version in 1..=5 {
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let instance = harness.open().await;
            tasks.push(tokio::spawn(async move {
                instance
                    .put_offer(offer("o"), Expected::Version(version), at(1))
                    .await
            }));
        }
        let mut made = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(offer) => {
                    assert_eq!(offer.version, version + 1);
                    made += 1;
                }
                Err(error) => assert_eq!(
                    error,
                    StoreError::Conflict {
                        found: Some(version + 1)
                    }
                ),
            }
        }
        assert_eq!(made, 1);
    }
    Passed
}

/// `Discount` is not `discount`, nor is an accent on its own one that is part of its letter.
pub async fn ids_that_differ_in_case_or_form_are_different(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let ids = [
        "o", "O", " o", "o ", "ö", "o\u{308}", "ﬁ", "fi", "ß", "ss", "%", "_", "o\\0", "o\0", "\\",
        "\\\\", "'", "''", "1", "01", "1.0", "null", "NULL",
    ];
    for id in ids {
        let made = store.put_offer(offer(id), Expected::Absent, at(0)).await;
        assert_eq!(made.unwrap().version, 1, "{id:?}");
    }
    for id in ids {
        let held = store.offer(&offer(id).id).await.unwrap().unwrap();
        assert_eq!(held.id.as_str(), id);
    }
    assert_eq!(store.offers().await.unwrap().len(), ids.len() + 2);
    Passed
}

/// Every character comes back, at the greatest length.
pub async fn any_text_survives(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let characters = [
        '\0',
        '\u{1}',
        '\t',
        '\n',
        '\r',
        '"',
        '\'',
        '\\',
        ';',
        '$',
        '\u{7f}',
        '\u{85}',
        'é',
        '\u{301}',
        '\u{200b}',
        '\u{202e}',
        '\u{2028}',
        '漢',
        '\u{d7ff}',
        '\u{e000}',
        '\u{feff}',
        '\u{fffd}',
        '\u{ffff}',
        '🛒',
        '\u{10ffff}',
    ];
    for character in characters {
        let text = |length| character.to_string().repeat(length);
        let mut new = offer(&text(64));
        new.name = Name::new(&text(128)).unwrap();
        new.terms = OfferTerms::Content {
            content_id: ShopId::new(&text(128)).unwrap(),
        };
        let put = store.put_offer(new.clone(), Expected::Absent, at(0)).await;
        let held = store.offer(&new.id).await.unwrap().unwrap();
        assert_eq!(put.unwrap(), held, "{character:?}");
        assert_eq!(
            (held.name, held.terms),
            (new.name, new.terms),
            "{character:?}"
        );
    }
    assert_eq!(store.offers().await.unwrap().len(), characters.len() + 2);
    Passed
}

/// Times come back to the millisecond, also those before 1970 and the last one.
pub async fn any_instant_survives(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    for instant in [EpochMs::EARLIEST, EpochMs(-1), EpochMs(0), EpochMs::LATEST] {
        let put = store.put_offer(offer("o"), Expected::Any, instant).await;
        let held = store.offer(&offer("o").id).await.unwrap().unwrap();
        assert_eq!(put.unwrap().updated_at, instant);
        assert_eq!(
            (held.created_at, held.updated_at),
            (EpochMs::EARLIEST, instant)
        );
    }
    Passed
}

/// It rises with offers, keys and settings; not with what changes nothing, nor with counts.
pub async fn the_revision_rises_with_each_change_and_only_then(harness: &dyn Harness) -> Outcome {
    use foretide_decision::catalogue::{SettingName::DriftThreshold, SettingValue};
    let store = harness.open().await;
    let mut last = store.revision().await.unwrap();
    let mut seen = async |rises: bool, what: &str| {
        let now = store.revision().await.unwrap();
        assert_eq!(now > last, rises, "{what}: {last} to {now}");
        assert!(now >= last, "{what}: {last} to {now}");
        last = now;
    };
    let key = NewKey {
        digest: [7; 32],
        role: KeyRole::Write,
        name: Name::default(),
    };
    let id = super::super::KeyId::of(&key.digest);
    let value = SettingValue::MaxFeaturesAgeMs(1);

    put(&*store, offer("o")).await;
    seen(true, "an offer").await;
    put(&*store, offer("o")).await;
    seen(true, "an offer again").await;
    store.add_key(key.clone(), at(0)).await.unwrap();
    seen(true, "a key").await;
    store.add_key(key, at(0)).await.unwrap_err();
    seen(false, "a key again").await;
    store.revoke_key(&id, at(1)).await.unwrap();
    seen(true, "a revocation").await;
    store.revoke_key(&id, at(2)).await.unwrap();
    seen(false, "a revocation again").await;
    store
        .put_setting(value.clone(), Expected::Any, at(0))
        .await
        .unwrap();
    seen(true, "a setting").await;
    store
        .remove_setting(value.name(), Expected::Any)
        .await
        .unwrap();
    seen(true, "a removal").await;
    for name in [value.name(), DriftThreshold] {
        store.remove_setting(name, Expected::Any).await.unwrap();
    }
    seen(false, "a removal of nothing").await;
    super::rejections::add_one(&*store).await;
    store.offers().await.unwrap();
    store.health().await.unwrap();
    seen(false, "counts and reads").await;
    Passed
}

/// A change that was answered is there for all.
pub async fn another_instance_sees_what_changed(harness: &dyn Harness) -> Outcome {
    let (one, other) = (harness.open().await, harness.open().await);
    let before = other.revision().await.unwrap();
    for version in 1..=3 {
        assert_eq!(put(&*one, offer("o")).await, version);
        let held = other.offer(&offer("o").id).await.unwrap();
        assert_eq!(held.unwrap().version, version);
    }
    let revisions = (
        one.revision().await.unwrap(),
        other.revision().await.unwrap(),
    );
    assert_eq!(revisions.0, revisions.1);
    assert!(revisions.1 > before);
    Passed
}
