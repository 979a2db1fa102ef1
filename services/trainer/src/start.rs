//! Starts the trainer in a process, its own or a shared one.

use std::sync::Arc;

use foretide_events::Text;
use foretide_host::Host;
use foretide_ports::Artefacts;
use foretide_processor::Folded;

use crate::{
    CohortTrainer, ModelTrainer, ReferenceTrainer, TrainerConfig, TrainerMetrics, TrainerParts,
    aside::Aside,
    rhythm::{Rhythmic, run},
};

/// Starts a trainer on `host`, which learns from `profiles`, from examples and decisions, and publishes what `artefacts` follow.
///
/// # Errors
/// The name of a metric is taken.
pub fn start(
    host: &Host,
    config: TrainerConfig,
    profiles: &Folded,
    artefacts: Artefacts,
) -> anyhow::Result<()> {
    let parts = TrainerParts {
        log: Arc::clone(&host.log),
        table: Arc::clone(&profiles.table),
        rules: profiles.rules,
        artefacts,
        artefacts_ready: host.readiness.component("artefacts"),
        clock: Arc::clone(&host.clock),
        metrics: TrainerMetrics::register(&host.registry)?,
        aside: Aside::default(),
        instance: Text::new(&host.instance.id).unwrap_or_default(),
    };
    spawn(
        host,
        "reference trainer",
        ReferenceTrainer::new(parts.clone(), &config),
    );
    spawn(
        host,
        "cohort trainer",
        CohortTrainer::new(parts.clone(), &config),
    );
    let models = ModelTrainer::new(parts, &config);
    let (follower, stop) = (models.follower(), host.lifecycle.soft().clone());
    host.lifecycle.spawn("example follower", async move {
        follower.run(stop).await;
        Ok(())
    });
    spawn(host, "model trainer", models);
    Ok(())
}

fn spawn(host: &Host, name: &str, work: impl Rhythmic + 'static) {
    let stop = host.lifecycle.soft().clone();
    host.lifecycle.spawn(name, async move {
        run(work, stop).await;
        Ok(())
    });
}
