//! `foretide topics`: what the log holds.

mod create;
mod fates;
pub(crate) mod place;
mod readable;
mod stats;
mod tail;

use clap::{Args, Subcommand};
use foretide_host::config::Checked;

use crate::output::Output;

/// Looks at the topics of the log, or makes them
#[derive(Args, Debug)]
pub(crate) struct TopicsArgs {
    #[command(subcommand)]
    command: TopicsCommand,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    #[command(after_help = tail::EXAMPLES)]
    Tail(Box<tail::TailArgs>),
    #[command(after_help = stats::EXAMPLES)]
    Stats(stats::StatsArgs),
    #[command(after_help = create::EXAMPLES)]
    Create(create::CreateArgs),
}

impl Checked for TopicsArgs {
    fn faults(&self) -> Vec<String> {
        match &self.command {
            TopicsCommand::Tail(args) => args.faults(),
            TopicsCommand::Stats(args) => args.log.faults(),
            TopicsCommand::Create(args) => args.log.faults(),
        }
    }
}

/// Runs the command.
pub(crate) async fn run(args: TopicsArgs, output: Output) -> anyhow::Result<()> {
    match args.command {
        TopicsCommand::Tail(args) => tail::run(&args).await,
        TopicsCommand::Stats(args) => stats::run(&args, output).await,
        TopicsCommand::Create(args) => create::run(&args, output).await,
    }
}
