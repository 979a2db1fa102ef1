//! `foretide completions`: what makes a shell complete the command line.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;

pub(crate) const EXAMPLES: &str = "\
Examples:
  # bash: now, and in every new shell
  source <(foretide completions bash)
  echo 'source <(foretide completions bash)' >> ~/.bashrc

  # zsh, in a folder of $fpath
  foretide completions zsh > ~/.zfunc/_foretide

  # fish
  foretide completions fish > ~/.config/fish/completions/foretide.fish

A new shell has them. Write the files of zsh and fish again after an upgrade.";

/// Writes the completions of a shell to standard output
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let script = script(args.shell);
    match io::stdout().write_all(&script) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("writing to standard output"),
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "foretide", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_is_told_of_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for command in Cli::command().get_subcommands() {
                let name = command.get_name();
                assert!(script.contains(name), "{shell}: {name}");
            }
            assert!(script.contains("data-dir"), "{shell}");
        }
    }
}
