//! A replay in no group, by this process alone: at a pace, or on top of what was folded before.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use foretide_events::{EpochMs, ShopperId};
use foretide_features::FoldRules;
use foretide_ports::{ACTIONS, Chunk, ReadOnlyLog};
use foretide_runtime::CancellationToken;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{interval, sleep_until},
};

use super::{
    Placed, Progress, Replayed, Stretch, late,
    pace::{Pace, Speed},
};
use crate::{
    FoldedLog, ProcessorError,
    pool::FoldPool,
    reading::{Reading, Until, at},
};

/// Chunks that may wait to be folded.
const WAITING: usize = 8;
/// How often to say that all is well while records are only waited for.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A range of `foretide.actions` to fold again, without being a member of any group.
#[derive(Clone)]
pub struct AloneReplay {
    /// The log.
    pub log: ReadOnlyLog,
    /// For each partition, the offset to begin at.
    pub begins: Vec<u64>,
    /// For each partition, the offset to end before.
    pub ends: Vec<u64>,
    /// The rules to fold by.
    pub rules: FoldRules,
    /// How fast; as fast as it goes where it is `None`.
    pub speed: Option<Speed>,
    /// What to do about late events; nothing where it is `None`.
    pub lateness: Option<Lateness>,
}

/// Late events are to be folded at their place.
#[derive(Clone, Debug)]
pub struct Lateness {
    /// For each partition, where the first event lies that is part of the profiles.
    pub begins: Vec<u64>,
    /// Shoppers of whom an event was late before the range.
    pub known: BTreeSet<ShopperId>,
}

/// The outcome of a replay that was run alone.
pub struct RanAlone {
    /// As of any.
    pub replayed: Replayed,
    /// Shoppers of whom an event was late.
    pub late: BTreeSet<ShopperId>,
    /// What came of folding those at their place, if that was asked for.
    pub placed: Option<Placed>,
}

impl AloneReplay {
    /// Folds the range into `onto`, or as much of it as there is time for until `stop`. `progress` is told whenever something
    /// was folded, and now and then while the turn of the next record has not come.
    pub async fn run(
        &self,
        onto: FoldedLog,
        stop: &CancellationToken,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<RanAlone, ProcessorError> {
        let ends: Vec<u64> = (0..)
            .zip(&self.ends)
            .map(|(p, end)| (*end).max(at(&self.begins, p)))
            .collect();
        let mut reached = self.begins.clone();
        let pool = onto.pool(self.rules)?;
        let pace = self.pace(&ends, stop).await?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let (sender, mut chunks) = mpsc::channel(WAITING);
        let mut lanes = JoinSet::new();
        for partitions in lanes_of(&self.begins, &ends, pace.is_some()) {
            let lane = Lane {
                log: self.log.clone(),
                begins: partitions,
                ends: ends.clone(),
                pace,
                waiting: Arc::clone(&waiting),
                sender: sender.clone(),
                stop: stop.clone(),
            };
            lanes.spawn(lane.run());
        }
        drop(sender);
        let total = lengths(&self.begins, &ends);
        let mut ticks = interval(TOLD_EVERY);
        loop {
            let chunk = tokio::select! {
                chunk = chunks.recv() => chunk,
                _ = ticks.tick() => {
                    if waiting.load(Ordering::Relaxed) > 0 {
                        progress(Progress { done: lengths(&self.begins, &reached), total });
                    }
                    continue;
                }
            };
            let Some(chunk) = chunk else { break };
            fold(&pool, chunk, &mut reached).await?;
            progress(Progress {
                done: lengths(&self.begins, &reached),
                total,
            });
        }
        while let Some(ended) = lanes.join_next().await {
            ended.map_err(|_| ProcessorError::ThreadDied)??;
        }
        pool.settled().await?;
        onto.hand_over(&self.rules, |_| true);
        let mut late = onto.lates();
        let mut placed = None;
        if let Some(Lateness { begins, known }) = &self.lateness {
            late.extend(known);
            let all_done = Progress { done: total, total };
            let placing = late::place(self, begins, &reached, &late, &onto, || progress(all_done));
            placed = Some(placing.await?);
        }
        // Only now: late events are part of what one shopper contributes to another.
        onto.hand_over(&self.rules, |_| true);
        let is_complete = reached == ends;
        let stretch = |((p, from), to): ((u32, &u64), &u64)| {
            let reached = at(&reached, p);
            let (from, to) = (*from, *to);
            (p, Stretch { from, to, reached })
        };
        let stretches: BTreeMap<u32, Stretch> =
            (0..).zip(&self.begins).zip(&ends).map(stretch).collect();
        let replayed = Replayed {
            folded: onto,
            stretches,
            is_complete,
        };
        Ok(RanAlone {
            replayed,
            late,
            placed,
        })
    }

    /// The clock of the replay, if it goes by one: from the oldest record of the range on.
    async fn pace(
        &self,
        ends: &[u64],
        stop: &CancellationToken,
    ) -> Result<Option<Pace>, ProcessorError> {
        let Some(speed) = self.speed else {
            return Ok(None);
        };
        let mut oldest: Option<EpochMs> = None;
        for begins in lanes_of(&self.begins, ends, true) {
            let reader = self.log.reader(ACTIONS, &begins).await?;
            let mut reading = Reading::of(reader, &begins, ends, Until::Noted, stop);
            while let Some(chunk) = reading.next().await? {
                if let Some(first) = chunk.records.first() {
                    let at = first.appended_at;
                    oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
                    break;
                }
            }
        }
        Ok(oldest.map(|oldest| Pace::begin(speed, oldest)))
    }
}

/// The partitions with something to fold, each by itself where they go at a pace: one that is far ahead must not stand in the
/// way of the others.
fn lanes_of(begins: &[u64], ends: &[u64], apart: bool) -> Vec<Vec<(u32, u64)>> {
    let has_some = |(p, begin): &(u32, u64)| *begin < at(ends, *p);
    let all: Vec<_> = (0..).zip(begins.iter().copied()).filter(has_some).collect();
    if apart {
        all.into_iter().map(|one| vec![one]).collect()
    } else if all.is_empty() {
        Vec::new()
    } else {
        vec![all]
    }
}

fn lengths(begins: &[u64], ends: &[u64]) -> u64 {
    let pairs = begins.iter().zip(ends);
    pairs.map(|(begin, end)| end.saturating_sub(*begin)).sum()
}

/// Gives `pool` a chunk, of which everything lies within the range and nothing came before.
async fn fold(pool: &FoldPool, chunk: Chunk, reached: &mut [u64]) -> Result<(), ProcessorError> {
    if let Some(reached) = reached.get_mut(chunk.from.partition as usize) {
        *reached = chunk.next_offset;
    }
    pool.fold(chunk).await
}

/// Reads partitions and hands on their records when their turn has come.
struct Lane {
    log: ReadOnlyLog,
    begins: Vec<(u32, u64)>,
    ends: Vec<u64>,
    pace: Option<Pace>,
    /// How many lanes wait for the turn of a record.
    waiting: Arc<AtomicUsize>,
    sender: mpsc::Sender<Chunk>,
    stop: CancellationToken,
}

impl Lane {
    async fn run(self) -> Result<(), ProcessorError> {
        let reader = self.log.reader(ACTIONS, &self.begins).await?;
        let mut reading = Reading::of(reader, &self.begins, &self.ends, Until::Noted, &self.stop);
        let mut positions: BTreeMap<u32, u64> = self.begins.iter().copied().collect();
        loop {
            let mut chunk = match reading.next().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) | Err(ProcessorError::Stopped) => return Ok(()),
                Err(error) => return Err(error),
            };
            let partition = chunk.from.partition;
            let end = at(&self.ends, partition);
            let position = positions.entry(partition).or_insert(end);
            let within = *position..end;
            chunk
                .records
                .retain(|record| within.contains(&record.offset));
            chunk.next_offset = chunk.next_offset.clamp(*position, end);
            if chunk.next_offset == *position {
                continue;
            }
            *position = chunk.next_offset;
            if !self.hand_on(chunk).await {
                return Ok(());
            }
        }
    }

    /// Hands on `chunk` in the pieces in which its records fall due. Says whether to go on.
    async fn hand_on(&self, chunk: Chunk) -> bool {
        let Some(pace) = &self.pace else {
            return self.send(chunk).await;
        };
        let mut records = chunk.records.into_iter().peekable();
        loop {
            let due = records.peek().map(|record| pace.due(record.appended_at));
            if let Some(due) = due {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                let is_time = tokio::select! {
                    () = sleep_until(due) => true,
                    () = self.stop.cancelled() => false,
                };
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                if !is_time {
                    return false;
                }
            }
            let now = tokio::time::Instant::now();
            let mut piece = Vec::new();
            while let Some(record) = records.next_if(|next| pace.due(next.appended_at) <= now) {
                piece.push(record);
            }
            let next = records.peek().map(|record| record.offset);
            let piece = Chunk {
                from: chunk.from,
                records: piece,
                next_offset: next.unwrap_or(chunk.next_offset),
            };
            if !self.send(piece).await {
                return false;
            }
            if next.is_none() {
                return true;
            }
        }
    }

    async fn send(&self, chunk: Chunk) -> bool {
        tokio::select! {
            sent = self.sender.send(chunk) => sent.is_ok(),
            () = self.stop.cancelled() => false,
        }
    }
}
