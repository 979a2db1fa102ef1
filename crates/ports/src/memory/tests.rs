use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use foretide_events::EpochMs;

use super::*;
use crate::{Chunk, Cleanup, GroupEvent, Records, TopicPartition, conformance::Harness};

/// Two days, longer than any retention of the suite.
const LONG_MS: i64 = 2 * 24 * 60 * 60 * 1000;

struct MemoryHarness {
    log: MemoryLog,
    now: Arc<AtomicI64>,
}

impl MemoryHarness {
    fn new() -> Self {
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let read = Arc::clone(&now);
        let log = MemoryLog::new(Arc::new(move || EpochMs(read.load(Ordering::Relaxed))));
        Self { log, now }
    }
}

#[async_trait]
impl Harness for MemoryHarness {
    async fn open(&self, _: &str) -> Arc<dyn Log> {
        Arc::new(self.log.clone())
    }

    async fn set_away(&self, away: bool) -> bool {
        self.log.faults().set_away(away);
        true
    }

    async fn set_full(&self, full: bool) -> bool {
        self.log.faults().set_full(full);
        true
    }

    async fn fail_next_commit(&self, takes_effect: bool) -> bool {
        self.log.faults().fail_next_commit(takes_effect);
        true
    }

    async fn compact(&self) -> bool {
        self.log.compact();
        true
    }

    async fn expire(&self) -> bool {
        self.now.fetch_add(LONG_MS, Ordering::Relaxed);
        self.log.expire();
        true
    }
}

crate::conformance::suite!(MemoryHarness::new());

mod faults {
    use super::*;
    use crate::{Cleanup, Record};

    const SPEC: TopicSpec = TopicSpec {
        name: "t",
        partitions: 1,
        cleanup: Cleanup::Delete { retention_ms: 1000 },
    };

    fn new(value: &'static str) -> NewRecord {
        let at = TopicPartition {
            topic: "t",
            partition: 0,
        };
        NewRecord {
            at,
            key: "k".into(),
            value: Some(value.into()),
        }
    }

    async fn held(log: &MemoryLog) -> Vec<Record> {
        let mut reader = log.reader("t", &[(0, 0)]).await.unwrap();
        reader
            .next(std::time::Duration::ZERO)
            .await
            .unwrap()
            .unwrap()
            .records
    }

    #[tokio::test]
    async fn an_append_fails_with_or_without_being_stored() {
        let log = MemoryHarness::new().log;
        log.declare(&[SPEC]).await.unwrap();
        log.faults().fail_next_appends(1, false);
        log.faults().fail_next_appends(1, true);
        assert!(matches!(
            log.append(vec![new("lost")]).await,
            Err(LogError::Away(_))
        ));
        assert!(matches!(
            log.append(vec![new("stored")]).await,
            Err(LogError::Away(_))
        ));
        log.append(vec![new("taken")]).await.unwrap();
        let values: Vec<_> = held(&log)
            .await
            .into_iter()
            .filter_map(|r| r.value)
            .collect();
        assert_eq!(values, ["stored", "taken"]);
    }

    #[tokio::test]
    async fn a_tombstone_past_its_retention_goes_with_the_next_compaction() {
        let harness = MemoryHarness::new();
        let log = &harness.log;
        let cleanup = Cleanup::Compact {
            delete_retention_ms: 1000,
        };
        log.declare(&[TopicSpec { cleanup, ..SPEC }]).await.unwrap();
        let tombstone = NewRecord {
            value: None,
            ..new("")
        };
        log.append(vec![new("1"), tombstone]).await.unwrap();
        log.compact();
        assert_eq!(held(log).await.len(), 1);
        harness.now.fetch_add(1001, Ordering::Relaxed);
        log.compact();
        assert!(held(log).await.is_empty());
        assert_eq!(log.end_offsets("t").await.unwrap(), [2]);
    }
}

/// Remembers what the group had committed when records came.
struct Looking {
    log: MemoryLog,
    seen: Vec<(usize, Vec<Option<u64>>)>,
}

#[async_trait]
impl Records for Looking {
    async fn take(&mut self, chunk: Chunk) {
        let committed = self.log.committed("g", "t").await.unwrap();
        self.seen.push((chunk.records.len(), committed));
    }
}

#[tokio::test(start_paused = true)]
async fn records_come_while_a_commit_is_under_way() {
    let log = MemoryHarness::new().log;
    let cleanup = Cleanup::Delete { retention_ms: 1 };
    let topic = TopicSpec {
        name: "t",
        partitions: 1,
        cleanup,
    };
    log.declare(&[topic]).await.unwrap();
    let append = async |key: &'static str| {
        let at = TopicPartition {
            topic: "t",
            partition: 0,
        };
        let (key, value) = (key.into(), None);
        log.append(vec![NewRecord { at, key, value }])
            .await
            .unwrap();
    };
    append("one").await;
    let mut member = log.join("g", "t", "a").await.unwrap();
    let wait = Duration::from_secs(1);
    let assigned = member.next(wait).await.unwrap();
    assert!(matches!(assigned, GroupEvent::Assigned(_)));
    member.start(&[(0, 0)]).await.unwrap();
    let first = member.next(wait).await.unwrap();
    assert!(matches!(first, GroupEvent::Records(chunk) if chunk.next_offset == 1));
    append("two").await;
    log.faults().delay_commits(Duration::from_mins(1));
    let mut looking = Looking {
        log: log.clone(),
        seen: Vec::new(),
    };
    member
        .commit_beside(Vec::new(), &[(0, 1)], &mut looking)
        .await
        .unwrap();
    assert_eq!(looking.seen.first(), Some(&(1, vec![None])));
    assert_eq!(log.committed("g", "t").await.unwrap(), [Some(1)]);
    assert!(matches!(member.next(wait).await, Ok(GroupEvent::Idle)));
}

/// Wants nothing while a commit is under way.
struct Full;

#[async_trait]
impl Records for Full {
    async fn take(&mut self, chunk: Chunk) {
        panic!("{chunk:?} was not wanted");
    }

    fn wants_more(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_are_not_wanted_beside_a_commit_come_after_it() {
    let log = MemoryHarness::new().log;
    let cleanup = Cleanup::Delete { retention_ms: 1 };
    let topic = TopicSpec {
        name: "t",
        partitions: 1,
        cleanup,
    };
    log.declare(&[topic]).await.unwrap();
    let at = TopicPartition {
        topic: "t",
        partition: 0,
    };
    let (key, value) = ("one".into(), None);
    log.append(vec![NewRecord { at, key, value }])
        .await
        .unwrap();
    let mut member = log.join("g", "t", "a").await.unwrap();
    let wait = Duration::from_secs(1);
    let assigned = member.next(wait).await.unwrap();
    assert!(matches!(assigned, GroupEvent::Assigned(_)));
    member.start(&[(0, 0)]).await.unwrap();
    log.faults().delay_commits(Duration::from_mins(1));
    member
        .commit_beside(Vec::new(), &[(0, 0)], &mut Full)
        .await
        .unwrap();
    let first = member.next(wait).await.unwrap();
    assert!(matches!(first, GroupEvent::Records(chunk) if chunk.next_offset == 1));
}
