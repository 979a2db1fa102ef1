//! Questions to the brokers: where partitions end, what a group committed, whether all is well. Every function here
//! blocks and is called on a thread of its own.

use std::{
    thread,
    time::{Duration, Instant},
};

use foretide_ports::LogError;
use rdkafka::{
    Offset, TopicPartitionList,
    client::Client,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::MetadataTopic,
};

use crate::{
    blocking::DroppedOutside,
    config::{KafkaOptions, Sight},
    context::Logged,
    errors,
};

/// How long one question may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a transaction that is still open is waited for: longer than the brokers let it stay open, 10 s and up to 10 s
/// until they notice.
const TRANSACTION_PATIENCE: Duration = Duration::from_secs(30);
/// Brokers were seen to forget the end of a transaction when all copies of a partition were killed in that moment.
const STAYS_OPEN: &str =
    "stays open; if it lasts, look at it with kafka-transactions.sh find-hanging";
const RETRY: Duration = Duration::from_millis(20);
/// How soon to ask again who leads a partition: electing a leader takes the brokers longer than a connection takes to answer.
const RETRY_LEADER: Duration = Duration::from_millis(100);
/// How long leaders may take to answer before it is asked whether they still are; twice as long each time.
const FIRST_SLICE: Duration = Duration::from_secs(1);

/// Two clients that only ask, one for each sight.
pub(crate) struct Asker {
    written: BaseConsumer<Logged>,
    committed: BaseConsumer<Logged>,
}

impl Asker {
    pub(crate) fn new(options: &KafkaOptions) -> Result<Self, LogError> {
        let client = |sight| {
            options
                .asker(sight)
                .create_with_context(Logged)
                .map_err(|error| errors::log_error("creating a client", &error))
        };
        Ok(Self {
            written: client(Sight::Written)?,
            committed: client(Sight::Committed)?,
        })
    }

    /// The number of partitions of `topic`; [`LogError::Topic`] if it is not there.
    pub(crate) fn partition_count(&self, topic: &str) -> Result<u32, LogError> {
        self.serve();
        let metadata = self
            .written
            .fetch_metadata(Some(topic), PATIENCE)
            .map_err(|error| errors::log_error("asking for a topic", &error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let missing = || missing(topic);
        let found = found
            .filter(|found| found.error().is_none())
            .ok_or_else(missing)?;
        u32::try_from(found.partitions().len())
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(missing)
    }

    /// The end of each of the `count` partitions of `topic` as it is now, once every transaction below it is decided.
    pub(crate) fn decided_ends(&self, topic: &str, count: u32) -> Result<Vec<u64>, LogError> {
        self.serve();
        let deadline = Instant::now() + TRANSACTION_PATIENCE;
        let ends = ask(&self.written, topic, 0..count, Offset::End)?;
        loop {
            let stable = ask(&self.committed, topic, 0..count, Offset::End)?;
            if ends.iter().zip(&stable).all(|(end, stable)| stable >= end) {
                return Ok(ends);
            }
            if Instant::now() > deadline {
                return Err(LogError::Away(format!(
                    "a transaction on {topic} {STAYS_OPEN}"
                )));
            }
            thread::sleep(RETRY);
        }
    }

    /// Up to where each of the `partitions` of `topic` can be read now.
    pub(crate) fn readable_ends(
        &self,
        topic: &str,
        partitions: impl Iterator<Item = u32>,
    ) -> Result<Vec<u64>, LogError> {
        self.serve();
        ask(&self.committed, topic, partitions, Offset::End)
    }

    /// The offset of the oldest record of each partition of `topic` written at `at_ms` or later; `None` where there is none.
    pub(crate) fn first_since(
        &self,
        topic: &str,
        count: u32,
        at_ms: i64,
    ) -> Result<Vec<Option<u64>>, LogError> {
        self.serve();
        // Negative numbers would be taken for the beginning, the end and so on.
        find(&self.written, topic, 0..count, Offset::Offset(at_ms.max(0)))
    }

    /// How many offsets lie between the oldest and the newest record of all partitions of `topic`.
    pub(crate) fn span(&self, topic: &str, count: u32) -> Result<u64, LogError> {
        self.serve();
        let starts = ask(&self.written, topic, 0..count, Offset::Beginning)?;
        let ends = ask(&self.written, topic, 0..count, Offset::End)?;
        Ok(ends
            .iter()
            .zip(&starts)
            .map(|(end, start)| end.saturating_sub(*start))
            .sum())
    }

    /// Lets go of what librdkafka has to say (log lines, broker errors), which would pile up otherwise.
    fn serve(&self) {
        for client in [&self.written, &self.committed] {
            for _ in 0..50 {
                let _ = client.poll(Duration::ZERO);
            }
        }
    }
}

/// What `group` committed for each of the `count` partitions of `topic`, once no transaction over it is open.
pub(crate) fn committed(
    options: &KafkaOptions,
    group: &str,
    topic: &str,
    count: u32,
) -> Result<Vec<Option<u64>>, LogError> {
    let config = options.reader(group);
    let consumer: BaseConsumer<Logged> = config
        .create_with_context(Logged)
        .map_err(|error| errors::log_error("creating a client", &error))?;
    let consumer = DroppedOutside::new(consumer);
    // That the brokers are away shows here; afterwards there is time for a transaction to be decided.
    consumer
        .fetch_metadata(Some(topic), PATIENCE)
        .map_err(|error| errors::log_error("asking for a topic", &error))?;
    let asked = list(topic, 0..count, Offset::Invalid)?;
    // Being read_committed, the client asks for stable offsets; the broker refuses them while a transaction is open.
    let answer = patiently(TRANSACTION_PATIENCE, |left| {
        offsets(&consumer.committed_offsets(asked.clone(), left)?)
    });
    answer.map_err(|error| match error.rdkafka_error_code() {
        // librdkafka itself asks again while the offsets are not stable.
        Some(RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::UnstableOffsetCommit) => {
            LogError::Away(format!(
                "a transaction over the offsets of {group} {STAYS_OPEN}"
            ))
        }
        _ => errors::log_error("asking for committed offsets", &error),
    })
}

/// Whether a leader or a coordinator is only not ready yet or just moved, or a transaction still open.
fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnstableOffsetCommit
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::WaitingForCoordinator
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::OffsetNotAvailable
        )
    )
}

/// Whether each of `topics` could take a record now: it has a leader for every partition and at least as many copies in
/// sync as its brokers ask for.
pub(crate) fn health<C: rdkafka::ClientContext>(
    client: &Client<C>,
    topics: &[(String, usize)],
    patience: Duration,
) -> Result<(), LogError> {
    let deadline = Instant::now() + patience;
    let fetch = |topic| {
        let left = deadline.saturating_duration_since(Instant::now());
        client
            .fetch_metadata(topic, left)
            .map_err(|error| errors::log_error("asking the brokers", &error))
    };
    if topics.is_empty() {
        return fetch(None).map(drop);
    }
    for (name, min_in_sync) in topics {
        let metadata = fetch(Some(name.as_str()))?;
        let found = metadata.topics().iter().find(|found| found.name() == name);
        takes_records(found.ok_or_else(|| missing(name))?, *min_in_sync)?;
    }
    Ok(())
}

fn takes_records(topic: &MetadataTopic, min_in_sync: usize) -> Result<(), LogError> {
    if topic.error().is_some() || topic.partitions().is_empty() {
        return Err(missing(topic.name()));
    }
    for partition in topic.partitions() {
        let (name, id) = (topic.name(), partition.id());
        if partition.leader() < 0 {
            return Err(LogError::Away(format!("{name}/{id} has no leader")));
        }
        if partition.isr().len() < min_in_sync {
            let said = format!("{name}/{id} has fewer than {min_in_sync} copies in sync");
            return Err(LogError::Away(said));
        }
    }
    Ok(())
}

pub(crate) fn missing(topic: &str) -> LogError {
    let problem = "it is not there: declare it, or start a command that does".to_owned();
    LogError::Topic {
        topic: topic.to_owned(),
        problem,
    }
}

/// A list of partitions, each with `offset`.
pub(crate) fn list(
    topic: &str,
    partitions: impl Iterator<Item = u32>,
    offset: Offset,
) -> Result<TopicPartitionList, LogError> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        add(&mut list, topic, partition, offset)?;
    }
    Ok(list)
}

/// Adds one partition to a list.
pub(crate) fn add(
    list: &mut TopicPartitionList,
    topic: &str,
    partition: u32,
    offset: Offset,
) -> Result<(), LogError> {
    i32::try_from(partition)
        .map_err(|_| KafkaError::MessageProduction(RDKafkaErrorCode::UnknownPartition))
        .and_then(|partition| list.add_partition_offset(topic, partition, offset))
        .map_err(|error| errors::log_error("naming a partition", &error))
}

/// The position `offset` as librdkafka wants it.
pub(crate) fn at(offset: u64) -> Offset {
    Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX))
}

/// Asks for the beginnings or ends of partitions, all leaders at once. To librdkafka these are times at which to look.
fn ask(
    client: &BaseConsumer<Logged>,
    topic: &str,
    partitions: impl Iterator<Item = u32>,
    which: Offset,
) -> Result<Vec<u64>, LogError> {
    let found = find(client, topic, partitions, which)?;
    Ok(found.into_iter().map(Option::unwrap_or_default).collect())
}

/// The same; `None` where a partition has no such offset.
fn find(
    client: &BaseConsumer<Logged>,
    topic: &str,
    partitions: impl Iterator<Item = u32>,
    which: Offset,
) -> Result<Vec<Option<u64>>, LogError> {
    let asked = list(topic, partitions, which)?;
    if asked.count() == 0 {
        return Ok(Vec::new());
    }
    let mut slice = FIRST_SLICE;
    let answer = patiently(PATIENCE, |left| {
        let answer = client
            .offsets_for_times(asked.clone(), slice.min(left))
            .and_then(|answer| offsets(&answer));
        let Err(error) = &answer else { return answer };
        let late = is_late(error) && slice < left;
        if !late && !is_of_leaders(error) {
            return answer;
        }
        if late {
            slice *= 2;
        } else {
            thread::sleep(RETRY_LEADER.min(left));
        }
        // librdkafka goes by the leaders it was told of last, be it that there was none or one that has left the cluster since,
        // and a client that only asks is told anew once a minute.
        client.fetch_metadata(Some(topic), left)?;
        Err(KafkaError::MetadataFetch(
            RDKafkaErrorCode::LeaderNotAvailable,
        ))
    });
    answer.map_err(|error| errors::log_error("asking for offsets", &error))
}

/// Whether a partition is led by another broker than librdkafka thinks, by one that has just left, or by none. That it knows no
/// leader of any partition asked about, it calls an unknown partition.
fn is_of_leaders(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::UnknownPartition
                | Code::DestroyBroker
        )
    )
}

fn is_late(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut)
}

/// Asks again while the brokers say that they are only not ready yet. `question` gets the time that it may take.
fn patiently<T>(
    patience: Duration,
    mut question: impl FnMut(Duration) -> Result<T, KafkaError>,
) -> Result<T, KafkaError> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match question(left) {
            Err(error) if is_passing(&error) && left > RETRY => thread::sleep(RETRY),
            answer => return answer,
        }
    }
}

/// The offsets of a list in its order; `None` where there is none.
fn offsets(list: &TopicPartitionList) -> Result<Vec<Option<u64>>, KafkaError> {
    let offset = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        element.error()?;
        Ok(match element.offset() {
            Offset::Offset(offset) => u64::try_from(offset).ok(),
            _ => None,
        })
    };
    list.elements().into_iter().map(offset).collect()
}

/// The offsets of a partition's oldest record and of its end.
pub(crate) fn range<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: u32,
) -> Result<(u64, u64), LogError> {
    let partition = i32::try_from(partition).unwrap_or(i32::MAX);
    let (oldest, end) = consumer
        .fetch_watermarks(topic, partition, PATIENCE)
        .map_err(|error| errors::log_error("asking for the range of offsets", &error))?;
    Ok((oldest.max(0).cast_unsigned(), end.max(0).cast_unsigned()))
}

/// The offset behind the last message, marker of a transaction included, that was polled of a partition; `None` before
/// the first.
pub(crate) fn position<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: u32,
) -> Option<u64> {
    let positions = consumer.position().ok()?;
    let partition = i32::try_from(partition).ok()?;
    match positions.find_partition(topic, partition)?.offset() {
        Offset::Offset(offset) => u64::try_from(offset).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    /// Ends are asked for after the client was told that `leaderless` had no leader, and got one.
    fn ends_after_an_election(leaderless: &[i32]) -> Result<Vec<u64>, LogError> {
        let cluster = MockCluster::new(2).unwrap();
        cluster.create_topic("t", 2, 1).unwrap();
        let asker = Asker::new(&KafkaOptions {
            brokers: cluster.bootstrap_servers(),
            instance: "a".into(),
            settings: Vec::new(),
        })
        .unwrap();
        for partition in leaderless {
            cluster.partition_leader("t", *partition, None).unwrap();
        }
        asker.committed.fetch_metadata(Some("t"), PATIENCE).unwrap();
        for partition in leaderless {
            cluster.partition_leader("t", *partition, Some(1)).unwrap();
        }
        asker.readable_ends("t", 0..2)
    }

    #[test]
    fn a_leader_that_was_elected_since_is_asked_for_the_end_of_its_partition() {
        assert_eq!(ends_after_an_election(&[1]), Ok(vec![0, 0]));
    }

    #[test]
    fn so_it_is_where_no_partition_had_a_leader() {
        assert_eq!(ends_after_an_election(&[0, 1]), Ok(vec![0, 0]));
    }
}
