//! The fold over Kafka against stream processors: the same actions of the same broker, each side with exactly-once effect,
//! and the same engagement and attention at the end. Ours computes the whole catalogue besides.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use clap::ValueEnum;
use foretide_ports::PROFILES;
use foretide_processor::GROUP;
use foretide_tests::{broker::Broker, free_port, project_root};
use tempfile::TempDir;

use crate::{
    measure::{Pairs, print_head},
    peer_actions,
    peer_cluster::Cluster,
    peer_run::{Process, Run},
    peer_sums::{self, AllSums, Sums},
    product::{Installation, LogKind, PARTITIONS},
};

/// Where a peer writes to.
const OUTPUT: &str = "peer.shoppers";
/// Whatever belongs to a peer has this in its name.
const MARK: &str = "peer";
/// Threads of a peer that has some.
const THREADS: &str = "2";
/// The share of the events that warms a run up.
const WARM_UP: f64 = 0.2;

/// Whom the fold is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// Kafka Streams: `exactly_once_v2`, `RocksDB`, events and state bound by Jackson, an output topic
    KafkaStreams,
    /// The same with a parser and a stored form written by hand for these fields
    KafkaStreamsTuned,
    /// The latter without an output topic: the changelog of its store holds the same
    KafkaStreamsChangelog,
    /// Quix Streams 3: exactly-once, `RocksDB`, an output topic
    QuixStreams,
}

/// Reads what a peer stored of a shopper.
type Decode = fn(&[u8]) -> anyhow::Result<Sums>;

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::KafkaStreams => "Kafka Streams",
            Self::KafkaStreamsTuned => "Kafka Streams, tuned by hand",
            Self::KafkaStreamsChangelog => "Kafka Streams, tuned by hand, without an output topic",
            Self::QuixStreams => "Quix Streams",
        }
    }

    fn folder(self) -> PathBuf {
        let folder = match self {
            Self::QuixStreams => "quix_streams",
            _ => "kafka_streams",
        };
        project_root().join("tests/bench/peers").join(folder)
    }

    /// The command that runs it as `application`, which is also its group.
    fn command(self, brokers: &str, application: &str, state: &Path) -> Command {
        let output = match self {
            Self::KafkaStreamsChangelog => "-",
            _ => OUTPUT,
        };
        let mut command = Command::new(self.folder().join("run"));
        command
            .args([brokers, application, foretide_ports::ACTIONS, output])
            .arg(state);
        match self {
            Self::QuixStreams => &mut command,
            Self::KafkaStreams => command.args([THREADS, "jackson"]),
            Self::KafkaStreamsTuned | Self::KafkaStreamsChangelog => {
                command.args([THREADS, "tuned"])
            }
        };
        command
    }

    /// Where its results are, and how they are read.
    fn results(self, application: &str) -> (String, Decode) {
        match self {
            Self::KafkaStreams | Self::QuixStreams => (OUTPUT.to_owned(), peer_sums::of_json),
            Self::KafkaStreamsTuned => (OUTPUT.to_owned(), peer_sums::of_bytes),
            Self::KafkaStreamsChangelog => (
                format!("{application}-shoppers-changelog"),
                peer_sums::of_changelog,
            ),
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whom against.
    pub peer: Peer,
    /// Shoppers who are simulated.
    pub shoppers: u32,
    /// Events a turn.
    pub events: usize,
    /// Turns of each side.
    pub pairs: usize,
}

/// The broker with the actions, and what the turns share.
struct Bench<'a> {
    settings: Settings,
    broker: Broker,
    cluster: Cluster,
    directory: &'a Path,
}

/// Runs the benchmark; files are put into `directory`.
pub fn run(directory: &Path, settings: Settings) -> anyhow::Result<()> {
    // Fetched and compiled before anything is timed.
    let made = Command::new(settings.peer.folder().join("run"))
        .arg("fetch")
        .status()?;
    anyhow::ensure!(made.success(), "the peer cannot be made ready");
    let broker = Broker::start();
    let cluster = Cluster::connect(&broker.bootstrap())?;
    let filled = peer_actions::fill(cluster.brokers(), settings.shoppers, settings.events);
    cluster.runtime().block_on(filled)?;
    let bench = Bench {
        settings,
        broker,
        cluster,
        directory,
    };
    let (mut peers, mut ours) = (Vec::new(), Vec::new());
    let mut largest: f64 = 0.0;
    for turn in 1..=settings.pairs {
        let (run, their_sums) = bench.peer(turn)?;
        peers.push(run);
        let (run, our_sums) = bench.ours()?;
        ours.push(run);
        largest = largest.max(peer_sums::compare(&our_sums, &their_sums)?);
        println!(
            "turn {turn}: {} shoppers agree, the largest relative difference is {largest:.1e}",
            our_sums.len()
        );
    }
    print(settings.peer, &peers, &ours);
    Ok(())
}

impl Bench<'_> {
    /// A turn of the peer, on a log that knows nothing of it.
    fn peer(&self, turn: usize) -> anyhow::Result<(Run, AllSums)> {
        let peer = self.settings.peer;
        let own = TempDir::new_in(self.directory)?;
        let application = format!("{MARK}-{turn}");
        self.cluster.create_compacted(OUTPUT, PARTITIONS)?;
        let command = peer.command(
            self.cluster.brokers(),
            &application,
            &own.path().join("state"),
        );
        let mut process = Process::start(command, own.path())?;
        let run = self.watch(&mut process, &application)?;
        process.stop()?;
        let (topic, decode) = peer.results(&application);
        let sums = peer_sums::read(self.cluster.newest_values(&topic)?, |_, value| {
            decode(value)
        })?;
        self.cluster.delete_topics(|name| name.contains(MARK))?;
        Ok((run, sums))
    }

    /// A turn of `foretide-processor`, found beside this binary, on a log that it never saw.
    fn ours(&self) -> anyhow::Result<(Run, AllSums)> {
        let own = TempDir::new_in(self.directory)?;
        let log = LogKind::Kafka(self.cluster.brokers().to_owned());
        let command = Installation::new(own.path(), log)?.processor(free_port())?;
        let mut process = Process::start(command, own.path())?;
        let run = self.watch(&mut process, GROUP)?;
        process.stop()?;
        let sums = peer_sums::read(self.cluster.newest_values(PROFILES)?, peer_sums::of_profile)?;
        forget_ours(&self.cluster)?;
        Ok((run, sums))
    }

    fn watch(&self, process: &mut Process, group: &str) -> anyhow::Result<Run> {
        let events = self.settings.events as u64;
        Run::watch(process, &self.cluster, &self.broker, group, events)
    }
}

/// Takes everything from the log that a processor of ours has put there.
pub fn forget_ours(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.delete_topics(|name| name == PROFILES)?;
    cluster.delete_group(GROUP)
}

fn print(peer: Peer, peers: &[Run], ours: &[Run]) {
    let pairs = |figure: fn(&Run) -> f64| Pairs {
        floor: peers.iter().map(figure).collect(),
        ours: ours.iter().map(figure).collect(),
    };
    println!("\nagainst {}:", peer.name());
    print_head();
    let goal = match peer {
        Peer::KafkaStreams => "≥ 5",
        _ => "none",
    };
    let cpu = "events/CPU-s";
    pairs(|run| run.from(WARM_UP).per_cpu_second).print(
        "Kafka → profiles → Kafka, after the first 20 %",
        cpu,
        goal,
    );
    pairs(|run| run.from(0.0).per_cpu_second).print("the same: from the first commit", cpu, "none");
    pairs(Run::whole_per_cpu_second).print("the same: with the start", cpu, "none");
    pairs(|run| run.from(WARM_UP).per_second).print(
        "throughput after the first 20 %",
        "events/s",
        "none",
    );
    pairs(|run| run.from(WARM_UP).broker_us).print("the broker's CPU time an event", "µs", "none");
    pairs(Run::cpu_before_s).print("CPU time until the first commit", "s", "none");
}
