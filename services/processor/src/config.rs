//! The processor's section of the configuration.

use std::time::Duration;

use clap::{Args, ValueEnum};

/// How the processor works.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Processor")]
pub struct ProcessorConfig {
    /// How often changed profiles are published, in milliseconds
    #[arg(long, env = "FORETIDE_PUBLISH_INTERVAL_MS", value_name = "MS", default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(1..=5_000))]
    pub publish_interval_ms: u64,
    /// How often each partition's profiles are written to a checkpoint on local disk, in seconds; 0 for only at the end. Less often where
    /// there are many: at most a thirty-second of the time is spent on it
    #[arg(
        long,
        env = "FORETIDE_CHECKPOINT_INTERVAL_S",
        value_name = "S",
        default_value_t = 60
    )]
    pub checkpoint_interval_s: u64,
    /// Threads that fold; 0 for as many as there are cores
    #[arg(long, env = "FORETIDE_FOLD_THREADS", value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u16).range(0..=256))]
    pub fold_threads: u16,
    /// Of what examples are told, from which models learn: of all, of what is no history (appended within a day), or of nothing
    #[arg(
        long,
        env = "FORETIDE_EXAMPLES",
        value_name = "OF",
        value_enum,
        default_value_t = ExamplesMode::All
    )]
    pub examples: ExamplesMode,
}

/// Of what examples are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExamplesMode {
    /// Of everything that is folded, history included.
    #[default]
    All,
    /// Of what was appended within a day after it happened.
    Live,
    /// Of nothing: models cannot learn then.
    Off,
}

impl Default for ProcessorConfig {
    fn default() -> Self {
        Self {
            publish_interval_ms: 100,
            checkpoint_interval_s: 60,
            fold_threads: 0,
            examples: ExamplesMode::All,
        }
    }
}

impl ProcessorConfig {
    /// Time from one publication to the next.
    pub(crate) fn publish_interval(self) -> Duration {
        Duration::from_millis(self.publish_interval_ms)
    }

    /// Time from one checkpoint of a partition to the next, if there are to be any before the end.
    pub(crate) fn checkpoint_interval(self) -> Option<Duration> {
        (self.checkpoint_interval_s > 0).then(|| Duration::from_secs(self.checkpoint_interval_s))
    }

    /// The number of threads that fold, at least one.
    pub(crate) fn threads(self) -> usize {
        match self.fold_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => usize::from(threads),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        processor: ProcessorConfig,
    }

    #[test]
    fn the_defaults_of_the_command_line_are_the_defaults() {
        let command = Command::try_parse_from(["x"]).unwrap();
        assert_eq!(command.processor, ProcessorConfig::default());
    }

    #[test]
    fn an_interval_that_makes_no_sense_is_refused() {
        for wrong in ["0", "5001", "soon"] {
            assert!(Command::try_parse_from(["x", "--publish-interval-ms", wrong]).is_err());
        }
    }
}
