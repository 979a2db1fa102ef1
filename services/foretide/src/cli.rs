//! The command line.

use clap::{Parser, Subcommand, builder::FalseyValueParser};

use crate::{demo::DemoArgs, digest::DigestArgs, import, import::ImportArgs, serve, serve::ServeArgs, topics::TopicsArgs};

const EXAMPLES: &str = "\
Examples:
  # See it work: a throw-away server with pretend shoppers
  foretide demo

  # A server of your own, then history into it
  foretide serve --data-dir ./data --write-key KEY --admin-key ADMIN
  foretide import --format rees46 2019-Oct.csv.gz --write-key KEY --admin-key ADMIN

`foretide COMMAND --help` shows examples for each command. Every flag can be given in the environment too: --data-dir as
FORETIDE_DATA_DIR, and so on.";

/// Sees shoppers drift before they leave, and acts in the session
#[derive(Debug, Parser)]
#[command(name = "foretide", version, after_help = EXAMPLES, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    /// Answer with lines of JSON on standard output; progress goes to standard error
    #[arg(long, global = true, env = "FORETIDE_JSON", value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<ServeArgs>),
    #[command(after_help = import::EXAMPLES)]
    Import(ImportArgs),
    Digest(DigestArgs),
    Topics(TopicsArgs),
    Demo(DemoArgs),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;

    /// Every command with its path, such as `topics stats`.
    fn commands(of: &clap::Command, path: &str) -> Vec<(String, clap::Command)> {
        let mut found = vec![(path.to_owned(), of.clone())];
        for inner in of.get_subcommands() {
            found.extend(commands(inner, &format!("{path} {}", inner.get_name())));
        }
        found
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_can_be_given_in_the_environment() {
        for (path, command) in commands(&Cli::command(), "foretide") {
            for flag in command.get_arguments().filter(|arg| arg.get_long().is_some()) {
                let name = flag.get_id().as_str();
                if ["help", "version"].contains(&name) {
                    continue;
                }
                let env = flag.get_env().unwrap_or_else(|| panic!("{path} --{name} has no variable"));
                assert!(env.to_string_lossy().starts_with("FORETIDE_"), "{path} --{name}");
            }
        }
    }

    #[test]
    fn every_flag_and_command_is_explained() {
        for (path, command) in commands(&Cli::command(), "foretide") {
            assert!(command.get_about().is_some(), "{path}");
            for flag in command.get_arguments() {
                assert!(flag.get_help().is_some() || flag.get_id() == "help", "{path} {}", flag.get_id());
            }
        }
    }

    #[test]
    fn every_command_that_does_something_shows_examples() {
        for (path, command) in commands(&Cli::command(), "foretide") {
            if command.has_subcommands() && path != "foretide" {
                continue;
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:"), "{path}");
        }
    }

    #[test]
    fn the_examples_of_the_help_can_be_parsed() {
        let mut tried = 0;
        for (_, command) in commands(&Cli::command(), "foretide") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let joined = help.replace("\\\n", " ");
            for line in joined.lines().map(str::trim).filter(|line| line.starts_with("foretide ")) {
                tried += 1;
                if let Err(error) = Cli::try_parse_from(line.split_whitespace()) {
                    panic!("{line}: {error}");
                }
            }
        }
        assert!(tried >= 8, "{tried}");
    }

    #[test]
    fn the_names_that_scripts_rely_on_are_there() {
        let flags = |path: &str| -> BTreeSet<String> {
            let all = commands(&Cli::command(), "foretide");
            let (_, command) = all.iter().find(|(found, _)| found == path).unwrap();
            command.get_arguments().filter_map(|arg| Some(arg.get_long()?.to_owned())).collect()
        };
        let expected = [
            ("foretide serve", "data-dir listen admin-listen write-key admin-key log pseudonym-key-file"),
            ("foretide import", "format to write-key admin-key currency batch lanes"),
            ("foretide digest", "data-dir log pseudonym-key-file"),
            ("foretide topics stats", "data-dir log"),
            ("foretide demo", "seconds rate"),
        ];
        for (path, names) in expected {
            let found = flags(path);
            assert!(names.split(' ').all(|name| found.contains(name)), "{path}: {found:?}");
        }
    }
}
