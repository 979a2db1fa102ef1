//! Starts the trainer in a process, its own or a shared one.

use std::sync::Arc;

use foretide_host::Host;
use foretide_ports::References;
use foretide_processor::Folded;

use crate::{Trainer, TrainerConfig, TrainerMetrics, TrainerParts};

/// Starts a trainer on `host`, which learns from `profiles` and publishes what `references` follow.
///
/// # Errors
/// The name of a metric is taken.
pub fn start(
    host: &Host,
    config: TrainerConfig,
    profiles: &Folded,
    references: Arc<References>,
) -> anyhow::Result<()> {
    let parts = TrainerParts {
        log: Arc::clone(&host.log),
        table: Arc::clone(&profiles.table),
        references,
        references_ready: host.readiness.component("references"),
        clock: Arc::clone(&host.clock),
        metrics: TrainerMetrics::register(&host.registry)?,
    };
    let trainer = Trainer::new(parts, config);
    let stop = host.lifecycle.soft().clone();
    host.lifecycle.spawn("trainer", async move {
        trainer.run(stop).await;
        Ok(())
    });
    Ok(())
}
