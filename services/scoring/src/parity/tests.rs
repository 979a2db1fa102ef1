//! A shop whose served profiles are held against its log.

use std::sync::Arc;

use foretide_events::{Event, EventId, Identity, ShopperId, SourceId, wire};
use foretide_features::{FoldRules, Profile};
use foretide_ports::{ACTIONS, Log as _, NewRecord, ReadOnlyLog, TopicPartition, shopper_key};
use foretide_runtime::{CancellationToken, prometheus::Registry};

use super::{Follower, Parity, Sample, Share};
use crate::{
    ScoringConfig,
    testing::{MINUTE_MS, NOW, Shop, config, shopper_of, view},
};

fn everyone() -> ScoringConfig {
    ScoringConfig {
        parity_sample: "1".parse().unwrap(),
        ..config()
    }
}

/// An event of `user`, numbered.
fn event(user: &str, number: i64) -> Event {
    let (shopper, at) = (shopper_of(user), NOW.plus((number - 100) * MINUTE_MS));
    Event {
        id: EventId::new(&format!("{user}-{number}")).unwrap(),
        at,
        received_at: at,
        shopper,
        identity: Identity {
            user: Some(shopper),
            anonymous: None,
        },
        session: None,
        source: SourceId::new("key:0123abcd").unwrap(),
        action: view(&format!("p{number}")),
    }
}

/// Appends events to the log of `shop`, each with its offset.
async fn append(shop: &Shop, events: impl IntoIterator<Item = Event>) -> Vec<(u64, Event)> {
    let mut appended = Vec::new();
    for event in events {
        let mut value = Vec::new();
        wire::encode(&event, &mut value);
        let record = NewRecord {
            at: TopicPartition {
                topic: ACTIONS,
                partition: shop.table.partition_of(&event.shopper),
            },
            key: shopper_key(&event.shopper).to_vec().into(),
            value: Some(value.into()),
        };
        let offset = shop.log.append(vec![record]).await.unwrap()[0];
        appended.push((offset, event));
    }
    appended
}

/// Folds events as the processor does.
fn fold(shop: &Shop, events: &[(u64, Event)]) {
    for (offset, event) in events {
        shop.table.update(&event.shopper, |profile| {
            let _ = profile.apply(event, *offset, &FoldRules::default());
        });
    }
}

/// What the gauge shows: compared, different.
fn counts(shop: &Shop) -> (u64, u64) {
    let of = |name: &str| shop.metric(&format!("foretide_parity_{name}_total"), None);
    (of("compared"), of("different"))
}

async fn serve(shop: &Shop, shopper: &ShopperId) {
    shop.get(&format!("/v1/shoppers/{shopper}/features"))
        .await
        .ok();
}

/// Lets the gauge work until `done`.
async fn until(done: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if done() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the gauge shows nothing");
}

struct Running {
    shop: Shop,
    ending: CancellationToken,
}

/// A shop of some shoppers, whose gauge runs.
async fn running(begin: impl AsyncFnOnce(&Shop)) -> Running {
    let mut shop = Shop::with(everyone()).declared().await;
    begin(&shop).await;
    let log = ReadOnlyLog::new(Arc::new(shop.log.clone()));
    let (_, nothing) = Parity::new("0".parse().unwrap(), &Registry::new()).unwrap();
    let (table, rules) = (Arc::clone(&shop.table), FoldRules::default());
    let idle = Follower::new(log, table, rules, nothing);
    let follower = std::mem::replace(&mut shop.background.parity, idle);
    let ending = CancellationToken::new();
    tokio::spawn(follower.run(ending.clone()));
    Running { shop, ending }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

#[tokio::test]
async fn what_is_served_is_what_the_log_comes_to() {
    let running = running(async |shop| {
        let events = (0..60)
            .zip(["ann", "bob", "eve"].into_iter().cycle())
            .map(|(n, user)| event(user, n));
        let appended = append(shop, events).await;
        fold(shop, &appended);
    })
    .await;
    let shop = &running.shop;
    for user in ["ann", "bob", "eve"] {
        serve(shop, &shopper_of(user)).await;
    }
    until(|| counts(shop) == (3, 0)).await;
    // The log is ahead of what is served: the recomputed profile is brought to where that is, not further.
    let ahead = append(shop, (60..90).map(|n| event("ann", n))).await;
    fold(shop, &ahead[..7]);
    serve(shop, &shopper_of("ann")).await;
    fold(shop, &ahead[7..]);
    serve(shop, &shopper_of("ann")).await;
    let past = NOW.plus(-70 * MINUTE_MS);
    shop.get(&format!(
        "/v1/shoppers/{}/features?at={past}",
        shopper_of("ann")
    ))
    .await
    .ok();
    until(|| counts(shop) == (6, 0)).await;
}

#[tokio::test]
async fn a_profile_that_was_damaged_moves_the_gauge() {
    let running = running(async |shop| {
        let appended = append(shop, (0..20).map(|n| event("ann", n))).await;
        fold(shop, &appended);
    })
    .await;
    let (shop, shopper) = (&running.shop, shopper_of("ann"));
    serve(shop, &shopper).await;
    until(|| counts(shop) == (1, 0)).await;
    // The same position, one event less.
    let position = shop.table.read(&shopper, Profile::next_offset).unwrap();
    let mut damaged = Profile::new(shopper);
    for n in 0..19 {
        let offset = position - 19 + u64::try_from(n).unwrap();
        assert!(
            damaged
                .apply(&event("ann", n), offset, &FoldRules::default())
                .is_some()
        );
    }
    assert_eq!(damaged.next_offset(), position);
    shop.table.insert(damaged);
    serve(shop, &shopper).await;
    until(|| counts(shop) == (2, 1)).await;
}

#[tokio::test]
async fn a_profile_that_nothing_on_the_log_explains_moves_the_gauge() {
    let running = running(async |_| {}).await;
    let (shop, shopper) = (&running.shop, shopper_of("ann"));
    // Applied at offset 0, which another shopper's event has.
    fold(shop, &[(0, event("ann", 1))]);
    let partition = shop.table.partition_of(&shopper);
    let elsewhere = |user: &String| shop.table.partition_of(&shopper_of(user)) == partition;
    let other = (0..10_000)
        .map(|n| format!("other-{n}"))
        .find(elsewhere)
        .unwrap();
    append(shop, [event(&other, 1)]).await;
    serve(shop, &shopper).await;
    until(|| counts(shop) == (1, 1)).await;
}

#[test]
fn a_share_of_shoppers_is_drawn_and_nobody_at_nothing() {
    let shopper = |n: u32| ShopperId(u128::from(n).to_be_bytes());
    let drawn = |share: &str| {
        let sample = Sample::new(share.parse().unwrap());
        (0..10_000).filter(|n| sample.holds(&shopper(*n))).count()
    };
    assert_eq!((drawn("0"), drawn("1")), (0, 10_000));
    let some = drawn("0.2");
    assert!((1_500..2_500).contains(&some), "{some}");
    for odd in ["", "-0.1", "1.1", "NaN", "few"] {
        assert!(odd.parse::<Share>().is_err(), "{odd}");
    }
}
