//! Decisions on their way to the log.
//!
//! An answer never waits for the log: it puts its record into a bounded queue, or learns that the queue is full. A task
//! drains the queue in batches and tries again while the log is away. A batch that was refused may have been stored in part:
//! a decision can be on the log twice, under one id.

use std::{cell::RefCell, sync::Arc, time::Duration};

use bytes::BytesMut;
use foretide_decision::{DecisionRecord, OfferKind, RecordWriter};
use foretide_ports::{DECISIONS, Log, LogError, NewRecord, TopicPartition, shopper_key};
use foretide_runtime::CancellationToken;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::timeout,
};

use crate::metrics::{DecisionsByOffer, ScoringMetrics};

/// How long decisions are gathered before they are written. Nobody waits for them, and every write has the log synced.
const GATHER: Duration = Duration::from_millis(50);
/// How many decisions are written at once, at most.
const BATCH: usize = 5_000;
/// How long to wait before trying again: first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Records that are made on one thread share memory in pieces of this size, which is freed with the last of them: they are
/// written about when they were made, and one piece each would be much to ask of the allocator.
const PIECE: usize = 64 << 10;

/// Why a decision will never be on the log: nobody will learn from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRecorded {
    /// Too many decisions wait already.
    QueueFull,
    /// The process is ending.
    Closed,
}

impl NotRecorded {
    /// The cause under which it is counted.
    fn cause(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Closed => "shutdown",
        }
    }

    /// What the answer says of it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::QueueFull => "too many decisions wait for the log: this one is not recorded",
            Self::Closed => "the process is ending: this decision is not recorded",
        }
    }
}

/// The end of the queue at which answers put their records.
#[derive(Clone)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<NewRecord>,
    metrics: ScoringMetrics,
    by_offer: DecisionsByOffer,
}

/// The end of the queue at which records leave for the log.
pub(crate) struct Drain {
    queue: mpsc::Receiver<NewRecord>,
    log: Arc<dyn Log>,
    metrics: ScoringMetrics,
}

/// A queue of at most `capacity` records, at least one.
pub(crate) fn queue(
    capacity: usize,
    log: Arc<dyn Log>,
    metrics: &ScoringMetrics,
) -> (Recorder, Drain) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    let recorder = Recorder {
        queue: sender,
        metrics: metrics.clone(),
        by_offer: DecisionsByOffer::of(metrics),
    };
    (
        recorder,
        Drain {
            queue: receiver,
            log,
            metrics: metrics.clone(),
        },
    )
}

/// What a thread writes records into.
#[derive(Default)]
struct Desk {
    writer: RecordWriter,
    /// The record that is being written.
    draft: Vec<u8>,
    /// The rest of a piece.
    piece: BytesMut,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

impl Desk {
    /// The record for the log, in `partition`.
    fn write(&mut self, record: &DecisionRecord, partition: u32) -> NewRecord {
        self.draft.clear();
        self.writer.write(record, &mut self.draft);
        let key = shopper_key(&record.shopper);
        let size = key.len() + self.draft.len();
        if self.piece.capacity() < size {
            self.piece = BytesMut::with_capacity(PIECE.max(size));
        }
        self.piece.extend_from_slice(&key);
        let key = self.piece.split().freeze();
        self.piece.extend_from_slice(&self.draft);
        NewRecord {
            at: TopicPartition {
                topic: DECISIONS,
                partition,
            },
            key,
            value: Some(self.piece.split().freeze()),
        }
    }
}

impl Recorder {
    /// Queues a decision for `partition`, that of its shopper, at once or not at all.
    pub(crate) fn record(
        &self,
        record: &DecisionRecord,
        partition: u32,
    ) -> Result<(), NotRecorded> {
        self.put(DESK.with_borrow_mut(|desk| desk.write(record, partition)))
    }

    /// Counts a decision for an offer of `kind`, or for none.
    pub(crate) fn decided(&self, kind: Option<OfferKind>) {
        self.by_offer.count(kind);
    }

    fn put(&self, record: NewRecord) -> Result<(), NotRecorded> {
        // Counted before it is queued, so that the drain never takes off what was not put on.
        self.metrics.queue_depth.inc();
        self.queue.try_send(record).map_err(|error| {
            self.metrics.queue_depth.dec();
            self.lost(match error {
                TrySendError::Full(_) => NotRecorded::QueueFull,
                TrySendError::Closed(_) => NotRecorded::Closed,
            })
        })
    }

    /// Counts a decision that is not queued.
    fn lost(&self, why: NotRecorded) -> NotRecorded {
        self.metrics.lost.with_label_values(&[why.cause()]).inc();
        why
    }
}

impl Drain {
    /// Writes what is queued until there is nobody left to queue more. After `closed`, when the last request has been answered,
    /// what is held is still written; after `hard`, nothing is.
    pub(crate) async fn run(mut self, closed: CancellationToken, hard: CancellationToken) {
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                _ = self.queue.recv_many(&mut batch, BATCH) => {}
                () = closed.cancelled() => {
                    self.queue.close();
                    self.queue.recv_many(&mut batch, BATCH).await;
                }
            }
            if batch.is_empty() {
                return;
            }
            let records = batch.len();
            let written = self.write(batch, &hard).await;
            self.metrics
                .queue_depth
                .sub(i64::try_from(records).unwrap_or(i64::MAX));
            if let Err(unwritten) = written {
                self.abandon(unwritten);
                return;
            }
            if self.queue.len() < BATCH {
                let _ = timeout(GATHER, closed.cancelled()).await;
            }
        }
    }

    /// Writes `batch`, as often as it takes. When the hard signal comes first, how many are not written.
    async fn write(
        &self,
        mut batch: Vec<NewRecord>,
        hard: &CancellationToken,
    ) -> Result<(), usize> {
        let mut pause = FIRST_PAUSE;
        while !batch.is_empty() {
            match self.log.append(batch.clone()).await {
                Ok(offsets) => {
                    self.metrics.recorded.inc_by(offsets.len() as u64);
                    return Ok(());
                }
                Err(LogError::TooLarge { limit, .. }) => {
                    self.drop_oversized(&mut batch, limit);
                    continue;
                }
                Err(error) => {
                    self.metrics.record_failures.inc();
                    if pause == FIRST_PAUSE {
                        tracing::warn!(%error, decisions.count = batch.len(), "decisions wait for the log");
                    }
                }
            }
            if timeout(pause, hard.cancelled()).await.is_ok() {
                return Err(batch.len());
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// Lets go of the records that the log will never take: those over `limit`, or at least the largest.
    fn drop_oversized(&self, batch: &mut Vec<NewRecord>, limit: usize) {
        let before = batch.len();
        let largest = batch.iter().map(NewRecord::bytes).max().unwrap_or(0);
        batch.retain(|record| record.bytes() <= limit && record.bytes() < largest);
        let dropped = before - batch.len();
        self.metrics
            .lost
            .with_label_values(&["too_large"])
            .inc_by(dropped as u64);
        tracing::error!(
            decisions.count = dropped,
            limit_bytes = limit,
            "decisions are too large for the log"
        );
    }

    /// Counts as lost, and tells, the `unwritten` of the last batch and what is left in the queue.
    fn abandon(&mut self, unwritten: usize) {
        self.queue.close();
        let mut lost = unwritten;
        while self.queue.try_recv().is_ok() {
            self.metrics.queue_depth.dec();
            lost += 1;
        }
        self.metrics
            .lost
            .with_label_values(&["shutdown"])
            .inc_by(lost as u64);
        tracing::error!(
            decisions.count = lost,
            what_to_do = "nothing for these, whose answers were given; see why the log took none before the end, and give it \
                          longer if it is slow (--shutdown-grace-s)",
            "decisions are lost: the process ends before the log took them"
        );
    }
}

#[cfg(test)]
mod tests;
