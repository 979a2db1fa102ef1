//! The benchmarks: each a ratio against a floor or a peer that does the same work in the same run, taken in turns.
//!
//! `cargo run --release -p foretide-bench -- all` runs them; `README.md` beside this crate has the results.

#![expect(
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "results go to standard output; counts are small"
)]

mod fold;
mod ingest;
mod load;
mod measure;
mod pipeline;
#[path = "../peers/plain_action.rs"]
mod plain_action;
mod server;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};

/// Measures Foretide against floors and peers, in turns, and prints tables of ratios.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Turns of each side
    #[arg(long, global = true, default_value_t = 5)]
    pairs: usize,
    /// Where logs and files are put; best a real disk
    #[arg(long, global = true, default_value = ".")]
    directory: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Every benchmark, one after another
    All,
    /// The pure fold, one core, against a random read-modify-write of rows of the same size
    Fold {
        /// Shoppers
        #[arg(long, default_value_t = 1_000_000)]
        shoppers: usize,
        /// Events a turn
        #[arg(long, default_value_t = 1_000_000)]
        events: usize,
    },
    /// Ingest over HTTP onto Kafka, against a plain axum + rdkafka service
    IngestKafka {
        /// Batches of 100 a turn
        #[arg(long, default_value_t = 3000)]
        requests: usize,
    },
    /// Ingest over HTTP onto the embedded log, against parsing plus a raw append
    IngestEmbedded {
        /// Batches of 100 a turn
        #[arg(long, default_value_t = 3000)]
        requests: usize,
    },
    /// The same without HTTP
    Pipeline {
        /// Batches of 100 a turn
        #[arg(long, default_value_t = 3000)]
        requests: usize,
    },
    /// (what the benchmarks start) Ingest alone
    #[command(hide = true)]
    ServeIngest {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        log: String,
    },
}

fn main() -> anyhow::Result<()> {
    let Arguments {
        command,
        pairs,
        directory,
    } = Arguments::parse();
    match command {
        Command::All => {
            fold::run(1_000_000, 1_000_000, pairs)?;
            pipeline::run(&directory, 3000, pairs)?;
            ingest::embedded(&directory, 3000, pairs)?;
            ingest::kafka(3000, pairs)
        }
        Command::Fold { shoppers, events } => fold::run(shoppers, events, pairs),
        Command::IngestKafka { requests } => ingest::kafka(requests, pairs),
        Command::IngestEmbedded { requests } => ingest::embedded(&directory, requests, pairs),
        Command::Pipeline { requests } => pipeline::run(&directory, requests, pairs),
        Command::ServeIngest { listen, log } => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(server::run(listen, &log))
        }
    }
}
