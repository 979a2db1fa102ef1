//! Where data lives: the data directory, and which log. What every process and every command that looks at a log have in common.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::Args;
use foretide_embedded::{EmbeddedLog, EmbeddedOptions};
use foretide_events::EpochMs;
use foretide_kafka::{KafkaLog, KafkaOptions};
use foretide_ports::{ACTIONS, Log, foretide_topics};
use foretide_runtime::{SharedClock, SystemClock};

use crate::config::Several;

/// Where data lives.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Storage")]
pub struct LogArgs {
    /// Directory of everything this instance keeps; made if it is not there
    #[arg(long, env = "FORETIDE_DATA_DIR", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// The log: `embedded`, `embedded:DIR`, or `kafka:HOST:PORT[,HOST:PORT…]`; embedded means `DATA_DIR/log`
    #[arg(
        long,
        env = "FORETIDE_LOG",
        value_name = "LOG",
        default_value = "embedded"
    )]
    pub log: LogChoice,

    /// Partitions of the topics keyed by shopper; a log keeps the number it was made with
    #[arg(long, env = "FORETIDE_PARTITIONS", value_name = "N", default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub partitions: u32,

    /// A setting of the Kafka clients, such as `security.protocol=ssl` or `replication.factor=3`; the flag may be given
    /// several times, and the variable holds several with semicolons between: one in a value is written twice there, `;;`
    #[arg(long, env = "FORETIDE_KAFKA_SETTING", value_name = "NAME=VALUE", hide_env_values = true,
        value_parser = Several(setting))]
    pub kafka_setting: Vec<KafkaSettings>,

    /// The key of the pseudonyms, base64 of 32 random bytes; made as `DATA_DIR/pseudonym.key` with the embedded
    /// log, must be given with Kafka
    #[arg(long, env = "FORETIDE_PSEUDONYM_KEY_FILE", value_name = "FILE")]
    pub pseudonym_key_file: Option<PathBuf>,

    /// Free bytes of the disk that an embedded log never uses; below them it is full and takes no events
    #[arg(long, env = "FORETIDE_DISK_RESERVE_BYTES", value_name = "BYTES",
        default_value_t = EmbeddedOptions::default().reserve_bytes)]
    pub disk_reserve_bytes: u64,
}

/// Settings of the Kafka clients that were given at once: names and values.
type KafkaSettings = Vec<(String, String)>;

/// Which log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogChoice {
    /// In a directory, by default inside the data directory.
    Embedded(Option<PathBuf>),
    /// On Kafka brokers.
    Kafka(String),
}

impl FromStr for LogChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let is_broker = |broker: &str| {
            broker
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        match (kind, rest) {
            ("embedded", "") => Ok(Self::Embedded(None)),
            ("embedded", dir) => Ok(Self::Embedded(Some(dir.into()))),
            ("kafka", brokers) if brokers.split(',').all(is_broker) => {
                Ok(Self::Kafka(brokers.to_owned()))
            }
            ("kafka", _) => {
                Err("brokers are written kafka:HOST:PORT, several with commas between".to_owned())
            }
            _ => Err("a log is embedded, embedded:DIR or kafka:HOST:PORT".to_owned()),
        }
    }
}

impl LogArgs {
    /// Everything that is wrong with them taken together.
    pub fn faults(&self) -> Vec<String> {
        let encrypts = |(name, value): &&(String, String)| {
            let value = value.to_ascii_lowercase();
            let name = name
                .trim_start_matches("producer.")
                .trim_start_matches("consumer.");
            name.starts_with("ssl.")
                || (name == "security.protocol" && value.contains("ssl"))
                || (name.starts_with("sasl.mechanism") && value.starts_with("scram"))
        };
        let mut options = self.kafka_options(String::new(), "");
        let mut faults = Vec::new();
        // The names alone: some values are secrets.
        if !cfg!(feature = "tls")
            && let Some((name, _)) = options.settings.iter().find(encrypts)
        {
            faults.push(format!(
                "--kafka-setting: {name} needs encryption, which this build is without: build with `cargo build --release \
                 --features tls` (Debian package libssl-dev), or use the container image"
            ));
            options.settings.retain(|setting| !encrypts(&setting));
        }
        let of_kafka = options.faults().into_iter();
        faults.extend(of_kafka.map(|fault| format!("--kafka-setting: the setting {fault}")));
        faults
    }

    fn kafka_options(&self, brokers: String, instance: &str) -> KafkaOptions {
        KafkaOptions {
            brokers,
            instance: instance.to_owned(),
            settings: self.kafka_setting.concat(),
        }
    }

    /// Whether the log is shared with other hosts.
    pub fn is_shared(&self) -> bool {
        matches!(self.log, LogChoice::Kafka(_))
    }

    /// Makes the data directory, readable by its owner alone.
    pub fn make_data_dir(&self) -> anyhow::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data_dir)
            .with_context(|| {
                format!(
                    "making the data directory {} (--data-dir)",
                    self.data_dir.display()
                )
            })
    }

    /// Opens the log. `instance` names this process among those that use it.
    pub fn open_log(&self, instance: &str, clock: &SharedClock) -> anyhow::Result<Arc<dyn Log>> {
        match &self.log {
            LogChoice::Embedded(dir) => {
                let dir = dir.clone().unwrap_or_else(|| self.data_dir.join("log"));
                open_embedded(&dir, self.disk_reserve_bytes, clock.clone())
            }
            LogChoice::Kafka(brokers) => {
                let options = self.kafka_options(brokers.clone(), instance);
                let log = KafkaLog::connect(options)
                    .with_context(|| format!("connecting to the brokers {brokers} (--log)"))?;
                Ok(Arc::new(log))
            }
        }
    }

    /// Opens a log that a server has made, to look at it.
    pub async fn open_existing_log(&self, instance: &str) -> anyhow::Result<Arc<dyn Log>> {
        if let LogChoice::Embedded(dir) = &self.log {
            let dir = dir.clone().unwrap_or_else(|| self.data_dir.join("log"));
            let place = || {
                format!(
                    "looking for the log at {} (--data-dir, --log)",
                    dir.display()
                )
            };
            if !dir.try_exists().with_context(place)? {
                bail!(
                    "there is no log at {} (--data-dir, --log): give the directory that a server was started with",
                    dir.display()
                );
            }
        }
        let clock: SharedClock = Arc::new(SystemClock);
        let log = self.open_log(instance, &clock)?;
        if self.is_shared() {
            // Declaring would make topics where there are none, which is not for a look to do.
            log.end_offsets(ACTIONS)
                .await
                .context("looking for the topics (--log)")?;
        }
        log.declare(&foretide_topics(self.partitions))
            .await
            .context("checking the topics (--partitions)")?;
        Ok(log)
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("a setting is written NAME=VALUE".to_owned()),
    }
}

fn open_embedded(
    dir: &Path,
    reserve_bytes: u64,
    clock: SharedClock,
) -> anyhow::Result<Arc<dyn Log>> {
    let options = EmbeddedOptions {
        reserve_bytes,
        ..EmbeddedOptions::default()
    };
    let now = Arc::new(move || EpochMs(clock.now_ms()));
    let log = EmbeddedLog::open(dir, options, now)
        .with_context(|| format!("opening the log at {}", dir.display()))?;
    Ok(Arc::new(log))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        log: LogArgs,
    }

    #[test]
    fn a_flag_holds_one_setting_whatever_is_in_it() {
        let words = [
            "x",
            "--data-dir",
            "d",
            "--kafka-setting",
            "sasl.password=a;b=c;;d",
        ];
        let log = Cli::parse_from(words).log;
        let settings = log.kafka_options(String::new(), "i").settings;
        assert_eq!(
            settings,
            [("sasl.password".to_owned(), "a;b=c;;d".to_owned())]
        );
        assert_eq!(log.faults(), [""; 0]);
    }

    #[test]
    fn every_kafka_setting_at_fault_is_told_by_its_name_alone() {
        let words = "x --data-dir d --kafka-setting sasl.passwordd=hunter2 --kafka-setting socket.timeout.ms=hunter2 \
                     --kafka-setting acks=hunter2 --kafka-setting client.rack=hunter2";
        let faults = Cli::parse_from(words.split_whitespace()).log.faults();
        assert_eq!(faults.len(), 3, "{faults:?}");
        for (fault, name) in faults
            .iter()
            .zip(["sasl.passwordd", "socket.timeout.ms", "acks"])
        {
            assert!(
                fault.starts_with(&format!("--kafka-setting: the setting {name} ")),
                "{fault}"
            );
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn a_log_is_chosen_by_its_kind_and_place() {
        for (text, choice) in [
            ("embedded", LogChoice::Embedded(None)),
            (
                "embedded:/var/log:odd",
                LogChoice::Embedded(Some("/var/log:odd".into())),
            ),
            (
                "kafka:127.0.0.1:9092",
                LogChoice::Kafka("127.0.0.1:9092".to_owned()),
            ),
            ("kafka:a:1,b:2", LogChoice::Kafka("a:1,b:2".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(choice), "{text}");
        }
        for text in [
            "",
            "kafka",
            "kafka:",
            "kafka:host",
            "kafka:host:port",
            "kafka:a:1,",
            "redis:a:1",
        ] {
            assert!(text.parse::<LogChoice>().is_err(), "{text}");
        }
    }
}
