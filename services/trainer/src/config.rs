//! The trainer's section of the configuration.

use std::time::Duration;

use clap::Args;

/// When the trainer learns.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Trainer")]
pub struct TrainerConfig {
    /// How often price levels and habits that are usual among shoppers are learnt from all profiles, in seconds; the first time
    /// as soon as 100 shoppers are known
    #[arg(long, env = "FORETIDE_REFERENCE_INTERVAL_S", value_name = "S", default_value_t = 3600,
          value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub reference_interval_s: u64,
}

impl Default for TrainerConfig {
    fn default() -> Self {
        Self {
            reference_interval_s: 3600,
        }
    }
}

impl TrainerConfig {
    /// Time from one reference to the next.
    pub(crate) fn reference_interval(self) -> Duration {
        Duration::from_secs(self.reference_interval_s)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        trainer: TrainerConfig,
    }

    #[test]
    fn the_defaults_of_the_command_line_are_the_defaults() {
        let command = Command::try_parse_from(["x"]).unwrap();
        assert_eq!(command.trainer, TrainerConfig::default());
    }

    #[test]
    fn an_interval_that_makes_no_sense_is_refused() {
        for wrong in ["0", "604801", "daily"] {
            assert!(Command::try_parse_from(["x", "--reference-interval-s", wrong]).is_err());
        }
    }
}
