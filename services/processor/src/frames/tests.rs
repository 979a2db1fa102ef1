use std::collections::BTreeMap;

use bytes::Bytes;
use foretide_events::{
    Action, Event, EventId, Fate, Identity, Product, ProductView, SourceId, wire,
};
use foretide_features::{CATALOGUE, Profile, Reference};
use foretide_ports::{
    Log as _, NewRecord, TopicPartition, foretide_topics, memory::MemoryLog, partition_for,
    shopper_key,
};
use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;

const PARTITIONS: u32 = 4;
const HOUR_MS: i64 = 3_600_000;
const START: EpochMs = EpochMs(1_760_000_000_000);

/// The bits of every feature at an instant, and when the newest event happened.
type Bits = (EpochMs, Vec<Option<u64>>);

fn shopper(number: u8) -> ShopperId {
    ShopperId([number; 16])
}

fn event(id: &str, at: EpochMs, user: Option<ShopperId>, anonymous: Option<ShopperId>) -> Event {
    let identity = Identity { user, anonymous };
    let number = id.bytes().map(i64::from).sum::<i64>();
    let product = Product {
        product_id: Some(format!("p{}", number % 5).parse_id()),
        ..Product::default()
    };
    Event {
        id: EventId::new(id).unwrap(),
        at,
        received_at: at,
        shopper: identity.shopper().unwrap(),
        identity,
        session: None,
        source: SourceId::new("import:test").unwrap(),
        action: Action::ProductView(ProductView {
            product,
            dwell_ms: Some(u32::try_from(number % 90).unwrap() * 1000),
            ..ProductView::default()
        }),
    }
}

trait ParseId<T> {
    fn parse_id(&self) -> T;
}

impl<T: serde::de::DeserializeOwned> ParseId<T> for String {
    fn parse_id(&self) -> T {
        serde_json::from_value(serde_json::Value::from(self.as_str())).unwrap()
    }
}

async fn log_of(events: &[Event]) -> ReadOnlyLog {
    let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
    log.declare(&foretide_topics(PARTITIONS)).await.unwrap();
    for event in events {
        let key = shopper_key(&event.shopper);
        let mut value = Vec::new();
        wire::encode(event, &mut value);
        let record = NewRecord {
            at: TopicPartition {
                topic: ACTIONS,
                partition: partition_for(&key, PARTITIONS),
            },
            key: Bytes::copy_from_slice(&key),
            value: Some(value.into()),
        };
        log.append(vec![record]).await.unwrap();
    }
    ReadOnlyLog::new(Arc::new(log))
}

fn bits(state: &State, at: EpochMs) -> Bits {
    let features = state.features(at, &FoldRules::default(), &Reference::prior());
    let bits = CATALOGUE
        .iter()
        .map(|spec| features.get(spec.feature).map(f64::to_bits));
    (state.as_of(), bits.collect())
}

/// The rows that come, by number.
async fn rows(log: &ReadOnlyLog, wanted: Wanted) -> BTreeMap<u64, (ShopperId, Bits)> {
    let taken = Arc::new(Mutex::new(BTreeMap::new()));
    let take = {
        let taken = Arc::clone(&taken);
        Arc::new(move |seen: &Seen<'_>| {
            let row = (seen.shopper, bits(seen.state, seen.at));
            assert_eq!(taken.lock().insert(seen.row, row), None, "a row comes once");
            Ok(())
        })
    };
    let mut told = FramesProgress::default();
    let rules = FoldRules::default();
    let framed = frames(log, PARTITIONS, rules, wanted, take, |progress| {
        told = progress;
    });
    let framed = framed.await.unwrap();
    assert_eq!(told.done, told.total);
    assert_eq!(told.total, framed.actions * 2);
    std::mem::take(&mut *taken.lock())
}

/// What is served for `at` of a shopper if it is asked when all has come that counts for it, and nothing later.
fn served(events: &[Event], of: ShopperId, at: EpochMs) -> Option<Bits> {
    let rules = FoldRules::default();
    let (mut whole, mut then) = (Profile::new(of), Profile::new(of));
    let own = events.iter().filter(|event| event.shopper == of);
    for (event, offset) in own.zip(0..) {
        let fate = whole.apply(event, offset, &rules).unwrap().fate;
        if fate != Fate::Late && event.at <= at {
            let _ = then.apply(event, offset, &rules);
        }
    }
    let state = then.state();
    state.first_seen().map(|_| bits(state, at))
}

fn arrivals() -> impl Strategy<Value = Vec<Event>> {
    // Times of one instant and its neighbours, ids that come again, late ones, and gaps of days.
    let one = (0..3_u8, 0..24_u8, 0..200_i64, -30..6_i64);
    let events = prop::collection::vec(one, 1..60);
    events.prop_map(|events| {
        let mut reached = 0;
        let event = |(of, id, step, shift): (u8, u8, i64, i64)| {
            reached += step * HOUR_MS / 20;
            let at = START.plus(reached + shift * HOUR_MS);
            event(&format!("{of}-{id}"), at, Some(shopper(of)), None)
        };
        events.into_iter().map(event).collect()
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// However events arrive, late, twice or out of order, each row is what is served for its instant.
    #[test]
    fn a_row_is_what_is_served_for_its_instant(
        events in arrivals(),
        instants in prop::collection::vec((0..4_u8, -40..700_i64), 1..12),
    ) {
        let wanted: Vec<_> = instants
            .iter()
            .map(|(of, hours)| (shopper(*of), START.plus(hours * HOUR_MS)))
            .collect();
        let rows = runtime().block_on(async {
            rows(&log_of(&events).await, Wanted::Rows(wanted.clone())).await
        });
        for ((of, at), number) in wanted.iter().zip(0_u64..) {
            let row = rows.get(&number).map(|(of, bits)| (*of, bits.clone()));
            prop_assert_eq!(row, served(&events, *of, *at).map(|bits| (*of, bits)));
        }
    }

    /// A frame of everyone is that of all who were known, and nobody else.
    #[test]
    fn everyone_known_at_an_instant_has_a_row(events in arrivals(), hours in -40..700_i64) {
        let at = START.plus(hours * HOUR_MS);
        let rows = runtime().block_on(async {
            rows(&log_of(&events).await, Wanted::Everyone(at)).await
        });
        let found: BTreeMap<_, _> = rows.into_values().collect();
        let expected = (0..3).filter_map(|of| Some((shopper(of), served(&events, shopper(of), at)?)));
        prop_assert_eq!(found, expected.collect::<BTreeMap<_, _>>());
    }
}

const ANN: u8 = 1;
const PHONE: u8 = 101;
const LAPTOP: u8 = 102;

/// Ann looks around on her phone, then signs in there; her laptop, which she used before, is known to be hers a day later.
fn ann() -> Vec<Event> {
    let (ann, phone, laptop) = (shopper(ANN), shopper(PHONE), shopper(LAPTOP));
    let at = |hours: i64| START.plus(hours * HOUR_MS);
    vec![
        event("l1", at(-30), None, Some(laptop)),
        event("p1", at(0), None, Some(phone)),
        event("p2", at(1), None, Some(phone)),
        event("a1", at(2), Some(ann), Some(phone)),
        event("p3", at(3), None, Some(phone)),
        event("a2", at(26), Some(ann), Some(laptop)),
        event("l2", at(27), None, Some(laptop)),
        event("a3", at(90), Some(ann), None),
        event("p4", at(95), None, Some(phone)),
    ]
}

/// What is served of Ann at `at` if nothing happens after, and these devices are known to be hers.
fn of_ann(events: &[Event], devices: &[u8], at: EpochMs) -> Bits {
    let rules = FoldRules::default();
    let until = |of: u8| {
        let mut profile = Profile::new(shopper(of));
        let own = events
            .iter()
            .filter(|event| event.shopper == shopper(of) && event.at <= at);
        for (event, offset) in own.zip(0..) {
            assert_eq!(
                profile.apply(event, offset, &rules).unwrap().fate,
                Fate::Folded
            );
        }
        profile
    };
    let mut profile = until(ANN);
    for device in devices {
        let mut device = until(*device);
        let _ = device.learn_link(foretide_features::Link {
            at: START,
            id: foretide_features::IdHash::of("a1"),
            known: shopper(ANN),
        });
        let _ = profile.contribute(device.contribution().unwrap(), &rules);
    }
    bits(profile.state(), at)
}

#[tokio::test]
async fn a_row_holds_what_devices_did_that_were_linked_by_then() {
    let events = ann();
    let log = log_of(&events).await;
    let hours: [(i64, Option<&[u8]>); 6] = [
        (1, None),
        (2, Some(&[PHONE])),
        (25, Some(&[PHONE])),
        (26, Some(&[PHONE, LAPTOP])),
        (28, Some(&[PHONE, LAPTOP])),
        (200, Some(&[PHONE, LAPTOP])),
    ];
    let wanted = hours.map(|(hours, _)| (shopper(ANN), START.plus(hours * HOUR_MS)));
    let found = rows(&log, Wanted::Rows(wanted.to_vec())).await;
    for (((_, devices), (_, at)), number) in hours.iter().zip(wanted).zip(0_u64..) {
        let expected = devices.map(|devices| (shopper(ANN), of_ann(&events, devices, at)));
        assert_eq!(found.get(&number).cloned(), expected, "row {number}");
        let everyone = rows(&log, Wanted::Everyone(at)).await;
        let of_everyone = everyone.into_values().find(|(of, _)| *of == shopper(ANN));
        assert_eq!(of_everyone, expected, "everyone at {at}");
    }
}

#[tokio::test]
async fn rows_of_one_shopper_and_instant_come_each_under_its_number() {
    let events = ann();
    let at = START.plus(30 * HOUR_MS);
    let row = (shopper(ANN), at);
    let nobody = (shopper(77), at);
    let wanted = vec![row, nobody, (shopper(PHONE), at), row];
    let found = rows(&log_of(&events).await, Wanted::Rows(wanted)).await;
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(found[&0], found[&3]);
    assert_eq!(
        Some(&found[&2].1),
        served(&events, shopper(PHONE), at).as_ref()
    );
}

#[tokio::test]
async fn more_than_a_profile_remembers_does_not_blur_a_row() {
    let of = shopper(9);
    let events: Vec<_> = (0..700)
        .map(|n| event(&format!("bot-{n}"), START.plus(n * 20_000), Some(of), None))
        .collect();
    let at = START.plus(100 * 20_000);
    let found = rows(&log_of(&events).await, Wanted::Rows(vec![(of, at)])).await;
    let rules = FoldRules::default();
    let mut profile = Profile::new(of);
    for (event, offset) in events.iter().take(101).zip(0..) {
        let _ = profile.apply(event, offset, &rules);
    }
    assert_eq!(found[&0].1, bits(profile.state(), at));
}

#[tokio::test]
async fn whoever_cannot_take_a_row_ends_it() {
    let log = log_of(&ann()).await;
    let take: Take = Arc::new(|_: &Seen<'_>| Err(io::ErrorKind::StorageFull.into()));
    let wanted = Wanted::Everyone(START.plus(HOUR_MS));
    let framed = frames(&log, PARTITIONS, FoldRules::default(), wanted, take, |_| ());
    let error = framed.await.unwrap_err();
    assert!(
        matches!(error, FramesError::Take(error) if error.kind() == io::ErrorKind::StorageFull)
    );
}
