//! What the benchmarks of peers ask of a broker beside producing: topics, groups, and everything a topic holds.

use std::{
    collections::HashMap,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use foretide_ports::ACTIONS;
use futures_util::FutureExt as _;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    metadata::MetadataTopic,
    types::RDKafkaErrorCode,
};
use tokio::runtime::Runtime;

/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a member that was killed may be missed before its group can be deleted.
const MISSED_WITHIN: Duration = Duration::from_secs(90);

/// A broker and how to reach it.
pub struct Cluster {
    brokers: String,
    admin: AdminClient<DefaultClientContext>,
    asker: BaseConsumer,
    runtime: Runtime,
}

impl Cluster {
    /// That of `brokers`.
    pub fn connect(brokers: &str) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        Ok(Self {
            brokers: brokers.to_owned(),
            admin: config.create()?,
            asker: config.create()?,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
        })
    }

    /// `host:port`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Where futures that speak with it run.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Creates a compacted topic with `partitions` partitions.
    pub fn create_compacted(&self, name: &str, partitions: u32) -> anyhow::Result<()> {
        let topic = NewTopic::new(name, partitions.cast_signed(), TopicReplication::Fixed(1))
            .set("cleanup.policy", "compact");
        let made = self
            .admin
            .create_topics([&topic], &AdminOptions::new())
            .map(|made| anyhow::Ok(made?));
        for outcome in self.runtime.block_on(made)? {
            outcome.map_err(|(topic, code)| anyhow::anyhow!("creating {topic}: {code}"))?;
        }
        Ok(())
    }

    /// Deletes the topics that `unwanted` says, and returns when they are gone.
    pub fn delete_topics(&self, unwanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let begin = Instant::now();
        loop {
            let metadata = self.asker.fetch_metadata(None, PATIENCE)?;
            let names: Vec<_> = metadata
                .topics()
                .iter()
                .map(MetadataTopic::name)
                .filter(|name| unwanted(name))
                .collect();
            if names.is_empty() {
                return Ok(());
            }
            ensure!(begin.elapsed() < PATIENCE, "{names:?} cannot be deleted");
            // A topic that is gone already is what is wanted; the next look tells.
            let _ = self
                .runtime
                .block_on(self.admin.delete_topics(&names, &AdminOptions::new()))?;
            sleep(Duration::from_millis(200));
        }
    }

    /// Deletes a group, once it has no member.
    pub fn delete_group(&self, group: &str) -> anyhow::Result<()> {
        let begin = Instant::now();
        loop {
            let deleted = self
                .runtime
                .block_on(self.admin.delete_groups(&[group], &AdminOptions::new()))?;
            match deleted.into_iter().next() {
                Some(Err((_, RDKafkaErrorCode::NonEmptyGroup)))
                    if begin.elapsed() < MISSED_WITHIN =>
                {
                    sleep(Duration::from_millis(500));
                }
                None | Some(Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound))) => return Ok(()),
                Some(Err((group, code))) => anyhow::bail!("deleting the group {group}: {code}"),
            }
        }
    }

    /// Asks how far `group` has committed on the topic of actions.
    pub fn progress(&self, group: &str) -> anyhow::Result<Progress> {
        let asker: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", group)
            // Does not wait for transactions that are open.
            .set("isolation.level", "read_uncommitted")
            .set("enable.auto.commit", "false")
            .create()?;
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions(ACTIONS)? {
            list.add_partition(ACTIONS, partition);
        }
        Ok(Progress { asker, list })
    }

    fn partitions(&self, topic: &str) -> anyhow::Result<i32> {
        let metadata = self.asker.fetch_metadata(Some(topic), PATIENCE)?;
        let count = metadata
            .topics()
            .first()
            .map_or(0, |topic| topic.partitions().len());
        ensure!(count > 0, "there is no topic {topic}");
        Ok(i32::try_from(count)?)
    }

    /// The newest committed value of each key of `topic`.
    pub fn newest_values(&self, topic: &str) -> anyhow::Result<HashMap<Vec<u8>, Vec<u8>>> {
        let reader: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", "bench.reader")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()?;
        let mut left = self.partitions(topic)?;
        let mut list = TopicPartitionList::new();
        for partition in 0..left {
            list.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        reader.assign(&list)?;
        let mut values = HashMap::new();
        while left > 0 {
            match reader.poll(PATIENCE).context("the topic cannot be read")? {
                Ok(message) => {
                    if let (Some(key), Some(value)) = (message.key(), message.payload()) {
                        values.insert(key.to_vec(), value.to_vec());
                    }
                }
                Err(KafkaError::PartitionEOF(_)) => left -= 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(values)
    }
}

/// How far a group is.
pub struct Progress {
    asker: BaseConsumer,
    list: TopicPartitionList,
}

impl Progress {
    /// Events whose effects and offsets are committed.
    pub fn committed(&self) -> anyhow::Result<u64> {
        let begin = Instant::now();
        let list = loop {
            match self.asker.committed_offsets(self.list.clone(), PATIENCE) {
                Ok(list) => break list,
                // The broker may be loading what it knows of groups.
                Err(_) if begin.elapsed() < PATIENCE => sleep(Duration::from_millis(20)),
                Err(error) => return Err(error).context("asking how far the group is"),
            }
        };
        let offset =
            |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element
                .offset()
            {
                Offset::Offset(offset) => offset.cast_unsigned(),
                _ => 0,
            };
        Ok(list.elements().iter().map(offset).sum())
    }
}
