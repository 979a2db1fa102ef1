//! The input of the peers: what the simulator's shoppers did, on `foretide.actions` as ingest puts it there.

use bytes::Bytes;
use foretide_events::{Action, Currency, EpochMs, Event, EventId, Intake, SourceId, native, wire};
use foretide_kafka::{KafkaLog, KafkaOptions};
use foretide_ports::{
    ACTIONS, Log, NewRecord, TopicPartition, foretide_topics, partition_for, shopper_key,
};
use foretide_runtime::{Clock as _, SystemClock};
use foretide_simulator::{Settings, Simulator};

use crate::product::{Installation, PARTITIONS};

/// When the shop opens: a Monday morning in Europe.
const OPENING: EpochMs = EpochMs(1_793_602_800_000);
/// Whatever happened came in by then.
const RECEIVED_AT: EpochMs = EpochMs(OPENING.0 + 365 * 86_400_000);
/// Actions simulated at once.
const BATCH: usize = 500;
/// Records appended at once.
const PORTION: usize = 10_000;

/// Puts the first `events` actions of `shoppers` shoppers on the log of `brokers`, in the order in which they happened.
///
/// Each shopper is known by one pseudonym: what links two is left out, since peers do not follow links.
pub async fn fill(brokers: &str, shoppers: u32, events: usize) -> anyhow::Result<()> {
    fill_log(&connect(brokers).await?, shoppers, events).await
}

/// The same of a shop that opened 23 hours ago, so that nothing is history.
pub async fn fill_live(brokers: &str, shoppers: u32, events: usize) -> anyhow::Result<()> {
    let log = connect(brokers).await?;
    let now = EpochMs(SystemClock.now_ms());
    let mut simulator = Simulator::new(Settings::new(7, shoppers, now.plus(-23 * 3_600_000)));
    put(&log, &mut simulator, shoppers, events).await?;
    anyhow::ensure!(
        simulator.reached() <= now,
        "so few shoppers do not do as much in a day: more --shoppers or fewer --events"
    );
    Ok(())
}

async fn connect(brokers: &str) -> anyhow::Result<KafkaLog> {
    let log = KafkaLog::connect(KafkaOptions {
        brokers: brokers.to_owned(),
        instance: "bench".to_owned(),
        settings: Vec::new(),
    })?;
    log.declare(&foretide_topics(PARTITIONS)).await?;
    Ok(log)
}

/// The simulator of this shop, at its opening.
pub fn simulator(shoppers: u32) -> Simulator {
    Simulator::new(Settings::new(7, shoppers, OPENING))
}

/// The same on `log`, whose topics are declared.
pub async fn fill_log(log: &dyn Log, shoppers: u32, events: usize) -> anyhow::Result<()> {
    put(log, &mut simulator(shoppers), shoppers, events).await
}

async fn put(
    log: &dyn Log,
    simulator: &mut Simulator,
    shoppers: u32,
    events: usize,
) -> anyhow::Result<()> {
    let began = simulator.reached();
    let mut portion = Vec::with_capacity(PORTION + BATCH);
    let (mut left, mut bytes) = (events, 0);
    while left > 0 {
        let batch = next_events(simulator)?;
        for event in batch.into_iter().filter_map(unlinked).take(left) {
            let record = record(&event);
            bytes += record.bytes();
            portion.push(record);
            left -= 1;
        }
        if portion.len() >= PORTION || left == 0 {
            log.append(std::mem::take(&mut portion)).await?;
        }
    }
    let days = simulator.reached().since(began) as f64 / 86_400_000.0;
    println!(
        "{events} actions of {shoppers} simulated shoppers in {days:.1} days, {} bytes each at the mean",
        bytes / events.max(1)
    );
    Ok(())
}

/// What happens next.
pub fn next_events(simulator: &mut Simulator) -> anyhow::Result<Vec<Event>> {
    let batch = simulator.next_batch(RECEIVED_AT, BATCH).actions;
    anyhow::ensure!(
        !batch.is_empty(),
        "a year of these shoppers has fewer events"
    );
    let mut body = br#"{"actions":["#.to_vec();
    for action in &batch {
        simulator.write_native(action, &mut body);
    }
    body.extend_from_slice(b"]}");
    let source = SourceId::new("key:bench")?;
    let mut make_id = || EventId::new("made").unwrap_or_else(|_| unreachable!("short"));
    let mut intake = Intake {
        pseudonymiser: &Installation::pseudonymiser(),
        received_at: RECEIVED_AT,
        source: &source,
        default_currency: Currency::EUR,
        make_id: &mut make_id,
        timings: None,
    };
    let receipts = native::parse_json(&body, &mut intake)?;
    receipts
        .into_iter()
        .map(|receipt| receipt.map_err(|problem| anyhow::anyhow!("{problem:?}")))
        .collect()
}

/// The event without anything that says that two pseudonyms are one shopper's.
pub fn unlinked(mut event: Event) -> Option<Event> {
    if event.identity.user.is_some() {
        event.identity.anonymous = None;
    }
    (!matches!(event.action, Action::Identify(_) | Action::Alias(_))).then_some(event)
}

fn record(event: &Event) -> NewRecord {
    let key = shopper_key(&event.shopper);
    let mut value = Vec::with_capacity(512);
    wire::encode(event, &mut value);
    NewRecord {
        at: TopicPartition {
            topic: ACTIONS,
            partition: partition_for(&key, PARTITIONS),
        },
        key: Bytes::copy_from_slice(&key),
        value: Some(value.into()),
    }
}
