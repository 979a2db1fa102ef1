//! `foretide serve`: ingest, processor and scoring in one process, over one log.

mod folding;
mod ports;
mod public;
mod waiting;
mod wiring;

use std::{net::SocketAddr, sync::Arc};

use anyhow::bail;
use clap::Args;
use foretide_http::{HttpConfig, KeysConfig};
use foretide_ingest::IngestConfig;
use foretide_processor::ProcessorConfig;
use foretide_runtime::{LifecycleConfig, SystemClock, TelemetryConfig, telemetry};
use foretide_scoring::ScoringConfig;
use serde::Serialize;

pub(crate) use self::{
    ports::Ports,
    wiring::{Running, start},
};
use crate::{key_file, output::Output, store::StoreArgs};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # Everything in one directory
  foretide serve --data-dir ./data --write-key KEY --admin-key ADMIN

  # Over Kafka: every host with the same key file
  foretide serve --data-dir /var/lib/foretide --log kafka:broker-1:9092,broker-2:9092 \\
    --pseudonym-key-file /etc/foretide/pseudonym.key --write-key KEY --admin-key ADMIN

  # An action in, a decision out
  curl -u KEY: http://127.0.0.1:8080/v1/actions -H 'content-type: application/json' \\
    -d '{\"type\":\"search\",\"query\":\"tent\",\"shopper\":{\"user_id\":\"ann\"}}'
  curl -u ADMIN: http://127.0.0.1:8080/v1/decisions -H 'content-type: application/json' \\
    -d '{\"shopper\":{\"user_id\":\"ann\"}}'

The admin port answers /livez, /readyz and /metrics without a key: keep it away from the public. SIGTERM \
finishes what is held; a second one stops at once. Keys are best given in the environment, where other \
users do not see them.";

/// Runs the server: takes actions in, folds profiles, decides on offers
#[derive(Args, Clone, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) http: HttpConfig,
    #[command(flatten)]
    pub(crate) keys: KeysConfig,
    #[command(flatten)]
    pub(crate) ingest: IngestConfig,
    #[command(flatten)]
    pub(crate) processor: ProcessorConfig,
    #[command(flatten)]
    pub(crate) scoring: ScoringConfig,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryConfig,
    #[command(flatten)]
    pub(crate) lifecycle: LifecycleConfig,
}

impl ServeArgs {
    /// Says everything that is wrong with the settings together, before anything is opened.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let mut faults = Vec::new();
        // Only looked at, never shown.
        let keys = [
            ("--write-key", self.keys.write_key.expose()),
            ("--admin-key", self.keys.admin_key.expose()),
        ];
        for (flag, key) in keys {
            if key.is_empty()
                || key.contains(|c: char| c == ':' || c.is_whitespace() || c.is_control())
            {
                faults.push(format!(
                    "{flag} is empty, or holds a colon or a space, which HTTP Basic cannot carry"
                ));
            }
        }
        if keys[0].1 == keys[1].1 {
            faults.push("--write-key and --admin-key are the same: every page of the shop would hold the admin key".to_owned());
        }
        faults.extend(
            key_file::check_given(&self.store)
                .err()
                .map(|fault| fault.to_string()),
        );
        match faults.as_slice() {
            [] => Ok(()),
            [one] => bail!("{one}"),
            many => bail!(
                "{} settings are wrong:\n- {}",
                many.len(),
                many.join("\n- ")
            ),
        }
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
            instance: &running.instance.id,
        }
    }
}

/// Runs the server until it is told to end.
pub(crate) fn run(args: &ServeArgs, output: Output) -> anyhow::Result<()> {
    args.check()?;
    telemetry::init(&args.telemetry)?;
    let lifecycle = args.lifecycle;
    // Holds the data directory until everything has ended.
    let mut held = None;
    foretide_runtime::run(&lifecycle, async |lifecycle| {
        let ports = Ports::bind(&args.http).await?;
        let Some(running) = start(args, ports, &lifecycle, Arc::new(SystemClock)).await? else {
            return Ok(());
        };
        output.answer(&Serving::of(&running), || {
            format!("serving on http://{}", running.address)
        })?;
        held = Some(running.instance);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    fn check(args: &str) -> Result<(), String> {
        let words = ["foretide", "serve"].into_iter().chain(args.split(' '));
        match Cli::try_parse_from(words)
            .map_err(|error| error.to_string())?
            .command
        {
            Command::Serve(args) => args.check().map_err(|error| error.to_string()),
            other => Err(format!("{other:?}")),
        }
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
        let refusal =
            check("--data-dir d --write-key a:b --admin-key a:b --log kafka:h:1").unwrap_err();
        for part in [
            "--write-key",
            "--admin-key",
            "the same",
            "--pseudonym-key-file",
        ] {
            assert!(refusal.contains(part), "{refusal}");
        }
        assert_eq!(check("--data-dir d --write-key w --admin-key a"), Ok(()));
    }
}
