//! One person under several pseudonyms: whatever the order in which that comes out, and whoever dies meanwhile, the profiles
//! are those of one fold of everything at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use foretide_events::{Action, Alias, EpochMs, Event, Identity, LinkRecord, ShopperId};
use foretide_features::{FoldRules, IdHash, Link, Profile, ProfileDigest};
use foretide_ports::{ACTIONS, LINKS, Log, PROFILES, ProfileTable, ReadOnlyLog};
use foretide_processor::{
    DigestReport, Refold, fold_all,
    links::parse_key,
    replay::{GroupName, Replay, compare},
};
use foretide_runtime::CancellationToken;
use proptest::prelude::*;

use crate::{
    crashes::{Life, lives},
    support::{LONG, NOW_MS, Rig, Running, event, shopper, until},
};

const MINUTE_MS: i64 = 60_000;
/// Numbers of shoppers from here on are devices.
const DEVICES: u64 = 1_000;

fn device(n: u64) -> ShopperId {
    shopper(DEVICES + n)
}

/// An event that names whom it says.
fn by(id: &str, known: Option<u64>, on: Option<u64>, minute: i64) -> Event {
    let at = EpochMs(NOW_MS - 6_000 * MINUTE_MS + minute * MINUTE_MS);
    let identity = Identity {
        user: known.map(shopper),
        anonymous: on.map(device),
    };
    Event {
        shopper: identity.shopper().unwrap(),
        identity,
        ..event(id, known.or(on).unwrap(), at, minute.unsigned_abs() % 7)
    }
}

/// The digest of what one fold of all `events` makes, each shopper's in the order in which they happened, and of every
/// contribution after that.
fn folded_at_once(events: &[Event]) -> DigestReport {
    let rules = FoldRules::default();
    let mut events = events.to_vec();
    events.sort_by_key(|event| (event.at, IdHash::of(event.id.as_str())));
    let mut profiles: BTreeMap<ShopperId, Profile> = BTreeMap::new();
    let mut links: BTreeMap<ShopperId, Link> = BTreeMap::new();
    let mut folded = 0;
    for (event, offset) in events.iter().zip(0..) {
        let profile = profiles
            .entry(event.shopper)
            .or_insert_with(|| Profile::new(event.shopper));
        let applied = profile.apply(event, offset, &rules).unwrap();
        folded += u64::from(applied.fate == foretide_events::Fate::Folded);
        let Some(known) = event.identity.user else {
            continue;
        };
        let previous = match &event.action {
            Action::Alias(alias) => Some(alias.previous_anonymous),
            _ => None,
        };
        for anonymous in event.identity.anonymous.into_iter().chain(previous) {
            let (at, id) = (event.at, IdHash::of(event.id.as_str()));
            let link = Link { at, id, known };
            let least = links.entry(anonymous).or_insert(link);
            *least = link.min(*least);
        }
    }
    for (anonymous, link) in links {
        let Some(mut source) = profiles.get(&anonymous).cloned() else {
            continue;
        };
        let offset = source.next_offset();
        let _ = source.apply_link(link, offset);
        let known = profiles.get_mut(&link.known).unwrap();
        let _ = known.contribute(source.contribution().unwrap(), &rules);
    }
    let mut digest = ProfileDigest::new();
    for profile in profiles.values() {
        digest.add(profile);
    }
    DigestReport {
        shoppers: profiles.len() as u64,
        digest: digest.finish(),
        events: folded,
    }
}

/// The digest of a table, without those who are known by a link alone.
fn digest_of(table: &ProfileTable, events: u64) -> DigestReport {
    let mut digest = ProfileDigest::new();
    for partition in 0..table.partitions() {
        table.for_each(partition, |profile| {
            if profile.newest_at().is_some() {
                digest.add(profile);
            }
        });
    }
    DigestReport {
        shoppers: digest.shoppers() as u64,
        digest: digest.finish(),
        events,
    }
}

async fn is_complete(rig: &Rig, running: &Running) {
    let waiting = running.counts.wait_complete(&rig.log, LONG);
    assert!(waiting.await.unwrap(), "waited in vain for the links");
}

async fn replayed(rig: &Rig) -> DigestReport {
    let replay = Replay {
        log: ReadOnlyLog::new(Arc::new(rig.log.clone())),
        begins: vec![0; rig.partitions as usize],
        ends: rig.log.end_offsets(ACTIONS).await.unwrap(),
        rules: FoldRules::default(),
        group: GroupName::new("foretide.replay.identity").unwrap(),
        member: "one".to_owned(),
        commits: false,
    };
    let never = CancellationToken::new();
    let replayed = replay.run(&never, |_| ()).await.unwrap();
    replayed.folded.digest()
}

async fn refolded(rig: &Rig) -> DigestReport {
    let log = ReadOnlyLog::new(Arc::new(rig.log.clone()));
    let folding = Refold::fold(&log, rig.partitions, FoldRules::default(), |_| ());
    let done = folding
        .await
        .unwrap()
        .publish(&rig.log, "refold", LONG, |_| ())
        .await;
    let done = done.unwrap();
    DigestReport {
        digest: done.digest,
        shoppers: done.shoppers,
        events: done.events,
    }
}

/// One step of a history: who, on which device, when, and how much later it arrives, in minutes.
type Step = (Option<u64>, Option<u64>, i64, i64);

/// Histories of three known shoppers on two devices and a shared one, within four days. What arrives out of order does so by
/// half a day at most, so nothing is late.
fn histories() -> impl Strategy<Value = Vec<Step>> {
    let who = prop_oneof![
        3 => (0..3_u64).prop_map(|on| (None, Some(on))),
        1 => (0..3_u64).prop_map(|known| (Some(known), None)),
        2 => (0..3_u64, 0..3_u64).prop_map(|(known, on)| (Some(known), Some(on))),
    ];
    let step = (who, 0..5_760_i64, 0..720_i64);
    let step = step.prop_map(|((known, on), minute, delay)| (known, on, minute, delay));
    prop::collection::vec(step, 5..160)
}

fn events_of(mut history: Vec<Step>) -> Vec<Event> {
    history.sort_by_key(|(_, _, minute, delay)| minute + delay);
    let events = history.iter().zip(0..);
    events
        .map(|((known, on, minute, _), n)| by(&format!("e-{n}"), *known, *on, *minute))
        .collect()
}

/// Lives through `lives` and a last undisturbed one while `events` arrive.
async fn check(events: Vec<Event>, lives: Vec<Life>) {
    let rig = Rig::new(3).await;
    let folder = tempfile::tempdir().unwrap();
    let expected = folded_at_once(&events);
    let mut arriving = events.chunks(1);
    for life in lives {
        let (running, course) = life.start(&rig, folder.path());
        for event in arriving.by_ref().take(life.arriving()) {
            rig.append(event).await;
            tokio::task::yield_now().await;
        }
        until("it dies or is done", async || {
            course.is_dead() || rig.is_all_committed().await
        })
        .await;
        running.crash().await;
    }
    for event in arriving {
        rig.append(event).await;
    }
    assert_eq!(rig.digest().await, expected, "before all is applied");
    let running = rig.instance().with_checkpoints(folder.path()).start();
    is_complete(&rig, &running).await;
    assert_eq!(digest_of(&running.table, expected.events), expected);
    assert_eq!(running.counts.total().total(), events.len() as u64);
    assert_eq!(running.counts.dead_letters(), 0);
    assert_eq!(running.metrics.links_refused.get(), 0);
    assert_eq!(rig.digest().await, expected);
    running.stop().await;
    assert_eq!(replayed(&rig).await, expected);

    // What was published is all that is needed; and so is the log.
    let running = rig.instance().start();
    until("it has restored", async || running.readiness.is_ready()).await;
    is_complete(&rig, &running).await;
    assert_eq!(digest_of(&running.table, expected.events), expected);
    running.stop().await;
    assert_eq!(refolded(&rig).await, expected);
    assert_eq!(rig.digest().await, expected);
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_interleaving_with_any_crashes_comes_to_one_fold_of_all(
        history in histories(),
        lives in lives(),
    ) {
        block_on(check(events_of(history), lives));
    }
}

/// A device's history before and after its owner signs in.
fn visit(known: u64, on: u64) -> Vec<Event> {
    let id = |n: i64| format!("{known}-{on}-{n}");
    let mut events: Vec<_> = (0..20).map(|n| by(&id(n), None, Some(on), n * 3)).collect();
    events.push(by(&id(20), Some(known), Some(on), 70));
    events.extend((21..30).map(|n| by(&id(n), Some(known), None, n * 4)));
    events.extend((30..40).map(|n| by(&id(n), None, Some(on), n * 5)));
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_before_signing_in_is_part_of_the_known_profile_after() {
    let rig = Rig::new(4).await;
    let events = visit(1, 1);
    let running = rig.instance().start();
    rig.append(&events).await;
    is_complete(&rig, &running).await;
    assert_eq!(rig.digest().await, folded_at_once(&events));
    let state = |who: &ShopperId| {
        let read = |profile: &Profile| (profile.state().actions(), profile.link().copied());
        running.table.read(who, read).unwrap()
    };
    assert_eq!(state(&shopper(1)), (40, None));
    let (own, link) = state(&device(1));
    assert_eq!((own, link.unwrap().known), (30, shopper(1)));

    // Each lies where its owner reads it.
    let partition = running.table.partition_of(&shopper(1));
    let held = rig.held(LINKS, partition).await;
    let keys: BTreeSet<_> = held.iter().map(|record| parse_key(&record.key)).collect();
    assert_eq!(keys, BTreeSet::from([Some((shopper(1), device(1)))]));
    let announced = rig.held(ACTIONS, running.table.partition_of(&device(1)));
    let announced = announced.await.into_iter().filter(|record| {
        let value = record.value.as_ref().unwrap();
        LinkRecord::is_one(value)
    });
    assert_eq!(announced.count(), 1, "one event named both");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_found_earlier_to_be_another_leaves_the_former_as_if_nothing_had_been() {
    let rig = Rig::new(3).await;
    let running = rig.instance().start();
    let mut all = Vec::new();
    // First a link to one, then an earlier one to another, then one earlier still to the first, and back.
    for (n, (known, minute)) in [(1, 500), (2, 400), (1, 300), (2, 200), (1, 450)]
        .into_iter()
        .enumerate()
    {
        let some = [
            by(&format!("a-{n}"), None, Some(7), minute - 5),
            by(&format!("b-{n}"), Some(known), Some(7), minute),
            by(&format!("c-{n}"), Some(known), None, minute + 5),
        ];
        rig.append(&some).await;
        all.extend(some);
        is_complete(&rig, &running).await;
        let expected = folded_at_once(&all);
        assert_eq!(digest_of(&running.table, expected.events), expected);
        assert_eq!(rig.digest().await, expected);
    }
    let sources = |who: u64| {
        let sources = |profile: &Profile| profile.sources().collect::<Vec<_>>();
        running.table.read(&shopper(who), sources).unwrap()
    };
    assert_eq!((sources(1), sources(2)), (vec![], vec![device(7)]));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_devices_are_one_person_and_a_fifth_is_refused_and_counted() {
    let rig = Rig::new(3).await;
    let running = rig.instance().start();
    let mut all = Vec::new();
    for on in 0..4 {
        let some = visit(1, on);
        rig.append(&some).await;
        all.extend(some);
    }
    is_complete(&rig, &running).await;
    assert_eq!(rig.digest().await, folded_at_once(&all));
    assert_eq!(running.metrics.links_refused.get(), 0);
    let before = running.table.read(&shopper(1), |p| p.state().actions());
    assert_eq!(before, Some(4 * 40));

    rig.append(&[
        by("fifth", None, Some(9), 100),
        by("signs-in", Some(1), Some(9), 110),
    ])
    .await;
    is_complete(&rig, &running).await;
    until("it is counted", async || {
        running.metrics.links_refused.get() > 0
    })
    .await;
    let after = running.table.read(&shopper(1), |p| p.state().actions());
    assert_eq!(after, Some(4 * 40 + 1), "only what is its own");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_were_used_under_the_name_alone_take_no_place_of_one_with_a_history() {
    let rig = Rig::new(3).await;
    let running = rig.instance().start();
    let mut all: Vec<_> = (10..16)
        .zip(0..)
        .map(|(on, n)| by(&format!("named-{on}"), Some(1), Some(on), n))
        .collect();
    all.push(by("before", None, Some(9), 20));
    all.push(by("signs-in", Some(1), Some(9), 30));
    for event in &all {
        rig.append(std::slice::from_ref(event)).await;
        is_complete(&rig, &running).await;
    }
    assert_eq!(rig.digest().await, folded_at_once(&all));
    let read = |profile: &Profile| {
        let sources: Vec<_> = profile.sources().collect();
        (profile.state().actions(), sources)
    };
    let known = running.table.read(&shopper(1), read).unwrap();
    assert_eq!(known, (8, vec![device(9)]));
    assert_eq!(running.metrics.links_refused.get(), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_joins_what_was_done_under_the_former_id() {
    let rig = Rig::new(3).await;
    let running = rig.instance().start();
    let mut events: Vec<_> = (0..10)
        .map(|n| by(&format!("a-{n}"), None, Some(3), n))
        .collect();
    let mut alias = by("alias", Some(1), None, 20);
    alias.action = Action::Alias(Alias {
        previous_user: shopper(2),
        previous_anonymous: device(3),
    });
    events.push(alias);
    rig.append(&events).await;
    is_complete(&rig, &running).await;
    assert_eq!(rig.digest().await, folded_at_once(&events));
    let actions = running.table.read(&shopper(1), |p| p.state().actions());
    assert_eq!(actions, Some(11));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_change_hands_meanwhile_leave_no_trace() {
    let rig = Rig::new(4).await;
    let all: Vec<_> = (0..6).flat_map(|n| visit(n, n)).collect();
    let mut portions = all.chunks(40);
    let mut appended = async || rig.append(portions.next().unwrap()).await;
    let one = rig.instance().named("one").start();
    appended().await;
    let two = rig.instance().named("two").start();
    appended().await;
    until("both have partitions", async || {
        two.readiness.is_ready() && two.metrics.partitions.get() > 0
    })
    .await;
    appended().await;
    one.crash().await;
    appended().await;
    let three = rig.instance().named("one").start();
    appended().await;
    two.stop().await;
    appended().await;
    until("it has them all", async || {
        three.metrics.partitions.get() == 4
    })
    .await;
    is_complete(&rig, &three).await;
    let expected = folded_at_once(&all);
    assert_eq!(digest_of(&three.table, expected.events), expected);
    assert_eq!(rig.digest().await, expected);
    three.stop().await;
    assert_eq!(replayed(&rig).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replayers_that_share_partitions_find_no_difference_where_they_cannot_see_both() {
    let rig = Rig::new(4).await;
    let all: Vec<_> = (0..6).flat_map(|n| visit(n, n)).collect();
    let running = rig.instance().start();
    rig.append(&all).await;
    is_complete(&rig, &running).await;
    running.stop().await;
    let log = ReadOnlyLog::new(Arc::new(rig.log.clone()));
    let published = fold_all(&log, 4, FoldRules::default(), |_| ());
    let published = published.await.unwrap();
    let one = Replay {
        log,
        begins: vec![0; 4],
        ends: published.positions(),
        rules: FoldRules::default(),
        group: GroupName::new("foretide.replay.shared").unwrap(),
        member: "one".to_owned(),
        commits: true,
    };
    let two = Replay {
        member: "two".to_owned(),
        ..one.clone()
    };
    let never = CancellationToken::new();
    let (one, two) = tokio::join!(one.run(&never, |_| ()), two.run(&never, |_| ()));
    for replayed in [one.unwrap(), two.unwrap()] {
        let own: Vec<u32> = replayed.stretches.keys().copied().collect();
        let found = compare(&published.table, &replayed.folded.table, own, 10);
        assert_eq!(found.differ, 0, "{found:?}");
    }
}

#[tokio::test]
async fn a_topic_of_links_that_lost_records_is_waited_for_and_then_refused() {
    let rig = Rig::new(1).await;
    let running = rig.instance().start();
    rig.append(&visit(1, 1)).await;
    is_complete(&rig, &running).await;
    running.stop().await;
    // The same profiles beside an empty topic of links.
    let other = Rig::new(1).await;
    other.append(&visit(1, 1)).await;
    let link = rig.held(ACTIONS, 0).await.pop().unwrap();
    let mut record = other.record(&visit(1, 1)[0]);
    (record.key, record.value) = (link.key, link.value);
    other.log.append(vec![record]).await.unwrap();
    other.append_profiles(rig.held(PROFILES, 0).await).await;
    tokio::time::pause();
    let ended = other.instance().start().task.await.unwrap();
    let ended = ended.unwrap_err().to_string();
    assert!(ended.contains("foretide.links/0 ends at 0"), "{ended}");
}
