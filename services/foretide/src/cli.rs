//! The command line.

use clap::{Parser, Subcommand, builder::FalseyValueParser};
use foretide_host::config::Checked;

use crate::{
    completions, completions::CompletionsArgs, database::DatabaseArgs,
    dead_letters::DeadLettersArgs, demo::DemoArgs, digest, digest::DigestArgs, export,
    export::ExportArgs, import, import::ImportArgs, models::ModelsArgs, refold, refold::RefoldArgs,
    replay, replay::ReplayArgs, serve, serve::ServeArgs, settings::ConfigArgs,
    shadows::ShadowsArgs, simulate, simulate::SimulateArgs, topics::TopicsArgs,
};

const EXAMPLES: &str = "\
Examples:
  # See it work: a throw-away server with pretend shoppers
  foretide demo

  # A server of your own, then history into it
  foretide serve --data-dir ./data --write-key KEY --admin-key ADMIN
  foretide import --format rees46 2019-Oct.csv.gz --write-key KEY --admin-key ADMIN

  # What is on its log, once it is stopped; over Kafka at any time
  foretide topics tail actions --limit 5 --data-dir ./data
  foretide replay --check --data-dir ./data

Exit status: 0 all went well; 1 it failed, and standard error says why and what to do; 2 the command line \
is wrong.

`foretide COMMAND --help` shows examples for each command. Every flag can be given in the environment \
too: --data-dir as FORETIDE_DATA_DIR, and so on.";

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
    // In the order of the help: run it, fill it, look into it, set it up.
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<ServeArgs>),
    Demo(DemoArgs),
    #[command(after_help = simulate::EXAMPLES)]
    Simulate(Box<SimulateArgs>),
    #[command(after_help = import::EXAMPLES)]
    Import(ImportArgs),
    Topics(TopicsArgs),
    #[command(after_help = replay::EXAMPLES)]
    Replay(Box<ReplayArgs>),
    Shadows(ShadowsArgs),
    DeadLetters(DeadLettersArgs),
    #[command(
        after_help = export::EXAMPLES,
        mut_arg("pseudonym_key_file", |arg| arg.help(export::KEY_HELP))
    )]
    Export(Box<ExportArgs>),
    #[command(after_help = digest::EXAMPLES)]
    Digest(DigestArgs),
    #[command(after_help = refold::EXAMPLES)]
    Refold(RefoldArgs),
    Models(Box<ModelsArgs>),
    Database(DatabaseArgs),
    Config(ConfigArgs),
    #[command(after_help = completions::EXAMPLES)]
    Completions(CompletionsArgs),
}

impl Checked for Cli {
    fn faults(&self) -> Vec<String> {
        match &self.command {
            Command::Serve(args) => args.faults(),
            Command::Topics(args) => args.faults(),
            Command::Replay(args) => args.faults(),
            Command::Shadows(args) => args.faults(),
            Command::DeadLetters(args) => args.faults(),
            Command::Export(args) => args.faults(),
            Command::Digest(args) => args.faults(),
            Command::Refold(args) => args.faults(),
            Command::Models(args) => args.faults(),
            Command::Simulate(args) => args.faults(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;

    /// Every command with its path, such as `foretide topics stats`.
    fn commands() -> Vec<(String, clap::Command)> {
        fn below(path: &str, command: &clap::Command, found: &mut Vec<(String, clap::Command)>) {
            found.push((path.to_owned(), command.clone()));
            for inner in command
                .get_subcommands()
                .filter(|inner| inner.get_name() != "help")
            {
                below(&format!("{path} {}", inner.get_name()), inner, found);
            }
        }
        let mut cli = Cli::command();
        cli.build();
        let mut found = Vec::new();
        below("foretide", &cli, &mut found);
        found
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_can_be_given_in_the_environment() {
        for (path, command) in commands() {
            for flag in command
                .get_arguments()
                .filter(|arg| arg.get_long().is_some())
            {
                let name = flag.get_id().as_str();
                if ["help", "version"].contains(&name) {
                    continue;
                }
                let env = flag
                    .get_env()
                    .unwrap_or_else(|| panic!("{path} --{name} has no variable"));
                assert!(
                    env.to_string_lossy().starts_with("FORETIDE_"),
                    "{path} --{name}"
                );
            }
        }
    }

    #[test]
    fn every_flag_and_command_is_explained() {
        for (path, command) in commands() {
            assert!(command.get_about().is_some(), "{path}");
            for flag in command.get_arguments() {
                assert!(flag.get_help().is_some(), "{path} {}", flag.get_id());
            }
        }
    }

    #[test]
    fn every_command_that_does_something_shows_examples() {
        for (path, command) in commands() {
            if command.has_subcommands() && path != "foretide" {
                continue;
            }
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("Examples:"), "{path}");
        }
    }

    /// The words of a line as a shell tells them apart, where it has at most single quotes.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut is_quoted = false;
        for c in line.chars() {
            match c {
                '\'' => is_quoted = !is_quoted,
                ' ' if !is_quoted => words.push(String::new()),
                _ => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn the_examples_of_the_help_can_be_parsed() {
        let mut tried = 0;
        for (_, command) in commands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let joined = help.replace("\\\n", " ");
            for line in joined
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("foretide "))
            {
                tried += 1;
                // What follows is the shell's.
                let own = words(line).into_iter();
                let own = own.take_while(|word| ![">", "|", "&&", "#"].contains(&&**word));
                if let Err(error) = Cli::try_parse_from(own) {
                    panic!("{line}: {error}");
                }
            }
        }
        assert!(tried >= 8, "{tried}");
    }

    /// The help of each command as it was last looked at. After a wanted change: `UPDATE_HELP=1 cargo test -p
    /// foretide`.
    #[test]
    fn the_help_reads_as_it_was_written_down() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("help");
        // What `serve` adds are the sections of the services, which have their own tests.
        for (path, command) in commands() {
            if path == "foretide serve" {
                continue;
            }
            let help = command
                .mut_args(|arg| arg.hide_env_values(true))
                .term_width(100)
                .max_term_width(100)
                .render_long_help()
                .to_string();
            let file = folder.join(format!("{}.txt", path.replace(' ', "-")));
            if std::env::var_os("UPDATE_HELP").is_some() {
                std::fs::write(&file, &help).unwrap();
            }
            assert_eq!(
                std::fs::read_to_string(&file).unwrap_or_default(),
                help,
                "{}",
                file.display()
            );
        }
    }

    #[test]
    fn the_names_that_scripts_rely_on_are_there() {
        let flags = |path: &str| -> BTreeSet<String> {
            let (_, command) = commands()
                .into_iter()
                .find(|(found, _)| found == path)
                .unwrap();
            command
                .get_arguments()
                .filter_map(|arg| Some(arg.get_long()?.to_owned()))
                .collect()
        };
        let expected = [
            (
                "foretide serve",
                "data-dir listen admin-listen write-key admin-key log pseudonym-key-file",
            ),
            (
                "foretide import",
                "format to write-key admin-key currency batch lanes",
            ),
            ("foretide digest", "data-dir log pseudonym-key-file wait"),
            (
                "foretide export",
                "as-of at out format features data-dir log pseudonym-key-file wait",
            ),
            ("foretide refold", "data-dir log accept-loss wait"),
            ("foretide topics stats", "data-dir log exact wait"),
            (
                "foretide topics tail",
                "data-dir log from to partition shopper fate limit follow wait",
            ),
            ("foretide topics create", "data-dir log partitions"),
            (
                "foretide replay",
                "data-dir log from to group check profiles at speed into with-late what-if shadow-dir wait",
            ),
            ("foretide shadows list", "data-dir shadow-dir"),
            ("foretide shadows show", "data-dir shadow-dir"),
            (
                "foretide shadows diff",
                "data-dir shadow-dir log at limit wait",
            ),
            ("foretide shadows drop", "data-dir shadow-dir"),
            (
                "foretide dead-letters list",
                "data-dir log cause settled limit wait",
            ),
            ("foretide dead-letters show", "data-dir log raw wait"),
            (
                "foretide dead-letters rerun",
                "data-dir log all cause fix dry-run again pseudonym-key-file wait",
            ),
            (
                "foretide dead-letters dismiss",
                "data-dir log all cause wait",
            ),
            (
                "foretide models evaluate",
                "label group time train-until test-after exclude kind folds out plots",
            ),
            ("foretide database migrate", "database"),
            ("foretide database status", "database"),
            ("foretide demo", "seconds rate speed seed"),
            (
                "foretide simulate",
                "to write-key admin-key rate shoppers seed speed duration days format decisions out",
            ),
        ];
        for (path, names) in expected {
            let found = flags(path);
            assert!(
                names.split(' ').all(|name| found.contains(name)),
                "{path}: {found:?}"
            );
        }
    }
}
