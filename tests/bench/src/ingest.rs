//! Ingest over HTTP, batches of 100, durable before the reply: against a plain service over the same broker, and against
//! parsing plus a raw append.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use foretide_ports::{Cleanup, TopicSpec};
use foretide_tests::{broker::Broker, free_port};
use tempfile::TempDir;

use crate::{
    load::{BATCH, LoadReport, bodies, send},
    measure::{Pairs, cpu_seconds, print_head},
    server::{self, PARTITIONS, WRITE_KEY},
};

/// Where the peer produces to.
const PEER_TOPIC: TopicSpec = TopicSpec {
    name: "peer.actions",
    partitions: PARTITIONS,
    cleanup: Cleanup::Delete {
        retention_ms: 24 * 3_600_000,
    },
};

/// How many connections send at once.
const CONNECTIONS: usize = 16;

/// A server under load; ended when dropped.
struct Target {
    process: Child,
    url: String,
}

impl Target {
    /// Starts `program`, a binary beside this one, on a free port; `arguments` get the address first.
    fn start(program: &str, before: &[&str], after: &[&str]) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{}", free_port());
        let path = std::env::current_exe()?.with_file_name(program);
        let process = Command::new(path)
            .args(before)
            .arg(&address)
            .args(after)
            .stdout(Stdio::null())
            .spawn()?;
        for _ in 0..200 {
            if std::net::TcpStream::connect(&address).is_ok() {
                break;
            }
            sleep(Duration::from_millis(50));
        }
        Ok(Self {
            process,
            url: format!("http://{address}/v1/actions"),
        })
    }

    fn ours(log: &str) -> anyhow::Result<Self> {
        Self::start(
            "foretide-bench",
            &["serve-ingest", "--listen"],
            &["--log", log],
        )
    }

    /// Sends `requests` batches; what the load saw, and microseconds of the server's CPU time an event.
    fn load(&self, run: usize, requests: usize) -> anyhow::Result<(LoadReport, f64)> {
        let bodies = bodies(run, requests);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let before = cpu_seconds(self.process.id())?;
        let report = runtime.block_on(send(&self.url, WRITE_KEY, &bodies, CONNECTIONS))?;
        let spent = cpu_seconds(self.process.id())? - before;
        Ok((report, spent * 1e6 / (requests * BATCH) as f64))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Over Kafka: events per second against the plain service, on the same broker.
pub fn kafka(requests: usize, pairs: usize) -> anyhow::Result<()> {
    let broker = Broker::start();
    // The peer's topic is made like ours.
    server::declare(&format!("kafka:{}", broker.bootstrap()), PEER_TOPIC)?;
    let peer = Target::start(
        "peer-axum-rdkafka",
        &[],
        &[&broker.bootstrap(), PEER_TOPIC.name],
    )?;
    let ours = Target::ours(&format!("kafka:{}", broker.bootstrap()))?;
    for target in [&peer, &ours] {
        target.load(0, requests / 4)?;
    }
    let (mut run, mut peer_tail, mut our_tail) = (1, Vec::new(), Vec::new());
    let mut turn = |target: &Target, tail: &mut Vec<f64>| {
        run += 1;
        let (report, _) = target.load(run, requests)?;
        tail.push(report.p99_ms);
        anyhow::Ok(report.events_per_second)
    };
    let mut throughput = Pairs {
        floor: Vec::new(),
        ours: Vec::new(),
    };
    for _ in 0..pairs {
        throughput.floor.push(turn(&peer, &mut peer_tail)?);
        throughput.ours.push(turn(&ours, &mut our_tail)?);
    }
    print_head();
    throughput.print("ingest over HTTP, Kafka", "events/s", "≥ 0.7");
    Pairs {
        floor: peer_tail,
        ours: our_tail,
    }
    .print("p99 of a batch of 100", "ms", "none");
    Ok(())
}

/// Embedded: the server's CPU time an event against parsing plus a raw append.
pub fn embedded(directory: &Path, requests: usize, pairs: usize) -> anyhow::Result<()> {
    let floor_dir = TempDir::new_in(directory)?;
    let our_dir = TempDir::new_in(directory)?;
    let file = floor_dir.path().join("appended").display().to_string();
    let floor = Target::start("peer-axum-append", &[], &[&file])?;
    let ours = Target::ours(&format!("embedded:{}", our_dir.path().display()))?;
    for target in [&floor, &ours] {
        target.load(0, requests / 4)?;
    }
    let (mut runs, mut floor_rates, mut our_rates) = (1, Vec::new(), Vec::new());
    let mut turn = |target: &Target, rates: &mut Vec<f64>| {
        runs += 1;
        let (report, cpu_us) = target.load(runs, requests)?;
        rates.push(report.events_per_second);
        anyhow::Ok(cpu_us)
    };
    let mut cpu = Pairs {
        floor: Vec::new(),
        ours: Vec::new(),
    };
    for _ in 0..pairs {
        cpu.floor.push(turn(&floor, &mut floor_rates)?);
        cpu.ours.push(turn(&ours, &mut our_rates)?);
    }
    print_head();
    cpu.print("ingest over HTTP, embedded: CPU time an event", "µs", "≤ 2");
    Pairs {
        floor: floor_rates,
        ours: our_rates,
    }
    .print("the same: throughput", "events/s", "none");
    Ok(())
}
