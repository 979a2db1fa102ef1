//! A reader: one consumer of assigned partitions on a thread of its own.

use std::{collections::HashMap, thread, time::Duration};

use async_trait::async_trait;
use foretide_ports::{Chunk, LogError, Reader, TopicName, TopicPartition};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use tokio::{sync::mpsc, time::timeout};
use tracing::debug;

use crate::{batches::Batches, context::Logged, errors, queries};

/// Chunks read ahead; each is at most about a mebibyte.
const CHUNKS_AHEAD: usize = 4;
/// How soon the thread notices that its reader was dropped.
const POLL: Duration = Duration::from_millis(100);

/// Where a partition is to be read from, and up to where it could be read before the consumer was assigned to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) partition: u32,
    pub(crate) position: u64,
    pub(crate) readable: u64,
}

/// The caller's end.
pub(crate) struct KafkaReader {
    chunks: mpsc::Receiver<Result<Chunk, LogError>>,
}

#[async_trait]
impl Reader for KafkaReader {
    /// While no broker answers nothing comes; reading goes on by itself once one does.
    async fn next(&mut self, max_wait: Duration) -> Result<Option<Chunk>, LogError> {
        match timeout(max_wait, self.chunks.recv()).await {
            Err(_) => Ok(None),
            Ok(Some(chunk)) => chunk.map(Some),
            Ok(None) => Err(LogError::Away("the reader ended".into())),
        }
    }
}

impl KafkaReader {
    /// Starts reading.
    pub(crate) fn start(
        config: &ClientConfig,
        topic: TopicName,
        starts: &[Start],
    ) -> Result<Self, LogError> {
        let trouble = |error| errors::log_error("starting a reader", &error);
        let consumer: BaseConsumer<Logged> = config.create_with_context(Logged).map_err(trouble)?;
        let mut list = rdkafka::TopicPartitionList::new();
        for start in starts {
            queries::add(
                &mut list,
                topic,
                start.partition,
                queries::at(start.position),
            )?;
        }
        consumer.assign(&list).map_err(trouble)?;
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let thread = Thread {
            consumer,
            topic,
            sender,
            batches: Batches::new(topic),
            ends: starts
                .iter()
                .map(|start| (start.partition, start.readable))
                .collect(),
        };
        thread::Builder::new()
            .name("kafka-reader".into())
            .spawn(move || thread.run())
            .map_err(|error| LogError::Away(format!("cannot start a thread: {error}")))?;
        Ok(Self { chunks })
    }
}

/// The reader is gone.
struct Dropped;

/// The polling end.
struct Thread {
    consumer: BaseConsumer<Logged>,
    topic: TopicName,
    sender: mpsc::Sender<Result<Chunk, LogError>>,
    batches: Batches,
    /// By partition, an offset up to which everything readable was handed on once its end is met.
    ends: HashMap<u32, u64>,
}

impl Thread {
    fn run(mut self) {
        while !self.sender.is_closed() {
            if self.round().is_err() {
                break;
            }
        }
        debug!(topic = self.topic, "a reader ends");
    }

    /// Polls until nothing is left or enough is gathered, and hands it on.
    fn round(&mut self) -> Result<(), Dropped> {
        let mut wait = POLL;
        while !self.batches.is_full() {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => self.batches.take_in(&message),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.end_of(partition.cast_unsigned())?;
                }
                Some(Err(error)) => self.trouble(&error)?,
            }
            wait = Duration::ZERO;
        }
        for chunk in self.batches.take_all() {
            self.hand_on(chunk)?;
        }
        Ok(())
    }

    /// A partition was read to its end. The position counts what is not a record, such as the markers of transactions;
    /// before the first record there is none, and the end asked for beforehand holds: the fetch came after.
    fn end_of(&mut self, partition: u32) -> Result<(), Dropped> {
        if let Some(chunk) = self.batches.take(partition) {
            self.hand_on(chunk)?;
        }
        let position = queries::position(&self.consumer, self.topic, partition).unwrap_or(0);
        let next_offset = self.passed(partition, position);
        let from = TopicPartition {
            topic: self.topic,
            partition,
        };
        self.hand_on(Chunk {
            from,
            records: Vec::new(),
            next_offset,
        })
    }

    /// Remembers that everything before `offset` was handed on; positions never fall.
    fn passed(&mut self, partition: u32, offset: u64) -> u64 {
        let end = self.ends.entry(partition).or_default();
        *end = offset.max(*end);
        *end
    }

    fn trouble(&self, error: &KafkaError) -> Result<(), Dropped> {
        match errors::log_error("reading", error) {
            // librdkafka goes on by itself, and has logged it.
            LogError::Away(_) | LogError::Fenced(_) => Ok(()),
            lasting => self.sender.blocking_send(Err(lasting)).map_err(|_| Dropped),
        }
    }

    fn hand_on(&self, chunk: Chunk) -> Result<(), Dropped> {
        self.sender.blocking_send(Ok(chunk)).map_err(|_| Dropped)
    }
}
