//! A member's transactions. Every function here blocks and is called on a thread of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use foretide_ports::{LogError, NewRecord, TopicName};
use rdkafka::{
    TopicPartitionList,
    error::{KafkaError, RDKafkaErrorCode},
    producer::Producer as _,
};
use tracing::warn;

use super::{
    Generation,
    outputs::{self, Producer},
};
use crate::{
    blocking::{DroppedOutside, within},
    errors, queries,
};

/// How long joining tries to reach the brokers.
const JOIN_PATIENCE: Duration = Duration::from_secs(10);
/// How long one step of a transaction may take: as long as the broker keeps it open.
const STEP_PATIENCE: Duration = Duration::from_secs(10);
/// How soon an abandoned join is noticed.
const SLICE: Duration = Duration::from_secs(1);

/// Why a commit did not come true, or may not have.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Somebody else owns the partitions. Nothing was committed. `for_good`: this producer can commit nothing any more.
    Fenced {
        /// [`LogError::Fenced`].
        error: LogError,
        /// Whether its transactional id was taken over.
        for_good: bool,
    },
    /// It was not committed, or it is not known whether it was.
    Failed(LogError),
}

impl From<LogError> for Refused {
    fn from(error: LogError) -> Self {
        Self::Failed(error)
    }
}

/// Takes over the transactional id: locks out its former user and ends that one's transaction.
pub(super) fn initialise(producer: &Producer, stopped: &AtomicBool) -> Result<(), LogError> {
    let deadline = Instant::now() + JOIN_PATIENCE;
    loop {
        // librdkafka goes on where it was when the time-out cut it short.
        let error = match producer.init_transactions(SLICE) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let may_pass = matches!(&error, KafkaError::Transaction(error) if error.is_retriable());
        if !may_pass || Instant::now() > deadline || stopped.load(Ordering::Relaxed) {
            return Err(match errors::log_error("joining", &error) {
                // Somebody joined under the same name at the same moment: try again.
                LogError::Fenced(said) => LogError::Away(said),
                other => other,
            });
        }
    }
}

/// Writes `outputs` and moves the group to `offsets`, all or nothing, if the group is still in `generation`.
pub(super) fn commit(
    producer: &Arc<DroppedOutside<Producer>>,
    outputs: Vec<NewRecord>,
    topic: TopicName,
    offsets: &[(u32, u64)],
    generation: &Generation,
) -> Result<(), Refused> {
    let list = positions(topic, offsets).map_err(Refused::Failed)?;
    outputs::begin(producer);
    producer
        .begin_transaction()
        .map_err(|error| lost(producer, "beginning", &error))?;
    if let Err(error) = outputs::hand_over(producer, &outputs) {
        return Err(abort(producer, error));
    }
    drop(outputs);
    #[cfg(feature = "fault-points")]
    foretide_faults::reach("in-transaction-before-offsets");
    if list.count() > 0
        && let Err(error) = send_offsets(producer, list, generation)?
    {
        let error = errors::log_error("committing offsets", &error);
        return Err(abort(producer, outputs::failure(producer).unwrap_or(error)));
    }
    outputs::settle(producer);
    #[cfg(feature = "fault-points")]
    foretide_faults::reach("in-transaction-before-end");
    match retried(|| producer.commit_transaction(STEP_PATIENCE)) {
        Ok(()) => Ok(()),
        Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
            let error = errors::log_error("committing", &KafkaError::Transaction(error));
            Err(abort(producer, outputs::failure(producer).unwrap_or(error)))
        }
        Err(error) => Err(lost(producer, "committing", &error)),
    }
}

/// Moves the group, as part of the transaction. The outer error is that it took longer than any transaction stays open.
fn send_offsets(
    producer: &Arc<DroppedOutside<Producer>>,
    list: TopicPartitionList,
    generation: &Generation,
) -> Result<Result<(), KafkaError>, Refused> {
    let (sending, generation) = (Arc::clone(producer), Arc::clone(generation));
    // librdkafka heeds no time-out while it waits for the group's coordinator, which may be for ever if that broker died and was
    // missing from the cluster for a while (its issues 5456 and 5511). The thread then ends when any connection of this
    // producer comes or goes, at the latest when brokers close idle ones; what it sends then, they refuse.
    let sent = within("offsets", STEP_PATIENCE + SLICE, move || {
        retried(|| sending.send_offsets_to_transaction(&list, &generation, STEP_PATIENCE))
    });
    let given_up = match sent {
        Ok(Some(sent)) => return Ok(sent),
        Ok(None) => {
            LogError::Away("committing offsets: the group's coordinator does not answer".into())
        }
        Err(error) => error,
    };
    Err(fenced_for_good(producer, &given_up).unwrap_or(Refused::Failed(given_up)))
}

fn positions(topic: TopicName, offsets: &[(u32, u64)]) -> Result<TopicPartitionList, LogError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        queries::add(&mut list, topic, *partition, queries::at(*offset))?;
    }
    Ok(list)
}

/// Tries a step again while librdkafka says that it may go well, for as long as a transaction may stay open.
fn retried(mut step: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let deadline = Instant::now() + STEP_PATIENCE;
    loop {
        match step() {
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && Instant::now() < deadline => {}
            done => return done,
        }
    }
}

/// Takes the transaction back because of `error`. If that one did not fence the member, its owner joins again, and that
/// ends the transaction as well: then this is only to free what the transaction holds up a little sooner.
fn abort(producer: &Producer, error: LogError) -> Refused {
    if let Some(fenced) = fenced_for_good(producer, &error) {
        return fenced;
    }
    let LogError::Fenced(_) = error else {
        let _ = producer.abort_transaction(SLICE);
        return fenced_for_good(producer, &error).unwrap_or(Refused::Failed(error));
    };
    let for_good = match retried(|| producer.abort_transaction(STEP_PATIENCE)) {
        Ok(()) => false,
        Err(trouble) => {
            warn!(%error, %trouble, "a transaction could not be aborted; the brokers will");
            true
        }
    };
    Refused::Fenced { error, for_good }
}

/// An error after which it is not known whether the transaction was committed, unless its id was taken over: the new
/// user has then ended it.
fn lost(producer: &Producer, what: &str, error: &KafkaError) -> Refused {
    let error = errors::log_error(what, error);
    fenced_for_good(producer, &error).unwrap_or(Refused::Failed(error))
}

/// If the producer is of no more use because another one has its id.
fn fenced_for_good(producer: &Producer, error: &LogError) -> Option<Refused> {
    let (code, said) = producer.client().fatal_error()?;
    Some(
        if errors::is_fencing(code) || code == RDKafkaErrorCode::Fenced {
            Refused::Fenced {
                error: LogError::Fenced(said),
                for_good: true,
            }
        } else {
            Refused::Failed(LogError::Away(format!("{error}; {said}")))
        },
    )
}

#[cfg(test)]
mod tests {
    use foretide_ports::ACTIONS;
    use rdkafka::{
        consumer::{BaseConsumer, Consumer as _},
        mocking::{MockCluster, MockCoordinator},
    };

    use super::*;
    use crate::config::KafkaOptions;

    fn joined(options: &KafkaOptions) -> Arc<DroppedOutside<Producer>> {
        let producer = outputs::producer(&options.transactional_producer("g", "m")).unwrap();
        initialise(&producer, &AtomicBool::new(false)).unwrap();
        Arc::new(DroppedOutside::new(producer))
    }

    #[test]
    fn a_commit_whose_group_has_lost_its_coordinator_is_given_up_and_can_be_made_after_joining_again()
     {
        let cluster = MockCluster::new(2).unwrap();
        let coordinator = |of, broker| cluster.coordinator(of, broker).unwrap();
        coordinator(MockCoordinator::Transaction("g.m".into()), 1);
        coordinator(MockCoordinator::Group("g".into()), 2);
        cluster.create_topic(ACTIONS, 1, 1).unwrap();
        let options = KafkaOptions {
            brokers: cluster.bootstrap_servers(),
            instance: "a".into(),
            settings: Vec::new(),
        };
        let consumer: BaseConsumer = options.member("g", "m").create().unwrap();
        let generation: Generation = Arc::new(consumer.group_metadata().unwrap());
        let offsets = |producer: &_| commit(producer, Vec::new(), ACTIONS, &[(0, 1)], &generation);

        let producer = joined(&options);
        assert_eq!(offsets(&producer), Ok(()));
        cluster.broker_down(2).unwrap();
        let refused = offsets(&producer);
        assert!(
            matches!(refused, Err(Refused::Failed(LogError::Away(_)))),
            "{refused:?}"
        );
        coordinator(MockCoordinator::Group("g".into()), 1);
        assert_eq!(offsets(&joined(&options)), Ok(()));
    }
}
