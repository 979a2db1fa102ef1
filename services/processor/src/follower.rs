//! Following what processors publish: how a scoring service that folds nothing itself comes by all profiles and counts.

use std::{sync::Arc, time::Duration};

use foretide_features::FoldRules;
use foretide_ports::{Chunk, Log, PROFILES, ProfileTable};
use foretide_runtime::{CancellationToken, Component, SharedClock};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use crate::{
    ProcessorError, SourceCounts,
    fold::Folder,
    freshness::{EndsWatch, Freshness},
    take_over::{check_counts, take_over},
};

/// How long to wait for records before looking around.
const MAX_WAIT: Duration = Duration::from_millis(200);
/// How long to wait before reading again after the log failed.
const PAUSE: Duration = Duration::from_millis(500);

/// What a follower works with.
#[derive(Clone)]
pub struct FollowerParts {
    /// The log, whose topics are declared.
    pub log: Arc<dyn Log>,
    /// Where it keeps all profiles. No one else writes there, a processor neither.
    pub table: Arc<ProfileTable>,
    /// Where it keeps all counts. No one else writes there.
    pub counts: Arc<SourceCounts>,
    /// By what the profiles were folded.
    pub rules: FoldRules,
    /// The time of day.
    pub clock: SharedClock,
    /// Ready once it has caught up with `foretide.profiles`, and from then on: what gets old is told by the table.
    pub readiness: Component,
}

/// Keeps a table of all profiles up to date from `foretide.profiles`.
///
/// A partition is marked fresh as of a moment when everything that was on `foretide.actions` then is in its profiles: its
/// counts say how far they are. While no processor works on it, it is not marked, and its age tells.
pub struct Follower {
    parts: FollowerParts,
    folder: Folder,
    /// Where each partition is to be read on.
    positions: Vec<u64>,
    /// Ends of `foretide.profiles` to reach before it has caught up; empty then.
    to_reach: Vec<(u32, u64)>,
}

impl Follower {
    /// A follower that does nothing until it is [run](Self::run).
    pub fn new(parts: FollowerParts) -> Self {
        let folder = Folder::new(&parts.table, &parts.counts, parts.rules, &parts.clock);
        let positions = vec![0; parts.table.partitions() as usize];
        Self {
            parts,
            folder,
            positions,
            to_reach: Vec::new(),
        }
    }

    /// Follows until `stop`. When the log is away it goes on where it was once the log is back.
    ///
    /// Ends with an error only for what waiting does not cure.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), ProcessorError> {
        tokio::select! {
            ended = self.work() => ended,
            () = stop.cancelled() => Ok(()),
        }
    }

    async fn work(&mut self) -> Result<(), ProcessorError> {
        let began = Instant::now();
        loop {
            let Err(error) = self.follow(began).await else {
                continue;
            };
            if !error.is_passing() {
                return Err(error);
            }
            tracing::warn!(%error, "cannot follow the profiles: trying again");
            sleep(PAUSE).await;
        }
    }

    /// Reads until something goes wrong.
    async fn follow(&mut self, began: Instant) -> Result<(), ProcessorError> {
        let parts = self.parts.clone();
        let ends = parts.log.end_offsets(PROFILES).await?;
        if !parts.readiness.is_ready() {
            self.to_reach = (0..).zip(ends).collect();
        }
        let positions: Vec<_> = (0..).zip(self.positions.iter().copied()).collect();
        let mut reader = parts.log.reader(PROFILES, &positions).await?;
        let mut ends = EndsWatch::start(Arc::clone(&parts.log), Arc::clone(&parts.clock));
        let mut freshness = Freshness::new(parts.table.partitions());
        loop {
            if let Some(chunk) = reader.next(MAX_WAIT).await? {
                let partition = chunk.from.partition;
                self.take_over(chunk).await?;
                self.mind_catching_up(began)?;
                let as_of = parts.counts.as_of(partition);
                if let (true, Some(as_of)) = (self.to_reach.is_empty(), as_of) {
                    self.folder.set_fresh(partition, as_of);
                }
            }
            if let Some(trouble) = parts.table.trouble() {
                return Err(ProcessorError::Cold(trouble.clone()));
            }
            if let Some(news) = ends.news() {
                freshness.note(&news);
            }
            // Before, what the counts say may be missing from the profiles: compaction moves a profile behind its counts.
            if self.to_reach.is_empty() {
                freshness.settle(0..parts.table.partitions(), &parts.counts, &parts.table);
            }
        }
    }

    async fn take_over(&mut self, chunk: Chunk) -> Result<(), ProcessorError> {
        let (partition, next_offset) = (chunk.from.partition, chunk.next_offset);
        if !chunk.records.is_empty() {
            let folder = self.folder.clone();
            spawn_blocking(move || take_over(&folder, &chunk))
                .await
                .map_err(|_| ProcessorError::ThreadDied)??;
        }
        if let Some(position) = self.positions.get_mut(partition as usize) {
            *position = next_offset;
        }
        Ok(())
    }

    fn mind_catching_up(&mut self, began: Instant) -> Result<(), ProcessorError> {
        let Self {
            positions,
            to_reach,
            parts,
            folder,
        } = self;
        if to_reach.is_empty() {
            return folder.outdated.check();
        }
        to_reach.retain(|(partition, end)| {
            positions
                .get(*partition as usize)
                .is_some_and(|at| at < end)
        });
        if !to_reach.is_empty() {
            return Ok(());
        }
        folder.outdated.check()?;
        check_counts(&parts.table, &parts.counts, 0..parts.table.partitions())?;
        if parts.readiness.ready() {
            tracing::info!(
                follow.profiles = parts.table.len(),
                follow.duration_ms = began.elapsed().as_millis(),
                "caught up with the profiles"
            );
        }
        Ok(())
    }
}
