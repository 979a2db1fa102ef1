//! `foretide-scoring`: the service as a process of its own.

use std::sync::Arc;

use clap::Args;
use foretide_host::{
    Alone, EdgeArgs, FoldRulesArgs, Frame, Host, HostArgs, Ports, ProcessArgs, ProfileMemoryArgs,
    config::Checked, follow_artefacts,
};
use foretide_runtime::{Lifecycle, SharedClock};

use crate::{ScoringConfig, StoredRejections};

/// The settings of `foretide-scoring`.
#[derive(Args, Clone, Debug)]
pub struct ScoringAlone {
    #[command(flatten)]
    host: HostArgs,
    #[command(flatten)]
    edge: EdgeArgs,
    #[command(flatten)]
    fold: FoldRulesArgs,
    #[command(flatten)]
    memory: ProfileMemoryArgs,
    #[command(flatten)]
    scoring: ScoringConfig,
    #[command(flatten)]
    process: ProcessArgs,
}

impl Checked for ScoringAlone {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.host.faults_alone(Self::PROGRAM);
        faults.extend(self.edge.faults_alone(Self::PROGRAM, &self.host.log));
        faults
    }
}

impl Alone for ScoringAlone {
    const PROGRAM: &'static str = "foretide-scoring";
    const ABOUT: &'static str = "Answers which offer to show a shopper, and what is known";
    const EXAMPLES: &'static str = "\
Examples:
  # Run as many as you like, behind one load balancer: each knows every shopper
  foretide-scoring --data-dir /var/lib/foretide/scoring --listen 0.0.0.0:8080 \\
    --log kafka:broker-1:9092,broker-2:9092 --database postgres://foretide:PASSWORD@db/foretide \\
    --pseudonym-key-file /etc/foretide/pseudonym.key --write-key KEY --admin-key ADMIN

  # A decision
  curl -u ADMIN: http://127.0.0.1:8080/v1/decisions -H 'content-type: application/json' \\
    -d '{\"shopper\":{\"user_id\":\"ann\"}}'

Each instance follows what foretide-processor and foretide-trainer publish and holds all profiles (--profiles-in-memory). It is ready once it \
has caught up, and stays so while brokers or database are away; `features_age_ms` in each answer and foretide_scoring_profiles_age_seconds among the metrics \
say how old its knowledge is. Every service gets the same log, database, partitions, keys and pseudonym key, \
and a data directory of its own.

The admin port answers /livez, /readyz and /metrics without a key: keep it away from the public. SIGTERM \
finishes what is held. Every flag can be given in the environment, secrets best so: `foretide config sample` \
prints all variables.";

    fn process(&self) -> &ProcessArgs {
        &self.process
    }

    async fn start(
        &self,
        lifecycle: &Lifecycle,
        clock: SharedClock,
    ) -> anyhow::Result<Option<Host>> {
        let ports = Ports::bind(&self.edge.http, self.host.admin).await?;
        let frame = Frame::start(ports.admin, lifecycle, clock)?;
        for component in ["log", "database", "artefacts", "scoring"] {
            frame.readiness.component(component);
        }
        frame.open_public(ports.public);
        let Some((host, edge)) = Host::open_with_edge(&frame, &self.host.log, &self.edge).await?
        else {
            return Ok(None);
        };
        // Or a gateway would keep requests from instances that could answer them; answers say how old their knowledge is.
        host.log_health.go_on_without();
        let artefacts = follow_artefacts(&host)?;
        let readiness = host.readiness.component("scoring");
        let profiles =
            foretide_processor::follow(&host, self.fold.rules(), self.memory, readiness)?;
        let rejections = Arc::new(StoredRejections(Arc::clone(edge.store.store())));
        let routes = crate::start(&host, &edge, self.scoring, &profiles, artefacts, rejections)?;
        frame.wire(vec![routes])?;
        Ok(Some(host))
    }
}
