//! Starts the service in a process, its own or a shared one.

use std::sync::Arc;

use foretide_host::{Edge, Host, Routes};

use crate::{
    IngestConfig, IngestMetrics, IngestState, RejectedCounts, append::show_causes, router,
};

/// Ingest, started.
pub struct Started {
    /// Its routes.
    pub routes: Routes,
    /// What it rejected and has not yet added to the store.
    pub rejected: RejectedCounts,
}

/// Starts ingest on `host`.
pub fn start(host: &Host, edge: &Edge, config: &IngestConfig) -> anyhow::Result<Started> {
    let rejected = RejectedCounts::default();
    let metrics = IngestMetrics::register(&host.registry)?;
    show_causes(&metrics);
    let keeping = rejected.clone().keep_flushed(
        Arc::clone(edge.store.store()),
        metrics.rejections_uncounted.clone(),
        edge.closed.clone(),
        host.lifecycle.hard().clone(),
    );
    host.lifecycle.spawn("rejection counts", keeping);
    let state = IngestState {
        log: Arc::clone(&host.log),
        log_health: host.log_health.clone(),
        partitions: host.partitions,
        pseudonymiser: Arc::new(edge.pseudonymiser.clone()),
        clock: Arc::clone(&host.clock),
        keys: edge.keys.clone(),
        budget: edge.budget.clone(),
        config: config.clone(),
        metrics,
        rejected: rejected.clone(),
    };
    let (router, document) = router(state, edge.http.protection());
    Ok(Started {
        routes: Routes {
            router,
            direct: Vec::new(),
            document,
        },
        rejected,
    })
}
