//! Declaring topics: creating what is missing, checking what is there.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use foretide_ports::{Cleanup, LogError, TopicSpec};
use rdkafka::{
    admin::{
        AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
        TopicReplication,
    },
    error::RDKafkaErrorCode,
    metadata::Metadata,
};

use crate::{
    blocking::{DroppedOutside, outside},
    config::{KafkaOptions, MAX_BATCH_BYTES},
    context::Logged,
    errors,
    queries::PATIENCE,
};

/// How long creation may take until every broker knows of every leader.
const CREATION_PATIENCE: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(50);
/// Copies of a topic, where there are as many brokers.
const COPIES: usize = 3;

type Admin = Arc<DroppedOutside<AdminClient<Logged>>>;

/// What is remembered of a declared topic: how many copies its brokers want in sync before they take a record.
pub(crate) type InSync = HashMap<String, usize>;

/// Creates what is missing of `specs` and checks what is there.
pub(crate) async fn declare(
    options: KafkaOptions,
    specs: Vec<TopicSpec>,
) -> Result<InSync, LogError> {
    let replication = options.replication_factor();
    let admin = outside("declare", move || {
        let admin: AdminClient<Logged> = options
            .producer()
            .create_with_context(Logged)
            .map_err(|error| errors::log_error("creating a client", &error))?;
        Ok(Arc::new(DroppedOutside::new(admin)))
    })
    .await?;
    let deadline = Instant::now() + CREATION_PATIENCE;
    loop {
        let found = Found::ask(&admin).await?;
        found.check_counts(&specs)?;
        if found.is_complete(&specs) {
            break;
        }
        if Instant::now() > deadline {
            return Err(LogError::Away("the topics have no leaders yet".into()));
        }
        let missing: Vec<_> = specs
            .iter()
            .filter(|spec| !found.topics.contains_key(spec.name))
            .copied()
            .collect();
        if missing.is_empty() {
            tokio::time::sleep(RETRY).await;
        } else {
            let copies =
                replication.unwrap_or(i32::try_from(found.brokers.clamp(1, COPIES)).unwrap_or(1));
            create(&admin, &missing, copies).await?;
        }
    }
    check_configs(&admin, &specs).await
}

/// The topics and brokers of the cluster.
struct Found {
    brokers: usize,
    /// By name: the number of partitions, and whether all have a leader.
    topics: HashMap<String, (u32, bool)>,
}

impl Found {
    async fn ask(admin: &Admin) -> Result<Self, LogError> {
        let admin = Arc::clone(admin);
        outside("metadata", move || {
            admin
                .inner()
                .fetch_metadata(None, PATIENCE)
                .map(|metadata| Self::read(&metadata))
                .map_err(|error| errors::log_error("asking for the topics", &error))
        })
        .await
    }

    fn read(metadata: &Metadata) -> Self {
        let topics = metadata.topics().iter().map(|topic| {
            let partitions = topic.partitions();
            let led = partitions.iter().all(|partition| partition.leader() >= 0);
            let count = u32::try_from(partitions.len()).unwrap_or(u32::MAX);
            (topic.name().to_owned(), (count, led && count > 0))
        });
        Self {
            brokers: metadata.brokers().len(),
            topics: topics.collect(),
        }
    }

    fn check_counts(&self, specs: &[TopicSpec]) -> Result<(), LogError> {
        for spec in specs {
            let Some((count, true)) = self.topics.get(spec.name) else {
                continue;
            };
            if *count != spec.partitions {
                let problem = format!(
                    "it has {count} partitions, not the {} declared. Keys would change their partition, so the \
                     count can never change: start with a count of {count}, or with brokers that have no such topic",
                    spec.partitions
                );
                return Err(LogError::Topic {
                    topic: spec.name.to_owned(),
                    problem,
                });
            }
        }
        Ok(())
    }

    fn is_complete(&self, specs: &[TopicSpec]) -> bool {
        specs
            .iter()
            .all(|spec| self.topics.get(spec.name).is_some_and(|(_, led)| *led))
    }
}

/// Creates `specs`; one that somebody else created meanwhile is as good.
async fn create(admin: &Admin, specs: &[TopicSpec], copies: i32) -> Result<(), LogError> {
    let configs: Vec<_> = specs.iter().map(|spec| config_of(spec, copies)).collect();
    let topics: Vec<NewTopic<'_>> = specs
        .iter()
        .zip(&configs)
        .map(|(spec, config)| {
            let partitions = i32::try_from(spec.partitions).unwrap_or(i32::MAX);
            let new = NewTopic::new(spec.name, partitions, TopicReplication::Fixed(copies));
            config
                .iter()
                .fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let results = admin
        .create_topics(&topics, &options())
        .await
        .map_err(|error| errors::log_error("creating topics", &error))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            // A cluster that is just starting has no brokers to place copies on; the caller tries again.
            Err((_, RDKafkaErrorCode::InvalidReplicationFactor)) => {
                tokio::time::sleep(RETRY).await;
            }
            Err((topic, code)) => {
                let problem = format!("it cannot be created: {code}");
                return Err(LogError::Topic { topic, problem });
            }
        }
    }
    Ok(())
}

/// The settings of a topic that is created. An operator may change all but the cleanup policy afterwards.
fn config_of(spec: &TopicSpec, copies: i32) -> Vec<(&'static str, String)> {
    let mut config = vec![
        ("cleanup.policy", policy(spec.cleanup).to_owned()),
        ("max.message.bytes", MAX_BATCH_BYTES.to_string()),
        // The time of the append: retention counts from then, also for events imported years later.
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("min.insync.replicas", (copies - 1).max(1).to_string()),
    ];
    match spec.cleanup {
        Cleanup::Delete { retention_ms } => config.push(("retention.ms", retention_ms.to_string())),
        Cleanup::Compact {
            delete_retention_ms,
        } => config.extend([
            ("delete.retention.ms", delete_retention_ms.to_string()),
            // Only closed segments are compacted: close them early, and let nothing erased linger for long.
            ("segment.bytes", (128 << 20).to_string()),
            ("segment.ms", (60 * 60 * 1000).to_string()),
            ("max.compaction.lag.ms", (24 * 60 * 60 * 1000).to_string()),
        ]),
    }
    config
}

fn policy(cleanup: Cleanup) -> &'static str {
    match cleanup {
        Cleanup::Delete { .. } => "delete",
        Cleanup::Compact { .. } => "compact",
    }
}

/// Refuses a topic that lets go of records otherwise than declared: a compacted log of events would lose them.
async fn check_configs(admin: &Admin, specs: &[TopicSpec]) -> Result<InSync, LogError> {
    let resources: Vec<_> = specs
        .iter()
        .map(|spec| ResourceSpecifier::Topic(spec.name))
        .collect();
    let described = admin
        .describe_configs(&resources, &options())
        .await
        .map_err(|error| errors::log_error("asking for the topics' settings", &error))?;
    let mut in_sync = InSync::new();
    for config in described.into_iter().flatten() {
        let OwnedResourceSpecifier::Topic(name) = &config.specifier else {
            continue;
        };
        let Some(spec) = specs.iter().find(|spec| spec.name == name) else {
            continue;
        };
        let value = |key| config.get(key).and_then(|entry| entry.value.clone());
        let (found, declared) = (value("cleanup.policy"), policy(spec.cleanup));
        if found.as_deref().is_some_and(|found| found != declared) {
            let problem = format!(
                "its cleanup.policy is {}, not {declared}. Change it with kafka-configs.sh --alter --topic {} \
                 --add-config cleanup.policy={declared}",
                found.unwrap_or_default(),
                spec.name
            );
            return Err(LogError::Topic {
                topic: spec.name.to_owned(),
                problem,
            });
        }
        let min = value("min.insync.replicas")
            .and_then(|min| min.parse().ok())
            .unwrap_or(1);
        in_sync.insert(spec.name.to_owned(), min);
    }
    Ok(in_sync)
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(partitions: u32) -> TopicSpec {
        TopicSpec {
            name: "t",
            partitions,
            cleanup: Cleanup::Delete { retention_ms: 5 },
        }
    }

    #[test]
    fn a_topic_of_another_count_is_refused_and_one_without_leaders_waited_for() {
        let found = |count, led| Found {
            brokers: 1,
            topics: [("t".into(), (count, led))].into(),
        };
        assert_eq!(found(4, true).check_counts(&[spec(4)]), Ok(()));
        let refused = found(4, true)
            .check_counts(&[spec(3)])
            .unwrap_err()
            .to_string();
        assert!(refused.contains('4') && refused.contains('3'), "{refused}");
        assert_eq!(found(0, false).check_counts(&[spec(3)]), Ok(()));
        assert!(!found(0, false).is_complete(&[spec(3)]));
    }

    #[test]
    fn one_copy_may_be_missing_of_three() {
        let config = config_of(&spec(1), 3);
        assert!(config.contains(&("min.insync.replicas", "2".into())));
        assert!(config_of(&spec(1), 1).contains(&("min.insync.replicas", "1".into())));
    }
}
