//! A start that ends before it has looked through all profiles.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use foretide_events::{
    Action, EpochMs, Event, EventId, Identity, Search, ShopperId, SourceId, wire,
};
use foretide_features::{FoldRules, Texts};
use foretide_ports::{
    ACTIONS, Chunk, MemoryCold, PROFILES, ProfileTable, Record, SESSIONS, TopicPartition,
};
use foretide_runtime::{ManualClock, SharedClock};

use super::Sessions;
use crate::{
    SourceCounts,
    emission::COLD_LOOKS_AT_ONCE,
    fold::{Folder, Pending},
    pieces::Pieces,
    take_over::take_over,
};

const START: EpochMs = EpochMs(1_763_000_000_000);
const HOUR_MS: i64 = 60 * 60 * 1000;
/// More than one commit looks at.
const SHOPPERS: u64 = 1_500;

fn shopper(number: u64) -> ShopperId {
    let mut bytes = [0x5a; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes());
    ShopperId(bytes)
}

/// The record at offset `number`: the shopper of that number searches for something at `at`.
fn search(number: u64, at: EpochMs) -> Record {
    let shopper = shopper(number);
    let event = Event {
        id: EventId::new(&format!("event-{number}")).unwrap(),
        at,
        received_at: at,
        shopper,
        identity: Identity {
            user: Some(shopper),
            anonymous: None,
        },
        session: None,
        source: SourceId::new("key:0a1b2c3d").unwrap(),
        action: Action::Search(Search::default()),
    };
    let mut value = Vec::new();
    wire::encode(&event, &mut value);
    Record {
        offset: number,
        appended_at: at,
        key: Bytes::new(),
        value: Some(value.into()),
    }
}

/// What was committed.
#[derive(Default)]
struct Committed {
    /// What `foretide.profiles` holds.
    profiles: BTreeMap<Bytes, Bytes>,
    /// Of whom a session was announced.
    announced: BTreeSet<Bytes>,
}

impl Committed {
    /// Starts from what was committed, with a place in memory for hardly any profile.
    fn start(&self, clock: &ManualClock) -> (Folder, Pending) {
        let (rules, cold) = (FoldRules::default(), Arc::new(MemoryCold::default()));
        let table = ProfileTable::spilling(1, 1, cold, rules);
        let clock: SharedClock = Arc::new(clock.clone());
        let folder = Folder {
            sessions: Sessions::announced(1),
            ..Folder::new(&table, &SourceCounts::new(1), rules, &clock)
        };
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
        take_over(&folder, &chunk).unwrap();
        let unannounced = folder.counts.unannounced_as_of(0);
        folder.sessions.restored(0, unannounced);
        (folder, Pending::default())
    }

    /// Commits what there is. Says how many sessions that announces.
    fn commit(&mut self, folder: &Folder, pending: &mut Pending) -> usize {
        let Some(publication) = folder.publish(0, pending, &mut Pieces::default(), false) else {
            return 0;
        };
        let outputs = publication.outputs.into_iter();
        let sessions = outputs.filter(|record| record.at.topic == SESSIONS);
        let shoppers: Vec<Bytes> = sessions.map(|record| record.key).collect();
        let announced = shoppers.len();
        self.announced.extend(shoppers);
        let states = publication.profiles.into_iter().chain([publication.counts]);
        let states = states.map(|record| (record.key, record.value.unwrap()));
        self.profiles.extend(states);
        announced
    }
}

fn fold(folder: &Folder, pending: &mut Pending, records: Vec<Record>) {
    let chunk = Chunk {
        from: TopicPartition {
            topic: ACTIONS,
            partition: 0,
        },
        next_offset: records.last().map_or(0, |last| last.offset + 1),
        records,
    };
    let _ = folder.fold(pending, &mut Texts::default(), &chunk);
}

#[test]
fn what_a_start_had_no_time_to_find_is_found_by_the_next() {
    let (clock, mut committed) = (ManualClock::at(START.0), Committed::default());
    let (folder, mut pending) = committed.start(&clock);
    let searches = (0..SHOPPERS).map(|number| search(number, START));
    fold(&folder, &mut pending, searches.collect());
    assert_eq!(committed.commit(&folder, &mut pending), 0);
    assert!(folder.table.cold() > COLD_LOOKS_AT_ONCE);

    // It was down for hours, and is gone again after one commit, with which the newest record is one of now.
    let later = START.plus(3 * HOUR_MS);
    clock.set(later.0);
    let (folder, mut pending) = committed.start(&clock);
    fold(&folder, &mut pending, vec![search(SHOPPERS, later)]);
    let some = committed.commit(&folder, &mut pending) as u64;
    assert!(some > 0 && some < SHOPPERS, "{some}");
    assert_eq!(folder.counts.as_of(0), Some(later));
    assert_eq!(folder.counts.unannounced_as_of(0), Some(START));

    let (folder, mut pending) = committed.start(&clock);
    while committed.commit(&folder, &mut pending) > 0 {}
    assert_eq!(committed.announced.len() as u64, SHOPPERS);
    assert_eq!(folder.counts.unannounced_as_of(0), Some(later));
}
