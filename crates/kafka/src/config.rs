//! How each kind of client is set up.

use foretide_ports::{LogError, MAX_RECORD_BYTES};
use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError};

use crate::errors;

/// How to reach the cluster.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// What this process is called in the brokers' logs and metrics.
    pub instance: String,
    /// Further settings of librdkafka, such as `("security.protocol", "ssl")`. Those prefixed `producer.` or `consumer.`
    /// go to these clients only. `replication.factor` is ours: the number of copies of topics that are created (the
    /// lesser of 3 and the number of brokers, if not given). The settings that the guarantees rest on are refused.
    pub settings: Vec<(String, String)>,
}

/// Settings that must be as this crate sets them, or records would be lost, seen early or consumed twice.
const RESERVED: [&str; 22] = [
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "delivery.report.only.error",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "request.required.acks",
    "retries",
    "transaction.timeout.ms",
    "transactional.id",
];

/// The setting that is ours.
const REPLICATION_FACTOR: &str = "replication.factor";

/// Room for what surrounds a record in its batch: headers, varints, the topic's overhead.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// The largest batch that brokers take on our topics.
pub(crate) const MAX_BATCH_BYTES: usize = MAX_RECORD_BYTES + ENVELOPE_BYTES;

/// What a consumer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Everything written.
    Written,
    /// What is decided, up to the first transaction that is still open.
    Committed,
}

impl KafkaOptions {
    /// What is wrong with the settings, each by itself: one that would break a guarantee, that librdkafka does not know, or
    /// whose value it does not take. A sentence each, about "the Kafka setting", and never a value: some are secrets.
    pub fn faults(&self) -> Vec<String> {
        let faults = self.settings.iter();
        faults
            .filter_map(|(key, value)| setting_fault(key, value))
            .collect()
    }

    /// Refuses settings with faults by the first of them.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        match self.faults().into_iter().next() {
            Some(fault) => Err(LogError::Unusable(format!("the Kafka setting {fault}"))),
            None => Ok(()),
        }
    }

    /// The number of copies of a topic to create, if it was set.
    pub(crate) fn replication_factor(&self) -> Option<i32> {
        let set = self
            .settings
            .iter()
            .rev()
            .find(|(key, _)| key == REPLICATION_FACTOR)?;
        set.1.parse().ok()
    }

    /// The producer of plain appends.
    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.base("producer.");
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.max.bytes", MAX_BATCH_BYTES.to_string());
        config
    }

    /// The producer of one member's transactions.
    pub(crate) fn transactional_producer(&self, group: &str, member: &str) -> ClientConfig {
        let mut config = self.producer();
        config
            .set("transactional.id", format!("{group}.{member}"))
            .set("delivery.report.only.error", "true")
            .set("transaction.timeout.ms", "10000");
        config
    }

    /// A client that only asks for offsets and metadata.
    pub(crate) fn asker(&self, sight: Sight) -> ClientConfig {
        let isolation = match sight {
            Sight::Written => "read_uncommitted",
            Sight::Committed => "read_committed",
        };
        let mut config = self.base("consumer.");
        config
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false");
        config
    }

    /// A consumer of assigned partitions. librdkafka wants a group id even of one that never joins a group.
    pub(crate) fn reader(&self, group: &str) -> ClientConfig {
        let mut config = self.asker(Sight::Committed);
        config
            .set("group.id", group)
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true");
        config
    }

    /// A consumer that is a member of a group. Its name makes it a static member: it keeps its partitions when it is
    /// started again within the session's time-out, without a rebalance. An offset that the broker does not have is an error:
    /// what to do depends on whether it lies below the oldest record or beyond the end.
    pub(crate) fn member(&self, group: &str, member: &str) -> ClientConfig {
        let mut config = self.reader(group);
        config
            .set("auto.offset.reset", "error")
            .set("group.instance.id", member)
            .set("group.protocol", "classic")
            // Eager: a rebalance takes everything from everyone, so there is one generation to fence by.
            .set("partition.assignment.strategy", "range");
        config
    }

    /// What all clients have in common; `of` says whose prefixed settings apply as well.
    fn base(&self, of: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        for (key, value) in DEFAULTS {
            if let Some(key) = setting_for(of, key) {
                config.set(key, value);
            }
        }
        config.set("client.id", format!("foretide-{}", self.instance));
        for (key, value) in &self.settings {
            if let Some(key) = setting_for(of, key).filter(|key| *key != REPLICATION_FACTOR) {
                config.set(key, value);
            }
        }
        config.set("bootstrap.servers", &self.brokers);
        config
    }
}

/// What is wrong with one setting.
fn setting_fault(key: &str, value: &str) -> Option<String> {
    let bare = ["producer.", "consumer."]
        .iter()
        .find_map(|of| key.strip_prefix(of))
        .unwrap_or(key);
    if RESERVED.contains(&bare) {
        return Some(format!("{key} is fixed: exactly-once rests on it"));
    }
    if key == REPLICATION_FACTOR {
        let is_number = value.parse::<i32>().is_ok_and(|copies| copies > 0);
        return (!is_number).then(|| format!("{key} is no number from 1"));
    }
    match ClientConfig::new().set(bare, value).create_native_config() {
        Err(KafkaError::ClientConfig(kind, _, bare, _)) => Some(errors::setting_fault(kind, &bare)),
        _ => None,
    }
}

/// The setting's own name, if it applies to the clients whose prefix is `of`.
fn setting_for<'a>(of: &str, key: &'a str) -> Option<&'a str> {
    match key.strip_prefix(of) {
        Some(own) => Some(own),
        None if key.starts_with("producer.") || key.starts_with("consumer.") => None,
        None => Some(key),
    }
}

/// Settings that may be overridden.
const DEFAULTS: [(&str, &str); 20] = [
    ("topic.metadata.refresh.interval.ms", "60000"),
    ("log.connection.close", "false"),
    // Brokers that speak another protocol hang up: what librdkafka guesses of it is told on by `refusals`.
    ("producer.log.connection.close", "true"),
    ("socket.keepalive.enable", "true"),
    ("socket.connection.setup.timeout.ms", "5000"),
    // The next transaction may begin while the brokers still end the last one: they ask to try again in a moment.
    ("retry.backoff.ms", "20"),
    // A broker that comes back is found again within a second.
    ("reconnect.backoff.ms", "50"),
    ("reconnect.backoff.max.ms", "1000"),
    // An absent broker fails an append after this. Less than the transaction's time-out, as librdkafka demands.
    ("producer.message.timeout.ms", "6000"),
    // Little, so that few concurrent requests are quick; many fill their batches while the last one is on its way.
    ("producer.linger.ms", "2"),
    // JSON shrinks to a quarter; on broker and network that saves more time than it takes.
    ("producer.compression.type", "lz4"),
    // What waits while the broker is away: bounded in memory, not in records.
    ("producer.queue.buffering.max.kbytes", "131072"),
    ("producer.queue.buffering.max.messages", "1000000"),
    ("consumer.session.timeout.ms", "10000"),
    // A member hears of a rebalance in the answer to a heartbeat: often is quick.
    ("consumer.heartbeat.interval.ms", "1000"),
    // How long a member may take to answer a rebalance. Its thread polls while its owner restores.
    ("consumer.max.poll.interval.ms", "120000"),
    // Fetched ahead, for all partitions of a consumer.
    ("consumer.queued.max.messages.kbytes", "16384"),
    ("consumer.queued.min.messages", "20000"),
    // After its queue was full a consumer fetches on at once; the default of a second starves a quick reader.
    ("consumer.fetch.queue.backoff.ms", "20"),
    ("consumer.fetch.error.backoff.ms", "200"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn options(settings: &[(&str, &str)]) -> KafkaOptions {
        KafkaOptions {
            brokers: "a:1".into(),
            instance: "one".into(),
            settings: settings
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        }
    }

    #[test]
    fn a_setting_that_a_guarantee_rests_on_is_refused() {
        for key in [
            "acks",
            "producer.acks",
            "consumer.isolation.level",
            "transactional.id",
        ] {
            let refused = options(&[(key, "x")]).check();
            assert!(matches!(refused, Err(LogError::Unusable(_))), "{key}");
        }
        assert_eq!(
            options(&[("security.protocol", "plaintext")]).check(),
            Ok(())
        );
    }

    #[test]
    fn every_setting_at_fault_is_told_and_no_value() {
        let faults = options(&[
            ("acks", "hunter2"),
            ("replication.factor", "hunter2"),
            ("sasl.passwordd", "hunter2"),
            ("socket.timeout.ms", "hunter2"),
            ("producer.linger.ms", "5"),
            ("client.rack", "hunter2"),
        ])
        .faults();
        let named = [
            "acks",
            "replication.factor",
            "sasl.passwordd",
            "socket.timeout.ms",
        ];
        assert_eq!(faults.len(), named.len(), "{faults:?}");
        for (fault, name) in faults.iter().zip(named) {
            assert!(
                fault.starts_with(name) && !fault.contains("hunter2"),
                "{fault}"
            );
        }
    }

    #[test]
    fn prefixed_settings_go_to_their_clients_only_and_override_the_defaults() {
        let options = options(&[
            ("producer.linger.ms", "1"),
            ("socket.timeout.ms", "90"),
            ("replication.factor", "2"),
        ]);
        assert_eq!(options.check(), Ok(()));
        let (producer, reader) = (options.producer(), options.reader("g"));
        assert_eq!(producer.get("linger.ms"), Some("1"));
        assert_eq!(reader.get("linger.ms"), None);
        assert_eq!(producer.get("session.timeout.ms"), None);
        assert_eq!(reader.get("socket.timeout.ms"), Some("90"));
        assert_eq!(
            (
                options.replication_factor(),
                reader.get("replication.factor")
            ),
            (Some(2), None)
        );
    }

    #[test]
    fn every_client_can_be_created_with_its_settings() {
        let options = options(&[]);
        let all = [
            options.producer(),
            options.transactional_producer("g", "m"),
            options.asker(Sight::Written),
            options.member("g", "m"),
        ];
        for config in all {
            config.create_native_config().unwrap();
        }
    }
}
