//! Sessions that are over are announced, once in effect.

use std::collections::BTreeMap;

use foretide_events::{Action, EpochMs, Event, Identify};
use foretide_features::FoldRules;
use foretide_ports::{Log, SESSIONS};
use serde_json::Value;

use crate::support::{Dice, NOW_MS, Rig, event, shopper, until};

const MINUTE_MS: i64 = 60_000;

fn minute(minute: i64) -> EpochMs {
    EpochMs(NOW_MS + minute * MINUTE_MS)
}

/// A product view (flavour 0), cart add (1) or search (2) at so many minutes after [`NOW_MS`].
fn at(id: &str, who: u64, minutes: i64, flavour: u64) -> Event {
    event(id, who, minute(minutes), flavour)
}

impl Rig {
    /// Everything announced so far, in order, of all partitions.
    async fn announced(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for partition in 0..self.partitions {
            for record in self.held(SESSIONS, partition).await {
                let value: Value = serde_json::from_slice(&record.value.unwrap()).unwrap();
                assert_eq!(
                    value["shopper_id"].as_str().unwrap().as_bytes(),
                    &record.key[..]
                );
                all.push(value);
            }
        }
        all
    }

    /// What a reader is left with: of each id the record with the highest revision, unless it was withdrawn.
    async fn sessions(&self) -> BTreeMap<String, Value> {
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        for record in self.announced().await {
            let id = record["id"].as_str().unwrap().to_owned();
            let older = last.get(&id).is_some_and(|known| {
                known["revision"].as_u64().unwrap() > record["revision"].as_u64().unwrap()
            });
            assert!(!older, "a revision went back: {record}");
            last.insert(id, record);
        }
        last.retain(|_, record| record["withdrawn"] != true);
        last
    }

    async fn until_announced(&self, count: u64) {
        until("sessions are announced", async || {
            let ends = self.log.end_offsets(SESSIONS).await.unwrap();
            ends.iter().sum::<u64>() >= count
        })
        .await;
    }

    fn now_is(&self, minutes: i64) {
        self.clock.set(NOW_MS + minutes * MINUTE_MS);
    }
}

#[tokio::test]
async fn a_shopper_who_does_not_return_is_announced_half_an_hour_after_the_last_action() {
    let rig = Rig::new(3).await;
    let running = rig.instance().start();
    rig.now_is(6);
    rig.append(&[at("a", 1, 0, 0), at("b", 1, 5, 1), at("c", 2, 6, 2)])
        .await;
    rig.until_all_committed().await;
    assert!(rig.announced().await.is_empty());
    // A second is how exact the timer is.
    rig.clock.set(NOW_MS + 35 * MINUTE_MS + 2_000);
    rig.until_announced(1).await;
    let announced = rig.announced().await;
    assert_eq!(announced.len(), 1, "{announced:?}");
    let session = &announced[0];
    assert_eq!(session["id"], format!("{}/session/{NOW_MS}", shopper(1)));
    assert_eq!(
        session["ended_at"],
        serde_json::to_value(minute(5)).unwrap()
    );
    assert_eq!(
        (&session["actions"], &session["cart_adds"]),
        (&2.into(), &1.into())
    );
    assert_eq!(session["cart"]["products"][0], "p8", "{session}");
    assert_eq!(session["purchased"], false);
    rig.now_is(37);
    rig.until_announced(2).await;
    running.stop().await;
    assert_eq!(rig.sessions().await.len(), 2);
}

#[tokio::test]
async fn a_timer_changes_no_profile_and_what_goes_on_is_announced_when_it_ends() {
    let rig = Rig::new(1).await;
    let running = rig.instance().start();
    rig.append(&[at("a", 1, 0, 0)]).await;
    rig.until_all_committed().await;
    rig.now_is(25);
    rig.append(&[at("b", 1, 25, 0)]).await;
    rig.until_all_committed().await;
    let before = rig.digest().await;
    // The first moment passes without an announcement, the one that counts comes later.
    rig.now_is(40);
    rig.append(&[at("other", 2, 40, 0)]).await;
    rig.until_all_committed().await;
    assert!(rig.announced().await.is_empty());
    rig.now_is(56);
    rig.until_announced(1).await;
    let expected = rig.expected().await.digest;
    running.stop().await;
    assert_eq!(rig.digest().await, expected);
    assert_ne!(before, expected, "another shopper came");
    assert_eq!(rig.announced().await[0]["actions"], 2);
}

#[tokio::test]
async fn a_later_session_leaves_the_former_one_announced() {
    let rig = Rig::new(1).await;
    let running = rig.instance().start();
    // A backlog: both sessions, and the pause between, come with one commit.
    rig.now_is(200);
    rig.append(&[at("a", 1, 0, 0), at("b", 1, 50, 0), at("c", 1, 190, 0)])
        .await;
    rig.until_announced(2).await;
    rig.until_all_committed().await;
    running.stop().await;
    let sessions = rig.sessions().await;
    let starts: Vec<_> = sessions
        .values()
        .map(|session| session["started_at"].clone())
        .collect();
    let expected = [0, 50].map(|of| serde_json::to_value(minute(of)).unwrap());
    assert_eq!(starts, expected);
}

#[tokio::test]
async fn history_is_not_announced() {
    let rig = Rig::new(1).await;
    let running = rig.instance().start();
    rig.now_is(1);
    let day = 24 * 60;
    rig.append(&[
        at("old", 1, -3 * day, 0),
        at("older", 2, -90 * day, 0),
        at("c", 1, -2 * day, 0),
    ])
    .await;
    // What comes within a day is.
    rig.append(&[at("delayed", 3, -20 * 60, 0)]).await;
    rig.until_announced(1).await;
    rig.until_all_committed().await;
    running.stop().await;
    // Nor is it after a restart.
    let again = rig.instance().start();
    rig.append(&[at("new", 4, 0, 0)]).await;
    rig.until_all_committed().await;
    rig.now_is(40);
    let fourth = format!("{}/session/{NOW_MS}", shopper(4));
    until("the new one is announced", async || {
        rig.sessions().await.contains_key(&fourth)
    })
    .await;
    again.stop().await;
    let sessions = rig.sessions().await;
    assert_eq!(sessions.len(), 2, "{sessions:?}");
}

#[tokio::test]
async fn an_event_out_of_order_raises_the_revision_of_the_session_it_changes() {
    let rig = Rig::new(1).await;
    let running = rig.instance().start();
    rig.now_is(100);
    rig.append(&[at("a", 1, 0, 0), at("b", 1, 60, 0)]).await;
    rig.until_announced(2).await;
    rig.append(&[at("late", 1, 10, 0)]).await;
    rig.until_announced(3).await;
    rig.until_all_committed().await;
    running.stop().await;
    let sessions = rig.sessions().await;
    assert_eq!(sessions.len(), 2);
    let first = &sessions[&format!("{}/session/{NOW_MS}", shopper(1))];
    assert_eq!(
        (&first["actions"], &first["revision"]),
        (&2.into(), &3.into())
    );
}

#[tokio::test]
async fn a_session_that_turns_out_to_be_part_of_another_is_withdrawn() {
    let rig = Rig::new(1).await;
    let running = rig.instance().start();
    rig.now_is(300);
    rig.append(&[at("a", 1, 0, 0), at("b", 1, 40, 0), at("c", 1, 200, 0)])
        .await;
    rig.until_announced(3).await;
    rig.until_all_committed().await;
    assert_eq!(rig.sessions().await.len(), 3);
    rig.append(&[at("between", 1, 20, 0), at("ahead", 1, 180, 0)])
        .await;
    until("both are joined", async || {
        let sessions = rig.sessions().await;
        let spans: Vec<_> = sessions
            .values()
            .map(|s| (s["started_at"].clone(), s["actions"].clone()))
            .collect();
        let time = |minutes| serde_json::to_value(minute(minutes)).unwrap();
        spans == [(time(0), 3.into()), (time(180), 2.into())]
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn what_fell_due_while_nobody_worked_is_announced_at_the_next_start() {
    for checkpoints in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let instance = |rig: &Rig| {
            let instance = rig.instance();
            if checkpoints {
                instance.with_checkpoints(folder.path())
            } else {
                instance
            }
        };
        let rig = Rig::new(2).await;
        let running = instance(&rig).start();
        rig.append(
            &(0..20)
                .map(|n| at(&n.to_string(), n, 0, n))
                .collect::<Vec<_>>(),
        )
        .await;
        rig.until_all_committed().await;
        running.stop().await;
        assert!(rig.announced().await.is_empty());
        rig.now_is(5 * 24 * 60);
        let again = instance(&rig).start();
        rig.until_announced(20).await;
        again.stop().await;
        assert_eq!(rig.sessions().await.len(), 20);
    }
}

/// Random actions over a day, with kills, duplicates and disorder: what a reader is left with is what a plain fold of each
/// shopper's own times comes to.
#[tokio::test]
async fn whatever_happens_each_session_that_is_over_is_left_announced_as_it_was() {
    for seed in 0..6 {
        let mut dice = Dice::new(seed);
        let rig = Rig::new(3).await;
        let mut times: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        let mut sent: Vec<Event> = Vec::new();
        for round in 0..12_i64 {
            let running = rig.instance().start();
            rig.now_is((round + 1) * 60);
            let mut batch = Vec::new();
            for n in 0..20 {
                let who = dice.below(8);
                let back = dice.below(if n % 3 == 0 { 600 } else { 60 }).cast_signed();
                let minutes = (round * 60 + 59 - back).max(0);
                times.entry(who).or_default().push(minutes);
                batch.push(at(&format!("{round}-{n}"), who, minutes, dice.below(3)));
            }
            if !sent.is_empty() {
                batch.extend((0..6).map(|_| sent[dice.below(sent.len() as u64) as usize].clone()));
            }
            rig.append(&batch).await;
            sent.extend(batch);
            if dice.below(2) == 0 {
                rig.until_all_committed().await;
            }
            running.crash().await;
        }
        let running = rig.instance().start();
        rig.now_is(14 * 60);
        let expected = expected_sessions(&times);
        let told = async || {
            let sessions = rig.sessions().await;
            let told = sessions
                .into_iter()
                .map(|(id, s)| (id, s["actions"].as_u64().unwrap()));
            told.collect::<BTreeMap<_, _>>()
        };
        until(&format!("seed {seed}: all is announced"), async || {
            told().await == expected
        })
        .await;
        running.stop().await;
    }
}

/// The sessions of these times, in minutes: id and number of actions.
fn expected_sessions(times: &BTreeMap<u64, Vec<i64>>) -> BTreeMap<String, u64> {
    let gap = FoldRules::default().session_gap_ms / MINUTE_MS;
    let mut sessions = BTreeMap::new();
    for (who, times) in times {
        let mut times = times.clone();
        times.sort_unstable();
        for session in times.chunk_by(|one, next| next - one <= gap) {
            let id = format!("{}/session/{}", shopper(*who), minute(session[0]).0);
            sessions.insert(id, session.len() as u64);
        }
    }
    sessions
}

/// An event of shopper 1 on the device of shopper 2, or on the device alone.
fn on_device(id: &str, minutes: i64, is_named: bool) -> Event {
    let identity = foretide_events::Identity {
        user: is_named.then(|| shopper(1)),
        anonymous: Some(shopper(2)),
    };
    Event {
        shopper: identity.shopper().unwrap(),
        identity,
        ..at(id, 1, minutes, 0)
    }
}

#[tokio::test]
async fn a_session_whose_shopper_comes_out_after_it_was_announced_is_left_once() {
    let rig = Rig::new(3).await;
    let running = rig.instance().start();
    rig.now_is(10);
    rig.append(&[on_device("a", 0, false), on_device("b", 10, false)])
        .await;
    rig.until_all_committed().await;
    rig.now_is(60);
    rig.until_announced(1).await;
    // It was part of that session, and says whose it was.
    rig.append(&[on_device("c", 12, true)]).await;
    rig.until_all_committed().await;
    let known = format!("{}/session/{NOW_MS}", shopper(1));
    until("one session of the known shopper is left", async || {
        let sessions = rig.sessions().await;
        let only = sessions.get(&known).filter(|_| sessions.len() == 1);
        only.is_some_and(|session| session["actions"] == 3)
    })
    .await;
    running.stop().await;
    assert_eq!(rig.sessions().await.len(), 1);
}

#[tokio::test]
async fn a_session_that_cannot_be_told_apart_any_more_stays_announced() {
    let rig = Rig::new(3).await;
    let running = rig.instance().start();
    rig.append(&[at("f", 1, 0, 0)]).await;
    rig.until_all_committed().await;
    rig.now_is(40);
    rig.until_announced(1).await;
    // Two visits of a new device, more than a day apart, of which the second says at last whose it is.
    let (first, second) = (42 * 60, 72 * 60);
    rig.now_is(first);
    rig.append(&[on_device("a", first, false)]).await;
    rig.until_all_committed().await;
    rig.now_is(first + 40);
    rig.until_announced(2).await;
    rig.now_is(second + 2);
    let signs_in = Event {
        action: Action::Identify(Identify::default()),
        ..on_device("c", second + 2, true)
    };
    rig.append(&[on_device("b", second, false), signs_in]).await;
    rig.until_all_committed().await;
    rig.now_is(second + 40);
    let id = |minutes| format!("{}/session/{}", shopper(1), minute(minutes).0);
    until("the visit of the day is announced", async || {
        rig.sessions().await.contains_key(&id(second))
    })
    .await;
    running.stop().await;
    let sessions = rig.sessions().await;
    assert!(sessions.contains_key(&id(0)), "{sessions:?}");
    let all = rig.announced().await;
    // What began with the sign-in is part of the visit; nothing else is taken back.
    let withdrawn = all.iter().filter(|record| record["withdrawn"] == true);
    let withdrawn: Vec<_> = withdrawn.map(|record| record["id"].as_str()).collect();
    assert_eq!(withdrawn, [Some(&*id(second + 2))]);
}

#[tokio::test]
async fn a_session_announced_of_a_device_that_is_in_use_again_is_left_once() {
    let rig = Rig::new(3).await;
    let running = rig.instance().start();
    rig.now_is(10);
    rig.append(&[on_device("a", 0, false), on_device("b", 10, false)])
        .await;
    rig.until_all_committed().await;
    rig.now_is(60);
    rig.until_announced(1).await;
    rig.now_is(70);
    rig.append(&[on_device("d", 70, false)]).await;
    rig.until_all_committed().await;
    // It says whose the first session was.
    rig.append(&[on_device("c", 12, true)]).await;
    rig.until_all_committed().await;
    let id = |minutes| format!("{}/session/{}", shopper(1), minute(minutes).0);
    let left = async || {
        let sessions = rig.sessions().await.into_iter();
        let left = sessions.map(|(id, session)| (id, session["actions"].as_u64().unwrap()));
        left.collect::<Vec<_>>()
    };
    until("the first is the known shopper's alone", async || {
        left().await == [(id(0), 3)]
    })
    .await;
    rig.now_is(110);
    until("the second is too", async || {
        left().await == [(id(0), 3), (id(70), 1)]
    })
    .await;
    running.stop().await;
}
