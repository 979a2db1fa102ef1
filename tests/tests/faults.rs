//! Faults of every kind, with real processes: profiles end as if nothing had happened, and every event has one fate.
//! `foretide_tests::faults` says what is sent and what is compared; `FORETIDE_TEST_LONG=1` asks for more of everything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    os::unix::process::ExitStatusExt as _,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, sleep},
    time::Duration,
};

use foretide_tests::{
    broker::{Broker, Brokers},
    faults::{
        Dice, Feed, KEY, Undisturbed, assert_exact, seed, short_or_long, source_counts, undisturbed,
    },
    postgres,
    server::{Instances, Server, eventually},
};
use serde_json::json;

/// One at a time of the tests that have a broker.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The services apart over `broker`: one ingest, one scoring and so many processors.
fn apart(bootstrap: &str, processors: usize) -> Server {
    let instances = Instances {
        ingests: 1,
        processors,
        scorings: 1,
    };
    let database = postgres::fresh_database();
    Server::apart(bootstrap, &database, KEY, instances).with(&["--partitions", "4"])
}

/// Sends the shop's events as they arrive while `disturb` is at work.
fn send_while(server: &mut Server, expected: &Undisturbed, disturb: impl FnOnce(&mut Server)) {
    let arrival = expected.shop.arrival(seed());
    let mut feed = Feed::new(server.address(), &arrival);
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            feed.send_some(usize::MAX, 20, Duration::from_millis(40));
        });
        disturb(server);
        server.start();
        sending.join().unwrap();
    });
    assert_exact(server, feed.sent, expected);
}

/// Where a processor dies, and the how-manieth time it gets there.
const POINTS: [&str; 12] = [
    "before-commit:3",
    "in-transaction-before-offsets:2",
    "in-transaction-before-offsets:5",
    "in-transaction-before-end:2",
    "after-commit:1",
    "after-commit:4",
    "while-restoring:1",
    "while-restoring:3",
    "restored:1",
    "while-writing-a-checkpoint:40",
    "before-sealing-a-checkpoint:2",
    "between-checkpoints:3",
];

#[test]
fn a_processor_that_dies_at_any_point_leaves_no_trace_of_that() {
    let _turn = turn();
    let expected = undisturbed();
    let broker = Broker::start();
    let mut server = apart(&broker.bootstrap(), 1)
        .with_fault_points()
        .with_env("FORETIDE_CHECKPOINT_INTERVAL_S", "1");
    server.launch_one("ingest-1");
    server.launch_one("scoring-1");
    server.wait_ready(Duration::from_mins(1));
    let arrival = expected.shop.arrival(seed());
    let mut feed = Feed::new(server.address(), &arrival);
    for point in POINTS {
        server.launch_to_end_at("processor-1", point);
        let more_to_come = feed.left() / 3;
        let mut sent = 0;
        let ended = server
            .process("processor-1")
            .ended_within(Duration::from_mins(1), || {
                if sent < more_to_come {
                    feed.send(3);
                    sent += 3;
                }
                sleep(Duration::from_millis(20));
            });
        let ended =
            ended.unwrap_or_else(|| panic!("{point} is not reached:\n{}", server.log_tail()));
        assert_eq!(
            ended.signal(),
            Some(9),
            "{point}: {ended}\n{}",
            server.log_tail()
        );
    }
    server.start();
    feed.send_rest();
    assert_exact(&mut server, feed.sent, expected);
}

#[test]
fn kills_at_random_leave_embedded_profiles_as_they_would_have_been() {
    let expected = undisturbed();
    let mut server = Server::embedded().with_env("FORETIDE_CHECKPOINT_INTERVAL_S", "1");
    server.use_key(KEY);
    server.start();
    send_while(&mut server, expected, |server| {
        kill_at_random(server, "embedded", short_or_long(8, 60));
    });
}

#[test]
fn kills_at_random_leave_profiles_over_kafka_as_they_would_have_been() {
    let _turn = turn();
    let expected = undisturbed();
    let broker = Broker::start();
    let mut server =
        Server::kafka(&broker.bootstrap(), KEY).with_env("FORETIDE_CHECKPOINT_INTERVAL_S", "1");
    server.start();
    send_while(&mut server, expected, |server| {
        kill_at_random(server, "kafka", short_or_long(5, 40));
    });
}

/// Kills whatever is next, at moments that are drawn, and starts it again.
fn kill_at_random(server: &mut Server, purpose: &str, kills: usize) {
    let mut dice = Dice::new(seed(), purpose);
    for _ in 0..kills {
        sleep(Duration::from_millis(dice.below(1_500)));
        server.kill_next();
        server.launch();
        // Some are killed again before they are ready.
        if dice.below(3) > 0 {
            server.wait_ready(Duration::from_mins(1));
        }
    }
}

#[test]
fn a_broker_that_comes_and_goes_leaves_profiles_as_they_would_have_been() {
    let _turn = turn();
    let expected = undisturbed();
    let mut broker = Broker::start();
    let mut server = Server::kafka(&broker.bootstrap(), KEY);
    server.start();
    send_while(&mut server, expected, |_| {
        let mut dice = Dice::new(seed(), "broker");
        for restart in 0..short_or_long(3, 12) {
            sleep(Duration::from_millis(500 + dice.below(2_000)));
            if restart % 3 == 2 {
                broker.freeze();
                sleep(Duration::from_secs(short_or_long(3, 12)));
                broker.thaw();
            } else {
                broker.restart();
            }
        }
    });
}

#[test]
fn the_loss_of_one_broker_of_three_leaves_profiles_as_they_would_have_been() {
    let _turn = turn();
    let expected = undisturbed();
    let brokers = Brokers::start(3);
    let mut server = Server::kafka(brokers.bootstrap(), KEY);
    server.start();
    send_while(&mut server, expected, |_| {
        let mut dice = Dice::new(seed(), "brokers");
        for _ in 0..short_or_long(1, 6) {
            sleep(Duration::from_millis(500 + dice.below(1_500)));
            brokers.kill(1 + usize::try_from(dice.below(3)).unwrap());
            sleep(Duration::from_millis(500 + dice.below(4_000)));
            brokers.restart();
        }
    });
}

#[test]
fn processors_that_come_and_go_leave_profiles_as_they_would_have_been() {
    const NAMES: [&str; 4] = ["processor-1", "processor-2", "processor-3", "processor-4"];
    let _turn = turn();
    let expected = undisturbed();
    let broker = Broker::start();
    let mut server = apart(&broker.bootstrap(), 4).with_env("FORETIDE_CHECKPOINT_INTERVAL_S", "1");
    for name in ["ingest-1", "scoring-1", "processor-1"] {
        server.launch_one(name);
    }
    server.wait_ready(Duration::from_mins(1));
    send_while(&mut server, expected, |server| {
        let mut dice = Dice::new(seed(), "storm");
        for _ in 0..short_or_long(16, 100) {
            let name = dice.one_of(&NAMES);
            let process = server.process(name);
            match (process.is_started(), dice.below(2)) {
                (true, 0) => process.kill(),
                (true, _) => process.stop(),
                (false, _) => server.launch_one(name),
            }
            sleep(Duration::from_millis(dice.below(1_500)));
        }
    });
}

/// How old the knowledge is that a decision about `user` rests on, in milliseconds; `None` while it says that it has none.
fn age_of_knowledge(server: &Server, user: &str) -> Option<u64> {
    let answer = server.post("/v1/decisions", &json!({ "shopper": { "user_id": user } }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let age = answer.body["features_age_ms"].as_u64();
    let says_so = answer.body["reasons"]
        .to_string()
        .contains("features_not_ready");
    assert!(age.is_some() || says_so, "{}", answer.body);
    age
}

#[test]
fn scoring_answers_and_states_the_age_of_what_it_knows_while_processors_are_away_and_restore() {
    let _turn = turn();
    let expected = undisturbed();
    let broker = Broker::start();
    let mut server = apart(&broker.bootstrap(), 1).with_fault_points();
    server.start();
    let mut feed = Feed::new(server.address(), &expected.shop.arrival(seed()));
    feed.send_some(20, 50, Duration::ZERO);
    source_counts(&server);
    let user = expected
        .shop
        .events
        .iter()
        .find_map(|event| event["shopper"]["user_id"].as_str());
    let user = user.unwrap();
    assert!(age_of_knowledge(&server, user).is_some());
    // It dies again and again before it has restored anything.
    server.process("processor-1").kill();
    let mut oldest = 0;
    for _ in 0..2 {
        server.launch_to_end_at("processor-1", "while-restoring:1");
        let shared = server.address();
        let ended = server
            .process("processor-1")
            .ended_within(Duration::from_mins(1), || {
                let answer = shared.decide(user);
                assert_eq!(answer.status, 200, "{}", answer.body);
                let age = answer.body["features_age_ms"].as_u64().unwrap();
                oldest = oldest.max(age);
            });
        assert!(ended.is_some(), "{}", server.log_tail());
    }
    assert!(oldest > 0, "what is known gets older meanwhile");
    server.start();
    feed.send_rest();
    let young = || age_of_knowledge(&server, user).is_some_and(|age| age < oldest);
    assert!(eventually(young), "it gets young again");
    assert_exact(&mut server, feed.sent, expected);
}

#[test]
fn one_process_answers_while_it_restores() {
    let expected = undisturbed();
    let mut server = Server::embedded();
    server.use_key(KEY);
    server.start();
    let mut feed = Feed::new(server.address(), &expected.shop.arrival(seed()));
    feed.send_some(20, 50, Duration::ZERO);
    server.kill();
    server.launch();
    // From the first answer on: without knowledge at first, and saying so.
    let mut asked = 0;
    while server.readiness() != Some(200) || asked == 0 {
        let answer = server.post("/v1/decisions", &json!({ "shopper": { "user_id": "ann" } }));
        if answer.status == 200 {
            age_of_knowledge(&server, "ann");
            asked += 1;
        } else {
            // Not wired yet, or not listening.
            assert!(
                matches!(answer.status, 0 | 503),
                "{} {}",
                answer.status,
                answer.body
            );
        }
    }
    feed.send_rest();
    assert_exact(&mut server, feed.sent, expected);
}
