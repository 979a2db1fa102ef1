//! A log that shows when the profiles are asked for, and can make whoever asks or reads wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use foretide_ports::{
    GroupMember, Log, LogError, NewRecord, PROFILES, Reader, TopicName, TopicSpec, TopicStats,
    memory::MemoryLog,
};
use tokio::time::sleep;

/// What is known of the calls, and what they are to do. Clones are the same.
#[derive(Clone, Default)]
pub struct Calls(Arc<Inner>);

#[derive(Default)]
struct Inner {
    ends: AtomicU64,
    readers: AtomicU64,
    closed: AtomicBool,
    mute: AtomicBool,
}

impl Calls {
    /// How often the ends of the profiles were asked for.
    pub fn ends(&self) -> u64 {
        self.0.ends.load(Ordering::SeqCst)
    }

    /// How often someone began to read the profiles, let in or not.
    pub fn readers(&self) -> u64 {
        self.0.readers.load(Ordering::SeqCst)
    }

    /// Whether readers of the profiles have to wait.
    pub fn set_closed(&self, closed: bool) {
        self.0.closed.store(closed, Ordering::SeqCst);
    }

    /// Whether those who ask for the ends of the profiles have to wait.
    pub fn set_mute(&self, mute: bool) {
        self.0.mute.store(mute, Ordering::SeqCst);
    }
}

pub struct Watched {
    pub log: MemoryLog,
    pub calls: Calls,
}

#[async_trait]
impl Log for Watched {
    async fn declare(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.log.declare(topics).await
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<u64>, LogError> {
        self.log.append(records).await
    }

    async fn end_offsets(&self, topic: TopicName) -> Result<Vec<u64>, LogError> {
        if topic == PROFILES {
            self.calls.0.ends.fetch_add(1, Ordering::SeqCst);
            while self.calls.0.mute.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(1)).await;
            }
        }
        self.log.end_offsets(topic).await
    }

    async fn reader(
        &self,
        topic: TopicName,
        positions: &[(u32, u64)],
    ) -> Result<Box<dyn Reader>, LogError> {
        if topic == PROFILES {
            self.calls.0.readers.fetch_add(1, Ordering::SeqCst);
            while self.calls.0.closed.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(1)).await;
            }
        }
        self.log.reader(topic, positions).await
    }

    async fn committed(&self, group: &str, topic: TopicName) -> Result<Vec<Option<u64>>, LogError> {
        self.log.committed(group, topic).await
    }

    async fn join(
        &self,
        group: &str,
        topic: TopicName,
        member: &str,
    ) -> Result<Box<dyn GroupMember>, LogError> {
        self.log.join(group, topic, member).await
    }

    async fn health(&self) -> Result<(), LogError> {
        self.log.health().await
    }

    async fn stats(&self) -> Result<Vec<TopicStats>, LogError> {
        self.log.stats().await
    }
}
