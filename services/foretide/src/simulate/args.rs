//! What can be asked for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use foretide_events::EpochMs;
use foretide_host::config::Checked;
use foretide_runtime::Secret;
use reqwest::Url;

use crate::{instant::instant, sending::server_url};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # A thousand actions a second for a minute, on a server of this machine
  foretide simulate --rate 1000 --duration 60 --write-key KEY

  # With a decision wherever a shop would ask for one, and what the offers truly did
  foretide simulate --rate 500 --duration 120 --write-key KEY --admin-key ADMIN --decisions --json

  # A month of history first, as fast as the server takes it, then load by Segment's API
  foretide simulate --days 30 --as-fast-as-possible --shoppers 20000 --duration 600 \\
    --format segment --to http://10.0.0.7:8080 --write-key KEY

  # Into a file, the same to the byte each time; to be imported with `foretide import --format ndjson`
  foretide simulate --out history.ndjson --days 7 --shoppers 1000 --seed 42 --as-of 2026-11-01T00:00:00Z

The load is open: actions are due at their time whether the server keeps up or not, and latency is told from \
the moment they were due. Each shopper's actions stay in order; a batch that fails is sent again with the \
same ids until it is answered.

With --days alone it ends when the past is written; with --duration the load of so many seconds follows; \
with neither the load goes on until Ctrl-C.";

/// Puts pretend shoppers on a server as load, or into a file
#[derive(Args, Clone, Debug)]
pub(crate) struct SimulateArgs {
    /// The server's public address
    #[arg(long, env = "FORETIDE_TO", value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = server_url)]
    pub(super) to: Url,

    /// Where scoring answers, when the services run alone and --to is ingest's address
    #[arg(long, env = "FORETIDE_SCORING", value_name = "URL", value_parser = server_url)]
    pub(super) scoring: Option<Url>,

    /// The server's write key; not needed with --out
    #[arg(
        long,
        env = "FORETIDE_WRITE_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub(super) write_key: Option<Secret>,

    /// The server's admin key, to ask for decisions
    #[arg(
        long,
        env = "FORETIDE_ADMIN_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub(super) admin_key: Option<Secret>,

    /// Writes the actions into this file, one a line, instead of sending them; - for standard output
    #[arg(long, env = "FORETIDE_SIMULATE_OUT", value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// How actions are written
    #[arg(
        long,
        env = "FORETIDE_SIMULATE_FORMAT",
        value_enum,
        default_value = "native"
    )]
    pub(super) format: Format,

    /// Actions a second
    #[arg(long, env = "FORETIDE_SIMULATE_RATE", value_name = "N", default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) rate: u32,

    /// Number of shoppers
    #[arg(long, env = "FORETIDE_SIMULATE_SHOPPERS", value_name = "N", default_value_t = 100_000,
        value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    pub(super) shoppers: u32,

    /// Decides what the shoppers do
    #[arg(
        long,
        env = "FORETIDE_SIMULATE_SEED",
        value_name = "N",
        default_value_t = 7
    )]
    pub(super) seed: u64,

    /// For how many seconds there is load
    #[arg(long, env = "FORETIDE_SIMULATE_DURATION", value_name = "S")]
    pub(super) duration: Option<u32>,

    /// How many seconds of the shop pass in one. Above 1 the load needs a --duration: it then begins so far in the past that
    /// it ends now
    #[arg(long, env = "FORETIDE_SIMULATE_SPEED", value_name = "X", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) speed: u32,

    /// Plays so many days before now first, at the pace of ordinary shoppers
    #[arg(long, env = "FORETIDE_SIMULATE_DAYS", value_name = "D", default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=3_650))]
    pub(super) days: u32,

    /// Sends those days as fast as the server takes them, instead of at --rate
    #[arg(
        long,
        env = "FORETIDE_SIMULATE_AS_FAST_AS_POSSIBLE",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub(super) as_fast_as_possible: bool,

    /// What counts as now, as RFC 3339; with --out, the same instant gives the same file
    #[arg(long, env = "FORETIDE_SIMULATE_AS_OF", value_name = "TIME", value_parser = instant)]
    pub(super) as_of: Option<EpochMs>,

    /// Asks for a decision wherever a shop would, and shows the shoppers what is offered
    #[arg(
        long,
        env = "FORETIDE_SIMULATE_DECISIONS",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub(super) decisions: bool,

    /// Requests under way at once; each shopper's actions travel in one lane
    #[arg(long, env = "FORETIDE_SIMULATE_CONNECTIONS", value_name = "N", default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(super) connections: u16,

    /// The most actions in one request
    #[arg(long, env = "FORETIDE_SIMULATE_BATCH", value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u16).range(1..=2500))]
    pub(super) batch: u16,
}

/// How actions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// As `POST /v1/actions` takes them
    Native,
    /// As calls of Segment's API
    Segment,
}

impl Format {
    /// The route that takes it, and how the body begins.
    pub(super) fn route(self) -> (&'static str, &'static [u8]) {
        match self {
            Self::Native => ("v1/actions", b"{\"actions\":["),
            Self::Segment => ("v1/batch", b"{\"batch\":["),
        }
    }
}

impl Checked for SimulateArgs {
    /// All that does not go together.
    fn faults(&self) -> Vec<String> {
        let sends = self.out.is_none();
        let rules = [
            (
                sends && self.write_key.is_none(),
                "--write-key (FORETIDE_WRITE_KEY) is needed to send to a server; --out FILE writes a file instead",
            ),
            (
                self.decisions && !sends,
                "--decisions asks a server: leave out --out",
            ),
            (
                self.decisions && sends && self.admin_key.is_none(),
                "--decisions needs --admin-key (FORETIDE_ADMIN_KEY)",
            ),
            (
                !sends && self.days == 0 && self.duration.is_none(),
                "--out needs an end: give --days or --duration",
            ),
            (
                self.speed > 1 && self.duration.is_none() && self.days == 0,
                "--speed needs a --duration, to know how far in the past to begin",
            ),
        ];
        let broken = rules.into_iter().filter(|(is_broken, _)| *is_broken);
        broken.map(|(_, fault)| fault.to_owned()).collect()
    }
}

impl SimulateArgs {
    /// For how long there is load after the past is played, in seconds; `None` until Ctrl-C.
    pub(super) fn load_seconds(&self) -> Option<u32> {
        self.duration.or((self.days > 0).then_some(0))
    }
}

/// The arguments in `words`.
#[cfg(test)]
pub(super) fn args(words: &str) -> SimulateArgs {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: SimulateArgs,
    }
    let words = ["simulate"].into_iter().chain(words.split_whitespace());
    <Cli as clap::Parser>::try_parse_from(words).unwrap().args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(words: &str) -> String {
        args(words).faults().join("; ")
    }

    #[test]
    fn all_that_does_not_go_together_is_told_at_once() {
        let told = faults("--decisions --speed 60");
        for part in ["--write-key", "--admin-key", "--duration"] {
            assert!(told.contains(part), "{told}");
        }
        assert!(faults("--out x").contains("--days"));
        assert!(faults("--out x --days 1 --decisions").contains("--out"));
        assert_eq!(faults("--write-key w"), "");
        assert_eq!(faults("--out - --days 1"), "");
    }
}
