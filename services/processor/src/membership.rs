//! One membership of the group, from joining to leaving.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use foretide_events::EpochMs;
use foretide_ports::{GroupEvent, GroupMember, NewRecord, SESSIONS};
use foretide_runtime::CancellationToken;
use tokio::time::Instant;

use crate::{
    Processor, ProcessorError,
    checkpointing::{Checkpointing, Committed, State},
    emission::Emitted,
    fold::Publication,
    freshness::{EndsWatch, Freshness},
    intake::Intake,
    link_reader::LinkReader,
    pool::{FoldPool, Wanted},
    progress::Progress,
    restore::{Restored, Restorer},
};

/// How long to wait for records at most before looking around.
const MAX_WAIT: Duration = Duration::from_millis(100);
/// The same while partitions are restored: at the end of that, it may have to be waited for.
const WAIT_WHILE_RESTORING: Duration = Duration::from_millis(10);
/// A commit does not wait for its time when it would get larger than this, in bytes.
const MAX_COMMIT_BYTES: usize = 32 * 1024 * 1024;
/// A member that is given no partition for so long will do without.
const NOTHING_TO_DO_AFTER: Duration = Duration::from_secs(10);

/// What goes on while a commit is under way, which may take as long as several trips to a broker and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    /// Records that come are folded. They belong to the next commit.
    Folding,
    /// Nothing: what is folded then is to be exactly what was committed.
    Nothing,
}

/// A member at work.
pub(crate) struct Membership<'a> {
    processor: &'a Processor,
    pool: &'a FoldPool,
    member: &'a mut dyn GroupMember,
    owned: BTreeSet<u32>,
    /// Whether the table holds nothing from before this membership.
    cleared: bool,
    /// Partitions that were assigned and are not restored yet.
    to_restore: BTreeSet<u32>,
    /// Partitions owned of which nothing came since they were restored.
    unread: BTreeSet<u32>,
    /// Since when it owns nothing, if it does not.
    nothing_since: Instant,
    /// When the last commit, or the looking for one, began.
    committed_at: Instant,
    /// Whether there may be something to commit.
    unsettled: bool,
    checkpointing: Checkpointing,
    ends: EndsWatch,
    freshness: Freshness,
    links: LinkReader,
    /// Whether `links` reads what is owned.
    reads_links: bool,
}

impl<'a> Membership<'a> {
    pub(crate) fn new(
        processor: &'a Processor,
        pool: &'a FoldPool,
        member: &'a mut dyn GroupMember,
    ) -> Self {
        let parts = &processor.parts;
        let checkpointing = Checkpointing {
            checkpoints: parts.checkpoints.clone(),
            interval: processor.config.checkpoint_interval(),
            log: Arc::clone(&parts.log),
            folder: processor.folder.clone(),
            clock: Arc::clone(&parts.clock),
            metrics: parts.metrics.clone(),
            state: State::new(),
        };
        Self {
            processor,
            pool,
            member,
            owned: BTreeSet::new(),
            cleared: false,
            to_restore: BTreeSet::new(),
            unread: BTreeSet::new(),
            nothing_since: Instant::now(),
            committed_at: Instant::now(),
            unsettled: false,
            checkpointing,
            ends: EndsWatch::start(Arc::clone(&parts.log), Arc::clone(&parts.clock)),
            freshness: Freshness::new(parts.table.partitions()),
            links: LinkReader::default(),
            reads_links: false,
        }
    }

    /// Works until the soft signal or an error. Sets `progress` once something was restored.
    pub(crate) async fn work(
        mut self,
        soft: &CancellationToken,
        progress: &mut bool,
    ) -> Result<(), ProcessorError> {
        while !soft.is_cancelled() {
            let event = self.member.next(self.wait()).await?;
            self.handle(event).await?;
            if !self.to_restore.is_empty() {
                *progress |= self.restore_all(soft).await?;
            }
            self.take_links().await?;
            if self.is_commit_due() {
                self.commit(Meanwhile::Folding).await?;
            }
            self.checkpointing.step(self.owned.len()).await;
            self.look_around();
            self.mind_having_nothing();
        }
        self.finish().await
    }

    async fn handle(&mut self, event: GroupEvent) -> Result<(), ProcessorError> {
        match event {
            GroupEvent::Assigned(partitions) => self.to_restore.extend(partitions),
            GroupEvent::Revoked(partitions) => self.revoked(&partitions).await?,
            GroupEvent::Lost(partitions) => self.lost(&partitions).await?,
            GroupEvent::Records(chunk) => self.intake().fold(chunk).await?,
            GroupEvent::Idle => {}
        }
        Ok(())
    }

    /// Hands on what was read of `foretide.links`.
    async fn take_links(&mut self) -> Result<(), ProcessorError> {
        let parts = &self.processor.parts;
        if !self.reads_links {
            let from = |partition: &u32| (*partition, parts.counts.next_link(*partition));
            let positions = self.owned.iter().map(from).collect();
            self.links.follow(&parts.log, positions);
            self.reads_links = true;
        }
        let began = Instant::now();
        // Not all at once: the group, and what is to be committed, must not wait for a long way behind.
        while began.elapsed() < MAX_WAIT
            && self.pool.pending_bytes() < MAX_COMMIT_BYTES
            && let Some(chunk) = self.links.ready()?
        {
            let partition = chunk.from.partition;
            if chunk.next_offset > parts.counts.next_link(partition) {
                self.unsettled = true;
                self.pool.contribute(chunk).await?;
            }
        }
        Ok(())
    }

    fn intake(&mut self) -> Intake<'_> {
        Intake {
            pool: self.pool,
            counts: &self.processor.parts.counts,
            owned: &self.owned,
            unread: &mut self.unread,
            unsettled: &mut self.unsettled,
            failed: None,
        }
    }

    /// How long to wait for the log.
    fn wait(&self) -> Duration {
        if self.unsettled {
            self.until_commit().min(MAX_WAIT)
        } else {
            MAX_WAIT
        }
    }

    fn until_commit(&self) -> Duration {
        self.processor
            .config
            .publish_interval()
            .saturating_sub(self.committed_at.elapsed())
    }

    fn is_commit_due(&self) -> bool {
        let anything = self.unsettled
            || self.checkpointing.awaits_commit_of().is_some()
            || !self.due().is_empty();
        anything && (self.until_commit().is_zero() || self.pool.pending_bytes() >= MAX_COMMIT_BYTES)
    }

    /// The partitions that may have sessions, examples or moves to tell.
    fn due(&self) -> Vec<u32> {
        let now = EpochMs(self.processor.parts.clock.now_ms());
        let folder = &self.processor.folder;
        let due = folder.sessions.due(now).chain(folder.emission.due(now));
        let mut due: Vec<u32> = due
            .filter(|partition| self.owned.contains(partition))
            .collect();
        due.sort_unstable();
        due.dedup();
        due
    }

    /// Restores all partitions that were assigned and have not gone again. Says whether there were any left.
    async fn restore_all(&mut self, soft: &CancellationToken) -> Result<bool, ProcessorError> {
        self.processor.parts.readiness.not_ready("restoring");
        // What other partitions have folded should not wait for the restoring of these.
        self.commit(Meanwhile::Folding).await?;
        let mut progress = false;
        while !self.to_restore.is_empty() {
            let partitions: Vec<u32> = self.to_restore.iter().copied().collect();
            self.clear(&partitions).await?;
            if let Some(restored) = self.restore(&partitions, soft).await? {
                self.member.start(&restored.positions).await?;
                self.to_restore.retain(|p| !partitions.contains(p));
                self.unread.extend(&partitions);
                self.owned.extend(&partitions);
                self.reads_links = false;
                progress = true;
            }
        }
        self.nothing_since = Instant::now();
        if !self.owned.is_empty() {
            self.processor.parts.readiness.ready();
        }
        Ok(progress)
    }

    /// Makes room for `partitions`; the first time, drops whatever an earlier membership left for readers.
    async fn clear(&mut self, partitions: &[u32]) -> Result<(), ProcessorError> {
        if self.cleared {
            return self.forget(partitions).await;
        }
        self.cleared = true;
        let all: Vec<u32> = (0..self.processor.parts.table.partitions()).collect();
        self.forget(&all).await
    }

    /// Restores `partitions`, heeding the group meanwhile: who does not answer a revocation is expelled. `None` if partitions
    /// went, be they others: then the restoring was given up.
    async fn restore(
        &mut self,
        partitions: &[u32],
        soft: &CancellationToken,
    ) -> Result<Option<Restored>, ProcessorError> {
        let began = Instant::now();
        let parts = &self.processor.parts;
        let task = Restorer {
            log: &*parts.log,
            folder: &self.processor.folder,
            pool: self.pool,
            checkpoints: parts.checkpoints.as_ref(),
            metrics: &parts.metrics,
            progress: Progress::new(),
            now: EpochMs(parts.clock.now_ms()),
            stop: soft,
        };
        let mut restoring = Box::pin(task.restore(partitions));
        loop {
            let (event, outcome) = self.next_while(&mut restoring).await?;
            if matches!(event, GroupEvent::Revoked(_) | GroupEvent::Lost(_)) {
                drop(restoring);
                tracing::info!(?partitions, "restoring given up: partitions go");
                self.forget(partitions).await?;
                self.handle(event).await?;
                return Ok(None);
            }
            self.handle(event).await?;
            if let Some(restored) = outcome {
                self.report_restored(partitions.len(), &restored, began);
                return Ok(Some(restored));
            }
        }
    }

    /// The next event of the group; and what was restored, if that ended first. The event is waited for to its end in any
    /// case, as one might be lost with a call that is given up.
    async fn next_while(
        &mut self,
        restoring: &mut (impl Future<Output = Result<Restored, ProcessorError>> + Unpin),
    ) -> Result<(GroupEvent, Option<Restored>), ProcessorError> {
        let mut next = self.member.next(WAIT_WHILE_RESTORING);
        tokio::select! {
            event = &mut next => Ok((event?, None)),
            restored = restoring => {
                let restored = restored?;
                Ok((next.await?, Some(restored)))
            }
        }
    }

    fn report_restored(&self, partitions: usize, restored: &Restored, began: Instant) {
        let parts = &self.processor.parts;
        parts.metrics.restore.observe(began.elapsed().as_secs_f64());
        let used = parts.metrics.checkpoints.with_label_values(&["used"]);
        used.inc_by(restored.from_checkpoint as u64);
        tracing::info!(
            restore.partitions = partitions,
            restore.from_checkpoint = restored.from_checkpoint,
            restore.records = restored.records,
            restore.profiles = parts.table.len(),
            restore.duration_ms = began.elapsed().as_millis(),
            "partitions restored"
        );
    }

    async fn revoked(&mut self, partitions: &[u32]) -> Result<(), ProcessorError> {
        self.commit(Meanwhile::Nothing).await?;
        self.lost(partitions).await?;
        tracing::info!(?partitions, "partitions handed over");
        Ok(self.member.release(partitions).await?)
    }

    async fn lost(&mut self, partitions: &[u32]) -> Result<(), ProcessorError> {
        self.nothing_since = Instant::now();
        self.to_restore
            .retain(|partition| !partitions.contains(partition));
        self.forget(partitions).await
    }

    /// Drops everything about partitions that are no longer owned, or not yet.
    async fn forget(&mut self, partitions: &[u32]) -> Result<(), ProcessorError> {
        for partition in partitions {
            self.owned.remove(partition);
            self.unread.remove(partition);
        }
        // What it has read of these is no longer wanted.
        self.links.stop();
        self.reads_links = false;
        self.checkpointing.forget(partitions);
        self.pool.forget(partitions).await
    }

    /// Publishes what has been folded, if anything.
    async fn commit(&mut self, meanwhile: Meanwhile) -> Result<(), ProcessorError> {
        self.committed_at = Instant::now();
        // Asked before: whatever is folded after this moment may be missing from what is taken now.
        let all_folded = self.pool.is_idle();
        let awaited = self.checkpointing.awaits_commit_of();
        let wanted = Wanted {
            even: awaited,
            due: self.due(),
        };
        let publications = self.pool.publish(&wanted).await?;
        if let Some(trouble) = self.processor.parts.table.trouble() {
            return Err(ProcessorError::Cold(trouble.clone()));
        }
        self.unsettled = !(all_folded && publications.is_empty());
        if publications.is_empty() {
            return Ok(());
        }
        let batch = Batch::of(publications);
        let (records, profiles, sessions) = (batch.outputs.len(), batch.profiles, batch.sessions);
        let began = Instant::now();
        #[cfg(feature = "fault-points")]
        foretide_faults::reach("before-commit");
        self.commit_batch(batch.outputs, &batch.offsets, meanwhile)
            .await?;
        #[cfg(feature = "fault-points")]
        foretide_faults::reach("after-commit");
        for (partition, next_offset) in &batch.offsets {
            self.processor
                .parts
                .counts
                .publish(*partition, *next_offset);
        }
        let metrics = &self.processor.parts.metrics;
        metrics.commit.observe(began.elapsed().as_secs_f64());
        metrics.published.observe(profiles as f64);
        metrics.sessions.inc_by(sessions);
        metrics.emitted(batch.emitted);
        tracing::debug!(
            commit.partitions = batch.offsets.len(),
            commit.profiles = profiles,
            commit.records = records,
            commit.bytes = batch.bytes,
            commit.duration_ms = began.elapsed().as_millis(),
            "committed"
        );
        self.checkpointing
            .committed(&batch.committed, awaited)
            .await;
        Ok(())
    }

    async fn commit_batch(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
        meanwhile: Meanwhile,
    ) -> Result<(), ProcessorError> {
        if meanwhile == Meanwhile::Nothing {
            return Ok(self.member.commit(outputs, offsets).await?);
        }
        let mut intake = Intake {
            pool: self.pool,
            counts: &self.processor.parts.counts,
            owned: &self.owned,
            unread: &mut self.unread,
            unsettled: &mut self.unsettled,
            failed: None,
        };
        let committed = self.member.commit_beside(outputs, offsets, &mut intake);
        committed.await?;
        intake.failed.map_or(Ok(()), Err)
    }

    /// Says how fresh the profiles are and how far behind.
    fn look_around(&mut self) {
        let parts = &self.processor.parts;
        let news = self.ends.news();
        if let Some(ends) = &news {
            self.freshness.note(ends);
        }
        self.freshness
            .settle(self.owned.iter().copied(), &parts.counts, &parts.table);
        if news.is_some() {
            let lag = self
                .freshness
                .lag(self.owned.iter().copied(), &parts.counts);
            parts
                .metrics
                .lag
                .set(i64::try_from(lag).unwrap_or(i64::MAX));
            parts
                .metrics
                .profiles
                .set(i64::try_from(parts.table.len()).unwrap_or(i64::MAX));
            parts
                .metrics
                .cold_profiles
                .set(i64::try_from(parts.table.cold()).unwrap_or(i64::MAX));
            parts
                .metrics
                .partitions
                .set(i64::try_from(self.owned.len()).unwrap_or(i64::MAX));
        }
    }

    /// A member that others leave no partition is ready as it is. What it held before stays for readers, getting stale.
    fn mind_having_nothing(&self) {
        if self.owned.is_empty() && self.nothing_since.elapsed() >= NOTHING_TO_DO_AFTER {
            self.processor.parts.readiness.ready();
        }
    }

    /// The end in peace: what has been folded is committed, and checkpoints make the next start quick.
    async fn finish(mut self) -> Result<(), ProcessorError> {
        // Chunks that still wait are folded after the next start.
        self.pool.hold().await?;
        self.commit(Meanwhile::Nothing).await?;
        let owned: Vec<u32> = self.owned.iter().copied().collect();
        if let Err(error) = self.checkpointing.write_all(owned).await {
            tracing::warn!(%error, "no checkpoints at the end: the next start will read more of the log");
        }
        Ok(())
    }
}

/// What is committed together.
struct Batch {
    outputs: Vec<NewRecord>,
    offsets: Vec<(u32, u64)>,
    committed: Vec<Committed>,
    profiles: usize,
    sessions: u64,
    emitted: Emitted,
    bytes: usize,
}

impl Batch {
    /// Puts publications in order: outputs, then profiles, then counts, then the offsets.
    fn of(publications: Vec<Publication>) -> Self {
        let mut batch = Self {
            outputs: Vec::new(),
            offsets: Vec::new(),
            committed: Vec::new(),
            profiles: 0,
            sessions: 0,
            emitted: Emitted::default(),
            bytes: 0,
        };
        let (mut profiles, mut counts) = (Vec::new(), Vec::new());
        for publication in publications {
            let Publication {
                partition,
                next_offset,
                ..
            } = publication;
            let of_sessions = |record: &&NewRecord| record.at.topic == SESSIONS;
            batch.sessions += publication.outputs.iter().filter(of_sessions).count() as u64;
            batch.emitted.add(publication.emitted);
            batch.outputs.extend(publication.outputs);
            batch.profiles += publication.profiles.len();
            batch.bytes += publication.profile_bytes;
            profiles.push(publication.profiles);
            let stored = publication.counts.value.clone().unwrap_or_default();
            batch.committed.push(Committed {
                partition,
                next_offset,
                counts: stored,
            });
            counts.push(publication.counts);
            batch.offsets.push((partition, next_offset));
        }
        batch.outputs.extend(profiles.into_iter().flatten());
        batch.outputs.extend(counts);
        batch
    }
}
