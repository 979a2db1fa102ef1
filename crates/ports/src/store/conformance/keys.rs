//! Keys made at run time.

use foretide_decision::catalogue::Name;

use super::{Harness, Outcome, Outcome::Passed, at};
use crate::store::{KeyId, KeyRole, NewKey, StoreError, StoredKey};

fn key(byte: u8, role: KeyRole) -> NewKey {
    NewKey {
        digest: std::array::from_fn(|index| if index == 0 { byte } else { 0xf0 }),
        role,
        name: Name::new(&format!("shop {byte} \0 \\ 🛒")).unwrap(),
    }
}

/// The oldest comes first; a digest may begin with zeros.
pub async fn a_key_is_read_back_as_it_was_added(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let keys = [key(9, KeyRole::Admin), key(0, KeyRole::Write)];
    let mut expected = Vec::new();
    for (seconds, key) in (0..).zip(keys) {
        let added = store.add_key(key.clone(), at(seconds)).await.unwrap();
        assert_eq!(added, StoredKey::new(key, at(seconds)));
        assert!(added.is_active());
        expected.push(added);
    }
    assert_eq!(store.keys().await.unwrap(), expected);
    Passed
}

/// Neither the same key nor another one of its id, even once it is revoked.
pub async fn a_key_is_added_once(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let first = key(1, KeyRole::Write);
    let id = store.add_key(first.clone(), at(0)).await.unwrap().id;
    let mut alike = key(1, KeyRole::Admin);
    alike.digest[31] = 0;
    for again in [first.clone(), alike] {
        let refused = store.add_key(again, at(1)).await;
        assert_eq!(refused, Err(StoreError::Conflict { found: Some(1) }));
    }
    store.revoke_key(&id, at(2)).await.unwrap();
    assert!(store.add_key(first, at(3)).await.is_err());
    assert_eq!(store.keys().await.unwrap().len(), 1);
    Passed
}

/// When it was revoked at first stays; others are not touched; one that is not there is told.
pub async fn a_key_is_revoked_for_good(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let one = store.add_key(key(1, KeyRole::Write), at(0)).await.unwrap();
    let other = store.add_key(key(2, KeyRole::Write), at(0)).await.unwrap();
    let revoked = StoredKey {
        revoked_at: Some(at(5)),
        ..one.clone()
    };
    for seconds in [5, 6] {
        let answer = store.revoke_key(&one.id, at(seconds)).await.unwrap();
        assert_eq!(answer.as_ref(), Some(&revoked));
    }
    assert_eq!(store.keys().await.unwrap(), [revoked, other]);
    let missing = KeyId::of(&[0xee; 32]);
    assert_eq!(store.revoke_key(&missing, at(7)).await.unwrap(), None);
    Passed
}
