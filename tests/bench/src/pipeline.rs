//! The embedded pipeline without HTTP: parse, pseudonymise, encode and append durably, against parsing the same bodies
//! into plain structs and appending the same bytes to a file with a sync. CPU time of this process on both sides.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use foretide_embedded::{EmbeddedLog, EmbeddedOptions};
use foretide_events::{Currency, EpochMs, EventId, Intake, SourceId, native, wire};
use foretide_ports::{
    ACTIONS, Log as _, NewRecord, TopicPartition, foretide_topics, partition_for, shopper_key,
};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use futures_util::future::try_join_all;
use tempfile::TempDir;

use crate::{
    load::{BATCH, bodies},
    measure::{Pairs, cpu_seconds, print_head},
    plain_action::Batch,
};

/// Partitions of the topic of actions.
const PARTITIONS: u32 = 8;

/// Bodies on their way at once, as in the benchmark over HTTP: they share a sync.
const LANES: usize = 16;

fn cpu_us_per_event(
    requests: usize,
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let before = cpu_seconds(std::process::id())?;
    work()?;
    Ok((cpu_seconds(std::process::id())? - before) * 1e6 / (requests * BATCH) as f64)
}

/// Records of one body, as ingest makes them.
fn records(
    body: &[u8],
    pseudonymiser: &Pseudonymiser,
    source: &SourceId,
) -> anyhow::Result<Vec<NewRecord>> {
    let mut make_id =
        || EventId::new("made").unwrap_or_else(|_| unreachable!("a short id is valid"));
    let mut intake = Intake {
        pseudonymiser,
        received_at: EpochMs(1_795_334_400_000),
        source,
        default_currency: Currency::EUR,
        make_id: &mut make_id,
        timings: None,
    };
    let receipts = native::parse_json(body, &mut intake)?;
    let record = |event: foretide_events::Event| {
        let key = shopper_key(&event.shopper);
        let mut value = Vec::with_capacity(512);
        wire::encode(&event, &mut value);
        let at = TopicPartition {
            topic: ACTIONS,
            partition: partition_for(&key, PARTITIONS),
        };
        NewRecord {
            at,
            key: Bytes::copy_from_slice(&key),
            value: Some(Bytes::from(value)),
        }
    };
    Ok(receipts.into_iter().flatten().map(record).collect())
}

/// Runs `pairs` turns of `requests` bodies each in `directory`.
pub fn run(directory: &Path, requests: usize, pairs: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let floor_dir = TempDir::new_in(directory)?;
    let our_dir = TempDir::new_in(directory)?;
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(floor_dir.path().join("appended"))?;
    let now = Arc::new(|| EpochMs(1_795_334_400_000));
    let log = EmbeddedLog::open(our_dir.path(), EmbeddedOptions::default(), now)?;
    runtime.block_on(log.declare(&foretide_topics(PARTITIONS)))?;
    let pseudonymiser = Pseudonymiser::new(&PseudonymKey::from_bytes([7; 32]));
    let source = SourceId::new("key:bench")?;

    let bodies = bodies(1, requests);
    let stored: Vec<Vec<u8>> = bodies
        .iter()
        .map(|body| {
            let records = records(body.as_bytes(), &pseudonymiser, &source)?;
            Ok(records
                .iter()
                .filter_map(|record| record.value.as_deref())
                .flatten()
                .copied()
                .collect())
        })
        .collect::<anyhow::Result<_>>()?;
    let floor = || {
        cpu_us_per_event(requests, || {
            for (body, bytes) in bodies.iter().zip(&stored) {
                let batch: Batch = serde_json::from_slice(body.as_bytes())?;
                anyhow::ensure!(batch.actions.len() == BATCH, "a batch was cut short");
                file.write_all(bytes)?;
                file.sync_data()?;
            }
            Ok(())
        })
    };
    let ours = || {
        cpu_us_per_event(requests, || {
            let next = AtomicUsize::new(0);
            let lane = || async {
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let offsets = log
                        .append(records(body.as_bytes(), &pseudonymiser, &source)?)
                        .await?;
                    anyhow::ensure!(offsets.len() == BATCH, "a batch was cut short");
                }
                Ok(())
            };
            runtime
                .block_on(try_join_all((0..LANES).map(|_| lane())))
                .map(drop)
        })
    };
    let pairs = Pairs::take(pairs, floor, ours)?;
    print_head();
    pairs.print(
        "parse … durable in the embedded log, no HTTP: CPU time an event",
        "µs",
        "≤ 2",
    );
    Ok(())
}
