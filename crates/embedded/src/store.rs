//! The key-value store underneath: what is kept where in it, and its errors in the log's words.
//!
//! Every partition has a keyspace of its own, `<topic>/<partition>`, with a batch under the offset of its last record,
//! big-endian. So what is written only ever goes to the end of a keyspace, and the store need not merge what it holds.
//! The keyspace `meta` has what is small, under keys that begin with a letter for the kind:
//!
//! | key | value |
//! |---|---|
//! | `t` topic | number of partitions, u32 |
//! | `r` partition u32, topic | [`Removed`] |
//! | `g` partition u32, length of the group's name u16, group, topic | the group's next offset, u64 |
//!
//! Numbers in keys are big-endian, in values little-endian.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{BufMut, Bytes};
use fjall::{
    Database, Guard, Keyspace, KeyspaceCreateOptions, PersistMode, Readable,
    config::{BlockSizePolicy, CompressionPolicy, FilterPolicy},
};
use foretide_ports::{LogError, TopicName, TopicPartition};
use parking_lot::RwLock;

use crate::{
    batch::{self, Totals},
    directory::sync_directory,
};

/// The store's memory for blocks it read. Small: whoever follows the end reads from the writer's memory.
const CACHE_BYTES: u64 = 16 << 20;
/// The store's memory for what it has in its journal and not yet in tables, shared by the partitions of a topic.
const TOPIC_BUFFER_BYTES: u64 = 32 << 20;
/// The journal's size beyond which idle partitions are written out, so that it can be cut.
const JOURNAL_BYTES: u64 = 256 << 20;

/// The open store.
pub(crate) struct Store {
    database: Database,
    meta: Keyspace,
    partitions: RwLock<HashMap<TopicName, Arc<[Keyspace]>>>,
}

/// What was let go of in a partition, and how it was after the last compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// What retention and compaction have removed since the partition exists.
    pub(crate) totals: Totals,
    /// Bytes that had been appended when it was compacted last.
    pub(crate) appended_when_clean: u64,
}

/// How a partition stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    /// The next offset.
    pub(crate) end: u64,
    /// The time of the newest record.
    pub(crate) newest_at: i64,
    pub(crate) appended: Totals,
    pub(crate) removed: Removed,
}

/// A group's next offset in a partition.
pub(crate) struct GroupOffset {
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
}

impl Store {
    /// Opens the store in `path`, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, LogError> {
        let open = || -> fjall::Result<(Database, Keyspace)> {
            let database = Database::builder(path)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES)
                .worker_threads(1)
                .manual_journal_persist(true)
                .open()?;
            let meta = database.keyspace("meta", || keyspace_options(4 << 20))?;
            Ok((database, meta))
        };
        let (database, meta) = open().map_err(|error| open_error(path, error))?;
        sync_keyspaces(path).map_err(|error| open_error(path, error.into()))?;
        Ok(Self {
            database,
            meta,
            partitions: RwLock::default(),
        })
    }

    /// The keyspaces of a topic's partitions; empty before [`Self::attach`].
    pub(crate) fn partitions(&self, topic: TopicName) -> Arc<[Keyspace]> {
        self.partitions
            .read()
            .get(topic)
            .cloned()
            .unwrap_or_default()
    }

    /// The number of partitions that `topic` was made with.
    pub(crate) fn partition_count(&self, topic: TopicName) -> Result<Option<u32>, LogError> {
        let count = self.meta.get(topic_key(topic)).map_err(trouble)?;
        count.map(|count| decode_u32(&count)).transpose()
    }

    /// Makes a topic, durably.
    pub(crate) fn create(&self, topic: TopicName, partitions: u32) -> Result<(), LogError> {
        self.attach(topic, partitions)?;
        let path = self
            .meta
            .path()
            .parent()
            .and_then(Path::parent)
            .map(PathBuf::from);
        let path = path.unwrap_or_default();
        sync_keyspaces(&path).map_err(|error| trouble(error.into()))?;
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(
            &self.meta,
            topic_key(topic),
            partitions.to_le_bytes().to_vec(),
        );
        batch.commit().map_err(trouble)
    }

    /// Gets a topic's keyspaces ready.
    pub(crate) fn attach(&self, topic: TopicName, partitions: u32) -> Result<(), LogError> {
        let buffer = (TOPIC_BUFFER_BYTES / u64::from(partitions.max(1))).clamp(2 << 20, 8 << 20);
        let keyspaces: fjall::Result<Vec<_>> = (0..partitions)
            .map(|partition| {
                let name = format!("{topic}/{partition}");
                self.database.keyspace(&name, || keyspace_options(buffer))
            })
            .collect();
        self.partitions
            .write()
            .insert(topic, keyspaces.map_err(trouble)?.into());
        Ok(())
    }

    /// How each partition of an attached topic stands.
    pub(crate) fn standings(&self, topic: TopicName) -> Result<Vec<Standing>, LogError> {
        let keyspaces = self.partitions(topic);
        (0..)
            .zip(keyspaces.iter())
            .map(|(number, keyspace)| {
                let at = TopicPartition {
                    topic,
                    partition: number,
                };
                let removed = match self.meta.get(removed_key(at)).map_err(trouble)? {
                    Some(removed) => Removed::decode(&removed)?,
                    None => Removed::default(),
                };
                let Some(newest) = keyspace.last_key_value() else {
                    return Ok(Standing {
                        removed,
                        ..Standing::default()
                    });
                };
                let (last, value) = key_value(at, newest)?;
                let head = checked(at, last, &value)?;
                let mut records = Vec::new();
                batch::records(&value, last, &mut records).map_err(|why| damaged(at, last, why))?;
                let newest_at = records
                    .last()
                    .map_or(head.first_at, |record| record.appended_at)
                    .0;
                Ok(Standing {
                    end: last + 1,
                    newest_at,
                    appended: head.appended,
                    removed,
                })
            })
            .collect()
    }

    /// The committed offsets of all groups.
    pub(crate) fn group_offsets(&self) -> Result<Vec<GroupOffset>, LogError> {
        self.meta
            .prefix(b"g")
            .map(|entry| {
                let (key, value) = entry.into_inner().map_err(trouble)?;
                group_offset(&key, &value).ok_or_else(|| broken("the offsets of a group"))
            })
            .collect()
    }

    /// The batches of a partition that hold offsets from `offset` on, oldest first, checked: the offset of the last record
    /// of each, its head and the batch. As they were at one moment.
    pub(crate) fn batches(
        &self,
        at: TopicPartition,
        offset: u64,
    ) -> impl Iterator<Item = Result<(u64, batch::Head, Bytes), LogError>> + use<> {
        let keyspace = self
            .partitions(at.topic)
            .get(at.partition as usize)
            .cloned();
        let snapshot = self.database.snapshot();
        let entries = keyspace.map(|keyspace| snapshot.range(&keyspace, offset.to_be_bytes()..));
        entries.into_iter().flatten().map(move |entry| {
            let (last, value) = key_value(at, entry)?;
            let head = checked(at, last, &value)?;
            Ok((last, head, value))
        })
    }

    /// A change that is made as a whole.
    pub(crate) fn change(&self) -> Change<'_> {
        Change {
            store: self,
            batch: self
                .database
                .batch()
                .durability(Some(PersistMode::SyncData)),
        }
    }
}

/// Changes that come true together, or not at all.
pub(crate) struct Change<'a> {
    store: &'a Store,
    batch: fjall::OwnedWriteBatch,
}

impl Change<'_> {
    /// Puts a batch.
    pub(crate) fn put(&mut self, keyspace: &Keyspace, last: u64, value: Bytes) {
        self.batch.insert(
            keyspace,
            last.to_be_bytes().to_vec(),
            fjall::Slice::from(value),
        );
    }

    /// Removes a batch.
    pub(crate) fn remove(&mut self, keyspace: &Keyspace, last: u64) {
        self.batch.remove(keyspace, last.to_be_bytes().to_vec());
    }

    /// Moves a group.
    pub(crate) fn put_offset(&mut self, group: &str, at: TopicPartition, offset: u64) {
        let value = offset.to_le_bytes().to_vec();
        self.batch
            .insert(&self.store.meta, group_key(group, at), value);
    }

    /// Notes what was let go of.
    pub(crate) fn put_removed(&mut self, at: TopicPartition, removed: &Removed) {
        self.batch
            .insert(&self.store.meta, removed_key(at), removed.encode());
    }

    /// Writes and syncs everything. Nothing of it can be read before it is durable.
    pub(crate) fn commit(self) -> Result<(), LogError> {
        self.batch.commit().map_err(trouble)
    }
}

impl Removed {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        bytes.put_u64_le(self.totals.records);
        bytes.put_u64_le(self.totals.bytes);
        bytes.put_u64_le(self.appended_when_clean);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, LogError> {
        let number = |from: usize| {
            let field = bytes
                .get(from..from + 8)
                .and_then(|field| field.try_into().ok());
            field
                .map(u64::from_le_bytes)
                .ok_or_else(|| broken("the removals of a partition"))
        };
        let totals = Totals {
            records: number(0)?,
            bytes: number(8)?,
        };
        Ok(Self {
            totals,
            appended_when_clean: number(16)?,
        })
    }
}

fn keyspace_options(buffer: u64) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .manual_journal_persist(true)
        .max_memtable_size(buffer)
        // Batches are large, read in order and never looked for by chance.
        .data_block_size_policy(BlockSizePolicy::all(64 << 10))
        .data_block_compression_policy(CompressionPolicy::disabled())
        .filter_policy(FilterPolicy::disabled())
}

/// Makes the directories of new keyspaces durable, which the store leaves to the file system.
fn sync_keyspaces(store: &Path) -> io::Result<()> {
    let keyspaces = store.join("keyspaces");
    for keyspace in keyspaces.read_dir()? {
        sync_directory(&keyspace?.path())?;
    }
    sync_directory(&keyspaces)
}

fn topic_key(topic: TopicName) -> Vec<u8> {
    [b"t", topic.as_bytes()].concat()
}

fn removed_key(at: TopicPartition) -> Vec<u8> {
    [
        b"r",
        at.partition.to_be_bytes().as_slice(),
        at.topic.as_bytes(),
    ]
    .concat()
}

fn group_key(group: &str, at: TopicPartition) -> Vec<u8> {
    let mut key = vec![b'g'];
    key.put_u32(at.partition);
    // Longer names are refused when they join.
    key.put_u16(u16::try_from(group.len()).unwrap_or(u16::MAX));
    key.extend_from_slice(group.as_bytes());
    key.extend_from_slice(at.topic.as_bytes());
    key
}

fn group_offset(key: &[u8], value: &[u8]) -> Option<GroupOffset> {
    let partition = u32::from_be_bytes(key.get(1..5)?.try_into().ok()?);
    let length = usize::from(u16::from_be_bytes(key.get(5..7)?.try_into().ok()?));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let group = text(key.get(7..7 + length)?)?;
    let topic = text(key.get(7 + length..)?)?;
    let offset = u64::from_le_bytes(value.try_into().ok()?);
    Some(GroupOffset {
        group,
        topic,
        partition,
        offset,
    })
}

fn decode_u32(bytes: &[u8]) -> Result<u32, LogError> {
    bytes
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| broken("the declaration of a topic"))
}

/// An entry of a partition's keyspace.
fn key_value(at: TopicPartition, entry: Guard) -> Result<(u64, Bytes), LogError> {
    let (key, value) = entry.into_inner().map_err(|error| match error {
        fjall::Error::Io(_) | fjall::Error::Storage(fjall::LsmError::Io(_)) => trouble(error),
        error => LogError::Damaged(format!("{at}: {error}")),
    })?;
    let last = key.as_ref().try_into().map(u64::from_be_bytes);
    Ok((
        last.map_err(|_| LogError::Damaged(format!("{at}: a key is not an offset")))?,
        value.into(),
    ))
}

/// The head of a batch that is intact.
fn checked(at: TopicPartition, last: u64, value: &Bytes) -> Result<batch::Head, LogError> {
    batch::check(value).map_err(|why| damaged(at, last, why))
}

/// A batch that cannot be read, by its place.
pub(crate) fn damaged(at: TopicPartition, last: u64, why: batch::Damage) -> LogError {
    LogError::Damaged(format!(
        "{at}, in the batch that ends at offset {last}: {why}"
    ))
}

fn broken(what: &str) -> LogError {
    LogError::Damaged(format!("{what} cannot be read"))
}

/// An error of the open store.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn trouble(error: fjall::Error) -> LogError {
    match &error {
        fjall::Error::Io(cause) | fjall::Error::Storage(fjall::LsmError::Io(cause)) => {
            if cause.kind() == io::ErrorKind::StorageFull {
                LogError::Full(cause.to_string())
            } else {
                LogError::Away(cause.to_string())
            }
        }
        fjall::Error::Poisoned => LogError::Away("an earlier write failed".to_owned()),
        _ => LogError::Damaged(error.to_string()),
    }
}

/// An error of opening the store.
fn open_error(path: &Path, error: fjall::Error) -> LogError {
    let path = path.display();
    match trouble(error) {
        LogError::Away(why) => LogError::Unusable(format!("{path}: {why}")),
        LogError::Full(why) => LogError::Full(format!("{path}: {why}")),
        LogError::Damaged(why) => LogError::Damaged(format!("{path}: {why}")),
        other => other,
    }
}
