//! Sizes and kinds of records.

use bytes::Bytes;

use super::{
    Harness, Outcome,
    support::{counting, log_with_topic, pairs, read_all, read_first, record, texts, tombstone},
};
use crate::{LogError, MAX_RECORD_BYTES, NewRecord, Record, TopicPartition};

/// A payload of `size` bytes that does not compress to nothing.
fn payload(size: usize) -> Bytes {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..size).map(|_| next()).collect()
}

/// From nothing at all to 900 KiB, keys too.
pub async fn large_and_empty_payloads_come_back_whole(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    let at = TopicPartition {
        topic,
        partition: 0,
    };
    let new = |key: Bytes, value: Bytes| NewRecord {
        at,
        key,
        value: Some(value),
    };
    let records = [
        new(Bytes::from_static(b"k"), Bytes::new()),
        new(Bytes::from_static(b"k"), payload(900 * 1024)),
        new(Bytes::new(), Bytes::from_static(b"no key")),
        new(payload(10_000), payload(1)),
        new(Bytes::from_static(b"k"), payload(900 * 1024)),
        new(Bytes::new(), Bytes::new()),
    ];
    for record in &records {
        log.append(vec![record.clone()]).await.unwrap();
    }
    log.append(records.to_vec()).await.unwrap();
    let found = read_first(log.as_ref(), topic).await;
    let expected: Vec<_> = records.iter().chain(&records).collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.key == expected.key,
            "the key of {} bytes",
            expected.key.len()
        );
        assert!(
            found.value == expected.value,
            "the value at offset {}",
            found.offset
        );
    }
    Outcome::Passed
}

/// More than one chunk of reading.
pub async fn an_append_of_many_records_comes_back_whole(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 2).await;
    let topic = spec.name;
    let filler = "x".repeat(300);
    let records: Vec<_> = (0..10_000_u32)
        .map(|n| record(topic, n % 2, &n.to_string(), &format!("{n} {filler}")))
        .collect();
    assert_eq!(log.append(records).await.unwrap().len(), 10_000);
    let found = read_all(log.as_ref(), topic, 2).await;
    for (first, found) in (0_u32..).zip(&found) {
        let keys: Vec<String> = pairs(found).into_iter().map(|(key, _)| key).collect();
        let expected: Vec<String> = (0..5_000).map(|n| (2 * n + first).to_string()).collect();
        assert_eq!(keys, expected);
    }
    Outcome::Passed
}

/// One of exactly the limit is taken. The refusal of one byte more names size and limit; the log goes on.
pub async fn a_record_too_large_is_refused_and_harms_no_other(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    log.append(counting(topic, 0, 0, 1)).await.unwrap();
    let at = TopicPartition {
        topic,
        partition: 0,
    };
    let key = Bytes::from_static(b"key");
    let of_size = |bytes: usize| NewRecord {
        at,
        key: key.clone(),
        value: Some(payload(bytes - key.len())),
    };
    let error = log
        .append(vec![of_size(MAX_RECORD_BYTES + 1)])
        .await
        .unwrap_err();
    let (bytes, limit) = (MAX_RECORD_BYTES + 1, MAX_RECORD_BYTES);
    assert_eq!(error, LogError::TooLarge { bytes, limit });
    log.append(vec![of_size(MAX_RECORD_BYTES)]).await.unwrap();
    log.append(counting(topic, 0, 1, 1)).await.unwrap();
    let found = read_first(log.as_ref(), topic).await;
    let sizes: Vec<usize> = found.iter().map(Record::bytes).collect();
    assert_eq!(sizes, [4, MAX_RECORD_BYTES, 4]);
    assert_eq!(texts(&[found[0].clone(), found[2].clone()]), ["0", "1"]);
    Outcome::Passed
}

/// A tombstone is not an empty value.
pub async fn tombstones_come_back_as_tombstones(harness: &dyn Harness) -> Outcome {
    let (log, spec) = log_with_topic(harness, 1).await;
    let topic = spec.name;
    log.append(vec![
        record(topic, 0, "a", "1"),
        tombstone(topic, 0, "a"),
        record(topic, 0, "a", ""),
    ])
    .await
    .unwrap();
    assert_eq!(
        texts(&read_first(log.as_ref(), topic).await),
        ["1", "-", ""]
    );
    Outcome::Passed
}
