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

mod cohorts;
mod constant;
mod decide;
mod flat;
mod fold;
mod folding_embedded;
mod folding_examples;
mod history;
mod http_load;
mod in_process;
mod ingest;
mod load;
mod measure;
mod peer_actions;
mod peer_cluster;
mod peer_folding;
mod peer_once;
mod peer_run;
mod peer_sums;
mod pipeline;
#[path = "../peers/plain_action.rs"]
mod plain_action;
mod population;
mod product;
mod profile_bytes;
mod reforming;
mod restore;
mod server;
mod single_row;
mod visible;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Parser, Subcommand};

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
    /// Decisions over HTTP on one core, against axum answering a constant; needs `foretide` built beside this
    Decide(DecideArguments),
    /// From the reply to an action to a decision that knows of it; needs `foretide` built beside this
    Visible {
        /// Over Kafka instead of the embedded log
        #[arg(long)]
        kafka: bool,
        /// Actions a turn
        #[arg(long, default_value_t = 300)]
        actions: usize,
    },
    /// The sizes of stored profiles on the simulator's data
    ProfileBytes {
        /// Shoppers who are simulated
        #[arg(long, default_value_t = 20_000)]
        shoppers: u32,
        /// Days that are simulated; several with commas between
        #[arg(long, value_delimiter = ',', default_values_t = [7, 28, 91])]
        days: Vec<i64>,
    },
    /// The fold over the embedded log, against parsing, folding and encoding the same events, each alone
    FoldingEmbedded {
        /// Shoppers who are simulated
        #[arg(long, default_value_t = 100_000)]
        shoppers: u32,
        /// Events a turn
        #[arg(long, default_value_t = 1_000_000)]
        events: usize,
    },
    /// Whether an event costs the same whatever the number of shoppers
    Flat {
        /// Few shoppers
        #[arg(long, default_value_t = 10_000)]
        few: usize,
        /// Many shoppers
        #[arg(long, default_value_t = 1_000_000)]
        many: usize,
        /// Events a turn
        #[arg(long, default_value_t = 400_000)]
        events: usize,
    },
    /// Restoring profiles until they are served, against reading, decoding and inserting them, each alone
    Restore {
        /// Profiles
        #[arg(long, default_value_t = 1_000_000)]
        profiles: usize,
        /// Days that are simulated
        #[arg(long, default_value_t = 28)]
        days: i64,
    },
    /// The score of one row, against the C API of `LightGBM` and the same model; needs Python and `cc`
    SingleRow,
    /// Cohorts: assigning everyone and re-forming, against faiss and scikit-learn; needs Python
    Cohorts {
        /// Shoppers who are simulated, and whom all others are like
        #[arg(long, default_value_t = 20_000)]
        simulated: u32,
        /// Shoppers who are assigned
        #[arg(long, default_value_t = 1_000_000)]
        shoppers: usize,
        /// Shoppers of the sample that cohorts are formed from
        #[arg(long, default_value_t = 50_000)]
        sample: usize,
    },
    /// Decisions while all cohorts re-form, against the same process's quiet time; needs `foretide` built beside this
    Reforming(reforming::Scope),
    /// How many shoppers keep their cohort over 20 re-formings, against plain k-means; needs `foretide` built beside this where Complete
    /// Journey lies in `../shared/data`
    Stability {
        /// Shoppers who are simulated, and whom all others are like
        #[arg(long, default_value_t = 20_000)]
        simulated: u32,
    },
    /// Months of history with and without telling what models learn from; needs `foretide` built beside this
    History {
        /// Shoppers who are simulated
        #[arg(long, default_value_t = 5_000)]
        shoppers: u32,
        /// Events a turn
        #[arg(long, default_value_t = 3_000_000)]
        events: usize,
    },
    /// The fold over Kafka against a stream processor; needs `foretide-processor` built beside this, and Java or Python
    Folding {
        /// Whom against
        #[arg(long, value_enum, default_value = "kafka-streams")]
        peer: peer_folding::Peer,
        /// Shoppers who are simulated
        #[arg(long, default_value_t = 100_000)]
        shoppers: u32,
        /// Events a turn
        #[arg(long, default_value_t = 3_000_000)]
        events: usize,
    },
    /// What telling examples of live events costs the fold over Kafka; needs `foretide-processor` built beside this
    FoldingExamples {
        /// Shoppers who are simulated
        #[arg(long, default_value_t = 400_000)]
        shoppers: u32,
        /// Events a turn
        #[arg(long, default_value_t = 2_000_000)]
        events: usize,
    },
    /// What exactly-once effect costs the fold over Kafka
    ExactlyOnce {
        /// Shoppers who are simulated
        #[arg(long, default_value_t = 100_000)]
        shoppers: u32,
        /// Events a turn
        #[arg(long, default_value_t = 3_000_000)]
        events: usize,
    },
    /// (what the benchmarks start) A processor alone over Kafka
    #[command(hide = true)]
    ServeProcessor {
        #[arg(long)]
        brokers: String,
        #[arg(long)]
        at_least_once: bool,
    },
    /// (what the benchmarks start) axum answering a constant
    #[command(hide = true)]
    ServeConstant {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        answer: PathBuf,
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

/// How decisions are measured.
#[derive(Args)]
struct DecideArguments {
    /// Over Kafka instead of the embedded log
    #[arg(long)]
    kafka: bool,
    /// Shoppers who are simulated
    #[arg(long, default_value_t = 1_000_000)]
    shoppers: u32,
    /// Seconds that each side is asked in each turn, at full and at half load
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

impl DecideArguments {
    fn run(&self, directory: &Path, pairs: usize) -> anyhow::Result<()> {
        let settings = decide::Settings {
            shoppers: self.shoppers,
            turn: Duration::from_secs(self.seconds),
            pairs,
        };
        if self.kafka {
            decide::kafka(directory, settings)
        } else {
            decide::embedded(directory, settings)
        }
    }
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
        Command::Decide(arguments) => arguments.run(&directory, pairs),
        Command::Visible {
            kafka: true,
            actions,
        } => visible::kafka(&directory, actions, pairs),
        Command::Visible {
            kafka: false,
            actions,
        } => visible::embedded(&directory, actions, pairs),
        Command::ProfileBytes { shoppers, days } => profile_bytes::run(shoppers, &days),
        Command::Folding {
            peer,
            shoppers,
            events,
        } => peer_folding::run(
            &directory,
            peer_folding::Settings {
                peer,
                shoppers,
                events,
                pairs,
            },
        ),
        Command::FoldingEmbedded { shoppers, events } => {
            folding_embedded::run(&directory, shoppers, events, pairs)
        }
        Command::Flat { few, many, events } => flat::run(few, many, events, pairs),
        Command::Restore { profiles, days } => restore::run(&directory, profiles, days, pairs),
        Command::SingleRow => single_row::run(&directory, pairs),
        Command::Cohorts {
            simulated,
            shoppers,
            sample,
        } => cohorts::run(
            &directory,
            cohorts::Scope {
                simulated,
                shoppers,
                sample,
                pairs,
            },
        ),
        Command::Reforming(scope) => reforming::run(&directory, scope, pairs),
        Command::Stability { simulated } => cohorts::stability(&directory, simulated),
        Command::History { shoppers, events } => history::run(&directory, shoppers, events, pairs),
        Command::FoldingExamples { shoppers, events } => {
            folding_examples::run(&directory, shoppers, events, pairs)
        }
        Command::ExactlyOnce { shoppers, events } => {
            peer_once::run(&directory, shoppers, events, pairs)
        }
        Command::ServeProcessor {
            brokers,
            at_least_once,
        } => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(peer_once::serve(&brokers, at_least_once))
        }
        Command::ServeConstant { listen, answer } => {
            let answer = fs::read(answer)?.into();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(constant::serve(listen, answer))
        }
        Command::ServeIngest { listen, log } => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(server::run(listen, &log))
        }
    }
}
