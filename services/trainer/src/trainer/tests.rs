use std::{collections::HashSet, sync::LazyLock};

use foretide_events::{Currency, Event, EventId, Intake, SourceId, Text, native};
use foretide_features::{Feature, FoldRules, Reference};
use foretide_ports::{
    ARTEFACTS, ReadOnlyLog, ReferenceVersion, foretide_topics, memory::MemoryLog,
};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use foretide_runtime::{Clock as _, ManualClock, Readiness, prometheus::Registry};
use foretide_simulator::{Settings, Simulator};

use super::*;
use crate::publish::LEAD_MS;

/// When the simulated shop opens, and a month later: now.
const OPENING: EpochMs = EpochMs(1_792_749_600_000);
const NOW: EpochMs = EpochMs(OPENING.0 + 30 * 24 * HOUR_MS);
const HOUR_MS: i64 = 3_600_000;
const PARTITIONS: u32 = 2;
/// Enough of the simulated shoppers to learn from.
const SHOPPERS: usize = 150;

/// A trainer with its surroundings, where nobody follows the log but by [`Rig::follow`].
struct Rig {
    log: MemoryLog,
    clock: ManualClock,
    table: Arc<ProfileTable>,
    references: Arc<References>,
    references_ready: Component,
    trainer: Trainer,
}

impl Rig {
    async fn new() -> Self {
        let clock = ManualClock::at(NOW.0);
        let log = MemoryLog::new(Arc::new(|| NOW));
        log.declare(&foretide_topics(PARTITIONS)).await.unwrap();
        let table = ProfileTable::new(PARTITIONS);
        let references = Arc::<References>::default();
        let references_ready = Readiness::new().component("references");
        let parts = TrainerParts {
            log: Arc::new(log.clone()),
            table: Arc::clone(&table),
            references: Arc::clone(&references),
            references_ready: references_ready.clone(),
            clock: Arc::new(clock.clone()),
            metrics: TrainerMetrics::register(&Registry::new()).unwrap(),
        };
        let trainer = Trainer::new(parts, TrainerConfig::default());
        Self {
            log,
            clock,
            table,
            references,
            references_ready,
            trainer,
        }
    }

    /// The same with so many of the simulated shoppers, who are known, and with the topic of artefacts read.
    async fn with_shoppers(most: usize) -> Self {
        let rig = Self::new().await;
        let mut known = HashSet::new();
        for (event, offset) in SIMULATED.iter().zip(0..) {
            if known.len() >= most && !known.contains(&event.shopper) {
                continue;
            }
            known.insert(event.shopper);
            rig.table.update(&event.shopper, |profile| {
                let _ = profile.apply(event, offset, &FoldRules::default());
            });
        }
        (0..PARTITIONS).for_each(|partition| rig.table.set_fresh(partition, NOW));
        rig.references_ready.ready();
        rig
    }

    /// Takes note of all that is published. Returns how many records there are.
    async fn follow(&self) -> u64 {
        let log = ReadOnlyLog::new(Arc::new(self.log.clone()));
        let end = log.end_offsets(ARTEFACTS).await.unwrap()[0];
        let mut reader = log.reader(ARTEFACTS, &[(0, 0)]).await.unwrap();
        let mut at = 0;
        while at < end {
            let chunk = reader.next(Duration::from_secs(1)).await.unwrap().unwrap();
            for record in &chunk.records {
                let _ = self.references.take(record);
            }
            at = chunk.next_offset;
        }
        end
    }

    async fn attempt(&mut self) -> Outcome {
        self.trainer.attempt(&CancellationToken::new()).await;
        self.follow().await;
        self.trainer.last.unwrap().1
    }

    fn newest(&self) -> Arc<ReferenceVersion> {
        self.references.newest().unwrap()
    }

    /// Lets `hours` pass on every clock.
    async fn pass(&self, hours: u64) {
        self.clock.advance(HOUR_MS * hours.cast_signed());
        tokio::time::advance(Duration::from_hours(hours)).await;
    }

    /// How many shoppers have a level of prices at `at`, told against the reference of then.
    fn with_level(&self, at: EpochMs) -> usize {
        let (reference, rules) = (self.references.at(at), FoldRules::default());
        let mut found = 0;
        for partition in 0..PARTITIONS {
            self.table.for_each(partition, |profile| {
                let features = profile.state().features(at, &rules, &reference);
                found += usize::from(features.get(Feature::ViewedPriceLevel).is_some());
            });
        }
        found
    }
}

fn text(name: &str) -> Text<64> {
    Text::new(name).unwrap()
}

/// A month of a shop.
static SIMULATED: LazyLock<Vec<Event>> = LazyLock::new(simulated);

fn simulated() -> Vec<Event> {
    let pseudonymiser = Pseudonymiser::new(&PseudonymKey::from_bytes([7; 32]));
    let mut simulator = Simulator::new(Settings::new(11, 200, OPENING));
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

#[tokio::test(start_paused = true)]
async fn what_is_learnt_of_shoppers_serves_from_its_time_on_and_not_before() {
    let mut rig = Rig::with_shoppers(SHOPPERS).await;
    assert!(rig.trainer.is_due());
    assert_eq!(rig.attempt().await, Outcome::Published);
    let version = rig.newest();
    assert_eq!(version.since, NOW.plus(LEAD_MS));
    assert_eq!(version.shoppers, SHOPPERS as u64);
    assert!(version.reference.levels().count() > 0);
    let since = version.since;
    assert_eq!(rig.references.at(since.plus(-1)).version(), "prior-1");
    assert_eq!(rig.with_level(since.plus(-1)), 0);
    assert!(rig.with_level(since) > 100, "{}", rig.with_level(since));
}

#[tokio::test(start_paused = true)]
async fn the_same_profiles_are_published_once_by_however_many_trainers() {
    let mut rig = Rig::with_shoppers(SHOPPERS).await;
    assert_eq!(rig.attempt().await, Outcome::Published);
    assert_eq!(rig.attempt().await, Outcome::Unchanged);
    // A trainer elsewhere, which has not seen what was published, comes to the same name.
    let mut other = Rig::with_shoppers(SHOPPERS).await;
    assert_eq!(other.attempt().await, Outcome::Published);
    assert_eq!(other.newest(), rig.newest());
}

#[tokio::test(start_paused = true)]
async fn it_learns_at_its_interval_whoever_learnt_before() {
    let mut rig = Rig::with_shoppers(SHOPPERS).await;
    assert_eq!(rig.attempt().await, Outcome::Published);
    assert!(!rig.trainer.is_due());
    rig.pass(1).await;
    assert!(!rig.trainer.is_due(), "it has not served for an hour yet");
    rig.clock.advance(LEAD_MS);
    assert!(rig.trainer.is_due());
    assert_eq!(rig.attempt().await, Outcome::Unchanged);
    assert!(!rig.trainer.is_due());
    rig.pass(1).await;
    assert!(rig.trainer.is_due());
    // Just started, beside what another has published a moment ago.
    rig.trainer.last = None;
    let another = ReferenceVersion {
        since: EpochMs(rig.clock.now_ms()),
        version: text("another"),
        reference: Arc::new(Reference::prior().named(text("another"))),
        shoppers: 1,
    };
    rig.log
        .append(vec![another.record().unwrap()])
        .await
        .unwrap();
    rig.follow().await;
    assert!(!rig.trainer.is_due());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_learnt_from_a_part_of_the_profiles_or_from_a_few() {
    let rig = Rig::with_shoppers(SHOPPERS).await;
    let partition = rig.table.partitions() - 1;
    rig.references_ready.not_ready("reading");
    assert!(!rig.trainer.is_due(), "it is not known what is published");
    rig.references_ready.ready();
    assert!(rig.trainer.is_due());
    rig.table.clear_partition(partition);
    assert!(!rig.trainer.is_due(), "a partition is being restored");
    let few = Rig::with_shoppers(20).await;
    assert!(!few.trainer.is_due());
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_and_the_last_one_serves_on() {
    let mut rig = Rig::with_shoppers(SHOPPERS).await;
    rig.log.faults().set_away(true);
    rig.trainer.attempt(&CancellationToken::new()).await;
    assert_eq!(rig.trainer.last.unwrap().1, Outcome::Failed);
    assert!(!rig.trainer.is_due());
    rig.log.faults().set_away(false);
    tokio::time::advance(TRY_AGAIN_AFTER).await;
    assert!(rig.trainer.is_due());
    assert_eq!(rig.attempt().await, Outcome::Published);
}

#[tokio::test(start_paused = true)]
async fn versions_of_long_ago_are_taken_away() {
    let mut rig = Rig::with_shoppers(SHOPPERS).await;
    let old = |name: &str, since: i64| ReferenceVersion {
        since: EpochMs(since),
        version: text(name),
        reference: Arc::new(Reference::prior().named(text(name))),
        shoppers: 1,
    };
    for version in [old("first", 0), old("second", HOUR_MS)] {
        rig.log
            .append(vec![version.record().unwrap()])
            .await
            .unwrap();
    }
    rig.follow().await;
    assert_eq!(rig.attempt().await, Outcome::Published);
    let left: Vec<_> = rig.references.all();
    assert_eq!(&*left[0].version, "second");
    assert_eq!(left.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn asked_to_end_it_stops_and_publishes_nothing() {
    let mut rig = Rig::with_shoppers(SHOPPERS).await;
    let stop = CancellationToken::new();
    stop.cancel();
    rig.trainer.attempt(&stop).await;
    assert_eq!(rig.trainer.last.unwrap().1, Outcome::Stopped);
    assert_eq!(rig.follow().await, 0);
}
