//! `foretide-trainer`: the service as a process of its own.

use clap::Args;
use foretide_host::{
    Alone, FoldRulesArgs, Frame, Host, HostArgs, ProcessArgs, ProfileMemoryArgs, bind_admin,
    config::Checked, follow_artefacts,
};
use foretide_runtime::{Lifecycle, SharedClock};

use crate::TrainerConfig;

/// The settings of `foretide-trainer`.
#[derive(Args, Clone, Debug)]
pub struct TrainerAlone {
    #[command(flatten)]
    host: HostArgs,
    #[command(flatten)]
    fold: FoldRulesArgs,
    #[command(flatten)]
    memory: ProfileMemoryArgs,
    #[command(flatten)]
    trainer: TrainerConfig,
    #[command(flatten)]
    process: ProcessArgs,
}

impl Checked for TrainerAlone {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.host.faults_alone(Self::PROGRAM);
        if let Some(file) = &self.host.log.pseudonym_key_file
            && !file.exists()
        {
            faults.push(format!(
                "there is no {} (--pseudonym-key-file): leave it out, the trainer works without the key",
                file.display()
            ));
        }
        faults.extend(self.trainer.faults());
        faults
    }
}

impl Alone for TrainerAlone {
    const PROGRAM: &'static str = "foretide-trainer";
    const ABOUT: &'static str =
        "Learns from all shoppers: what is usual, cohorts, and models of drift and abandonment";
    const EXAMPLES: &'static str = "\
Examples:
  # One is enough: while it is away, what it published last goes on serving
  foretide-trainer --data-dir /var/lib/foretide/trainer --log kafka:broker-1:9092,broker-2:9092

It follows what foretide-processor publishes and holds all profiles, and the newest examples. What it learns it \
publishes on foretide.artefacts, by version and with the time from which it serves: `foretide topics tail artefacts` \
shows it with reports on each attempt, and answers name the version that they rest on. Everything it needs is on the log: \
killed at any moment, it goes on where it was. A second one does no harm. It sees pseudonyms only and needs neither keys \
nor the database; the data directory holds its name, and profiles that have no place in memory, which it begins without.

The admin port answers /livez, /readyz and /metrics without a key: keep it away from the public. SIGTERM ends it at \
once, which loses nothing. Every flag can be given in the environment: `foretide config sample` prints all variables.";

    fn process(&self) -> &ProcessArgs {
        &self.process
    }

    async fn start(
        &self,
        lifecycle: &Lifecycle,
        clock: SharedClock,
    ) -> anyhow::Result<Option<Host>> {
        let admin = bind_admin(self.host.admin).await?;
        let frame = Frame::start(admin, lifecycle, clock)?;
        for component in ["log", "artefacts", "trainer"] {
            frame.readiness.component(component);
        }
        let Some(host) = Host::open(&frame, &self.host.log).await? else {
            return Ok(None);
        };
        let artefacts = follow_artefacts(&host)?;
        let readiness = host.readiness.component("trainer");
        let profiles =
            foretide_processor::follow(&host, self.fold.rules(), self.memory, readiness)?;
        crate::start(&host, self.trainer, &profiles, artefacts)?;
        Ok(Some(host))
    }
}
