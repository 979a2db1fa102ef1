//! Reading a stretch of the log with several threads, a partition always with the same.

use std::collections::BTreeMap;

use foretide_ports::{ACTIONS, Chunk, ReadOnlyLog};
use foretide_runtime::CancellationToken;
use tokio::{
    sync::mpsc::{Sender, channel},
    task::{JoinHandle, spawn_blocking},
};

use super::FramesError;
use crate::{
    ProcessorError,
    reading::{Reading, Until, at},
};

/// Chunks that may wait for one thread.
const WAITING_CHUNKS: usize = 4;

/// What is to be read of each partition.
pub(super) struct Range {
    pub(super) begins: Vec<u64>,
    pub(super) ends: Vec<u64>,
}

impl Range {
    /// How many offsets there are.
    pub(super) fn offsets(&self) -> u64 {
        let pairs = self.begins.iter().zip(&self.ends);
        pairs.map(|(begin, end)| end.saturating_sub(*begin)).sum()
    }
}

/// What a thread does with the chunks of its partitions.
pub(super) trait Work: Send + 'static {
    /// Deals with the next chunk of a partition, of which records behind `end` are not to be looked at.
    fn chunk(&mut self, chunk: &Chunk, end: u64) -> Result<(), FramesError>;
}

/// The threads.
pub(super) struct Lanes<W> {
    lanes: Vec<Lane<W>>,
}

struct Lane<W> {
    chunks: Sender<(Chunk, u64)>,
    done: JoinHandle<Result<W, FramesError>>,
}

impl<W: Work> Lanes<W> {
    /// As many as the machine runs at once, each with work of its own.
    pub(super) fn start(work: impl Fn() -> W) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let lane = |_| {
            let (chunks, mut given) = channel::<(Chunk, u64)>(WAITING_CHUNKS);
            let mut work = work();
            let done = spawn_blocking(move || {
                while let Some((chunk, end)) = given.blocking_recv() {
                    work.chunk(&chunk, end)?;
                }
                Ok(work)
            });
            Lane { chunks, done }
        };
        Self {
            lanes: (0..threads).map(lane).collect(),
        }
    }

    /// Gives them all of `range`. Returns what they have made of it, and the number of records.
    pub(super) async fn read(
        self,
        log: &ReadOnlyLog,
        range: &Range,
        progress: &mut (impl FnMut(u64) + Send),
    ) -> Result<(Vec<W>, u64), FramesError> {
        let never = CancellationToken::new();
        let from: Vec<_> = (0..).zip(range.begins.iter().copied()).collect();
        let mut reached: BTreeMap<u32, u64> = from.iter().copied().collect();
        let reader = log.reader(ACTIONS, &from).await;
        let reader = reader.map_err(ProcessorError::from)?;
        let mut reading = Reading::of(reader, &from, &range.ends, Until::Noted, &never);
        let (mut records, mut done) = (0, 0);
        while let Some(chunk) = reading.next().await? {
            let partition = chunk.from.partition;
            let end = at(&range.ends, partition);
            let within = |offset: &u64| *offset < end;
            let offsets = chunk.records.iter().map(|record| record.offset);
            records += offsets.filter(within).count() as u64;
            let before = reached.entry(partition).or_default();
            let next = chunk.next_offset.min(end).max(*before);
            done += next - std::mem::replace(before, next);
            let lane = &self.lanes[partition as usize % self.lanes.len()];
            if lane.chunks.send((chunk, end)).await.is_err() {
                // It has failed, and says below why.
                break;
            }
            progress(done);
        }
        drop(reading);
        let mut worked = Vec::with_capacity(self.lanes.len());
        for Lane { chunks, done } in self.lanes {
            drop(chunks);
            worked.push(done.await.map_err(|_| ProcessorError::ThreadDied)??);
        }
        Ok((worked, records))
    }
}
