//! Profiles of another version: refused, and folded anew in their place.

use std::sync::Arc;

use foretide_features::FoldRules;
use foretide_ports::{
    Log, NewRecord, PROFILES, ProfileTable, ReadOnlyLog, TopicPartition, shopper_key,
};
use foretide_processor::{
    Follower, FollowerParts, ProcessorError, Refold, Refolded, SourceCounts, fold_all,
    published::{self, Key},
};
use foretide_runtime::{CancellationToken, Readiness};

/// How long others have to leave the group.
const SOON: std::time::Duration = std::time::Duration::from_secs(1);

use crate::support::{LONG, Rig, events, shopper};

/// A log whose processor has ended, and whose profiles another version made.
async fn outdated(partitions: u32) -> Rig {
    let rig = Rig::new(partitions).await;
    rig.append(&events(1_000, 5, 91)).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    running.stop().await;
    for partition in 0..partitions {
        // As a log that was never compacted.
        for record in rig.held(PROFILES, partition).await {
            let mut value = record.value.unwrap().to_vec();
            if matches!(published::parse_key(&record.key), Some(Key::Profile(_))) {
                // The version of its rules.
                value[1] ^= 0xff;
            }
            let at = TopicPartition {
                topic: PROFILES,
                partition,
            };
            let (key, value) = (record.key, Some(value.into()));
            rig.log
                .append(vec![NewRecord { at, key, value }])
                .await
                .unwrap();
        }
    }
    rig
}

async fn fold(rig: &Rig) -> Refold {
    let log = ReadOnlyLog::new(Arc::new(rig.log.clone()));
    let folding = Refold::fold(&log, rig.partitions, FoldRules::default(), |_| ());
    folding.await.unwrap()
}

async fn refold(rig: &Rig) -> Result<Refolded, ProcessorError> {
    publish(fold(rig).await, rig).await
}

async fn publish(folded: Refold, rig: &Rig) -> Result<Refolded, ProcessorError> {
    folded.publish(&rig.log, "refold", SOON, |_| ()).await
}

fn is_other_version(ended: &Result<(), ProcessorError>) -> bool {
    let Err(error @ ProcessorError::OtherVersion { shoppers: 40, .. }) = ended else {
        return false;
    };
    let told = error.to_string();
    told.contains("folded under rules") && told.contains("foretide refold")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_goes_on_from_profiles_of_another_version_and_all_say_what_to_do() {
    let rig = outdated(2).await;
    let ended = tokio::time::timeout(LONG, rig.instance().start().task);
    let ended = ended.await.unwrap().unwrap();
    assert!(is_other_version(&ended), "{ended:?}");
    let log = ReadOnlyLog::new(Arc::new(rig.log.clone()));
    let digested = fold_all(&log, 2, FoldRules::default(), |_| ()).await;
    assert!(is_other_version(&digested.map(drop)));
    let readiness = Readiness::new().component("profiles");
    let follower = Follower::new(FollowerParts {
        log: Arc::new(rig.log.clone()),
        table: ProfileTable::new(2),
        counts: SourceCounts::new(2),
        rules: FoldRules::default(),
        clock: Arc::new(rig.clock.clone()),
        readiness: readiness.clone(),
    });
    let following = tokio::time::timeout(LONG, follower.run(CancellationToken::new()));
    let ended = following.await.unwrap();
    assert!(is_other_version(&ended), "{ended:?}");
    assert!(!readiness.is_ready());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_folded_anew_goes_on_as_if_this_version_had_made_it_all() {
    let rig = outdated(3).await;
    let done = refold(&rig).await.unwrap();
    let expected = rig.expected().await.digest;
    assert_eq!((&done.digest, done.shoppers), (&expected.digest, 40));
    assert_eq!((done.events, done.gone), (expected.events, 0));
    assert_eq!(rig.digest().await, expected);

    // What is older stays on the log, and disturbs nobody.
    let dir = tempfile::tempdir().unwrap();
    for seed in [92, 93] {
        let running = rig.instance().with_checkpoints(dir.path()).start();
        rig.append(&events(500, 5, seed)).await;
        rig.until_all_committed().await;
        running.stop().await;
        assert_eq!(rig.digest().await, rig.expected().await.digest);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folding_anew_twice_or_where_nothing_is_outdated_changes_no_profile() {
    let rig = outdated(2).await;
    let first = refold(&rig).await.unwrap();
    assert_eq!(refold(&rig).await.unwrap(), first);
    assert_eq!(rig.digest().await, rig.expected().await.digest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_broke_off_is_noticed_and_can_be_done_again() {
    let rig = outdated(2).await;
    let refold_one = fold(&rig).await;
    let log = rig.log.clone();
    // The log goes away after the first records.
    let broke_off = refold_one.publish(&rig.log, "refold", SOON, move |_| {
        log.faults().set_away(true);
    });
    assert!(matches!(broke_off.await, Err(ProcessorError::Log(_))));
    rig.log.faults().set_away(false);
    let ended = tokio::time::timeout(LONG, rig.instance().start().task);
    let ended = ended.await.unwrap().unwrap();
    assert!(matches!(ended, Err(ProcessorError::OtherVersion { .. })));
    refold(&rig).await.unwrap();
    assert_eq!(rig.digest().await, rig.expected().await.digest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shopper_without_actions_on_the_log_is_counted_and_then_gone() {
    let rig = outdated(1).await;
    let stranger = shopper(77_777);
    let mut record = rig.held(PROFILES, 0).await.remove(0);
    record.key = shopper_key(&stranger).to_vec().into();
    record.value = Some(vec![1].into());
    rig.append_profiles(vec![record]).await;
    let folded = fold(&rig).await;
    assert_eq!((folded.gone(), folded.missing()), (1, 0));
    assert_eq!(publish(folded, &rig).await.unwrap().gone, 1);
    assert_eq!(rig.digest().await, rig.expected().await.digest);
    assert_eq!(fold(&rig).await.gone(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_processor_that_works_meanwhile_is_noticed_before_anything_is_written() {
    let rig = Rig::new(1).await;
    rig.append(&events(100, 0, 94)).await;
    let folded = fold(&rig).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    running.stop().await;
    let before = rig.log.end_offsets(PROFILES).await.unwrap();
    let refused = publish(folded, &rig).await;
    assert_eq!(refused, Err(ProcessorError::AtWork));
    assert_eq!(rig.log.end_offsets(PROFILES).await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_processor_that_only_idles_is_noticed_as_well() {
    let rig = Rig::new(2).await;
    rig.append(&events(100, 0, 95)).await;
    let running = rig.instance().start();
    rig.until_all_committed().await;
    // Nothing comes, and nothing is committed any more.
    let before = rig.log.end_offsets(PROFILES).await.unwrap();
    assert_eq!(refold(&rig).await, Err(ProcessorError::AtWork));
    assert_eq!(rig.log.end_offsets(PROFILES).await.unwrap(), before);
    rig.until_all_committed().await;
    running.stop().await;
    refold(&rig).await.unwrap();
}

/// A log whose refold broke off when every profile was written, and no counts.
async fn without_counts() -> Rig {
    let rig = outdated(1).await;
    let refolding = fold(&rig).await;
    let log = rig.log.clone();
    // All profiles are in the first portion, but for the counts of 40 shoppers.
    let before = rig.log.end_offsets(PROFILES).await.unwrap()[0];
    publish(refolding, &rig).await.unwrap();
    let held = rig.held(PROFILES, 0).await;
    let written = held.into_iter().filter(|record| record.offset >= before);
    let written: Vec<_> = written.collect();
    assert!(written[0].value.is_none(), "the counts go first");
    assert!(published::parse_key(&written.last().unwrap().key) == Some(Key::Counts(0)));
    let counts = NewRecord {
        at: TopicPartition {
            topic: PROFILES,
            partition: 0,
        },
        key: written.last().unwrap().key.clone(),
        value: None,
    };
    log.append(vec![counts]).await.unwrap();
    rig
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_broke_off_before_the_counts_is_noticed_by_all() {
    let rig = without_counts().await;
    let is_told = |error: &ProcessorError| {
        *error == ProcessorError::NoCounts { partition: 0 }
            && error.to_string().contains("foretide refold")
    };
    let ended = tokio::time::timeout(LONG, rig.instance().start().task);
    let ended = ended.await.unwrap().unwrap();
    assert!(is_told(&ended.unwrap_err()));
    let log = ReadOnlyLog::new(Arc::new(rig.log.clone()));
    let digested = fold_all(&log, 1, FoldRules::default(), |_| ()).await;
    assert!(is_told(&digested.map(drop).unwrap_err()));
    refold(&rig).await.unwrap();
    assert_eq!(rig.digest().await, rig.expected().await.digest);
}
