//! Puts the services together. Nothing here decides anything: it opens, connects and starts.
//!
//! ```text
//!                    ┌─ ingest ──▶ log ──▶ processor ──▶ profiles ──┬─▶ trainer ──▶ log ──▶ artefacts ──┐
//!   public port ─────┤                                              │                                   │
//!                    └─ scoring ◀───────────────────────────────────┴───────────────────────────────────┘
//!                        profiles: embedded, the processor's table; Kafka, a follower of the compacted topic
//! ```

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use foretide_events::{RejectionReason, SourceId};
use foretide_host::{Frame, Host, Ports, ProfileMemoryArgs, follow_artefacts};
use foretide_ingest::RejectedCounts;
use foretide_ports::{
    ProfileTable,
    store::{Store, StoreError},
};
use foretide_processor::{Folded, SourceCounts};
use foretide_runtime::{Lifecycle, SharedClock};
use foretide_scoring::Rejections;

use super::ServeArgs;

/// A server that has been started.
pub(crate) struct Running {
    /// Where the public port is.
    pub(crate) address: SocketAddr,
    /// Where the admin port is.
    pub(crate) admin_address: SocketAddr,
    /// What it runs on; the data directory is taken for as long as it lives.
    pub(crate) host: Host,
    /// What scoring answers from.
    pub(crate) table: Arc<ProfileTable>,
    /// What became of the events it rests on.
    pub(crate) counts: Arc<SourceCounts>,
    /// Names the write key, as sources do.
    pub(crate) write_fingerprint: String,
    pub(crate) clock: SharedClock,
}

/// Starts every part as a component of `lifecycle`. Both ports answer at once, the public one with 503 until all is
/// wired. `None` when the process was told to end before the log and the database were there.
pub(crate) async fn start(
    args: &ServeArgs,
    ports: Ports,
    lifecycle: &Lifecycle,
    clock: SharedClock,
) -> anyhow::Result<Option<Running>> {
    let address = ports.public.local_addr()?;
    let frame = Frame::start(ports.admin, lifecycle, clock.clone())?;
    for component in ["log", "database", "artefacts", "processor", "scoring"] {
        frame.readiness.component(component);
    }
    frame.open_public(ports.public);
    let Some((host, edge)) = Host::open_with_edge(&frame, &args.host.log, &args.edge).await? else {
        return Ok(None);
    };

    let ingest = foretide_ingest::start(&host, &edge, &args.ingest)?;
    let rules = args.fold.rules();
    let artefacts = follow_artefacts(&host)?;
    let owned =
        foretide_processor::start(&host, args.processor, rules, args.memory, artefacts.clone())?;
    let profiles = known_to_scoring(&host, owned, args.memory)?;
    foretide_trainer::start(&host, args.trainer, &profiles, artefacts.clone())?;
    let rejections = Arc::new(OwnFirst {
        own: ingest.rejected,
        store: Arc::clone(edge.store.store()),
    });
    let scoring =
        foretide_scoring::start(&host, &edge, args.scoring, &profiles, artefacts, rejections)?;
    frame.wire(vec![ingest.routes, scoring])?;

    Ok(Some(Running {
        address,
        admin_address: frame.admin_address,
        host,
        table: profiles.table,
        counts: profiles.counts,
        write_fingerprint: edge.keys.write_fingerprint().to_string(),
        clock,
    }))
}

/// With an embedded log the processor owns every partition, so scoring reads its table. With Kafka other instances own some,
/// so scoring reads a table of its own that follows what all of them publish.
fn known_to_scoring(
    host: &Host,
    owned: Folded,
    memory: ProfileMemoryArgs,
) -> anyhow::Result<Folded> {
    let readiness = host.readiness.component("scoring");
    if host.is_shared {
        return foretide_processor::follow(host, owned.rules, memory, readiness);
    }
    readiness.ready();
    Ok(owned)
}

/// Rejections summed by the store, to which this process adds its own before it reads: they are exact at once.
struct OwnFirst {
    own: RejectedCounts,
    store: Arc<dyn Store>,
}

#[async_trait]
impl Rejections for OwnFirst {
    async fn of(&self, source: &SourceId) -> Result<BTreeMap<RejectionReason, u64>, StoreError> {
        self.own.flush(&*self.store).await?;
        self.store.rejections(source).await
    }
}

#[cfg(test)]
mod tests;
