//! `foretide-processor`: the service as a process of its own.

use clap::Args;
use foretide_host::{
    Alone, FoldRulesArgs, Frame, Host, HostArgs, ProcessArgs, ProfileMemoryArgs, bind_admin,
    config::Checked, follow_artefacts,
};
use foretide_runtime::{Lifecycle, SharedClock};

use crate::ProcessorConfig;

/// The settings of `foretide-processor`.
#[derive(Args, Clone, Debug)]
pub struct ProcessorAlone {
    #[command(flatten)]
    host: HostArgs,
    #[command(flatten)]
    fold: FoldRulesArgs,
    #[command(flatten)]
    memory: ProfileMemoryArgs,
    #[command(flatten)]
    processor: ProcessorConfig,
    #[command(flatten)]
    process: ProcessArgs,
}

impl Checked for ProcessorAlone {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.host.faults_alone(Self::PROGRAM);
        if let Some(file) = &self.host.log.pseudonym_key_file
            && !file.exists()
        {
            faults.push(format!(
                "there is no {} (--pseudonym-key-file): leave it out, the processor works without the key",
                file.display()
            ));
        }
        faults
    }
}

impl Alone for ProcessorAlone {
    const PROGRAM: &'static str = "foretide-processor";
    const ABOUT: &'static str = "Folds every event on the log into the profile of its shopper";
    const EXAMPLES: &'static str = "\
Examples:
  # Run up to as many as there are partitions: they share them out, and again whenever one comes or goes
  foretide-processor --data-dir /var/lib/foretide/processor --log kafka:broker-1:9092,broker-2:9092

Each needs a data directory of its own, and the same one after every restart: there it keeps its name among \
the processors, by which the brokers let it go on at once, and the checkpoints that make its start quick. \
Both may be lost: it then restores from the log. It sees pseudonyms only and needs neither keys nor the \
database; with --pseudonym-key-file it checks that the key is the log's.

The admin port answers /livez, /readyz and /metrics without a key: keep it away from the public. SIGTERM \
publishes what is folded and hands the partitions over; a second one stops at once, which loses nothing. \
Every flag can be given in the environment: `foretide config sample` prints all variables.";

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
        for component in ["artefacts", "processor"] {
            frame.readiness.component(component);
        }
        let Some(host) = Host::open(&frame, &self.host.log).await? else {
            return Ok(None);
        };
        let artefacts = follow_artefacts(&host)?;
        crate::start(
            &host,
            self.processor,
            self.fold.rules(),
            self.memory,
            artefacts,
        )?;
        Ok(Some(host))
    }
}
