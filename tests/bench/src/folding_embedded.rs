//! The fold over the embedded log in one process: from the actions on it to profiles on its compacted topic, against parsing,
//! folding and encoding the same events, each alone.

use std::{hint::black_box, path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::ensure;
use foldhash::{HashMap, HashMapExt as _};
use foretide_embedded::{EmbeddedLog, EmbeddedOptions};
use foretide_events::{EpochMs, Lean, ShopperId};
use foretide_features::{FoldRules, Observation, Profile, ProfileDigest, Texts};
use foretide_ports::{ACTIONS, Log, PROFILES, Record, foretide_topics};
use foretide_processor::GROUP;
use foretide_runtime::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::{
    runtime::Runtime,
    time::{Instant, sleep},
};

use crate::{
    in_process::{Running, cpu_of, records},
    measure::{Pairs, Spread, print_head},
    peer_actions,
    product::PARTITIONS,
};

/// How soon is looked again how far the processor is.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Whatever takes longer has gone wrong.
const PATIENCE: Duration = Duration::from_mins(10);

/// What one turn of ours came to.
struct Turn {
    cpu_s: f64,
    wall_s: f64,
    /// Profiles put on the topic.
    published: u64,
    digest: String,
}

/// Opens the log in `directory`.
pub async fn open(directory: &Path) -> anyhow::Result<Arc<dyn Log>> {
    let now = Arc::new(|| EpochMs(SystemClock.now_ms()));
    let log = EmbeddedLog::open(directory, EmbeddedOptions::default(), now)?;
    log.declare(&foretide_topics(PARTITIONS)).await?;
    Ok(Arc::new(log))
}

/// Runs `pairs` turns over `events` actions of `shoppers` shoppers.
pub fn run(directory: &Path, shoppers: u32, events: usize, pairs: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let own = TempDir::new_in(directory)?;
    let filled = own.path().join("filled");
    let input = runtime.block_on(async {
        let log = open(&filled).await?;
        peer_actions::fill_log(&*log, shoppers, events).await?;
        records(&*log, ACTIONS).await
    })?;
    ensure!(
        input.len() == events,
        "the log holds {} events",
        input.len()
    );
    let per_event = 1e6 / events as f64;
    let (mut parsing, mut folding, mut encoding) = (Vec::new(), Vec::new(), Vec::new());
    let (mut floor, mut ours, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=pairs {
        let turn = turn(&runtime, own.path(), &filled, events)?;
        let (parse_s, ()) = cpu_of(|| parse(&input))?;
        let (both_s, profiles) = cpu_of(|| fold(&input))?;
        let (encode_s, ()) = cpu_of(|| {
            encode(&profiles, turn.published);
            Ok(())
        })?;
        ensure!(
            digest(profiles.values()) == turn.digest,
            "the profiles differ"
        );
        parsing.push(parse_s * per_event);
        folding.push((both_s - parse_s) * per_event);
        encoding.push(encode_s * per_event);
        floor.push((both_s + encode_s) * per_event);
        ours.push(turn.cpu_s * per_event);
        busy.push(turn.cpu_s / turn.wall_s);
        println!(
            "turn {number}: {} profiles agree; {:.2} were published an event",
            profiles.len(),
            turn.published as f64 / events as f64
        );
    }
    println!(
        "alone, µs an event: parsing {}, folding {}, encoding {}; cores busy: {}",
        Spread::of(parsing),
        Spread::of(folding),
        Spread::of(encoding),
        Spread::of(busy)
    );
    print_head();
    Pairs { floor, ours }.print(
        "embedded log → profiles → compacted topic: CPU time an event",
        "µs",
        "≤ 1.5",
    );
    Ok(())
}

/// A processor over a copy of the log, until it has committed all.
fn turn(runtime: &Runtime, own: &Path, filled: &Path, events: usize) -> anyhow::Result<Turn> {
    let copy = own.join("copy");
    let copied = Command::new("cp")
        .arg("-a")
        .args([filled, &copy])
        .status()?;
    ensure!(copied.success(), "the log cannot be copied");
    let log = runtime.block_on(open(&copy))?;
    let began = Instant::now();
    let (cpu_s, running) = cpu_of(|| {
        runtime.block_on(async {
            let mut running = Running::start(Arc::clone(&log))?;
            while committed(&*log).await? < events as u64 {
                running.check().await?;
                ensure!(began.elapsed() < PATIENCE, "it takes too long");
                sleep(LOOK_AGAIN).await;
            }
            anyhow::Ok(running)
        })
    })?;
    let wall_s = began.elapsed().as_secs_f64();
    let ends = runtime.block_on(log.end_offsets(PROFILES))?;
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
        published: ends.iter().sum(),
        digest: of_all.finish(),
    })
}

async fn committed(log: &dyn Log) -> anyhow::Result<u64> {
    let committed = log.committed(GROUP, ACTIONS).await?;
    Ok(committed.into_iter().flatten().sum())
}

fn lean(record: &Record) -> anyhow::Result<Lean<'_>> {
    let lean = record.value.as_deref().and_then(Lean::read);
    lean.ok_or_else(|| anyhow::anyhow!("an event is not as it is written"))
}

fn parse(input: &[(u32, Record)]) -> anyhow::Result<()> {
    for (_, record) in input {
        black_box(lean(record)?);
    }
    Ok(())
}

/// Parses and folds, one core.
fn fold(input: &[(u32, Record)]) -> anyhow::Result<HashMap<ShopperId, Profile>> {
    let (rules, mut texts) = (FoldRules::default(), Texts::default());
    let mut profiles = HashMap::new();
    for (_, record) in input {
        let lean = lean(record)?;
        let observation = Observation::of_lean(&lean, &mut texts);
        let shopper = lean.shopper;
        let profile = profiles
            .entry(shopper)
            .or_insert_with(|| Profile::new(shopper));
        black_box(profile.apply_observation(observation, record.offset, &rules));
    }
    Ok(profiles)
}

/// Encodes as many profiles as were published, into as much memory as a publication takes.
fn encode(profiles: &HashMap<ShopperId, Profile>, published: u64) {
    let rules = FoldRules::default();
    let mut bytes = Vec::new();
    for profile in profiles.values().cycle().take(published as usize) {
        profile.encode(&rules, &mut bytes);
        if bytes.len() > 1 << 20 {
            black_box(&bytes);
            bytes.clear();
        }
    }
}

fn digest<'a>(profiles: impl Iterator<Item = &'a Profile>) -> String {
    let mut digest = ProfileDigest::new();
    profiles.for_each(|profile| digest.add(profile));
    digest.finish()
}
