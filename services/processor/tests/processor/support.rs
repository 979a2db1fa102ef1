//! A log with events, processors on it, and what should come of it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use foretide_checkpoint::Checkpoints;
use foretide_events::{
    Action, CartAdd, Category, EpochMs, Event, EventId, Identity, Product, ProductView, Search,
    ShopperId, SourceId, Text, wire,
};
use foretide_features::{FoldRules, Profile, ProfileDigest};
use foretide_ports::{
    ACTIONS, Artefacts, ColdProfiles, DEAD_LETTERS, Log, NewRecord, PROFILES, ProfileTable, Record,
    TopicName, TopicPartition, foretide_topics, memory::MemoryLog, partition_for, shopper_key,
};
use foretide_processor::{
    DigestReport, Fates, GROUP, Processor, ProcessorConfig, ProcessorError, ProcessorMetrics,
    ProcessorParts, SourceCounts, digest,
};
use foretide_runtime::{
    CancellationToken, Component, ManualClock, Readiness, prometheus::Registry,
};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

pub const NOW_MS: i64 = 1_763_000_000_000;
/// Far longer than anything here takes; only a hang reaches it.
pub const LONG: Duration = Duration::from_mins(1);
const HOUR_MS: i64 = 3_600_000;

/// Numbers that look random and are the same in every run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

pub fn shopper(n: u64) -> ShopperId {
    let mut bytes = [0x5a; 16];
    bytes[..8].copy_from_slice(&n.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes());
    ShopperId(bytes)
}

/// `count` events of 40 shoppers and 3 sources: mostly in order, some out of order, some late, and of all about
/// `duplicates` percent copies of earlier ones.
pub fn events(count: usize, duplicates: u64, seed: u64) -> Vec<Event> {
    let mut dice = Dice::new(seed);
    let mut events: Vec<Event> = Vec::with_capacity(count);
    for n in (0_i64..).take(count) {
        if !events.is_empty() && dice.below(100) < duplicates {
            let copy = events[dice.below(events.len() as u64) as usize].clone();
            events.push(copy);
            continue;
        }
        let back_ms = match dice.below(20) {
            0 => dice.below(30).cast_signed() * HOUR_MS,
            1..4 => dice.below(600_000).cast_signed(),
            _ => 0,
        };
        let at = EpochMs(NOW_MS - 100 * HOUR_MS + n * 60_000 - back_ms);
        events.push(event(
            &format!("{seed}-{n}"),
            dice.below(40),
            at,
            dice.below(3),
        ));
    }
    events
}

pub fn event(id: &str, who: u64, at: EpochMs, flavour: u64) -> Event {
    let shopper = shopper(who);
    let product = Product {
        product_id: Text::new(&format!("p{}", who * 7 + flavour)),
        category: Category::new(["tents", "boots", "stoves"][flavour as usize % 3]).ok(),
        ..Product::default()
    };
    Event {
        id: EventId::new(id).unwrap(),
        at,
        received_at: at.plus(500),
        shopper,
        identity: Identity {
            user: Some(shopper),
            anonymous: None,
        },
        session: None,
        source: SourceId::new(["key:0a1b2c3d", "import:a", "import:b"][flavour as usize % 3])
            .unwrap(),
        action: match flavour % 3 {
            0 => Action::ProductView(ProductView {
                product,
                dwell_ms: Some(20_000),
                ..ProductView::default()
            }),
            1 => Action::CartAdd(CartAdd {
                product,
                ..CartAdd::default()
            }),
            _ => Action::Search(Search {
                query: Text::new("tent"),
                ..Search::default()
            }),
        },
    }
}

/// A log and the time of day.
#[derive(Clone)]
pub struct Rig {
    pub log: MemoryLog,
    pub clock: ManualClock,
    pub partitions: u32,
}

/// What should come of everything on a log.
#[derive(Debug, PartialEq)]
pub struct Expected {
    pub digest: DigestReport,
    pub sources: BTreeMap<String, Fates>,
}

impl Rig {
    pub async fn new(partitions: u32) -> Self {
        let clock = ManualClock::at(NOW_MS);
        let ticks = Arc::new(AtomicI64::new(NOW_MS));
        let now = clock.clone();
        let log = MemoryLog::new(Arc::new(move || {
            ticks.fetch_max(foretide_runtime::Clock::now_ms(&now), Ordering::Relaxed);
            EpochMs(ticks.fetch_add(1, Ordering::Relaxed))
        }));
        log.declare(&foretide_topics(partitions)).await.unwrap();
        Self {
            log,
            clock,
            partitions,
        }
    }

    /// Appends `events` as ingest does.
    pub async fn append(&self, events: &[Event]) {
        let records = events.iter().map(|event| self.record(event)).collect();
        self.log.append(records).await.unwrap();
    }

    pub fn record(&self, event: &Event) -> NewRecord {
        let key = shopper_key(&event.shopper);
        let mut value = Vec::new();
        wire::encode(event, &mut value);
        let partition = partition_for(&key, self.partitions);
        NewRecord {
            at: TopicPartition {
                topic: ACTIONS,
                partition,
            },
            key: key.to_vec().into(),
            value: Some(value.into()),
        }
    }

    /// Appends records of another log's profiles, all to the first partition.
    pub async fn append_profiles(&self, records: Vec<Record>) {
        let records = records.into_iter().map(|record| NewRecord {
            at: TopicPartition {
                topic: PROFILES,
                partition: 0,
            },
            key: record.key,
            value: record.value,
        });
        self.log.append(records.collect()).await.unwrap();
    }

    /// Everything on one partition of a topic.
    pub async fn held(&self, topic: TopicName, partition: u32) -> Vec<Record> {
        let end = self.log.end_offsets(topic).await.unwrap()[partition as usize];
        let mut reader = self.log.reader(topic, &[(partition, 0)]).await.unwrap();
        let (mut records, mut position) = (Vec::new(), 0);
        while position < end {
            let chunk = reader.next(LONG).await.unwrap().unwrap();
            records.extend(chunk.records);
            position = chunk.next_offset;
        }
        records
    }

    pub async fn letters(&self) -> Vec<Record> {
        self.held(DEAD_LETTERS, 0).await
    }

    /// A plain fold of all events on the log, with nothing that could go wrong.
    pub async fn expected(&self) -> Expected {
        let rules = FoldRules::default();
        let mut profiles: BTreeMap<ShopperId, Profile> = BTreeMap::new();
        let mut sources: BTreeMap<String, Fates> = BTreeMap::new();
        let mut events = 0;
        for partition in 0..self.partitions {
            for record in self.held(ACTIONS, partition).await {
                let Some(Ok(event)) = record.value.map(|value| wire::decode(&value)) else {
                    continue;
                };
                if partition_for(&shopper_key(&event.shopper), self.partitions) != partition {
                    continue;
                }
                let profile = profiles
                    .entry(event.shopper)
                    .or_insert_with(|| Profile::new(event.shopper));
                let applied = profile.apply(&event, record.offset, &rules).unwrap();
                let fates = sources.entry(event.source.to_string()).or_default();
                fates.count(applied.fate);
                events += u64::from(applied.fate == foretide_events::Fate::Folded);
            }
        }
        let mut digest = ProfileDigest::new();
        for profile in profiles.values() {
            digest.add(profile);
        }
        let (shoppers, digest) = (digest.shoppers() as u64, digest.finish());
        Expected {
            digest: DigestReport {
                digest,
                shoppers,
                events,
            },
            sources,
        }
    }

    /// The digest as the command makes it.
    pub async fn digest(&self) -> DigestReport {
        let log = Arc::new(self.log.clone());
        digest(log, self.partitions, FoldRules::default(), |_| ())
            .await
            .unwrap()
    }

    /// Whether the group has consumed everything.
    pub async fn is_all_committed(&self) -> bool {
        let (Ok(committed), Ok(ends)) = (
            self.log.committed(GROUP, ACTIONS).await,
            self.log.end_offsets(ACTIONS).await,
        ) else {
            return false;
        };
        committed
            .iter()
            .zip(&ends)
            .all(|(committed, end)| committed.unwrap_or(0) == *end)
    }

    pub async fn until_all_committed(&self) {
        until("everything is committed", async || {
            self.is_all_committed().await
        })
        .await;
    }

    /// A processor that is not running yet.
    pub fn instance(&self) -> Instance {
        Instance {
            log: Arc::new(self.log.clone()),
            clock: self.clock.clone(),
            partitions: self.partitions,
            member: "a".to_owned(),
            artefacts: Artefacts::default(),
            checkpoints: None,
            memory: None,
            config: ProcessorConfig {
                publish_interval_ms: 1,
                ..ProcessorConfig::default()
            },
        }
    }
}

/// Waits until `true` is what `condition` says.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(
        timeout(LONG, waiting).await.is_ok(),
        "waited in vain until {what}"
    );
}

/// How a processor is to be run.
pub struct Instance {
    pub log: Arc<dyn Log>,
    pub clock: ManualClock,
    pub partitions: u32,
    pub member: String,
    pub artefacts: Artefacts,
    pub checkpoints: Option<Checkpoints>,
    /// How many profiles have a place in memory, and where the others go; all without.
    pub memory: Option<(usize, Arc<dyn ColdProfiles>)>,
    pub config: ProcessorConfig,
}

impl Instance {
    pub fn named(mut self, member: &str) -> Self {
        member.clone_into(&mut self.member);
        self
    }

    pub fn with_checkpoints(mut self, folder: &Path) -> Self {
        self.checkpoints = Some(Checkpoints::open(folder).unwrap());
        self
    }

    /// With a place in memory for so many profiles.
    pub fn in_memory(mut self, profiles: usize, cold: Arc<dyn ColdProfiles>) -> Self {
        self.memory = Some((profiles, cold));
        self
    }

    pub fn on(mut self, log: Arc<dyn Log>) -> Self {
        self.log = log;
        self
    }

    pub fn start(self) -> Running {
        let table = match self.memory {
            None => ProfileTable::new(self.partitions),
            Some((most, cold)) => {
                ProfileTable::spilling(self.partitions, most, cold, FoldRules::default())
            }
        };
        let counts = SourceCounts::new(self.partitions);
        let metrics = ProcessorMetrics::register(&Registry::new()).unwrap();
        let readiness = Readiness::new().component("processor");
        let parts = ProcessorParts {
            log: self.log,
            table: Arc::clone(&table),
            counts: Arc::clone(&counts),
            rules: FoldRules::default(),
            artefacts: self.artefacts,
            metrics: metrics.clone(),
            clock: Arc::new(self.clock),
            readiness: readiness.clone(),
            member: self.member,
            checkpoints: self.checkpoints,
        };
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let task = tokio::spawn(Processor::new(parts, self.config).run(soft.clone(), hard.clone()));
        Running {
            table,
            counts,
            metrics,
            readiness,
            soft,
            hard,
            task,
        }
    }
}

/// A processor at work.
pub struct Running {
    pub table: Arc<ProfileTable>,
    pub counts: Arc<SourceCounts>,
    pub metrics: ProcessorMetrics,
    pub readiness: Component,
    pub soft: CancellationToken,
    pub hard: CancellationToken,
    pub task: JoinHandle<Result<(), ProcessorError>>,
}

impl Running {
    /// Ends it as a power cut would: nothing is committed or written any more.
    pub async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Ends it in peace.
    pub async fn stop(self) {
        self.soft.cancel();
        timeout(LONG, self.task).await.unwrap().unwrap().unwrap();
    }

    /// What it holds, in the shape of what is expected.
    pub fn state(&self, sources: &BTreeMap<String, Fates>) -> Expected {
        let fates = |source: &String| {
            let summary = self.counts.of(&SourceId::new(source).unwrap());
            let fates = Fates {
                folded: summary.folded,
                duplicate: summary.duplicate,
                late: summary.late,
            };
            assert_eq!(summary.accepted, fates.total());
            (source.clone(), fates)
        };
        Expected {
            digest: digest_of(&self.table, &self.counts),
            sources: sources.keys().map(fates).collect(),
        }
    }
}

/// The digest of a table.
pub fn digest_of(table: &ProfileTable, counts: &SourceCounts) -> DigestReport {
    let mut digest = ProfileDigest::new();
    for partition in 0..table.partitions() {
        table.for_each(partition, |profile| digest.add(profile));
    }
    let (shoppers, events) = (digest.shoppers() as u64, counts.total().folded);
    DigestReport {
        digest: digest.finish(),
        shoppers,
        events,
    }
}
