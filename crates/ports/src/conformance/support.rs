//! What the checks have in common.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;

use super::Harness;
use crate::{
    Cleanup, Log, LogError, NewRecord, Reader, Record, TopicName, TopicPartition, TopicSpec,
};

/// How long anything may take before a check gives up. Far beyond what any log needs, rebalances included.
pub(super) const DEADLINE: Duration = Duration::from_mins(2);

/// How long one call of `next` waits.
pub(super) const A_MOMENT: Duration = Duration::from_millis(200);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Waits for `what`, unless it takes far too long.
pub(super) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("gave up waiting until {what}"))
}

/// A topic of a name of its own that keeps everything for a day.
pub(super) fn spec(harness: &dyn Harness, partitions: u32) -> TopicSpec {
    let name = format!("conformance.{}", harness.unique());
    TopicSpec {
        // Names live as long as the program, as the product's do.
        name: Box::leak(name.into_boxed_str()),
        partitions,
        cleanup: Cleanup::Delete {
            retention_ms: DAY_MS,
        },
    }
}

/// A compacted topic of a name of its own.
pub(super) fn compacted_spec(harness: &dyn Harness, partitions: u32) -> TopicSpec {
    let cleanup = Cleanup::Compact {
        delete_retention_ms: DAY_MS,
    };
    TopicSpec {
        cleanup,
        ..spec(harness, partitions)
    }
}

/// What an instance sees that has declared `topics`, as each does when it starts.
pub(super) async fn instance(
    harness: &dyn Harness,
    name: &str,
    topics: &[TopicSpec],
) -> Arc<dyn Log> {
    let log = harness.open(name).await;
    log.declare(topics).await.unwrap();
    log
}

/// A log with one new topic.
pub(super) async fn log_with_topic(
    harness: &dyn Harness,
    partitions: u32,
) -> (Arc<dyn Log>, TopicSpec) {
    let spec = spec(harness, partitions);
    (instance(harness, "first", &[spec]).await, spec)
}

/// A record.
pub(super) fn record(topic: TopicName, partition: u32, key: &str, value: &str) -> NewRecord {
    NewRecord {
        at: TopicPartition { topic, partition },
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    }
}

/// A record without a value.
pub(super) fn tombstone(topic: TopicName, partition: u32, key: &str) -> NewRecord {
    NewRecord {
        value: None,
        ..record(topic, partition, key, "")
    }
}

/// `count` records of `partition` whose values count up from `first`, all of one key.
pub(super) fn counting(
    topic: TopicName,
    partition: u32,
    first: usize,
    count: usize,
) -> Vec<NewRecord> {
    (first..first + count)
        .map(|n| record(topic, partition, "key", &n.to_string()))
        .collect()
}

/// A record's value as text; a tombstone's is `-`.
pub(super) fn text(record: &Record) -> String {
    match &record.value {
        Some(value) => String::from_utf8(value.to_vec()).unwrap(),
        None => "-".to_owned(),
    }
}

/// The values of `records` as text.
pub(super) fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(text).collect()
}

/// Keys and values of `records` as text.
pub(super) fn pairs(records: &[Record]) -> Vec<(String, String)> {
    let key = |record: &Record| String::from_utf8(record.key.to_vec()).unwrap();
    records
        .iter()
        .map(|record| (key(record), text(record)))
        .collect()
}

/// Reads with `reader` until each of `partitions` said that it was read to its end.
pub(super) async fn read_to_ends(
    reader: &mut dyn Reader,
    partitions: &[u32],
) -> BTreeMap<u32, Vec<Record>> {
    let mut found: BTreeMap<u32, Vec<Record>> =
        partitions.iter().map(|p| (*p, Vec::new())).collect();
    let mut at_end: BTreeMap<u32, bool> = partitions.iter().map(|p| (*p, false)).collect();
    let mut next: BTreeMap<u32, u64> = BTreeMap::new();
    in_time("the topic was read to its end", async {
        while at_end.values().any(|at_end| !at_end) {
            let Some(chunk) = reader.next(A_MOMENT).await.unwrap() else {
                continue;
            };
            let partition = chunk.from.partition;
            let records = found
                .get_mut(&partition)
                .expect("a partition that was asked for");
            assert!(
                next.insert(partition, chunk.next_offset) <= Some(chunk.next_offset),
                "positions never fall"
            );
            at_end.insert(partition, chunk.records.is_empty());
            records.extend(chunk.records);
            let offsets: Vec<u64> = records.iter().map(|record| record.offset).collect();
            assert!(
                offsets.windows(2).all(|pair| pair[0] < pair[1]),
                "offsets rise: {offsets:?}"
            );
            assert!(
                offsets.last() < Some(&chunk.next_offset),
                "reading goes on after the last"
            );
        }
    })
    .await;
    found
}

/// Everything of `topic` from its beginning, by partition.
pub(super) async fn read_all(log: &dyn Log, topic: TopicName, count: u32) -> Vec<Vec<Record>> {
    let positions: Vec<(u32, u64)> = (0..count).map(|partition| (partition, 0)).collect();
    let partitions: Vec<u32> = (0..count).collect();
    let mut reader = log.reader(topic, &positions).await.unwrap();
    read_to_ends(reader.as_mut(), &partitions)
        .await
        .into_values()
        .collect()
}

/// Everything of partition 0 of `topic`.
pub(super) async fn read_first(log: &dyn Log, topic: TopicName) -> Vec<Record> {
    read_all(log, topic, 1).await.remove(0)
}

/// Whether the log could not or would not store, for a reason that may pass.
pub(super) fn is_passing_trouble(error: &LogError) -> bool {
    matches!(error, LogError::Away(_) | LogError::Full(_))
}
