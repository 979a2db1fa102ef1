//! What exactly-once rests on, tried against the broker itself.

use std::sync::Arc;

use foretide_ports::{GroupEvent, Log, LogError, TopicName};
use foretide_tests::broker;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};

use crate::common::{
    A_MOMENT, DEADLINE, assigned, connect, consume, end_of, in_time, options, record, spec, texts,
    unique,
};

/// A transaction of somebody else that is left open: one record, and the offset 5 for `group`.
fn open_transaction(brokers: &str, topic: TopicName, group: &str) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("transactional.id", unique())
        .create()
        .unwrap();
    producer.init_transactions(DEADLINE).unwrap();
    producer.begin_transaction().unwrap();
    producer
        .send(
            BaseRecord::<(), str>::to(topic)
                .payload("open")
                .partition(0),
        )
        .unwrap();
    producer.flush(DEADLINE).unwrap();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .create()
        .unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(topic, 0, Offset::Offset(5))
        .unwrap();
    let metadata = consumer.group_metadata().unwrap();
    producer
        .send_offsets_to_transaction(&offsets, &metadata, DEADLINE)
        .unwrap();
    producer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_and_committed_offsets_wait_for_a_transaction_that_is_open() {
    let log = connect(&broker::shared(), "a");
    let (spec, undisturbed, group) = (spec(1), spec(1), unique());
    log.declare(&[spec, undisturbed]).await.unwrap();
    log.append(vec![record(spec.name, 0, "before")])
        .await
        .unwrap();
    for (commits, committed) in [(false, None), (true, Some(5))] {
        let producer = open_transaction(&broker::shared(), spec.name, &group);
        assert_eq!(
            texts(log.as_ref(), spec.name)
                .await
                .last()
                .map(String::as_str),
            Some("before")
        );
        let ask = |topic: TopicName, group: &str| {
            let (log, group) = (Arc::clone(&log), group.to_owned());
            tokio::spawn(async move {
                tokio::join!(log.end_offsets(topic), log.committed(&group, topic))
            })
        };
        let asked = ask(spec.name, &group);
        // Time enough: the same, asked later, over which no transaction is open, is answered again and again.
        for _ in 0..5 {
            let (ends, found) = in_time(ask(undisturbed.name, &unique())).await.unwrap();
            assert_eq!((ends, found), (Ok(vec![0]), Ok(vec![None])));
        }
        assert!(
            !asked.is_finished(),
            "answered before the transaction was decided"
        );
        let decided = if commits {
            producer.commit_transaction(DEADLINE)
        } else {
            producer.abort_transaction(DEADLINE)
        };
        decided.unwrap();
        let (ends, found) = in_time(asked).await.unwrap();
        assert_eq!(found.unwrap(), [committed]);
        let mut reader = log.reader(spec.name, &[(0, 0)]).await.unwrap();
        let end = end_of(reader.as_mut()).await;
        assert!(
            end >= ends.clone().unwrap()[0],
            "a reader gets beyond {ends:?}: {end}"
        );
    }
    assert_eq!(texts(log.as_ref(), spec.name).await, ["before", "open"]);
}

/// Behind the last record there may be nothing but the marks of transactions: both get beyond the end nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_members_pass_what_is_no_record() {
    let log = connect(&broker::shared(), "a");
    let (spec, group) = (spec(1), unique());
    log.declare(&[spec]).await.unwrap();
    let mut reader = log.reader(spec.name, &[(0, 0)]).await.unwrap();
    assert_eq!(end_of(reader.as_mut()).await, 0);
    let mut member = log.join(&group, spec.name, "m").await.unwrap();
    assigned(member.as_mut(), 0).await;
    for abort in [false, true] {
        let producer = open_transaction(&broker::shared(), spec.name, &unique());
        let decided = if abort {
            producer.abort_transaction(DEADLINE)
        } else {
            producer.commit_transaction(DEADLINE)
        };
        decided.unwrap();
        let end = log.end_offsets(spec.name).await.unwrap()[0];
        in_time(async { while end_of(reader.as_mut()).await < end {} }).await;
        let mut next = 0;
        in_time(async {
            while next < end {
                if let GroupEvent::Records(chunk) = member.next(A_MOMENT).await.unwrap() {
                    next = chunk.next_offset;
                }
            }
        })
        .await;
    }
}

/// The name is all that counts: the partitions come at once, without waiting for the dead one's session to time out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_started_again_goes_on_where_its_former_self_died() {
    let brokers = broker::shared();
    let (input, output, group) = (spec(2), spec(1), unique());
    let log = connect(&brokers, "a");
    log.declare(&[input, output]).await.unwrap();
    log.append(
        (0..4)
            .map(|n| record(input.name, 0, &n.to_string()))
            .collect(),
    )
    .await
    .unwrap();
    let mut member = log.join(&group, input.name, "m").await.unwrap();
    assigned(member.as_mut(), 0).await;
    let next = consume(member.as_mut(), 4).await;
    member
        .commit(vec![record(output.name, 0, "first")], &[(0, next)])
        .await
        .unwrap();
    // A dropped member is a killed one: the group hears nothing of it.
    drop(member);
    let mut member = log.join(&group, input.name, "m").await.unwrap();
    let mut back = Vec::new();
    in_time(async {
        while back.is_empty() {
            match member.next(A_MOMENT).await.unwrap() {
                GroupEvent::Assigned(partitions) => back = partitions,
                event => assert!(matches!(event, GroupEvent::Idle), "{event:?}"),
            }
        }
    })
    .await;
    assert_eq!(back, [0, 1], "it has both partitions back, in one go");
    let committed = log.committed(&group, input.name).await.unwrap();
    assert_eq!(committed, [Some(next), None]);
    member.start(&[(0, next), (1, 0)]).await.unwrap();
    log.append(vec![record(input.name, 1, "later")])
        .await
        .unwrap();
    let next = consume(member.as_mut(), 1).await;
    member
        .commit(vec![record(output.name, 0, "second")], &[(1, next)])
        .await
        .unwrap();
    assert_eq!(texts(log.as_ref(), output.name).await, ["first", "second"]);
    member.leave().await.unwrap();
}

/// Whoever joins under a name last has it. The former one can commit nothing more, is told that its partitions are lost,
/// and ends with an error that says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombie_is_fenced_and_told_why() {
    let brokers = broker::shared();
    let (input, output, group) = (spec(1), spec(1), unique());
    let log = connect(&brokers, "a");
    log.declare(&[input, output]).await.unwrap();
    log.append(vec![record(input.name, 0, "1")]).await.unwrap();
    let mut zombie = log.join(&group, input.name, "m").await.unwrap();
    assigned(zombie.as_mut(), 0).await;
    let next = consume(zombie.as_mut(), 1).await;
    let mut heir = connect(&brokers, "a")
        .join(&group, input.name, "m")
        .await
        .unwrap();
    assigned(heir.as_mut(), 0).await;
    let refused = zombie
        .commit(vec![record(output.name, 0, "zombie")], &[(0, next)])
        .await;
    assert!(matches!(refused, Err(LogError::Fenced(_))), "{refused:?}");
    let mut lost = Vec::new();
    let end = in_time(async {
        loop {
            match zombie.next(A_MOMENT).await {
                Ok(GroupEvent::Lost(partitions)) => lost = partitions,
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    })
    .await;
    assert_eq!(lost, [0]);
    assert!(matches!(end, LogError::Unusable(_)), "{end:?}");
    consume(heir.as_mut(), 1).await;
    heir.commit(vec![record(output.name, 0, "heir")], &[(0, next)])
        .await
        .unwrap();
    assert_eq!(texts(log.as_ref(), output.name).await, ["heir"]);
}

/// A member that was away so long that others took its partitions cannot commit what it folded before, even though it
/// is in the group again: it commits as who it was when it folded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lost_its_partitions_is_fenced_by_its_former_generation() {
    let brokers = broker::shared();
    let (input, output, group) = (spec(1), spec(1), unique());
    let mut slow = options(&brokers, "slow");
    // The shortest that the brokers allow: its owner sleeps through a rebalance.
    slow.settings = vec![
        ("consumer.max.poll.interval.ms".into(), "6000".into()),
        ("consumer.session.timeout.ms".into(), "6000".into()),
    ];
    let slow = foretide_kafka::KafkaLog::connect(slow).unwrap();
    slow.declare(&[input, output]).await.unwrap();
    slow.append(vec![record(input.name, 0, "1")]).await.unwrap();
    let mut sleeper = slow.join(&group, input.name, "a").await.unwrap();
    assigned(sleeper.as_mut(), 0).await;
    let next = consume(sleeper.as_mut(), 1).await;
    let log = connect(&brokers, "quick");
    let mut quick = log.join(&group, input.name, "b").await.unwrap();
    // The sleeper's thread tells of the revocation, which nobody answers, until the group gives it up.
    assigned(quick.as_mut(), 0).await;
    consume(quick.as_mut(), 1).await;
    quick
        .commit(vec![record(output.name, 0, "quick")], &[(0, next)])
        .await
        .unwrap();
    let refused = sleeper
        .commit(vec![record(output.name, 0, "slow")], &[(0, next)])
        .await;
    assert!(matches!(refused, Err(LogError::Fenced(_))), "{refused:?}");
    assert_eq!(texts(log.as_ref(), output.name).await, ["quick"]);
}
