//! Reading partitions of a log that lives in this process.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{sync::watch, time::Instant};

use crate::{Chunk, LogError, Reader, TopicName, TopicPartition};

/// What a log in this process gives to those who read it.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The end offset of a partition. Cheap: it is asked for at every turn.
    fn end(&self, at: TopicPartition) -> Result<u64, LogError>;

    /// A chunk of the records from `offset` on, which is below the end. Without records if none is kept any more; the
    /// chunk's next offset is then at or beyond the end.
    async fn fetch(&self, at: TopicPartition, offset: u64) -> Result<Chunk, LogError>;

    /// Tells of every append to `topic`.
    fn growth(&self, topic: TopicName) -> Result<watch::Receiver<()>, LogError>;
}

/// Follows some partitions of a topic, each in its turn.
pub struct Tail<S> {
    source: Arc<S>,
    topic: TopicName,
    growth: watch::Receiver<()>,
    positions: Vec<Position>,
    /// Whose turn is next.
    turn: usize,
}

struct Position {
    partition: u32,
    offset: u64,
    told_end: bool,
}

impl<S: Source> Tail<S> {
    /// Follows partitions of `topic`, none yet.
    pub fn new(source: Arc<S>, topic: TopicName) -> Result<Self, LogError> {
        let growth = source.growth(topic)?;
        Ok(Self {
            source,
            topic,
            growth,
            positions: Vec::new(),
            turn: 0,
        })
    }

    /// Follows `partition` from `offset` on.
    pub fn follow(&mut self, partition: u32, offset: u64) -> Result<(), LogError> {
        self.source.end(TopicPartition {
            topic: self.topic,
            partition,
        })?;
        self.unfollow(&[partition]);
        self.positions.push(Position {
            partition,
            offset,
            told_end: false,
        });
        Ok(())
    }

    /// Does not follow `partitions` any more.
    pub fn unfollow(&mut self, partitions: &[u32]) {
        self.positions
            .retain(|position| !partitions.contains(&position.partition));
    }

    /// What is there now: a chunk of records, or the word of an end that was not told yet.
    pub async fn poll(&mut self) -> Result<Option<Chunk>, LogError> {
        self.growth.borrow_and_update();
        for _ in 0..self.positions.len() {
            self.turn = (self.turn + 1) % self.positions.len();
            let position = &mut self.positions[self.turn];
            let from = TopicPartition {
                topic: self.topic,
                partition: position.partition,
            };
            if position.offset < self.source.end(from)? {
                let chunk = self.source.fetch(from, position.offset).await?;
                position.offset = chunk.next_offset;
                position.told_end = chunk.records.is_empty();
                return Ok(Some(chunk));
            }
            if !position.told_end {
                position.told_end = true;
                let next_offset = position.offset;
                return Ok(Some(Chunk {
                    from,
                    records: Vec::new(),
                    next_offset,
                }));
            }
        }
        Ok(None)
    }

    /// Waits until the topic has grown since the last [`Self::poll`].
    pub async fn grown(&mut self) {
        if self.growth.changed().await.is_err() {
            // The log is gone: nothing will come.
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl<S: Source> Reader for Tail<S> {
    async fn next(&mut self, max_wait: Duration) -> Result<Option<Chunk>, LogError> {
        let until = Instant::now() + max_wait;
        loop {
            if let Some(chunk) = self.poll().await? {
                return Ok(Some(chunk));
            }
            if tokio::time::timeout_at(until, self.grown()).await.is_err() {
                return Ok(None);
            }
        }
    }
}
