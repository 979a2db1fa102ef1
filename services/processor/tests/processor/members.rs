//! A log whose group members are replaced by others that stand before them.

use std::sync::Arc;

use async_trait::async_trait;
use foretide_ports::{
    GroupMember, Log, LogError, NewRecord, Reader, TopicName, TopicSpec, TopicStats,
};

/// What makes the member that stands before another.
type Before = dyn Fn(Box<dyn GroupMember>) -> Box<dyn GroupMember> + Send + Sync;

/// Passes everything on to `log`, but for the members that join.
pub struct WithMembers {
    log: Arc<dyn Log>,
    before: Box<Before>,
}

impl WithMembers {
    pub fn new(
        log: Arc<dyn Log>,
        before: impl Fn(Box<dyn GroupMember>) -> Box<dyn GroupMember> + Send + Sync + 'static,
    ) -> Self {
        Self {
            log,
            before: Box::new(before),
        }
    }
}

#[async_trait]
impl Log for WithMembers {
    async fn declare(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.log.declare(topics).await
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<u64>, LogError> {
        self.log.append(records).await
    }

    async fn end_offsets(&self, topic: TopicName) -> Result<Vec<u64>, LogError> {
        self.log.end_offsets(topic).await
    }

    async fn reader(
        &self,
        topic: TopicName,
        positions: &[(u32, u64)],
    ) -> Result<Box<dyn Reader>, LogError> {
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
        let member = self.log.join(group, topic, member).await?;
        Ok((self.before)(member))
    }

    async fn health(&self) -> Result<(), LogError> {
        self.log.health().await
    }

    async fn stats(&self) -> Result<Vec<TopicStats>, LogError> {
        self.log.stats().await
    }
}
