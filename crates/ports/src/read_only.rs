//! A log that can be looked at and not written to: what is given to those who must not be able to append.

use std::{sync::Arc, time::Duration};

use foretide_events::EpochMs;

use crate::{GroupEvent, GroupMember, Log, LogError, Reader, TopicName};

/// A log without its means to append, to declare topics, or to commit outputs. Whoever holds only this can publish
/// nothing: there is no method for it, and no way back to the log inside.
///
/// ```
/// # async fn look(log: foretide_ports::ReadOnlyLog) -> Result<(), foretide_ports::LogError> {
/// log.end_offsets(foretide_ports::ACTIONS).await?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0599
/// # async fn write(log: foretide_ports::ReadOnlyLog) -> Result<(), foretide_ports::LogError> {
/// log.append(Vec::new()).await?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0061
/// # async fn commit(mut member: foretide_ports::ReadOnlyMember) -> Result<(), foretide_ports::LogError> {
/// member.commit(Vec::new(), &[]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ReadOnlyLog(Arc<dyn Log>);

impl ReadOnlyLog {
    /// `log`, to be looked at.
    pub fn new(log: Arc<dyn Log>) -> Self {
        Self(log)
    }

    /// As [`Log::end_offsets`].
    pub async fn end_offsets(&self, topic: TopicName) -> Result<Vec<u64>, LogError> {
        self.0.end_offsets(topic).await
    }

    /// As [`Log::offsets_at`].
    pub async fn offsets_at(&self, topic: TopicName, at: EpochMs) -> Result<Vec<u64>, LogError> {
        self.0.offsets_at(topic, at).await
    }

    /// As [`Log::reader`].
    pub async fn reader(
        &self,
        topic: TopicName,
        positions: &[(u32, u64)],
    ) -> Result<Box<dyn Reader>, LogError> {
        self.0.reader(topic, positions).await
    }

    /// As [`Log::committed`].
    pub async fn committed(
        &self,
        group: &str,
        topic: TopicName,
    ) -> Result<Vec<Option<u64>>, LogError> {
        self.0.committed(group, topic).await
    }

    /// As [`Log::join`], as a member that has no outputs.
    pub async fn join(
        &self,
        group: &str,
        topic: TopicName,
        member: &str,
    ) -> Result<ReadOnlyMember, LogError> {
        Ok(ReadOnlyMember(self.0.join(group, topic, member).await?))
    }
}

/// A member of a consumer group that consumes, and commits where it is, but appends nothing.
pub struct ReadOnlyMember(Box<dyn GroupMember>);

impl ReadOnlyMember {
    /// As [`GroupMember::next`].
    pub async fn next(&mut self, max_wait: Duration) -> Result<GroupEvent, LogError> {
        self.0.next(max_wait).await
    }

    /// As [`GroupMember::start`].
    pub async fn start(&mut self, positions: &[(u32, u64)]) -> Result<(), LogError> {
        self.0.start(positions).await
    }

    /// As [`GroupMember::release`].
    pub async fn release(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        self.0.release(partitions).await
    }

    /// Moves the group to `offsets`: [`GroupMember::commit`] without outputs.
    pub async fn commit(&mut self, offsets: &[(u32, u64)]) -> Result<(), LogError> {
        self.0.commit(Vec::new(), offsets).await
    }

    /// As [`GroupMember::leave`].
    pub async fn leave(self) -> Result<(), LogError> {
        self.0.leave().await
    }
}
