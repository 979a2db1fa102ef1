//! A partition with its log, folded, committed and lost at will.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use foretide_cohorts::{Cohort, Cohorts, Dimension, Form, Kind, Method, Quality, Space, Transform};
use foretide_events::{
    Action, CartAdd, CheckoutStep, EpochMs, Event, EventId, Identity, Order, Product, Search,
    ShopId, ShopperId, SourceId, Text, wire,
};
use foretide_features::{Feature, FoldRules, Texts, schema_id};
use foretide_models::example::Example;
use foretide_ports::{
    ACTIONS, Artefacts, Chunk, CohortsVersion, EXAMPLES, PROFILES, ProfileTable, Record,
    TRANSITIONS, TopicPartition, Transition, Versioned as _,
};
use foretide_runtime::{ManualClock, SharedClock};

use crate::{
    ExamplesMode, SourceCounts,
    emission::Emission,
    fold::{Folder, Pending},
    pieces::Pieces,
    sessions::Sessions,
    take_over::take_over,
};

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// When everything begins.
pub const START: EpochMs = EpochMs(1_763_000_000_000);

pub fn shopper(number: u64) -> ShopperId {
    let mut bytes = [0x5a; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes());
    ShopperId(bytes)
}

/// A search (0), something put into the cart (1), a step of the checkout (2) or a purchase (3).
pub fn event(id: usize, who: u64, at: EpochMs, kind: u8) -> Event {
    let shopper = shopper(who);
    let named = ShopId::new(&format!("o{id}"));
    Event {
        id: EventId::new(&format!("event-{id:05}")).unwrap(),
        at,
        received_at: at,
        shopper,
        identity: Identity {
            user: Some(shopper),
            anonymous: None,
        },
        session: None,
        source: SourceId::new("import:a").unwrap(),
        action: match kind {
            0 => Action::Search(Search::default()),
            1 => Action::CartAdd(CartAdd {
                product: Product {
                    product_id: Text::new(&format!("p{}", id % 7)),
                    ..Product::default()
                },
                ..CartAdd::default()
            }),
            2 => Action::CheckoutStep(CheckoutStep::default()),
            _ => Action::Purchase(Order {
                order_id: named,
                ..Order::default()
            }),
        },
    }
}

/// Cohorts told apart by how much was done in 30 days: each an id, and where its middle lies.
pub fn cohorts(version: &str, since: EpochMs, middles: &[(&str, f32)]) -> CohortsVersion {
    let version = Text::new(version).unwrap();
    let member = |(id, middle): &(&str, f32)| Cohort {
        id: Text::new(id).unwrap(),
        name: Text::new(id).unwrap(),
        noise: false,
        centroid: vec![*middle],
        typical: Vec::new(),
        traits: Vec::new(),
        size: 100,
        share: 0.5,
        radius: 1.0,
        born_at: START,
    };
    let form = Form {
        format: 1,
        version: version.clone(),
        since,
        schema_id: Text::new(&schema_id()).unwrap(),
        reference: Text::new("prior-1").unwrap(),
        space: Space {
            dimensions: vec![Dimension {
                feature: Feature::Actions30d,
                kind: Kind::Value,
                transform: Transform::Linear,
                winsor_low: 0.0,
                winsor_high: 1_000.0,
                location: 0.0,
                scale: 1.0,
                missing: 0.0,
            }],
        },
        method: Method::KMeans,
        members: middles.iter().map(member).collect(),
        quality: Quality {
            inertia: 1.0,
            explained: 0.5,
            silhouette: 0.5,
            measured_on: 100,
        },
        sampled: 100,
        shoppers: 100,
        seed: 1,
        next_number: 9,
        generation: 1,
        lineage: Vec::new(),
    };
    CohortsVersion {
        as_of: None,
        version,
        since,
        shoppers: 100,
        cohorts: Arc::new(Cohorts::try_from(form).unwrap()),
    }
}

/// One partition.
pub struct Shop {
    pub log: Vec<Record>,
    pub clock: ManualClock,
    pub artefacts: Artefacts,
    pub folder: Folder,
    mode: ExamplesMode,
    pending: Pending,
    texts: Texts,
    pieces: Pieces,
    /// What `foretide.profiles` holds.
    profiles: BTreeMap<Bytes, Bytes>,
    pub examples: Vec<Example>,
    pub moves: Vec<Transition>,
}

fn folder(clock: &ManualClock, artefacts: &Artefacts, mode: ExamplesMode) -> Folder {
    let clock: SharedClock = Arc::new(clock.clone());
    Folder {
        sessions: Sessions::announced(1),
        emission: Emission::of(1, mode, artefacts.clone()),
        ..Folder::new(
            &ProfileTable::new(1),
            &SourceCounts::new(1),
            FoldRules::default(),
            &clock,
        )
    }
}

impl Shop {
    pub fn new(mode: ExamplesMode) -> Self {
        let (clock, artefacts) = (ManualClock::at(START.0), Artefacts::default());
        let mut shop = Self {
            log: Vec::new(),
            folder: folder(&clock, &artefacts, mode),
            clock,
            artefacts,
            mode,
            pending: Pending::default(),
            texts: Texts::default(),
            pieces: Pieces::default(),
            profiles: BTreeMap::new(),
            examples: Vec::new(),
            moves: Vec::new(),
        };
        shop.crash();
        shop
    }

    pub fn publish(&self, version: &CohortsVersion) {
        let record = version.record().unwrap();
        let taken = self.artefacts.take(&Record {
            offset: 0,
            appended_at: version.since,
            key: record.key,
            value: record.value,
        });
        assert!(!taken.unwrap().refused);
    }

    /// Appends an event at `appended_at`.
    pub fn append(&mut self, event: &Event, appended_at: EpochMs) {
        let mut value = Vec::new();
        wire::encode(event, &mut value);
        self.log.push(Record {
            offset: self.log.len() as u64,
            appended_at,
            key: Bytes::new(),
            value: Some(value.into()),
        });
    }

    /// Whether everything is folded.
    pub fn is_done(&self) -> bool {
        self.folder.counts.applied(0) == self.log.len() as u64
    }

    /// Folds the next `count` records, no sooner than they were appended.
    pub fn fold(&mut self, count: usize) {
        let begin = usize::try_from(self.folder.counts.applied(0)).unwrap();
        let end = (begin + count).min(self.log.len());
        let records = self.log[begin..end].to_vec();
        let newest = records.iter().map(|record| record.appended_at.0).max();
        let now = foretide_runtime::Clock::now_ms(&self.clock);
        self.clock.set(now.max(newest.unwrap_or(now)));
        let chunk = Chunk {
            from: TopicPartition {
                topic: ACTIONS,
                partition: 0,
            },
            records,
            next_offset: end as u64,
        };
        let _ = self.folder.fold(&mut self.pending, &mut self.texts, &chunk);
    }

    /// Commits what there is.
    pub fn commit(&mut self) {
        let (pending, pieces) = (&mut self.pending, &mut self.pieces);
        let Some(publication) = self.folder.publish(0, pending, pieces, false) else {
            return;
        };
        for record in publication.outputs {
            let value = record.value.unwrap();
            match record.at.topic {
                EXAMPLES => self.examples.push(Example::decode(&value).unwrap()),
                TRANSITIONS => self.moves.push(Transition::decode(&value).unwrap()),
                _ => {}
            }
        }
        let states = publication.profiles.into_iter().chain([publication.counts]);
        let states = states.map(|record| (record.key, record.value.unwrap()));
        self.profiles.extend(states);
    }

    /// Loses everything that was not committed, and starts again.
    pub fn crash(&mut self) {
        self.folder = folder(&self.clock, &self.artefacts, self.mode);
        self.pending = Pending::default();
        let record = |(offset, (key, value)): (u64, (&Bytes, &Bytes))| Record {
            offset,
            appended_at: START,
            key: key.clone(),
            value: Some(value.clone()),
        };
        let chunk = Chunk {
            from: TopicPartition {
                topic: PROFILES,
                partition: 0,
            },
            records: (0..).zip(&self.profiles).map(record).collect(),
            next_offset: self.profiles.len() as u64,
        };
        take_over(&self.folder, &chunk).unwrap();
        let unannounced = self.folder.counts.unannounced_as_of(0);
        self.folder.sessions.restored(0, unannounced);
        let progress = self.folder.counts.emission(0);
        self.folder.emission.restored(0, &progress);
    }

    /// Commits until nothing more is to be told, while time goes on: every session is over then, and everyone told.
    pub fn settle(&mut self) {
        self.commit();
        self.clock.advance(40 * MINUTE_MS);
        for _ in 0..60 {
            self.clock.advance(1_500);
            self.commit();
        }
    }

    /// Up to where points of drift are told of everyone.
    pub fn told_until(&self) -> EpochMs {
        let progress = self.folder.counts.emission(0);
        assert_eq!(progress.untold_from, None, "nobody waits");
        progress.told_until().unwrap()
    }

    /// What a reader is left with: of each id the record with the highest revision.
    pub fn left(&self) -> BTreeMap<String, Example> {
        let mut left: BTreeMap<String, Example> = BTreeMap::new();
        for example in &self.examples {
            let known = left.get(&*example.id);
            if let Some(known) = known.filter(|known| known.revision == example.revision) {
                assert_eq!(known, example, "one revision says two things");
            }
            if known.is_none_or(|known| known.revision <= example.revision) {
                left.insert(example.id.to_string(), example.clone());
            }
        }
        left.retain(|_, example| example.point.is_some());
        left
    }
}
