//! Reading `foretide.links` beside the work.

use std::{sync::Arc, time::Duration};

use foretide_ports::{Chunk, LINKS, Log, LogError};
use tokio::{
    sync::mpsc::{Receiver, channel, error::TryRecvError},
    task::JoinHandle,
};

/// How long one call waits for records.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// Chunks that may wait to be taken in.
const WAITING_CHUNKS: usize = 4;

/// Reads partitions of `foretide.links` from where their profiles have taken them in. Reads nothing until it is told what.
#[derive(Default)]
pub(crate) struct LinkReader {
    reading: Option<Reading>,
}

/// What is read, and who reads it.
struct Reading {
    chunks: Receiver<Result<Chunk, LogError>>,
    task: JoinHandle<()>,
}

impl LinkReader {
    /// Reads from these `(partition, offset)` positions on, and nothing else any more.
    pub(crate) fn follow(&mut self, log: &Arc<dyn Log>, positions: Vec<(u32, u64)>) {
        self.stop();
        if positions.is_empty() {
            return;
        }
        let log = Arc::clone(log);
        let (sender, chunks) = channel(WAITING_CHUNKS);
        let task = tokio::spawn(async move {
            let mut reader = match log.reader(LINKS, &positions).await {
                Ok(reader) => reader,
                Err(error) => return drop(sender.send(Err(error)).await),
            };
            loop {
                let next = match reader.next(MAX_WAIT).await {
                    Ok(None) => continue,
                    Ok(Some(chunk)) => Ok(chunk),
                    Err(error) => Err(error),
                };
                let is_over = next.is_err();
                if sender.send(next).await.is_err() || is_over {
                    return;
                }
            }
        });
        self.reading = Some(Reading { chunks, task });
    }

    /// Reads nothing any more.
    pub(crate) fn stop(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.task.abort();
        }
    }

    /// The next chunk that has been read, if there is one. One without records says how far there are none.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(crate) fn ready(&mut self) -> Result<Option<Chunk>, LogError> {
        let Some(Reading { chunks, .. }) = &mut self.reading else {
            return Ok(None);
        };
        match chunks.try_recv() {
            Ok(next) => next.map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(LogError::Away(format!(
                "the reading of {LINKS} ended by itself"
            ))),
        }
    }
}

impl Drop for LinkReader {
    fn drop(&mut self) {
        self.stop();
    }
}
