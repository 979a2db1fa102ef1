//! A trainer's surroundings for tests: a log in memory, a month of a simulated shop, and a clock that stands.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use foretide_events::{Currency, EpochMs, Event, EventId, Intake, SourceId, Text, native};
use foretide_features::FoldRules;
use foretide_ports::{
    ARTEFACTS, Artefacts, Log as _, ProfileTable, ReadOnlyLog, Record, foretide_topics,
    memory::MemoryLog,
};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use foretide_runtime::{Clock as _, ManualClock, Readiness, prometheus::Registry};
use foretide_simulator::{Settings, Simulator};

use crate::{TrainerMetrics, aside::Aside, parts::TrainerParts};

/// When the simulated shop opens, and a month later: now.
const OPENING: EpochMs = EpochMs(1_792_749_600_000);
pub(crate) const NOW: EpochMs = EpochMs(OPENING.0 + 30 * 24 * HOUR_MS);
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const PARTITIONS: u32 = 2;
/// The shoppers who were there in the month, about.
const SIMULATED_SHOPPERS: u32 = 200;

/// A trainer's surroundings, where nobody follows the log but by [`Rig::follow`].
pub(crate) struct Rig {
    pub(crate) log: MemoryLog,
    pub(crate) clock: ManualClock,
    pub(crate) parts: TrainerParts,
}

impl Rig {
    /// Nobody was there, and the artefacts are not read yet.
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::at(NOW.0);
        let of_log = clock.clone();
        let log = MemoryLog::new(Arc::new(move || EpochMs(of_log.now_ms())));
        log.declare(&foretide_topics(PARTITIONS)).await.unwrap();
        Self::of(log, clock)
    }

    /// The surroundings of another trainer on the same log, by the same clock.
    pub(crate) fn on(rig: &Self) -> Self {
        Self::of(rig.log.clone(), rig.clock.clone())
    }

    fn of(log: MemoryLog, clock: ManualClock) -> Self {
        let parts = TrainerParts {
            log: Arc::new(log.clone()),
            table: ProfileTable::new(PARTITIONS),
            rules: FoldRules::default(),
            artefacts: Artefacts::default(),
            artefacts_ready: Readiness::new().component("artefacts"),
            clock: Arc::new(clock.clone()),
            metrics: TrainerMetrics::register(&Registry::new()).unwrap(),
            aside: Aside::with_niceness(0),
            instance: Text::new("trainer-1").unwrap(),
        };
        Self { log, clock, parts }
    }

    /// The same with so many of the simulated shoppers, who are known, and with the topic of artefacts read.
    pub(crate) async fn with_shoppers(most: usize) -> Self {
        let rig = Self::new().await;
        rig.add_shoppers(most);
        rig
    }

    /// Makes so many of the simulated shoppers known, and all ready.
    pub(crate) fn add_shoppers(&self, most: usize) {
        let mut known = HashSet::new();
        for (event, offset) in SIMULATED.iter().zip(0..) {
            if known.len() >= most && !known.contains(&event.shopper) {
                continue;
            }
            known.insert(event.shopper);
            self.parts.table.update(&event.shopper, |profile| {
                let _ = profile.apply(event, offset, &self.parts.rules);
            });
        }
        self.ready();
    }

    /// All profiles and all artefacts are known.
    pub(crate) fn ready(&self) {
        let table = &self.parts.table;
        (0..table.partitions()).for_each(|partition| table.set_fresh(partition, NOW));
        self.parts.artefacts_ready.ready();
    }

    /// Takes note of all that is published. Returns how many records there are.
    pub(crate) async fn follow(&self) -> u64 {
        let mut records = 0;
        for record in self.published().await {
            let _ = self.parts.artefacts.take(&record);
            records += 1;
        }
        records
    }

    /// All records of `foretide.artefacts`.
    pub(crate) async fn published(&self) -> Vec<Record> {
        let log = ReadOnlyLog::new(Arc::new(self.log.clone()));
        let end = log.end_offsets(ARTEFACTS).await.unwrap()[0];
        let mut reader = log.reader(ARTEFACTS, &[(0, 0)]).await.unwrap();
        let (mut at, mut records) = (0, Vec::new());
        while at < end {
            let chunk = reader.next(Duration::from_secs(1)).await.unwrap().unwrap();
            records.extend(chunk.records);
            at = chunk.next_offset;
        }
        records
    }

    /// Lets `hours` pass on every clock.
    pub(crate) async fn pass(&self, hours: u64) {
        self.clock.advance(HOUR_MS * hours.cast_signed());
        tokio::time::advance(Duration::from_hours(hours)).await;
    }
}

pub(crate) fn text<const MAX: usize>(name: &str) -> Text<MAX> {
    Text::new(name).unwrap()
}

/// A month of a shop.
static SIMULATED: LazyLock<Vec<Event>> = LazyLock::new(simulated);

fn simulated() -> Vec<Event> {
    let pseudonymiser = Pseudonymiser::new(&PseudonymKey::from_bytes([7; 32]));
    let mut simulator = Simulator::new(Settings::new(11, SIMULATED_SHOPPERS, OPENING));
    let source = SourceId::new("key:example").unwrap();
    let (mut events, mut body) = (Vec::new(), Vec::new());
    loop {
        let batch = simulator.next_batch(NOW, 500).actions;
        if batch.is_empty() {
            return events;
        }
        body.clear();
        body.extend_from_slice(br#"{"actions":["#);
        for action in &batch {
            simulator.write_native(action, &mut body);
        }
        body.extend_from_slice(b"]}");
        let mut make_id = || EventId::new("made").unwrap();
        let mut intake = Intake {
            pseudonymiser: &pseudonymiser,
            received_at: NOW,
            source: &source,
            default_currency: Currency::EUR,
            make_id: &mut make_id,
            timings: None,
        };
        let receipts = native::parse_json(&body, &mut intake).unwrap();
        events.extend(receipts.into_iter().map(Result::unwrap));
    }
}
