//! Starts the processor in a process, its own or a shared one.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use foretide_checkpoint::Checkpoints;
use foretide_features::FoldRules;
use foretide_host::{Host, ProfileMemoryArgs};
use foretide_ports::{Artefacts, ProfileTable};
use foretide_runtime::Component;
use tokio::time::sleep;

use crate::{
    Follower, FollowerParts, Processor, ProcessorConfig, ProcessorMetrics, ProcessorParts,
    SourceCounts,
};

/// How often it is looked whether all artefacts are known.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where profiles and counts are kept in this process.
#[derive(Clone, Debug)]
pub struct Folded {
    /// The profiles.
    pub table: Arc<ProfileTable>,
    /// The counts of fates.
    pub counts: Arc<SourceCounts>,
    /// By what they are folded.
    pub rules: FoldRules,
}

impl Folded {
    fn empty(
        host: &Host,
        name: &str,
        rules: FoldRules,
        memory: ProfileMemoryArgs,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            table: memory.table(host, name, rules)?,
            counts: SourceCounts::new(host.partitions),
            rules,
        })
    }
}

/// Starts a processor on `host`, which folds by `rules` the partitions that its group leaves to it, once the `artefacts` are
/// known that its host follows. What is returned holds those partitions.
pub fn start(
    host: &Host,
    config: ProcessorConfig,
    rules: FoldRules,
    memory: ProfileMemoryArgs,
    artefacts: Artefacts,
) -> anyhow::Result<Folded> {
    let owned = Folded::empty(host, "owned", rules, memory)?;
    let folder = host
        .data_dir
        .join("checkpoints")
        .join(host.log_id.to_string());
    let checkpoints = Checkpoints::open(&folder)
        .with_context(|| format!("opening {}", folder.display()))?
        .of_log(&host.log_id.to_string());
    let parts = ProcessorParts {
        log: Arc::clone(&host.log),
        table: Arc::clone(&owned.table),
        counts: Arc::clone(&owned.counts),
        rules,
        artefacts,
        metrics: ProcessorMetrics::register(&host.registry)?,
        clock: Arc::clone(&host.clock),
        readiness: host.readiness.component("processor"),
        member: host.instance.id.clone(),
        checkpoints: Some(checkpoints),
    };
    let processor = Processor::new(parts, config);
    let lifecycle = &host.lifecycle;
    let (soft, hard) = (lifecycle.soft().clone(), lifecycle.hard().clone());
    let place = place(host);
    let artefacts_known = host.readiness.component("artefacts");
    lifecycle.spawn("processor", async move {
        while !artefacts_known.is_ready() {
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = soft.cancelled() => return Ok(()),
            }
        }
        let ended = processor.run(soft, hard).await;
        ended.with_context(|| place)
    });
    Ok(owned)
}

/// What errors are about, to whoever has to do something about them.
fn place(host: &Host) -> String {
    format!(
        "working on the log of {} (--data-dir, --log)",
        host.data_dir.display()
    )
}

/// Starts a follower on `host`: what is returned holds all profiles and counts that processors publish, who fold by `rules`.
/// `readiness` is ready once it has caught up.
///
/// # Errors
/// There is no place for the profiles.
pub fn follow(
    host: &Host,
    rules: FoldRules,
    memory: ProfileMemoryArgs,
    readiness: Component,
) -> anyhow::Result<Folded> {
    let all = Folded::empty(host, "followed", rules, memory)?;
    let follower = Follower::new(FollowerParts {
        log: Arc::clone(&host.log),
        table: Arc::clone(&all.table),
        counts: Arc::clone(&all.counts),
        rules,
        clock: Arc::clone(&host.clock),
        readiness,
    });
    let soft = host.lifecycle.soft().clone();
    let place = place(host);
    host.lifecycle.spawn("profile follower", async move {
        follower.run(soft).await.with_context(|| place)
    });
    Ok(all)
}
