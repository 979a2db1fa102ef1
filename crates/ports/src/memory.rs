//! A log in memory: complete, and able to fail on demand.

mod faults;
mod topic;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

pub use faults::Faults;
use topic::Topic;

use crate::{
    Chunk, GroupMember, Log, LogError, NewRecord, Now, Reader, TopicName, TopicPartition,
    TopicSpec, TopicStats,
    groups::{Groups, Permit},
    member::{Commits, Member},
    tail::{Source, Tail},
};

/// A log in memory. Its clones are the same log.
#[derive(Clone)]
pub struct MemoryLog(Arc<Inner>);

struct Inner {
    now: Now,
    state: Mutex<State>,
    groups: Groups,
    faults: Faults,
}

#[derive(Default)]
struct State {
    topics: BTreeMap<TopicName, Topic>,
    /// By group and topic: the next offset of each partition.
    offsets: BTreeMap<(String, TopicName), Vec<Option<u64>>>,
}

impl MemoryLog {
    /// An empty log that takes the time of appends from `now`.
    pub fn new(now: Now) -> Self {
        Self(Arc::new(Inner {
            now,
            state: Mutex::default(),
            groups: Groups::new(),
            faults: Faults::default(),
        }))
    }

    /// The switches by which the log is made to fail.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Compacts every compacted topic: of each key only the newest record stays, and no tombstone past its retention.
    pub fn compact(&self) {
        let now = (self.0.now)();
        self.0
            .state
            .lock()
            .topics
            .values_mut()
            .for_each(|topic| topic.compact(now));
    }

    /// Deletes the records that are past the retention of their topic.
    pub fn expire(&self) {
        let now = (self.0.now)();
        self.0
            .state
            .lock()
            .topics
            .values_mut()
            .for_each(|topic| topic.expire(now));
    }
}

impl Inner {
    /// Stores `records`, all or nothing, and returns their offsets.
    fn store(&self, state: &mut State, records: &[NewRecord]) -> Result<Vec<u64>, LogError> {
        for record in records {
            record.check_size()?;
            state
                .topic(record.at.topic)?
                .partition(record.at.partition)?;
        }
        let now = (self.now)();
        let mut offsets = Vec::with_capacity(records.len());
        for record in records {
            offsets.push(state.topic_mut(record.at.topic)?.append(record, now)?);
        }
        let topics: std::collections::BTreeSet<_> = records.iter().map(|r| r.at.topic).collect();
        for topic in topics {
            state.topic(topic)?.growth.send_replace(());
        }
        Ok(offsets)
    }
}

impl State {
    fn topic(&self, name: TopicName) -> Result<&Topic, LogError> {
        self.topics
            .get(name)
            .ok_or_else(|| LogError::undeclared(name))
    }

    fn topic_mut(&mut self, name: TopicName) -> Result<&mut Topic, LogError> {
        self.topics
            .get_mut(name)
            .ok_or_else(|| LogError::undeclared(name))
    }

    fn declare(&mut self, spec: TopicSpec) -> Result<(), LogError> {
        let topic = self
            .topics
            .entry(spec.name)
            .or_insert_with(|| Topic::new(spec));
        if topic.spec.partitions != spec.partitions {
            return Err(LogError::other_partition_count(spec, topic.spec.partitions));
        }
        Ok(())
    }
}

#[async_trait]
impl Log for MemoryLog {
    async fn declare(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.0.faults.check_presence()?;
        let mut state = self.0.state.lock();
        topics.iter().try_for_each(|spec| state.declare(*spec))
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<u64>, LogError> {
        self.0.faults.before_append().await?;
        let failure = self.0.faults.next_append();
        if let Some(failure) = &failure
            && !failure.takes_effect
        {
            return Err(failure.error());
        }
        let offsets = self.0.store(&mut self.0.state.lock(), &records)?;
        match failure {
            Some(failure) => Err(failure.error()),
            None => Ok(offsets),
        }
    }

    async fn end_offsets(&self, topic: TopicName) -> Result<Vec<u64>, LogError> {
        self.0.faults.check_presence()?;
        Ok(self.0.state.lock().topic(topic)?.ends())
    }

    async fn reader(
        &self,
        topic: TopicName,
        positions: &[(u32, u64)],
    ) -> Result<Box<dyn Reader>, LogError> {
        self.0.faults.check_presence()?;
        let mut tail = Tail::new(Arc::clone(&self.0), topic)?;
        for (partition, offset) in positions {
            tail.follow(*partition, *offset)?;
        }
        Ok(Box::new(tail))
    }

    async fn committed(&self, group: &str, topic: TopicName) -> Result<Vec<Option<u64>>, LogError> {
        self.0.faults.check_presence()?;
        let state = self.0.state.lock();
        let partitions = state.topic(topic)?.spec.partitions as usize;
        let offsets = state.offsets.get(&(group.to_owned(), topic)).cloned();
        Ok(offsets.unwrap_or_else(|| vec![None; partitions]))
    }

    async fn join(
        &self,
        group: &str,
        topic: TopicName,
        member: &str,
    ) -> Result<Box<dyn GroupMember>, LogError> {
        self.0.faults.check_presence()?;
        let partitions = self.0.state.lock().topic(topic)?.spec.partitions;
        let membership = self.0.groups.join(group, topic, partitions, member);
        Ok(Box::new(Member::new(
            Arc::clone(&self.0),
            topic,
            membership,
        )?))
    }

    async fn health(&self) -> Result<(), LogError> {
        self.0.faults.check_presence()?;
        self.0.faults.check_room()
    }

    async fn stats(&self) -> Result<Vec<TopicStats>, LogError> {
        self.0.faults.check_presence()?;
        Ok(self
            .0
            .state
            .lock()
            .topics
            .values()
            .map(Topic::stats)
            .collect())
    }
}

#[async_trait]
impl Source for Inner {
    fn end(&self, at: TopicPartition) -> Result<u64, LogError> {
        self.faults.check_presence()?;
        Ok(self
            .state
            .lock()
            .topic(at.topic)?
            .partition(at.partition)?
            .next_offset)
    }

    async fn fetch(&self, at: TopicPartition, offset: u64) -> Result<Chunk, LogError> {
        self.state
            .lock()
            .topic(at.topic)?
            .fetch(at.partition, offset)
    }

    fn growth(&self, topic: TopicName) -> Result<watch::Receiver<()>, LogError> {
        Ok(self.state.lock().topic(topic)?.growth.subscribe())
    }
}

#[async_trait]
impl Commits for Inner {
    async fn commit(
        &self,
        permit: Permit,
        topic: TopicName,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
    ) -> Result<(), LogError> {
        self.faults.before_commit().await?;
        let failure = self.faults.next_commit();
        if let Some(failure) = &failure
            && !failure.takes_effect
        {
            return Err(failure.error());
        }
        {
            let mut state = self.state.lock();
            let partitions = state.topic(topic)?.spec.partitions as usize;
            self.store(&mut state, &outputs)?;
            let key = (permit.group().to_owned(), topic);
            let committed = state
                .offsets
                .entry(key)
                .or_insert_with(|| vec![None; partitions]);
            for (partition, offset) in offsets {
                committed[*partition as usize] = Some(*offset);
            }
        }
        drop(permit);
        failure.map_or(Ok(()), |failure| Err(failure.error()))
    }
}

#[cfg(test)]
mod tests;
