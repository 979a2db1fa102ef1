//! What the tests against a real broker share.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use foretide_kafka::{KafkaLog, KafkaOptions};
use foretide_ports::{
    Cleanup, GroupEvent, GroupMember, Log, NewRecord, Reader, TopicName, TopicPartition, TopicSpec,
};

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_mins(2);
/// How long one call of `next` waits.
pub const A_MOMENT: Duration = Duration::from_millis(100);

/// A part of names that no other test of this run or an earlier one uses.
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Differs between processes even where their ids are equal, as in containers.
    static RUN: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    format!("{:x}-{}", *RUN, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A topic of its own name.
pub fn spec(partitions: u32) -> TopicSpec {
    let name = format!("test.{}", unique());
    let cleanup = Cleanup::Delete {
        retention_ms: 86_400_000,
    };
    TopicSpec {
        name: Box::leak(name.into_boxed_str()),
        partitions,
        cleanup,
    }
}

/// The settings of an instance.
pub fn options(brokers: &str, instance: &str) -> KafkaOptions {
    KafkaOptions {
        brokers: brokers.into(),
        instance: instance.into(),
        settings: Vec::new(),
    }
}

/// The log on `brokers` as `instance` sees it.
pub fn connect(brokers: &str, instance: &str) -> Arc<KafkaLog> {
    Arc::new(KafkaLog::connect(options(brokers, instance)).unwrap())
}

/// A record.
pub fn record(topic: TopicName, partition: u32, value: &str) -> NewRecord {
    NewRecord {
        at: TopicPartition { topic, partition },
        key: Bytes::from_static(b"key"),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    }
}

/// Everything of partition 0 of `topic`, as text.
pub async fn texts(log: &dyn Log, topic: TopicName) -> Vec<String> {
    let mut reader = log.reader(topic, &[(0, 0)]).await.unwrap();
    let mut texts = Vec::new();
    in_time(async {
        loop {
            let Some(chunk) = reader.next(A_MOMENT).await.unwrap() else {
                continue;
            };
            if chunk.records.is_empty() {
                return;
            }
            let value = |record: &foretide_ports::Record| {
                String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
            };
            texts.extend(chunk.records.iter().map(value));
        }
    })
    .await;
    texts
}

/// The next empty chunk's offset.
pub async fn end_of(reader: &mut dyn Reader) -> u64 {
    in_time(async {
        loop {
            if let Some(chunk) = reader.next(A_MOMENT).await.unwrap()
                && chunk.records.is_empty()
            {
                return chunk.next_offset;
            }
        }
    })
    .await
}

/// Waits for a future, unless it takes far too long.
pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap()
}

/// Drives `member` until something is assigned, starts it at `position` and returns what was assigned.
pub async fn assigned(member: &mut dyn GroupMember, position: u64) -> Vec<u32> {
    in_time(async {
        loop {
            match member.next(A_MOMENT).await.unwrap() {
                GroupEvent::Assigned(partitions) => {
                    let positions: Vec<_> = partitions.iter().map(|p| (*p, position)).collect();
                    member.start(&positions).await.unwrap();
                    return partitions;
                }
                GroupEvent::Revoked(partitions) => member.release(&partitions).await.unwrap(),
                _ => {}
            }
        }
    })
    .await
}

/// Drives `member` until it has `count` records.
pub async fn consume(member: &mut dyn GroupMember, count: usize) -> u64 {
    let (mut seen, mut next) = (0, 0);
    in_time(async {
        while seen < count {
            if let GroupEvent::Records(chunk) = member.next(A_MOMENT).await.unwrap() {
                seen += chunk.records.len();
                next = chunk.next_offset;
            }
        }
    })
    .await;
    next
}
