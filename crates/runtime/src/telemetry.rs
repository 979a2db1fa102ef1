//! Logs: structured events to standard error, for people or for machines.

use std::io::{self, IsTerminal as _};

use clap::{Args, ValueEnum};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{gathered, json_lines::JsonLines};

/// The target of the one event of each request. Written as JSON these events may wait for one another, a tenth of a second
/// at most; others never do.
pub const REQUEST_TARGET: &str = gathered::GATHERED_TARGET;

/// How log events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// What to log, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct TelemetryConfig {
    /// What to log: a level, or directives such as `info,foretide_kafka=debug`
    #[arg(
        long,
        env = "FORETIDE_LOG_LEVEL",
        value_name = "FILTER",
        default_value = "info",
        global = true
    )]
    pub log_level: String,

    /// How to write it
    #[arg(
        long,
        env = "FORETIDE_LOG_FORMAT",
        value_enum,
        default_value_t,
        global = true
    )]
    pub log_format: LogFormat,
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("--log-level: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something in the process logs already.
    #[error("logging was set up before: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends the events of the whole process to standard error from now on. Called once, at the beginning.
pub fn init(config: &TelemetryConfig) -> Result<(), TelemetryError> {
    let filter: EnvFilter = config.log_level.parse()?;
    let registry = tracing_subscriber::registry().with(filter);
    let terminal = io::stderr().is_terminal();
    let pretty = match config.log_format {
        LogFormat::Auto => terminal,
        LogFormat::Json => false,
        LogFormat::Pretty => true,
    };
    if pretty {
        registry
            .with(fmt::layer().with_ansi(terminal).with_writer(io::stderr))
            .try_init()?;
    } else {
        let layer = fmt::layer().event_format(JsonLines);
        registry
            .with(layer.with_writer(gathered::standard_error()))
            .try_init()?;
    }
    Ok(())
}

/// Writes the events that still wait: the end of the process would lose them. [`run`](crate::run) does it by itself.
pub fn write_out() {
    gathered::write_out();
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        telemetry: TelemetryConfig,
    }

    #[test]
    fn an_unreadable_filter_is_refused_by_the_name_of_its_flag() {
        let cli = Cli::parse_from(["test", "--log-level", "a=b=c"]);
        let refusal = init(&cli.telemetry).unwrap_err().to_string();
        assert!(refusal.starts_with("--log-level: "), "{refusal}");
    }

    #[test]
    fn the_format_has_names_and_a_default() {
        assert_eq!(
            Cli::parse_from(["test"]).telemetry.log_format,
            LogFormat::Auto
        );
        let cli = Cli::parse_from(["test", "--log-format", "json"]);
        assert_eq!(cli.telemetry.log_format, LogFormat::Json);
    }
}
