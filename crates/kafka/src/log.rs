//! The log: what the services call.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use foretide_events::EpochMs;
use foretide_ports::{
    GroupMember, Log, LogError, NewRecord, Reader, TopicName, TopicPartition, TopicSpec, TopicStats,
};
use parking_lot::RwLock;
use rdkafka::producer::Producer as _;
use tokio::sync::Mutex;
use tracing::warn;

use crate::{
    append::{self, Producer},
    blocking::{DroppedOutside, outside},
    config::KafkaOptions,
    member::KafkaMember,
    queries::{self, Asker},
    reader::{KafkaReader, Start},
    refusals::Refusals,
    topics,
};

/// How long a health check may take; it has to answer within two seconds.
const HEALTH_PATIENCE: Duration = Duration::from_millis(1_500);
/// The group that readers name; they never join it.
const READERS: &str = "foretide.readers";

/// The log on a Kafka cluster. Clones share their connections.
#[derive(Clone)]
pub struct KafkaLog {
    inner: Arc<Inner>,
}

type SharedProducer = Arc<DroppedOutside<Producer>>;

struct Inner {
    options: KafkaOptions,
    producer: RwLock<SharedProducer>,
    /// Why the brokers turn the producer, and so all clients, away.
    refusals: Refusals,
    /// Held while the producer is made anew.
    renewing: Mutex<()>,
    asker: Arc<DroppedOutside<Asker>>,
    /// The partition counts of the topics met so far.
    counts: RwLock<HashMap<String, u32>>,
    /// What was declared, and how many copies in sync each topic needs to take a record.
    declared: RwLock<Vec<(TopicSpec, usize)>>,
}

impl Inner {
    /// The names of the declared topics, with the number of copies that each needs in sync.
    fn declared_topics(&self) -> Vec<(String, usize)> {
        self.declared
            .read()
            .iter()
            .map(|(spec, min)| (spec.name.to_owned(), *min))
            .collect()
    }
}

fn producer(options: &KafkaOptions, refusals: Refusals) -> Result<SharedProducer, LogError> {
    let producer = append::producer(&options.producer(), refusals)?;
    Ok(Arc::new(DroppedOutside::new(producer)))
}

impl KafkaLog {
    /// Sets up the clients. Connections are made in the background: that the brokers are there shows in the first call.
    /// [`LogError::Unusable`] for settings that librdkafka does not know or that would break a guarantee.
    pub fn connect(options: KafkaOptions) -> Result<Self, LogError> {
        options.check()?;
        let refusals = Refusals::default();
        let producer = RwLock::new(producer(&options, refusals.clone())?);
        let asker = Arc::new(DroppedOutside::new(Asker::new(&options)?));
        let (counts, declared) = (RwLock::default(), RwLock::default());
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                producer,
                refusals,
                renewing: Mutex::default(),
                asker,
                counts,
                declared,
            }),
        })
    }

    /// The producer of appends. One that met a fatal error (its sequence of records is broken, or it was fenced) stores
    /// nothing any more: another takes its place.
    async fn producer(&self) -> Result<SharedProducer, LogError> {
        let usable = || {
            let producer = Arc::clone(&self.inner.producer.read());
            match producer.client().fatal_error() {
                None => Ok(producer),
                Some((_, said)) => Err(said),
            }
        };
        if let Ok(producer) = usable() {
            return Ok(producer);
        }
        let _alone = self.inner.renewing.lock().await;
        match usable() {
            Ok(producer) => Ok(producer),
            Err(said) => {
                warn!(
                    said,
                    "the producer met a fatal error: another takes its place"
                );
                let (options, refusals) = (self.inner.options.clone(), self.inner.refusals.clone());
                let new = outside("producer", move || producer(&options, refusals)).await?;
                *self.inner.producer.write() = Arc::clone(&new);
                Ok(new)
            }
        }
    }

    /// The number of partitions of `topic`, asked once.
    async fn count(&self, topic: &str) -> Result<u32, LogError> {
        if let Some(count) = self.inner.counts.read().get(topic) {
            return Ok(*count);
        }
        let (asker, name) = (Arc::clone(&self.inner.asker), topic.to_owned());
        let count = self.explained(outside("topic", move || asker.partition_count(&name)).await)?;
        self.inner.counts.write().insert(topic.to_owned(), count);
        Ok(count)
    }

    /// Puts the reason to a failure, if the brokers turn this process away.
    fn explained<T>(&self, answer: Result<T, LogError>) -> Result<T, LogError> {
        if answer.is_ok() {
            self.inner.refusals.let_in();
        }
        answer.map_err(|error| self.inner.refusals.explain(error))
    }

    /// Refuses records that no retry would store.
    async fn check(&self, records: &[NewRecord]) -> Result<(), LogError> {
        let mut known: Option<(TopicName, u32)> = None;
        for record in records {
            record.check_size()?;
            let TopicPartition { topic, partition } = record.at;
            let count = match known {
                Some((name, count)) if name == topic => count,
                _ => self.count(topic).await?,
            };
            known = Some((topic, count));
            if partition >= count {
                let problem = format!("it has no partition {partition}, only {count} from 0");
                return Err(LogError::Topic {
                    topic: topic.to_owned(),
                    problem,
                });
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Log for KafkaLog {
    async fn declare(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let declared = topics::declare(self.inner.options.clone(), topics.to_vec()).await;
        let in_sync = self.explained(declared)?;
        let mut counts = self.inner.counts.write();
        let mut declared = self.inner.declared.write();
        for spec in topics {
            counts.insert(spec.name.to_owned(), spec.partitions);
            declared.retain(|(known, _)| known.name != spec.name);
            declared.push((*spec, in_sync.get(spec.name).copied().unwrap_or(1)));
        }
        Ok(())
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<u64>, LogError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.check(&records).await?;
        self.explained(append::append(&*self.producer().await?, records).await)
    }

    async fn end_offsets(&self, topic: TopicName) -> Result<Vec<u64>, LogError> {
        let count = self.count(topic).await?;
        let asker = Arc::clone(&self.inner.asker);
        outside("ends", move || asker.decided_ends(topic, count)).await
    }

    async fn offsets_at(&self, topic: TopicName, at: EpochMs) -> Result<Vec<u64>, LogError> {
        let count = self.count(topic).await?;
        let asker = Arc::clone(&self.inner.asker);
        outside("times", move || {
            let found = asker.first_since(topic, count, at.0)?;
            let ends = asker.decided_ends(topic, count)?;
            let or_end = |(found, end): (Option<u64>, u64)| found.unwrap_or(end);
            Ok(found.into_iter().zip(ends).map(or_end).collect())
        })
        .await
    }

    async fn reader(
        &self,
        topic: TopicName,
        positions: &[(u32, u64)],
    ) -> Result<Box<dyn Reader>, LogError> {
        let asker = Arc::clone(&self.inner.asker);
        let config = self.inner.options.reader(READERS);
        let positions = positions.to_vec();
        let reader = outside("reader", move || {
            let readable = asker.readable_ends(topic, positions.iter().map(|(p, _)| *p))?;
            let start = |((partition, position), readable)| Start {
                partition,
                position,
                readable,
            };
            let starts: Vec<_> = positions.into_iter().zip(readable).map(start).collect();
            KafkaReader::start(&config, topic, &starts)
        });
        Ok(Box::new(reader.await?))
    }

    async fn committed(&self, group: &str, topic: TopicName) -> Result<Vec<Option<u64>>, LogError> {
        let count = self.count(topic).await?;
        let (options, group) = (self.inner.options.clone(), group.to_owned());
        outside("committed", move || {
            queries::committed(&options, &group, topic, count)
        })
        .await
    }

    async fn join(
        &self,
        group: &str,
        topic: TopicName,
        member: &str,
    ) -> Result<Box<dyn GroupMember>, LogError> {
        Ok(Box::new(
            KafkaMember::join(&self.inner.options, group, topic, member).await?,
        ))
    }

    async fn health(&self) -> Result<(), LogError> {
        let fatal = self.inner.producer.read().client().fatal_error();
        let producer = self.producer().await?;
        if let Some((_, said)) = fatal {
            // Whether the new one fares better shows in the next check.
            let said = format!("the producer met a fatal error and was made anew: {said}");
            return Err(LogError::Away(said));
        }
        let topics = self.inner.declared_topics();
        let health = outside("health", move || {
            queries::health(producer.client(), &topics, HEALTH_PATIENCE)
        });
        self.explained(health.await)
    }

    async fn stats(&self) -> Result<Vec<TopicStats>, LogError> {
        let specs: Vec<_> = self
            .inner
            .declared
            .read()
            .iter()
            .map(|(spec, _)| *spec)
            .collect();
        let asker = Arc::clone(&self.inner.asker);
        outside("stats", move || {
            let stats = |spec: &TopicSpec| {
                let records = asker.span(spec.name, spec.partitions)?;
                // Kafka keeps no count of bytes that librdkafka could ask for.
                let (topic, partitions) = (spec.name, spec.partitions);
                Ok(TopicStats {
                    topic,
                    partitions,
                    records,
                    bytes: None,
                })
            };
            specs.iter().map(stats).collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rdkafka::{
        mocking::MockCluster,
        types::{RDKafkaApiKey, RDKafkaRespErr},
    };

    use super::*;

    #[tokio::test]
    async fn a_producer_that_met_a_fatal_error_is_replaced() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        cluster.request_errors(
            RDKafkaApiKey::InitProducerId,
            // The first may be overlooked while the client connects.
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED; 20],
        );
        let log = KafkaLog::connect(KafkaOptions {
            brokers: cluster.bootstrap_servers(),
            instance: "a".into(),
            settings: Vec::new(),
        })
        .unwrap();
        let new = NewRecord {
            at: TopicPartition {
                topic: "t",
                partition: 0,
            },
            key: Bytes::new(),
            value: None,
        };
        let refused = log.append(vec![new.clone()]).await;
        assert!(refused.is_err(), "{refused:?}");
        let fatal = log.inner.producer.read().client().fatal_error();
        assert!(fatal.is_some(), "{refused:?}");
        cluster.clear_request_errors(RDKafkaApiKey::InitProducerId);
        let health = log.health().await;
        assert!(matches!(health, Err(LogError::Away(_))), "{health:?}");
        assert_eq!(log.health().await, Ok(()));
        assert_eq!(log.append(vec![new]).await, Ok(vec![0]));
    }
}
