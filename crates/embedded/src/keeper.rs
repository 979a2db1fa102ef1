//! The thread that lets go of old records: retention and compaction, beside the writer and through it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, RecvTimeoutError},
};

use foretide_ports::{Cleanup, LogError, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::{
    compaction, retention,
    shared::Shared,
    store::{Standing, Store},
    topic::Topic,
    writer::{Job, Rewrite},
};

/// Keeps the topics as they were declared.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    /// Held by whoever works: two would count the same removal twice.
    working: Mutex<()>,
    is_stopping: AtomicBool,
}

/// Which compacted partitions to compact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that are due.
    Due,
    /// All of them.
    All,
}

impl Keeper {
    pub(crate) fn new(shared: Arc<Shared>, jobs: mpsc::Sender<Job>) -> Self {
        Self {
            shared,
            jobs,
            working: Mutex::default(),
            is_stopping: AtomicBool::default(),
        }
    }

    /// Works every now and then until `stop` is hung up.
    pub(crate) fn run(&self, stop: &Receiver<()>) {
        let interval = self.shared.options.keep_interval;
        while stop.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = self.keep(Which::Due) {
                tracing::warn!(%error, "letting go of old records of the embedded log failed");
            }
        }
    }

    /// Asks the work under way to end soon.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Goes through all topics once.
    pub(crate) fn keep(&self, which: Which) -> Result<(), LogError> {
        let _alone = self.working.lock();
        for topic in self.shared.topics() {
            for partition in 0..topic.count() {
                if self.is_stopping() {
                    return Ok(());
                }
                self.keep_partition(&topic, partition, which)?;
            }
        }
        Ok(())
    }

    fn keep_partition(&self, topic: &Topic, partition: u32, which: Which) -> Result<(), LogError> {
        let at = TopicPartition {
            topic: topic.name,
            partition,
        };
        let now = self.shared.now();
        match topic.cleanup {
            Cleanup::Delete { retention_ms } => retention::expire(self, at, retention_ms, now),
            Cleanup::Compact {
                delete_retention_ms,
            } => {
                let standing = self.standing(at)?;
                let least = self.shared.options.compact_least_bytes;
                if which == Which::All || compaction::is_due(&standing, least) {
                    compaction::compact(self, at, delete_retention_ms, now)?;
                }
                Ok(())
            }
        }
    }

    pub(crate) fn standing(&self, at: TopicPartition) -> Result<Standing, LogError> {
        self.shared.topic(at.topic)?.standing(at.partition)
    }

    pub(crate) fn store(&self) -> Result<Arc<Store>, LogError> {
        self.shared.store()
    }

    /// Has the writer make a change, and waits for it.
    pub(crate) fn rewrite(&self, rewrite: Rewrite) -> Result<(), LogError> {
        let (reply, answer) = oneshot::channel();
        let closing = || LogError::Away("the log is being closed".to_owned());
        self.jobs
            .blocking_send(Job::Rewrite { rewrite, reply })
            .map_err(|_| closing())?;
        answer.blocking_recv().unwrap_or_else(|_| Err(closing()))
    }
}
