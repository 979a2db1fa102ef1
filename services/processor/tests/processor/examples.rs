//! Examples and moves are told with the commits of a processor, and none is lost or made up by what happens to it.

use std::collections::BTreeMap;

use foretide_events::EpochMs;
use foretide_ports::{EXAMPLES, Log as _, TRANSITIONS};
use proptest::prelude::*;
use serde_json::Value;

use crate::crashes::{Life, lives};
use crate::support::{NOW_MS, Rig, event, events, until};

const HOUR_MS: i64 = 3_600_000;

impl Rig {
    /// What a reader of `foretide.examples` is left with, of points at `until` or before: of each id the record with the highest
    /// revision, unless it was withdrawn, without what tells how often it was told.
    async fn examples(&self, until: EpochMs) -> BTreeMap<String, Value> {
        let mut left: BTreeMap<String, Value> = BTreeMap::new();
        for partition in 0..self.partitions {
            for record in self.held(EXAMPLES, partition).await {
                let value: Value = serde_json::from_slice(&record.value.unwrap()).unwrap();
                let id = value["id"].as_str().unwrap().to_owned();
                assert!(id.as_bytes().starts_with(&record.key[..]));
                let revision = |value: &Value| value["revision"].as_u64().unwrap();
                let known = left.get(&id).map(revision);
                if known.is_none_or(|known| known <= revision(&value)) {
                    left.insert(id, value);
                }
            }
        }
        left.retain(|_, value| {
            let at = value["at"].as_str().and_then(EpochMs::parse);
            value["withdrawn"] != true && at.is_some_and(|at| at <= until)
        });
        for value in left.values_mut() {
            value.as_object_mut().unwrap().remove("revision");
        }
        left
    }
}

/// The last hour before the newest event may be told or not.
fn certain() -> EpochMs {
    EpochMs(NOW_MS - 100 * HOUR_MS + 1_498 * 60_000 - HOUR_MS)
}

#[tokio::test]
async fn a_processor_tells_the_examples_of_history_and_of_live_sessions() {
    let rig = Rig::new(3).await;
    rig.append(&events(1_500, 10, 3)).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    rig.clock.set(NOW_MS + 48 * HOUR_MS);
    until("both kinds are told", async || {
        let left = rig.examples(certain()).await;
        let of = |kind: &str| left.values().any(|example| example["kind"] == kind);
        of("abandonment") && of("drift")
    })
    .await;
    let told = |kind: &str| running.metrics.examples.with_label_values(&[kind]).get();
    until("what was told is counted", async || {
        told("abandonment") > 0 && told("drift") > 0
    })
    .await;
    running.stop().await;
    for (id, example) in rig.examples(certain()).await {
        let features = example["features"].as_object().unwrap();
        assert!(features.contains_key("actions_30d"), "{id}");
        assert_eq!(example["reference"], "prior-1");
        assert!(example["as_of"].as_str() <= example["at"].as_str());
    }
}

#[tokio::test]
async fn a_linked_device_has_no_examples_of_its_own_and_those_of_the_known_shopper_name_it() {
    use foretide_events::Identity;

    let rig = Rig::new(1).await;
    let (known, device) = (crate::support::shopper(1), crate::support::shopper(2));
    let mut all = Vec::new();
    // The first event names both; what the device does after that is done without the name.
    let mut both = event("both", 1, EpochMs(NOW_MS - 200 * HOUR_MS), 0);
    both.identity = Identity {
        user: Some(known),
        anonymous: Some(device),
    };
    all.push(both);
    rig.append(&all).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    until("the device is linked", async || {
        let link = running
            .table
            .read(&device, |profile| profile.link().is_some());
        link == Some(true)
    })
    .await;
    let alone: Vec<_> = (0..6)
        .map(|day| {
            let at = EpochMs(NOW_MS - (190 - 24 * day) * HOUR_MS);
            let mut event = event(&format!("alone-{day}"), 2, at, 1);
            event.identity = Identity {
                user: None,
                anonymous: Some(device),
            };
            event
        })
        .collect();
    rig.append(&alone).await;
    rig.until_all_committed().await;
    rig.clock.set(NOW_MS + 48 * HOUR_MS);
    until("the known shopper is told", async || {
        let left = rig.examples(EpochMs(NOW_MS)).await;
        !left.is_empty()
    })
    .await;
    running.stop().await;
    for (id, example) in rig.examples(EpochMs(NOW_MS)).await {
        assert!(id.starts_with(&known.to_string()), "{id}");
        // What was shown to the device was shown to the known shopper.
        assert_eq!(example["devices"], serde_json::json!([device]), "{id}");
    }
}

/// Lives through `lives` and a last undisturbed one, and compares with a life that nothing disturbed.
async fn check(lives: Vec<Life>) {
    let all = events(1_500, 30, 9);
    let quiet = Rig::new(3).await;
    quiet.append(&all).await;
    let running = quiet.instance().start();
    quiet.until_all_committed().await;
    quiet.clock.set(NOW_MS + 48 * HOUR_MS);
    let mut told = 0;
    until("nothing more is told", async || {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        quiet.clock.advance(40_000);
        let ends: u64 = quiet.log.end_offsets(EXAMPLES).await.unwrap().iter().sum();
        let before = std::mem::replace(&mut told, ends);
        before == ends && ends > 0
    })
    .await;
    running.stop().await;
    let expected = quiet.examples(certain()).await;

    let rig = Rig::new(3).await;
    let folder = tempfile::tempdir().unwrap();
    rig.append(&all).await;
    for life in lives {
        let (running, course) = life.start(&rig, folder.path());
        until("it dies or is done", async || {
            course.is_dead() || rig.is_all_committed().await
        })
        .await;
        running.crash().await;
    }
    let running = rig.instance().start();
    rig.until_all_committed().await;
    rig.clock.set(NOW_MS + 48 * HOUR_MS);
    until("the same is told", async || {
        rig.clock.advance(1_000);
        rig.examples(certain()).await == expected
    })
    .await;
    running.stop().await;
    let moves = rig.log.end_offsets(TRANSITIONS).await.unwrap();
    assert_eq!(moves.iter().sum::<u64>(), 0, "there are no cohorts");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn crashes_at_any_moment_lose_no_example(lives in lives()) {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
            .block_on(check(lives));
    }
}
