//! Ingest alone, as a process of its own, so that its CPU time can be told from the load's.

use std::{net::SocketAddr, path::Path, sync::Arc};

use foretide_embedded::{EmbeddedLog, EmbeddedOptions};
use foretide_events::EpochMs;
use foretide_host::LogHealth;
use foretide_http::{HttpMetrics, Keys, MemoryBudget, Protection, observe};
use foretide_ingest::{IngestConfig, IngestMetrics, IngestState, RejectedCounts, router};
use foretide_kafka::{KafkaLog, KafkaOptions};
use foretide_ports::{Log, TopicSpec, foretide_topics};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use foretide_runtime::{Clock as _, Readiness, Secret, SystemClock, prometheus::Registry};

/// The key that the load sends with.
pub const WRITE_KEY: &str = "bench-write-key";

/// Partitions of the topic of actions.
pub const PARTITIONS: u32 = 8;

/// Serves ingest on `listen` over `log`, which is `embedded:<dir>` or `kafka:<brokers>`.
pub async fn run(listen: SocketAddr, log: &str) -> anyhow::Result<()> {
    let log = open(log)?;
    log.declare(&foretide_topics(PARTITIONS)).await?;
    let registry = Registry::new();
    let log_health = LogHealth::new(Readiness::new().component("log"));
    log_health.there();
    let keys = Keys::new(
        &Secret::from(WRITE_KEY.to_owned()),
        &Secret::from("bench-admin-key".to_owned()),
    );
    let state = IngestState {
        log,
        log_health,
        partitions: PARTITIONS,
        pseudonymiser: Arc::new(Pseudonymiser::new(&PseudonymKey::from_bytes([7; 32]))),
        clock: Arc::new(SystemClock),
        keys,
        budget: MemoryBudget::new(512 << 20),
        config: IngestConfig::default(),
        metrics: IngestMetrics::register(&registry)?,
        rejected: RejectedCounts::default(),
    };
    let router = observe(
        router(state, Protection::default()).0,
        HttpMetrics::register(&registry)?,
    );
    let listener = tokio::net::TcpListener::bind(listen).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

/// Creates `topic` on `log`.
pub fn declare(log: &str, topic: TopicSpec) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async { Ok(open(log)?.declare(&[topic]).await?) })
}

fn open(log: &str) -> anyhow::Result<Arc<dyn Log>> {
    let now = Arc::new(|| EpochMs(SystemClock.now_ms()));
    Ok(match log.split_once(':') {
        Some(("embedded", directory)) => Arc::new(EmbeddedLog::open(
            Path::new(directory),
            EmbeddedOptions::default(),
            now,
        )?),
        Some(("kafka", brokers)) => Arc::new(KafkaLog::connect(KafkaOptions {
            brokers: brokers.to_owned(),
            instance: "bench".to_owned(),
            settings: Vec::new(),
        })?),
        _ => anyhow::bail!("a log is embedded:<dir> or kafka:<brokers>"),
    })
}
