//! `foretide`: every service in one process, and the command line around it.
//!
//! `serve` runs ingest, processor and scoring over one log; `import` sends history to a server; `digest` and
//! `topics` look at a log; `demo` shows it all at work with pretend shoppers. Each command is a module; [`store`]
//! and [`key_file`] are what they share. The wiring of the services is in [`serve`] and nowhere else.

mod cli;
mod demo;
mod digest;
mod durable;
mod import;
mod instance;
mod key_file;
mod output;
mod serve;
mod store;
mod topics;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    cli::{Cli, Command},
    output::Output,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    match run(cli.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("foretide: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, output: Output) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => serve::run(&args, output),
        Command::Demo(args) => demo::run(&args, output),
        Command::Import(args) => one_shot(import::run(args, output)),
        Command::Digest(args) => one_shot(digest::run(args, output)),
        Command::Topics(args) => one_shot(topics::run(args, output)),
    }
}

/// Runs a command that ends by itself.
fn one_shot(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(command);
    // A reader that waits for a lane that failed is not waited for.
    runtime.shutdown_background();
    outcome
}
