//! `foretide models`: what models are worth.

mod evaluate;
mod plots;
mod rows;
mod text;

use clap::{Args, Subcommand};
use foretide_host::config::Checked;

use crate::output::Output;

/// Fits and judges models on frames of one's own
#[derive(Args, Debug)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    #[command(after_help = evaluate::EXAMPLES)]
    Evaluate(evaluate::EvaluateArgs),
}

impl Checked for ModelsArgs {
    fn faults(&self) -> Vec<String> {
        match &self.command {
            ModelsCommand::Evaluate(args) => args.faults(),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &ModelsArgs, output: Output) -> anyhow::Result<()> {
    match &args.command {
        ModelsCommand::Evaluate(args) => evaluate::run(args, output),
    }
}
