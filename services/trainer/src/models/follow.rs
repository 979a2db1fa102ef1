//! Following examples and decisions into what is held to learn from.
//!
//! Everything that is learnt from is on the log, and nothing else is kept: a trainer that comes back reads it again.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use foretide_models::example::Example;
use foretide_ports::{Chunk, DECISIONS, EXAMPLES, Log, LogError, Record, TopicName};
use foretide_runtime::CancellationToken;
use foretide_training::window::Decided;
use memchr::memmem;
use tokio::time::sleep;

use super::{
    decided,
    learning::{Learning, Stream, Thinning},
};
use crate::{
    TrainerMetrics, TrainerParts,
    aside::{Aside, Broke},
};

/// How long to wait for records before looking around.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// How long to wait before reading again after something went wrong.
const PAUSE: Duration = Duration::from_secs(2);

/// At which niceness records are read: behind all who wait for an answer, and not so far that it falls behind the stream.
const NICENESS: i32 = 5;

/// Keeps what is held to learn from up to date.
pub(crate) struct Follower {
    log: Arc<dyn Log>,
    learning: Arc<Learning>,
    metrics: TrainerMetrics,
    /// Reading does not wait for what is being fitted.
    aside: Aside,
}

/// Why following broke off.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Broke(#[from] Broke),
}

/// What the records of a chunk say.
#[derive(Default)]
struct Read {
    examples: Vec<(Bytes, Example)>,
    decisions: Vec<Decided>,
    /// The causes for which records were refused.
    refused: Vec<&'static str>,
}

impl Stream {
    fn topic(self) -> TopicName {
        match self {
            Self::Examples => EXAMPLES,
            Self::Decisions => DECISIONS,
        }
    }
}

impl Follower {
    pub(super) fn new(parts: &TrainerParts, learning: Arc<Learning>) -> Self {
        Self {
            log: Arc::clone(&parts.log),
            learning,
            metrics: parts.metrics.clone(),
            aside: parts.aside.another(NICENESS),
        }
    }

    /// Follows until `stop`. Whatever goes wrong is told and tried again: what serves does not depend on it.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let both = async {
            tokio::join!(
                self.keep_following(Stream::Examples, &stop),
                self.keep_following(Stream::Decisions, &stop)
            )
        };
        tokio::select! {
            _ = both => {}
            () = stop.cancelled() => {}
        }
    }

    async fn keep_following(&self, stream: Stream, stop: &CancellationToken) {
        let mut positions = Vec::new();
        let mut of_reading = 0;
        while !stop.is_cancelled() {
            let (reading, thinning) = self.learning.reading();
            if mem::replace(&mut of_reading, reading) != reading {
                positions.clear();
            }
            let followed = self.follow(stream, (reading, thinning), &mut positions, stop);
            match followed.await {
                // What is held is to be of fewer shoppers: from the beginning.
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, topic = stream.topic(), "cannot follow what models are learnt from: trying again");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Reads on from `positions`, until something goes wrong or another reading begins.
    async fn follow(
        &self,
        stream: Stream,
        (reading, thinning): (u32, Thinning),
        positions: &mut Vec<u64>,
        stop: &CancellationToken,
    ) -> Result<(), FollowError> {
        let mut asked = self.learning.asked();
        let mut ends = self.log.end_offsets(stream.topic()).await?;
        positions.resize(ends.len(), 0);
        let from: Vec<_> = (0..).zip(positions.iter().copied()).collect();
        let mut reader = self.log.reader(stream.topic(), &from).await?;
        while self.learning.reading().0 == reading {
            if let Some(chunk) = reader.next(MAX_WAIT).await? {
                let (partition, next) = (chunk.from.partition, chunk.next_offset);
                let Some(read) = self.read(stream, thinning, chunk, stop).await? else {
                    return Ok(());
                };
                self.take(reading, partition, read);
                if let Some(position) = positions.get_mut(partition as usize) {
                    *position = next;
                }
            }
            if self.learning.asked() != asked {
                asked = self.learning.asked();
                ends = self.log.end_offsets(stream.topic()).await?;
            }
            if positions
                .iter()
                .zip(&ends)
                .all(|(position, end)| position >= end)
            {
                self.learning.has_read(reading, stream);
            }
        }
        Ok(())
    }

    /// Reads a chunk's records at the lowest priority; `None` if asked to end.
    async fn read(
        &self,
        stream: Stream,
        thinning: Thinning,
        chunk: Chunk,
        stop: &CancellationToken,
    ) -> Result<Option<Read>, Broke> {
        if chunk.records.is_empty() {
            return Ok(Some(Read::default()));
        }
        let work = move || {
            let mut read = Read::default();
            for record in chunk.records {
                // A decision may bear on another shopper than it was asked for, be it one who is known only later; an example says whose
                // its devices are.
                let may_matter = match stream {
                    Stream::Decisions => true,
                    Stream::Examples => thinning.keeps_any(&record.key) || names_devices(&record),
                };
                if may_matter {
                    read.record(stream, record);
                }
            }
            read
        };
        self.aside.fit(stop, work).await
    }

    fn take(&self, reading: u32, partition: u32, read: Read) {
        for cause in read.refused {
            self.metrics.refused.with_label_values(&[cause]).inc();
        }
        self.learning.take(reading, partition, read.examples);
        self.learning.decided(reading, &read.decisions);
    }
}

/// Whether an example may say whose some devices are.
fn names_devices(record: &Record) -> bool {
    let value = record.value.as_ref();
    value.is_some_and(|value| memmem::find(value, b"\"devices\"").is_some())
}

impl Read {
    /// A record that cannot be read changes nothing: it is counted, and shown at the level of debugging, for there may be many.
    fn record(&mut self, stream: Stream, record: Record) {
        let Some(value) = &record.value else {
            return;
        };
        let cause = match stream {
            Stream::Examples => match Example::decode(value) {
                Ok(example) => return self.examples.push((record.key, example)),
                Err(error) => {
                    tracing::debug!(%error, offset = record.offset, "an example cannot be learnt from");
                    error.name()
                }
            },
            Stream::Decisions if decided::bears_on_nothing(value) => return,
            Stream::Decisions => match decided::read(value) {
                Ok(decided) => return self.decisions.push(decided),
                Err(error) => {
                    tracing::debug!(%error, offset = record.offset, "a decision cannot be learnt from");
                    "unreadable_decision"
                }
            },
        };
        self.refused.push(cause);
    }
}
