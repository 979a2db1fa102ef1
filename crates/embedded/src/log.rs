//! The log as its users see it.

use std::{
    path::Path,
    sync::{Arc, mpsc as std_mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
use foretide_ports::{
    Chunk, GroupMember, Log, LogError, NewRecord, Now, Reader, TopicName, TopicPartition,
    TopicSpec, TopicStats,
    groups::Permit,
    member::{Commits, Member},
    tail::{Source, Tail},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    batch::{self, Totals},
    directory::Directory,
    keeper::Keeper,
    shared::Shared,
    space::{self, FreeSpace},
    store::damaged,
    topic::CHUNK_BYTES,
    writer::{self, Job, QUEUE, Reply},
};

/// How long an append waits for the disk before it counts as not acknowledged.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a health check may take.
const HEALTH_CHECK: Duration = Duration::from_secs(2);
/// The longest name of a consumer group, in bytes.
const GROUP_NAME_BYTES: usize = 255;

/// How a log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// Free bytes of the file system that are never used for new records: the store needs them to move data and to delete.
    /// Below them appends answer [`LogError::Full`].
    pub reserve_bytes: u64,
    /// A compacted partition is compacted only after this many new bytes.
    pub compact_least_bytes: u64,
    /// How often to look for records to let go of.
    pub keep_interval: Duration,
}

impl Default for EmbeddedOptions {
    /// 256 MiB in reserve, compaction after 16 MiB, a look every 10 s.
    fn default() -> Self {
        Self {
            reserve_bytes: 256 << 20,
            compact_least_bytes: 16 << 20,
            keep_interval: Duration::from_secs(10),
        }
    }
}

/// The log in a directory. Its clones are the same log; the last one to go, with the last reader and group member, closes
/// it. Closing waits until what was queued is written, for as long as the disk takes: where that may not hold up a thread
/// of the async runtime, let go of the last one on a thread that may block.
#[derive(Clone)]
pub struct EmbeddedLog(pub(crate) Arc<Handle>);

/// What keeps the log's threads going.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    // What is optional is taken away when the log is closed.
    keeper: Option<Arc<Keeper>>,
    jobs: Option<mpsc::Sender<Job>>,
    stop_keeper: Option<std_mpsc::Sender<()>>,
    keeper_thread: Option<JoinHandle<()>>,
    writer_thread: Option<JoinHandle<()>>,
}

impl EmbeddedLog {
    /// Opens the log in `dir`, making it if there is none. `now` gives the time of appends. Takes as long as it takes to
    /// read the store's journal, at most a second or two.
    pub fn open(dir: &Path, options: EmbeddedOptions, now: Now) -> Result<Self, LogError> {
        Self::open_on(dir, options, now, space::of_file_system())
    }

    /// Opens the log on a disk whose free space is as `free_space` says.
    pub(crate) fn open_on(
        dir: &Path,
        options: EmbeddedOptions,
        now: Now,
        free_space: FreeSpace,
    ) -> Result<Self, LogError> {
        let directory = Directory::open(dir)?;
        let shared = Arc::new(Shared::open(directory, options, now, free_space)?);
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let writer_thread = start("log-writer", {
            let shared = Arc::clone(&shared);
            move || writer::run(&shared, waiting)
        })?;
        let keeper = Arc::new(Keeper::new(Arc::clone(&shared), jobs.clone()));
        let (stop_keeper, stop) = std_mpsc::channel();
        let keeper_thread = start("log-keeper", {
            let keeper = Arc::clone(&keeper);
            move || keeper.run(&stop)
        })?;
        Ok(Self(Arc::new(Handle {
            shared,
            keeper: Some(keeper),
            jobs: Some(jobs),
            stop_keeper: Some(stop_keeper),
            keeper_thread: Some(keeper_thread),
            writer_thread: Some(writer_thread),
        })))
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, LogError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| LogError::Unusable(format!("no thread can be started: {error}")))
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.stop();
        }
        drop(self.stop_keeper.take());
        join(self.keeper_thread.take(), "keeper");
        // Now nobody can send jobs: the writer ends once it has written those that wait.
        drop(self.jobs.take());
        join(self.writer_thread.take(), "writer");
    }
}

fn join(thread: Option<JoinHandle<()>>, name: &str) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("the embedded log's {name} thread panicked");
    }
}

fn closing() -> LogError {
    LogError::Away("the log is being closed".to_owned())
}

impl Handle {
    /// Has the writer do a job and waits for its answer.
    async fn write<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, LogError> {
        // Fails at once rather than queue up behind a store that is being opened again.
        self.shared.store()?;
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(closing)?;
        let written = async {
            jobs.send(job(reply)).await.map_err(|_| closing())?;
            answer.await.unwrap_or_else(|_| Err(closing()))
        };
        let seconds = PATIENCE.as_secs();
        let stuck = || LogError::Away(format!("the disk has not answered for {seconds} s"));
        timeout(PATIENCE, written)
            .await
            .unwrap_or_else(|_| Err(stuck()))
    }

    /// Refuses what the writer could not store.
    fn check(&self, records: &[NewRecord]) -> Result<(), LogError> {
        let mut topic = None;
        for record in records {
            record.check_size()?;
            let known = match topic.take() {
                Some((name, known)) if name == record.at.topic => known,
                _ => self.shared.topic(record.at.topic)?,
            };
            known.check_partition(record.at.partition)?;
            topic = Some((record.at.topic, known));
        }
        Ok(())
    }

    /// Lets go of what is due, or of all that may go, now. Blocks.
    #[cfg(test)]
    pub(crate) fn keep(&self, which: crate::keeper::Which) -> Result<(), LogError> {
        self.keeper.as_ref().ok_or_else(closing)?.keep(which)
    }
}

#[async_trait]
impl Log for EmbeddedLog {
    async fn declare(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let shared = Arc::clone(&self.0.shared);
        let topics = topics.to_vec();
        blocking(move || topics.into_iter().try_for_each(|spec| shared.declare(spec))).await
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<u64>, LogError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.0.check(&records)?;
        self.0.write(|reply| Job::Append { records, reply }).await
    }

    async fn partitions(&self, topic: TopicName) -> Result<Option<u32>, LogError> {
        let shared = Arc::clone(&self.0.shared);
        blocking(move || shared.store()?.partition_count(topic)).await
    }

    async fn end_offsets(&self, topic: TopicName) -> Result<Vec<u64>, LogError> {
        self.0.shared.store()?;
        let standings = self.0.shared.topic(topic)?.standings();
        Ok(standings.iter().map(|standing| standing.end).collect())
    }

    async fn reader(
        &self,
        topic: TopicName,
        positions: &[(u32, u64)],
    ) -> Result<Box<dyn Reader>, LogError> {
        let mut tail = Tail::new(Arc::clone(&self.0), topic)?;
        for (partition, offset) in positions {
            tail.follow(*partition, *offset)?;
        }
        Ok(Box::new(tail))
    }

    async fn committed(&self, group: &str, topic: TopicName) -> Result<Vec<Option<u64>>, LogError> {
        self.0.shared.store()?;
        let topic = self.0.shared.topic(topic)?;
        Ok(self.0.shared.committed(group, &topic))
    }

    async fn join(
        &self,
        group: &str,
        topic: TopicName,
        member: &str,
    ) -> Result<Box<dyn GroupMember>, LogError> {
        if group.len() > GROUP_NAME_BYTES {
            let limit = GROUP_NAME_BYTES;
            return Err(LogError::Unusable(format!(
                "a group's name is longer than {limit} bytes"
            )));
        }
        let partitions = self.0.shared.topic(topic)?.count();
        let membership = self.0.shared.groups.join(group, topic, partitions, member);
        Ok(Box::new(Member::new(
            Arc::clone(&self.0),
            topic,
            membership,
        )?))
    }

    async fn health(&self) -> Result<(), LogError> {
        self.0.shared.store()?;
        self.0.shared.check_progress()?;
        let shared = Arc::clone(&self.0.shared);
        let stuck = || LogError::Away("the disk does not tell its free space".to_owned());
        let checked = timeout(HEALTH_CHECK, blocking(move || shared.check_space())).await;
        checked.unwrap_or_else(|_| Err(stuck()))
    }

    async fn stats(&self) -> Result<Vec<TopicStats>, LogError> {
        let stats = self.0.shared.topics().into_iter().map(|topic| {
            let held = topic
                .standings()
                .into_iter()
                .fold(Totals::default(), |held, standing| {
                    held.plus(standing.appended.minus(standing.removed.totals))
                });
            let (topic, partitions) = (topic.name, topic.count());
            TopicStats {
                topic,
                partitions,
                records: held.records,
                bytes: Some(held.bytes),
            }
        });
        Ok(stats.collect())
    }
}

/// Does what may wait for the disk where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let broke_off = |_| LogError::Away("the store broke off".to_owned());
    spawn_blocking(work).await.map_err(broke_off).flatten()
}

#[async_trait]
impl Source for Handle {
    fn end(&self, at: TopicPartition) -> Result<u64, LogError> {
        Ok(self.shared.topic(at.topic)?.standing(at.partition)?.end)
    }

    async fn fetch(&self, at: TopicPartition, offset: u64) -> Result<Chunk, LogError> {
        let topic = self.shared.topic(at.topic)?;
        if let Some((records, next_offset)) = topic.read_tail(at.partition, offset)? {
            return Ok(Chunk {
                from: at,
                records,
                next_offset,
            });
        }
        // Looked up before the store is: it has at least what lies before this end.
        let end = topic.standing(at.partition)?.end;
        let store = self.shared.store()?;
        blocking(move || {
            let (mut records, mut bytes, mut next_offset) = (Vec::new(), 0, end);
            for entry in store.batches(at, offset) {
                let (last, head, value) = entry?;
                batch::records(&value, offset, &mut records)
                    .map_err(|why| damaged(at, last, why))?;
                next_offset = last + 1;
                bytes += head.plain_bytes;
                if bytes >= CHUNK_BYTES {
                    return Ok(Chunk {
                        from: at,
                        records,
                        next_offset,
                    });
                }
            }
            Ok(Chunk {
                from: at,
                records,
                next_offset: next_offset.max(end),
            })
        })
        .await
    }

    fn growth(&self, topic: TopicName) -> Result<watch::Receiver<()>, LogError> {
        Ok(self.shared.topic(topic)?.growth())
    }
}

#[async_trait]
impl Commits for Handle {
    async fn commit(
        &self,
        permit: Permit,
        topic: TopicName,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
    ) -> Result<(), LogError> {
        self.check(&outputs)?;
        let offsets = offsets.to_vec();
        self.write(|reply| Job::Commit {
            permit,
            topic,
            outputs,
            offsets,
            reply,
        })
        .await
    }
}
