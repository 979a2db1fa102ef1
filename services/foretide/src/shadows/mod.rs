//! `foretide shadows`: sets of profiles beside the live ones, made by `foretide replay --into`.

pub(crate) mod against;
pub(crate) mod place;
mod show;
pub(crate) mod what_if;

use clap::{Args, Subcommand};
use foretide_host::config::Checked;

pub(crate) use show::{rules_of, same_log};

use crate::output::Output;

/// Looks at shadows: profiles beside the live ones, which `foretide replay --into` makes
#[derive(Args, Debug)]
pub(crate) struct ShadowsArgs {
    #[command(subcommand)]
    command: ShadowsCommand,
}

#[derive(Debug, Subcommand)]
enum ShadowsCommand {
    #[command(after_help = show::LIST_EXAMPLES)]
    List(show::ListArgs),
    #[command(after_help = show::SHOW_EXAMPLES)]
    Show(show::ShowArgs),
    #[command(after_help = show::DIFF_EXAMPLES)]
    Diff(Box<show::DiffArgs>),
    #[command(after_help = show::DROP_EXAMPLES)]
    Drop(show::DropArgs),
}

impl Checked for ShadowsArgs {
    fn faults(&self) -> Vec<String> {
        match &self.command {
            ShadowsCommand::List(args) => args.kept.faults(),
            ShadowsCommand::Show(args) => args.kept.faults(),
            ShadowsCommand::Diff(args) => args.faults(),
            ShadowsCommand::Drop(args) => args.kept.faults(),
        }
    }
}

/// Runs the command.
pub(crate) async fn run(args: ShadowsArgs, output: Output) -> anyhow::Result<()> {
    match args.command {
        ShadowsCommand::List(args) => show::list(&args, output),
        ShadowsCommand::Show(args) => show::show(&args, output),
        ShadowsCommand::Diff(args) => show::diff(*args, output).await,
        ShadowsCommand::Drop(args) => show::remove(&args, output),
    }
}
