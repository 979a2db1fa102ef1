//! `foretide`: every service in one process, and the command line around it.
//!
//! `serve` runs ingest, processor, trainer and scoring over one log; `import` sends history to a server; `digest`, `replay`
//! and `topics` look at a log; `shadows` are what a replay keeps beside the live profiles; `dead-letters` are set right and
//! run again; `export` writes what was known of shoppers at instants of the past; `refold` makes its profiles anew; `models` judges models on frames;
//! `database` looks after the tables of offers, keys and settings; `demo` shows it all at work with pretend shoppers. Each command is a module; what they share of data directories and logs is `foretide-host`. The
//! wiring of the services is in [`serve`].

mod advice;
mod cli;
mod completions;
mod database;
mod dead_letters;
mod demo;
mod digest;
mod export;
mod import;
mod instant;
mod look;
mod models;
mod output;
mod profile_view;
mod progress;
mod refold;
mod replay;
mod sending;
mod serve;
mod settings;
mod shadows;
mod simulate;
mod stop;
mod topics;
mod warnings;

use std::process::ExitCode;

use clap::CommandFactory as _;
use foretide_host::config::{self, Parsed, Settings};

use crate::{
    cli::{Cli, Command},
    output::Output,
};

fn main() -> ExitCode {
    let Parsed {
        config: cli,
        settings,
    } = match config::parse::<Cli>(Cli::command()) {
        Ok(parsed) => parsed,
        Err(refusal) => return refusal.tell(),
    };
    let output = Output::new(cli.json);
    // A server has a log for that.
    if !matches!(cli.command, Command::Serve(_)) {
        for unknown in settings.unknown() {
            output::note(&format!("warning: {unknown}"));
        }
    }
    match run(cli.command, &settings, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("foretide: {error:#}"));
            if let Some(advice) = advice::on(&error) {
                output::note(&format!("  {advice}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, settings: &Settings, output: Output) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => serve::run(&args, settings, output),
        Command::Config(args) => settings::run(&args, output),
        Command::Demo(args) => demo::run(&args, output),
        Command::Simulate(args) => one_shot(simulate::run(*args, output)),
        Command::Import(args) => one_shot(import::run(args, output)),
        Command::Export(args) => one_shot(export::run(*args, output)),
        Command::Digest(args) => one_shot(digest::run(args, output)),
        Command::Refold(args) => one_shot(refold::run(args, output)),
        Command::Models(args) => models::run(&args, output),
        Command::Replay(args) => one_shot(replay::run(*args, output)),
        Command::Shadows(args) => one_shot(shadows::run(args, output)),
        Command::DeadLetters(args) => one_shot(dead_letters::run(args, output)),
        Command::Topics(args) => one_shot(topics::run(args, output)),
        Command::Database(args) => one_shot(database::run(args, output)),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Runs a command that ends by itself.
fn one_shot(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    warnings::tell();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(command);
    // A reader that waits for a lane that failed is not waited for.
    runtime.shutdown_background();
    outcome
}
