//! Starts what keeps profiles, and says where scoring finds them.

use std::sync::Arc;

use anyhow::Context as _;
use foretide_checkpoint::Checkpoints;
use foretide_features::FoldRules;
use foretide_ports::ProfileTable;
use foretide_processor::{
    Follower, FollowerParts, Processor, ProcessorMetrics, ProcessorParts, SourceCounts,
};

use super::wiring::Commons;

/// Where scoring finds profiles and counts.
pub(super) struct Folded {
    pub(super) table: Arc<ProfileTable>,
    pub(super) counts: Arc<SourceCounts>,
}

/// Starts the processor. With an embedded log it owns every partition, so scoring reads its table. With Kafka other
/// instances own some, so scoring reads a table of its own that follows what all of them publish.
pub(super) fn start(commons: &Commons<'_>) -> anyhow::Result<Folded> {
    let owned = tables(commons);
    start_processor(commons, &owned)?;
    if !commons.args.store.is_shared() {
        commons.readiness.component("scoring").ready();
        return Ok(owned);
    }
    let followed = tables(commons);
    start_follower(commons, &followed);
    Ok(followed)
}

fn tables(commons: &Commons<'_>) -> Folded {
    let partitions = commons.args.store.partitions;
    Folded {
        table: ProfileTable::new(partitions),
        counts: SourceCounts::new(partitions),
    }
}

fn start_processor(commons: &Commons<'_>, owned: &Folded) -> anyhow::Result<()> {
    let folder = commons
        .args
        .store
        .data_dir
        .join("checkpoints")
        .join(commons.log_id.to_string());
    let checkpoints =
        Checkpoints::open(&folder).with_context(|| format!("opening {}", folder.display()))?;
    let parts = ProcessorParts {
        log: commons.log.clone(),
        table: owned.table.clone(),
        counts: owned.counts.clone(),
        rules: FoldRules::default(),
        metrics: ProcessorMetrics::register(&commons.registry)?,
        clock: commons.clock.clone(),
        readiness: commons.readiness.component("processor"),
        member: commons.instance.to_owned(),
        checkpoints: Some(checkpoints),
    };
    let processor = Processor::new(parts, commons.args.processor);
    let (soft, hard) = (
        commons.lifecycle.soft().clone(),
        commons.lifecycle.hard().clone(),
    );
    commons.lifecycle.spawn(
        "processor",
        async move { Ok(processor.run(soft, hard).await?) },
    );
    Ok(())
}

fn start_follower(commons: &Commons<'_>, kept: &Folded) {
    let follower = Follower::new(FollowerParts {
        log: commons.log.clone(),
        table: kept.table.clone(),
        counts: kept.counts.clone(),
        rules: FoldRules::default(),
        clock: commons.clock.clone(),
        readiness: commons.readiness.component("scoring"),
    });
    let soft = commons.lifecycle.soft().clone();
    commons.lifecycle.spawn(
        "profile follower",
        async move { Ok(follower.run(soft).await?) },
    );
}
