//! `foretide-ingest`: the service as a process of its own.

use clap::Args;
use foretide_host::{Alone, EdgeArgs, Frame, Host, HostArgs, Ports, ProcessArgs, config::Checked};
use foretide_runtime::{Lifecycle, SharedClock};

use crate::IngestConfig;

/// The settings of `foretide-ingest`.
#[derive(Args, Clone, Debug)]
pub struct IngestAlone {
    #[command(flatten)]
    host: HostArgs,
    #[command(flatten)]
    edge: EdgeArgs,
    #[command(flatten)]
    ingest: IngestConfig,
    #[command(flatten)]
    process: ProcessArgs,
}

impl Checked for IngestAlone {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.host.faults_alone(Self::PROGRAM);
        faults.extend(self.edge.faults_alone(Self::PROGRAM, &self.host.log));
        faults
    }
}

impl Alone for IngestAlone {
    const PROGRAM: &'static str = "foretide-ingest";
    const ABOUT: &'static str =
        "Takes in what shoppers do, over the native API and Segment's, and puts it on the log";
    const EXAMPLES: &'static str = "\
Examples:
  # Run as many as you like, behind one load balancer: each request may go to any
  foretide-ingest --data-dir /var/lib/foretide/ingest --listen 0.0.0.0:8080 \\
    --log kafka:broker-1:9092,broker-2:9092 --database postgres://foretide:PASSWORD@db/foretide \\
    --pseudonym-key-file /etc/foretide/pseudonym.key --write-key KEY --admin-key ADMIN

  # An action in
  curl -u KEY: http://127.0.0.1:8080/v1/actions -H 'content-type: application/json' \\
    -d '{\"type\":\"search\",\"query\":\"tent\",\"shopper\":{\"user_id\":\"ann\"}}'

Every service gets the same log, database, partitions, keys and pseudonym key, and a data directory of its \
own; foretide-processor folds what this takes in, foretide-scoring answers. The admin port answers /livez, \
/readyz and /metrics without a key: keep it away from the public. SIGTERM finishes what is held. Every flag \
can be given in the environment, secrets best so: `foretide config sample` prints all variables.";

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
        frame.open_public(ports.public);
        let Some((host, edge)) = Host::open_with_edge(&frame, &self.host.log, &self.edge).await?
        else {
            return Ok(None);
        };
        let ingest = crate::start(&host, &edge, &self.ingest)?;
        frame.wire(vec![ingest.routes])?;
        Ok(Some(host))
    }
}
