//! A store that goes away and comes back.

use foretide_decision::catalogue::{SettingName, SettingValue};

use super::{
    Harness, Outcome,
    Outcome::{Passed, Skipped},
    at, offer, put,
    rejections::batch,
};
use crate::store::{Expected, KeyId, StoreError, StoreView};

const CANNOT: &str = "the harness cannot make this store absent";

fn is_away<T>(answer: Result<T, StoreError>) {
    let error = answer.err();
    assert!(matches!(error, Some(StoreError::Away(_))), "{error:?}");
}

/// Every question and every change; then everything again, with nothing lost.
pub async fn an_absent_store_answers_so_and_comes_back(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    assert_eq!(put(&*store, offer("o")).await, 1);
    if !harness.set_away(true).await {
        return Skipped(CANNOT);
    }
    is_away(store.health().await);
    is_away(store.revision().await);
    is_away(store.offers().await);
    is_away(store.put_offer(offer("o"), Expected::Any, at(1)).await);
    is_away(store.revoke_key(&KeyId::of(&[0; 32]), at(1)).await);
    is_away(
        store
            .remove_setting(SettingName::DriftThreshold, Expected::Any)
            .await,
    );
    is_away(store.add_rejections(batch(1), &[]).await);
    harness.set_away(false).await;
    store.health().await.unwrap();
    assert_eq!(put(&*store, offer("o")).await, 2);
    Passed
}

/// What was read last goes on being answered, and what changed later is seen.
pub async fn a_view_outlives_the_absence_of_its_store(harness: &dyn Harness) -> Outcome {
    let store = harness.open().await;
    put(&*store, offer("o")).await;
    let view = StoreView::load(store).await.unwrap();
    let before = view.current();
    if !harness.set_away(true).await {
        return Skipped(CANNOT);
    }
    is_away(view.refresh().await);
    assert_eq!(view.current(), before);
    harness.set_away(false).await;
    let value = SettingValue::MaxFeaturesAgeMs(1);
    let put = view.store().put_setting(value, Expected::Any, at(0)).await;
    view.refresh().await.unwrap();
    assert_eq!(view.current().settings, [put.unwrap()]);
    Passed
}
