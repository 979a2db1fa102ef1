//! Months of history, with telling what models learn from it (`foretide.examples`) and without: folded from the log by a processor
//! in this process, and imported over HTTP into `foretide serve`.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use foretide_events::EpochMs;
use foretide_features::ProfileDigest;
use foretide_ports::{ACTIONS, EXAMPLES, Log};
use foretide_processor::{ExamplesMode, GROUP, ProcessorConfig};
use foretide_runtime::{Clock as _, SystemClock};
use foretide_simulator::{Settings, Simulator};
use tempfile::TempDir;
use tokio::{runtime::Runtime, time::sleep};

use crate::{
    folding_embedded::open,
    in_process::{Running, cpu_of},
    measure::{Pairs, cpu_seconds, print_head},
    peer_actions,
    product::{ADMIN_KEY, Installation, LogKind, PARTITIONS, WRITE_KEY, wait_quiet},
};

/// How soon is looked again how far the processor is.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Whatever takes longer has gone wrong.
const PATIENCE: Duration = Duration::from_mins(10);
/// What is imported begins so long ago.
const AGO_MS: i64 = 120 * 86_400_000;
/// Actions simulated at once.
const BATCH: usize = 500;

/// What one turn of one side came to.
struct Turn {
    cpu_s: f64,
    wall_s: f64,
    /// Examples that were told.
    examples: u64,
    /// Of all profiles.
    digest: String,
}

/// Both ways, `pairs` turns over `events` actions of `shoppers` shoppers each; everything is kept in `directory` meanwhile.
pub fn run(directory: &Path, shoppers: u32, events: usize, pairs: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let own = TempDir::new_in(directory)?;
    let filled = own.path().join("filled");
    runtime.block_on(async {
        let log = open(&filled).await?;
        peer_actions::fill_log(&*log, shoppers, events).await
    })?;
    let file = own.path().join("history.ndjson");
    write(&file, shoppers, events)?;
    let folded = Turns::take(pairs, |mode| {
        folded(&runtime, own.path(), &filled, events, mode)
    })?;
    let imported = Turns::take(pairs, |mode| imported(&runtime, own.path(), &file, mode))?;
    println!(
        "examples told an event: {:.3} when folded, {:.3} when imported",
        folded.examples(events),
        imported.examples(events)
    );
    print_head();
    folded.print("history folded, with examples against without", events);
    imported.print("history imported, with examples against without", events);
    Ok(())
}

struct Turns {
    without: Vec<Turn>,
    with: Vec<Turn>,
}

impl Turns {
    fn take(
        pairs: usize,
        turn: impl Fn(ExamplesMode) -> anyhow::Result<Turn>,
    ) -> anyhow::Result<Self> {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..pairs {
            let (off, all) = (turn(ExamplesMode::Off)?, turn(ExamplesMode::All)?);
            ensure!(
                off.examples == 0 && all.examples > 0,
                "examples were told by {} and {} records",
                off.examples,
                all.examples
            );
            ensure!(off.digest == all.digest, "the profiles differ");
            without.push(off);
            with.push(all);
        }
        Ok(Self { without, with })
    }

    /// Examples an event, of the last turn.
    fn examples(&self, events: usize) -> f64 {
        let told = self.with.last().map_or(0, |turn| turn.examples);
        told as f64 / events as f64
    }

    fn print(&self, what: &str, events: usize) {
        let pairs = |figure: &dyn Fn(&Turn) -> f64| Pairs {
            floor: self.without.iter().map(figure).collect(),
            ours: self.with.iter().map(figure).collect(),
        };
        let events = events as f64;
        pairs(&|turn| turn.cpu_s * 1e6 / events).print(
            &format!("{what}: CPU time an event"),
            "µs",
            "none",
        );
        pairs(&|turn| events / turn.wall_s).print("the same: throughput", "events/s", "none");
    }
}

/// Folds a copy of the log until all is committed.
fn folded(
    runtime: &Runtime,
    own: &Path,
    filled: &Path,
    events: usize,
    examples: ExamplesMode,
) -> anyhow::Result<Turn> {
    let copy = own.join("copy");
    let copied = Command::new("cp")
        .arg("-a")
        .args([filled, &copy])
        .status()?;
    ensure!(copied.success(), "the log cannot be copied");
    let log = runtime.block_on(open(&copy))?;
    let config = ProcessorConfig {
        examples,
        ..ProcessorConfig::default()
    };
    let began = Instant::now();
    let (cpu_s, running) = cpu_of(|| {
        runtime.block_on(async {
            let mut running = Running::with(Arc::clone(&log), config)?;
            while committed(&*log).await? < events as u64 {
                running.check().await?;
                ensure!(began.elapsed() < PATIENCE, "it takes too long");
                sleep(LOOK_AGAIN).await;
            }
            anyhow::Ok(running)
        })
    })?;
    let wall_s = began.elapsed().as_secs_f64();
    let told = runtime.block_on(log.end_offsets(EXAMPLES))?;
    let mut of_all = ProfileDigest::new();
    for partition in 0..PARTITIONS {
        running
            .table
            .for_each(partition, |profile| of_all.add(profile));
    }
    runtime.block_on(running.stop())?;
    drop(log);
    std::fs::remove_dir_all(&copy)?;
    Ok(Turn {
        cpu_s,
        wall_s,
        examples: told.iter().sum(),
        digest: of_all.finish(),
    })
}

async fn committed(log: &dyn Log) -> anyhow::Result<u64> {
    let committed = log.committed(GROUP, ACTIONS).await?;
    Ok(committed.into_iter().flatten().sum())
}

/// Writes what happened in the last months, a line of JSON each.
fn write(file: &Path, shoppers: u32, events: usize) -> anyhow::Result<()> {
    let now = EpochMs(SystemClock.now_ms());
    let mut simulator = Simulator::new(Settings::new(7, shoppers, now.plus(-AGO_MS)));
    let mut to = BufWriter::new(File::create(file)?);
    let (mut left, mut line) = (events, Vec::new());
    while left > 0 {
        let batch = simulator.next_batch(now, BATCH.min(left)).actions;
        ensure!(
            !batch.is_empty(),
            "these shoppers did less in 120 days: more shoppers or fewer events"
        );
        left = left.saturating_sub(batch.len());
        for action in &batch {
            line.clear();
            simulator.write_native(action, &mut line);
            line.push(b'\n');
            to.write_all(&line)?;
        }
    }
    to.flush()?;
    Ok(())
}

/// Imports the file into a new server, until its fold has seen every event. The CPU time is that of the server alone, with what it has
/// left to do then.
fn imported(
    runtime: &Runtime,
    own: &Path,
    file: &Path,
    examples: ExamplesMode,
) -> anyhow::Result<Turn> {
    let directory = TempDir::new_in(own)?;
    let installation = Installation::new(directory.path(), LogKind::Embedded)?;
    let mode = match examples {
        ExamplesMode::Off => "off",
        _ => "all",
    };
    // Nothing is learnt meanwhile: it would count for one side alone.
    let rarely = ["--training-interval-s", "86400", "--examples", mode];
    let served = installation.start(None, &rarely)?;
    let before = cpu_seconds(served.id())?;
    let began = Instant::now();
    let binary = std::env::current_exe()?.with_file_name("foretide");
    let import = Command::new(&binary)
        .args(["import", "--format", "ndjson", "--json"])
        .args(["--to", &format!("http://{}", served.address)])
        .args(["--write-key", WRITE_KEY, "--admin-key", ADMIN_KEY])
        .arg(file)
        .output()?;
    let wall_s = began.elapsed().as_secs_f64();
    let told = String::from_utf8_lossy(&import.stderr);
    ensure!(import.status.success(), "foretide import failed: {told}");
    wait_quiet(served.id())?;
    let cpu_s = cpu_seconds(served.id())? - before;
    served.stop()?;
    let told = runtime.block_on(async {
        let log = installation.open_log().await?;
        anyhow::Ok(log.end_offsets(EXAMPLES).await?)
    })?;
    let digest = Command::new(&binary)
        .args(["digest", "--json", "--data-dir"])
        .arg(directory.path().join("data"))
        .output()?;
    ensure!(digest.status.success(), "foretide digest failed");
    let digest: serde_json::Value = serde_json::from_slice(&digest.stdout)?;
    Ok(Turn {
        cpu_s,
        wall_s,
        examples: told.iter().sum(),
        digest: digest["digest"].to_string(),
    })
}
