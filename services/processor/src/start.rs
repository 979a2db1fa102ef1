//! Starts the processor in a process, its own or a shared one.

use std::sync::Arc;

use anyhow::Context as _;
use foretide_checkpoint::Checkpoints;
use foretide_features::FoldRules;
use foretide_host::Host;
use foretide_ports::ProfileTable;
use foretide_runtime::Component;

use crate::{
    Follower, FollowerParts, Processor, ProcessorConfig, ProcessorMetrics, ProcessorParts,
    SourceCounts,
};

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
    fn empty(partitions: u32, rules: FoldRules) -> Self {
        Self {
            table: ProfileTable::new(partitions),
            counts: SourceCounts::new(partitions),
            rules,
        }
    }
}

/// Starts a processor on `host`, which folds by `rules` the partitions that its group leaves to it. What is returned holds
/// those.
pub fn start(host: &Host, config: ProcessorConfig, rules: FoldRules) -> anyhow::Result<Folded> {
    let owned = Folded::empty(host.partitions, rules);
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
    lifecycle.spawn("processor", async move {
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
pub fn follow(host: &Host, rules: FoldRules, readiness: Component) -> Folded {
    let all = Folded::empty(host.partitions, rules);
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
    all
}
