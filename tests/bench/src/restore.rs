//! Restoring profiles until they are served, against reading, decoding and inserting the same rows, each alone.

use std::{path::Path, time::Duration};

use anyhow::ensure;
use bytes::Bytes;
use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, Profile};
use foretide_ports::{
    ACTIONS, Log, NewRecord, PROFILES, ProfileTable, TopicPartition, partition_for, shopper_key,
};
use foretide_processor::{PartitionCounts, published::counts_record};
use foretide_runtime::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    flat::of_copy,
    folding_embedded::open,
    in_process::{Running, cpu_of, records},
    measure::{Pairs, print_head},
    population::Population,
    product::{Installation, PARTITIONS},
};

/// When the profiles end: a Sunday evening in Europe.
const UNTIL: EpochMs = EpochMs(1_795_374_000_000);
/// Shoppers who are simulated; the others have the same profiles.
const SIMULATED: u32 = 20_000;
/// Profiles appended at once.
const PORTION: usize = 5_000;
/// How soon is looked again whether all is restored.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Whatever takes longer has gone wrong.
const PATIENCE: Duration = Duration::from_mins(10);

/// CPU time and time, both in seconds.
type Cost = (f64, f64);

/// Runs `pairs` turns over `profiles` profiles of shoppers who came for `days` days.
pub fn run(directory: &Path, profiles: usize, days: i64, pairs: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let own = TempDir::new_in(directory)?;
    let log = runtime.block_on(open(own.path()))?;
    runtime.block_on(fill(&*log, profiles, days))?;
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for number in 1..=pairs {
        floor.push(timed(|| {
            let rows = runtime.block_on(records(&*log, PROFILES))?;
            let rules = FoldRules::default();
            let values = rows
                .iter()
                .filter_map(|(_, row)| Some((parse_shopper(&row.key)?, row.value.as_deref()?)));
            let decoded: Result<Vec<_>, _> = values
                .map(|(shopper, value)| Profile::decode(shopper, value, &rules))
                .collect();
            let table = ProfileTable::new(PARTITIONS);
            decoded?
                .into_iter()
                .for_each(|profile| table.insert(profile));
            ensure!(
                table.len() == profiles,
                "{} profiles were read",
                table.len()
            );
            // Freeing them is no part of it on the other side.
            Ok((rows, table))
        })?);
        let began = Instant::now();
        let mut running = None;
        ours.push(timed(|| {
            runtime.block_on(async {
                let restoring = running.insert(Running::start(log.clone())?);
                while !restoring.readiness.is_ready() {
                    restoring.check().await?;
                    ensure!(began.elapsed() < PATIENCE, "it takes too long");
                    sleep(LOOK_AGAIN).await;
                }
                let found = restoring.table.len();
                ensure!(found == profiles, "{found} profiles were restored");
                Ok(())
            })
        })?);
        if let Some(running) = running {
            runtime.block_on(running.stop())?;
        }
        println!("turn {number}: {profiles} profiles on both sides");
    }
    let pairs = |figure: fn(&Cost) -> f64| Pairs {
        floor: floor.iter().map(figure).collect(),
        ours: ours.iter().map(figure).collect(),
    };
    print_head();
    pairs(|cost| cost.0).print(
        "profiles on the embedded log → served: CPU time",
        "s",
        "none",
    );
    pairs(|cost| cost.1).print("the same: time", "s", "≤ 1.5");
    Ok(())
}

/// Whose profile is under this key; `None` if it is that of counts.
fn parse_shopper(key: &[u8]) -> Option<ShopperId> {
    std::str::from_utf8(key).ok()?.parse().ok()
}

/// What `work` takes; what comes of it is dropped afterwards.
fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<Cost> {
    let began = Instant::now();
    let (cpu, done) = cpu_of(work)?;
    let cost = (cpu, began.elapsed().as_secs_f64());
    drop(done);
    Ok(cost)
}

/// Has the profiles be those of actions up to here: an action in each partition, and counts that say they are part of them.
async fn consume(log: &dyn Log) -> anyhow::Result<()> {
    let action = |partition| NewRecord {
        at: TopicPartition {
            topic: ACTIONS,
            partition,
        },
        key: Bytes::new(),
        value: Some(Bytes::from_static(b"{}")),
    };
    log.append((0..PARTITIONS).map(action).collect()).await?;
    let mut counts = PartitionCounts::default();
    counts.next_offset = 1;
    counts.as_of = EpochMs(SystemClock.now_ms());
    let counts = |partition| counts_record(partition, &counts);
    log.append((0..PARTITIONS).map(counts).collect()).await?;
    Ok(())
}

/// Puts profiles on the log: those of simulated shoppers, under as many pseudonyms as it takes.
async fn fill(log: &dyn Log, profiles: usize, days: i64) -> anyhow::Result<()> {
    let population = Population::simulate(&Installation::pseudonymiser(), SIMULATED, days, UNTIL)?;
    let rules = FoldRules::default();
    let stored: Vec<(ShopperId, Vec<u8>)> = population
        .residents
        .iter()
        .map(|resident| {
            let mut bytes = Vec::new();
            resident.profile.encode(&rules, &mut bytes);
            (resident.profile.shopper(), bytes)
        })
        .collect();
    let mut portion = Vec::with_capacity(PORTION);
    let mut bytes = 0;
    for number in 0..profiles {
        let (shopper, stored_profile) = &stored[number % stored.len()];
        let name = of_copy(shopper, number / stored.len());
        let key = shopper_key(&name);
        let value = stored_profile.clone();
        bytes += value.len();
        portion.push(NewRecord {
            at: TopicPartition {
                topic: PROFILES,
                partition: partition_for(&key, PARTITIONS),
            },
            key: Bytes::copy_from_slice(&key),
            value: Some(value.into()),
        });
        if portion.len() == PORTION || number + 1 == profiles {
            log.append(std::mem::take(&mut portion)).await?;
        }
    }
    consume(log).await?;
    println!(
        "{profiles} profiles, {} bytes each at the mean",
        bytes / profiles.max(1)
    );
    Ok(())
}
