//! `foretide dead-letters`: what could not be processed, looked at, set right and run again.

mod correct;
mod differ;
mod letters;
mod list;
mod rerun;
mod script;

use clap::{Args, Subcommand};
use foretide_host::config::Checked;

use crate::output::Output;

/// Looks at records that could not be processed, sets them right and runs them again
#[derive(Args, Debug)]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    command: DeadLettersCommand,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    #[command(after_help = list::LIST_EXAMPLES)]
    List(Box<list::ListArgs>),
    #[command(after_help = list::SHOW_EXAMPLES)]
    Show(Box<list::ShowArgs>),
    #[command(after_help = rerun::EXAMPLES)]
    Rerun(Box<rerun::RerunArgs>),
    #[command(after_help = rerun::DISMISS_EXAMPLES)]
    Dismiss(Box<rerun::DismissArgs>),
}

impl Checked for DeadLettersArgs {
    fn faults(&self) -> Vec<String> {
        match &self.command {
            DeadLettersCommand::List(args) => args.log.faults(),
            DeadLettersCommand::Show(args) => args.log.faults(),
            DeadLettersCommand::Rerun(args) => args.faults(),
            DeadLettersCommand::Dismiss(args) => args.faults(),
        }
    }
}

/// Runs the command.
pub(crate) async fn run(args: DeadLettersArgs, output: Output) -> anyhow::Result<()> {
    match args.command {
        DeadLettersCommand::List(args) => list::list(*args, output).await,
        DeadLettersCommand::Show(args) => list::show(*args, output).await,
        DeadLettersCommand::Rerun(args) => rerun::run(*args, output).await,
        DeadLettersCommand::Dismiss(args) => rerun::dismiss(*args, output).await,
    }
}
