//! Puts the services together. Nothing here decides anything: it opens, connects and starts.
//!
//! ```text
//!                    ┌─ ingest ──▶ log ──▶ processor ──▶ profiles ──┐
//!   public port ─────┤                                              │ embedded: the same table
//!                    └─ scoring ◀───────────────────────────────────┘ Kafka: a follower of the compacted topic
//! ```

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, bail};
use axum::Router;
use foretide_features::FoldRules;
use foretide_http::{HttpMetrics, MemoryBudget, admin_router, observe, protect};
use foretide_ingest::{IngestMetrics, IngestState, RejectedCounts, watch_log};
use foretide_ports::{Log, ProfileTable, foretide_topics};
use foretide_privacy::Pseudonymiser;
use foretide_processor::SourceCounts;
use foretide_runtime::{Lifecycle, Readiness, SharedClock, prometheus::Registry};
use foretide_scoring::{LocalSources, Parts, Scoring};
use uuid::Uuid;

use super::{Ports, ServeArgs, declare::declare, folding};
use crate::{instance, instance::Instance, key_file};

/// A server that has been started.
pub(crate) struct Running {
    /// Where the public port is.
    pub(crate) address: SocketAddr,
    /// Where the admin port is.
    pub(crate) admin_address: SocketAddr,
    /// Which instance runs; the data directory is taken for as long as it lives.
    pub(crate) instance: Instance,
    /// What scoring answers from.
    pub(crate) table: Arc<ProfileTable>,
    /// Names the write key, as sources do.
    pub(crate) write_fingerprint: String,
    pub(crate) clock: SharedClock,
}

/// What every service is given.
pub(super) struct Commons<'a> {
    pub(super) args: &'a ServeArgs,
    pub(super) log: Arc<dyn Log>,
    pub(super) log_id: Uuid,
    pub(super) instance: &'a str,
    pub(super) clock: SharedClock,
    pub(super) registry: Registry,
    pub(super) readiness: Readiness,
    pub(super) lifecycle: &'a Lifecycle,
    pub(super) pseudonymiser: Pseudonymiser,
    pub(super) budget: MemoryBudget,
}

/// Starts every part as a component of `lifecycle`. The admin port answers at once, the public one when all is wired.
pub(crate) async fn start(
    args: &ServeArgs,
    ports: Ports,
    lifecycle: &Lifecycle,
    clock: SharedClock,
) -> anyhow::Result<Running> {
    let (registry, readiness) = (Registry::new(), Readiness::new());
    for component in ["log", "processor", "scoring"] {
        readiness.component(component);
    }
    let (address, admin_address) = (ports.public.local_addr()?, ports.admin.local_addr()?);
    let admin = admin_router(registry.clone(), readiness.clone());
    lifecycle.spawn(
        "admin port",
        foretide_http::serve(ports.admin, admin, lifecycle.clone()),
    );

    args.store.make_data_dir()?;
    let instance = instance::take(&args.store.data_dir)?;
    let log = open_log(args, &instance.id, &clock, &readiness, lifecycle).await?;
    let key_file::Checked {
        pseudonymiser,
        log_id,
    } = key_file::open(&args.store, &*log).await?;
    let budget = args.http.budget();
    let commons = Commons {
        args,
        log,
        instance: &instance.id,
        clock: clock.clone(),
        log_id,
        registry,
        readiness,
        lifecycle,
        pseudonymiser,
        budget,
    };

    let (ingest, rejected) = start_ingest(&commons)?;
    let folded = folding::start(&commons)?;
    let scoring = start_scoring(&commons, folded.table.clone(), folded.counts, rejected)?;
    let public = observe(
        ingest.merge(scoring),
        HttpMetrics::register(&commons.registry)?,
    );
    lifecycle.spawn(
        "public port",
        foretide_http::serve(ports.public, public, lifecycle.clone()),
    );

    let write_fingerprint = args.keys.keys().write_fingerprint();
    Ok(Running {
        address,
        admin_address,
        instance,
        table: folded.table,
        write_fingerprint,
        clock,
    })
}

async fn open_log(
    args: &ServeArgs,
    instance: &str,
    clock: &SharedClock,
    readiness: &Readiness,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Arc<dyn Log>> {
    // Opening an embedded log may read much of it.
    let opening = tokio::task::spawn_blocking({
        let (store, instance, clock) = (args.store.clone(), instance.to_owned(), clock.clone());
        move || store.open_log(&instance, &clock)
    });
    let log = opening.await??;
    let component = readiness.component("log");
    let topics = foretide_topics(args.store.partitions);
    if !declare(&*log, &topics, &component, lifecycle.soft())
        .await
        .context("preparing the topics (--partitions)")?
    {
        bail!("asked to end before the log was there");
    }
    lifecycle.spawn(
        "log watcher",
        watch_log(log.clone(), component, lifecycle.soft().clone()),
    );
    Ok(log)
}

fn start_ingest(commons: &Commons<'_>) -> anyhow::Result<(Router, RejectedCounts)> {
    let rejected = RejectedCounts::default();
    let state = IngestState {
        log: commons.log.clone(),
        log_ready: commons.readiness.component("log"),
        partitions: commons.args.store.partitions,
        pseudonymiser: Arc::new(commons.pseudonymiser.clone()),
        clock: commons.clock.clone(),
        keys: commons.args.keys.keys(),
        budget: commons.budget.clone(),
        config: commons.args.ingest,
        metrics: IngestMetrics::register(&commons.registry)?,
        rejected: rejected.clone(),
    };
    Ok((
        foretide_ingest::router(state, commons.args.http.protection()),
        rejected,
    ))
}

fn start_scoring(
    commons: &Commons<'_>,
    table: Arc<ProfileTable>,
    counts: Arc<SourceCounts>,
    rejected: RejectedCounts,
) -> anyhow::Result<Router> {
    let sources = LocalSources {
        log: commons.log.clone(),
        counts,
        rejected: Arc::new(move |source| rejected.of(source)),
    };
    let parts = Parts {
        config: commons.args.scoring,
        log: commons.log.clone(),
        table,
        rules: FoldRules::default(),
        pseudonymiser: commons.pseudonymiser.clone(),
        keys: commons.args.keys.keys(),
        budget: commons.budget.clone(),
        sources: Arc::new(sources),
        clock: commons.clock.clone(),
    };
    let scoring = Scoring::new(parts, &commons.registry)?;
    scoring.background.spawn(commons.lifecycle);
    Ok(protect(scoring.router, commons.args.http.protection()))
}
