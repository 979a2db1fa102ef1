//! Bytes that are not as they were written.

use std::fs;

use foretide_ports::LogError;

use super::*;
use crate::{journal, store::Store};

/// Spoils the batch of a partition that ends at `last`, in a store that nobody has open.
fn spoil(store: &Path, topic: TopicSpec, partition: u32, last: u64) {
    let store = Store::open(store).unwrap();
    store.attach(topic.name, topic.partitions).unwrap();
    let at = TopicPartition {
        topic: topic.name,
        partition,
    };
    let (_, _, value) = store
        .batches(at, 0)
        .map(Result::unwrap)
        .find(|(own, _, _)| *own == last)
        .unwrap();
    let mut spoiled = value.to_vec();
    *spoiled.last_mut().unwrap() ^= 1;
    let mut change = store.change();
    change.put(
        &store.partitions(topic.name)[partition as usize],
        last,
        spoiled.into(),
    );
    change.commit().unwrap();
}

async fn with_three_batches() -> EmbeddedHarness {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    for n in 0..3 {
        let value = n.to_string();
        log.append(vec![
            new(EVENTS, 1, "k", &value),
            new(EVENTS, 1, "k", &value),
        ])
        .await
        .unwrap();
    }
    drop(log);
    *harness.log.lock() = None;
    harness
}

#[tokio::test]
async fn a_damaged_batch_is_reported_with_its_place() {
    let harness = with_three_batches().await;
    spoil(&harness.path().join("store"), EVENTS, 1, 3);
    let log = harness.restarted().await;
    let mut reader = log.reader(EVENTS.name, &[(1, 0)]).await.unwrap();
    let error = reader.next(std::time::Duration::ZERO).await.unwrap_err();
    let LogError::Damaged(why) = error else {
        panic!("{error:?}")
    };
    assert!(
        why.contains("events/1") && why.contains("offset 3"),
        "{why}"
    );
    let mut beyond = log.reader(EVENTS.name, &[(1, 4)]).await.unwrap();
    let chunk = beyond
        .next(std::time::Duration::ZERO)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(texts(&chunk.records), ["2", "2"]);
}

#[tokio::test]
async fn a_partition_whose_end_is_damaged_is_refused() {
    let harness = with_three_batches().await;
    spoil(&harness.path().join("store"), EVENTS, 1, 5);
    harness.reopen();
    let error = harness.log().declare(&[EVENTS]).await.unwrap_err();
    assert!(
        matches!(&error, LogError::Damaged(why) if why.contains("events/1")),
        "{error:?}"
    );
}

/// The newest journal of a log that crashed, and the sizes of its whole changes.
fn journal(harness: &EmbeddedHarness) -> (PathBuf, Vec<u8>, Vec<usize>) {
    let store = harness.path().join("store");
    let path = journal::journals(&store).unwrap().pop().unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut sizes = Vec::new();
    let mut at = 0;
    while let Some(size) = journal::change_at(&bytes[at..]) {
        sizes.push(size);
        at += size;
    }
    (path, bytes, sizes)
}

/// Zeroes some bytes in the middle of the change number `number`, counted from the end, from 1.
fn tear(harness: &EmbeddedHarness, number: usize) {
    let (path, mut bytes, sizes) = journal(harness);
    assert!(sizes.len() >= 3, "{sizes:?}");
    let end: usize = sizes[..=sizes.len() - number].iter().sum();
    bytes[end - 40..end - 20].fill(0);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_change_torn_by_a_power_cut_is_cut_off_and_nothing_else() {
    let harness = with_three_batches().await;
    tear(&harness, 1);
    let log = harness.restarted().await;
    assert_eq!(texts(&read(&log, EVENTS, 1).await), ["0", "0", "1", "1"]);
    log.append(vec![new(EVENTS, 1, "k", "again")])
        .await
        .unwrap();
    drop(log);
    let log = harness.restarted().await;
    assert_eq!(
        texts(&read(&log, EVENTS, 1).await),
        ["0", "0", "1", "1", "again"]
    );
}

#[tokio::test]
async fn a_hole_before_a_whole_change_is_damage() {
    let harness = with_three_batches().await;
    tear(&harness, 2);
    let opened = Store::open(&harness.path().join("store")).map(drop);
    assert!(matches!(opened, Err(LogError::Damaged(_))), "{opened:?}");
    let opened = journal::open_store(&harness.path().join("store")).map(drop);
    assert!(matches!(opened, Err(LogError::Damaged(_))), "{opened:?}");
}

#[tokio::test]
async fn journals_that_are_settled_hold_what_they_held() {
    let harness = with_three_batches().await;
    let (path, before, _) = journal(&harness);
    journal::settle(&harness.path().join("store")).unwrap();
    assert_eq!(fs::read(path).unwrap(), before);
    let log = harness.restarted().await;
    assert_eq!(read(&log, EVENTS, 1).await.len(), 6);
}
