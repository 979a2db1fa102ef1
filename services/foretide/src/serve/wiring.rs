//! Puts the services together. Nothing here decides anything: it opens, connects and starts.
//!
//! ```text
//!                    ┌─ ingest ──▶ log ──▶ processor ──▶ profiles ──┐
//!   public port ─────┤                                              │ embedded: the same table
//!                    └─ scoring ◀───────────────────────────────────┘ Kafka: a follower of the compacted topic
//! ```

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::Router;
use foretide_features::FoldRules;
use foretide_http::{HttpMetrics, MemoryBudget, admin_router, observe, protect};
use foretide_ingest::{IngestMetrics, IngestState, RejectedCounts, watch_log};
use foretide_ports::{Log, ProfileTable, foretide_topics};
use foretide_privacy::Pseudonymiser;
use foretide_processor::SourceCounts;
use foretide_runtime::{Component, Lifecycle, Readiness, SharedClock, prometheus::Registry};
use foretide_scoring::{LocalSources, Parts, Scoring};
use uuid::Uuid;

use super::{Ports, ServeArgs, folding, public::PublicRoutes, waiting::until_there};
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

/// Starts every part as a component of `lifecycle`. Both ports answer at once, the public one with 503 until all is
/// wired. `None` when the process was told to end before the log was there.
pub(crate) async fn start(
    args: &ServeArgs,
    ports: Ports,
    lifecycle: &Lifecycle,
    clock: SharedClock,
) -> anyhow::Result<Option<Running>> {
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
    let routes = PublicRoutes::default();
    lifecycle.spawn(
        "public port",
        foretide_http::serve(ports.public, routes.router(), lifecycle.clone()),
    );

    args.store.make_data_dir()?;
    let instance = instance::take(&args.store.data_dir)?;
    let log_ready = readiness.component("log");
    let (log, checked) = tokio::select! {
        opened = open_log(args, &instance.id, &clock, &log_ready) => opened?,
        () = lifecycle.soft().cancelled() => return Ok(None),
    };
    lifecycle.spawn(
        "log watcher",
        watch_log(log.clone(), log_ready, lifecycle.soft().clone()),
    );
    let key_file::Checked {
        pseudonymiser,
        log_id,
    } = checked;
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
    routes.wire(public);

    let write_fingerprint = args.keys.keys().write_fingerprint();
    Ok(Some(Running {
        address,
        admin_address,
        instance,
        table: folded.table,
        write_fingerprint,
        clock,
    }))
}

/// Opens the log, with its topics, and the key that is its own. Waits for a log that is away or full.
async fn open_log(
    args: &ServeArgs,
    instance: &str,
    clock: &SharedClock,
    log_ready: &Component,
) -> anyhow::Result<(Arc<dyn Log>, key_file::Checked)> {
    log_ready.not_ready(if args.store.is_shared() {
        "connecting to the log"
    } else {
        "opening the log"
    });
    // Opening an embedded log may read much of it.
    let opening = tokio::task::spawn_blocking({
        let (store, instance, clock) = (args.store.clone(), instance.to_owned(), clock.clone());
        move || store.open_log(&instance, &clock)
    });
    let log = opening.await??;
    let topics = foretide_topics(args.store.partitions);
    until_there(&*log, log_ready, async || Ok(log.declare(&topics).await?))
        .await
        .context("preparing the topics (--partitions)")?;
    let checked = until_there(&*log, log_ready, async || {
        key_file::open(&args.store, &*log).await
    })
    .await?;
    Ok((log, checked))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;
    use foretide_privacy::PseudonymKey;
    use foretide_runtime::SystemClock;

    use super::*;
    use crate::cli::{Cli, Command};

    fn serve_args(words: &str) -> ServeArgs {
        let args = format!(
            "foretide serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --write-key w --admin-key a {words}"
        );
        match Cli::try_parse_from(args.split_whitespace())
            .unwrap()
            .command
        {
            Command::Serve(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    /// Starts a server that waits for its log, looks at both ports, and tells it to end once `/readyz` shows `cause`.
    async fn answers_tells_and_ends(words: &str, cause: &str) {
        let args = serve_args(words);
        let ports = Ports::bind(&args.http).await.unwrap();
        let public = format!("http://{}/v1/actions", ports.public.local_addr().unwrap());
        let ready = format!("http://{}/readyz", ports.admin.local_addr().unwrap());
        let lifecycle = Lifecycle::new(Duration::from_secs(15));
        let caller = async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let refusal = client.post(public).body("{}").send().await.unwrap();
            assert_eq!(refusal.status(), 503);
            assert!(refusal.headers().contains_key("retry-after"));
            loop {
                let report = client.get(&ready).send().await.unwrap();
                if report.text().await.unwrap().contains(cause) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            lifecycle.shut_down();
        };
        let (started, ()) = tokio::join!(
            start(&args, ports, &lifecycle, Arc::new(SystemClock)),
            caller
        );
        assert!(started.unwrap().is_none());
        lifecycle.run_until_done().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_whose_log_is_away_answers_tells_why_and_ends_when_told() {
        let dir = tempfile::tempdir().unwrap();
        let key_file = dir.path().join("key");
        let key = PseudonymKey::from_bytes([7; 32]);
        std::fs::write(&key_file, key.to_text().as_bytes()).unwrap();
        let words = format!(
            "--data-dir {} --log kafka:127.0.0.1:1 --pseudonym-key-file {}",
            dir.path().display(),
            key_file.display()
        );
        answers_tells_and_ends(&words, "the log is away").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_whose_log_is_full_answers_tells_why_and_ends_when_told() {
        let dir = tempfile::tempdir().unwrap();
        let words = format!(
            "--data-dir {} --disk-reserve-bytes {}",
            dir.path().display(),
            u64::MAX
        );
        answers_tells_and_ends(&words, "the log is full").await;
    }
}
