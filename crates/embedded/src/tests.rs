mod damage;
mod keeping;
mod restart;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU8, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use foretide_events::EpochMs;
use foretide_ports::{
    Cleanup, Log, NewRecord, Record, TopicPartition, TopicSpec, conformance::Harness,
};
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::{EmbeddedLog, EmbeddedOptions, keeper::Which};

/// Two days, longer than any retention of the suite.
const LONG_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// A log on a disk that can be full or gone, with a clock that the test moves.
struct EmbeddedHarness {
    log: Mutex<Option<EmbeddedLog>>,
    /// The directories of the log's lives; the last is the present one.
    dirs: Mutex<Vec<TempDir>>,
    now: Arc<AtomicI64>,
    disk: Arc<AtomicU8>,
}

const WELL: u8 = 0;
const FULL: u8 = 1;
const GONE: u8 = 2;
const FULL_ONCE: u8 = 3;

impl EmbeddedHarness {
    fn new() -> Self {
        let harness = Self {
            log: Mutex::new(None),
            dirs: Mutex::new(vec![tempfile::tempdir().unwrap()]),
            now: Arc::new(AtomicI64::new(1_700_000_000_000)),
            disk: Arc::new(AtomicU8::new(WELL)),
        };
        harness.reopen();
        harness
    }

    fn path(&self) -> PathBuf {
        self.dirs.lock().last().unwrap().path().join("log")
    }

    fn reopen(&self) {
        let (now, disk) = (Arc::clone(&self.now), Arc::clone(&self.disk));
        let log = EmbeddedLog::open_on(
            &self.path(),
            EmbeddedOptions::default(),
            Arc::new(move || EpochMs(now.load(Ordering::Relaxed))),
            Arc::new(move |_| match disk.load(Ordering::Relaxed) {
                WELL => Ok(u64::MAX),
                FULL => Ok(1000),
                FULL_ONCE => {
                    disk.store(WELL, Ordering::Relaxed);
                    Ok(1000)
                }
                _ => Err(io::Error::other("the disk is gone")),
            }),
        );
        *self.log.lock() = Some(log.unwrap());
    }

    fn log(&self) -> EmbeddedLog {
        self.log.lock().clone().unwrap()
    }

    async fn keep(&self) {
        let log = self.log();
        tokio::task::spawn_blocking(move || log.0.keep(Which::All))
            .await
            .unwrap()
            .unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[async_trait]
impl Harness for EmbeddedHarness {
    async fn open(&self, _: &str) -> Arc<dyn Log> {
        Arc::new(self.log())
    }

    /// What is on the disk at this moment is what a process killed at this moment leaves.
    async fn crash(&self) -> bool {
        let next = tempfile::tempdir().unwrap();
        copy(&self.path(), &next.path().join("log"));
        self.dirs.lock().push(next);
        self.reopen();
        true
    }

    async fn set_away(&self, away: bool) -> bool {
        self.disk
            .store(if away { GONE } else { WELL }, Ordering::Relaxed);
        true
    }

    async fn set_full(&self, full: bool) -> bool {
        self.disk
            .store(if full { FULL } else { WELL }, Ordering::Relaxed);
        true
    }

    async fn fail_next_commit(&self, takes_effect: bool) -> bool {
        if !takes_effect {
            self.disk.store(FULL_ONCE, Ordering::Relaxed);
        }
        !takes_effect
    }

    async fn compact(&self) -> bool {
        self.keep().await;
        true
    }

    async fn expire(&self) -> bool {
        self.now.fetch_add(LONG_MS, Ordering::Relaxed);
        self.keep().await;
        true
    }
}

const EVENTS: TopicSpec = TopicSpec {
    name: "events",
    partitions: 2,
    cleanup: Cleanup::Delete {
        retention_ms: 10_000,
    },
};
const TABLE: TopicSpec = TopicSpec {
    name: "table",
    partitions: 2,
    cleanup: Cleanup::Compact {
        delete_retention_ms: 10_000,
    },
};

fn new(topic: TopicSpec, partition: u32, key: &str, value: &str) -> NewRecord {
    NewRecord {
        at: TopicPartition {
            topic: topic.name,
            partition,
        },
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    }
}

fn tombstone(topic: TopicSpec, partition: u32, key: &str) -> NewRecord {
    NewRecord {
        value: None,
        ..new(topic, partition, key, "")
    }
}

impl EmbeddedHarness {
    /// The log with both topics declared.
    async fn declared(&self) -> EmbeddedLog {
        let log = self.log();
        log.declare(&[EVENTS, TABLE]).await.unwrap();
        log
    }

    /// Closes the log and opens it again.
    async fn restarted(&self) -> EmbeddedLog {
        *self.log.lock() = None;
        self.reopen();
        self.declared().await
    }
}

/// Everything of a partition.
async fn read(log: &EmbeddedLog, topic: TopicSpec, partition: u32) -> Vec<Record> {
    let mut reader = log.reader(topic.name, &[(partition, 0)]).await.unwrap();
    let mut records = Vec::new();
    loop {
        let chunk = reader
            .next(std::time::Duration::from_mins(1))
            .await
            .unwrap()
            .unwrap();
        if chunk.records.is_empty() {
            return records;
        }
        records.extend(chunk.records);
    }
}

fn texts(records: &[Record]) -> Vec<&str> {
    records
        .iter()
        .map(|record| std::str::from_utf8(record.value.as_ref().unwrap()).unwrap())
        .collect()
}

/// What a table fed with `records` holds.
fn table(records: &[Record]) -> BTreeMap<Bytes, Bytes> {
    let mut table = BTreeMap::new();
    for record in records {
        match &record.value {
            Some(value) => table.insert(record.key.clone(), value.clone()),
            None => table.remove(&record.key),
        };
    }
    table
}

mod conformance {
    use super::EmbeddedHarness;

    foretide_ports::conformance::suite!(EmbeddedHarness::new());
}
