//! Settings.

use std::sync::Arc;

use foretide_decision::catalogue::{MAX_FEATURES_AGE_LIMIT_MS, SettingName, SettingValue};
use foretide_events::Text;
use foretide_models::Probability;

use super::{Harness, Outcome, Outcome::Passed, at};
use crate::store::{Expected, StoreError};

fn threshold(share: f64) -> SettingValue {
    SettingValue::DiscountThreshold(Probability::new(share).unwrap())
}

fn names(names: &[(&str, &str)]) -> SettingValue {
    let entry = |(id, name): &(&str, &str)| (Text::new(id).unwrap(), Text::new(name).unwrap());
    SettingValue::CohortNames(Arc::new(names.iter().map(entry).collect()))
}

/// Numbers come back exactly.
pub async fn a_setting_is_read_back_until_it_is_removed(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let third = Probability::new(1.0 / 3.0).unwrap();
    let values = [
        threshold(0.0),
        threshold(5e-324),
        threshold(0.1 + 0.2),
        SettingValue::DriftThreshold(third),
        SettingValue::MaxFeaturesAgeMs(0),
        SettingValue::MaxFeaturesAgeMs(MAX_FEATURES_AGE_LIMIT_MS),
        names(&[]),
        names(&[("c-1", "Hat \"people\" \0 ü"), ("c-2", "Others")]),
    ];
    for value in values {
        let put = store
            .put_setting(value.clone(), Expected::Any, at(1))
            .await
            .unwrap();
        assert_eq!(
            (put.name, &put.value, put.updated_at),
            (value.name(), &value, at(1))
        );
        assert!(store.settings().await.unwrap().contains(&put));
    }
    let names: Vec<_> = store
        .settings()
        .await
        .unwrap()
        .into_iter()
        .map(|held| held.name)
        .collect();
    assert_eq!(names, SettingName::ALL);
    for name in SettingName::ALL {
        assert!(store.remove_setting(name, Expected::Any).await.unwrap());
        assert!(!store.remove_setting(name, Expected::Any).await.unwrap());
    }
    assert_eq!(store.settings().await.unwrap(), []);
    Passed
}

/// Not even when it was removed in between, so that an old version never fits by chance.
pub async fn versions_of_a_setting_never_repeat(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let first = store
        .put_setting(threshold(0.5), Expected::Absent, at(0))
        .await;
    assert_eq!(first.unwrap().version, 1);
    let second = store
        .put_setting(threshold(0.6), Expected::Version(1), at(0))
        .await;
    assert_eq!(second.unwrap().version, 2);
    store
        .remove_setting(SettingName::DiscountThreshold, Expected::Any)
        .await
        .unwrap();
    let third = store
        .put_setting(threshold(0.5), Expected::Absent, at(0))
        .await;
    assert!(third.unwrap().version > 2);
    Passed
}

/// What is there is told, and left as it is. One that was removed is not there.
pub async fn a_setting_changed_meanwhile_is_a_conflict(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    let conflict = |found| Err(StoreError::Conflict { found });
    store
        .put_setting(threshold(0.5), Expected::Any, at(0))
        .await
        .unwrap();
    let before = (
        store.revision().await.unwrap(),
        store.settings().await.unwrap(),
    );
    for expected in [Expected::Absent, Expected::Version(2)] {
        let refused = store.put_setting(threshold(0.9), expected, at(1)).await;
        assert_eq!(refused, conflict(Some(1)));
        let name = SettingName::DiscountThreshold;
        let kept = store.remove_setting(name, expected).await;
        assert_eq!(kept, Err(StoreError::Conflict { found: Some(1) }));
    }
    let after = (
        store.revision().await.unwrap(),
        store.settings().await.unwrap(),
    );
    assert_eq!(after, before);
    let removed = store
        .remove_setting(SettingName::DiscountThreshold, Expected::Version(1))
        .await;
    assert_eq!(removed, Ok(true));
    let refused = store
        .put_setting(threshold(0.9), Expected::Version(1), at(1))
        .await;
    assert_eq!(refused, conflict(None));
    Passed
}
