//! Retention and compaction.

use super::*;
use crate::compaction;

#[tokio::test]
async fn only_what_is_past_its_retention_goes_and_the_end_stays() {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    for n in 0..4 {
        log.append(vec![new(EVENTS, 0, "k", &n.to_string())])
            .await
            .unwrap();
        harness.now.fetch_add(4000, Ordering::Relaxed);
    }
    // Now the ages are 16, 12, 8 and 4 s, the retention is 10 s.
    harness.keep().await;
    assert_eq!(texts(&read(&log, EVENTS, 0).await), ["2", "3"]);
    harness.now.fetch_add(1_000_000, Ordering::Relaxed);
    harness.keep().await;
    assert_eq!(log.stats().await.unwrap()[0].records, 1);
    drop(log);
    let log = harness.restarted().await;
    assert_eq!(
        log.append(vec![new(EVENTS, 0, "k", "4")]).await.unwrap(),
        [4]
    );
    harness.keep().await;
    assert_eq!(texts(&read(&log, EVENTS, 0).await), ["4"]);
    assert_eq!(log.stats().await.unwrap()[0].records, 1);
}

#[tokio::test]
async fn compaction_keeps_the_newest_of_each_key_under_concurrent_writes_and_reads() {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    let writer = tokio::spawn({
        let log = log.clone();
        async move {
            let mut expected = BTreeMap::new();
            for round in 0..60_u32 {
                let mut records = Vec::new();
                for n in 0..40 {
                    let (key, value) = (
                        format!("k{}", (round * 13 + n * n) % 50),
                        format!("{round}.{n}"),
                    );
                    records.push(new(TABLE, 0, &key, &value));
                    expected.insert(Bytes::from(key), Bytes::from(value));
                }
                let gone = format!("k{}", round % 50);
                records.push(tombstone(TABLE, 0, &gone));
                expected.remove(gone.as_bytes());
                log.append(records).await.unwrap();
            }
            expected
        }
    });
    let mut before: Vec<Record> = Vec::new();
    while !writer.is_finished() {
        harness.keep().await;
        let records = read(&log, TABLE, 0).await;
        assert!(
            records
                .windows(2)
                .all(|pair| pair[0].offset < pair[1].offset),
            "offsets rise"
        );
        for record in &before {
            let same = records.iter().find(|now| now.offset == record.offset);
            assert!(
                same.is_none_or(|same| same == record),
                "a record that stays stays as it was"
            );
        }
        // Whatever was true of the table before can only have been followed by newer records.
        let newest = |key: &Bytes| records.iter().rfind(|record| record.key == *key);
        for record in before.iter().filter(|record| record.value.is_some()) {
            assert!(newest(&record.key).is_some_and(|newest| newest.offset >= record.offset));
        }
        before = records;
    }
    let expected = writer.await.unwrap();
    harness.keep().await;
    let records = read(&log, TABLE, 0).await;
    assert_eq!(table(&records), expected);
    // The newest batch, of 41 records, is left alone.
    assert!(records.len() <= 50 + 41, "{} records", records.len());
    let stats = log.stats().await.unwrap();
    assert_eq!(stats[1].records, records.len() as u64);
    drop(log);
    let log = harness.restarted().await;
    assert_eq!(read(&log, TABLE, 0).await, records);
    assert_eq!(log.stats().await.unwrap(), stats);
}

#[tokio::test]
async fn tombstones_go_after_their_retention() {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    log.append(vec![new(TABLE, 0, "a", "1"), new(TABLE, 0, "b", "1")])
        .await
        .unwrap();
    log.append(vec![tombstone(TABLE, 0, "a")]).await.unwrap();
    log.append(vec![new(TABLE, 0, "c", "1")]).await.unwrap();
    harness.keep().await;
    let keys =
        |records: &[Record]| -> Vec<Bytes> { records.iter().map(|r| r.key.clone()).collect() };
    assert_eq!(keys(&read(&log, TABLE, 0).await), ["b", "a", "c"]);
    harness.now.fetch_add(10_001, Ordering::Relaxed);
    harness.keep().await;
    assert_eq!(keys(&read(&log, TABLE, 0).await), ["b", "c"]);
}

#[tokio::test]
async fn a_partition_is_due_when_more_came_than_was_kept() {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    let is_due = |least| {
        let standing = log.0.shared.topic(TABLE.name).unwrap().standing(0).unwrap();
        compaction::is_due(&standing, least)
    };
    // What is alike would be packed to nearly nothing.
    let unlike = |n: u32| -> String {
        let part =
            |part: u32| xxhash_rust::xxh3::xxh3_64(&[n, part].map(u32::to_le_bytes).concat());
        let parts: Vec<String> = (0..6).map(|of| format!("{:016x}", part(of))).collect();
        parts.concat()
    };
    let fill = |n: u32| {
        let records = (0..n).map(|n| new(TABLE, 0, &n.to_string(), &unlike(n)));
        log.append(records.collect())
    };
    fill(100).await.unwrap();
    assert!(
        is_due(1000) && !is_due(1 << 20),
        "all of it is new, but there has to be enough"
    );
    harness.keep().await;
    assert!(!is_due(1000));
    fill(60).await.unwrap();
    assert!(!is_due(1000));
    fill(60).await.unwrap();
    assert!(is_due(1000));
}
