//! `foretide serve`: ingest, processor, scoring and trainer in one process, over one log.

mod wiring;

use std::{net::SocketAddr, sync::Arc};

use clap::Args;
use foretide_host::{
    EdgeArgs, FoldRulesArgs, HostArgs, Ports, ProcessArgs, ProfileMemoryArgs,
    config::{Checked, Settings},
};
use foretide_ingest::IngestConfig;
use foretide_processor::ProcessorConfig;
use foretide_runtime::{SystemClock, telemetry};
use foretide_scoring::ScoringConfig;
use foretide_trainer::TrainerConfig;
use serde::Serialize;

pub(crate) use self::wiring::{Running, start};
use crate::output::Output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  # Everything in one directory
  foretide serve --data-dir ./data --write-key KEY --admin-key ADMIN

  # Over Kafka and PostgreSQL: every host with the same key file
  foretide serve --data-dir /var/lib/foretide --log kafka:broker-1:9092,broker-2:9092 \\
    --database postgres://foretide:PASSWORD@db/foretide \\
    --pseudonym-key-file /etc/foretide/pseudonym.key --write-key KEY --admin-key ADMIN

  # An action in, a decision out
  curl -u KEY: http://127.0.0.1:8080/v1/actions -H 'content-type: application/json' \\
    -d '{\"type\":\"search\",\"query\":\"tent\",\"shopper\":{\"user_id\":\"ann\"}}'
  curl -u ADMIN: http://127.0.0.1:8080/v1/decisions -H 'content-type: application/json' \\
    -d '{\"shopper\":{\"user_id\":\"ann\"}}'

The admin port answers /livez, /readyz and /metrics without a key: keep it away from the public. SIGTERM \
finishes what is held; a second one stops at once. Keys are best given in the environment, where other \
users do not see them: `foretide config sample` prints a file with every variable. foretide-ingest, \
foretide-processor, foretide-scoring and foretide-trainer are the parts of this, each as a process of its own.";

/// Runs the server: takes actions in, folds profiles, learns, decides on offers
#[derive(Args, Clone, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) host: HostArgs,
    #[command(flatten)]
    pub(crate) edge: EdgeArgs,
    #[command(flatten)]
    pub(crate) ingest: IngestConfig,
    #[command(flatten)]
    pub(crate) fold: FoldRulesArgs,
    #[command(flatten)]
    pub(crate) memory: ProfileMemoryArgs,
    #[command(flatten)]
    pub(crate) processor: ProcessorConfig,
    #[command(flatten)]
    pub(crate) scoring: ScoringConfig,
    #[command(flatten)]
    pub(crate) trainer: TrainerConfig,
    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

impl Checked for ServeArgs {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.host.log.faults();
        faults.extend(self.edge.faults(&self.host.log));
        faults.extend(self.trainer.faults());
        faults
    }
}

/// Where the server is to be found.
#[derive(Debug, Serialize)]
struct Serving<'a> {
    listen: SocketAddr,
    admin_listen: SocketAddr,
    instance: &'a str,
}

impl<'a> Serving<'a> {
    fn of(running: &'a Running) -> Self {
        Self {
            listen: running.address,
            admin_listen: running.admin_address,
            instance: &running.host.instance.id,
        }
    }
}

/// Runs the server until it is told to end.
pub(crate) fn run(args: &ServeArgs, settings: &Settings, output: Output) -> anyhow::Result<()> {
    telemetry::init(&args.process.telemetry)?;
    settings.log("foretide serve");
    let lifecycle = args.process.lifecycle;
    // Holds the data directory until everything has ended.
    let mut held = None;
    foretide_runtime::run(&lifecycle, async |lifecycle| {
        let ports = Ports::bind(&args.edge.http, args.host.admin).await?;
        let Some(running) = start(args, ports, &lifecycle, Arc::new(SystemClock)).await? else {
            return Ok(());
        };
        output.answer(&Serving::of(&running), || {
            format!("serving on http://{}", running.address)
        })?;
        held = Some(running.host);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory as _;
    use foretide_host::config::parse_from;

    use crate::cli::Cli;

    fn check(args: &str) -> Result<(), String> {
        let words = ["foretide", "serve"].into_iter().chain(args.split(' '));
        parse_from::<Cli>(
            Cli::command(),
            &words.map(OsString::from).collect::<Vec<_>>(),
        )
        .map(|_| ())
        .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn both_keys_must_be_given() {
        let refusal = check("--data-dir d").unwrap_err();
        assert!(
            refusal.contains("--write-key") && refusal.contains("--admin-key"),
            "{refusal}"
        );
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let refusal = check(
            "--data-dir d --write-key a:b --admin-key a:b --log kafka:h:1 --listen here --partitions 0 \
             --kafka-setting s3cret",
        );
        let refusal = refusal.unwrap_err();
        for part in [
            "--write-key is empty, or holds a colon",
            "--admin-key is empty, or holds a colon",
            "are the same",
            "--pseudonym-key-file",
            "--listen cannot be `here`",
            "--partitions cannot be `0`",
            "--kafka-setting is not as it should be",
        ] {
            assert!(refusal.contains(part), "{refusal}");
        }
        assert!(
            !refusal.contains("s3cret") && !refusal.contains("a:b"),
            "{refusal}"
        );
        assert_eq!(check("--data-dir d --write-key w --admin-key a"), Ok(()));
    }

    #[test]
    #[cfg(not(feature = "tls"))]
    fn encryption_that_this_build_is_without_is_told() {
        for setting in [
            "security.protocol=sasl_ssl",
            "ssl.ca.location=/ca.pem",
            "sasl.mechanism=SCRAM-SHA-256",
        ] {
            let refusal = check(&format!(
                "--data-dir d --write-key w --admin-key a --kafka-setting {setting}"
            ))
            .unwrap_err();
            assert!(refusal.contains("--features tls"), "{refusal}");
        }
    }
}
