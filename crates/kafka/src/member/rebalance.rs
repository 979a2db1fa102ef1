//! Takes note of what the group decides, for the polling thread to deal with outside of librdkafka's callback.

use foretide_ports::TopicName;
use parking_lot::Mutex;
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};

use crate::context::{log_error, log_line};

/// What the group decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The member's partitions from now on; there may be none.
    Assign(Vec<u32>),
    /// The member's partitions are asked back.
    Revoke(Vec<u32>),
}

/// What happened during a poll.
#[derive(Debug)]
pub(super) struct Notes {
    topic: TopicName,
    decision: Mutex<Option<Decision>>,
    /// Set once nobody looks at decisions any more: then everything is given back at once.
    closing: Mutex<bool>,
}

impl Notes {
    pub(super) fn new(topic: TopicName) -> Self {
        Self {
            topic,
            decision: Mutex::new(None),
            closing: Mutex::new(false),
        }
    }

    /// What the group decided in the last poll. librdkafka waits until the consumer was assigned or unassigned accordingly.
    pub(super) fn take(&self) -> Option<Decision> {
        self.decision.lock().take()
    }

    /// From now on, gives everything back that the group asks for.
    pub(super) fn close(&self) {
        *self.closing.lock() = true;
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<u32> {
        let mut partitions: Vec<u32> = list
            .elements_for_topic(self.topic)
            .iter()
            .filter_map(|element| u32::try_from(element.partition()).ok())
            .collect();
        partitions.sort_unstable();
        partitions
    }
}

impl ClientContext for Notes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl ConsumerContext for Notes {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        decided: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        if *self.closing.lock() {
            if let Err(error) = consumer.unassign() {
                log_error(&error, "giving back partitions");
            }
            return;
        }
        let partitions = self.partitions(list);
        let decision = match decided {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Decision::Assign(partitions),
            _ => Decision::Revoke(partitions),
        };
        *self.decision.lock() = Some(decision);
    }
}
