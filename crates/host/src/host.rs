//! A process with its log open, and what one with a public port has besides.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use foretide_events::EpochMs;
use foretide_http::{HttpConfig, Keys, MemoryBudget};
use foretide_ports::{Log, foretide_topics, store::StoreView};
use foretide_privacy::Pseudonymiser;
use foretide_runtime::{
    CancellationToken, Component, Lifecycle, Readiness, SharedClock, prometheus::Registry,
};
use uuid::Uuid;

use crate::{
    EdgeArgs, Frame, Instance, LogArgs,
    database::{self, DatabaseWatch},
    instance, key_file, until_there,
    waiting::until_answers,
    watch::{LogHealth, watch_log},
};

/// What every service is given.
pub struct Host {
    /// The log, whose topics are declared.
    pub log: Arc<dyn Log>,
    /// How the log is.
    pub log_health: LogHealth,
    /// Names the log.
    pub log_id: Uuid,
    /// Partitions of the topics keyed by shopper.
    pub partitions: u32,
    /// Whether other processes use the log, too.
    pub is_shared: bool,
    /// Where this process keeps its data; taken for as long as this lives.
    pub data_dir: PathBuf,
    /// Which instance runs.
    pub instance: Instance,
    /// The time of day.
    pub clock: SharedClock,
    /// What the process counts.
    pub registry: Registry,
    /// What is ready.
    pub readiness: Readiness,
    /// How the process ends.
    pub lifecycle: Lifecycle,
}

/// What a service with routes on the public port is given besides.
pub struct Edge {
    /// The last known offers, keys and settings, and the way to the database.
    pub store: Arc<StoreView>,
    /// Makes pseudonyms of raw ids.
    pub pseudonymiser: Pseudonymiser,
    /// Tells who calls.
    pub keys: Keys,
    /// Bounds the bodies held at once.
    pub budget: MemoryBudget,
    /// What is bounded for each service.
    pub http: HttpConfig,
    /// Cancelled when the last request has been answered.
    pub closed: CancellationToken,
}

impl Host {
    /// Opens the log for a service without a public port, waiting for one that is away. `None` when the process was told to
    /// end before it was there.
    pub async fn open(frame: &Frame, args: &LogArgs) -> anyhow::Result<Option<Self>> {
        let opening = Opening::begin(frame, args)?;
        let ready = opening.ready.clone();
        let opened = async {
            let log = opening.open_log().await?;
            let log_id = until_there(&*log, &ready, async || {
                key_file::name(args, &*log, &ready).await
            });
            let log_id = log_id.await?;
            anyhow::Ok((log, log_id))
        };
        let (log, log_id) = tokio::select! {
            opened = opened => opened?,
            () = frame.lifecycle.soft().cancelled() => return Ok(None),
        };
        Ok(Some(opening.done(log, log_id)))
    }

    /// Opens the log and the database for services with routes on the public port, waiting for what is away. `None` when the
    /// process was told to end before both were there.
    pub async fn open_with_edge(
        frame: &Frame,
        args: &LogArgs,
        edge: &EdgeArgs,
    ) -> anyhow::Result<Option<(Self, Edge)>> {
        let opening = Opening::begin(frame, args)?;
        let ready = opening.ready.clone();
        let log = async {
            let log = opening.open_log().await?;
            let checked = until_there(&*log, &ready, async || key_file::open(args, &*log).await);
            let checked = checked.await?;
            anyhow::Ok((log, checked))
        };
        let both = async { tokio::try_join!(log, open_store(frame, args, edge)) };
        let ((log, checked), store) = tokio::select! {
            both = both => both?,
            () = frame.lifecycle.soft().cancelled() => return Ok(None),
        };
        let keys = edge.keys.keys();
        let watch = DatabaseWatch::new(Arc::clone(&store), keys.clone(), &frame.registry)?;
        frame.lifecycle.spawn(
            "database watcher",
            watch.run(frame.lifecycle.soft().clone()),
        );
        let opened = Edge {
            store,
            pseudonymiser: checked.pseudonymiser,
            keys,
            budget: edge.http.budget(),
            http: edge.http,
            closed: frame.closed().clone(),
        };
        Ok(Some((opening.done(log, checked.log_id), opened)))
    }
}

async fn open_store(
    frame: &Frame,
    args: &LogArgs,
    edge: &EdgeArgs,
) -> anyhow::Result<Arc<StoreView>> {
    let ready = frame.readiness.component("database");
    let url = edge.database.url(&args.data_dir);
    if args.is_shared() && !edge.database.is_shared() {
        tracing::warn!(
            database = %url,
            "the log is shared but the database is this host's own: other hosts will not see its offers, keys, settings and counts. \
             Give all of them one PostgreSQL (--database)"
        );
    }
    let store = until_answers(&ready, async || {
        let store = database::open(&url, EpochMs(frame.clock.now_ms())).await?;
        Ok(StoreView::load(store).await?)
    })
    .await?;
    // From here on a database that is away stops nothing: its state is a metric, and a warning in the log.
    ready.ready();
    Ok(store)
}

/// A host that is being opened.
struct Opening<'a> {
    frame: &'a Frame,
    args: &'a LogArgs,
    instance: Instance,
    ready: Component,
}

impl<'a> Opening<'a> {
    fn begin(frame: &'a Frame, args: &'a LogArgs) -> anyhow::Result<Self> {
        args.make_data_dir()?;
        let instance = instance::take(&args.data_dir)?;
        let ready = frame.readiness.component("log");
        ready.not_ready(if args.is_shared() {
            "connecting to the log"
        } else {
            "opening the log"
        });
        Ok(Self {
            frame,
            args,
            instance,
            ready,
        })
    }

    /// Opens the log with its topics, waiting while it is away or full.
    async fn open_log(&self) -> anyhow::Result<Arc<dyn Log>> {
        // Opening an embedded log may read much of it.
        let opening = tokio::task::spawn_blocking({
            let (args, instance) = (self.args.clone(), self.instance.id.clone());
            let clock = self.frame.clock.clone();
            move || args.open_log(&instance, &clock)
        });
        let log = opening.await??;
        let topics = foretide_topics(self.args.partitions);
        until_there(&*log, &self.ready, async || {
            Ok(log.declare(&topics).await?)
        })
        .await
        .context("preparing the topics (--partitions)")?;
        Ok(log)
    }

    /// Watches the log from now on.
    fn done(self, log: Arc<dyn Log>, log_id: Uuid) -> Host {
        let frame = self.frame;
        let log_health = LogHealth::new(self.ready);
        let stop = frame.lifecycle.soft().clone();
        let watching = watch_log(log.clone(), log_health.clone(), stop);
        frame.lifecycle.spawn("log watcher", watching);
        Host {
            log,
            log_health,
            log_id,
            partitions: self.args.partitions,
            is_shared: self.args.is_shared(),
            data_dir: self.args.data_dir.clone(),
            instance: self.instance,
            clock: frame.clock.clone(),
            registry: frame.registry.clone(),
            readiness: frame.readiness.clone(),
            lifecycle: frame.lifecycle.clone(),
        }
    }
}
