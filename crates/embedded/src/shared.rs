//! What the threads and handles of an open log share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use foretide_events::EpochMs;
use foretide_ports::{LogError, Now, TopicName, TopicPartition, TopicSpec, groups::Groups};
use parking_lot::{Mutex, RwLock};

use crate::{
    EmbeddedOptions,
    directory::Directory,
    journal,
    space::{self, FreeSpace},
    store::{GroupOffset, Store},
    topic::Topic,
};

/// By group, the next offset of each topic and partition.
type GroupOffsets = HashMap<String, HashMap<(String, u32), u64>>;

/// A write that takes longer is taken for a disk that does not answer.
const STUCK: Duration = Duration::from_secs(5);

/// The state of an open log.
pub(crate) struct Shared {
    pub(crate) directory: Directory,
    pub(crate) options: EmbeddedOptions,
    pub(crate) groups: Groups,
    now: Now,
    free_space: FreeSpace,
    /// The store, or why there is none.
    store: RwLock<Result<Arc<Store>, LogError>>,
    topics: RwLock<BTreeMap<TopicName, Arc<Topic>>>,
    /// The next offsets of groups, as committed.
    offsets: Mutex<GroupOffsets>,
    /// Held while topics are declared and while the store is opened again.
    declaring: Mutex<()>,
    /// When the writer began what it is at.
    writing_since: Mutex<Option<Instant>>,
}

impl Shared {
    pub(crate) fn open(
        directory: Directory,
        options: EmbeddedOptions,
        now: Now,
        free_space: FreeSpace,
    ) -> Result<Self, LogError> {
        directory.initialise(|path| Store::open(path).map(drop))?;
        let store = journal::open_store(&directory.store())?;
        let offsets = by_group(store.group_offsets()?);
        Ok(Self {
            directory,
            options,
            groups: Groups::new(),
            now,
            free_space,
            store: RwLock::new(Ok(Arc::new(store))),
            topics: RwLock::default(),
            offsets: Mutex::new(offsets),
            declaring: Mutex::default(),
            writing_since: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> EpochMs {
        (self.now)()
    }

    /// The store, or why there is none.
    pub(crate) fn store(&self) -> Result<Arc<Store>, LogError> {
        self.store.read().clone()
    }

    /// Why there is no store.
    pub(crate) fn trouble(&self) -> LogError {
        let closed = || LogError::Away("the log is being closed".to_owned());
        self.store().err().unwrap_or_else(closed)
    }

    /// Gives the store up because of `error`.
    pub(crate) fn lose_store(&self, error: LogError) {
        let error = match error {
            full @ LogError::Full(_) => full,
            LogError::Away(why) => LogError::Away(why),
            other => LogError::Away(other.to_string()),
        };
        *self.store.write() = Err(error);
    }

    /// Opens the store again and takes over what it has.
    pub(crate) fn reopen(&self) -> Result<(), LogError> {
        let _alone = self.declaring.lock();
        self.check_space()?;
        journal::settle(&self.directory.store())?;
        let store = journal::open_store(&self.directory.store())?;
        *self.offsets.lock() = by_group(store.group_offsets()?);
        let topics: Vec<Arc<Topic>> = self.topics.read().values().cloned().collect();
        for topic in &topics {
            store.attach(topic.name, topic.count())?;
            topic.reset(store.standings(topic.name)?);
        }
        *self.store.write() = Ok(Arc::new(store));
        for topic in &topics {
            topic.grew();
        }
        Ok(())
    }

    /// Makes a topic known, creating it if it is new.
    pub(crate) fn declare(&self, spec: TopicSpec) -> Result<(), LogError> {
        let _alone = self.declaring.lock();
        let store = self.store()?;
        match store.partition_count(spec.name)? {
            Some(present) if present != spec.partitions => {
                return Err(LogError::other_partition_count(spec, present));
            }
            Some(_) if self.topic(spec.name).is_ok() => return Ok(()),
            Some(_) => store.attach(spec.name, spec.partitions)?,
            None => {
                self.check_space()?;
                store.create(spec.name, spec.partitions)?;
            }
        }
        let topic = Topic::new(spec, store.standings(spec.name)?);
        self.topics.write().insert(spec.name, Arc::new(topic));
        Ok(())
    }

    pub(crate) fn topic(&self, name: TopicName) -> Result<Arc<Topic>, LogError> {
        self.topics
            .read()
            .get(name)
            .cloned()
            .ok_or_else(|| LogError::undeclared(name))
    }

    /// Every declared topic.
    pub(crate) fn topics(&self) -> Vec<Arc<Topic>> {
        self.topics.read().values().cloned().collect()
    }

    /// Refuses when the disk is down to the reserve.
    pub(crate) fn check_space(&self) -> Result<(), LogError> {
        space::check(
            &self.free_space,
            self.directory.path(),
            self.options.reserve_bytes,
        )
    }

    /// Notes that the writer begins or has ended a write.
    pub(crate) fn set_writing(&self, is_writing: bool) {
        *self.writing_since.lock() = is_writing.then(Instant::now);
    }

    /// Refuses when a write has been under way for too long.
    pub(crate) fn check_progress(&self) -> Result<(), LogError> {
        let since = *self.writing_since.lock();
        match since.map(|since| since.elapsed()) {
            Some(elapsed) if elapsed > STUCK => {
                let seconds = elapsed.as_secs();
                Err(LogError::Away(format!(
                    "the disk has not finished a write for {seconds} s"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Moves groups to what was committed.
    pub(crate) fn move_groups<'a>(
        &self,
        moved: impl IntoIterator<Item = ((&'a str, TopicPartition), u64)>,
    ) {
        let mut offsets = self.offsets.lock();
        for ((group, at), offset) in moved {
            let key = (at.topic.to_owned(), at.partition);
            offsets
                .entry(group.to_owned())
                .or_default()
                .insert(key, offset);
        }
    }

    /// The next offsets of `group` in the partitions of a topic.
    pub(crate) fn committed(&self, group: &str, topic: &Topic) -> Vec<Option<u64>> {
        let offsets = self.offsets.lock();
        let group = offsets.get(group);
        (0..topic.count())
            .map(|partition| group?.get(&(topic.name.to_owned(), partition)).copied())
            .collect()
    }
}

fn by_group(offsets: Vec<GroupOffset>) -> GroupOffsets {
    let mut groups = GroupOffsets::new();
    for GroupOffset {
        group,
        topic,
        partition,
        offset,
    } in offsets
    {
        groups
            .entry(group)
            .or_default()
            .insert((topic, partition), offset);
    }
    groups
}
