//! What telling examples of live events costs the fold over Kafka: the processor as it is, against the same processor told to tell none. Both
//! have the same profiles at the end.

use std::path::Path;

use foretide_ports::PROFILES;
use foretide_processor::GROUP;
use foretide_tests::{broker::Broker, free_port};
use tempfile::TempDir;

use crate::{
    measure::{Pairs, print_head},
    peer_actions,
    peer_cluster::Cluster,
    peer_folding::forget_ours,
    peer_run::{Process, Run},
    peer_sums::{self, AllSums},
    product::{Installation, LogKind},
};

/// The share of the events that warms a run up.
const WARM_UP: f64 = 0.2;

/// Runs `pairs` turns over `events` actions of `shoppers` shoppers, all of the last day.
pub fn run(directory: &Path, shoppers: u32, events: usize, pairs: usize) -> anyhow::Result<()> {
    let broker = Broker::start();
    let cluster = Cluster::connect(&broker.bootstrap())?;
    let filled = peer_actions::fill_live(cluster.brokers(), shoppers, events);
    cluster.runtime().block_on(filled)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for number in 1..=pairs {
        let (run, plain) = turn(directory, &cluster, &broker, events, "off")?;
        without.push(run);
        let (run, told) = turn(directory, &cluster, &broker, events, "all")?;
        with.push(run);
        peer_sums::compare(&told, &plain)?;
        println!("turn {number}: {} shoppers agree", told.len());
    }
    let rows = |figure: fn(&Run) -> f64| Pairs {
        floor: without.iter().map(figure).collect(),
        ours: with.iter().map(figure).collect(),
    };
    print_head();
    rows(|run| 1e6 / run.from(WARM_UP).per_cpu_second).print(
        "live events with examples / without: CPU time after the first 20 %",
        "µs an event",
        "≤ 1.05",
    );
    rows(|run| run.from(WARM_UP).per_second).print("the same: throughput", "events/s", "none");
    rows(|run| run.from(WARM_UP).broker_us).print("the broker's CPU time an event", "µs", "none");
    Ok(())
}

/// A turn of `foretide-processor`, found beside this binary, on a log that it never saw.
fn turn(
    directory: &Path,
    cluster: &Cluster,
    broker: &Broker,
    events: usize,
    examples: &str,
) -> anyhow::Result<(Run, AllSums)> {
    let own = TempDir::new_in(directory)?;
    let log = LogKind::Kafka(cluster.brokers().to_owned());
    let mut command = Installation::new(own.path(), log)?.processor(free_port())?;
    command.args(["--examples", examples]);
    let mut process = Process::start(command, own.path())?;
    let run = Run::watch(&mut process, cluster, broker, GROUP, events as u64)?;
    process.stop()?;
    let sums = peer_sums::read(cluster.newest_values(PROFILES)?, peer_sums::of_profile)?;
    forget_ours(cluster)?;
    Ok((run, sums))
}
