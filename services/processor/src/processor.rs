//! The processor: joins the group, and joins it again when it has to.

use std::{sync::Arc, time::Duration};

use foretide_checkpoint::Checkpoints;
use foretide_features::FoldRules;
use foretide_ports::{ACTIONS, Artefacts, GroupMember, Log, LogError, ProfileTable};
use foretide_runtime::{CancellationToken, Component, SharedClock};
use tokio::time::{sleep, timeout};

use crate::{
    GROUP, ProcessorConfig, ProcessorError, ProcessorMetrics, SourceCounts,
    emission::Emission,
    fold::{Folder, Outcome},
    membership::Membership,
    pool::{FoldPool, Report},
    sessions::Sessions,
};

/// How long to wait before joining again: first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long leaving the group may take when something went wrong before.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// What a processor works with.
#[derive(Clone)]
pub struct ProcessorParts {
    /// The log, whose topics are declared.
    pub log: Arc<dyn Log>,
    /// Where it keeps the profiles of the partitions it owns. No one else writes there.
    pub table: Arc<ProfileTable>,
    /// Where it keeps their counts. No one else writes there.
    pub counts: Arc<SourceCounts>,
    /// By what it folds.
    pub rules: FoldRules,
    /// What is usual among shoppers and which cohorts there are, for what it tells. All that is on the log is known there before it
    /// works.
    pub artefacts: Artefacts,
    /// Where it counts what it does.
    pub metrics: ProcessorMetrics,
    /// The time of day.
    pub clock: SharedClock,
    /// Ready while it holds the profiles of its partitions.
    pub readiness: Component,
    /// Its name in the group, the same after every restart of one instance.
    pub member: String,
    /// Where it keeps checkpoints, if it is to.
    pub checkpoints: Option<Checkpoints>,
}

/// Folds the partitions it is given into profiles, and publishes them.
pub struct Processor {
    pub(crate) parts: ProcessorParts,
    pub(crate) config: ProcessorConfig,
    pub(crate) folder: Folder,
}

impl Processor {
    /// A processor that does nothing until it is [run](Self::run).
    pub fn new(parts: ProcessorParts, config: ProcessorConfig) -> Self {
        let folder = Folder {
            sessions: Sessions::announced(parts.table.partitions()),
            emission: Emission::of(
                parts.table.partitions(),
                config.examples,
                parts.artefacts.clone(),
            ),
            ..Folder::new(&parts.table, &parts.counts, parts.rules, &parts.clock)
        };
        Self {
            parts,
            config,
            folder,
        }
    }

    /// Works until told to end. At the soft signal it commits what it has folded, writes checkpoints and leaves the group; at
    /// the hard one it stops where it is, which loses nothing.
    ///
    /// Ends with an error only for what waiting does not cure.
    pub async fn run(
        self,
        soft: CancellationToken,
        hard: CancellationToken,
    ) -> Result<(), ProcessorError> {
        tokio::select! {
            ended = self.work(&soft) => ended,
            () = hard.cancelled() => Ok(()),
        }
    }

    async fn work(&self, soft: &CancellationToken) -> Result<(), ProcessorError> {
        let pool = FoldPool::start(&self.folder, self.config.threads(), &self.report())?;
        let mut pause = PAUSE.0;
        while !soft.is_cancelled() {
            let mut progress = false;
            let error = match self.take_part(&pool, soft, &mut progress).await {
                Ok(()) | Err(ProcessorError::Stopped) => return Ok(()),
                Err(error) => error,
            };
            self.parts.readiness.not_ready(error.to_string());
            self.drop_state(&pool, &error).await?;
            if !error.is_passing() {
                return Err(error);
            }
            if progress {
                pause = PAUSE.0;
            }
            tracing::warn!(%error, pause_ms = pause.as_millis(), "out of the group: joining again");
            self.wait_for_log(&mut pause, soft).await;
        }
        Ok(())
    }

    /// Drops what was folded but is not known to be committed. Where another owner took over, everything goes at once; where
    /// the log is away, the profiles stay for readers, getting stale, until they can be restored.
    async fn drop_state(
        &self,
        pool: &FoldPool,
        error: &ProcessorError,
    ) -> Result<(), ProcessorError> {
        let fenced = matches!(error, ProcessorError::Log(LogError::Fenced(_)));
        let cause = if fenced { "fenced" } else { "log" };
        self.parts.metrics.rejoins.with_label_values(&[cause]).inc();
        if fenced {
            let all: Vec<u32> = (0..self.parts.table.partitions()).collect();
            pool.forget(&all).await
        } else {
            pool.abandon().await
        }
    }

    /// Waits a while, and on until the log could take a record.
    async fn wait_for_log(&self, pause: &mut Duration, soft: &CancellationToken) {
        loop {
            tokio::select! {
                () = sleep(*pause) => {}
                () = soft.cancelled() => return,
            }
            *pause = (*pause * 2).min(PAUSE.1);
            if self.parts.log.health().await.is_ok() {
                return;
            }
        }
    }

    /// Joins the group and works until it is told to end or something goes wrong.
    async fn take_part(
        &self,
        pool: &FoldPool,
        soft: &CancellationToken,
        progress: &mut bool,
    ) -> Result<(), ProcessorError> {
        let mut member = self
            .parts
            .log
            .join(GROUP, ACTIONS, &self.parts.member)
            .await?;
        let worked = Membership::new(self, pool, member.as_mut())
            .work(soft, progress)
            .await;
        leave(member, worked.is_ok()).await;
        worked
    }

    /// Counts what became of each chunk.
    fn report(&self) -> Report {
        let metrics = self.parts.metrics.clone();
        let events = |fate: &str| metrics.events.with_label_values(&[fate]);
        let (folded, duplicate, late) = (events("folded"), events("duplicate"), events("late"));
        Arc::new(move |outcome: &Outcome| {
            folded.inc_by(outcome.fates.folded);
            duplicate.inc_by(outcome.fates.duplicate);
            late.inc_by(outcome.fates.late);
            metrics.settled_early.inc_by(outcome.settled_early);
            metrics.applied_before.inc_by(outcome.applied_before);
            metrics.offsets_skipped.inc_by(outcome.skipped);
            metrics.links_announced.inc_by(outcome.links_announced);
            metrics.links_applied.inc_by(outcome.links_applied);
            metrics.links_refused.inc_by(outcome.links_refused);
            for cause in &outcome.dead_letters {
                metrics.dead_letters.with_label_values(&[cause]).inc();
            }
        })
    }
}

/// Leaves the group, so that others need not wait for this member to be missed. What was committed stays committed.
async fn leave(member: Box<dyn GroupMember>, in_peace: bool) {
    match timeout(LEAVE_WITHIN, member.leave()).await {
        Ok(Err(error)) if in_peace => tracing::warn!(%error, "could not leave the group"),
        Err(_) if in_peace => tracing::warn!("leaving the group took too long"),
        _ => {}
    }
}
