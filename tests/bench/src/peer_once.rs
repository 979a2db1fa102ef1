//! What exactly-once effect costs: the processor as it is, against the same processor over a log whose commits are plain
//! appends, with the offsets committed behind them: what is written twice after a crash is then there twice.

use std::{path::Path, pin::pin, process::Command, sync::Arc, time::Duration};

use async_trait::async_trait;
use foretide_events::EpochMs;
use foretide_kafka::{KafkaLog, KafkaOptions};
use foretide_ports::{
    GroupEvent, GroupMember, Log, LogError, NewRecord, Reader, Records, TopicName, TopicSpec,
    TopicStats, foretide_topics,
};
use foretide_processor::{GROUP, Processor, ProcessorConfig};
use foretide_runtime::{CancellationToken, Readiness};
use foretide_tests::broker::Broker;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    in_process::parts,
    measure::{Pairs, print_head},
    peer_actions,
    peer_cluster::Cluster,
    peer_folding::forget_ours,
    peer_run::{Process, Run},
    peer_sums,
    product::PARTITIONS,
};

/// Until something comes.
const LONG: Duration = Duration::from_secs(1);
/// The share of the events that warms a run up.
const WARM_UP: f64 = 0.2;

/// Runs `pairs` turns over `events` actions of `shoppers` shoppers.
pub fn run(directory: &Path, shoppers: u32, events: usize, pairs: usize) -> anyhow::Result<()> {
    let broker = Broker::start();
    let cluster = Cluster::connect(&broker.bootstrap())?;
    let filled = peer_actions::fill(cluster.brokers(), shoppers, events);
    cluster.runtime().block_on(filled)?;
    let turn = |exactly_once: bool| {
        let own = TempDir::new_in(directory)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve-processor", "--brokers", cluster.brokers()]);
        if !exactly_once {
            command.arg("--at-least-once");
        }
        let mut process = Process::start(command, own.path())?;
        let run = Run::watch(&mut process, &cluster, &broker, GROUP, events as u64)?;
        process.stop()?;
        let values = cluster.newest_values(foretide_ports::PROFILES)?;
        let sums = peer_sums::read(values, peer_sums::of_profile)?;
        forget_ours(&cluster)?;
        anyhow::Ok((run, sums))
    };
    let (mut off, mut on) = (Vec::new(), Vec::new());
    for number in 1..=pairs {
        let (run, plain) = turn(false)?;
        off.push(run);
        let (run, exact) = turn(true)?;
        on.push(run);
        peer_sums::compare(&exact, &plain)?;
        println!("turn {number}: {} shoppers agree", exact.len());
    }
    let rows = |figure: fn(&Run) -> f64| Pairs {
        floor: off.iter().map(figure).collect(),
        ours: on.iter().map(figure).collect(),
    };
    print_head();
    rows(|run| run.from(WARM_UP).per_second).print(
        "exactly-once on / off: throughput after the first 20 %",
        "events/s",
        "≥ 0.9",
    );
    rows(|run| run.from(WARM_UP).per_cpu_second).print("the same", "events/CPU-s", "none");
    rows(|run| run.from(WARM_UP).broker_us).print("the broker's CPU time an event", "µs", "none");
    Ok(())
}

/// Runs a processor alone over `brokers`; with `at_least_once` over a log without transactions.
pub async fn serve(brokers: &str, at_least_once: bool) -> anyhow::Result<()> {
    let kafka = Arc::new(KafkaLog::connect(KafkaOptions {
        brokers: brokers.to_owned(),
        instance: "bench".to_owned(),
        settings: Vec::new(),
    })?);
    kafka.declare(&foretide_topics(PARTITIONS)).await?;
    let log: Arc<dyn Log> = if at_least_once {
        Arc::new(Plain {
            kafka,
            brokers: brokers.to_owned(),
        })
    } else {
        kafka
    };
    let parts = parts(log, &Readiness::new())?;
    let soft = CancellationToken::new();
    let ending = soft.clone();
    let mut asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        asked.recv().await;
        ending.cancel();
    });
    Processor::new(parts, ProcessorConfig::default())
        .run(soft, CancellationToken::new())
        .await?;
    Ok(())
}

/// Kafka without exactly-once effect, for one member.
struct Plain {
    kafka: Arc<KafkaLog>,
    brokers: String,
}

#[async_trait]
impl Log for Plain {
    async fn declare(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.kafka.declare(topics).await
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<u64>, LogError> {
        self.kafka.append(records).await
    }

    async fn end_offsets(&self, topic: TopicName) -> Result<Vec<u64>, LogError> {
        self.kafka.end_offsets(topic).await
    }

    async fn offsets_at(&self, topic: TopicName, at: EpochMs) -> Result<Vec<u64>, LogError> {
        self.kafka.offsets_at(topic, at).await
    }

    async fn reader(
        &self,
        topic: TopicName,
        positions: &[(u32, u64)],
    ) -> Result<Box<dyn Reader>, LogError> {
        self.kafka.reader(topic, positions).await
    }

    async fn committed(&self, group: &str, topic: TopicName) -> Result<Vec<Option<u64>>, LogError> {
        self.kafka.committed(group, topic).await
    }

    async fn join(
        &self,
        group: &str,
        topic: TopicName,
        _member: &str,
    ) -> Result<Box<dyn GroupMember>, LogError> {
        let committer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create()
            .map_err(|error| away(&error))?;
        Ok(Box::new(PlainMember {
            kafka: Arc::clone(&self.kafka),
            topic,
            committer,
            assigned: false,
            reader: None,
        }))
    }

    async fn health(&self) -> Result<(), LogError> {
        self.kafka.health().await
    }

    async fn stats(&self) -> Result<Vec<TopicStats>, LogError> {
        self.kafka.stats().await
    }
}

fn away(error: &rdkafka::error::KafkaError) -> LogError {
    LogError::Away(error.to_string())
}

/// The only member of its group, which has all partitions for good.
struct PlainMember {
    kafka: Arc<KafkaLog>,
    topic: TopicName,
    committer: BaseConsumer,
    assigned: bool,
    reader: Option<Box<dyn Reader>>,
}

impl PlainMember {
    fn commit_offsets(&self, offsets: &[(u32, u64)]) -> Result<(), LogError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            let (partition, offset) = (partition.cast_signed(), offset.cast_signed());
            list.add_partition_offset(self.topic, partition, Offset::Offset(offset))
                .map_err(|error| away(&error))?;
        }
        self.committer
            .commit(&list, CommitMode::Async)
            .map_err(|error| away(&error))
    }
}

#[async_trait]
impl GroupMember for PlainMember {
    async fn next(&mut self, max_wait: Duration) -> Result<GroupEvent, LogError> {
        if !std::mem::replace(&mut self.assigned, true) {
            return Ok(GroupEvent::Assigned((0..PARTITIONS).collect()));
        }
        let Some(reader) = &mut self.reader else {
            sleep(max_wait).await;
            return Ok(GroupEvent::Idle);
        };
        let chunk = reader.next(max_wait).await?;
        Ok(chunk.map_or(GroupEvent::Idle, GroupEvent::Records))
    }

    async fn start(&mut self, positions: &[(u32, u64)]) -> Result<(), LogError> {
        self.reader = Some(self.kafka.reader(self.topic, positions).await?);
        Ok(())
    }

    async fn release(&mut self, _partitions: &[u32]) -> Result<(), LogError> {
        self.reader = None;
        Ok(())
    }

    async fn commit(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
    ) -> Result<(), LogError> {
        self.kafka.append(outputs).await?;
        self.commit_offsets(offsets)
    }

    async fn commit_beside(
        &mut self,
        outputs: Vec<NewRecord>,
        offsets: &[(u32, u64)],
        records: &mut dyn Records,
    ) -> Result<(), LogError> {
        let kafka = Arc::clone(&self.kafka);
        let mut appending = pin!(kafka.append(outputs));
        loop {
            let next = async {
                match &mut self.reader {
                    Some(reader) => reader.next(LONG).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                appended = &mut appending => {
                    appended?;
                    break;
                }
                chunk = next => {
                    if let Some(chunk) = chunk? {
                        records.take(chunk).await;
                    }
                }
            }
        }
        self.commit_offsets(offsets)
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        Ok(())
    }
}
