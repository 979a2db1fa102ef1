//! `foretide config`: the settings of the servers.

use clap::{Args, CommandFactory as _, Subcommand};
use foretide_host::config::{Program, sample};
use foretide_ingest::IngestAlone;
use foretide_processor::ProcessorAlone;
use foretide_scoring::ScoringAlone;
use foretide_trainer::TrainerAlone;

use crate::{cli::Cli, output::Output};

/// Shows the settings of the servers
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Prints a commented environment file with every setting and its default
    #[command(after_help = "\
Examples:
  foretide config sample

It holds every setting of `foretide serve`, foretide-ingest, foretide-processor, foretide-scoring and \
foretide-trainer, and is written from their flags, so that it is never behind. What is commented out is the default. To begin:

  foretide config sample > foretide.env && chmod 600 foretide.env     # then fill in what must be given
  set -a; . ./foretide.env; foretide serve")]
    Sample,
}

/// Runs the command.
pub(crate) fn run(args: &ConfigArgs, output: Output) -> anyhow::Result<()> {
    match args.command {
        ConfigCommand::Sample => {
            let text = sample_file();
            let answer = serde_json::json!({ "sample": text });
            output.answer(&answer, || text.trim_end().to_owned())
        }
    }
}

/// The sample environment file of all servers.
fn sample_file() -> String {
    let mut cli = Cli::command();
    cli.build();
    let serve = cli.find_subcommand("serve").cloned().unwrap_or_default();
    let program = |name, command| Program { name, command };
    sample(&[
        program("serve", serve),
        program("ingest", foretide_host::command::<IngestAlone>()),
        program("processor", foretide_host::command::<ProcessorAlone>()),
        program("scoring", foretide_host::command::<ScoringAlone>()),
        program("trainer", foretide_host::command::<TrainerAlone>()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a wanted change: `UPDATE_SAMPLE=1 cargo test -p foretide`.
    #[test]
    fn the_sample_in_deploy_is_the_one_that_is_printed() {
        let file =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/foretide.env");
        let sample = sample_file();
        if std::env::var_os("UPDATE_SAMPLE").is_some() {
            std::fs::write(&file, &sample).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), sample);
    }

    #[test]
    fn every_variable_of_every_server_is_in_the_sample() {
        let sample = sample_file();
        let alone = [
            foretide_host::command::<IngestAlone>(),
            foretide_host::command::<ProcessorAlone>(),
            foretide_host::command::<ScoringAlone>(),
            foretide_host::command::<TrainerAlone>(),
        ];
        for command in alone {
            let shown = |arg: &&clap::Arg| arg.get_long().is_some() && !arg.is_hide_set();
            let flags = command.get_arguments().filter(shown);
            for flag in flags {
                let variable = flag.get_env().unwrap().to_str().unwrap();
                assert!(sample.contains(&format!("\n#{variable}=")), "{variable}");
            }
        }
    }

    #[test]
    fn a_service_alone_has_its_own_flags_only_and_examples_that_can_be_parsed() {
        let alone = [
            foretide_host::command::<IngestAlone>(),
            foretide_host::command::<ProcessorAlone>(),
            foretide_host::command::<ScoringAlone>(),
            foretide_host::command::<TrainerAlone>(),
        ];
        for mut command in alone {
            command.build();
            command.clone().debug_assert();
            let name = command.get_name().to_owned();
            let has = |flag: &str| {
                command
                    .get_arguments()
                    .any(|arg| arg.get_long() == Some(flag))
            };
            assert_eq!(has("publish-interval-ms"), name == "foretide-processor");
            assert_eq!(has("append-timeout-ms"), name == "foretide-ingest");
            assert_eq!(has("drift-threshold"), name == "foretide-scoring");
            assert_eq!(has("reference-interval-s"), name == "foretide-trainer");
            assert_eq!(has("session-gap-s"), name != "foretide-ingest");
            let is_public = ["foretide-ingest", "foretide-scoring"].contains(&&*name);
            assert_eq!(has("listen"), is_public);
            assert!(command.get_about().is_some(), "{name}");
            let help = command.get_after_help().unwrap().to_string();
            let joined = help.replace("\\\n", " ");
            let mut tried = 0;
            for line in joined
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with(&name))
            {
                tried += 1;
                let parsed = command
                    .clone()
                    .try_get_matches_from(line.split_whitespace());
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
            assert!(tried > 0, "{name}");
            for flag in command.get_arguments() {
                assert!(flag.get_help().is_some(), "{name} {}", flag.get_id());
            }
        }
    }
}
