//! The key of the pseudonyms: read from its file, made when it safely can be, and checked against the log.
//!
//! Two keys on one log would split every shopper in two, and a lost key cannot be made again. So the key is made
//! only for a log that is this instance's own and empty, and its fingerprint stands on the log itself for every
//! start to compare.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use foretide_ports::{ACTIONS, ARTEFACTS, Log, LogError, NewRecord, TopicPartition};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use foretide_runtime::Component;
use rand::TryRngCore as _;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

use crate::LogArgs;

/// The key of the fingerprint's record on the topic of artefacts.
const RECORD_KEY: &[u8] = b"pseudonym-key";
const AT: TopicPartition = TopicPartition {
    topic: ARTEFACTS,
    partition: 0,
};
const READ_WAIT: Duration = Duration::from_secs(5);
const NAMED_YET_EVERY: Duration = Duration::from_secs(1);
const UNREAD: &str = "the topic of artefacts could not be read to its end in time";

/// What the log says of itself, in a record of the topic of artefacts.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Seal {
    /// Of the key of its pseudonyms.
    fingerprint: String,
    /// A random name made with its first record: checkpoints of another log are told by it.
    log_id: Uuid,
}

/// A key that is the log's own.
#[derive(Debug)]
pub struct Checked {
    /// Makes pseudonyms with the key.
    pub pseudonymiser: Pseudonymiser,
    /// Names the log.
    pub log_id: Uuid,
}

/// Says what is wrong with how the key is given, before anything is opened.
pub fn check_given(log_args: &LogArgs) -> anyhow::Result<()> {
    if !log_args.is_shared() {
        return Ok(());
    }
    let how = "Every host needs the same key. Make it once, keep a copy in a safe place, and give it to each:\n  \
        (umask 077; head -c 32 /dev/urandom | base64 > pseudonym.key)";
    match &log_args.pseudonym_key_file {
        None => bail!("with Kafka, --pseudonym-key-file must be given. {how}"),
        Some(file) if !file.exists() => {
            bail!(
                "there is no {} (--pseudonym-key-file). {how}",
                file.display()
            )
        }
        Some(_) => Ok(()),
    }
}

/// Reads the key, or makes it where that is right; then compares it with the log, whose topics exist already.
pub async fn open(log_args: &LogArgs, log: &dyn Log) -> anyhow::Result<Checked> {
    let file = log_args
        .pseudonym_key_file
        .clone()
        .unwrap_or_else(|| log_args.data_dir.join("pseudonym.key"));
    let key = match read(&file)? {
        Some(key) => key,
        None if log_args.is_shared() => {
            bail!("there is no {} (--pseudonym-key-file)", file.display())
        }
        None => make(&file, log).await?,
    };
    let pseudonymiser = Pseudonymiser::new(&key);
    let log_id = compare(&pseudonymiser.fingerprint(), &file, log).await?;
    Ok(Checked {
        pseudonymiser,
        log_id,
    })
}

/// The log's name, for a process that makes no pseudonyms. Waits, saying so by `ready`, until a process with the key has
/// named the log; with a key of its own it checks that, too.
pub async fn name(log_args: &LogArgs, log: &dyn Log, ready: &Component) -> anyhow::Result<Uuid> {
    if log_args.pseudonym_key_file.is_some() {
        return Ok(open(log_args, log).await?.log_id);
    }
    let mut told = false;
    loop {
        if let Some(seal) = on_the_log(log).await?.last() {
            return Ok(seal.log_id);
        }
        let cause = "the log is new: waiting for an ingest or scoring instance, which mark it with the pseudonym key";
        if !std::mem::replace(&mut told, true) {
            tracing::info!("{cause}");
        }
        ready.not_ready(cause);
        sleep(NAMED_YET_EVERY).await;
    }
}

fn read(file: &Path) -> anyhow::Result<Option<PseudonymKey>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    let key = PseudonymKey::from_text(&text)
        .with_context(|| format!("{} (--pseudonym-key-file)", file.display()))?;
    if file
        .metadata()
        .is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    {
        tracing::warn!(file = %file.display(), "others than the owner may read the pseudonym key: chmod 600 it");
    }
    Ok(Some(key))
}

async fn make(file: &Path, log: &dyn Log) -> anyhow::Result<PseudonymKey> {
    if log.end_offsets(ACTIONS).await?.iter().any(|end| *end > 0) {
        bail!(
            "the log holds events, but their pseudonym key, {}, is gone. A new key would make every shopper a stranger. \
             Put the old key back, or begin with an empty data directory",
            file.display()
        );
    }
    let mut bytes = [0; 32];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .context("drawing a random key")?;
    let key = PseudonymKey::from_bytes(bytes);
    crate::durable::create(file, key.to_text().as_bytes())?;
    tracing::info!(file = %file.display(), "made the pseudonym key: keep a copy in a safe place");
    Ok(key)
}

/// Compares with every fingerprint on the log; writes ours where there is none, and compares once more in case
/// another host did the same at this moment. Returns the log's name.
async fn compare(fingerprint: &str, file: &Path, log: &dyn Log) -> anyhow::Result<Uuid> {
    let mut found = on_the_log(log).await?;
    if found.is_empty() {
        let seal = Seal {
            fingerprint: fingerprint.to_owned(),
            log_id: Uuid::new_v4(),
        };
        let value = Some(serde_json::to_vec(&seal)?.into());
        let record = NewRecord {
            at: AT,
            key: Bytes::from_static(RECORD_KEY),
            value,
        };
        log.append(vec![record])
            .await
            .context("writing the pseudonym key's fingerprint")?;
        found = on_the_log(log).await?;
    }
    refuse_another(fingerprint, file, &found)?;
    found
        .last()
        .map(|seal| seal.log_id)
        .context("the pseudonym key's fingerprint was written but cannot be read")
}

fn refuse_another(fingerprint: &str, file: &Path, found: &[Seal]) -> anyhow::Result<()> {
    if let Some(theirs) = found.iter().find(|seal| seal.fingerprint != fingerprint) {
        bail!(
            "the pseudonym key in {} is not the one of this log: its fingerprint is {fingerprint}, the log's is {}. With two \
             keys every shopper would be split in two. Give the key the log was begun with (--pseudonym-key-file)",
            file.display(),
            theirs.fingerprint
        );
    }
    Ok(())
}

/// Compares the key that was given, if one was, with that of the log. For who only looks: nothing is made or written.
pub async fn check_if_given(args: &LogArgs, log: &dyn Log) -> anyhow::Result<()> {
    let Some(file) = &args.pseudonym_key_file else {
        return Ok(());
    };
    let key = read(file)?
        .with_context(|| format!("there is no {} (--pseudonym-key-file)", file.display()))?;
    let fingerprint = Pseudonymiser::new(&key).fingerprint();
    refuse_another(&fingerprint, file, &on_the_log(log).await?)
}

/// The log's name, if an instance with the key has given it one. For who only looks.
pub async fn log_id(log: &dyn Log) -> anyhow::Result<Option<Uuid>> {
    Ok(on_the_log(log).await?.last().map(|seal| seal.log_id))
}

/// Makes pseudonyms by the key that was given or that stands in the data directory, if it is the log's own. Nothing is made or
/// written; `None` where there is no key.
pub async fn pseudonymiser(args: &LogArgs, log: &dyn Log) -> anyhow::Result<Option<Pseudonymiser>> {
    let in_data_dir = || args.data_dir.join("pseudonym.key");
    let file = args.pseudonym_key_file.clone().unwrap_or_else(in_data_dir);
    let Some(key) = read(&file)? else {
        return Ok(None);
    };
    let pseudonymiser = Pseudonymiser::new(&key);
    refuse_another(&pseudonymiser.fingerprint(), &file, &on_the_log(log).await?)?;
    Ok(Some(pseudonymiser))
}

async fn on_the_log(log: &dyn Log) -> anyhow::Result<Vec<Seal>> {
    let mut found = Vec::new();
    let mut reader = log.reader(ARTEFACTS, &[(0, 0)]).await?;
    loop {
        let chunk = reader
            .next(READ_WAIT)
            .await?
            .ok_or_else(|| LogError::Away(UNREAD.to_owned()))?;
        if chunk.records.is_empty() {
            return Ok(found);
        }
        for record in chunk.records {
            if let (RECORD_KEY, Some(value)) = (&record.key[..], &record.value) {
                found.push(
                    serde_json::from_slice(value)
                        .context("reading the pseudonym key's fingerprint")?,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser;
    use foretide_events::EpochMs;
    use foretide_ports::{foretide_topics, memory::MemoryLog};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        log_args: LogArgs,
    }

    fn log_args(args: &[&str]) -> LogArgs {
        Cli::parse_from([&["test"], args].concat()).log_args
    }

    async fn empty_log() -> MemoryLog {
        let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
        log.declare(&foretide_topics(2)).await.unwrap();
        log
    }

    async fn with_an_event(log: &MemoryLog) {
        let at = TopicPartition {
            topic: ACTIONS,
            partition: 1,
        };
        log.append(vec![NewRecord {
            at,
            key: Bytes::new(),
            value: None,
        }])
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn the_first_start_makes_the_key_and_later_ones_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let log_args = log_args(&["--data-dir", dir.path().to_str().unwrap()]);
        let log = empty_log().await;
        let first = open(&log_args, &log).await.unwrap();
        with_an_event(&log).await;
        let second = open(&log_args, &log).await.unwrap();
        assert_eq!(
            first.pseudonymiser.fingerprint(),
            second.pseudonymiser.fingerprint()
        );
        assert_eq!(first.log_id, second.log_id);
        assert_eq!(on_the_log(&log).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn no_key_is_made_for_a_log_that_holds_events() {
        let dir = tempfile::tempdir().unwrap();
        let log_args = log_args(&["--data-dir", dir.path().to_str().unwrap()]);
        let log = empty_log().await;
        with_an_event(&log).await;
        let refusal = open(&log_args, &log).await.unwrap_err().to_string();
        assert!(refusal.contains("Put the old key back"), "{refusal}");
        assert!(!dir.path().join("pseudonym.key").exists());
    }

    #[tokio::test]
    async fn another_key_than_the_logs_is_refused() {
        let log = empty_log().await;
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        open(
            &log_args(&["--data-dir", one.path().to_str().unwrap()]),
            &log,
        )
        .await
        .unwrap();
        let refusal = open(
            &log_args(&["--data-dir", other.path().to_str().unwrap()]),
            &log,
        )
        .await
        .unwrap_err();
        assert!(refusal.to_string().contains("fingerprint"), "{refusal}");
    }

    #[test]
    fn with_kafka_the_key_must_be_given_and_be_there() {
        let kafka = ["--data-dir", "/nowhere", "--log", "kafka:127.0.0.1:9092"];
        let refusal = check_given(&log_args(&kafka)).unwrap_err().to_string();
        assert!(refusal.contains("--pseudonym-key-file"), "{refusal}");
        let missing = [&kafka[..], &["--pseudonym-key-file", "/nowhere/key"]].concat();
        assert!(
            check_given(&log_args(&missing))
                .unwrap_err()
                .to_string()
                .contains("/nowhere/key")
        );
        assert!(check_given(&log_args(&["--data-dir", "/nowhere"])).is_ok());
    }
}
