//! A member of a group as a service would drive it, for the checks to play with.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use super::support::{in_time, text};
use crate::{
    Chunk, GroupEvent, GroupMember, Log, LogError, NewRecord, Record, Records, TopicName,
    TopicPartition,
};

/// How long a member that has nothing to do may hold up the others of a check.
const TURN: Duration = Duration::from_millis(20);

/// A member that folds by remembering, and answers assignments and revocations as it should.
pub(super) struct Consumer {
    pub(super) log: Arc<dyn Log>,
    pub(super) member: Box<dyn GroupMember>,
    pub(super) group: String,
    pub(super) topic: TopicName,
    /// Where each record folded is copied to on commit, at the same partition.
    pub(super) outputs_to: Option<TopicName>,
    /// The partitions it owns and the offset it goes on at.
    pub(super) positions: BTreeMap<u32, u64>,
    /// What it folded since it owns the partition, in order.
    pub(super) folded: BTreeMap<u32, Vec<Record>>,
    /// Outputs not yet committed.
    pub(super) pending: Vec<NewRecord>,
}

impl Consumer {
    pub(super) async fn join(log: Arc<dyn Log>, group: &str, topic: TopicName, name: &str) -> Self {
        let member = log.join(group, topic, name).await.unwrap();
        Self {
            log,
            member,
            group: group.to_owned(),
            topic,
            outputs_to: None,
            positions: BTreeMap::new(),
            folded: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    pub(super) fn with_outputs(self, topic: TopicName) -> Self {
        Self {
            outputs_to: Some(topic),
            ..self
        }
    }

    pub(super) fn owned(&self) -> BTreeSet<u32> {
        self.positions.keys().copied().collect()
    }

    pub(super) fn folded_count(&self) -> usize {
        self.folded.values().map(Vec::len).sum()
    }

    /// The texts folded of a partition.
    pub(super) fn texts(&self, partition: u32) -> Vec<String> {
        self.folded
            .get(&partition)
            .map(|records| super::support::texts(records))
            .unwrap_or_default()
    }

    /// Takes one event and answers it. On a revocation it commits first, as a service would.
    pub(super) async fn step(&mut self) -> Result<(), LogError> {
        match self.member.next(TURN).await? {
            GroupEvent::Revoked(partitions) => {
                self.assert_owned(&partitions);
                self.commit().await?;
                self.release(&partitions).await
            }
            event => self.take(event).await,
        }
    }

    /// Answers any event but a revocation.
    pub(super) async fn take(&mut self, event: GroupEvent) -> Result<(), LogError> {
        match event {
            GroupEvent::Assigned(partitions) => self.restore(&partitions).await,
            GroupEvent::Revoked(partitions) => panic!("{partitions:?} revoked unexpectedly"),
            GroupEvent::Lost(partitions) => {
                self.forget(&partitions);
                self.pending.clear();
                Ok(())
            }
            GroupEvent::Records(chunk) => {
                let partition = chunk.from.partition;
                assert_eq!(chunk.from.topic, self.topic);
                let position = self
                    .positions
                    .get_mut(&partition)
                    .expect("records of an owned partition");
                for record in chunk.records {
                    assert!(
                        record.offset >= *position,
                        "{} before {position}",
                        record.offset
                    );
                    if let Some(topic) = self.outputs_to {
                        let at = TopicPartition { topic, partition };
                        let (key, value) = (record.key.clone(), record.value.clone());
                        self.pending.push(NewRecord { at, key, value });
                    }
                    *position = record.offset + 1;
                    self.folded.entry(partition).or_default().push(record);
                }
                assert!(chunk.next_offset >= *position);
                *position = chunk.next_offset;
                Ok(())
            }
            GroupEvent::Idle => Ok(()),
        }
    }

    /// Goes on with newly assigned partitions where the group stands.
    async fn restore(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        assert!(!partitions.is_empty());
        let committed = self.log.committed(&self.group, self.topic).await?;
        let positions: Vec<(u32, u64)> = partitions
            .iter()
            .map(|p| (*p, committed[*p as usize].unwrap_or(0)))
            .collect();
        for (partition, position) in &positions {
            let former = self.positions.insert(*partition, *position);
            assert_eq!(former, None, "partition {partition} was assigned twice");
        }
        self.member.start(&positions).await
    }

    pub(super) fn assert_owned(&self, partitions: &[u32]) {
        assert!(
            partitions
                .iter()
                .all(|partition| self.positions.contains_key(partition)),
            "{partitions:?} of {:?}",
            self.owned()
        );
    }

    fn forget(&mut self, partitions: &[u32]) {
        self.assert_owned(partitions);
        for partition in partitions {
            self.positions.remove(partition);
            self.folded.remove(partition);
        }
    }

    pub(super) async fn release(&mut self, partitions: &[u32]) -> Result<(), LogError> {
        self.forget(partitions);
        self.member.release(partitions).await
    }

    /// Commits what is pending and where it stands.
    pub(super) async fn commit(&mut self) -> Result<(), LogError> {
        let positions: Vec<(u32, u64)> = self.positions.iter().map(|(p, o)| (*p, *o)).collect();
        self.member
            .commit(std::mem::take(&mut self.pending), &positions)
            .await
    }

    /// The same while it listens; then folds what came meanwhile.
    pub(super) async fn commit_beside(&mut self) -> Result<(), LogError> {
        let positions: Vec<(u32, u64)> = self.positions.iter().map(|(p, o)| (*p, *o)).collect();
        let mut inbox = Inbox::default();
        self.member
            .commit_beside(std::mem::take(&mut self.pending), &positions, &mut inbox)
            .await?;
        for chunk in inbox.0 {
            self.take(GroupEvent::Records(chunk)).await?;
        }
        Ok(())
    }

    /// Drives this member alone until `done`.
    pub(super) async fn drive(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        drive(what, &mut [self], |consumers| done(&*consumers[0])).await;
    }
}

/// What came during a commit.
#[derive(Default)]
struct Inbox(Vec<Chunk>);

#[async_trait]
impl Records for Inbox {
    async fn take(&mut self, chunk: Chunk) {
        self.0.push(chunk);
    }
}

/// Drives members in turn until `done`.
pub(super) async fn drive(
    what: &str,
    consumers: &mut [&mut Consumer],
    done: impl Fn(&[&mut Consumer]) -> bool,
) {
    in_time(what, async {
        while !done(consumers) {
            for consumer in &mut *consumers {
                consumer.step().await.unwrap();
            }
        }
    })
    .await;
}

/// Whether each partition of `count` is owned by exactly one of `consumers`.
pub(super) fn share_all(consumers: &[&mut Consumer], count: u32) -> bool {
    let owned: Vec<u32> = consumers
        .iter()
        .flat_map(|consumer| consumer.owned())
        .collect();
    let distinct: BTreeSet<u32> = owned.iter().copied().collect();
    // Members driven in turn learn of a hand-over one after the other: the new owner never before the old one.
    assert_eq!(
        owned.len(),
        distinct.len(),
        "a partition has two owners: {owned:?}"
    );
    owned.len() == count as usize
}

/// Every record of `records` as text, whatever its partition.
pub(super) fn sorted_texts(records: &[Vec<Record>]) -> Vec<String> {
    let mut texts: Vec<String> = records.iter().flatten().map(text).collect();
    texts.sort();
    texts
}
