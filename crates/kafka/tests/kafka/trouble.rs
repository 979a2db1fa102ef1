//! A broker that dies, freezes and comes back. Each test has one of its own.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use foretide_ports::{
    Log, LogError,
    conformance::{self, Harness},
};
use foretide_tests::broker::Broker;
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};

use crate::common::{A_MOMENT, DEADLINE, assigned, connect, consume, in_time, record, spec, texts};

/// A log on a broker of its own that can be killed.
struct Own {
    broker: Mutex<Broker>,
}

impl Own {
    fn new() -> Self {
        Self {
            broker: Mutex::new(Broker::start()),
        }
    }
}

#[async_trait]
impl Harness for Own {
    async fn open(&self, instance: &str) -> Arc<dyn Log> {
        connect(&self.broker.lock().bootstrap(), instance)
    }

    async fn crash(&self) -> bool {
        tokio::task::block_in_place(|| {
            let mut broker = self.broker.lock();
            settle(&broker);
            broker.restart();
        });
        true
    }

    async fn set_away(&self, away: bool) -> bool {
        tokio::task::block_in_place(|| {
            let mut broker = self.broker.lock();
            if away {
                broker.kill();
            } else {
                broker.restart();
            }
        });
        true
    }
}

/// Waits until every transaction that was committed has its marks on all its partitions. A broker that is killed before,
/// and has no others to take over, forgets them (Kafka 4.3.1): that is not what is tried here.
fn settle(broker: &Broker) {
    let client = |isolation: &str| -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap())
            .set("isolation.level", isolation)
            .create()
            .unwrap()
    };
    let (written, committed) = (client("read_uncommitted"), client("read_committed"));
    let metadata = written.fetch_metadata(None, DEADLINE).unwrap();
    for topic in metadata.topics() {
        for partition in topic.partitions() {
            let end = |client: &BaseConsumer| {
                client
                    .fetch_watermarks(topic.name(), partition.id(), DEADLINE)
                    .unwrap()
                    .1
            };
            while end(&committed) < end(&written) {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_comes_back_with_its_broker() {
    let own = Own::new();
    let checks = [
        conformance::an_absent_log_refuses_and_comes_back(&own).await,
        conformance::acknowledged_records_survive_a_crash(&own).await,
        conformance::committed_offsets_survive_a_crash(&own).await,
    ];
    assert_eq!(checks, [conformance::Outcome::Passed; 3]);
}

/// Whatever is asked of a log whose broker is frozen or dead is answered, with an error, in bounded time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_waits_for_ever_for_a_frozen_or_dead_broker() {
    let mut broker = Broker::start();
    let log = connect(&broker.bootstrap(), "a");
    let spec = spec(2);
    log.declare(&[spec]).await.unwrap();
    log.append(vec![record(spec.name, 0, "1")]).await.unwrap();
    for dead in [false, true] {
        if dead {
            broker.kill();
        } else {
            broker.freeze();
        }
        // Its health is red before an append gives up.
        tokio::select! {
            _ = log.append(vec![record(spec.name, 1, "2")]) => panic!("an append gave up first"),
            health = log.health() => assert!(matches!(health, Err(LogError::Away(_))), "{health:?}"),
        }
        let (append, ends, committed, reader, join) = in_time(async {
            tokio::join!(
                log.append(vec![record(spec.name, 1, "2")]),
                log.end_offsets(spec.name),
                log.committed("group", spec.name),
                log.reader(spec.name, &[(0, 0)]),
                log.join("group", spec.name, "m"),
            )
        })
        .await;
        assert!(matches!(append, Err(LogError::Away(_))), "{append:?}");
        assert!(matches!(ends, Err(LogError::Away(_))), "{ends:?}");
        assert!(matches!(committed, Err(LogError::Away(_))), "{committed:?}");
        assert!(matches!(reader.map(drop), Err(LogError::Away(_))));
        assert!(matches!(join.map(drop), Err(LogError::Away(_))));
        if dead {
            broker.restart();
        } else {
            broker.thaw();
        }
        in_time(async {
            while log.append(vec![record(spec.name, 1, "3")]).await.is_err() {}
            while log.health().await.is_err() {}
        })
        .await;
    }
}

/// A member survives the restart of its broker: it goes on where it was and its commits come true again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_goes_on_after_its_broker_came_back() {
    let mut broker = Broker::start();
    let log = connect(&broker.bootstrap(), "a");
    let (input, output) = (spec(1), spec(1));
    log.declare(&[input, output]).await.unwrap();
    log.append(vec![record(input.name, 0, "1")]).await.unwrap();
    let mut member = log.join("group", input.name, "m").await.unwrap();
    assigned(member.as_mut(), 0).await;
    let next = consume(member.as_mut(), 1).await;
    member
        .commit(vec![record(output.name, 0, "1")], &[(0, next)])
        .await
        .unwrap();
    tokio::task::block_in_place(|| settle(&broker));
    broker.kill();
    let refused = in_time(member.commit(vec![record(output.name, 0, "2")], &[(0, next)])).await;
    assert!(refused.is_err());
    broker.restart();
    // The owner of a member that is done for joins again, as the same one.
    drop(member);
    let mut member = in_time(async {
        loop {
            match log.join("group", input.name, "m").await {
                Ok(member) => return member,
                Err(error) => assert!(matches!(error, LogError::Away(_)), "{error:?}"),
            }
        }
    })
    .await;
    assigned(member.as_mut(), next).await;
    in_time(async {
        while log.append(vec![record(input.name, 0, "2")]).await.is_err() {
            tokio::time::sleep(A_MOMENT).await;
        }
    })
    .await;
    let next = consume(member.as_mut(), 1).await;
    member
        .commit(vec![record(output.name, 0, "3")], &[(0, next)])
        .await
        .unwrap();
    assert_eq!(
        log.committed("group", input.name).await.unwrap(),
        [Some(next)]
    );
    assert_eq!(texts(log.as_ref(), output.name).await, ["1", "3"]);
}

/// The end of the runtime waits for nobody: neither for a join under way nor for readers and members.
#[test]
fn the_end_of_the_process_waits_for_no_broker() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut broker = Broker::start();
    let (log, spec) = (connect(&broker.bootstrap(), "a"), spec(1));
    let kept = runtime.block_on(async {
        log.declare(&[spec]).await.unwrap();
        let reader = log.reader(spec.name, &[(0, 0)]).await.unwrap();
        let member = log.join("group", spec.name, "m").await.unwrap();
        (reader, member)
    });
    broker.kill();
    runtime.block_on(async {
        let joining = log.join("group", spec.name, "n");
        assert!(tokio::time::timeout(A_MOMENT, joining).await.is_err());
    });
    // Something that does wait for the broker, as long as an append would.
    let asker: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .create()
        .unwrap();
    let waiting =
        std::thread::spawn(move || asker.fetch_metadata(None, Duration::from_secs(6)).map(drop));
    drop((kept, log));
    drop(runtime);
    assert!(!waiting.is_finished(), "it waited for the broker");
    assert!(waiting.join().unwrap().is_err());
}
