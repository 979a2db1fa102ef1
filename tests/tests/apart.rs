//! The services apart, over a real Kafka broker and a real PostgreSQL: two of each share the work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, sleep},
    time::Duration,
};

use foretide_tests::{
    broker::Broker,
    haproxy::Haproxy,
    postgres::{self, Postgres},
    scenario, segment,
    server::{ADMIN_KEY, Address, Instances, Server, WRITE_KEY, eventually, send},
};
use serde_json::{Value, json};

const KEY: &[u8] = b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";

/// One test at a time: each has a broker and six processes.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn the_loop_and_bad_input_are_as_in_one_process() {
    let _turn = turn();
    let broker = Broker::start();
    let database = postgres::fresh_database();
    let mut server = Server::apart(&broker.bootstrap(), &database, KEY, Instances::TWO);
    scenario::a_clickstream_becomes_profiles_and_offers(&mut server, 2000, 50);
    server.start();
    scenario::the_write_key_neither_reads_nor_decides(&server);
    let taken = scenario::one_bad_event_harms_no_neighbour(&server)
        + scenario::a_body_that_cannot_be_taken_is_refused(&server)
        + scenario::the_numbers_can_be_watched(&server);
    scenario::a_decision_is_recorded_unless_it_is_dry(&mut server);
    assert_eq!(server.digest()["events"], 2000 + taken);
}

#[test]
fn without_their_broker_they_acknowledge_nothing_say_so_and_recover() {
    let _turn = turn();
    let mut broker = Broker::start();
    let database = postgres::fresh_database();
    let mut server = Server::apart(&broker.bootstrap(), &database, KEY, Instances::TWO);
    scenario::without_its_broker_nothing_is_acknowledged(&mut broker, &mut server);
}

#[test]
fn behind_the_gateway_as_shipped_decisions_go_on_without_the_broker() {
    let _turn = turn();
    let mut broker = Broker::start();
    let database = postgres::fresh_database();
    let instances = Instances {
        ingests: 1,
        processors: 1,
        scorings: 1,
    };
    let mut server = Server::apart(&broker.bootstrap(), &database, KEY, instances);
    server.start();
    let gateway = Haproxy::before(&mut server, &["ingest-1"], &["scoring-1"]);
    let json_type = [("Content-Type", "application/json")];
    let ask = json!({ "shopper": { "user_id": "user-0" } }).to_string();
    let decide = || {
        let url = format!("{}/v1/decisions", gateway.url());
        send("POST", &url, ADMIN_KEY, &json_type, ask.as_bytes()).status
    };
    let take = |name: &str| {
        let body = segment::batch(name, 2, 1).to_string();
        let url = format!("{}/v1/batch", gateway.url());
        send("POST", &url, WRITE_KEY, &json_type, body.as_bytes())
    };
    assert!(eventually(
        || take("before").status == 200 && decide() == 200
    ));

    broker.kill();
    // The gateway no longer asks ingest, which says that it is not ready.
    assert!(eventually(|| take("during").body["code"] == "unavailable"));
    assert!(eventually(|| {
        let said = server.process("scoring-1").readiness();
        said.is_some_and(|(_, text)| text.contains("the log is away"))
    }));
    // For longer than it needs to find out that an instance is not ready.
    for _ in 0..30 {
        assert_eq!(decide(), 200, "{}", server.log_tail());
        sleep(Duration::from_millis(100));
    }
    let said = server.process("scoring-1").readiness();
    assert_eq!(said.map(|(status, _)| status), Some(200));

    broker.restart();
    assert!(
        eventually(|| take("after").status == 200),
        "{}",
        server.log_tail()
    );
    server.stop();
}

/// The counts of the events that were sent with the write key, as one instance of scoring tells them.
fn counts(server: &mut Server, scoring: &str) -> Value {
    let url = format!(
        "http://127.0.0.1:{}/v1/sources/key:04c0218b?wait_ms=15000",
        server.process(scoring).port()
    );
    send("GET", &url, ADMIN_KEY, &[], b"").body
}

/// A batch of two events of one shopper and one of nobody.
fn with_one_rejected(name: &str) -> Vec<u8> {
    let mut batch = segment::batch(name, 3, 1);
    batch["batch"][1] =
        json!({ "type": "track", "event": "Product Viewed", "messageId": format!("{name}-bad") });
    batch.to_string().into_bytes()
}

/// Sends such a batch to each instance of ingest.
fn reject_on_both(server: &mut Server, name: &str) {
    for ingest in ["ingest-1", "ingest-2"] {
        let url = format!(
            "http://127.0.0.1:{}/v1/batch",
            server.process(ingest).port()
        );
        let headers = [("Content-Type", "application/json")];
        let body = with_one_rejected(&format!("{name}-{ingest}"));
        let answer = send(
            "POST",
            &url,
            foretide_tests::server::WRITE_KEY,
            &headers,
            &body,
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[test]
fn every_scoring_instance_tells_the_same_and_a_lost_database_stops_nothing() {
    let _turn = turn();
    let broker = Broker::start();
    let mut postgres = Postgres::start();
    let database = postgres.url().to_owned();
    let mut server = Server::apart(&broker.bootstrap(), &database, KEY, Instances::TWO);
    for name in [
        "ingest-1",
        "ingest-2",
        "processor-1",
        "processor-2",
        "scoring-1",
    ] {
        server.launch_one(name);
    }
    server.wait_ready(Duration::from_mins(1));

    // Both ingests count what they reject into one sum.
    reject_on_both(&mut server, "before");
    let rejected = |body: &Value| body["rejected"]["missing_identity"].clone();
    assert!(
        eventually(|| rejected(&counts(&mut server, "scoring-1")) == 2),
        "{}",
        counts(&mut server, "scoring-1")
    );

    // Without the database events are taken and decisions made; only the counts cannot be told.
    postgres.kill();
    reject_on_both(&mut server, "during");
    let ask = json!({ "shopper": { "user_id": "user-0" } });
    let decision = server.post("/v1/decisions", &ask);
    assert_eq!(decision.status, 200, "{}", decision.body);
    assert!(
        eventually(|| counts(&mut server, "scoring-1")["code"] == "database_away"),
        "{}",
        counts(&mut server, "scoring-1")
    );
    assert!(eventually(|| {
        server
            .process("ingest-1")
            .metrics()
            .contains("foretide_database_up 0")
    }));
    assert_eq!(
        server.readiness(),
        Some(200),
        "nothing is less ready for it"
    );

    // An instance that is started meanwhile waits, and says for what.
    server.launch_one("scoring-2");
    assert!(eventually(|| {
        let said = server.process("scoring-2").readiness();
        said.is_some_and(|(status, text)| status == 503 && text.contains("the database is away"))
    }));
    postgres.restart();
    // Once it says that it is ready it knows everybody: asked at that moment.
    let url = format!(
        "http://127.0.0.1:{}/v1/shoppers?user_id=user-0",
        server.process("scoring-2").port()
    );
    assert!(
        eventually(|| server
            .process("scoring-2")
            .readiness()
            .is_some_and(|(status, _)| status == 200)),
        "{}",
        server.log_tail()
    );
    assert_eq!(send("GET", &url, ADMIN_KEY, &[], b"").status, 200);

    for scoring in ["scoring-1", "scoring-2"] {
        assert!(
            eventually(|| rejected(&counts(&mut server, scoring)) == 4),
            "{}",
            counts(&mut server, scoring)
        );
        let told = counts(&mut server, scoring);
        assert_eq!(
            (&told["folded"], &told["complete"]),
            (&json!(8), &json!(true)),
            "{told}"
        );
    }
    let log = server.process("ingest-2").log();
    assert_eq!(log.matches("the database does not answer").count(), 1);
    assert_eq!(log.matches("the database is there again").count(), 1);
    server.stop();
}

/// Sends events, ten a batch, until told to end; each batch until it is acknowledged, and every seventh once more. Returns
/// how many different events it sent.
fn send_until(address: &Address, done: &AtomicBool) -> usize {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let batch = numbered(number);
                    send_until_taken(address, &batch);
                    if number.is_multiple_of(7) {
                        send_until_taken(address, &batch);
                    }
                    sleep(Duration::from_millis(20));
                }
            });
        }
    });
    next.into_inner() * BATCH
}

/// Sends `batch` until it is acknowledged.
fn send_until_taken(address: &Address, batch: &Value) {
    let body = batch.to_string();
    while address.ingest("/v1/batch", body.as_bytes()).status != 200 {
        sleep(Duration::from_millis(50));
    }
}

const BATCH: usize = 10;

/// The batch with this number: events one second apart, over 400 people.
fn numbered(number: usize) -> Value {
    let items = (number * BATCH..(number + 1) * BATCH).map(|place| segment::item("e", place, 400));
    json!({ "batch": items.collect::<Vec<_>>() })
}

/// Makes processors come and go: fifty joins and leaves, in peace and by `kill -9`, one or both at a time.
fn come_and_go(server: &mut Server) {
    for change in 0..25 {
        let name = ["processor-1", "processor-2"][change % 2];
        match change % 5 {
            // In peace: its partitions are handed over.
            0 | 3 => server.process(name).stop(),
            // For so long that the other one takes over what it had.
            2 if change == 12 => {
                server.process(name).kill();
                sleep(Duration::from_secs(11));
            }
            1 | 2 => server.process(name).kill(),
            // Both at once.
            _ => {
                server.process("processor-1").kill();
                server.process("processor-2").kill();
            }
        }
        sleep(Duration::from_millis(100 + 70 * (change as u64 % 7)));
        server.launch();
        sleep(Duration::from_millis(400 + 130 * (change as u64 % 9)));
    }
}

#[test]
fn fifty_joins_and_leaves_lose_no_event_and_fold_none_twice() {
    let _turn = turn();
    let broker = Broker::start();
    let database = postgres::fresh_database();
    let mut server = Server::apart(&broker.bootstrap(), &database, KEY, Instances::TWO);
    server.start();
    let done = AtomicBool::new(false);
    // The same address, while the processes behind it come and go.
    let sender = server.address();
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| send_until(&sender, &done));
        come_and_go(&mut server);
        done.store(true, Ordering::Relaxed);
        sending.join().unwrap()
    });
    server.wait_ready(Duration::from_mins(1));
    for scoring in ["scoring-1", "scoring-2"] {
        assert!(eventually(
            || counts(&mut server, scoring)["complete"] == true
        ));
        let told = counts(&mut server, scoring);
        let count = |name: &str| told[name].as_u64().unwrap();
        assert_eq!(count("folded"), sent as u64, "{told}");
        assert_eq!(count("late"), 0, "{told}");
        assert_eq!(
            count("accepted"),
            count("folded") + count("duplicate"),
            "{told}"
        );
        assert!(count("duplicate") > 0, "{told}");
    }
    server.stop();
    assert_eq!(server.digest(), undisturbed(sent));
}

/// What the same events fold to where nothing comes and goes.
fn undisturbed(events: usize) -> Value {
    let mut calm = Server::embedded();
    std::fs::create_dir_all(calm.directory().join("data")).unwrap();
    std::fs::write(calm.directory().join("data/pseudonym.key"), KEY).unwrap();
    calm.start();
    for number in 0..events / BATCH {
        send_until_taken(&calm.address(), &numbered(number));
    }
    calm.stop();
    calm.digest()
}
