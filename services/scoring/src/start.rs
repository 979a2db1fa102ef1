//! Starts the service in a process, its own or a shared one.

use std::sync::Arc;

use foretide_host::{Edge, Host, Routes};
use foretide_http::protect;
use foretide_ports::Artefacts;
use foretide_processor::Folded;

use crate::{
    LocalSources, Parts, Rejections, Scoring, ScoringConfig, profiles_age::ProfileMetrics,
};

/// Starts scoring on `host`, answering from `profiles` by what `artefacts` say. `rejections` tells what ingest refused of a
/// source.
pub fn start(
    host: &Host,
    edge: &Edge,
    config: ScoringConfig,
    profiles: &Folded,
    artefacts: Artefacts,
    rejections: Arc<dyn Rejections>,
) -> anyhow::Result<Routes> {
    let sources = LocalSources {
        log: Arc::clone(&host.log),
        counts: Arc::clone(&profiles.counts),
        rejections,
    };
    let parts = Parts {
        config,
        log: Arc::clone(&host.log),
        table: Arc::clone(&profiles.table),
        rules: profiles.rules,
        artefacts,
        pseudonymiser: edge.pseudonymiser.clone(),
        store: Arc::clone(&edge.store),
        keys: edge.keys.clone(),
        budget: edge.budget.clone(),
        sources: Arc::new(sources),
        clock: Arc::clone(&host.clock),
    };
    let scoring = Scoring::new(parts, &host.registry)?;
    let protection = edge.http.protection();
    let direct = scoring.direct(&protection);
    scoring.background.spawn(&host.lifecycle, &edge.closed);
    let ages = ProfileMetrics::register(&host.registry)?;
    let watching = ages.watch(
        Arc::clone(&profiles.table),
        Arc::clone(&host.clock),
        host.lifecycle.soft().clone(),
    );
    host.lifecycle.spawn("profile ages", watching);
    Ok(Routes {
        router: protect(scoring.router, protection),
        direct,
        document: scoring.document,
    })
}
