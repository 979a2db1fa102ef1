//! The log: topics of partitions of records, read by offset, written at the end.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use foretide_events::EpochMs;

use crate::seek;

/// A topic's name. The names are known when the program is built; see [`crate::foretide_topics`].
pub type TopicName = &'static str;

/// The most bytes that key and value of a record may have together, for every kind of log.
pub const MAX_RECORD_BYTES: usize = 1_000_000;

/// Tells what time it is.
pub type Now = Arc<dyn Fn() -> EpochMs + Send + Sync>;

/// How a topic lets go of old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Records older than this many milliseconds, by append time, are deleted.
    Delete {
        /// How long a record is kept at least.
        retention_ms: i64,
    },
    /// The newest record of each key is kept; a tombstone is dropped after `delete_retention_ms`.
    Compact {
        /// How long a tombstone can be read at least.
        delete_retention_ms: i64,
    },
}

/// A topic as the product declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: TopicName,
    /// Its number of partitions, which never changes.
    pub partitions: u32,
    /// How it lets go of old records.
    pub cleanup: Cleanup,
}

/// One partition of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The partition, from 0.
    pub partition: u32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// A record to append. Its timestamp will be the time of the append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Where to.
    pub at: TopicPartition,
    /// What a compacted topic keeps one of; what order is kept within.
    pub key: Bytes,
    /// The content; `None` is a tombstone.
    pub value: Option<Bytes>,
}

impl NewRecord {
    /// The bytes of key and value together: what counts towards [`MAX_RECORD_BYTES`].
    pub fn bytes(&self) -> usize {
        bytes_of(&self.key, self.value.as_ref())
    }

    /// Refuses a record over [`MAX_RECORD_BYTES`] with [`LogError::TooLarge`].
    pub fn check_size(&self) -> Result<(), LogError> {
        let (bytes, limit) = (self.bytes(), MAX_RECORD_BYTES);
        if bytes > limit {
            return Err(LogError::TooLarge { bytes, limit });
        }
        Ok(())
    }
}

fn bytes_of(key: &Bytes, value: Option<&Bytes>) -> usize {
    key.len() + value.map_or(0, Bytes::len)
}

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in its partition. Offsets rise but may leave gaps.
    pub offset: u64,
    /// When it was appended.
    pub appended_at: EpochMs,
    /// Its key.
    pub key: Bytes,
    /// Its content; `None` is a tombstone.
    pub value: Option<Bytes>,
}

impl Record {
    /// The bytes of key and value together.
    pub fn bytes(&self) -> usize {
        bytes_of(&self.key, self.value.as_ref())
    }
}

/// Records of one partition, by rising offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where they are from.
    pub from: TopicPartition,
    /// The records; empty where only the end was met or a gap was passed.
    pub records: Vec<Record>,
    /// Where reading goes on.
    pub next_offset: u64,
}

/// What one topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicStats {
    /// The topic.
    pub topic: TopicName,
    /// Its number of partitions.
    pub partitions: u32,
    /// Records held. For Kafka: the span of offsets, an upper bound for a compacted topic or one with transactions.
    pub records: u64,
    /// Bytes held, where the log can tell.
    pub bytes: Option<u64>,
}

/// What went wrong with the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// It cannot be reached or cannot store now. Trying again later may help. What was being appended is not acknowledged.
    #[error("the log is away: {0}")]
    Away(String),
    /// There is no room. Trying again helps once there is.
    #[error("the log is full: {0}")]
    Full(String),
    /// A record is larger than the log takes.
    #[error("a record of {bytes} bytes is over the log's limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Another member of the group owns the partitions now, and nothing was committed. The owner drops what was folded, leaves
    /// (or drops the member) and joins again. One that keeps calling [`GroupMember::next`] instead learns which partitions are
    /// lost, or that the member cannot go on.
    #[error("another owner took over: {0}")]
    Fenced(String),
    /// A topic is not as declared.
    #[error("topic {topic}: {problem}")]
    Topic {
        /// The topic.
        topic: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// What is stored cannot be read back. An operator has to look.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// It cannot be opened, for a reason that waiting does not cure.
    #[error("the log cannot be opened: {0}")]
    Unusable(String),
}

impl LogError {
    /// The refusal of a topic that was not declared.
    pub fn undeclared(topic: TopicName) -> Self {
        Self::Topic {
            topic: topic.to_owned(),
            problem: "is not declared".to_owned(),
        }
    }

    /// The refusal of a declaration that would change the number of partitions of a topic that has `present`.
    pub fn other_partition_count(spec: TopicSpec, present: u32) -> Self {
        let problem = format!(
            "has {present} partitions, {} are declared; the number cannot change: declare {present}, or start a new log \
             and import the old one's actions",
            spec.partitions
        );
        Self::Topic {
            topic: spec.name.to_owned(),
            problem,
        }
    }
}

/// The log of topics. Cheap to share; all methods may be called from many tasks at once.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Creates what is missing and checks what is there against `topics`.
    async fn declare(&self, topics: &[TopicSpec]) -> Result<(), LogError>;

    /// Appends all `records` and returns their offsets, in order, once they are durable. On an error nothing is
    /// acknowledged: some records may be stored nevertheless. Records of one partition keep their order within a call
    /// and between a call and a later one made after it returned.
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<u64>, LogError>;

    /// The offset at which the next record of each partition of `topic` will be stored at the earliest, by partition.
    /// Records of transactions still open are beyond it.
    async fn end_offsets(&self, topic: TopicName) -> Result<Vec<u64>, LogError>;

    /// How many partitions `topic` has, whether it was declared here or not; `None` where there is no such topic.
    async fn partitions(&self, topic: TopicName) -> Result<Option<u32>, LogError> {
        match self.end_offsets(topic).await {
            Ok(ends) => Ok(u32::try_from(ends.len()).ok()),
            Err(LogError::Topic { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The offset of the oldest record of each partition of `topic` that was appended at `at` or later, by partition; its
    /// end where there is none.
    async fn offsets_at(&self, topic: TopicName, at: EpochMs) -> Result<Vec<u64>, LogError> {
        seek::offsets_at(self, topic, at).await
    }

    /// Reads `topic` from the given `(partition, offset)` positions on. An offset below the oldest kept goes on at the
    /// oldest. Only committed records are seen.
    async fn reader(
        &self,
        topic: TopicName,
        positions: &[(u32, u64)],
    ) -> Result<Box<dyn Reader>, LogError>;

    /// The next offset that `group` will consume, by partition of `topic`; `None` where it never committed. Waits for a
    /// transaction of a former owner that is still open.
    async fn committed(&self, group: &str, topic: TopicName) -> Result<Vec<Option<u64>>, LogError>;

    /// Joins the consumer group `group` on `topic` as `member`, a name that is stable over restarts of one instance.
    async fn join(
        &self,
        group: &str,
        topic: TopicName,
        member: &str,
    ) -> Result<Box<dyn GroupMember>, LogError>;

    /// Whether the log could take a record now. Answers within two seconds.
    async fn health(&self) -> Result<(), LogError>;

    /// What each topic holds.
    async fn stats(&self) -> Result<Vec<TopicStats>, LogError>;
}

/// Reads partitions of one topic, outside any group.
#[async_trait]
pub trait Reader: Send {
    /// The next chunk of any of its partitions; `None` if nothing came within `max_wait`. A chunk without records tells
    /// that its partition was read to its end, `next_offset`, as it then was; every partition says so once after each time
    /// it had records, and once at the beginning.
    async fn next(&mut self, max_wait: Duration) -> Result<Option<Chunk>, LogError>;
}

/// What a member of a group has to deal with next.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are the member's from now on. It restores its state and answers with [`GroupMember::start`];
    /// no records of them come before.
    Assigned(Vec<u32>),
    /// These partitions are about to go. The member commits what it has or leaves it, drops their state and answers with
    /// [`GroupMember::release`]; a commit is good until then.
    Revoked(Vec<u32>),
    /// These partitions have gone already: nothing of them can be committed any more.
    Lost(Vec<u32>),
    /// Records to fold. A chunk without records says that there are none up to its `next_offset`. Other than with
    /// [`Reader::next`] none is promised at the end of a partition: the member of a Kafka group sends one only when
    /// reading passed something behind the last record, such as the marker of a transaction.
    Records(Chunk),
    /// Nothing came within the time given.
    Idle,
}

/// Takes records as they come.
#[async_trait]
pub trait Records: Send {
    /// Takes a chunk, as [`GroupEvent::Records`] has it. May wait until there is room for it.
    async fn take(&mut self, chunk: Chunk);

    /// Whether more is wanted before the commit beside which they come is over. If not, records wait where they are.
    fn wants_more(&self) -> bool {
        true
    }
}

/// One member of a consumer group with exactly-once effect: what it commits, its outputs and the offsets it consumed,
/// comes true all at once or not at all, and only while it owns the partitions.
#[async_trait]
pub trait GroupMember: Send {
    /// What comes next, waiting up to `max_wait`.
    async fn next(&mut self, max_wait: Duration) -> Result<GroupEvent, LogError>;

    /// Says from which offsets on assigned partitions are to be consumed, one `(partition, offset)` for each.
    /// An offset below the oldest kept goes on at the oldest.
    async fn start(&mut self, positions: &[(u32, u64)]) -> Result<(), LogError>;

    /// Lets go of revoked partitions.
    async fn release(&mut self, partitions: &[u32]) -> Result<(), LogError>;

    /// Appends `outputs` in order and moves the group to `offsets`, each the next to consume of a partition, atomically and
    /// durably. [`LogError::Fenced`] when another owner has taken over, or when one of the offsets is of a partition that is
    /// not the member's: nothing was committed. Any other error: it is not known whether it was; the member is done for,
    /// and its owner joins again and restores.
    async fn commit(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
    ) -> Result<(), LogError>;

    /// The same, and gives `records` what comes meanwhile, where the member can do both at once. Only records: any other event
    /// waits for the next call of [`Self::next`], and what comes behind it as well.
    async fn commit_beside(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
        _records: &mut dyn Records,
    ) -> Result<(), LogError> {
        self.commit(outputs, offsets).await
    }

    /// Leaves the group.
    async fn leave(self: Box<Self>) -> Result<(), LogError>;
}
