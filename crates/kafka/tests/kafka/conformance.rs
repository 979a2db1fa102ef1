//! The suite of the log port over a real broker that the tests share.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use foretide_ports::{Log, conformance::Harness};
use foretide_tests::broker;
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
};

use crate::common::{DEADLINE, connect, unique};

/// The log on the shared broker.
struct Shared {
    /// The unique names given out: topics may be named after them.
    names: Mutex<BTreeSet<String>>,
}

impl Shared {
    fn new() -> Self {
        Self {
            names: Mutex::default(),
        }
    }

    /// Every partition of this check's topics.
    fn partitions(&self, brokers: &str) -> TopicPartitionList {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .create()
            .unwrap();
        let metadata = client.fetch_metadata(None, DEADLINE).unwrap();
        let mut list = TopicPartitionList::new();
        for topic in metadata.topics() {
            if self
                .names
                .lock()
                .iter()
                .any(|name| topic.name().ends_with(name.as_str()))
            {
                for partition in topic.partitions() {
                    list.add_partition_offset(topic.name(), partition.id(), Offset::End)
                        .unwrap();
                }
            }
        }
        list
    }
}

#[async_trait]
impl Harness for Shared {
    async fn open(&self, instance: &str) -> Arc<dyn Log> {
        connect(&broker::shared(), instance)
    }

    fn unique(&self) -> String {
        let name = unique();
        self.names.lock().insert(name.clone());
        name
    }

    async fn expire(&self) -> bool {
        let brokers = broker::shared();
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .create()
            .unwrap();
        let deleted = admin.delete_records(&self.partitions(&brokers), &AdminOptions::new());
        for element in deleted.await.unwrap().elements() {
            element.error().unwrap();
        }
        true
    }
}

foretide_ports::conformance::suite!(Shared::new());
