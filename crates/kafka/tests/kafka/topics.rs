//! Topics as the brokers have them.

use foretide_ports::{Cleanup, Log, LogError, TopicName, TopicSpec};
use foretide_tests::broker;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    client::DefaultClientContext,
};

use crate::common::{connect, in_time, options, record, spec};

/// A topic's setting at the broker.
async fn setting(topic: TopicName, key: &str) -> String {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", broker::shared())
        .create()
        .unwrap();
    let topic = [ResourceSpecifier::Topic(topic)];
    let configs = admin
        .describe_configs(&topic, &AdminOptions::new())
        .await
        .unwrap();
    let entry = configs[0].as_ref().unwrap().get(key).unwrap();
    entry.value.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_created_as_declared_and_count_time_from_the_append() {
    let log = connect(&broker::shared(), "a");
    let events = spec(3);
    let cleanup = Cleanup::Compact {
        delete_retention_ms: 77_000,
    };
    let table = TopicSpec { cleanup, ..spec(2) };
    log.declare(&[events, table]).await.unwrap();
    for (topic, key, expected) in [
        (events.name, "cleanup.policy", "delete"),
        (events.name, "retention.ms", "86400000"),
        (events.name, "message.timestamp.type", "LogAppendTime"),
        (table.name, "cleanup.policy", "compact"),
        (table.name, "delete.retention.ms", "77000"),
    ] {
        assert_eq!(setting(topic, key).await, expected, "{key}");
    }
}

/// Several processes start at the same moment, as they do after a deployment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_may_be_declared_by_several_at_once() {
    let specs = [spec(2), spec(3), spec(1)];
    let declared = (0..4).map(|n| {
        let log = connect(&broker::shared(), &format!("i{n}"));
        tokio::spawn(async move {
            log.declare(&specs).await?;
            log.append(specs.iter().map(|spec| record(spec.name, 0, "1")).collect())
                .await
        })
    });
    for declared in declared.collect::<Vec<_>>() {
        in_time(declared).await.unwrap().unwrap();
    }
}

/// A compacted topic of events would lose them, a deleting topic of profiles likewise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_lets_go_of_records_otherwise_is_refused_with_what_to_do() {
    let log = connect(&broker::shared(), "a");
    let spec = spec(1);
    log.declare(&[spec]).await.unwrap();
    let cleanup = Cleanup::Compact {
        delete_retention_ms: 1,
    };
    let refused = log.declare(&[TopicSpec { cleanup, ..spec }]).await;
    let Err(LogError::Topic { topic, problem }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(topic, spec.name);
    assert!(problem.contains("kafka-configs"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_librdkafka_does_not_know_is_named() {
    let mut options = options(&broker::shared(), "a");
    options.settings = vec![("no.such.setting".into(), "1".into())];
    let refused = foretide_kafka::KafkaLog::connect(options).map(drop);
    let Err(LogError::Unusable(said)) = refused else {
        panic!("{refused:?}")
    };
    assert!(said.contains("no.such.setting"), "{said}");
}
