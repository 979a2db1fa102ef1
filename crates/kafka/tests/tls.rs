//! The log on a real broker that speaks TLS and wants a login. Built only with the feature `tls`.

#![allow(clippy::unwrap_used, reason = "a broken surrounding fails the test")]

use std::{path::Path, sync::OnceLock, time::Duration};

use bytes::Bytes;
use foretide_kafka::{KafkaLog, KafkaOptions};
use foretide_ports::{
    Cleanup, GroupEvent, Log as _, LogError, NewRecord, TopicPartition, TopicSpec,
};
use foretide_tests::broker::Broker;

/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_mins(2);
const A_MOMENT: Duration = Duration::from_millis(100);

/// The broker of all tests here.
fn broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start_with(&["--tls", "--sasl", "ann:secret"]))
}

fn topic(name: &'static str) -> TopicSpec {
    TopicSpec {
        name,
        partitions: 1,
        cleanup: Cleanup::Delete {
            retention_ms: 86_400_000,
        },
    }
}

/// What reaches the broker of the tests, with this mechanism and password and, if given, this authority.
fn settings(mechanism: &str, password: &str, authority: Option<&Path>) -> Vec<(String, String)> {
    let mut settings = vec![
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanism", mechanism),
        ("sasl.username", "ann"),
        ("sasl.password", password),
    ];
    if let Some(authority) = authority {
        settings.push(("ssl.ca.location", authority.to_str().unwrap()));
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    settings.into_iter().map(owned).collect()
}

fn connect(settings: Vec<(String, String)>) -> KafkaLog {
    KafkaLog::connect(KafkaOptions {
        brokers: broker().bootstrap(),
        instance: "one".into(),
        settings,
    })
    .unwrap()
}

/// The certificate that signs the broker's.
fn authority() -> std::path::PathBuf {
    broker().directory().join("tls/ca.pem")
}

fn record(topic: &'static str, value: &'static str) -> NewRecord {
    NewRecord {
        at: TopicPartition {
            topic,
            partition: 0,
        },
        key: Bytes::from_static(b"key"),
        value: Some(Bytes::from_static(value.as_bytes())),
    }
}

/// Appends, reads as a member of a group and commits in a transaction, which takes every kind of client.
async fn produces_and_consumes(mechanism: &str, input: TopicSpec, output: TopicSpec) {
    let log = connect(settings(mechanism, "secret", Some(&authority())));
    log.declare(&[input, output]).await.unwrap();
    log.append(vec![record(input.name, "in")]).await.unwrap();
    let mut member = log.join(input.name, input.name, "one").await.unwrap();
    let next = loop {
        match member.next(A_MOMENT).await.unwrap() {
            GroupEvent::Assigned(_) => member.start(&[(0, 0)]).await.unwrap(),
            GroupEvent::Records(chunk) if !chunk.records.is_empty() => break chunk.next_offset,
            _ => {}
        }
    };
    member
        .commit(vec![record(output.name, "out")], &[(0, next)])
        .await
        .unwrap();
    let mut reader = log.reader(output.name, &[(0, 0)]).await.unwrap();
    let read = loop {
        if let Some(chunk) = reader.next(A_MOMENT).await.unwrap()
            && let Some(record) = chunk.records.first()
        {
            break record.value.clone();
        }
    };
    assert_eq!(read.as_deref(), Some(&b"out"[..]));
    assert_eq!(log.health().await, Ok(()));
}

/// What declaring a topic fails with.
async fn refused(settings: Vec<(String, String)>) -> LogError {
    let log = connect(settings);
    let topics = [topic("refused")];
    let declared = tokio::time::timeout(DEADLINE, log.declare(&topics));
    declared.await.unwrap().unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_go_through_an_encrypted_connection_with_a_login() {
    let works = async {
        produces_and_consumes("SCRAM-SHA-512", topic("scram.in"), topic("scram.out")).await;
        produces_and_consumes("PLAIN", topic("plain.in"), topic("plain.out")).await;
    };
    tokio::time::timeout(DEADLINE, works).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_said_with_the_settings_to_check() {
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let error = refused(settings(mechanism, "wrong", Some(&authority()))).await;
        assert!(
            matches!(&error, LogError::Unusable(said) if said.contains("sasl.password")),
            "{mechanism}: {error}"
        );
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_an_unknown_authority_is_said_with_the_setting_that_names_it() {
    let error = refused(settings("PLAIN", "secret", None)).await;
    assert!(
        matches!(&error, LogError::Unusable(said) if said.contains("ssl.ca.location")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unencrypted_client_is_told_of_the_setting_it_lacks() {
    let error = refused(Vec::new()).await;
    assert!(
        matches!(&error, LogError::Away(said) if said.contains("security.protocol")),
        "{error}"
    );
}
